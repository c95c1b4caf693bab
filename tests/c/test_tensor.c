/* SPDX-License-Identifier: MIT */
/* Element types by name, and fans from shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/tensor/tensor.h"
#include "sow/sow.h"

static const enum sow_dtype dtypes[] = {
#define SOW_DTYPE(id, name, value, bits, safetensors, kind) SOW_##id,
#include "sow/dtype.def"
#undef SOW_DTYPE
};
static const char *const dtype_names[][2] = {
#define SOW_DTYPE(id, name, value, bits, safetensors, kind) {name, safetensors},
#include "sow/dtype.def"
#undef SOW_DTYPE
};
#define DTYPES (sizeof dtypes / sizeof dtypes[0])

static void test_every_dtype_has_its_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < DTYPES; i++) {
        enum sow_dtype dtype = (enum sow_dtype)0;
        assert_string_equal(sow_dtype_name(dtypes[i]), dtype_names[i][0]);
        for (size_t j = 0; j < 2; j++) {
            assert_int_equal(sow_dtype_parse(dtype_names[i][j], &dtype, NULL), SOW_OK);
            assert_int_equal(dtype, dtypes[i]);
        }
        assert_true(sow_dtype_bits(dtypes[i]) >= 4);
    }
    assert_null(sow_dtype_name((enum sow_dtype)0));
    assert_int_equal(sow_dtype_bits((enum sow_dtype)99), 0);
}

static void test_words_of_the_frameworks(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum sow_dtype dtype;
    } rows[] = {
        {"float32", SOW_F32},
        {"torch.float32", SOW_F32},
        {"torch.float", SOW_F32},
        {"bfloat16", SOW_BF16},
        {"torch.bfloat16", SOW_BF16},
        {"jnp.bfloat16", SOW_BF16},
        {"ml_dtypes.bfloat16", SOW_BF16},
        {"half", SOW_F16},
        {"torch.half", SOW_F16},
        {"fp16", SOW_F16},
        {"np.float64", SOW_F64},
        {"float8_e4m3fn", SOW_F8_E4M3FN},
        {"torch.float8_e5m2", SOW_F8_E5M2},
        {"F8_E4M3", SOW_F8_E4M3FN},
        {"torch.int64", SOW_I64},
        {"torch.long", SOW_I64},
        {"torch.bool", SOW_BOOL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum sow_dtype dtype = (enum sow_dtype)0;
        assert_int_equal(sow_dtype_parse(rows[i].word, &dtype, NULL), SOW_OK);
        assert_int_equal(dtype, rows[i].dtype);
    }
}

static void test_unknown_dtypes(void **state)
{
    (void)state;
    static const char *const known = "what can be drawn is f64, f32, f16, bf16, f8_e4m3fn, f8_e5m2";
    static const struct {
        const char *word, *nearest;
    } rows[] = {
        {"bf61", "bf16"},     {"bfloat", "bfloat16"},
        {"F17", "f16"},       {"torch.float33", "float32"},
        {"", NULL},           {"torch.", NULL},
        {"float", "float64"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum sow_dtype dtype = SOW_U8;
        struct sow_error error;
        assert_int_equal(sow_dtype_parse(rows[i].word, &dtype, &error), SOW_E_ARGUMENT);
        assert_int_equal(dtype, SOW_U8);
        assert_non_null(strstr(error.message, known));
        if (rows[i].nearest != NULL) {
            assert_non_null(strstr(error.message, rows[i].nearest));
        }
    }
}

static void test_what_can_be_drawn(void **state)
{
    (void)state;
    assert_true(sow_dtype_drawable(SOW_F64) && sow_dtype_drawable(SOW_F32));
    assert_true(sow_dtype_drawable(SOW_F16) && sow_dtype_drawable(SOW_BF16));
    assert_true(sow_dtype_drawable(SOW_F8_E4M3FN) && sow_dtype_drawable(SOW_F8_E5M2));
    assert_false(sow_dtype_drawable(SOW_I32) || sow_dtype_drawable(SOW_F4));
    assert_false(sow_dtype_drawable((enum sow_dtype)0));
}

static void check_fans(struct sow_tensor tensor, double in, double out)
{
    struct sow_fans fans = {0, 0};
    assert_int_equal(sow_tensor_fans(&tensor, &fans, NULL), SOW_OK);
    assert_true(fans.in == in && fans.out == out);
}

/* Channels last: what Keras and JAX hold. */
static struct sow_tensor conv_in_out(uint64_t height, uint64_t width, uint64_t in, uint64_t out,
                                     uint64_t groups)
{
    struct sow_tensor tensor = {.shape = {height, width, in / groups, out},
                                .rank = 4,
                                .kind = SOW_KIND_CONV,
                                .layout = SOW_LAYOUT_IN_OUT,
                                .groups = groups};
    return tensor;
}

