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
    struct sow_tensor tensor = {
        {height, width, in / groups, out}, 4, SOW_KIND_CONV, SOW_LAYOUT_IN_OUT, groups};
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
    check_no_fans((struct sow_tensor){{4096}, 1, SOW_KIND_LINEAR, SOW_LAYOUT_OUT_IN, 1}, vector);
    check_no_fans((struct sow_tensor){{4096}, 1, SOW_KIND_BIAS, SOW_LAYOUT_OUT_IN, 0}, vector);
    check_no_fans(
        (struct sow_tensor){{0}, 0, SOW_KIND_OTHER, SOW_LAYOUT_OUT_IN, 0},
        "fan_in needs a weight of rank >= 2, the shape is []; use zeros, ones or constant for "
        "vectors");
    check_no_fans((struct sow_tensor){{16, 64}, 2, SOW_KIND_BIAS, SOW_LAYOUT_OUT_IN, 0},
                  "a bias has no fan_in, the shape is [16, 64]; use zeros, ones or constant");
    check_no_fans(
        (struct sow_tensor){{8, 4096, 1024}, 3, SOW_KIND_LINEAR, SOW_LAYOUT_OUT_IN, 0},
        "a linear weight has rank 2, the shape is [8, 4096, 1024]; say conv, or give the shape of "
        "one block");
    check_no_fans(
        (struct sow_tensor){{8, 9}, 2, SOW_KIND_OTHER, SOW_LAYOUT_OUT_IN, 0},
        "fan_in needs to know which axes are in and out, the shape is [8, 9]; say that the tensor "
        "is linear, conv or embedding, or use a scheme without fans");
    check_no_fans(
        (struct sow_tensor){{8, 9}, 2, SOW_KIND_CONV, SOW_LAYOUT_OUT_IN, 1},
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
    check_no_fans((struct sow_tensor){{1}, 9, SOW_KIND_CONV, SOW_LAYOUT_OUT_IN, 1},
                  "a tensor has at most 8 dimensions, not 9");
    check_no_fans(
        sow_tensor_conv(62, 32, square, 0, 1),
        "a convolution needs 1 to 3 kernel sizes next to its channels, the shape is []; say "
        "linear when it has none");
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
        cmocka_unit_test(test_no_fans),
        cmocka_unit_test(test_shape_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
