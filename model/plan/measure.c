/* SPDX-License-Identifier: MIT */
/* Sizes of planned tensors, and which draw may go to which dtype. Nothing here rounds a value. */
#include "model/plan/inside.h"
#include "core/base/checked.h"
#include "core/base/elementary.h"
#include "core/base/error.h"

#include <inttypes.h>

enum sow_status sow_plan_measure(struct sow_plan *plan, struct sow_plan_entry *entry,
                                 enum sow_status code, struct sow_error *error)
{
    uint64_t bits = sow_dtype_bits(entry->dtype), all;
    if (sow_product_u64(entry->tensor.shape, entry->tensor.rank, &entry->elements) ||
        entry->elements > SOW_PLAN_ELEMENTS_MAX) {
        return sow_fail(error, code, "`%s` has more than 2^57 elements", entry->name);
    }
    if (sow_mul_u64(entry->elements, bits, &all) || all % 8 != 0) {
        return sow_fail(error, code, "`%s` (%" PRIu64 " elements of %s) fills no whole bytes",
                        entry->name, entry->elements, sow_dtype_name(entry->dtype));
    }
    entry->bytes = all / 8;
    plan->regions += entry->region_count;
    if (plan->regions > SOW_PLAN_REGIONS_MAX) {
        return sow_fail(error, code, "with `%s` the model has more than 2^24 blocks", entry->name);
    }
    uint64_t *elements = entry->tensor.kind == SOW_KIND_BUFFER ? &plan->buffers : &plan->parameters;
    if (sow_add_u64(*elements, entry->elements, elements) ||
        sow_add_u64(plan->bytes, entry->bytes, &plan->bytes) || plan->bytes > SOW_PLAN_BYTES_MAX) {
        return sow_fail(error, code, "with `%s` the model has more than 2^63 bytes", entry->name);
    }
    return SOW_OK;
}

/* ---- Element types -------------------------------------------------------------------------- */

enum dtype_class { DTYPE_NONE = 0, DTYPE_FLOAT, DTYPE_INTEGER, DTYPE_OPAQUE };

static const unsigned char dtype_classes[] = {
#define SOW_DTYPE(id, name, value, bits, safetensors, kind) [value] = DTYPE_##kind,
#include "sow/dtype.def"
#undef SOW_DTYPE
};

/* Nonzero when the integer dtype has this very number. */
static int integer_has(enum sow_dtype dtype, double number)
{
    int is_signed = dtype == SOW_I64 || dtype == SOW_I32 || dtype == SOW_I16 || dtype == SOW_I8;
    double high = 2; /* bool: 0 and 1 */
    for (uint32_t i = 1; dtype != SOW_BOOL && i < sow_dtype_bits(dtype) - (uint32_t)is_signed;
         i++) {
        high *= 2;
    }
    if (!(number >= (is_signed ? -high : 0) && number < high)) {
        return 0;
    }
    int whole_anyway = number >= 9007199254740992.0 || number <= -9007199254740992.0;
    return whole_anyway || number == (double)(int64_t)number;
}

static enum sow_status check_integer(const struct sow_plan_entry *entry,
                                     const struct sow_draw *draw, enum sow_status code,
                                     struct sow_error *error)
{
    const char *dtype = sow_dtype_name(entry->dtype);
    if (draw->distribution != SOW_CONSTANT) {
        return sow_fail(error, code,
                        "`%s` is %s, which takes constants only, and %s draws numbers; give it "
                        "constant{...} or a floating dtype",
                        entry->name, dtype, entry->scheme_text);
    }
    if (!integer_has(entry->dtype, draw->mean)) {
        char number[SOW_PLAN_NUMBER_BYTES];
        sow_plan_number(draw->mean, number);
        return sow_fail(error, code, "`%s` is %s, which does not have the value %s", entry->name,
                        dtype, number);
    }
    return SOW_OK;
}

enum sow_status sow_plan_check_dtype(const struct sow_plan_entry *entry, enum sow_status code,
                                     struct sow_error *error)
{
    unsigned dtype = (unsigned)entry->dtype;
    unsigned class = dtype < sizeof dtype_classes ? dtype_classes[dtype] : DTYPE_NONE;
    if (class == DTYPE_FLOAT) {
        return SOW_OK;
    }
    if (class != DTYPE_INTEGER) {
        return sow_fail(error, SOW_E_UNSUPPORTED,
                        "`%s` is %s, which sow knows by name only and cannot draw; give it another "
                        "dtype",
                        entry->name,
                        class == DTYPE_NONE ? "no dtype" : sow_dtype_name(entry->dtype));
    }
    enum sow_status status = check_integer(entry, &entry->draw, code, error);
    for (size_t i = 0; i < entry->region_count && status == SOW_OK; i++) {
        status = check_integer(entry, &entry->regions[i].draw, code, error);
    }
    return status;
}

