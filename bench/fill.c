/* SPDX-License-Identifier: MIT */
/* Times sow_fill and a non-temporal memset on one warm buffer of 67,108,864 elements. Prints a line a measurement:
 *
 *     who  distribution  dtype  threads  ns-per-element
 *
 * bench/run repeats it in turn with bench/peers.py and summarises both. */
#include "sow/sow.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <emmintrin.h>
#endif

#define ELEMENTS    (UINT64_C(1) << 26)
#define THREADS_MAX 256
#define REPEATS     3

/* One thread's share of a measurement. */
struct share {
    unsigned char *bytes;
    uint64_t first, count; /* elements */
    enum sow_dtype dtype;
    const struct sow_draw *draw; /* NULL: memset */
};

static void stream_zeros(unsigned char *bytes, uint64_t count)
{
#ifdef __x86_64__
    const __m128i zero = _mm_setzero_si128();
    for (uint64_t i = 0; i + 64 <= count; i += 64) {
        for (int part = 0; part < 4; part++) {
            _mm_stream_si128((__m128i *)(void *)(bytes + i) + part, zero);
        }
    }
    _mm_sfence();
#else
    memset(bytes, 0, count);
#endif
}

static void *work(void *argument)
{
    const struct share *share = argument;
    uint64_t size = sow_dtype_bits(share->dtype) / 8;
    if (share->draw == NULL) {
        stream_zeros(share->bytes + share->first * size, share->count * size);
    } else {
        sow_fill(share->bytes + share->first * size, share->dtype, share->first, share->count,
                 share->draw, sow_key("bench.weight", 42));
    }
    return NULL;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Nanoseconds an element, one run on `threads` threads. */
static double measure(unsigned char *bytes, enum sow_dtype dtype, const struct sow_draw *draw,
                      uint64_t threads)
{
    static struct share shares[THREADS_MAX];
    pthread_t ids[THREADS_MAX];
    uint64_t part = ELEMENTS / threads / 64 * 64;
    double begin = seconds();
    for (uint64_t i = 0; i < threads; i++) {
        uint64_t count = i + 1 == threads ? ELEMENTS - i * part : part;
        shares[i] = (struct share){bytes, i * part, count, dtype, draw};
        if (i > 0) {
            pthread_create(&ids[i], NULL, work, &shares[i]);
        }
    }
    work(&shares[0]);
    for (uint64_t i = 1; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
    return (seconds() - begin) * 1e9 / (double)ELEMENTS;
}

int main(void)
{
    static const char *const names[] = {"memset", "uniform", "normal", "trunc_normal"};
    static const enum sow_dtype dtypes[] = {SOW_F32, SOW_BF16};
    struct sow_draw draws[3];
    sow_draw_uniform(-1, 1, &draws[0], NULL);
    sow_draw_normal(0, 1, &draws[1], NULL);
    sow_draw_trunc_normal(0, 1, -2, 2, &draws[2], NULL);
    unsigned char *bytes = aligned_alloc(4096, ELEMENTS * 4);
    if (bytes == NULL) {
        fprintf(stderr, "fill: no memory for 256 MiB\n");
        return 1;
    }
    memset(bytes, 1, ELEMENTS * 4);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t all = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (uint64_t)cores;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        for (int name = 0; name < 4; name++) {
            for (int dtype = 0; dtype < 2; dtype++) {
                for (uint64_t threads = 1; threads <= all; threads += all > 1 ? all - 1 : 1) {
                    double ns =
                        measure(bytes, dtypes[dtype], name == 0 ? NULL : &draws[name - 1], threads);
                    printf("%s\t%s\t%s\t%s\t%.4f\n", name == 0 ? "memset" : "sow", names[name],
                           sow_dtype_name(dtypes[dtype]), threads == 1 ? "1" : "all", ns);
                }
            }
        }
    }
    printf("isa\t%s\t-\t-\t0\n", sow_isa());
    free(bytes);
    return 0;
}