static void test_fans(void **state)
{
    (void)state;
    const uint64_t line[] = {5}, square[] = {3, 3}, cube[] = {2, 3, 4};
    check_fans(sow_tensor_linear(512, 256), 256, 512);
    check_fans(sow_tensor_linear_in_out(256, 512), 256, 512);
    check_fans(sow_tensor_embedding(50257, 768), 1, 768);
    check_fans(sow_tensor_conv(64, 32, line, 1, 1), 160, 320);
    check_fans(sow_tensor_conv(64, 32, square, 2, 0), 288, 576);
    check_fans(sow_tensor_conv(64, 32, cube, 3, 1), 768, 1536);
    check_fans(conv_in_out(3, 3, 32, 64, 1), 288, 576);
    /* True fans of grouped and depthwise kernels; torch's and Keras' own functions overlook the
     * groups. */
    check_fans(sow_tensor_conv(64, 32, square, 2, 4), 72, 144);
    check_fans(conv_in_out(3, 3, 32, 64, 4), 72, 144);
    check_fans(sow_tensor_conv(128, 64, square, 2, 64), 9, 18);
    /* Patches without a spatial extent, and sizes beyond 2^32. */
    const uint64_t point[] = {1, 1};
    check_fans(sow_tensor_conv(7, 5, point, 2, 1), 5, 7);
    check_fans(sow_tensor_linear(1, 0x100000000u), 4294967296.0, 1);
    check_fans(sow_tensor_linear(1, 1), 1, 1);
}

static struct sow_tensor with_layout(enum sow_kind kind, uint32_t rank, const uint64_t *shape,
                                     const char *layout)
{
    struct sow_tensor tensor = {.rank = rank, .kind = kind};
    memcpy(tensor.shape, shape, rank * sizeof *shape);
    assert_int_equal(sow_tensor_layout(&tensor, layout, NULL), SOW_OK);
    return tensor;
}

/* Layouts that name every axis; the counts are derived in docs/layers.md. */
static void test_fans_of_named_axes(void **state)
{
    (void)state;
    const uint64_t experts[] = {8, 64, 32}, heads[] = {24, 6, 8}, kernel[] = {3, 3, 4, 12};
    check_fans(with_layout(SOW_KIND_LINEAR, 3, experts, "each-out-in"), 32, 64);
    check_fans(with_layout(SOW_KIND_LINEAR, 3, experts, "each-in-out"), 64, 32);
    check_fans(with_layout(SOW_KIND_LINEAR, 3, heads, "in-out-out"), 24, 48);
    check_fans(with_layout(SOW_KIND_LINEAR, 3, heads, "in-in-out"), 144, 8);
    check_fans(with_layout(SOW_KIND_CONV, 4, kernel, "kernel-kernel-each-out"), 9, 108);
    struct sow_tensor tensor =
        with_layout(SOW_KIND_CONV_TRANSPOSE, 4, kernel, "kernel-kernel-out-in");
    tensor.stride = 4;
    check_fans(tensor, 27, 36);
    const uint64_t square[] = {4, 4};
    check_fans(sow_tensor_conv_transpose(8, 4, square, 2, 2, 4), 16, 32);
    struct sow_tensor strided = sow_tensor_conv(8, 4, square, 2, 1);
    strided.stride = 4;
    check_fans(strided, 64, 32);
    struct sow_tensor bilinear = {.shape = {6, 5, 7}, .rank = 3, .kind = SOW_KIND_BILINEAR};
    check_fans(bilinear, 35, 42);
}

