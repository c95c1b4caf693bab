/* SPDX-License-Identifier: MIT */
/* The tables of a tally: keys in, cells out. Adding is one increment an element; the rest is done once a part. */
#include "model/verify/tally.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "model/verify/tile.h"

#define GROUP 64u   /* keys that are looked at together */
#define FEW   4096u /* elements: then only the groups that were touched */

struct sow_ledger *sow_ledger_new(const struct sow_value_type *type, uint64_t bytes)
{
    struct sow_ledger *ledger = calloc(1, sizeof *ledger);
    uint64_t blocks = (bytes + SOW_BLOCK_BYTES - 1) / SOW_BLOCK_BYTES;
    if (ledger == NULL) {
        return NULL;
    }
    ledger->counts = calloc(sow_value_keys(type), sizeof ledger->counts[0]);
    if (!sow_value_narrow(type)) {
        ledger->blocks = calloc(blocks + 1, sizeof ledger->blocks[0]);
    }
    if (ledger->counts == NULL || (ledger->blocks == NULL && !sow_value_narrow(type))) {
        sow_ledger_free(ledger);
        return NULL;
    }
    atomic_init(&ledger->bytes_left, bytes);
    atomic_init(&ledger->first_bad, UINT64_MAX);
    return ledger;
}

void sow_ledger_free(struct sow_ledger *ledger)
{
    if (ledger != NULL) {
        free(ledger->counts);
        free(ledger->blocks);
        free(ledger);
    }
}

struct sow_tally *sow_tally_new(void)
{
    return calloc(1, sizeof(struct sow_tally));
}

void sow_tally_free(struct sow_tally *tally)
{
    if (tally != NULL) {
        free(tally->cells);
        free(tally->values);
        free(tally);
    }
}

static void count_bytes(struct sow_tally *tally, const unsigned char *bytes, uint64_t count)
{
    uint32_t counts[4][256] = {{0}};
    uint64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        counts[0][bytes[i]]++;
        counts[1][bytes[i + 1]]++;
        counts[2][bytes[i + 2]]++;
        counts[3][bytes[i + 3]]++;
    }
    for (; i < count; i++) {
        counts[0][bytes[i]]++;
    }
    for (uint32_t key = 0; key < 256; key++) {
        tally->counts[0][key] += counts[0][key] + counts[1][key] + counts[2][key] + counts[3][key];
    }
    memset(tally->touched, 1, 256 / GROUP);
}

static void count_pairs(struct sow_tally *tally, const unsigned char *bytes, uint64_t count)
{
    uint32_t *even = tally->counts[0], *odd = tally->counts[1];
    uint64_t i = 0;
    for (; count > FEW && i + 4 <= count; i += 4) {
        uint64_t four; /* whatever the byte order */
        memcpy(&four, bytes + 2 * i, sizeof four);
        four = le64toh(four);
        even[four & 0xffff]++;
        odd[four >> 16 & 0xffff]++;
        even[four >> 32 & 0xffff]++;
        odd[four >> 48]++;
    }
    for (; i < count; i++) {
        uint32_t key = (uint32_t)bytes[2 * i] | (uint32_t)bytes[2 * i + 1] << 8;
        even[key]++;
        tally->touched[key / GROUP] = 1;
    }
}

static void count_keys(struct sow_tally *tally, const uint16_t *keys, uint64_t count)
{
    uint64_t i = 0;
    for (; i + 4 <= count; i += 4) { /* four keys in one load */
        uint64_t four;
        memcpy(&four, keys + i, sizeof four);
        tally->counts[0][four & 0xffff]++;
        tally->counts[1][four >> 16 & 0xffff]++;
        tally->counts[0][four >> 32 & 0xffff]++;
        tally->counts[1][four >> 48]++;
    }
    for (; i < count; i++) {
        tally->counts[0][keys[i]]++;
    }
}

/* The leading halves of float32: their keys. An even number. */
static void count_halves(struct sow_tally *tally, const unsigned char *bytes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i += 2) {
        uint64_t two;
        memcpy(&two, bytes + 4 * i, sizeof two);
        two = le64toh(two);
        tally->counts[0][two >> 16 & 0xffff]++;
        tally->counts[1][two >> 48]++;
    }
}

static void touch_halves(struct sow_tally *tally, const unsigned char *bytes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint32_t key = (uint32_t)bytes[4 * i + 2] | (uint32_t)bytes[4 * i + 3] << 8;
        tally->touched[key / GROUP] = 1;
    }
}

