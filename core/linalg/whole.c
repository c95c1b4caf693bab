/* SPDX-License-Identifier: MIT */
/* Whole-tensor draws (docs/stream.md section 11): which matrices a tensor holds, what is drawn into them, and where it
 * goes. The arithmetic of an orthogonal matrix is orthogonal.c. */
#include "core/linalg/whole.h"

#include <math.h> /* isfinite: a macro */
#include <string.h>

#include "core/base/cpu.h"
#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/linalg/orthogonal.h"
#include "core/tensor/tensor.h"

#define ALIGN          64
#define COLUMNS        SOW_REFLECT_COLUMNS
#define VECTORS        16     /* drawn in a step */
#define ROWS           256    /* of a Hadamard matrix, in a step */
#define OPERATIONS_MAX 2e13   /* of one draw */
#define PER_SECOND     1e10   /* of them, for the estimate */
#define MEMORY_MAX     0x1p34 /* bytes of vectors */

static enum sow_matrix_form form_of(enum sow_distribution distribution)
{
    return distribution == SOW_ORTHOGONAL ? SOW_MATRIX_FLAT : SOW_MATRIX_CENTRE;
}

/* The longer and the shorter side of each matrix. */
struct sides {
    uint64_t longer, shorter;
};

static struct sides sides_of(const struct sow_matrices *matrices)
{
    uint64_t rows = matrices->row.count, columns = matrices->column.count;
    return rows >= columns ? (struct sides){rows, columns} : (struct sides){columns, rows};
}

/* Of identity and hadamard every element is known by its place: no words, no room. */
static int is_placed(enum sow_distribution distribution)
{
    return distribution == SOW_IDENTITY || distribution == SOW_HADAMARD;
}

/* Whether W is a corner of a Hadamard matrix, and not of the identity. */
static int is_hadamard(enum sow_distribution distribution, const struct sow_matrices *matrices)
{
    return distribution == SOW_HADAMARD && matrices->row.count > matrices->column.count;
}

/* 1 / sqrt(p), p the least power of 2 that is not below `rows`: exact, or sqrt(1/2) times what is. */
static double hadamard_scale(uint64_t rows)
{
    double scale = 1;
    for (uint64_t left = rows - 1; left > 0; left >>= 2) {
        scale *= left > 1 ? 0.5 : 0x1.6a09e667f3bcdp-1;
    }
    return scale;
}

int sow_whole_is_isometric(const struct sow_tensor *tensor, const struct sow_draw *draw)
{
    struct sow_matrices matrices;
    if (!sow_draw_is_whole(draw) ||
        sow_tensor_matrices(tensor, form_of(draw->distribution), &matrices, NULL) != SOW_OK) {
        return 0;
    }
    const uint64_t rows = matrices.row.count;
    return !is_hadamard(draw->distribution, &matrices) || (rows & (rows - 1)) == 0;
}

/* ---- Making a draw -------------------------------------------------------------------------- */

static double operations(const struct sow_matrices *matrices)
{
    const struct sides sides = sides_of(matrices);
    const double m = (double)sides.longer, n = (double)sides.shorter;
    return (double)sow_matrices_count(matrices) * (2 * m * n * n - 2 * n * n * n / 3);
}

double sow_whole_operations(const struct sow_tensor *tensor, const struct sow_draw *draw)
{
    struct sow_matrices matrices;
    if (is_placed(draw->distribution) ||
        sow_tensor_matrices(tensor, form_of(draw->distribution), &matrices, NULL) != SOW_OK) {
        return 0;
    }
    return operations(&matrices);
}

static enum sow_status check_size(const struct sow_matrices *matrices, double std,
                                  struct sow_error *error)
{
    const struct sides sides = sides_of(matrices);
    const double bytes =
        8 * (double)sides.shorter * ((double)sides.longer - 0.5 * (double)sides.shorter);
    const double needed = operations(matrices);
    if (needed <= OPERATIONS_MAX && bytes <= MEMORY_MAX) {
        return SOW_OK;
    }
    return sow_fail(
        error, SOW_E_UNSUPPORTED,
        "an orthogonal matrix of %llu x %llu takes %.2g operations, about %.2g hours of one core, "
        "and %.3g GiB "
        "beside the tensor; at most %.0e operations and %.0f GiB are done, so split the weight "
        "into blocks, or use normal{std=%.6g}, which has the same variance",
        (unsigned long long)matrices->row.count, (unsigned long long)matrices->column.count, needed,
        needed / PER_SECOND / 3600, bytes / 0x1p30, OPERATIONS_MAX, MEMORY_MAX / 0x1p30, std);
}

