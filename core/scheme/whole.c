/* SPDX-License-Identifier: MIT */
/* Schemes that draw a tensor, or each block of a packed one, as a whole: orthogonal and identity matrices. What is
 * drawn is core/linalg/whole.c and docs/stream.md section 11. */
#include <stdio.h>

#include "core/base/error.h"
#include "core/base/number.h"
#include "core/scheme/row.h"
#include "core/tensor/matrices.h"

static enum sow_status resolve_to(const struct sow_call *call, enum sow_distribution distribution,
                                  double gain)
{
    if (call->tensor == NULL) {
        return sow_fail(call->error, SOW_E_SHAPE, "%s needs a tensor: it draws all of it at once",
                        call->scheme->name);
    }
    return sow_draw_whole(distribution, gain, call->tensor, call->draw, call->error);
}

/* "each of 4 matrices of 64 x 576", after the draw was made. */
static void tell_matrices(const struct sow_call *call, enum sow_matrix_form form, const char *law)
{
    struct sow_matrices matrices;
    char many[48] = "W";
    if (sow_tensor_matrices(call->tensor, form, &matrices, NULL) != SOW_OK) {
        return;
    }
    if (sow_matrices_count(&matrices) > 1) {
        snprintf(many, sizeof many, "each of %llu matrices W",
                 (unsigned long long)sow_matrices_count(&matrices));
    }
    const uint64_t rows = matrices.row.count, columns = matrices.column.count;
    const int is_placed = call->draw->distribution == SOW_IDENTITY ||
                          call->draw->distribution == SOW_HADAMARD; /* no vectors */
    sow_call_explain(call, "%s of %llu x %llu%s: %s%s; std of an element = %s", many,
                     (unsigned long long)rows, (unsigned long long)columns,
                     form == SOW_MATRIX_CENTRE && matrices.taps > 1 ? " in the middle tap" : "",
                     is_placed         ? ""
                     : rows == columns ? "rows and columns are "
                     : rows > columns  ? "columns are "
                                       : "rows are ",
                     law, sow_number_text(call->draw->std).text);
}

static enum sow_status draw_orthogonal(const struct sow_call *call,
                                       enum sow_distribution distribution)
{
    double gain = 0;
    char law[96];
    enum sow_status status = sow_call_gain(call, &gain);
    status = status == SOW_OK ? resolve_to(call, distribution, gain) : status;
    if (status == SOW_OK) {
        snprintf(law, sizeof law, "orthogonal vectors of length %s", sow_number_text(gain).text);
        tell_matrices(call, distribution == SOW_ORTHOGONAL ? SOW_MATRIX_FLAT : SOW_MATRIX_CENTRE,
                      law);
    }
    return status;
}

static enum sow_status orthogonal(const struct sow_call *call)
{
    return draw_orthogonal(call, SOW_ORTHOGONAL);
}

static enum sow_status delta_orthogonal(const struct sow_call *call)
{
    return draw_orthogonal(call, SOW_DELTA_ORTHOGONAL);
}

static enum sow_status identity(const struct sow_call *call)
{
    double gain = 0;
    char law[64];
    enum sow_status status = sow_call_number(call, "gain", &gain);
    status = status == SOW_OK ? resolve_to(call, SOW_IDENTITY, gain) : status;
    if (status == SOW_OK) {
        snprintf(law, sizeof law, "%s on the diagonal", sow_number_text(gain).text);
        tell_matrices(call, SOW_MATRIX_CENTRE, law);
    }
    return status;
}

static enum sow_status dirac(const struct sow_call *call)
{
    struct sow_matrices matrices;
    if (call->tensor != NULL &&
        sow_tensor_matrices(call->tensor, SOW_MATRIX_CENTRE, &matrices, NULL) == SOW_OK &&
        matrices.taps == 0) {
        return sow_fail(call->error, SOW_E_SHAPE,
                        "dirac is for convolutions, and this weight has no kernel; use identity");
    }
    return identity(call);
}

static enum sow_status zero_hadamard(const struct sow_call *call)
{
    double gain = 0;
    char law[96];
    struct sow_matrices matrices;
    enum sow_status status = sow_call_number(call, "gain", &gain);
    status = status == SOW_OK ? resolve_to(call, SOW_HADAMARD, gain) : status;
    if (status != SOW_OK ||
        sow_tensor_matrices(call->tensor, SOW_MATRIX_CENTRE, &matrices, NULL) != SOW_OK) {
        return status;
    }
    uint64_t p = 1;
    while (p < matrices.row.count && p <= UINT64_MAX / 2) {
        p *= 2;
    }
    if (matrices.row.count <= matrices.column.count) {
        snprintf(law, sizeof law, "%s on the diagonal", sow_number_text(gain).text);
    } else {
        snprintf(law, sizeof law, "+-%s / sqrt(%llu), signs of Hadamard's matrix",
                 sow_number_text(gain).text, (unsigned long long)p);
    }
    tell_matrices(call, SOW_MATRIX_CENTRE, law);
    return SOW_OK;
}

