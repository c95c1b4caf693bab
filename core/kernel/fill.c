/* SPDX-License-Identifier: MIT */
/* sow_fill: a range of a tensor's elements. */
#include "core/kernel/source.h"

#include "core/base/cpu.h"

void sow_fill_with(const struct sow_kernels *kernels, void *dst, enum sow_dtype dtype,
                   uint64_t first, uint64_t count, const struct sow_draw *draw, struct sow_key key)
{
    uint64_t state = sow_cpu_float_enter();
    struct sow_source source = sow_source(kernels, dtype, draw, key);
    int streaming = sow_source_streams(&source, count);
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
