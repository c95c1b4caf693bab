/* SPDX-License-Identifier: MIT */
/* One function and one row a formula. A new one is a row here; the first that fits is told, so the likelier come first. */
#include "model/check/formulas.h"

#include "core/base/elementary.h"

double sow_glorot_std(double fan_in, double fan_out)
{
    return 1 / sow_sqrt((fan_in + fan_out) / 2);
}

static double unit(const struct sow_fit *fit)
{
    (void)fit;
    return 1;
}
static double torch_linear(const struct sow_fit *fit)
{
    return 1 / sow_sqrt(3 * fit->fan_in);
}
static double torch_linear_swapped(const struct sow_fit *fit)
{
    return 1 / sow_sqrt(3 * fit->fan_out);
}
static double glorot(const struct sow_fit *fit)
{
    return sow_glorot_std(fit->fan_in, fit->fan_out);
}
static double glorot_fused(const struct sow_fit *fit)
{
    return sow_glorot_std(fit->all_in, fit->all_out);
}
static double glorot_thirds(const struct sow_fit *fit)
{
    return sow_glorot_std(fit->all_in, fit->all_out / 3);
}
static double he_in(const struct sow_fit *fit)
{
    return sow_sqrt(2 / fit->fan_in);
}
static double he_out(const struct sow_fit *fit)
{
    return sow_sqrt(2 / fit->fan_out);
}
static double lecun_in(const struct sow_fit *fit)
{
    return 1 / sow_sqrt(fit->fan_in);
}
static double lecun_out(const struct sow_fit *fit)
{
    return 1 / sow_sqrt(fit->fan_out);
}
static double bracket_out(const struct sow_fit *fit)
{
    return sow_sqrt(2 / fit->fan_in + fit->fan_out);
}
static double bracket_in(const struct sow_fit *fit)
{
    return sow_sqrt(2 / fit->fan_out + fit->fan_in);
}
static double small_init(const struct sow_fit *fit)
{
    return sow_sqrt(2 / (5 * fit->fan_in));
}
static double fixed_02(const struct sow_fit *fit)
{
    (void)fit;
    return 0.02;
}
static double fixed_01(const struct sow_fit *fit)
{
    (void)fit;
    return 0.01;
}
static double fixed_006(const struct sow_fit *fit)
{
    (void)fit;
    return 0.006;
}
static double keras_embedding(const struct sow_fit *fit)
{
    (void)fit;
    return 0.05 / SOW_SQRT3;
}
static double variance_as_std(const struct sow_fit *fit)
{
    return fit->std * fit->std;
}
static double std_as_variance(const struct sow_fit *fit)
{
    return sow_sqrt(fit->std);
}
static double erfinv_missing(const struct sow_fit *fit)
{
    return fit->before_cut * 0.816496580927726;
}
static double gain_selu(const struct sow_fit *fit)
{
    return fit->std * 3 / 4;
}
static double gain_missing(const struct sow_fit *fit)
{
    return fit->std / 1.4142135623730951;
}
static double gain_twice(const struct sow_fit *fit)
{
    return fit->std * 1.4142135623730951;
}
static double bound_as_std(const struct sow_fit *fit)
{
    return fit->std * SOW_SQRT3;
}
static double std_as_bound(const struct sow_fit *fit)
{
    return fit->std / SOW_SQRT3;
}
static double width_as_bound(const struct sow_fit *fit)
{
    return fit->std * 2;
}
static double shrunk(const struct sow_fit *fit)
{
    return fit->std * SOW_CORRECTION_2;
}
static double unshrunk(const struct sow_fit *fit)
{
    return fit->std / SOW_CORRECTION_2;
}

/* Schemes first, then slips with the expected number, then constants out of libraries. */
static const struct sow_formula formulas[] = {
    {"std 1: the default of torch.nn.Embedding, or a scheme called without its std", unit, 0},
    {"torch's layer default, uniform within 1/sqrt(fan_in)", torch_linear, 1},
    {"torch's layer default with the fans swapped, uniform within 1/sqrt(fan_out)",
     torch_linear_swapped, 1},
    {"Glorot, sqrt(2/(fan_in + fan_out))", glorot, 0},
    {"Glorot by the fans of the whole fused tensor instead of one block's", glorot_fused, 0},
    {"Glorot by the fans of a third of the tensor, as for packed query, key and value",
     glorot_thirds, 0},
    {"He by fan_in, sqrt(2/fan_in)", he_in, 0},
    {"He by fan_out, sqrt(2/fan_out)", he_out, 0},
    {"LeCun, 1/sqrt(fan_in)", lecun_in, 0},
    {"LeCun with the fans swapped, 1/sqrt(fan_out)", lecun_out, 0},
    {"sqrt(2/fan_in + fan_out), about sqrt(fan_out): a bracket is missing around fan_in + fan_out",
     bracket_out, 0},
    {"sqrt(2/fan_out + fan_in), about sqrt(fan_in): a bracket is missing around the sum",
     bracket_in, 0},
    {"small init, sqrt(2/(5 fan_in))", small_init, 0},
    {"the bound of the uniform was taken for the std (a factor of sqrt(3))", bound_as_std, 0},
    {"the std was taken for the bound of a uniform (a factor of 1/sqrt(3))", std_as_bound, 0},
    {"the truncation's loss of variance is not made up for (a factor of 0.8796 at 2 sigma)", shrunk,
     0},
    {"the truncation's loss of variance is made up for though nothing is cut (a factor of 1.1368)",
     unshrunk, 0},
    {"uniform within sqrt(2) std: a truncated normal without the inverse error function",
     erfinv_missing, 1},
    {"torch's gain for SELU, 3/4, where the exact one is 1", gain_selu, 0},
    {"a gain of sqrt(2) is missing", gain_missing, 0},
    {"a gain of sqrt(2) too much", gain_twice, 0},
    {"twice the std: the width of the interval was taken for its half", width_as_bound, 0},
    {"the variance was given where the std is wanted", variance_as_std, 0},
    {"the std was given where the variance is wanted", std_as_variance, 0},
    {"initializer_range 0.02", fixed_02, 0},
    {"std 0.01", fixed_01, 0},
    {"std 0.006", fixed_006, 0},
    {"the embedding default of Keras, uniform within 0.05", keras_embedding, 1},
};

const struct sow_formula *sow_formula_at(size_t index)
{
    return index < sizeof formulas / sizeof formulas[0] ? &formulas[index] : NULL;
}
