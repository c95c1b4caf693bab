/* SPDX-License-Identifier: MIT */
/* libsow: initial weights as a pure function of (stream version, seed, tensor name, element, scheme).
 *
 * This header is the core: no file, no model, no allocation, no global state, no dependency.
 * With activations (sow/activation.h); it is not the model reader (sow/model.h). Three lines fill a buffer:
 *
 *     struct sow_tensor fc1 = sow_tensor_linear(512, 256);                          // (out, in)
 *     struct sow_draw draw;
 *     sow_scheme_resolve("he_normal", NULL, 0, &fc1, &draw, NULL);
 *     sow_fill(weights, SOW_F32, 0, 512 * 256, &draw, sow_key("fc1.weight", 42));
 */
#ifndef SOW_SOW_H
#define SOW_SOW_H

#include "sow/activation.h"
#include "sow/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SOW_VERSION        "0.1.0" /* of the library and the tool */
#define SOW_STREAM_VERSION 1       /* of the bits: docs/stream.md */
#define SOW_RANK_MAX       8       /* dimensions of a tensor */
#define SOW_GATES_BYTES    24      /* of the words of a recurrent layer's gates, with a closing 0 */

/* ---- Tensors ------------------------------------------------------------------------------ */

/* Element types. Values are those of sow/dtype.def and are never reused. */
enum sow_dtype {
#define SOW_DTYPE(id, name, value, bits, safetensors, kind) SOW_##id = value,
#include "sow/dtype.def"
#undef SOW_DTYPE
};

/* What a tensor is in its network; it decides the fans. */
enum sow_kind {
    SOW_KIND_OTHER = 0, /* no fans: a scheme that needs them is an error */
    SOW_KIND_LINEAR,
    SOW_KIND_CONV,
    SOW_KIND_EMBEDDING, /* (rows, features) */
    SOW_KIND_NORM,      /* scale of a normalisation */
    SOW_KIND_BIAS,
    SOW_KIND_BUFFER, /* running statistics, counters: stored, not trained */
    SOW_KIND_CONV_TRANSPOSE,
    SOW_KIND_BILINEAR, /* (out, in1, in2): y_o = sum of x_i w_oij z_j */
};
/* "linear", "conv_transpose", ...; NULL for a value that is no kind. */
SOW_API const char *sow_kind_name(enum sow_kind kind);

/* Order of the axes of a weight. */
enum sow_layout {
    SOW_LAYOUT_OUT_IN = 0, /* (out, in / groups, spatial...): torch */
    SOW_LAYOUT_IN_OUT,     /* (spatial..., in / groups, out): Keras, JAX, GPT-2's Conv1D */
    SOW_LAYOUT_AXES,       /* axis by axis, as `axes` says */
};

/* What one axis of a weight is. */
enum sow_axis {
    SOW_AXIS_NONE = 0, /* not said */
    SOW_AXIS_OUT,    /* outputs; two such axes are outputs in a grid (heads, features of a head) */
    SOW_AXIS_IN,     /* inputs */
    SOW_AXIS_KERNEL, /* taps of a convolution */
    SOW_AXIS_EACH, /* every index is a weight of its own: experts, depthwise channels, scanned layers */
};

/* A tensor as schemes see it: always the global shape, never a shard's. */
struct sow_tensor {
    uint64_t shape[SOW_RANK_MAX];
    uint32_t rank;
    enum sow_kind kind;
    enum sow_layout layout;
    uint64_t groups;            /* of a convolution; 0 counts as 1 */
    uint64_t stride;            /* of a convolution, over all axes: their product; 0 counts as 1 */
    uint8_t axes[SOW_RANK_MAX]; /* enum sow_axis, with SOW_LAYOUT_AXES */
    /* of a block of a packed weight: the axis it is cut from and that axis' whole size; 0: no block */
    uint32_t packed_axis;
    uint64_t packed;
    uint64_t packed_begin; /* where it begins on that axis; only sow_fill_whole asks */
    /* of a block of a recurrent layer: the words of all its gates ("i f g o"), and which one it is */
    char gates[SOW_GATES_BYTES];
    uint32_t gate;
};

/* w is (out, in), row-major. */
SOW_API struct sow_tensor sow_tensor_linear(uint64_t out, uint64_t in);
/* w is (in, out), row-major. */
SOW_API struct sow_tensor sow_tensor_linear_in_out(uint64_t in, uint64_t out);
/* w is (out, in / groups, kernel[0], ...), row-major; `spatial` in 1..3 kernel sizes. */
SOW_API struct sow_tensor sow_tensor_conv(uint64_t out, uint64_t in, const uint64_t *kernel,
                                          uint32_t spatial, uint64_t groups);
/* w is (in, out / groups, kernel[0], ...), row-major, as torch holds it; `stride` is the product over
 * the axes. */
