/* SPDX-License-Identifier: MIT */
/* Loops over arrays that are compiled for each instruction set; the same bits with every one. */
#ifndef SOW_MEASURE_LOOPS_H
#define SOW_MEASURE_LOOPS_H

#include <stdint.h>

#define SOW_QUICK_ACTIVATIONS 5

/* Values of x[0 .. count), or slopes times dy. */
typedef void sow_value_fn(const float *x, float *y, uint64_t count);
typedef void sow_slope_fn(const float *x, const float *dy, float *dx, uint64_t count);

struct sow_loops {
    const char *isa;
    /* Sums of the powers 1 to 4 and the largest magnitude; not finite, or wrong, where x is not finite. */
    void (*powers)(const float *x, uint64_t count, double sums[4], double *largest);
    double (*dot)(const float *x, const float *y, uint64_t count);
    void (*add_scaled)(double *to, const float *x, double factor, uint64_t count);
    sow_value_fn *exponentials; /* sow_expf */
    struct sow_quick {
        const char *name; /* of the activation, which has no parameters */
        sow_value_fn *value;
        sow_slope_fn *slope;
    } activations[SOW_QUICK_ACTIVATIONS];
};

/* Of the instruction set that the kernels have. */
const struct sow_loops *sow_loops_chosen(void);

#endif