/* What the frameworks take of the shape as stored, whatever the axes are and however it is packed. */
static void test_fans_of_the_frameworks(void **state)
{
    (void)state;
    struct sow_tensor tensor = {.shape = {3, 5, 7, 11}, .rank = 4};
    const struct sow_fans wanted[] = {{385, 231}, {105, 165}, {105, 165}};
    struct sow_fans fans;
    for (size_t i = 0; i < 3; i++) {
        enum sow_fan_rule rule = (enum sow_fan_rule)(SOW_FAN_TORCH + i);
        assert_int_equal(sow_tensor_fans_by(&tensor, rule, &fans, NULL), SOW_OK);
        assert_memory_equal(&fans, &wanted[i], sizeof fans);
    }
    struct sow_tensor block = sow_tensor_linear(64, 32);
    block.packed = 192;
    assert_int_equal(sow_tensor_fans_by(&block, SOW_FAN_TORCH, &fans, NULL), SOW_OK);
    assert_true(fans.in == 32 && fans.out == 192);
    check_fans(block, 32, 64);
    struct sow_tensor vector = {.shape = {9}, .rank = 1};
    assert_int_equal(sow_tensor_fans_by(&vector, SOW_FAN_KERAS, &fans, NULL), SOW_OK);
    assert_true(fans.in == 9 && fans.out == 9);
    assert_int_equal(sow_tensor_fans_by(&vector, SOW_FAN_TORCH, &fans, NULL), SOW_E_SHAPE);
    assert_int_equal(sow_tensor_fans_by(&vector, SOW_FAN_JAX, &fans, NULL), SOW_E_SHAPE);
    assert_string_equal(sow_fan_rule_name(SOW_FAN_KERAS), "keras");
    assert_null(sow_fan_rule_name(SOW_FAN_RULES));
}

/* A packed query-key-value weight has the fans of one block. */
static void test_fans_of_blocks(void **state)
{
    (void)state;
    const uint64_t d = 768, kv = 256, blocks[] = {d, kv, kv};
    for (size_t i = 0; i < 3; i++) {
        check_fans(sow_tensor_linear(blocks[i], d), 768, (double)blocks[i]);
        check_fans(sow_tensor_linear_in_out(d, blocks[i]), 768, (double)blocks[i]);
    }
}

static void check_no_fans(struct sow_tensor tensor, const char *message)
{
    struct sow_fans fans = {-1, -1};
    struct sow_error error;
    assert_int_equal(sow_tensor_fans(&tensor, &fans, &error), SOW_E_SHAPE);
    assert_string_equal(error.message, message);
    assert_int_equal(error.code, SOW_E_SHAPE);
    assert_true(fans.in == -1 && fans.out == -1);
    assert_int_equal(sow_tensor_fans(&tensor, &fans, NULL), SOW_E_SHAPE);
}

