/* SPDX-License-Identifier: MIT */
/* How second moments run towards the borders of an image, from the inside: one profile an axis. What zero padding takes from
 * the pixels at the border each further convolution takes again, so that means alone come out too small. */
#ifndef SOW_SIGNAL_BORDER_H
#define SOW_SIGNAL_BORDER_H

#include "model/signal/predict/predict.h"

/* E[x^2] at pixel (i, j) over its mean is axis[0][i] axis[1][j], and the mean of each axis 1. NULL: even. As long as the axes
 * 2, 3 and 4 of the flow; never changed once it is made, so that flows share it. Lives in the predictor's arena. */
struct sow_border {
    const double *axis[SOW_SPATIAL_MAX];
};

/* Longer axes are taken as even: what padding does to them is small. */
#define SOW_BORDER_MOST 1024

/* One axis from a value to another by the windows of a convolution or pool. */
struct sow_border_step {
    double sum;   /* what a place there collects, mean over the places, in units of the mean here */
    double pairs; /* the sum over taps of the squared mean of square roots, over that of all here */
};

/* Takes what flows may have, where there are convolutions; else p->border stays NULL and all below do nothing. */
enum sow_status sow_border_prepare(struct sow_predictor *p, struct sow_error *error);
/* In front of the rule of a node: windows; fills fan, inside and pairs of its local. 0: out of memory. */
int sow_border_windows(struct sow_predictor *p, const struct sow_node *node);
/* Behind the rule: all else, and mends the output's state. 0: out of memory. */
int sow_border_forward(struct sow_predictor *p, const struct sow_node *node);
/* The same on the way back: fills reach of the local; mends what the node gives back; and the sum of the uses of a flow. */
void sow_border_back_windows(struct sow_predictor *p, const struct sow_node *node);
void sow_border_backward(struct sow_predictor *p, const struct sow_node *node);
void sow_border_gather(struct sow_predictor *p, uint32_t flow);
/* An activation's input as it is at one pixel, and what the pixels' sizes make of its output and of its slopes. */
struct sow_state sow_border_pixel(const struct sow_predictor *p, uint32_t flow,
                                  const struct sow_state *state);

/* ---- Arithmetic (border.c) ------------------------------------------------------------------------------------ */

/* From `from` places of `profile` (NULL: even) to `to`: each window collects its taps, or gives to them (scatter). `made`
 * of `to` numbers: what each collects; NULL: not asked for. */
struct sow_border_step sow_border_axis(const struct sow_op_attributes *at, uint32_t axis,
                                       int scatter, uint64_t from, const double *profile,
                                       uint64_t to, double *made);
/* `count` numbers over their mean, as a profile: NULL where they are even, `like` where they are that. 0: out of memory. */
int sow_border_keep(struct sow_predictor *p, const double *made, uint64_t count, const double *like,
                    const double **axis);
/* Of a and b, flow-shaped: a^x b^y over its mean; *mean that. NULL in `made`: even. 0: out of memory. */
int sow_border_product(struct sow_predictor *p, uint32_t flow, const struct sow_border *a, double x,
                       const struct sow_border *b, double y, const struct sow_border **made,
                       double *mean);
/* (1 - share) a + share b along each axis. 0: out of memory. */
int sow_border_blend(struct sow_predictor *p, uint32_t flow, const struct sow_border *a,
                     const struct sow_border *b, double share, const struct sow_border **made);
/* The border with these axes: NULL where all are even, `like` where they are its own. 0: out of memory. */
int sow_border_make(struct sow_predictor *p, const double *const axes[SOW_SPATIAL_MAX],
                    const struct sow_border *like, const struct sow_border **made);

#endif
