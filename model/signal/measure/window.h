/* SPDX-License-Identifier: MIT */
/* The windows that a convolution or a pool slides over the planes of a value: sizes that both read off their node. */
#ifndef SOW_SIGNAL_MEASURE_WINDOW_H
#define SOW_SIGNAL_MEASURE_WINDOW_H

#include "model/signal/measure/step.h"

/* Always three sizes: missing ones come first and are 1. */
struct sow_window {
    uint64_t in[3], out[3], kernel[3], stride[3], padding[3];
    uint64_t size, places,
        plane; /* of the kernel; the output's places; elements of an input's plane */
};

static inline struct sow_window sow_window_of(const struct sow_step *step)
{
    const struct sow_op_attributes *at = &step->node->at;
    struct sow_window window = {.size = 1, .places = 1, .plane = 1};
    uint64_t lead = 3 - at->spatial;
    for (uint64_t i = 0; i < 3; i++) {
        int real = i >= lead;
        window.in[i] = real ? step->in[0]->shape[i - lead + 2] : 1;
        window.out[i] = real ? step->out->shape[i - lead + 2] : 1;
        window.kernel[i] = real ? at->kernel[i - lead] : 1;
        window.stride[i] = real ? at->stride[i - lead] : 1;
        window.padding[i] = real ? at->padding[i - lead] : 0;
        window.size *= window.kernel[i];
        window.places *= window.out[i];
        window.plane *= window.in[i];
    }
    return window;
}

#endif
