/* SPDX-License-Identifier: MIT */
/* One element of a tensor as a number, and as text: the shortest digits that read back as it. */
#ifndef SOW_PLAN_VALUE_H
#define SOW_PLAN_VALUE_H

#include "sow/sow.h"

/* The element at `bytes`, in the machine's byte order; exact but for i64 and u64 beyond 2^53. NAN for a dtype
 * that sow never fills. */
double sow_value(enum sow_dtype dtype, const void *bytes);
/* At most 31 characters and a 0. */
void sow_value_text(enum sow_dtype dtype, const void *bytes, char out[32]);

#endif
