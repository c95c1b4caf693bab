/* SPDX-License-Identifier: MIT */
/* sow_fill_box: a rectangular slice of a row-major tensor, into a destination with strides of its own.
 *
 * Axes at the end that the box takes whole, and that lie dense in dst, melt into one run of elements; the
 * other axes are walked like an odometer, the last fastest. */
#include "core/kernel/source.h"

#include <string.h>

#include "core/base/cpu.h"

#define RUN_BYTES 4096 /* spare bytes when a run has to be spread over a stride */

/* A box as runs: `run` elements that follow each other in the tensor, `stride` apart in dst. */
struct runs {
    uint32_t rank; /* axes around the run */
    uint64_t size[SOW_RANK_MAX];
    uint64_t step[SOW_RANK_MAX];  /* of each axis in the tensor, in elements */
    int64_t stride[SOW_RANK_MAX]; /* and in dst */
    uint64_t first;               /* element of the box's first corner */
    uint64_t run;
    int64_t run_stride;
    uint64_t count; /* of elements */
};

static struct runs runs_of(uint32_t rank, const uint64_t *shape, const uint64_t *start,
                           const uint64_t *size, const int64_t *strides)
{
    struct runs runs = {.rank = rank, .run = 1, .run_stride = 1, .count = 1};
    uint64_t step = 1;
    int64_t dense = 1;
    for (uint32_t axis = rank; axis-- > 0;) {
        runs.size[axis] = size[axis];
        runs.step[axis] = step;
        runs.stride[axis] = strides != NULL ? strides[axis] : dense;
        runs.first += start[axis] * step;
        runs.count *= size[axis];
        step *= shape[axis];
        dense *= (int64_t)size[axis];
    }
    /* The last axis is a run; each axis before it joins while it continues the run in both. */
    while (runs.rank > 0) {
        uint32_t axis = runs.rank - 1;
        int joins = runs.step[axis] == runs.run &&
                    (runs.run == 1 || runs.stride[axis] == runs.run_stride * (int64_t)runs.run);
        if (!joins) {
            break;
        }
        if (runs.run == 1) {
            runs.run_stride = runs.stride[axis];
        }
        runs.run *= runs.size[axis];
        runs.rank = axis;
    }
    return runs;
}

/* One run: elements first .. first + count - 1, `stride` elements apart from dst on. */
static void read_run(const struct sow_source *source, unsigned char *dst, uint64_t first,
                     uint64_t count, int64_t stride, int streaming)
{
    if (stride == 1) {
        sow_source_read(source, dst, first, count, streaming);
        return;
    }
    _Alignas(SOW_TILE_ALIGN) unsigned char spare[RUN_BYTES];
    const uint64_t size = source->size, capacity = RUN_BYTES / size;
    for (uint64_t done = 0; done < count;) {
        uint64_t take = count - done < capacity ? count - done : capacity;
        sow_source_read(source, spare, first + done, take, 0);
        for (uint64_t i = 0; i < take; i++) {
            memcpy(dst + ((int64_t)(done + i) * stride) * (int64_t)size, spare + i * size, size);
        }
        done += take;
    }
}

static void read_box(const struct sow_source *source, unsigned char *dst, const struct runs *runs,
                     int streaming)
{
    uint64_t index[SOW_RANK_MAX] = {0};
    uint64_t first = runs->first;
    int64_t offset = 0;
    for (;;) {
        read_run(source, dst + offset * (int64_t)source->size, first, runs->run, runs->run_stride,
                 streaming);
        uint32_t axis = runs->rank;
        for (;;) {
            if (axis-- == 0) {
                return;
            }
            first += runs->step[axis];
            offset += runs->stride[axis];
            if (++index[axis] < runs->size[axis]) {
                break;
            }
            first -= runs->step[axis] * runs->size[axis];
            offset -= runs->stride[axis] * (int64_t)runs->size[axis];
            index[axis] = 0;
        }
    }
}

void sow_fill_box_with(const struct sow_kernels *kernels, void *dst, enum sow_dtype dtype,
                       uint32_t rank, const uint64_t *shape, const uint64_t *start,
                       const uint64_t *size, const int64_t *strides, const struct sow_draw *draw,
                       struct sow_key key)
{
    struct runs runs = runs_of(rank, shape, start, size, strides);
    uint64_t state = sow_cpu_float_enter();
    struct sow_source source = sow_source(kernels, dtype, draw, key);
    if (runs.count > 0 && source.size > 0) {
        int streaming = sow_source_streams(&source, runs.count);
        read_box(&source, dst, &runs, streaming);
        if (streaming) {
            kernels->fence();
        }
    }
    sow_cpu_float_leave(state);
}

void sow_fill_box(void *dst, enum sow_dtype dtype, uint32_t rank, const uint64_t *shape,
                  const uint64_t *start, const uint64_t *size, const int64_t *strides,
                  const struct sow_draw *draw, struct sow_key key)
{
    sow_fill_box_with(sow_kernels_chosen(), dst, dtype, rank, shape, start, size, strides, draw,
                      key);
}
