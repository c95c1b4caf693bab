/* SPDX-License-Identifier: MIT */
/* Rows and columns that are nearly copies: a cosine above 1 - 1e-6, and not equal bit for bit (symmetry.c finds those). The
 * middle of each line is read once more for a few sums; what those cannot tell apart is read whole. Told only where chance
 * cannot make it: two random directions of 3 numbers are that near once in two million pairs. Not found: lines whose middle
 * is far smaller than the rest. */
#include "model/check/again.h"
#include "model/check/close.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/verify/statistics.h"

#define SAFE_BITS    40.0 /* chance of a pair below 2^-40 a tensor */
#define BLOCK_BYTES  ((uint64_t)1 << 20)
#define PAIRS_MOST   1024
#define LINES_MOST   64 /* that are read again */
#define LENGTH_LEAST 8
#define MIDDLE       ((uint64_t)128) /* elements of a line that its sums are of */
#define SHARE        1.5 /* the middle holds its share of the line's size, divided by this at most */

/* One direction of a tensor. */
struct side {
    struct sow_sketch *sketches;
    uint64_t count, length;
    uint64_t from, used; /* the middle */
};

struct reading {
    const struct sow_check_tensor *of;
    struct sow_again again;
    struct side rows, columns; /* sketches NULL: not wanted */
    unsigned char *bytes;
    float *values, *signs;
    float *column_sums; /* SOW_SKETCH + 1 a column, the last its squares */
    uint64_t at_once;   /* rows */
};

/* ---- Chance ---------------------------------------------------------------------------------------- */

/* Directions that a line has, as far as its size is spread over its elements: all are for n normal numbers 2/3 n. */
static double directions_of(const double *line, uint64_t length)
{
    double squares = 0, fourths = 0, filled = 0;
    for (uint64_t i = 0; i < length; i++) {
        double square = line[i] * line[i];
        squares += square;
        fourths += square * square;
        filled += square > 0;
    }
    double spread = fourths > 0 ? 2 * squares * squares / fourths : 0;
    return spread < filled ? spread : filled;
}

/* Two random directions in m dimensions are within an angle t of each other with less than t^(m - 1) / pi. */
static int is_chance(double directions, uint64_t lines)
{
    double angle = -sow_log(SOW_NEAR_CHORD) / 0.6931471805599453;
    double pairs = 2 * sow_log((double)lines) / 0.6931471805599453;
    return angle * (directions - 1) < pairs + SAFE_BITS;
}

/* ---- Sums of all lines ------------------------------------------------------------------------------- */

/* +1 or -1, the same for the same number. */
static float sign_of(uint64_t i)
{
    uint64_t mixed = (i + 1) * 0x9e3779b97f4a7c15u;
    mixed ^= mixed >> 29;
    mixed *= 0xbf58476d1ce4e5b9u;
    return mixed >> 63 ? 1.0F : -1.0F;
}

#define INLINE static inline __attribute__((always_inline))

/* Where the sums of one row go. */
struct sums {
    float row[SOW_SKETCH], squares[SOW_SKETCH]; /* of the row */
    float *columns, *column_squares;            /* of all columns; NULL: not wanted */
    float sign;                                 /* of the row, in its columns' sums */
};

INLINE void add_one(struct sums *sums, const float *signs, const float *values, uint64_t i,
                    uint64_t k, int columns)
{
    float value = values[i + k], square = value * value;
    sums->row[k] += signs[i + k] * value;
    sums->squares[k] += square;
    if (columns) {
        sums->columns[i + k] += sums->sign * value;
        sums->column_squares[i + k] += square;
    }
}

INLINE void add_all(struct sums *into, const float *restrict signs, const float *restrict values,
                    uint64_t count, int columns)
{
    struct sums sums = *into;
    uint64_t whole = count - count % SOW_SKETCH;
    for (uint64_t i = 0; i < whole; i += SOW_SKETCH) {
        for (uint64_t k = 0; k < SOW_SKETCH; k++) {
            add_one(&sums, signs, values, i, k, columns);
        }
    }
    for (uint64_t k = 0; k < count - whole; k++) {
        add_one(&sums, signs, values, whole, k, columns);
    }
    *into = sums;
}

typedef void add_fn(struct sums *sums, const float *signs, const float *values, uint64_t count);

