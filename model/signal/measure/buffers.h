/* SPDX-License-Identifier: MIT */
/* Room for float arrays that come and go with the same sizes, within a ceiling. A dry run only counts. */
#ifndef SOW_MEASURE_BUFFERS_H
#define SOW_MEASURE_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

#define SOW_SPARES 48

struct sow_buffers {
    int dry;
    uint64_t ceiling;    /* floats */
    uint64_t held, peak; /* floats: in use, and at most; peak also with the spares */
    struct {
        float *at;
        uint64_t floats;
    } spares[SOW_SPARES];
    size_t spare_count;
    uint64_t spare_floats;
};

/* Aligned to 64 bytes; NULL when there is no memory. What is in it is unspecified. */
float *sow_buffers_take(struct sow_buffers *buffers, uint64_t floats);
/* Back, with the size it was taken with; NULL allowed. Returns NULL. */
float *sow_buffers_give(struct sow_buffers *buffers, float *at, uint64_t floats);
void sow_buffers_empty(struct sow_buffers *buffers);

#endif