static void count_tile(struct sow_tally *tally, const struct sow_value_type *type, uint64_t first,
                       const unsigned char *bytes, uint64_t count, int is_few,
                       struct sow_moments *moments)
{
    struct sow_moments tile;
    uint16_t keys[SOW_TILE];
    if (type->dtype == SOW_F32 && sow_tile_read_f32(bytes, count, moments, &tile)) {
        sow_moments_join(moments, &tile);
        count_halves(tally, bytes, count);
        if (is_few) {
            touch_halves(tally, bytes, count);
        }
        return;
    }
    uint64_t finite = sow_tile_read(type, bytes, count, first, &tile, keys);
    sow_moments_join(moments, &tile);
    count_keys(tally, keys, finite);
    for (uint64_t i = 0; is_few && i < finite; i++) {
        tally->touched[keys[i] / GROUP] = 1;
    }
}

static void count_wide(struct sow_tally *tally, const struct sow_value_type *type, uint64_t first,
                       const unsigned char *bytes, uint64_t count, struct sow_moments *blocks)
{
    uint64_t block = SOW_BLOCK_BYTES / type->width;
    for (uint64_t begin = 0; begin < count; begin += block) {
        struct sow_moments moments = sow_moments_none();
        uint64_t end = count - begin < block ? count : begin + block;
        for (uint64_t at = begin; at < end; at += SOW_TILE) {
            uint64_t part = end - at < SOW_TILE ? end - at : SOW_TILE;
            count_tile(tally, type, first + at, bytes + at * type->width, part, count <= FEW,
                       &moments);
        }
        blocks[begin / block] = moments;
    }
}

void sow_tally_add(struct sow_tally *tally, const struct sow_value_type *type, uint64_t first,
                   const unsigned char *bytes, uint64_t count, struct sow_moments *blocks)
{
    if (!sow_value_narrow(type)) {
        count_wide(tally, type, first, bytes, count, blocks);
    } else if (type->width == 1) {
        count_bytes(tally, bytes, count);
    } else {
        count_pairs(tally, bytes, count);
    }
}

/* Whether any key of the group was counted. */
static int group_used(const struct sow_tally *tally, uint32_t group, uint64_t count)
{
    uint32_t any = 0;
    if (count <= FEW) {
        return tally->touched[group];
    }
    for (uint32_t key = group * GROUP; key < (group + 1) * GROUP; key++) {
        any |= tally->counts[0][key] | tally->counts[1][key];
    }
    return any != 0;
}

static void clear_group(struct sow_tally *tally, uint32_t group)
{
    memset(&tally->counts[0][group * GROUP], 0, GROUP * sizeof tally->counts[0][0]);
    memset(&tally->counts[1][group * GROUP], 0, GROUP * sizeof tally->counts[1][0]);
    tally->touched[group] = 0;
}

/* The first of `count` elements that is no finite number. */
static uint64_t find_bad(const struct sow_value_type *type, const unsigned char *bytes,
                         uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint32_t key =
            type->width == 1 ? bytes[i] : (uint32_t)bytes[2 * i] | (uint32_t)bytes[2 * i + 1] << 8;
        if (!isfinite(sow_value_of(type, key))) {
            return i;
        }
    }
    return UINT64_MAX;
}

static void note_bad(_Atomic uint64_t *first_bad, uint64_t element)
{
    uint64_t known = atomic_load(first_bad);
    while (element < known && !atomic_compare_exchange_weak(first_bad, &known, element)) {
    }
}

void sow_tally_post(struct sow_tally *tally, const struct sow_value_type *type, uint64_t first,
                    const unsigned char *bytes, uint64_t count, struct sow_ledger *ledger)
{
    int bad = 0;
    for (uint32_t group = 0; group < sow_value_keys(type) / GROUP; group++) {
        if (!group_used(tally, group, count)) {
            continue;
        }
        for (uint32_t key = group * GROUP; key < (group + 1) * GROUP; key++) {
            uint64_t counted = (uint64_t)tally->counts[0][key] + tally->counts[1][key];
            if (counted > 0) {
                atomic_fetch_add_explicit(&ledger->counts[key], counted, memory_order_relaxed);
                bad |= sow_value_narrow(type) && !isfinite(sow_value_of(type, key));
            }
        }
        clear_group(tally, group);
    }
    if (bad) {
        note_bad(&ledger->first_bad, first + find_bad(type, bytes, count));
    }
}

