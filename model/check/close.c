/* SPDX-License-Identifier: MIT */
/* The join: halves at the median of one coordinate after another, with the strip that reaches over it on one side again,
 * until few are left or no coordinate divides them; then sorted and compared with what is near. Every pair that is near is
 * in one of the last pieces together. Near linear where points spread; budgets bound it where they do not. */
#include "model/check/close.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"

#define FEW     16
#define DIVIDES 0.75  /* a half with its strip is at most this part of all */
#define SLACK   1.001 /* of float32 sums */
#define ROUND   1e-5F
#define EACH    2048 /* comparisons a point, in all */
#define SAMPLE  31

struct join {
    const struct sow_sketch *sketches;
    struct sow_pair *pairs;
    size_t count, room;
    float reach;
    uint64_t looked, budget;
    int failed;
};

void sow_sketch_scale(struct sow_sketch *sketch, uint64_t length)
{
    double each = (double)((length + SOW_SKETCH - 1) / SOW_SKETCH);
    float scale =
        sketch->squares > 0 ? (float)(1 / sow_sqrt((double)sketch->squares * each)) : 0.0F;
    for (size_t k = 0; k < SOW_SKETCH; k++) {
        sketch->sums[k] *= scale;
    }
}

static int is_near(const struct sow_sketch *a, const struct sow_sketch *b, float reach)
{
    float sum = 0;
    for (size_t k = 0; k < SOW_SKETCH; k++) {
        float difference = a->sums[k] - b->sums[k];
        sum += difference * difference;
    }
    return sum <= reach * reach;
}

struct by {
    const struct sow_sketch *sketches;
    size_t axis;
};

static int compare(const void *a, const void *b, void *user)
{
    const struct by *by = user;
    float left = by->sketches[*(const size_t *)a].sums[by->axis];
    float right = by->sketches[*(const size_t *)b].sums[by->axis];
    return (left > right) - (left < right);
}

static void sort(const struct join *join, size_t *points, size_t count, size_t axis)
{
    struct by by = {join->sketches, axis};
    qsort_r(points, count, sizeof points[0], compare, &by);
}

static void sweep(struct join *join, size_t *points, size_t count, size_t axis)
{
    sort(join, points, count, axis);
    for (size_t i = 0; i < count; i++) {
        const struct sow_sketch *at = &join->sketches[points[i]];
        for (size_t j = i + 1; j < count; j++) {
            const struct sow_sketch *other = &join->sketches[points[j]];
            if (other->sums[axis] - at->sums[axis] > join->reach || join->count == join->room ||
                join->looked == join->budget) {
                break;
            }
            join->looked++;
            if (is_near(at, other, join->reach)) {
                size_t a = points[i], b = points[j];
                join->pairs[join->count++] =
                    a < b ? (struct sow_pair){a, b} : (struct sow_pair){b, a};
            }
        }
    }
}

/* Near the median of one coordinate: that of a few points. */
static float middle_of(const struct join *join, const size_t *points, size_t count, size_t axis)
{
    float sample[SAMPLE];
    for (size_t i = 0; i < SAMPLE; i++) { /* sorted as they come */
        float value = join->sketches[points[i * (count - 1) / (SAMPLE - 1)]].sums[axis];
        size_t at = i;
        for (; at > 0 && sample[at - 1] > value; at--) {
            sample[at] = sample[at - 1];
        }
        sample[at] = value;
    }
    return sample[SAMPLE / 2];
}

/* What lies below the middle comes first in `points`; what does not, and the strip below it, into `right`. */
static size_t part(const struct join *join, size_t *points, size_t count, size_t axis,
                   size_t *right, size_t *right_count)
{
    float middle = middle_of(join, points, count, axis), strip = middle - join->reach;
    size_t below = 0;
    *right_count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t point = points[i];
        float value = join->sketches[point].sums[axis];
        if (value >= strip) {
            right[(*right_count)++] = point;
        }
        if (value < middle) {
            points[i] = points[below];
            points[below++] = point;
        }
    }
    return below;
}

static void divide(struct join *join, size_t *points, size_t count, size_t axis)
{
    size_t *right = count > FEW ? malloc(count * sizeof right[0]) : NULL;
    if (count > FEW && right == NULL) {
        join->failed = 1;
        return;
    }
    for (size_t tries = 0; tries < SOW_SKETCH && count > FEW; tries++) {
        size_t at = (axis + tries) % SOW_SKETCH, right_count;
        size_t below = part(join, points, count, at, right, &right_count);
        double most = (double)(below > right_count ? below : right_count);
        if (most <= DIVIDES * (double)count) {
            divide(join, points, below, at + 1);
            divide(join, right, right_count, at + 1);
            free(right);
            return;
        }
    }
    free(right);
    sweep(join, points, count, axis % SOW_SKETCH);
}

static int compare_pairs(const void *a, const void *b)
{
    const struct sow_pair *left = a, *right = b;
    int order = (left->a > right->a) - (left->a < right->a);
    return order != 0 ? order : (left->b > right->b) - (left->b < right->b);
}

size_t sow_close_pairs(const struct sow_sketch *sketches, size_t count, double reach,
                       struct sow_pair *pairs, size_t room, uint64_t *looked)
{
    struct join join = {.sketches = sketches,
                        .pairs = pairs,
                        .room = room,
                        .reach = (float)(reach * SLACK) + ROUND,
                        .budget = EACH * (uint64_t)count + 4096};
    size_t *points = malloc((count + 1) * sizeof points[0]), used = 0, kept = 0;
    if (points == NULL) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < count; i++) {
        if (sketches[i].squares > 0 && sketches[i].squares - sketches[i].squares == 0) {
            points[used++] = i;
        }
    }
    divide(&join, points, used, 0);
    free(points);
    if (join.count > 1) {
        qsort(pairs, join.count, sizeof pairs[0], compare_pairs);
    }
    for (size_t i = 0; i < join.count; i++) { /* found on both sides of a strip */
        if (kept == 0 || compare_pairs(&pairs[kept - 1], &pairs[i]) != 0) {
            pairs[kept++] = pairs[i];
        }
    }
    if (looked != NULL) {
        *looked = join.looked;
    }
    return join.failed ? SIZE_MAX : kept;
}