static void add_narrow(struct sums *sums, const float *signs, const float *values, uint64_t count)
{
    if (sums->columns != NULL) {
        add_all(sums, signs, values, count, 1);
    } else {
        add_all(sums, signs, values, count, 0);
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_WIDE 1
__attribute__((target("avx2"))) static void add_wide(struct sums *sums, const float *signs,
                                                     const float *values, uint64_t count)
{
    if (sums->columns != NULL) {
        add_all(sums, signs, values, count, 1);
    } else {
        add_all(sums, signs, values, count, 0);
    }
}
#endif

static add_fn *choose(void)
{
#ifdef HAS_WIDE
    if (__builtin_cpu_supports("avx2")) {
        return add_wide;
    }
#endif
    return add_narrow;
}

/* `count` elements of the row, from column `column` on. */
static enum sow_status read_part(const struct reading *reading, uint64_t row, uint64_t column,
                                 uint64_t count, struct sow_error *error)
{
    const struct sow_order *order = &reading->of->order;
    enum sow_status status =
        sow_again_read(&reading->again, (row * order->columns + column) * order->width,
                       count * order->width, reading->bytes, error);
    if (status == SOW_OK) {
        sow_values_f32(reading->of->header->dtype, reading->bytes, count, reading->values);
    }
    return status;
}

static void keep(struct sow_sketch *sketch, const struct sums *sums)
{
    memcpy(sketch->sums, sums->row, sizeof sums->row);
    for (size_t k = 0; k < SOW_SKETCH; k++) {
        sketch->squares += sums->squares[k];
    }
}

/* Several short rows at once, of long ones the middle alone. */
static enum sow_status sum_rows(const struct reading *reading, add_fn *add, struct sow_error *error)
{
    const struct side *side = &reading->rows;
    int whole = side->length <= 4 * MIDDLE;
    uint64_t step = whole ? reading->at_once : 1;
    enum sow_status status = SOW_OK;
    for (uint64_t row = 0; row < side->count && status == SOW_OK; row += step) {
        uint64_t rows = side->count - row < step ? side->count - row : step;
        status = whole ? read_part(reading, row, 0, rows * side->length, error)
                       : read_part(reading, row, side->from, side->used, error);
        for (uint64_t r = 0; r < rows && status == SOW_OK; r++) {
            struct sums sums = {.columns = NULL};
            add(&sums, reading->signs,
                reading->values + (whole ? r * side->length + side->from : 0), side->used);
            keep(&side->sketches[row + r], &sums);
        }
    }
    return status;
}

static enum sow_status sum_columns(const struct reading *reading, add_fn *add,
                                   struct sow_error *error)
{
    const struct side *side = &reading->columns;
    enum sow_status status = SOW_OK;
    for (uint64_t r = 0; r < side->used && status == SOW_OK; r++) {
        struct sums sums = {.columns = reading->column_sums + r % SOW_SKETCH * side->count,
                            .column_squares = reading->column_sums + SOW_SKETCH * side->count,
                            .sign = sign_of(r)};
        status = read_part(reading, side->from + r, 0, side->count, error);
        if (status == SOW_OK) {
            add(&sums, reading->signs, reading->values, side->count);
        }
    }
    for (uint64_t i = 0; i < side->count && status == SOW_OK; i++) {
        struct sow_sketch *sketch = &side->sketches[i];
        for (size_t k = 0; k < SOW_SKETCH; k++) {
            sketch->sums[k] = reading->column_sums[k * side->count + i];
        }
        sketch->squares = reading->column_sums[SOW_SKETCH * side->count + i];
    }
    return status;
}

static enum sow_status read_sums(const struct reading *reading, struct sow_error *error)
{
    add_fn *add = choose();
    enum sow_status status = SOW_OK;
    if (reading->rows.sketches != NULL) {
        status = sum_rows(reading, add, error);
    }
    if (reading->columns.sketches != NULL && status == SOW_OK) {
        status = sum_columns(reading, add, error);
    }
    return status;
}

/* ---- The second look ------------------------------------------------------------------------------- */

/* Lines that are read again, and the pairs among them. */
struct look {
    struct sow_pair *pairs;
    size_t pair_count;
    uint64_t indices[LINES_MOST]; /* ascending */
    size_t count;
    double *values;
};

static size_t place_of(const struct look *look, uint64_t index)
{
    size_t i = 0;
    while (i < look->count && look->indices[i] != index) {
        i++;
    }
    return i;
}

static void choose_lines(struct look *look)
{
    for (size_t i = 0; i < look->pair_count; i++) {
        uint64_t both[2] = {look->pairs[i].a, look->pairs[i].b};
        for (size_t k = 0; k < 2 && look->count < LINES_MOST; k++) {
            if (place_of(look, both[k]) == look->count) {
                look->indices[look->count++] = both[k];
            }
        }
    }
}

static enum sow_status read_lines(const struct reading *reading, const struct look *look,
                                  int columns, struct sow_error *error)
{
    const struct sow_order *order = &reading->of->order;
    enum sow_dtype dtype = reading->of->header->dtype;
    uint64_t row_bytes = order->columns * order->width;
    enum sow_status status = SOW_OK;
    for (size_t i = 0; i < look->count && !columns && status == SOW_OK; i++) {
        status = sow_again_read(&reading->again, look->indices[i] * row_bytes, row_bytes,
                                reading->bytes, error);
        if (status == SOW_OK) {
            sow_values_f64(dtype, reading->bytes, order->columns,
                           look->values + i * order->columns);
        }
    }
    for (uint64_t row = 0; row < order->rows && columns && status == SOW_OK;
         row += reading->at_once) {
        uint64_t left = order->rows - row, rows = left < reading->at_once ? left : reading->at_once;
        status = sow_again_read(&reading->again, row * row_bytes, rows * row_bytes, reading->bytes,
                                error);
        for (uint64_t r = 0; r < rows && status == SOW_OK; r++) {
            for (size_t i = 0; i < look->count; i++) {
                sow_values_f64(dtype,
                               reading->bytes + r * row_bytes + look->indices[i] * order->width, 1,
                               look->values + i * order->rows + row + r);
            }
        }
    }
    return status;
}

/* 1 - cosine of two lines, from the distance of their unit vectors: no digits are lost. 2 where they are equal. */
static double turned(const double *a, const double *b, uint64_t length)
{
    double of_a = 0, of_b = 0, sum = 0;
    int equal = 1;
    for (uint64_t i = 0; i < length; i++) {
        of_a += a[i] * a[i];
        of_b += b[i] * b[i];
        equal &= a[i] == b[i];
    }
    if (equal || !(of_a > 0 && of_b > 0)) {
        return 2;
    }
    of_a = 1 / sow_sqrt(of_a);
    of_b = 1 / sow_sqrt(of_b);
    for (uint64_t i = 0; i < length; i++) {
        double difference = a[i] * of_a - b[i] * of_b;
        sum += difference * difference;
    }
    return 0.5 * sum;
}

static void tell(struct sow_check_run *run, size_t tensor, const struct side *side, int columns,
                 const struct look *look)
{
    const char *what = columns ? "columns" : "rows";
    size_t found = 0, first = 0;
    double least = 2;
    for (size_t i = 0; i < look->pair_count; i++) {
        size_t a = place_of(look, look->pairs[i].a), b = place_of(look, look->pairs[i].b);
        if (a == look->count || b == look->count) {
            continue;
        }
        const double *line = look->values + a * side->length;
        double apart = turned(line, look->values + b * side->length, side->length);
        if (apart < SOW_NEAR_COSINE && !is_chance(directions_of(line, side->length), side->count)) {
            first = found++ == 0 ? i : first;
            least = apart < least ? apart : least;
        }
    }
    if (found > 0) {
        sow_check_find(
            run, tensor,
            (struct sow_raw_finding){
                .code = columns ? SOW_CODE_NEAR_COLUMNS : SOW_CODE_NEAR_ROWS,
                .statistic = what,
                .expected = 0,
                .found = (double)found,
                .element = UINT64_MAX,
                .text = sow_findings_keep(
                    run->findings,
                    "%zu pair%s of %s that are nearly copies (%zu and %zu first): their cosine is "
                    "above 1 - 1e-6, up to 1 - %.2g",
                    found, found == 1 ? "" : "s", what, look->pairs[first].a, look->pairs[first].b,
                    least),
            });
    }
}

static enum sow_status look_at(struct sow_check_run *run, size_t tensor,
                               const struct reading *reading, const struct side *side, int columns,
                               struct sow_error *error)
{
    struct look look = {.pairs = malloc(PAIRS_MOST * sizeof look.pairs[0])};
    enum sow_status status = SOW_OK;
    if (side->sketches == NULL || look.pairs == NULL) {
        free(look.pairs);
        return side->sketches == NULL ? SOW_OK : sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    for (uint64_t i = 0; i < side->count; i++) {
        sow_sketch_scale(&side->sketches[i], side->used);
    }
    double part =
        side->used < side->length ? SHARE * sow_sqrt((double)side->length / (double)side->used) : 1;
    look.pair_count = sow_close_pairs(side->sketches, side->count, SOW_NEAR_CHORD * part,
                                      look.pairs, PAIRS_MOST, NULL);
    if (look.pair_count != SIZE_MAX && look.pair_count > 0) {
        choose_lines(&look);
        look.values = malloc(look.count * side->length * sizeof look.values[0]);
    }
    if (look.pair_count == SIZE_MAX || (look.pair_count > 0 && look.values == NULL)) {
        status = sow_fail(error, SOW_E_MEMORY, "no memory for lines of a tensor");
    } else if (look.pair_count > 0) {
        status = read_lines(reading, &look, columns, error);
        if (status == SOW_OK) {
            tell(run, tensor, side, columns, &look);
        }
    }
    free(look.values);
    free(look.pairs);
    return status;
}

/* ---- Both directions --------------------------------------------------------------------------------- */

static int wants(uint64_t count, uint64_t length)
{
    return count > 1 && length >= LENGTH_LEAST && !is_chance((double)length, count);
}

static struct side side_of(uint64_t count, uint64_t length)
{
    uint64_t used = length < MIDDLE ? length : MIDDLE;
    return (struct side){NULL, count, length, (length - used) / 2, used};
}

static int begin(struct reading *reading)
{
    const struct sow_order *order = &reading->of->order;
    uint64_t row_bytes = order->columns * order->width;
    int rows = order->row_sums != NULL && wants(order->rows, order->columns);
    int columns = order->column_sums != NULL && wants(order->columns, order->rows);
    reading->rows = side_of(order->rows, order->columns);
    reading->columns = side_of(order->columns, order->rows);
    reading->at_once = BLOCK_BYTES / row_bytes > 0 ? BLOCK_BYTES / row_bytes : 1;
    if (!rows && !columns) {
        return 0;
    }
    reading->bytes = malloc(reading->at_once * row_bytes);
    reading->values = malloc(reading->at_once * order->columns * sizeof reading->values[0]);
    reading->signs = malloc(order->columns * sizeof reading->signs[0]);
    if (rows) {
        reading->rows.sketches = calloc(order->rows, sizeof *reading->rows.sketches);
    }
    if (columns) {
        reading->columns.sketches = calloc(order->columns, sizeof *reading->columns.sketches);
        reading->column_sums =
            calloc(order->columns * (SOW_SKETCH + 1), sizeof reading->column_sums[0]);
    }
    for (uint64_t i = 0; reading->signs != NULL && i < order->columns; i++) {
        reading->signs[i] = sign_of(i);
    }
    int made = reading->bytes != NULL && reading->values != NULL && reading->signs != NULL &&
               (!rows || reading->rows.sketches != NULL) &&
               (!columns || (reading->columns.sketches != NULL && reading->column_sums != NULL));
    return made ? 1 : -1;
}

enum sow_status sow_check_near(struct sow_check_run *run, size_t tensor,
                               const struct sow_tensor_statistics *row, struct sow_error *error)
{
    struct reading reading = {.of = &run->tensors[tensor]};
    enum sow_status status = SOW_OK;
    if (row->is_constant || reading.of->kind == SOW_NAME_BUFFER || row->rank < 2 ||
        reading.of->is_bad || !(reading.of->entropy >= 3)) {
        return SOW_OK;
    }
    int wanted = begin(&reading);
    if (wanted < 0) {
        status = sow_fail(error, SOW_E_MEMORY, "no memory to compare the lines of a tensor");
    } else if (wanted > 0) {
        status = sow_again_open(&reading.again, run, tensor, error);
        if (status == SOW_OK) {
            status = read_sums(&reading, error);
            status =
                status == SOW_OK ? look_at(run, tensor, &reading, &reading.rows, 0, error) : status;
            status = status == SOW_OK ? look_at(run, tensor, &reading, &reading.columns, 1, error)
                                      : status;
            sow_again_close(&reading.again);
        }
    }
    free(reading.rows.sketches);
    free(reading.columns.sketches);
    free(reading.column_sums);
    free(reading.bytes);
    free(reading.values);
    free(reading.signs);
    return status;
}
