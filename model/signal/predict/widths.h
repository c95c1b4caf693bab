/* SPDX-License-Identifier: MIT */
/* What finite width does to the mean gradient behind a norm: widths.c. */
#ifndef SOW_SIGNAL_WIDTHS_H
#define SOW_SIGNAL_WIDTHS_H

#include "model/signal/predict/predict.h"

/* Of values that are nearly normal and whose size nothing holds fixed. */
void sow_width_plain(struct sow_state *state);
/* Sets toll, toll_centred and level of `out`, which is f(mean + std z) of `in`, and adds to kept what a fixed mean keeps;
 * turn of *local; and mends log and slope_square for elements a norm has made less than normal. */
void sow_width_function(const struct sow_function *function, int times_x, double mean, double std,
                        const struct sow_state *in, struct sow_state *out, struct sow_local *local);
/* ln of what the mean squared gradient behind a norm over `count` values is multiplied with, were eps 0. */
double sow_width_norm(const struct sow_state *in, int centred, double count);
/* The same of a batch norm over `count` values of each unit: the sizes of single samples average out, which leaves those of one
 * unit's values. *loan: the part of it that the layer of weights below takes back. */
double sow_width_batch_norm(const struct sow_state *in, double count, double *loan);
/* What a batch norm leaves of `crowd`. */
double sow_width_crowd(double crowd, double count);

#endif
