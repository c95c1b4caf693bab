/* SPDX-License-Identifier: MIT */
/* Elements of a planned tensor: the base draw, then the regions over it in their order. An element's
 * value depends on its index and its draw only, so regions are drawn over by plain sow_fill calls.
 * Draws of whole tensors, which have no elements of their own, are whole.c. */
#include "model/plan/inside.h"

struct range {
    uint64_t first, count;
};

/* Elements of one index of `axis`, and of all its indices. */
static uint64_t axis_inner(const struct sow_tensor *tensor, uint32_t axis)
{
    uint64_t inner = 1;
    for (uint32_t i = axis + 1; i < tensor->rank; i++) {
        inner *= tensor->shape[i];
    }
    return inner;
}

/* Ascending, without a gap, on one axis. */
int sow_plan_covered(const struct sow_plan_entry *entry)
{
    uint64_t end = 0;
    for (size_t i = 0; i < entry->region_count; i++) {
        const struct sow_region *region = &entry->regions[i];
        if (region->axis != entry->regions[0].axis || region->begin > end) {
            return 0;
        }
        end = region->end > end ? region->end : end;
    }
    return entry->region_count > 0 && end >= entry->tensor.shape[entry->regions[0].axis];
}

/* The runs of a region that meet `range`. A run is (end - begin) * inner elements, one every
 * shape[axis] * inner. */
static void fill_region(const struct sow_plan_entry *entry, const struct sow_region *region,
                        struct sow_key key, unsigned char *dst, struct range range)
{
    uint64_t inner = axis_inner(&entry->tensor, region->axis);
    uint64_t stride = inner * entry->tensor.shape[region->axis];
    uint64_t begin = region->begin * inner, end = region->end * inner; /* in one stride */
    uint64_t range_end = range.first + range.count;
    uint64_t bytes = sow_dtype_bits(entry->dtype) / 8;
    for (uint64_t start = range.first - range.first % stride; start < range_end; start += stride) {
        uint64_t from = start + begin > range.first ? start + begin : range.first;
        uint64_t to = start + end < range_end ? start + end : range_end;
        if (from < to) {
            sow_fill(dst + (from - range.first) * bytes, entry->dtype, from, to - from,
                     &region->draw, key);
        }
    }
}

void sow_plan_fill_region(const struct sow_plan_entry *entry, size_t region, struct sow_key key,
                          void *dst)
{
    struct range range = {0, entry->elements};
    fill_region(entry, &entry->regions[region], key, dst, range);
}

void sow_plan_fill(const struct sow_plan_entry *entry, uint64_t seed, void *dst, uint64_t first,
                   uint64_t count)
{
    struct sow_key key = sow_key(entry->key, seed);
    if (count == 0) {
        return;
    }
    if (!sow_plan_covered(entry)) {
        sow_fill(dst, entry->dtype, first, count, &entry->draw, key);
    }
    for (size_t i = 0; i < entry->region_count; i++) {
        struct range range = {first, count};
        fill_region(entry, &entry->regions[i], key, dst, range);
    }
}
