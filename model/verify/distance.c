/* SPDX-License-Identifier: MIT */
/* Equal parts cost a memcmp; only where it says no are elements looked at. */
#include "model/verify/distance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

#define TILE 256u /* elements */
/* Of the wider side; parts of two sides begin at multiples of it. */
#define BLOCK_BYTES (8 * SOW_BLOCK_BYTES)

static uint64_t block_elements(const struct sow_distance *distance)
{
    uint32_t left = distance->types[0]->width, right = distance->types[1]->width;
    return BLOCK_BYTES / (left > right ? left : right);
}

static int same_type(const struct sow_distance *distance)
{
    return distance->types[0] == distance->types[1];
}

static int differs(const struct sow_distance *distance, const unsigned char *const bytes[2],
                   const double values[2])
{
    if (same_type(distance)) {
        return memcmp(bytes[0], bytes[1], distance->types[0]->width) != 0;
    }
    return values[0] != values[1] && !(isnan(values[0]) && isnan(values[1]));
}

static void add_element(const struct sow_distance *distance, const unsigned char *const bytes[2],
                        const double values[2], struct sow_distance_block *block)
{
    block->differing++;
    if (!isfinite(values[0]) || !isfinite(values[1])) {
        return;
    }
    double far = fabs(values[0] - values[1]);
    block->compared++;
    block->sum += far;
    block->max = far > block->max ? far : block->max;
    if (same_type(distance) && sow_value_floating(distance->types[0])) {
        double ulps = (double)sow_value_ulps(distance->types[0], bytes[0], bytes[1]);
        block->ulps += ulps;
        block->ulps_max = ulps > block->ulps_max ? ulps : block->ulps_max;
    }
}

static void load(const struct sow_value_type *type, const unsigned char *bytes, uint64_t count,
                 double *values)
{
    if (type->encoding != SOW_ENCODING_OPAQUE) {
        sow_values_f64(type->dtype, bytes, count, values);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        values[i] = NAN;
    }
}

/* Elements [first, first + count) of one block. Returns the first that differs, UINT64_MAX when none does. */
static uint64_t compare(const struct sow_distance *distance, const unsigned char *const bytes[2],
                        uint64_t first, uint64_t count, struct sow_distance_block *block,
                        double first_values[2])
{
    double values[2][TILE];
    uint64_t found = UINT64_MAX;
    for (uint64_t at = 0; at < count; at += TILE) {
        uint64_t part = count - at < TILE ? count - at : TILE;
        const unsigned char *place[2];
        for (int side = 0; side < 2; side++) {
            place[side] = bytes[side] + at * distance->types[side]->width;
            load(distance->types[side], place[side], part, values[side]);
        }
        for (uint64_t i = 0; i < part; i++) {
            const unsigned char *element[2] = {place[0] + i * distance->types[0]->width,
                                               place[1] + i * distance->types[1]->width};
            const double pair[2] = {values[0][i], values[1][i]};
            if (!differs(distance, element, pair)) {
                continue;
            }
            add_element(distance, element, pair, block);
            if (found == UINT64_MAX) {
                found = first + at + i;
                memcpy(first_values, pair, sizeof pair);
            }
        }
    }
    return found;
}

static enum sow_status make_blocks(struct sow_distance *distance, struct sow_error *error)
{
    if (distance->blocks == NULL) {
        uint64_t each = block_elements(distance);
        distance->block_count = (size_t)((distance->elements + each - 1) / each);
        distance->blocks = calloc(distance->block_count + 1, sizeof distance->blocks[0]);
    }
    return distance->blocks != NULL
               ? SOW_OK
               : sow_fail(error, SOW_E_MEMORY, "no memory for the differences of a tensor");
}

enum sow_status sow_distance_add(struct sow_distance *distance, const struct sow_pass_part *part,
                                 pthread_mutex_t *lock, struct sow_error *error)
{
    uint64_t each = block_elements(distance);
    enum sow_status status = SOW_OK;
    if (same_type(distance) &&
        memcmp(part->bytes[0], part->bytes[1], part->count * distance->types[0]->width) == 0) {
        return SOW_OK;
    }
    for (uint64_t at = 0; at < part->count && status == SOW_OK; at += each) {
        uint64_t count = part->count - at < each ? part->count - at : each;
        struct sow_distance_block block = {0};
        const unsigned char *bytes[2] = {part->bytes[0] + at * distance->types[0]->width,
                                         part->bytes[1] + at * distance->types[1]->width};
        double values[2];
        uint64_t found = compare(distance, bytes, part->first + at, count, &block, values);
        if (found == UINT64_MAX) {
            continue;
        }
        pthread_mutex_lock(lock);
        status = make_blocks(distance, error);
        if (status == SOW_OK) {
            distance->blocks[(part->first + at) / each] = block;
            if (found < distance->first) {
                distance->first = found;
                memcpy(distance->first_values, values, sizeof values);
            }
        }
        pthread_mutex_unlock(lock);
    }
    return status;
}

void sow_distance_tell(const struct sow_distance *distance, struct sow_difference *difference)
{
    struct sow_distance_block all = {0};
    for (size_t i = 0; distance->blocks != NULL && i < distance->block_count; i++) {
        const struct sow_distance_block *block = &distance->blocks[i];
        all.differing += block->differing;
        all.compared += block->compared;
        all.sum += block->sum;
        all.ulps += block->ulps;
        all.max = block->max > all.max ? block->max : all.max;
        all.ulps_max = block->ulps_max > all.ulps_max ? block->ulps_max : all.ulps_max;
    }
    difference->differing = all.differing;
    difference->first = distance->first;
    if (distance->first != UINT64_MAX) {
        difference->first_a = distance->first_values[0];
        difference->first_b = distance->first_values[1];
    }
    if (all.compared > 0) {
        difference->distance_max = all.max;
        difference->distance_mean = all.sum / (double)all.compared;
    }
    if (all.compared > 0 && same_type(distance) && sow_value_floating(distance->types[0])) {
        difference->ulp_max = all.ulps_max;
        difference->ulp_mean = all.ulps / (double)all.compared;
    }
}

void sow_distance_free(struct sow_distance *distance)
{
    free(distance->blocks);
    distance->blocks = NULL;
}
