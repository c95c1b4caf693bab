/* SPDX-License-Identifier: MIT */
/* Accuracy of stream v1's float32 draws over all 2^32 words, against double precision, and against 200-bit MPFR on the
 * worst words found and on a dense sample. Prints the table of docs/stream.md section 9.
 *
 *     accuracy [STEP]     one word in STEP; 1 (the default) is exhaustive: some minutes on all cores
 *
 * It runs the plain-C reference; that the kernels give the same bits is tests/c/test_kernels.c's business. */
#include "core/kernel/normal_cdf.h"
#include "tests/reference/stream_v1.h"

#include <mpfr.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 64
#define WORST       256 /* words kept for the cross product and for MPFR */
#define PARTNERS    4099

/* The words with the largest errors seen, unordered; the smallest of them is replaced. */
struct worst {
    double error[WORST];
    uint32_t word[WORST];
    int lowest;
};

struct result {
    double largest; /* error, ulp of the final float32 */
    double
        largest_stated; /* normal: the same with u as the page defines it (one rounding of the word) */
    double extreme;     /* largest |z| */
    uint64_t broken;    /* NaN, infinite, or a radius of 0 */
    struct worst worst;
};

struct job {
    void (*measure)(uint32_t word, struct result *result, const void *context);
    const void *context;
    uint64_t begin, end, step;
    struct result result;
};

static double ulp32(double x)
{
    int exponent;
    frexp(x, &exponent);
    return ldexp(1.0, exponent - 24 > -149 ? exponent - 24 : -149);
}

static void keep(struct worst *worst, uint32_t word, double error)
{
    if (error <= worst->error[worst->lowest]) {
        return;
    }
    worst->error[worst->lowest] = error;
    worst->word[worst->lowest] = word;
    for (int i = 0; i < WORST; i++) {
        if (worst->error[i] < worst->error[worst->lowest]) {
            worst->lowest = i;
        }
    }
}

/* ---- exact values in double ------------------------------------------------------------------------ */

/* -2 ln u; `rounded` takes u as the page defines it, otherwise from the unrounded word. */
static double exact_square(uint32_t w, int rounded)
{
    uint32_t k = (w ^ (uint32_t)((int32_t)w >> 31)) | 1u;
    double d = (rounded ? (double)(float)(int32_t)k : (double)k) * 0x1p-32;
    return w >> 31 ? -2.0 * log1p(-d) : -2.0 * log(d);
}

static void exact_circle(uint32_t w, double value[2])
{
    int32_t k = ((int32_t)(w << 2) >> 7) | 1;
    double angle = k * 0x1p-24 * (M_PI / 4.0);
    double cosine = w >> 31 ? -cos(angle) : cos(angle);
    int swap = (w & 0x40000000u) != 0;
    value[swap] = cosine;
    value[!swap] = sin(angle);
}

