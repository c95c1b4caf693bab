/* SPDX-License-Identifier: MIT */
/* The part of a network that a measurement follows: its first repeated layers. How many, sample.c tells. */
#ifndef SOW_MEASURE_SAMPLE_H
#define SOW_MEASURE_SAMPLE_H

#include "model/signal/network/network.h"

/* What a measurement takes at most, unless it cannot do with it or was told. */
#define SOW_MEASURE_BYTES UINT64_C(8000000000)

struct sow_part {
    struct sow_network followed; /* refers to the whole network, and to `end` */
    uint32_t end;                /* flow: where it ends */
    uint32_t layers, layers_all; /* followed, and there are */
};

/* The nodes before the first of layer `layers`; 0, or as many as there are: all. *part must not move. */
void sow_part_make(const struct sow_network *network, uint32_t layers, struct sow_part *part);

#endif
