/* SPDX-License-Identifier: MIT */
/* How far the places of a sample (tokens, pixels) have become one. */
#ifndef SOW_MEASURE_COLLAPSE_H
#define SOW_MEASURE_COLLAPSE_H

#include "model/signal/measure/statistics.h"

/* |X - 1 m^T| / |X| of a sample's feature vectors at up to 32 places, m their mean (Dong, Cordonnier and Loukas 2021): 0 when
 * they are all the same. The mean over up to 8 samples; NAN for one place, and for zeros. */
double sow_collapse_of(struct sow_team *team, const struct sow_view *view);

#endif
