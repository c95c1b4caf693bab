/* SPDX-License-Identifier: MIT */
/* All kernels of one instruction set. The build compiles this file once for each row of cmake/isa.cmake,
 * with SOW_ISA the row's name and SOW_VEC_HEADER its vocabulary; one symbol comes out. */
#include "core/kernel/kernel.h"
#include "core/kernel/real.h"
#include "core/kernel/stream_constants.h"
#include SOW_VEC_HEADER

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

#include "core/kernel/philox_tmpl.h"
#include "core/kernel/normal_f32_tmpl.h"
#include "core/kernel/normal_f64_tmpl.h"
#define REAL 32
#include "core/kernel/draw_tmpl.h"
#undef REAL
#define REAL 64
#include "core/kernel/draw_tmpl.h"
#undef REAL
#include "core/kernel/store_tmpl.h"
#include "core/kernel/gemm_tmpl.h"
#include "core/kernel/reflect_tmpl.h"

extern const struct sow_kernels SOW_CAT(sow_kernels_, SOW_ISA);

const struct sow_kernels SOW_CAT(sow_kernels_, SOW_ISA) = {
    .isa = SOW_TEXT(SOW_ISA),
    .group_blocks = VEC_FLIGHT * VEC_BLOCKS,
#define SOW_DIST(id, name)                                                                         \
    .draw_f32[SOW_##id] = draw_##name##_f32, .draw_f64[SOW_##id] = draw_##name##_f64,
#include "core/kernel/dist.def"
#undef SOW_DIST
    .store_f32[SOW_F32] = store_f32,
    .store_f32[SOW_F16] = store_f16,
    .store_f32[SOW_BF16] = store_bf16,
    .store_f32[SOW_F8_E4M3FN] = store_f8_e4m3fn,
    .store_f32[SOW_F8_E5M2] = store_f8_e5m2,
    .store_f64 = store_f64,
    .stream = stream_lines,
    .fence = vec_fence,
    .gemm_tile = gemm_tile,
    .gemm_rows = VEC_GEMM_ROWS,
    .gemm_columns = GEMM_COLUMNS,
    .reflect = reflect,
};