/* Delta-orthogonal: an isometry from inputs to outputs, in a tap that is the middle. */
static enum sow_status check_delta(const struct sow_tensor *tensor,
                                   const struct sow_matrices *matrices, struct sow_error *error)
{
    const int transposed = tensor->kind == SOW_KIND_CONV_TRANSPOSE;
    const uint64_t in = transposed ? matrices->row.count : matrices->column.count,
                   out = transposed ? matrices->column.count : matrices->row.count;
    uint32_t taps = 0;
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        if (sow_tensor_axis(tensor, axis) == SOW_AXIS_KERNEL) {
            taps++;
            if (tensor->shape[axis] % 2 == 0) {
                return sow_fail(error, SOW_E_SHAPE,
                                "delta_orthogonal needs odd kernel sizes, for an even one has no "
                                "middle tap, and the shape is %s; use orthogonal or identity",
                                sow_shape_text(tensor->shape, tensor->rank).text);
            }
        }
    }
    if (taps == 0) {
        return sow_fail(error, SOW_E_SHAPE,
                        "delta_orthogonal is for convolutions, and this weight of shape %s has no "
                        "kernel; use orthogonal",
                        sow_shape_text(tensor->shape, tensor->rank).text);
    }
    if (out < in) {
        return sow_fail(error, SOW_E_SHAPE,
                        "delta_orthogonal needs at least as many outputs as inputs, and here %llu "
                        "inputs go to %llu outputs%s; "
                        "no fewer outputs keep all of the inputs, so use orthogonal",
                        (unsigned long long)in, (unsigned long long)out,
                        matrices->groups > 1 ? " in each group" : "");
    }
    return SOW_OK;
}

/* Of the squares' mean, over all elements of the tensor. */
static double root_mean_square(const struct sow_draw *draw, const struct sow_tensor *tensor,
                               const struct sow_matrices *matrices)
{
    const double gain = draw->gain;
    double elements = 1;
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        elements *= (double)tensor->shape[axis];
    }
    double squares =
        (double)sow_matrices_count(matrices) * (double)sides_of(matrices).shorter; /* over gain^2 */
    if (is_hadamard(draw->distribution, matrices)) {
        const double scale = hadamard_scale(matrices->row.count);
        squares *= (double)matrices->row.count * scale * scale;
    }
    return (gain < 0 ? -gain : gain) * sow_sqrt(squares / elements);
}

enum sow_status sow_draw_whole(enum sow_distribution distribution, double gain,
                               const struct sow_tensor *tensor, struct sow_draw *draw,
                               struct sow_error *error)
{
    struct sow_draw made = {.distribution = distribution, .gain = gain};
    struct sow_matrices matrices;
    if (!sow_draw_is_whole(&made) || tensor == NULL) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "a draw of a whole tensor needs a tensor and is "
                        "orthogonal, delta_orthogonal, identity or hadamard");
    }
    if (!isfinite((float)gain)) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "the gain must be a number that is finite in float32");
    }
    enum sow_status status = sow_tensor_matrices(tensor, form_of(distribution), &matrices, error);
    if (status == SOW_OK && distribution == SOW_DELTA_ORTHOGONAL) {
        status = check_delta(tensor, &matrices, error);
    }
    if (status != SOW_OK) {
        return status;
    }
    made.std = root_mean_square(&made, tensor, &matrices);
    if (!is_placed(distribution)) {
        status = check_size(&matrices, made.std, error);
    }
    if (status == SOW_OK) {
        *draw = made;
    }
    return status;
}

/* ---- Steps ---------------------------------------------------------------------------------- */

/* An orthogonal matrix is two stages, its vectors and its columns; what lies outside of the matrices is cleared in one
 * before. What is known by its place is that stage and one more. */

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

struct sow_whole_room sow_whole_room(const struct sow_tensor *tensor, const struct sow_draw *draw)
{
    struct sow_matrices matrices;
    if (is_placed(draw->distribution) || !sow_draw_is_whole(draw) ||
        sow_tensor_matrices(tensor, form_of(draw->distribution), &matrices, NULL) != SOW_OK) {
        return (struct sow_whole_room){0, 0};
    }
    const struct sides sides = sides_of(&matrices);
    return (struct sow_whole_room){
        round_up(sow_reflections_count(sides.longer, sides.shorter) * sizeof(double)),
        round_up(sides.longer * COLUMNS * sizeof(double))};
}

struct sow_whole sow_whole_begin(const struct sow_kernels *kernels, void *dst, enum sow_dtype dtype,
                                 const struct sow_tensor *tensor, const struct sow_draw *draw,
                                 struct sow_key key, void *shared)
{
    struct sow_whole whole = {.kernels = kernels,
                              .plain = sow_kernels_at(0),
                              .dst = dst,
                              .dtype = dtype,
                              .tensor = *tensor,
                              .draw = *draw,
                              .key = key,
                              .vectors = shared};
    if (!sow_dtype_drawable(dtype) ||
        sow_tensor_matrices(tensor, form_of(draw->distribution), &whole.matrices, NULL) != SOW_OK) {
        whole.matrices = (struct sow_matrices){.groups = 0}; /* no matrix, no stage */
    }
    return whole;
}