SOW_API struct sow_tensor sow_tensor_conv_transpose(uint64_t in, uint64_t out,
                                                    const uint64_t *kernel, uint32_t spatial,
                                                    uint64_t groups, uint64_t stride);
/* w is (rows, features), row-major. */
SOW_API struct sow_tensor sow_tensor_embedding(uint64_t rows, uint64_t features);

/* Sets the layout from words: "out-in", "in-out", or one word an axis of the shape, joined by '-':
 * out, in, kernel, each ("each-out-in", "in-out-out", "kernel-kernel-in-out"). SOW_E_SHAPE when the
 * words are others or not as many as the axes. */
SOW_API enum sow_status sow_tensor_layout(struct sow_tensor *tensor, const char *layout,
                                          struct sow_error *error);
/* What axis `index` is, however the layout was given; SOW_AXIS_NONE where that is not known. */
SOW_API enum sow_axis sow_tensor_axis(const struct sow_tensor *tensor, uint32_t index);

/* How many numbers are summed up: fan_in for one output, fan_out for the gradient of one input. The
 * mean over all positions of a feature map away from its edges (docs/layers.md derives them):
 *
 *   linear            in, out (products where several axes are inputs or outputs)
 *   convolution       in / groups * taps, out / groups * taps / stride
 *   transposed        in / groups * taps / stride, out / groups * taps
 *   bilinear          in1 * in2, out * in2 (of the first input)
 *   embedding         1 (a row is looked up), features
 *
 * An axis `each` counts in neither. A block of a packed weight is a weight of its own.
 * Errors: SOW_E_SHAPE when the kind has no fans, the rank does not fit or the axes can be read in two
 * ways; the message says what to write. */
struct sow_fans {
    double in, out;
};
SOW_API enum sow_status sow_tensor_fans(const struct sow_tensor *tensor, struct sow_fans *fans,
                                        struct sow_error *error);

/* Whose fans. A framework sees a shape and no layer: it takes what its own function takes of the
 * shape as it is stored (the whole of it, packed or not), whatever the axes are. */
enum sow_fan_rule {
    SOW_FAN_TRUE = 0, /* sow_tensor_fans */
    SOW_FAN_TORCH,    /* torch.nn.init: axis 1 in, axis 0 out, times the rest */
    SOW_FAN_KERAS,    /* keras.initializers: the last two axes in and out, times the rest */
    SOW_FAN_JAX,      /* jax.nn.initializers with their default axes: as Keras, from rank 2 on */
};
#define SOW_FAN_RULES 4
/* "true", "torch", "keras", "jax"; NULL past the end. */
SOW_API const char *sow_fan_rule_name(size_t rule);
/* SOW_E_SHAPE also where the framework itself refuses (vectors in torch and JAX). */
SOW_API enum sow_status sow_tensor_fans_by(const struct sow_tensor *tensor, enum sow_fan_rule rule,
                                           struct sow_fans *fans, struct sow_error *error);

/* "f32", "bf16", ...; NULL for a value that is no dtype. */
SOW_API const char *sow_dtype_name(enum sow_dtype dtype);
/* Accepts sow's names, safetensors' names and the frameworks' ("float32", "torch.bfloat16").
 * Returns SOW_E_ARGUMENT with the nearest name when unknown. */
SOW_API enum sow_status sow_dtype_parse(const char *text, enum sow_dtype *dtype,
                                        struct sow_error *error);
/* Bits of one element (4 and 6 exist). */
SOW_API uint32_t sow_dtype_bits(enum sow_dtype dtype);
/* Nonzero when numbers can be drawn in it (the floating types sow_fill takes). */
SOW_API int sow_dtype_drawable(enum sow_dtype dtype);

/* ---- Draws -------------------------------------------------------------------------------- */

enum sow_distribution {
    SOW_CONSTANT = 0,
    SOW_UNIFORM = 1,
    SOW_NORMAL = 2,
    SOW_TRUNC_NORMAL = 3,
    SOW_EXP_UNIFORM = 4,
    SOW_LN_UNIFORM = 5,
    SOW_MINUS_LN_UNIFORM = 6,
    SOW_SOFTPLUS_INVERSE_EXP_UNIFORM = 7,
    SOW_LN_DECAY_UNIFORM = 8,
    SOW_LN_REST_UNIFORM = 9,
    /* of a whole tensor, whose values hang together: sow_fill_whole */
    SOW_ORTHOGONAL = 10,
    SOW_DELTA_ORTHOGONAL = 11,
    SOW_IDENTITY = 12,
    SOW_HADAMARD = 13,
};

