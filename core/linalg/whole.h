/* SPDX-License-Identifier: MIT */
/* The drawing of a whole tensor cut into steps, so that threads may share it: stages follow one another, the steps of
 * a stage may be taken in any order and at the same time. No threads here. */
#ifndef SOW_LINALG_WHOLE_H
#define SOW_LINALG_WHOLE_H

#include "core/kernel/kernel.h"
#include "core/tensor/matrices.h"

struct sow_whole {
    const struct sow_kernels *kernels, *plain; /* those in use, and those of plain C */
    unsigned char *dst;
    enum sow_dtype dtype;
    struct sow_tensor tensor;
    struct sow_draw draw;
    struct sow_key key;
    struct sow_matrices matrices;
    double *vectors; /* shared by all steps */
};

/* Bytes of the shared memory, and of that of each thread; multiples of 64. The tensor and the draw fit together. */
struct sow_whole_room {
    uint64_t shared, own;
};
struct sow_whole_room sow_whole_room(const struct sow_tensor *tensor, const struct sow_draw *draw);

/* As sow_fill_whole; `shared` is aligned to 64. */
struct sow_whole sow_whole_begin(const struct sow_kernels *kernels, void *dst, enum sow_dtype dtype,
                                 const struct sow_tensor *tensor, const struct sow_draw *draw,
                                 struct sow_key key, void *shared);
uint64_t sow_whole_stages(const struct sow_whole *whole);
uint64_t sow_whole_steps(const struct sow_whole *whole, uint64_t stage);
/* `own` is of no other thread for the time of the step. */
void sow_whole_step(const struct sow_whole *whole, uint64_t stage, uint64_t step, void *own);

/* Whether W keeps the lengths, times the gain, of all that its shape lets it keep: no corner of a larger Hadamard
 * matrix. 0 of a draw that is not whole. */
int sow_whole_is_isometric(const struct sow_tensor *tensor, const struct sow_draw *draw);

/* Floating-point operations of it all. */
double sow_whole_operations(const struct sow_tensor *tensor, const struct sow_draw *draw);

#endif
