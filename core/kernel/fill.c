/* SPDX-License-Identifier: MIT */
/* sow_fill: a range of a tensor's elements. */
#include "core/kernel/source.h"

#include "core/base/cpu.h"

/* From here on stores go around the caches: a buffer this large would not stay in them, and a line that is
 * written whole need not be read first (make bench measures both). */
#define STREAM_BYTES ((uint64_t)4 << 20)

void sow_fill_with(const struct sow_kernels *kernels, void *dst, enum sow_dtype dtype,
                   uint64_t first, uint64_t count, const struct sow_draw *draw, struct sow_key key)
{
    uint64_t state = sow_cpu_float_enter();
    struct sow_source source = sow_source(kernels, dtype, draw, key);
    int streaming = source.size > 0 && count >= STREAM_BYTES / source.size;
    sow_source_read(&source, dst, first, count, streaming);
    if (streaming) {
        kernels->fence();
    }
    sow_cpu_float_leave(state);
}

void sow_fill(void *dst, enum sow_dtype dtype, uint64_t first, uint64_t count,
              const struct sow_draw *draw, struct sow_key key)
{
    sow_fill_with(sow_kernels_chosen(), dst, dtype, first, count, draw, key);
}