static int clears(const struct sow_whole *whole)
{
    return whole->draw.distribution != SOW_ORTHOGONAL;
}

uint64_t sow_whole_stages(const struct sow_whole *whole)
{
    if (whole->matrices.groups == 0) {
        return 0;
    }
    return is_placed(whole->draw.distribution)
               ? 2
               : (uint64_t)clears(whole) + 2 * sow_matrices_count(&whole->matrices);
}

uint64_t sow_whole_steps(const struct sow_whole *whole, uint64_t stage)
{
    const uint64_t shorter = sides_of(&whole->matrices).shorter;
    if (stage > 0 && is_hadamard(whole->draw.distribution, &whole->matrices)) {
        return (whole->matrices.row.count + ROWS - 1) / ROWS;
    }
    if (is_placed(whole->draw.distribution) || (clears(whole) && stage == 0)) {
        return 1;
    }
    const uint64_t together = (stage - (uint64_t)clears(whole)) % 2 == 0 ? VECTORS : COLUMNS;
    return (shorter + together - 1) / together;
}

/* ---- Storing -------------------------------------------------------------------------------- */

/* COLUMNS values in the machine's order. The narrow ones go through the plain C store kernel, whose tiles hold elements
 * 0 2 1 3 of each block (vec_scalar.h). */
static void narrow(const struct sow_whole *whole, const double *values, unsigned char *bytes)
{
    float tile[COLUMNS];
    if (whole->dtype == SOW_F64) {
        for (int c = 0; c < COLUMNS; c++) {
            double value = whole->draw.gain * values[c];
            memcpy(bytes + (size_t)c * sizeof value, &value, sizeof value);
        }
        return;
    }
    for (int c = 0; c < COLUMNS; c++) {
        static const unsigned char place[4] = {0, 2, 1, 3};
        tile[c - c % 4 + place[c % 4]] = (float)(whole->draw.gain * values[c]);
    }
    whole->plain->store_f32[whole->dtype](bytes, tile, COLUMNS / (4 * whole->plain->group_blocks),
                                          0);
}

_Static_assert(COLUMNS % 8 == 0, "whole groups of the plain C kernels");

/* Columns begin, begin + 1, ... of the matrix that has the longer side down: rows of W where W is wide. */
static void store(const struct sow_whole *whole, uint64_t matrix, uint64_t begin,
                  const double *block)
{
    const struct sow_matrices *matrices = &whole->matrices;
    const int wide = matrices->row.count < matrices->column.count;
    const struct sow_index *down = wide ? &matrices->column : &matrices->row,
                           *across = wide ? &matrices->row : &matrices->column;
    const size_t size = sow_dtype_bits(whole->dtype) / 8;
    const uint64_t left = across->count - begin, width = left < COLUMNS ? left : COLUMNS;
    unsigned char bytes[COLUMNS * sizeof(double)];
    unsigned char *const origin = whole->dst + sow_matrices_begin(matrices, matrix) * size;
    uint64_t offsets[COLUMNS];
    for (uint64_t c = 0; c < width; c++) {
        offsets[c] = sow_index_offset(across, begin + c) * size;
    }
    for (uint64_t i = 0; i < down->count; i++) {
        unsigned char *row = origin + sow_index_offset(down, i) * size;
        narrow(whole, block + i * COLUMNS, bytes);
        for (uint64_t c = 0; c < width; c++) {
            memcpy(row + offsets[c], bytes + c * size, size);
        }
    }
}

/* ---- Stages --------------------------------------------------------------------------------- */

/* Zeros in all of the tensor: of a block, in its part of the packed weight. */
static void clear(const struct sow_whole *whole)
{
    const struct sow_tensor *tensor = &whole->tensor;
    const uint32_t axis = tensor->packed > 0 ? tensor->packed_axis : 0;
    const uint64_t stored = tensor->packed > 0 ? tensor->packed : tensor->shape[axis];
    uint64_t outer = 1, inner = sow_dtype_bits(whole->dtype) / 8;
    for (uint32_t i = 0; i < axis; i++) {
        outer *= tensor->shape[i];
    }
    for (uint32_t i = axis + 1; i < tensor->rank; i++) {
        inner *= tensor->shape[i];
    }
    const uint64_t begin = tensor->packed > 0 ? tensor->packed_begin : 0;
    for (uint64_t i = 0; i < outer; i++) {
        memset(whole->dst + (i * stored + begin) * inner, 0, tensor->shape[axis] * inner);
    }
}

