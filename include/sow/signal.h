/* SPDX-License-Identifier: MIT */
/* libsow-model: whether signals survive the depth of a network. Part of libsow-model, beside sow/model.h. */
#ifndef SOW_SIGNAL_H
#define SOW_SIGNAL_H

#include "sow/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A size that a description leaves open, such as "height". */
struct sow_signal_size {
    const char *symbol;
    uint64_t size;
};

/* What is sent into a network. Zeroed, and NULL, are the defaults. */
struct sow_signal_options {
    uint64_t batch;  /* samples; 0: 8 */
    uint64_t tokens; /* of a sequence; 0: 256, or as many as there are positions */
    const struct sow_signal_size *sizes; /* of other symbols */
    size_t size_count;
};

#ifdef __cplusplus
}
#endif
#endif