/* ---- Rows ----------------------------------------------------------------------------------- */

static const struct sow_scheme_parameter orthogonal_parameters[] = {
    {"gain", "1", "a number, the name of an activation, or exact, torch, nfnet, critical"},
    {"activation", "none", "the activation of such a gain"},
    {"slope", "0.01", "of leaky_relu"},
};

static const struct sow_scheme_parameter identity_parameters[] = {
    {"gain", "1", "the number on the diagonal"},
};

static const struct sow_scheme_parameter hadamard_parameters[] = {
    {"gain", "1", "a factor on all of it"},
};

static const char *const by_place[] = {"gain", NULL};

static const struct sow_scheme_row rows[] = {
    {
        .scheme =
            {
                .name = "orthogonal",
                .aliases = (const char *const[]){"orthogonal_", "Orthogonal",
                                                 "OrthogonalInitializer", NULL},
                .parameters = orthogonal_parameters,
                .parameter_count = 3,
                .positional = by_place,
                .formula = "W^T W = gain^2 I, or W W^T where W is wide; W is (out, rest)",
                .source = "Saxe, McClelland and Ganguli 2014; Haar's distribution by Stewart 1980",
                .summary = "keeps the length of every signal, not only on average: a turn, and "
                           "no stretching",
            },
        .resolve = orthogonal,
    },
    {
        .scheme =
            {
                .name = "delta_orthogonal",
                .aliases =
                    (const char *const[]){"DeltaOrthogonal", "ConvolutionDeltaOrthogonal", NULL},
                .parameters = orthogonal_parameters,
                .parameter_count = 3,
                .positional = by_place,
                .formula = "W[middle tap]^T W[middle tap] = gain^2 I, all other taps 0",
                .source = "Xiao, Bahri, Sohl-Dickstein, Schoenholz and Pennington 2018, "
                          "algorithm 2",
                .summary = "a convolution that is orthogonal as a map of images: odd kernels, and "
                           "no fewer outputs than inputs",
            },
        .resolve = delta_orthogonal,
    },
    {
        .scheme =
            {
                .name = "identity",
                .aliases =
                    (const char *const[]){"eye", "eye_", "Identity", "IdentityInitializer", NULL},
                .parameters = identity_parameters,
                .parameter_count = 1,
                .positional = by_place,
                .formula = "W = gain I; of a convolution: in its middle tap, all other taps 0",
                .source = "torch.nn.init.eye_; Le, Jaitly and Hinton 2015",
                .summary = "the signal as it is, times gain; without chance",
            },
        .resolve = identity,
    },
    {
        .scheme =
            {
                .name = "dirac",
                .aliases = (const char *const[]){"dirac_", "Dirac", NULL},
                .parameters = identity_parameters,
                .parameter_count = 1,
                .positional = by_place,
                .formula = "W[middle tap] = gain I in each group, all other taps 0",
                .source = "torch.nn.init.dirac_; Zagoruyko and Komodakis 2017",
                .summary = "a convolution that passes its channels on; the identity, for "
                           "convolutions only",
            },
        .resolve = dirac,
    },
    {
        .scheme =
            {
                .name = "zero_hadamard",
                .aliases = (const char *const[]){"ZerO", "ZerO_Init", "ZerO_Init_on_matrix", NULL},
                .parameters = hadamard_parameters,
                .parameter_count = 1,
                .positional = by_place,
                .formula = "W = gain I where outputs <= inputs; else W[i][j] = +-gain / sqrt(p), - "
                           "where i & j has an odd number of bits, p = 2^ceil(log2 outputs)",
                .source = "Zhao, Schaefer and Anandkumar 2021 (ZerO); "
                          "jiaweizzhao/ZerO-initialization",
                .summary = "ones and zeros, and a Hadamard matrix where a layer widens, so that "
                           "ranks may grow; without chance",
            },
        .resolve = zero_hadamard,
    },
};

const struct sow_scheme_family sow_scheme_whole = {rows, sizeof rows / sizeof rows[0]};