static void put_identity(const struct sow_whole *whole)
{
    const struct sow_matrices *matrices = &whole->matrices;
    const size_t size = sow_dtype_bits(whole->dtype) / 8;
    double ones[COLUMNS];
    unsigned char bytes[COLUMNS * sizeof(double)];
    for (int c = 0; c < COLUMNS; c++) {
        ones[c] = 1;
    }
    narrow(whole, ones, bytes);
    for (uint64_t number = 0; number < sow_matrices_count(matrices); number++) {
        unsigned char *origin = whole->dst + sow_matrices_begin(matrices, number) * size;
        for (uint64_t i = 0; i < sides_of(matrices).shorter; i++) {
            uint64_t at =
                sow_index_offset(&matrices->row, i) + sow_index_offset(&matrices->column, i);
            memcpy(origin + at * size, bytes, size);
        }
    }
}

/* Row i, column j of Sylvester's: -1 where i and j have an odd number of bits in common. */
static int is_negative(uint64_t i, uint64_t j)
{
    uint64_t bits = i & j;
    for (int shift = 32; shift > 0; shift /= 2) {
        bits ^= bits >> shift;
    }
    return (int)(bits & 1);
}

/* Rows begin to begin + ROWS of each matrix. */
static void put_hadamard(const struct sow_whole *whole, uint64_t begin)
{
    const struct sow_matrices *matrices = &whole->matrices;
    const uint64_t left = matrices->row.count - begin, end = begin + (left < ROWS ? left : ROWS);
    const size_t size = sow_dtype_bits(whole->dtype) / 8;
    const double scale = hadamard_scale(matrices->row.count);
    const double both[COLUMNS] = {scale, -scale};
    unsigned char bytes[COLUMNS * sizeof(double)];
    narrow(whole, both, bytes);
    for (uint64_t number = 0; number < sow_matrices_count(matrices); number++) {
        unsigned char *origin = whole->dst + sow_matrices_begin(matrices, number) * size;
        for (uint64_t j = 0; j < matrices->column.count; j++) {
            unsigned char *column = origin + sow_index_offset(&matrices->column, j) * size;
            for (uint64_t i = begin; i < end; i++) {
                memcpy(column + sow_index_offset(&matrices->row, i) * size,
                       bytes + (size_t)is_negative(i, j) * size, size);
            }
        }
    }
}

static struct sow_reflections reflections_of(const struct sow_whole *whole, uint64_t matrix)
{
    const struct sides sides = sides_of(&whole->matrices);
    return (struct sow_reflections){
        .rows = sides.longer,
        .columns = sides.shorter,
        .key = whole->key,
        .first = whole->matrices.before + matrix * sides.longer * sides.shorter,
        .vectors = whole->vectors,
    };
}

void sow_whole_step(const struct sow_whole *whole, uint64_t stage, uint64_t step, void *own)
{
    if (clears(whole) && stage == 0) {
        clear(whole);
        return;
    }
    if (is_hadamard(whole->draw.distribution, &whole->matrices)) {
        put_hadamard(whole, step * ROWS);
        return;
    }
    if (is_placed(whole->draw.distribution)) {
        put_identity(whole);
        return;
    }
    stage -= (uint64_t)clears(whole);
    const struct sow_reflections reflections = reflections_of(whole, stage / 2);
    if (stage % 2 == 0) {
        uint64_t begin = step * VECTORS, left = reflections.columns - begin;
        sow_reflections_draw(whole->kernels, &reflections, begin,
                             begin + (left < VECTORS ? left : VECTORS));
        return;
    }
    /* The later a column, the more reflections it takes: the longest steps first. */
    uint64_t begin = (sow_whole_steps(whole, 1) - 1 - step) * COLUMNS;
    sow_reflections_apply(whole->kernels, &reflections, begin, own);
    store(whole, stage / 2, begin, own);
}

/* ---- In one go ------------------------------------------------------------------------------ */

uint64_t sow_whole_scratch(const struct sow_tensor *tensor, const struct sow_draw *draw)
{
    const struct sow_whole_room room = sow_whole_room(tensor, draw);
    return room.shared + room.own;
}

void sow_fill_whole(void *dst, enum sow_dtype dtype, const struct sow_tensor *tensor,
                    const struct sow_draw *draw, struct sow_key key, void *scratch)
{
    unsigned char *const shared = scratch;
    const struct sow_whole whole =
        sow_whole_begin(sow_kernels_chosen(), dst, dtype, tensor, draw, key, shared);
    void *own = shared == NULL ? NULL : shared + sow_whole_room(tensor, draw).shared;
    for (uint64_t stage = 0; stage < sow_whole_stages(&whole); stage++) {
        for (uint64_t step = 0; step < sow_whole_steps(&whole, stage); step++) {
            sow_whole_step(&whole, stage, step, own);
        }
    }
}