/* A distribution and its numbers; plain data, no pointers. Make one with the functions below or with
 * sow_scheme_resolve, which check it; sow_fill takes it as it is.
 *
 *   constant      every element is `mean`
 *   uniform       on [low, high], which float32 values never leave; never 0 when low = -high
 *   normal        `mean`, `std`
 *   trunc_normal  normal(mean, std) conditioned on [low, high]; `std` is that before the cut
 *   ..._uniform   a function of u, uniform on [low, high]: exp(u), ln u, -ln u, softplus^-1(exp(u)), ln(-ln(u) / 2),
 *                 ln(1 - u) / 2; element i takes the u of element i + `shift`
 *
 * Of a whole tensor (sow_fill_whole); `std` is the root of the mean square of its elements, `mean` is 0:
 *
 *   orthogonal        `gain` times a Haar-distributed matrix whose rows or columns, the fewer, are orthonormal
 *   delta_orthogonal  the same in the middle tap of a convolution, 0 elsewhere
 *   identity          `gain` on the diagonal (of a convolution: of its middle tap), 0 elsewhere
 *   hadamard          the same, but of a matrix with more outputs than inputs the first of a Hadamard matrix' rows and
 *                     columns, whose elements are +-`gain` / sqrt(p), p the power of 2 that all outputs fit into */
struct sow_draw {
    enum sow_distribution distribution;
    double mean, std, low, high;
    double shift; /* a whole number of elements; 0 unless the distribution is -ln u */
    double gain;  /* of whole tensors */
};

SOW_API enum sow_status sow_draw_constant(double value, struct sow_draw *draw,
                                          struct sow_error *error);
SOW_API enum sow_status sow_draw_uniform(double low, double high, struct sow_draw *draw,
                                         struct sow_error *error);
SOW_API enum sow_status sow_draw_normal(double mean, double std, struct sow_draw *draw,
                                        struct sow_error *error);
/* low and high are absolute and may be -INFINITY and INFINITY. SOW_E_ARGUMENT when [low, high] holds
 * less than 1e-9 of the mass. */
SOW_API enum sow_status sow_draw_trunc_normal(double mean, double std, double low, double high,
                                              struct sow_draw *draw, struct sow_error *error);
/* A function of a uniform on [low, high], low < high. SOW_E_ARGUMENT for a distribution that is none, where the
 * function is not finite inside, and for a shift that is no whole number below 2^53 or not that of -ln u. */
SOW_API enum sow_status sow_draw_of_uniform(enum sow_distribution distribution, double low,
                                            double high, double shift, struct sow_draw *draw,
                                            struct sow_error *error);
/* Draws of this whole tensor. SOW_E_SHAPE where it holds no matrix, its axes can be read in two ways, or the
 * distribution does not go with its shape; SOW_E_ARGUMENT for an infinite gain; SOW_E_UNSUPPORTED where it would
 * take hours or more than 16 GiB (the message estimates them). */
SOW_API enum sow_status sow_draw_whole(enum sow_distribution distribution, double gain,
                                       const struct sow_tensor *tensor, struct sow_draw *draw,
                                       struct sow_error *error);
/* Nonzero for the distributions that sow_fill_whole draws. */
SOW_API int sow_draw_is_whole(const struct sow_draw *draw);
/* The mean and standard deviation the drawn values really have (uniform: (high - low) / sqrt 12;
 * trunc_normal: after the cut; of a whole tensor: about the mean 0). */
SOW_API void sow_draw_moments(const struct sow_draw *draw, double *mean, double *std);

/* ---- Fill --------------------------------------------------------------------------------- */

/* Where a tensor's values come from: the seed and FNV-1a 64 of the tensor's full UTF-8 name. */
struct sow_key {
    uint64_t seed;
    uint64_t tensor;
};
SOW_API struct sow_key sow_key(const char *name, uint64_t seed);
SOW_API struct sow_key sow_key_bytes(const char *name, size_t length, uint64_t seed);

/* Fill `count` elements of a tensor, starting at element `first`, with draws from `draw`.
 *
 * dst    count elements of `dtype` in the machine's byte order, written in order; need not be aligned
 * dtype  f64, f32, f16, bf16, f8_e4m3fn or f8_e5m2. Values are computed in float32 and rounded once
 *        (to nearest even, subnormals kept; fp8 saturates); f64 has its own draw. A constant may also
 *        go to an integer dtype, rounded to nearest even and saturated.
 * Values identical on every back end since stream 1 (docs/stream.md).
 * Cannot fail; never allocates; safe from any number of threads. A draw of a whole tensor has no range:
 * it gives NaN. */
SOW_API void sow_fill(void *dst, enum sow_dtype dtype, uint64_t first, uint64_t count,
                      const struct sow_draw *draw, struct sow_key key);

/* Fill a box (rectangular slice) of a row-major tensor: what one rank of a sharded model holds.
 *
 * dst       the box's first element; its element at index i[] goes to dst + sum(i[k] * strides[k]) elements
 * shape     `rank` global sizes; start and size `rank` numbers, start + size <= shape
 * strides   of dst, in elements, one an axis; NULL means the box is dense and row-major
 * The bytes are those sow_fill gives the same elements. rank is 0..SOW_RANK_MAX.
 * Cannot fail; never allocates; safe from any number of threads. */
