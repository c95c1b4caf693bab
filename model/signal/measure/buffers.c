/* SPDX-License-Identifier: MIT */
/* Fresh memory costs a page fault every 4 KiB, so what is given back is kept for the next layer, which wants the same. */
#include "model/signal/measure/buffers.h"

#include <stdlib.h>

#include "model/signal/measure/machine.h"

/* Stands for every array of a dry run; nobody reads or writes it. */
static float *nothing(struct sow_buffers *buffers)
{
    return (float *)(void *)buffers;
}

static void drop(struct sow_buffers *buffers, size_t spare)
{
    free(buffers->spares[spare].at);
    buffers->spare_floats -= buffers->spares[spare].floats;
    buffers->spares[spare] = buffers->spares[--buffers->spare_count];
}

static void note_peak(struct sow_buffers *buffers)
{
    uint64_t all = buffers->held + buffers->spare_floats;
    buffers->peak = all > buffers->peak ? all : buffers->peak;
}

float *sow_buffers_take(struct sow_buffers *buffers, uint64_t floats)
{
    buffers->held += floats;
    if (buffers->dry) {
        note_peak(buffers);
        return nothing(buffers);
    }
    for (size_t i = buffers->spare_count; i-- > 0;) {
        if (buffers->spares[i].floats == floats) {
            float *at = buffers->spares[i].at;
            buffers->spares[i].at = NULL;
            drop(buffers, i);
            return at;
        }
    }
    while (buffers->spare_count > 0 && buffers->held + buffers->spare_floats > buffers->ceiling) {
        drop(buffers, 0);
    }
    note_peak(buffers);
    return sow_memory_new(floats * sizeof(float));
}

float *sow_buffers_give(struct sow_buffers *buffers, float *at, uint64_t floats)
{
    if (at == NULL) {
        return NULL;
    }
    buffers->held -= floats;
    if (buffers->dry) {
        return NULL;
    }
    if (buffers->spare_count == SOW_SPARES) {
        drop(buffers, 0);
    }
    buffers->spares[buffers->spare_count].at = at;
    buffers->spares[buffers->spare_count++].floats = floats;
    buffers->spare_floats += floats;
    return NULL;
}

void sow_buffers_empty(struct sow_buffers *buffers)
{
    while (buffers->spare_count > 0) {
        drop(buffers, 0);
    }
}