static uint32_t mix(uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

/* A word with its exact contribution: the radius of a radius word, the circle's point of an angle word. */
struct exact {
    uint32_t word;
    double radius,
        radius_stated; /* from the word; with u as the page defines it, one rounding of the word */
    double circle[2];
};

static struct exact exact_radius(uint32_t word)
{
    return (struct exact){word, sqrt(exact_square(word, 0)), sqrt(exact_square(word, 1)), {0, 0}};
}

static struct exact exact_angle(uint32_t word)
{
    struct exact exact = {.word = word};
    exact_circle(word, exact.circle);
    return exact;
}

static double pair_error(const struct exact *radius, const struct exact *angle,
                         struct result *result)
{
    float value[2];
    double largest = 0.0;
    normal_pair32(radius->word, angle->word, 0.0f, 1.0f, value);
    for (int i = 0; i < 2; i++) {
        double z = radius->radius * angle->circle[i];
        result->broken += !isfinite(value[i]);
        result->extreme = fmax(result->extreme, fabs((double)value[i]));
        if (fabs(z) > 1e-3) {
            double ulp = ulp32(z), stated = radius->radius_stated * angle->circle[i];
            result->largest_stated = fmax(result->largest_stated, fabs(value[i] - stated) / ulp);
            largest = fmax(largest, fabs(value[i] - z) / ulp);
        }
    }
    result->largest = fmax(result->largest, largest);
    return largest;
}

/* Partners of the words that are swept: a fixed handful of the other kind, taken in turn. */
struct partners {
    struct exact of[PARTNERS];
};

static struct partners partners_make(struct exact (*make)(uint32_t), uint32_t seed)
{
    struct partners partners;
    for (uint32_t i = 0; i < PARTNERS; i++) {
        partners.of[i] = make(mix(i + seed));
    }
    return partners;
}

/* Bit 0 of the distance to the nearer end is always 1, so two words in a row are one: every other word is all. */
static void measure_radius(uint32_t word, struct result *result, const void *context)
{
    const struct partners *angles = context;
    struct exact exact = exact_radius(word);
    float r, r_lo;
    radius32(word, &r, &r_lo);
    result->broken += !(r > 0.0f) || !isfinite(r);
    keep(&result->worst, word, pair_error(&exact, &angles->of[(word >> 1) % PARTNERS], result));
}

/* Bits 0 to 5 of an angle word are not used: every 64th word is all. */
static void measure_angle(uint32_t word, struct result *result, const void *context)
{
    const struct partners *radii = context;
    struct exact exact = exact_angle(word);
    for (uint32_t i = 0; i < 16; i++) {
        keep(&result->worst, word,
             pair_error(&radii->of[((word >> 6) * 16 + i) % PARTNERS], &exact, result));
    }
}

/* ---- truncated normal -------------------------------------------------------------------------------- */

struct cut {
    double sigmas, below, mass;
    struct trunc32 numbers;
};

static struct cut cut_make(double sigmas)
{
    double below = sow_normal_cdf(-sigmas), mass = (1.0 - below) - below;
    float tail = (float)below, half = (float)(below + 0.5 * mass);
    struct cut cut = {
        sigmas,
        below,
        mass,
        {(float)(mass * 0x1p-32), (float)(mass * 0x1p-31), tail, tail, half, half, 0.0f, 1}};
    return cut;
}

/* A word and its complement give one value with two signs, and bit 0 of the distance is always 1: every other word of the
 * upper half is all. */
static void measure_trunc(uint32_t word, struct result *result, const void *context)
{
    const struct cut *cut = context;
    double z = trunc_z32(word, &cut->numbers);
    uint32_t from_below = word | 1u;
    uint32_t nearer = from_below < 0x80000000u ? from_below : 0u - from_below;
    double p =
        cut->below + cut->mass * (nearer * 0x1p-32); /* beyond the exact value, on its own side */
    double x = fabs(z);
    /* one Newton step from a start that is right to 1e-6 leaves 1e-12 */
    x += (0.5 * erfc(x * M_SQRT1_2) - p) / (0.3989422804014327 * exp(-0.5 * x * x));
    result->broken += !isfinite(z);
    result->extreme = fmax(result->extreme, fabs(z));
    if (x > 1e-3) {
        double error = fabs(fabs(z) - x) / ulp32(x);
        result->largest = fmax(result->largest, error);
        keep(&result->worst, word, error);
    }
}

/* ---- MPFR ---------------------------------------------------------------------------------------------- */

/* Largest error, in ulp, of the pair against 200 bits, counting values above 1e-3. */
static double pair_error_mpfr(uint32_t radius_word, uint32_t angle_word)
{
    float value[2];
    double largest = 0.0;
    normal_pair32(radius_word, angle_word, 0.0f, 1.0f, value);
    uint32_t k = (radius_word ^ (uint32_t)((int32_t)radius_word >> 31)) | 1u;
    int32_t a = ((int32_t)(angle_word << 2) >> 7) | 1;
    mpfr_t r, c, s, d;
    mpfr_inits2(200, r, c, s, d, (mpfr_ptr)0);
    mpfr_set_ui_2exp(r, k, -32, MPFR_RNDN);
    if (radius_word >> 31) {
        mpfr_neg(r, r, MPFR_RNDN);
        mpfr_log1p(r, r, MPFR_RNDN);
    } else {
        mpfr_log(r, r, MPFR_RNDN);
    }
    mpfr_mul_si(r, r, -2, MPFR_RNDN);
    mpfr_sqrt(r, r, MPFR_RNDN);
    mpfr_const_pi(d, MPFR_RNDN);
    mpfr_mul_si(d, d, a, MPFR_RNDN);
    mpfr_div_2ui(d, d, 26, MPFR_RNDN);
    mpfr_sin_cos(s, c, d, MPFR_RNDN);
    if (angle_word >> 31) {
        mpfr_neg(c, c, MPFR_RNDN);
    }
    int swap = (angle_word & 0x40000000u) != 0;
    for (int i = 0; i < 2; i++) {
        mpfr_mul(d, r, i == swap ? c : s, MPFR_RNDN);
        double z = mpfr_get_d(d, MPFR_RNDN);
        mpfr_sub_d(d, d, (double)value[i], MPFR_RNDN);
        if (fabs(z) > 1e-3) {
            largest = fmax(largest, fabs(mpfr_get_d(d, MPFR_RNDN)) / ulp32(z));
        }
    }
    mpfr_clears(r, c, s, d, (mpfr_ptr)0);
    return largest;
}

/* ---- driver ---------------------------------------------------------------------------------------------- */

static void *work(void *argument)
{
    struct job *job = argument;
    for (uint64_t word = job->begin; word < job->end; word += job->step) {
        job->measure((uint32_t)word, &job->result, job->context);
    }
    return NULL;
}

static void merge(struct result *into, const struct result *from)
{
    into->largest = fmax(into->largest, from->largest);
    into->largest_stated = fmax(into->largest_stated, from->largest_stated);
    into->extreme = fmax(into->extreme, from->extreme);
    into->broken += from->broken;
    for (int i = 0; i < WORST; i++) {
        keep(&into->worst, from->worst.word[i], from->worst.error[i]);
    }
}

/* Measures every `step`-th word of [begin, 2^32), on all cores. */
static struct result sweep(void (*measure)(uint32_t, struct result *, const void *),
                           const void *context, uint64_t begin, uint64_t step)
{
    static struct job jobs[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t count = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (uint64_t)cores;
    uint64_t words = (UINT64_C(1) << 32) - begin;
    struct result result = {.largest = 0};
    for (uint64_t i = 0; i < count; i++) {
        uint64_t from = words / count * i / step * step;
        uint64_t to = i + 1 == count ? words : words / count * (i + 1) / step * step;
        jobs[i] = (struct job){.measure = measure,
                               .context = context,
                               .begin = begin + from,
                               .end = begin + to,
                               .step = step};
        pthread_create(&threads[i], NULL, work, &jobs[i]);
    }
    for (uint64_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        merge(&result, &jobs[i].result);
    }
    return result;
}

static int print_normal(uint64_t step)
{
    struct partners angles = partners_make(exact_angle, 0),
                    radii = partners_make(exact_radius, PARTNERS);
    struct result radius = sweep(measure_radius, &angles, 0, 2 * step);
    struct result angle = sweep(measure_angle, &radii, 0, 64 * step);
    struct result cross = {.largest = 0};
    double mpfr_largest = 0.0;
    for (int i = 0; i < WORST; i++) {
        struct exact r = exact_radius(radius.worst.word[i]);
        for (int j = 0; j < WORST; j++) {
            struct exact a = exact_angle(angle.worst.word[j]);
            double error = pair_error(&r, &a, &cross);
            if (error > 0.98 * cross.largest) {
                mpfr_largest = fmax(mpfr_largest, pair_error_mpfr(r.word, a.word));
            }
        }
    }
    double mpfr_sample = 0.0;
    for (uint32_t i = 0; i < 1000000; i++) {
        mpfr_sample = fmax(mpfr_sample, pair_error_mpfr(i * 4294u, mix(i)));
    }
    printf(
        "| normal, every radius word, each with one of 4,099 angle words | %.4f | %.4f | %.4f |\n",
        radius.largest, radius.largest_stated, radius.extreme);
    printf(
        "| normal, every angle word, each with 16 of 4,099 radius words | %.4f | %.4f | %.4f |\n",
        angle.largest, angle.largest_stated, angle.extreme);
    printf("| normal, the %d worst radius words x the %d worst angle words | %.4f | %.4f | |\n",
           WORST, WORST, cross.largest, cross.largest_stated);
    printf("| the largest of these against 200-bit MPFR | %.4f | | |\n", mpfr_largest);
    printf("| normal, 1,000,000 pairs against 200-bit MPFR | %.4f | | |\n", mpfr_sample);
    uint64_t broken = radius.broken + angle.broken;
    double largest = fmax(fmax(radius.largest, angle.largest), cross.largest_stated);
    return broken != 0 || largest > 2.0;
}

int main(int argc, char **argv)
{
    uint64_t step = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    int failed = 0;
    if (step == 0) {
        fprintf(stderr, "usage: accuracy [STEP]\n");
        return 2;
    }
    printf("| draw, 1 word in %llu | largest error, ulp | with u as defined | largest z |\n| --- "
           "| --- | --- | --- |\n",
           (unsigned long long)step);
    failed |= print_normal(step);
    for (int sigmas = 2; sigmas <= 3; sigmas++) {
        struct cut cut = cut_make(sigmas);
        struct result result = sweep(measure_trunc, &cut, UINT64_C(1) << 31, 2 * step);
        printf("| truncated normal, %d sigma | %.4f | | %.6f |\n", sigmas, result.largest,
               result.extreme);
        failed |= result.broken != 0 || result.largest > 4.0;
    }
    float ends[2];
    normal_pair32(0, 0, 0.0f, 1.0f, ends);
    printf("\nlargest |z|: %.4f; %s\n", (double)fmaxf(fabsf(ends[0]), fabsf(ends[1])),
           failed ? "FAILED" : "no NaN, no infinity, no zero radius");
    return failed;
}
