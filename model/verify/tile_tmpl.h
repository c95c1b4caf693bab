/* SPDX-License-Identifier: MIT */
/* The loops over a tile, in vectors of WIDTH float64 (GNU C); included once for each width by tile.c, which says what they
 * are for. Eight lanes whatever the width: lane j takes the elements j, j + 8, ... */
#define PARTS        (LANES / WIDTH)
#define vector       NAMED(vector)
#define flags        NAMED(flags)
#define singles      NAMED(singles)
#define single_flags NAMED(single_flags)

typedef double vector __attribute__((vector_size(WIDTH * sizeof(double))));
typedef int64_t flags __attribute__((vector_size(WIDTH * sizeof(double))));
/* float32 */
typedef float singles __attribute__((vector_size(2 * WIDTH * sizeof(float))));
typedef int32_t single_flags __attribute__((vector_size(2 * WIDTH * sizeof(float))));

/* Lanes of all parts, always in the same order. */
static inline double NAMED(sum_lanes)(const vector parts[PARTS])
{
    double lane[LANES];
    memcpy(lane, parts, sizeof lane);
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

static double NAMED(sum_of)(double *values, uint64_t count)
{
    vector sums[PARTS] = {{0}}, some;
    uint64_t padded = pad(values, count, 0);
    for (uint64_t i = 0; i < padded; i += LANES) {
        for (uint32_t part = 0; part < PARTS; part++) {
            memcpy(&some, values + i + part * WIDTH, sizeof some);
            sums[part] += some;
        }
    }
    return NAMED(sum_lanes)(sums);
}

/* The smallest and the largest of at least one; apart in parts, so that none waits for another. */
static void NAMED(find_ends)(double *values, uint64_t count, double *min, double *max)
{
    vector low[PARTS], high[PARTS], some;
    uint64_t padded = pad(values, count, values[0]);
    memcpy(low, values, sizeof low);
    memcpy(high, values, sizeof high);
    for (uint64_t i = LANES; i < padded; i += LANES) {
        for (uint32_t part = 0; part < PARTS; part++) {
            memcpy(&some, values + i + part * WIDTH, sizeof some);
            flags below = some<low[part], above = some> high[part];
            low[part] = (vector)((below & (flags)some) | (~below & (flags)low[part]));
            high[part] = (vector)((above & (flags)some) | (~above & (flags)high[part]));
        }
    }
    *min = low[0][0];
    *max = high[0][0];
    for (uint32_t j = 1; j < LANES; j++) {
        double least = low[j / WIDTH][j % WIDTH], most = high[j / WIDTH][j % WIDTH];
        *min = least < *min ? least : *min;
        *max = most > *max ? most : *max;
    }
}

/* How many are the smallest, the largest and zero. */
static void NAMED(count_equal)(double *values, uint64_t count, struct sow_moments *moments)
{
    flags lowest = {0}, highest = {0}, zero = {0};
    vector some;
    uint64_t padded = pad(values, count, NAN);
    for (uint64_t i = 0; i < padded; i += WIDTH) {
        memcpy(&some, values + i, sizeof some);
        lowest -= some == moments->min;
        highest -= some == moments->max;
        zero -= some == 0;
    }
    for (uint32_t j = 0; j < WIDTH; j++) {
        moments->at_min += (uint64_t)lowest[j];
        moments->at_max += (uint64_t)highest[j];
        moments->zeros += (uint64_t)zero[j];
    }
}

static void NAMED(central_moments)(double *values, uint64_t count, struct sow_moments *moments)
{
    vector second[PARTS] = {{0}}, third[PARTS] = {{0}}, fourth[PARTS] = {{0}}, some;
    uint64_t padded = pad(values, count, moments->mean);
    for (uint64_t i = 0; i < padded; i += LANES) {
        for (uint32_t part = 0; part < PARTS; part++) {
            memcpy(&some, values + i + part * WIDTH, sizeof some);
            some -= moments->mean;
            vector square = some * some;
            second[part] += square;
            third[part] += square * some;
            fourth[part] += square * square;
        }
    }
    moments->m2 = NAMED(sum_lanes)(second);
    moments->m3 = NAMED(sum_lanes)(third);
    moments->m4 = NAMED(sum_lanes)(fourth);
}

/* The leading 16 bits of the value as a float32, the largest finite one at most. */
static void NAMED(make_keys)(const double *values, uint64_t count, uint16_t *keys)
{
    for (uint64_t i = 0; i < count; i++) {
        float value = (float)values[i];
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        uint32_t size = bits & 0x7fffffffu;
        size = size > 0x7f7fffffu ? 0x7f7fffffu : size;
        keys[i] = (uint16_t)((size | (bits & 0x80000000u)) >> 16);
    }
}

static void NAMED(load)(const struct sow_value_type *type, const unsigned char *bytes,
                        uint64_t count, double *values)
{
    if (type->dtype != SOW_F32) {
        sow_values_f64(type->dtype, bytes, count, values);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint32_t bits;
        float value;
        memcpy(&bits, bytes + 4 * i, sizeof bits);
        bits = le32toh(bits);
        memcpy(&value, &bits, sizeof value);
        values[i] = (double)value;
    }
}

static uint64_t NAMED(read_tile)(const struct sow_value_type *type, const unsigned char *bytes,
                                 uint64_t count, uint64_t first, struct sow_moments *moments,
                                 uint16_t keys[SOW_TILE])
{
    double values[SOW_TILE + LANES];
    *moments = sow_moments_none();
    NAMED(load)(type, bytes, count, values);
    double sum = NAMED(sum_of)(values, count);
    if (!isfinite(sum)) {
        count = take_finite(values, count, first, moments);
        sum = NAMED(sum_of)(values, count);
    }
    if (count == 0) {
        return 0;
    }
    moments->finite = count;
    moments->mean = sum / (double)count;
    NAMED(find_ends)(values, count, &moments->min, &moments->max);
    NAMED(count_equal)(values, count, moments);
    NAMED(make_keys)(values, count, keys);
    NAMED(central_moments)(values, count, moments);
    return count;
}

/* ---- float32, finite, a whole number of lanes: the same numbers, before they are widened ---------------- */

static inline vector NAMED(widen)(const unsigned char *bytes, uint64_t i)
{
    float some[WIDTH];
    vector wide;
    memcpy(some, bytes + 4 * i, sizeof some);
    for (uint32_t j = 0; j < WIDTH; j++) { /* one instruction; __builtin_convertvector is five */
        wide[j] = (double)some[j];
    }
    return wide;
}

static double NAMED(sum_of_f32)(const unsigned char *bytes, uint64_t count)
{
    vector sums[PARTS] = {{0}};
    for (uint64_t i = 0; i < count; i += LANES) {
        for (uint32_t part = 0; part < PARTS; part++) {
            sums[part] += NAMED(widen)(bytes, i + part * WIDTH);
        }
    }
    return NAMED(sum_lanes)(sums);
}

static void NAMED(find_ends_f32)(const unsigned char *bytes, uint64_t count,
                                 struct sow_moments *moments)
{
    singles low[PARTS / 2], high[PARTS / 2], some;
    single_flags zero = {0};
    memcpy(low, bytes, sizeof low);
    memcpy(high, bytes, sizeof high);
    for (uint64_t i = 0; i < count; i += LANES) {
        for (uint32_t part = 0; part < PARTS / 2; part++) {
            memcpy(&some, bytes + 4 * (i + 2 * part * WIDTH), sizeof some);
            single_flags below = some<low[part], above = some> high[part];
            low[part] =
                (singles)((below & (single_flags)some) | (~below & (single_flags)low[part]));
            high[part] =
                (singles)((above & (single_flags)some) | (~above & (single_flags)high[part]));
            zero -= some == 0;
        }
    }
    float lows[LANES], highs[LANES], least, most;
    memcpy(lows, low, sizeof lows);
    memcpy(highs, high, sizeof highs);
    least = lows[0];
    most = highs[0];
    for (uint32_t j = 1; j < LANES; j++) {
        least = lows[j] < least ? lows[j] : least;
        most = highs[j] > most ? highs[j] : most;
    }
    moments->min = (double)least;
    moments->max = (double)most;
    for (uint32_t j = 0; j < 2 * WIDTH; j++) {
        moments->zeros += (uint64_t)zero[j];
    }
}

static uint64_t NAMED(count_equal_f32)(const unsigned char *bytes, uint64_t count, double to)
{
    single_flags equal = {0};
    singles some;
    uint64_t found = 0;
    for (uint64_t i = 0; i < count; i += 2 * WIDTH) {
        memcpy(&some, bytes + 4 * i, sizeof some);
        equal -= some == (float)to;
    }
    for (uint32_t j = 0; j < 2 * WIDTH; j++) {
        found += (uint64_t)equal[j];
    }
    return found;
}

static void NAMED(central_moments_f32)(const unsigned char *bytes, uint64_t count,
                                       struct sow_moments *moments)
{
    vector second[PARTS] = {{0}}, third[PARTS] = {{0}}, fourth[PARTS] = {{0}};
    for (uint64_t i = 0; i < count; i += LANES) {
        for (uint32_t part = 0; part < PARTS; part++) {
            vector some = NAMED(widen)(bytes, i + part * WIDTH) - moments->mean;
            vector square = some * some;
            second[part] += square;
            third[part] += square * some;
            fourth[part] += square * square;
        }
    }
    moments->m2 = NAMED(sum_lanes)(second);
    moments->m3 = NAMED(sum_lanes)(third);
    moments->m4 = NAMED(sum_lanes)(fourth);
}

static int NAMED(read_f32)(const unsigned char *bytes, uint64_t count,
                           const struct sow_moments *known, struct sow_moments *moments)
{
    double sum = NAMED(sum_of_f32)(bytes, count);
    if (!isfinite(sum)) {
        return 0;
    }
    *moments = sow_moments_none();
    moments->finite = count;
    moments->mean = sum / (double)count;
    NAMED(find_ends_f32)(bytes, count, moments);
    if (moments->min <= known->min) {
        moments->at_min = NAMED(count_equal_f32)(bytes, count, moments->min);
    }
    if (moments->max >= known->max) {
        moments->at_max = NAMED(count_equal_f32)(bytes, count, moments->max);
    }
    NAMED(central_moments_f32)(bytes, count, moments);
    return 1;
}

#undef single_flags
#undef singles
#undef flags
#undef vector
#undef PARTS