static void test_no_fans(void **state)
{
    (void)state;
    const uint64_t square[] = {3, 3};
    const char *vector =
        "fan_in needs a weight of rank >= 2, the shape is [4096]; use zeros, ones or "
        "constant for vectors";
    check_no_fans((struct sow_tensor){.shape = {4096}, .rank = 1, .kind = SOW_KIND_LINEAR}, vector);
    check_no_fans((struct sow_tensor){.shape = {4096}, .rank = 1, .kind = SOW_KIND_BIAS}, vector);
    check_no_fans(
        (struct sow_tensor){.shape = {0}, .rank = 0, .kind = SOW_KIND_OTHER},
        "fan_in needs a weight of rank >= 2, the shape is []; use zeros, ones or constant for "
        "vectors");
    check_no_fans((struct sow_tensor){.shape = {16, 64}, .rank = 2, .kind = SOW_KIND_BIAS},
                  "a bias has no fan_in, the shape is [16, 64]; use zeros, ones or constant");
    check_no_fans(
        (struct sow_tensor){.shape = {8, 4096, 1024}, .rank = 3, .kind = SOW_KIND_LINEAR},
        "a linear weight of more than two axes can be read in several ways, the shape is [8, 4096, "
        "1024]; say which axis is what: layout \"each-out-in\" or \"each-in-out\" for stacked "
        "experts, "
        "\"in-out-out\" or \"in-in-out\" for attention heads; conv when it has kernel sizes");
    check_no_fans(
        (struct sow_tensor){.shape = {8, 9}, .rank = 2, .kind = SOW_KIND_OTHER},
        "fan_in needs to know which axes are in and out, the shape is [8, 9]; say that the tensor "
        "is linear, conv or embedding, or use a scheme without fans");
    check_no_fans(
        (struct sow_tensor){.shape = {8, 9}, .rank = 2, .kind = SOW_KIND_CONV},
        "a convolution needs 1 to 3 kernel sizes next to its channels, the shape is [8, 9]; say "
        "linear when it has none");
    check_no_fans(sow_tensor_linear(0, 5),
                  "a fan would be 0, the shape is [0, 5]; no size may be 0 (zeros "
                  "draws an empty tensor)");
    check_no_fans(
        sow_tensor_conv(64, 30, square, 2, 4),
        "a fan would be 0, the shape is [64, 0, 3, 3]; no size may be 0, and the groups must "
        "divide the channels");
    check_no_fans(
        sow_tensor_conv(62, 32, square, 2, 4),
        "4 groups do not divide 62 output channels, the shape is [62, 8, 3, 3]; is the layout "
        "right?");
    check_no_fans((struct sow_tensor){.shape = {1}, .rank = 9, .kind = SOW_KIND_CONV},
                  "a tensor has at most 8 dimensions, not 9");
    check_no_fans(
        (struct sow_tensor){.shape = {8, 4, 3, 3}, .rank = 4, .kind = SOW_KIND_CONV_TRANSPOSE},
        "a transposed convolution is stored in more than one way, the shape is [8, 4, 3, 3]; say "
        "which: layout \"in-out-kernel-kernel\" (torch), \"kernel-kernel-out-in\" (Keras) or "
        "\"kernel-kernel-in-out\" (Flax), with as many kernel as it has");
    check_no_fans(
        sow_tensor_conv(62, 32, square, 0, 1),
        "a convolution needs 1 to 3 kernel sizes next to its channels, the shape is []; say "
        "linear when it has none");
}

static void test_wrong_layouts(void **state)
{
    (void)state;
    struct sow_tensor tensor = sow_tensor_linear(3, 4);
    struct sow_error error;
    static const char *const layouts[] = {"", "io", "out", "out-in-", "in-out-kernel", "out in"};
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        assert_int_equal(sow_tensor_layout(&tensor, layouts[i], &error), SOW_E_SHAPE);
        assert_non_null(strstr(error.message, "out, in, kernel, each"));
        assert_int_equal(tensor.layout, SOW_LAYOUT_OUT_IN);
    }
}

static void test_shape_text(void **state)
{
    (void)state;
    uint64_t shape[SOW_RANK_MAX];
    for (size_t i = 0; i < SOW_RANK_MAX; i++) {
        shape[i] = UINT64_MAX;
    }
    assert_string_equal(sow_shape_text(shape, 0).text, "[]");
    assert_string_equal(sow_shape_text(shape, 1).text, "[18446744073709551615]");
    const char *longest = sow_shape_text(shape, SOW_RANK_MAX).text;
    assert_true(strlen(longest) < sizeof(struct sow_shape_text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_dtype_has_its_names),
        cmocka_unit_test(test_words_of_the_frameworks),
        cmocka_unit_test(test_unknown_dtypes),
        cmocka_unit_test(test_what_can_be_drawn),
        cmocka_unit_test(test_fans),
        cmocka_unit_test(test_fans_of_blocks),
        cmocka_unit_test(test_fans_of_named_axes),
        cmocka_unit_test(test_fans_of_the_frameworks),
        cmocka_unit_test(test_no_fans),
        cmocka_unit_test(test_wrong_layouts),
        cmocka_unit_test(test_shape_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
