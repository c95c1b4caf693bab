/* SPDX-License-Identifier: MIT */
/* Element types by name: everything follows from include/sow/dtype.def and the frameworks' words
 * below. */
#include <stddef.h>
#include <string.h>

#include "core/base/error.h"
#include "sow/sow.h"

enum kind {
    FLOAT,
    INTEGER,
    OPAQUE,
};

struct row {
    enum sow_dtype dtype;
    uint32_t bits;
    enum kind kind;
    const char *name, *safetensors;
};

static const struct row rows[] = {
#define SOW_DTYPE(id, name, value, bits, safetensors, kind)                                        \
    {SOW_##id, bits, kind, name, safetensors},
#include "sow/dtype.def"
#undef SOW_DTYPE
};

/* The words of torch, NumPy, JAX, TensorFlow and ml_dtypes, behind any of the prefixes. */
static const struct {
    const char *word;
    enum sow_dtype dtype;
} words[] = {
    {"float64", SOW_F64},
    {"double", SOW_F64},
    {"fp64", SOW_F64},
    {"float32", SOW_F32},
    {"single", SOW_F32},
    {"fp32", SOW_F32},
    {"float16", SOW_F16},
    {"half", SOW_F16},
    {"fp16", SOW_F16},
    {"bfloat16", SOW_BF16},
    {"float8_e4m3fn", SOW_F8_E4M3FN},
    {"float8_e5m2", SOW_F8_E5M2},
    {"float8_e8m0fnu", SOW_F8_E8M0},
    {"float8_e4m3fnuz", SOW_F8_E4M3FNUZ},
    {"float8_e5m2fnuz", SOW_F8_E5M2FNUZ},
    {"float6_e2m3fn", SOW_F6_E2M3},
    {"float6_e3m2fn", SOW_F6_E3M2},
    {"float4_e2m1fn", SOW_F4},
    {"int64", SOW_I64},
    {"int32", SOW_I32},
    {"int16", SOW_I16},
    {"int8", SOW_I8},
    {"uint64", SOW_U64},
    {"uint32", SOW_U32},
    {"uint16", SOW_U16},
    {"uint8", SOW_U8},
    {"complex64", SOW_C64},
    {"torch.float", SOW_F32}, /* a bare float is 32 bits in torch and 64 in NumPy: refused */
    {"torch.int", SOW_I32},
    {"torch.long", SOW_I64},
    {"torch.short", SOW_I16},
    {"torch.cfloat", SOW_C64},
};

static const char *const prefixes[] = {"torch.", "numpy.", "np.",       "jax.numpy.",
                                       "jnp.",   "tf.",    "ml_dtypes."};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct row *find_row(enum sow_dtype dtype)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].dtype == dtype) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *sow_dtype_name(enum sow_dtype dtype)
{
    const struct row *row = find_row(dtype);
    return row != NULL ? row->name : NULL;
}

uint32_t sow_dtype_bits(enum sow_dtype dtype)
{
    const struct row *row = find_row(dtype);
    return row != NULL ? row->bits : 0;
}

int sow_dtype_drawable(enum sow_dtype dtype)
{
    const struct row *row = find_row(dtype);
    return row != NULL && row->kind == FLOAT;
}

static int find_word(const char *text, enum sow_dtype *dtype)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (strcmp(text, rows[i].name) == 0 || strcmp(text, rows[i].safetensors) == 0) {
            *dtype = rows[i].dtype;
            return 1;
        }
    }
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strcmp(text, words[i].word) == 0) {
            *dtype = words[i].dtype;
            return 1;
        }
    }
    return 0;
}

static const char *word_at(const void *context, size_t index)
{
    (void)context;
    if (index < COUNT(rows)) {
        return rows[index].name;
    }
    index -= COUNT(rows);
    return index < COUNT(words) ? words[index].word : NULL;
}

/* "f64, f32, ...": what can be drawn. */
static void list_drawable(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t length = strlen(rows[i].name);
        if (rows[i].kind == FLOAT && used + length + 3 <= size) {
            const char *separator = used > 0 ? ", " : "";
            memcpy(text + used, separator, strlen(separator));
            used += strlen(separator);
            memcpy(text + used, rows[i].name, length + 1);
            used += length;
        }
    }
}

enum sow_status sow_dtype_parse(const char *text, enum sow_dtype *dtype, struct sow_error *error)
{
    if (find_word(text, dtype)) {
        return SOW_OK;
    }
    const char *bare = text;
    for (size_t i = 0; i < COUNT(prefixes) && bare == text; i++) {
        size_t length = strlen(prefixes[i]);
        bare += strncmp(text, prefixes[i], length) == 0 ? length : 0;
    }
    if (bare != text && find_word(bare, dtype)) {
        return SOW_OK;
    }
    char drawable[128];
    list_drawable(drawable, sizeof drawable);
    const char *nearest = sow_nearest(bare, word_at, NULL);
    return sow_fail(error, SOW_E_ARGUMENT,
                    "no dtype is called '%.40s'; what can be drawn is %s%s%s%s", text, drawable,
                    nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}