/* Takes a key that was counted into the cells and, of a narrow type, into the counts of `moments`. */
static void add_key(struct sow_tally *tally, const struct sow_value_type *type, uint32_t key,
                    uint64_t count, struct sow_moments *moments)
{
    double value = 0;
    if (sow_value_narrow(type)) {
        value = sow_value_of(type, key);
        moments->nan += isnan(value) ? count : 0;
        moments->inf += isinf(value) ? count : 0;
        if (!isfinite(value)) {
            return;
        }
        moments->finite += count;
        moments->zeros += value == 0 ? count : 0;
    }
    struct sow_cell *cell = &tally->cells[tally->cell_count];
    sow_value_cell(type, key, &cell->low, &cell->high);
    if (sow_value_narrow(type) && tally->cell_count > 0 &&
        tally->values[tally->cell_count - 1] == value) {
        cell[-1].count += count; /* -0 and +0; the bytes of a bool that are true */
        return;
    }
    cell->count = count;
    tally->values[tally->cell_count++] = value;
}

/* A sum that keeps what rounding takes away (Neumaier 1974). */
struct sum {
    double value, lost;
};

static void add(struct sum *sum, double term)
{
    double next = sum->value + term;
    sum->lost +=
        fabs(sum->value) >= fabs(term) ? (sum->value - next) + term : (term - next) + sum->value;
    sum->value = next;
}

/* Moments of a narrow type: of each value as often as it was counted. */
static void moments_of_counts(const struct sow_tally *tally, struct sow_moments *moments)
{
    struct sum first = {0, 0}, second = {0, 0}, third = {0, 0}, fourth = {0, 0};
    size_t last = tally->cell_count - 1;
    for (size_t i = 0; i <= last; i++) {
        add(&first, tally->values[i] * (double)tally->cells[i].count);
    }
    moments->mean = (first.value + first.lost) / (double)moments->finite;
    for (size_t i = 0; i <= last; i++) {
        double distance = tally->values[i] - moments->mean;
        double square = distance * distance * (double)tally->cells[i].count;
        add(&second, square);
        add(&third, square * distance);
        add(&fourth, square * distance * distance);
    }
    moments->m2 = second.value + second.lost;
    moments->m3 = third.value + third.lost;
    moments->m4 = fourth.value + fourth.lost;
    moments->min = tally->values[0];
    moments->max = tally->values[last];
    moments->at_min = tally->cells[0].count;
    moments->at_max = tally->cells[last].count;
}

static enum sow_status make_cells(struct sow_tally *tally, struct sow_error *error)
{
    tally->cell_count = 0;
    if (tally->cells == NULL) {
        tally->cells = calloc(SOW_KEYS_MAX, sizeof tally->cells[0]);
        tally->values = calloc(SOW_KEYS_MAX, sizeof tally->values[0]);
    }
    if (tally->cells == NULL || tally->values == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory to finish a tensor's statistics");
    }
    return SOW_OK;
}

enum sow_status sow_tally_finish(struct sow_tally *tally, const struct sow_value_type *type,
                                 uint64_t count, const unsigned char *bytes,
                                 const struct sow_ledger *ledger, struct sow_moments *moments,
                                 struct sow_error *error)
{
    enum sow_status status = make_cells(tally, error);
    uint32_t keys = sow_value_keys(type);
    for (uint32_t begin = 0; status == SOW_OK && begin < keys; begin += GROUP) {
        uint32_t group = sow_value_ordered(type, begin) / GROUP;
        if (ledger == NULL && !group_used(tally, group, count)) {
            continue;
        }
        for (uint32_t place = begin; place < begin + GROUP; place++) {
            uint32_t key = sow_value_ordered(type, place);
            uint64_t counted =
                ledger == NULL ? (uint64_t)tally->counts[0][key] + tally->counts[1][key]
                               : atomic_load_explicit(&ledger->counts[key], memory_order_relaxed);
            if (counted > 0) {
                add_key(tally, type, key, counted, moments);
            }
        }
        if (ledger == NULL) {
            clear_group(tally, group);
        }
    }
    if (status != SOW_OK || !sow_value_narrow(type)) {
        return status;
    }
    if (moments->nan + moments->inf > 0) {
        moments->first_bad =
            ledger == NULL ? find_bad(type, bytes, count) : atomic_load(&ledger->first_bad);
    }
    if (moments->finite > 0) {
        moments_of_counts(tally, moments);
    }
    return status;
}
