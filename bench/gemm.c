/* SPDX-License-Identifier: MIT */
/* Times sow_gemm, one thread, C = A B of n x n floats. Prints a line a measurement:
 *
 *     gemm  sow  n  seconds (of CPU: other work on the machine hardly counts)
 *
 * bench/products repeats it in turn with bench/gemm_peer.py (torch) and summarises both. */
#include "core/linalg/gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sow/sow.h"

#define LARGEST 2048
#define REPEATS 6

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float *floats(uint64_t count, const char *name)
{
    struct sow_draw draw;
    float *at = aligned_alloc(SOW_TILE_ALIGN, count * sizeof *at);
    if (at == NULL) {
        fprintf(stderr, "gemm: no memory\n");
        exit(1);
    }
    sow_draw_normal(0, 1, &draw, NULL);
    sow_fill(at, SOW_F32, 0, count, &draw, sow_key(name, 42));
    return at;
}

int main(void)
{
    static const uint64_t sizes[] = {512, 768, 1024, 1536, 2048};
    const uint64_t most = (uint64_t)LARGEST * LARGEST;
    float *a = floats(most, "a"), *b = floats(most, "b"), *c = floats(most, "c");
    float *scratch = floats(SOW_GEMM_SCRATCH_FLOATS, "scratch");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t n = sizes[i];
        for (int repeat = 0; repeat <= REPEATS; repeat++) {
            const struct sow_gemm product = {n, n, n, {a, n, 1}, {b, n, 1}, c, n, 0};
            double begin = seconds();
            sow_gemm(&product, scratch);
            if (repeat > 0) {
                printf("gemm\tsow\t%llu\t%.6f\n", (unsigned long long)n, seconds() - begin);
            }
        }
    }
    free(a);
    free(b);
    free(c);
    free(scratch);
    return 0;
}
