/* SPDX-License-Identifier: MIT */
/* What ZERO-GRAD knows while it walks (exact.c), and what one operation does with it (exact_ops.c). */
#ifndef SOW_SIGNAL_EXACT_H
#define SOW_SIGNAL_EXACT_H

#include "model/signal/judge/judge.h"

struct sow_exact {
    const struct sow_plan *plan;
    const struct sow_network *network;
    const struct sow_probe *probe; /* of it */
    double *values;                /* one a flow: what all its elements are; NAN when they differ */
    double *constants;             /* one an entry of the plan, likewise */
    unsigned char *live;           /* one a flow: its gradient may be another than zero */
    unsigned char *moves;          /* one an entry: has had a gradient */
    unsigned char *used;           /* one an entry: has a gradient in some operation */
};

/* What all elements of the node's output are, from its inputs' values; NAN where they differ or nothing is known. */
double sow_exact_value(const struct sow_exact *e, const struct sow_node *node);

/* Whether a gradient of the output can be another than zero at input `slot`. */
int sow_exact_lets_back(const struct sow_exact *e, const struct sow_node *node, uint32_t slot);

/* Whether parameter `slot` gets a gradient when the output does; -1: it is none that learns. */
int sow_exact_learns(const struct sow_exact *e, const struct sow_node *node, uint32_t slot);

#endif