SOW_API void sow_fill_box(void *dst, enum sow_dtype dtype, uint32_t rank, const uint64_t *shape,
                          const uint64_t *start, const uint64_t *size, const int64_t *strides,
                          const struct sow_draw *draw, struct sow_key key);

/* Fill a whole tensor with a draw whose values hang together: an orthogonal matrix has no elements of its own.
 *
 * dst      all elements of the tensor, row-major, of a floating `dtype`. Of a block of a packed weight
 *          (tensor->packed): element 0 of the packed weight, of which the block's elements are written.
 *          A slice is cut from the whole: the bytes are the same for whoever draws it
 * tensor, draw  of sow_draw_whole or sow_scheme_resolve
 * scratch  sow_whole_scratch(tensor, draw) bytes, aligned to 64, about 4 * elements for a square matrix and
 *          8 * elements for a long one; NULL when that is 0
 * Time: about 2 m n^2 - 2/3 n^3 operations in double for an m x n matrix (m >= n), one thread.
 * Values identical on every back end since stream 1 (docs/stream.md section 11). f64 is rounded nowhere but in the
 * arithmetic; all others are the f64 value rounded to float32, and that to the dtype.
 * Source: Haar's distribution by Stewart 1980; Saxe, McClelland and Ganguli 2014; Xiao et al. 2018, algorithm 2.
 * Cannot fail; never allocates; safe from any number of threads, with a scratch for each. */
SOW_API void sow_fill_whole(void *dst, enum sow_dtype dtype, const struct sow_tensor *tensor,
                            const struct sow_draw *draw, struct sow_key key, void *scratch);
SOW_API uint64_t sow_whole_scratch(const struct sow_tensor *tensor, const struct sow_draw *draw);

/* The instruction set in use: "scalar", "sse41", "avx2", "avx512" or "neon". Chosen once, from the CPU
 * or from the environment variable SOW_ISA (for tests and bug reports: the bits are the same). */
SOW_API const char *sow_isa(void);
/* SOW_E_UNSUPPORTED when SOW_ISA names an instruction set this build or CPU lacks (sow_fill then uses
 * scalar); the message lists those it has. */
SOW_API enum sow_status sow_isa_check(struct sow_error *error);

/* ---- Schemes ------------------------------------------------------------------------------ */

/* From a scheme's name (or alias) and its arguments to a draw for this tensor.
 * `tensor` gives the fans; schemes without fans ignore it, and then it may be NULL.
 * Errors: SOW_E_ARGUMENT for an unknown scheme or parameter (with the nearest), a missing or impossible
 * value, and a scheme that gives every row a number of its own (class_prior: only a plan holds those);
 * SOW_E_SHAPE when fans are needed and there are none. */
SOW_API enum sow_status sow_scheme_resolve(const char *scheme, const struct sow_argument *arguments,
                                           size_t count, const struct sow_tensor *tensor,
                                           struct sow_draw *draw, struct sow_error *error);

/* A parameter of a scheme as the catalogue tells it. */
struct sow_scheme_parameter {
    const char *name;
    const char *default_text; /* "0", "relu"; NULL when required */
    const char *summary;
};

/* A row of the catalogue. */
struct sow_scheme {
    const char *name;
    const char *const *aliases; /* the words of the frameworks; NULL-terminated */
    const struct sow_scheme_parameter *parameters;
    size_t parameter_count;
    const char *formula;
    const char *source; /* author, year, equation */
    const char *summary;
    int needs_fans;
    int sets_gates; /* biases of recurrent layers; of two that are added, only one may have it */
    /* names of the parameters that may be given by their place, in order, and of those that are lists
     * of numbers; NULL-terminated, NULL for none */
    const char *const *positional;
    const char *const *lists;
};

/* Row `index` of the catalogue, NULL past its end. */
SOW_API const struct sow_scheme *sow_scheme_at(size_t index);
/* By name or alias; NULL with SOW_E_ARGUMENT and the nearest name when unknown. */
SOW_API const struct sow_scheme *sow_scheme_find(const char *name, struct sow_error *error);

/* Gain of an activation: 1 / sqrt(E[phi(z)^2]), z ~ N(0, 1), the factor that keeps the second moment.
 * `slope` is leaky_relu's; NAN takes the default (0.01). */
SOW_API enum sow_status sow_gain(const char *activation, double slope, double *gain,
                                 struct sow_error *error);
/* Name of activation `index` that sow_gain knows, NULL past the end. */
SOW_API const char *sow_gain_name(size_t index);

#ifdef __cplusplus
}
#endif
#endif