/* ---- Numbers that end beyond a dtype ------------------------------------------------------------ */

#define NORMAL_REACH 6.6605 /* the largest |z| of the float32 draw (docs/stream.md section 9) */

static double size_of(double x)
{
    return x < 0 ? -x : x;
}

/* The largest |value| that the draw can give. The logarithms of a uniform stay small; 0 is right for them here. */
static double reach(const struct sow_draw *draw)
{
    double low = draw->mean - NORMAL_REACH * draw->std;
    double high = draw->mean + NORMAL_REACH * draw->std;
    switch (draw->distribution) {
    case SOW_CONSTANT:
        return size_of(draw->mean);
    case SOW_UNIFORM:
        low = draw->low;
        high = draw->high;
        break;
    case SOW_TRUNC_NORMAL:
        low = low > draw->low ? low : draw->low;
        high = high < draw->high ? high : draw->high;
        break;
    case SOW_NORMAL:
        break;
    case SOW_EXP_UNIFORM:
    case SOW_SOFTPLUS_INVERSE_EXP_UNIFORM:
        return sow_exp(draw->high);
    default:
        return size_of(draw->gain); /* 0 but for whole tensors, whose largest element it is */
    }
    return size_of(low) > size_of(high) ? size_of(low) : size_of(high);
}

/* The least number that rounds to an infinity of the dtype; 0 when none does (fp8 saturates, and doubles
 * reach further than any draw). `largest` is the dtype's last finite one. */
static double infinite_from(enum sow_dtype dtype, const char **largest)
{
    switch (dtype) {
    case SOW_F32:
        *largest = "3.4e38";
        return 0x1.ffffffp127;
    case SOW_BF16:
        *largest = "3.39e38";
        return 0x1.ffp127;
    case SOW_F16:
        *largest = "65504";
        return 65520;
    default:
        return 0;
    }
}

enum sow_status sow_plan_check_finite(const struct sow_plan_entry *entry, struct sow_error *error)
{
    const char *largest = NULL;
    double end = infinite_from(entry->dtype, &largest), most = reach(&entry->draw);
    for (size_t i = 0; i < entry->region_count; i++) {
        double more = reach(&entry->regions[i].draw);
        most = more > most ? more : most;
    }
    if (end == 0 || most < end) {
        return SOW_OK;
    }
    return sow_fail(error, SOW_E_RULE,
                    "`%s` would start with infinities: %s reaches %.3g, and %s ends at %s; take "
                    "smaller numbers or another dtype",
                    entry->name, entry->scheme_text, most, sow_dtype_name(entry->dtype), largest);
}

/* ---- Numbers that a dtype has no room for below ------------------------------------------------- */

double sow_dtype_least(enum sow_dtype dtype)
{
    switch (dtype) {
    case SOW_F64:
        return 0x1p-1074;
    case SOW_F32:
        return 0x1p-149;
    case SOW_BF16:
        return 0x1p-133;
    case SOW_F16:
        return 0x1p-24;
    case SOW_F8_E4M3FN:
        return 0x1p-9;
    case SOW_F8_E5M2:
        return 0x1p-16;
    default:
        return 0;
    }
}

static double normal_below(double x)
{
    return 0.5 * sow_erfc(-x * 0.7071067811865476);
}

/* The share of [-edge, edge] under the draw, which rounds to 0. */
static double share_within(const struct sow_draw *draw, double edge)
{
    double low = draw->low > -edge ? draw->low : -edge,
           high = draw->high < edge ? draw->high : edge;
    switch (draw->distribution) {
    case SOW_CONSTANT:
        return draw->mean != 0 && size_of(draw->mean) <= edge;
    case SOW_UNIFORM:
        return draw->high > draw->low && high > low ? (high - low) / (draw->high - draw->low) : 0;
    case SOW_NORMAL:
    case SOW_TRUNC_NORMAL: /* its cut is far off */
    case SOW_ORTHOGONAL:
        return draw->std > 0 ? normal_below((edge - draw->mean) / draw->std) -
                                   normal_below((-edge - draw->mean) / draw->std)
                             : 0;
    default:
        return 0;
    }
}

double sow_plan_underflow(const struct sow_plan_entry *entry)
{
    return entry->region_count > 0
               ? 0
               : share_within(&entry->draw, 0.5 * sow_dtype_least(entry->dtype));
}
