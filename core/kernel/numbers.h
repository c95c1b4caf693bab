/* SPDX-License-Identifier: MIT */
/* From a draw's parameters (double) to the numbers its kernels take: docs/stream.md, "Numbers". */
#ifndef SOW_KERNEL_NUMBERS_H
#define SOW_KERNEL_NUMBERS_H

#include "core/kernel/kernel.h"

struct sow_numbers_f32 sow_numbers_f32(const struct sow_draw *draw);
struct sow_numbers_f64 sow_numbers_f64(const struct sow_draw *draw);

#endif
