/* SPDX-License-Identifier: MIT */
/* One weight after another: loaded, taken as a matrix with the fewer rows, its Gram matrix where that is small, and the
 * largest singular value. */
#include "sow/spectra.h"

#include <math.h> /* NAN: a macro */
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/linalg/whole.h"
#include "model/signal/measure/lanczos.h"
#include "model/signal/measure/machine.h"
#include "model/signal/measure/spectrum.h"
#include "model/signal/measure/weights.h"

#define GRAM_MAX   1024u  /* rows */
#define OPERATIONS 1e13   /* some minutes on two cores, as in sample.c */
#define OF_WEIGHT  250.0  /* of an element: drawing it */
#define OF_ROW     20.0   /* for each row of a Gram matrix */
#define OF_STEPS   7500.0 /* some hundred products with a vector, there and back */

struct found {
    struct sow_spectra spectra; /* first: what the caller holds */
    struct sow_spectrum_of_weight *weights;
    char *names;
};

struct run {
    const struct sow_plan *plan;
    const struct sow_measure_options *options;
    const struct sow_weights *weights;
    struct sow_team *team;
    uint64_t ceiling;
};

/* Outputs by all else, of a transposed convolution all else by inputs: there outputs and taps are summed over. 0 for what
 * is no matrix of a layer. */
static int matrix_of(const struct sow_plan_entry *entry, uint64_t *outputs, uint64_t *inputs)
{
    const struct sow_tensor *tensor = &entry->tensor;
    int is_conv = tensor->kind == SOW_KIND_CONV, is_back = tensor->kind == SOW_KIND_CONV_TRANSPOSE;
    uint64_t out = 1, in = 1;
    if (tensor->rank < 2 || entry->elements == 0 ||
        (!is_conv && !is_back && tensor->kind != SOW_KIND_LINEAR)) {
        return 0;
    }
    for (uint32_t i = 0; i < tensor->rank; i++) {
        enum sow_axis axis = sow_tensor_axis(tensor, i);
        if (axis == SOW_AXIS_NONE || (axis == SOW_AXIS_EACH && !is_conv)) {
            return 0;
        }
        out *= axis == SOW_AXIS_OUT || axis == SOW_AXIS_EACH ? tensor->shape[i] : 1;
        in *= axis == SOW_AXIS_IN ? tensor->shape[i] : 1;
    }
    *outputs = is_back ? entry->elements / in : out;
    *inputs = is_back ? in : entry->elements / out;
    return 1;
}

/* Rows as they are loaded: a convolution's are its outputs, a transposed one's its inputs, whatever the layout. */
static uint64_t stored_rows(const struct sow_plan_entry *entry, uint64_t outputs, uint64_t inputs)
{
    const struct sow_tensor *tensor = &entry->tensor;
    int by_outputs = tensor->kind == SOW_KIND_CONV || (tensor->kind == SOW_KIND_LINEAR &&
                                                       sow_tensor_axis(tensor, 0) == SOW_AXIS_OUT);
    return by_outputs ? outputs : inputs;
}

static void expect(const struct sow_plan_entry *entry, struct sow_spectrum_of_weight *weight)
{
    const struct sow_tensor *tensor = &entry->tensor;
    double mean, std, out = (double)weight->outputs, in = (double)weight->inputs;
    double most = out > in ? out : in;
    weight->norm_expected = weight->gain = NAN;
    if (entry->region_count > 0) {
        return;
    }
    if (sow_draw_is_whole(&entry->draw)) { /* orthogonal, delta-orthogonal, the identity */
        double gain = sow_whole_is_isometric(tensor, &entry->draw) ? entry->draw.gain : NAN;
        weight->norm_expected = weight->gain = gain < 0 ? -gain : gain;
        return;
    }
    sow_draw_moments(&entry->draw, &mean, &std);
    weight->gain = sow_sqrt(most * (mean * mean + std * std));
    if (std == 0) {
        weight->norm_expected = sow_sqrt(out * in) * (mean < 0 ? -mean : mean);
    } else if (mean == 0) {
        weight->norm_expected = std * (sow_sqrt(out) + sow_sqrt(in));
    }
}

/* Of g I taken off a Gram matrix what is largest. */
static double distance_from(const double *gram, uint64_t n, double square)
{
    double largest = 0;
    for (uint64_t i = 0; i < n; i++) {
        for (uint64_t k = 0; k <= i; k++) {
            double off = gram[i * n + k] - (i == k ? square : 0);
            off = off < 0 ? -off : off;
            largest = off > largest ? off : largest;
        }
    }
    return largest;
}

/* So that there are no more rows than columns, for a Gram matrix. */
static enum sow_status turn(struct sow_matrix *matrix, float **numbers, struct sow_error *error)
{
    float *to = malloc(matrix->rows * matrix->columns * sizeof *to);
    if (to == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    for (uint64_t i = 0; i < matrix->rows; i++) {
        for (uint64_t k = 0; k < matrix->columns; k++) {
            to[k * matrix->rows + i] = (*numbers)[i * matrix->columns + k];
        }
    }
    free(*numbers);
    *numbers = to;
    *matrix = (struct sow_matrix){to, NULL, matrix->columns, matrix->rows};
    return SOW_OK;
}

static enum sow_status measure_one(const struct run *run, size_t index,
                                   struct sow_spectrum_of_weight *weight, struct sow_error *error)
{
    const struct sow_plan_entry *entry = sow_plan_at(run->plan, index);
    uint64_t rows = stored_rows(entry, weight->outputs, weight->inputs);
    struct sow_matrix matrix = {NULL, NULL, rows, entry->elements / rows};
    int turns = rows > matrix.columns && matrix.columns <= GRAM_MAX;
    uint64_t bytes = (1 + (uint64_t)turns) * entry->elements * sizeof(float);
    if (bytes > run->ceiling) {
        return sow_fail(error, SOW_E_MEMORY,
                        "the spectrum of %.200s takes %.3g GB, and %.3g GB are allowed; allow more "
                        "(--memory)",
                        entry->name, (double)bytes / 1e9, (double)run->ceiling / 1e9);
    }
    float *numbers = malloc(entry->elements * sizeof *numbers);
    double *gram = NULL;
    enum sow_status status = numbers != NULL
                                 ? sow_weights_load(run->weights, run->team, index,
                                                    sow_plan_seed(run->plan), numbers, error)
                                 : sow_fail(error, SOW_E_MEMORY, "out of memory");
    matrix.at = numbers;
    if (status == SOW_OK && turns) {
        status = turn(&matrix, &numbers, error);
    }
    if (status == SOW_OK && matrix.rows <= GRAM_MAX) {
        matrix.gram = gram = sow_gram_of(run->team, matrix.at, matrix.rows, matrix.columns);
    }
    if (status == SOW_OK) {
        weight->norm = sow_largest_singular(run->team, &matrix);
        weight->orthogonality_error =
            gram != NULL ? distance_from(gram, matrix.rows, weight->gain * weight->gain) : NAN;
        weight->orthogonality_error = isnan(weight->gain) ? NAN : weight->orthogonality_error;
    }
    free(gram);
    free(numbers);
    return status == SOW_OK && sow_team_stopped(run->team)
               ? sow_fail(error, SOW_E_INTERRUPTED, "interrupted")
               : status;
}

/* ---- Which layers ---- */

/* Of `taken` layers, spread from the first to the last, one is `layer`; what is in no layer is always there. */
static int is_taken(int32_t layer, uint32_t taken, uint32_t all)
{
    if (layer < 0 || taken >= all) {
        return 1;
    }
    if (taken <= 1) {
        return layer == 0;
    }
    /* the k-th taken is layer floor(k (all - 1) / (taken - 1)) */
    uint64_t k = ((uint64_t)layer * (taken - 1) + all - 2) / (all - 1);
    return k * (all - 1) / (taken - 1) == (uint64_t)layer;
}

/* Drawing, and products of the matrix with a vector or with itself, in operations as of sample.c: one is 20 ps. */
static double cost_of(const struct sow_plan_entry *entry, uint64_t outputs, uint64_t inputs)
{
    double least = (double)(outputs < inputs ? outputs : inputs);
    double of_element = least <= GRAM_MAX ? OF_ROW * least : OF_STEPS;
    return (OF_WEIGHT + of_element) * (double)entry->elements;
}

static double cost_of_layers(const struct sow_plan *plan, uint32_t taken, uint32_t all)
{
    double sum = 0;
    for (size_t i = 0; i < sow_plan_count(plan); i++) {
        const struct sow_plan_entry *entry = sow_plan_at(plan, i);
        uint64_t outputs, inputs;
        if (is_taken(entry->layer, taken, all) && matrix_of(entry, &outputs, &inputs)) {
            sum += cost_of(entry, outputs, inputs);
        }
    }
    return sum;
}

static void choose_layers(const struct run *run, struct sow_spectra *spectra)
{
    uint32_t all = 0, asked = run->options->layers, low = 1, high;
    for (size_t i = 0; i < sow_plan_count(run->plan); i++) {
        int32_t layer = sow_plan_at(run->plan, i)->layer;
        all = layer >= 0 && (uint32_t)layer >= all ? (uint32_t)layer + 1 : all;
    }
    high = all;
    spectra->operations_all = cost_of_layers(run->plan, all, all);
    while (asked == 0 && low < high && spectra->operations_all > OPERATIONS) {
        uint32_t middle = high - (high - low) / 2;
        if (cost_of_layers(run->plan, middle, all) <= OPERATIONS) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    spectra->layers_all = all;
    spectra->layers = asked > 0 && asked < all                             ? asked
                      : asked == 0 && spectra->operations_all > OPERATIONS ? (low < all ? low : all)
                                                                           : all;
    spectra->operations = cost_of_layers(run->plan, spectra->layers, all);
}

/* ---- The call ---- */

static enum sow_status run_all(const struct run *run, struct found *found, struct sow_error *error)
{
    const struct sow_measure_options *options = run->options;
    size_t entries = sow_plan_count(run->plan), bytes = 1;
    double done = 0;
    for (size_t i = 0; i < entries; i++) {
        bytes += strlen(sow_plan_at(run->plan, i)->name) + 1;
    }
    found->weights = calloc(entries + 1, sizeof *found->weights);
    char *to = found->names = malloc(bytes);
    if (found->weights == NULL || to == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < entries; i++) {
        const struct sow_plan_entry *entry = sow_plan_at(run->plan, i);
        struct sow_spectrum_of_weight *weight = &found->weights[found->spectra.count];
        if (options->interrupted != NULL && *options->interrupted != 0) {
            return sow_fail(error, SOW_E_INTERRUPTED, "interrupted");
        }
        if (options->progress != NULL) { /* by what they cost */
            options->progress(options->progress_user, (uint64_t)(done / 1e6),
                              (uint64_t)(found->spectra.operations / 1e6) + 1);
        }
        if (!is_taken(entry->layer, found->spectra.layers, found->spectra.layers_all) ||
            !matrix_of(entry, &weight->outputs, &weight->inputs)) {
            continue;
        }
        weight->name = memcpy(to, entry->name, strlen(entry->name) + 1);
        to += strlen(entry->name) + 1;
        expect(entry, weight);
        enum sow_status status = measure_one(run, i, weight, error);
        if (status != SOW_OK) {
            return status;
        }
        done += cost_of(entry, weight->outputs, weight->inputs);
        found->spectra.count++;
    }
    return SOW_OK;
}

enum sow_status sow_spectra_measure(const struct sow_plan *plan,
                                    const struct sow_measure_options *options,
                                    struct sow_spectra **spectra, struct sow_error *error)
{
    static const struct sow_measure_options defaults;
    struct run run = {.plan = plan, .options = options != NULL ? options : &defaults};
    struct found *found = calloc(1, sizeof *found);
    struct sow_weights *weights = NULL;
    double begin = sow_clock();
    *spectra = NULL;
    if (found == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    run.ceiling = sow_memory_ceiling(run.options->memory_bytes);
    enum sow_status status = sow_weights_open(plan, run.options->weights, &weights, error);
    if (status == SOW_OK) {
        sow_weights_interrupt(weights, run.options->interrupted);
    }
    run.weights = weights;
    status = status == SOW_OK ? sow_team_new(run.options->threads, 0, &run.team, error) : status;
    if (status == SOW_OK) {
        sow_team_interrupt(run.team, run.options->interrupted);
        choose_layers(&run, &found->spectra);
    }
    status = status == SOW_OK ? run_all(&run, found, error) : status;
    sow_team_free(run.team);
    sow_weights_free(weights);
    found->spectra.weights = found->weights;
    found->spectra.seconds = sow_clock() - begin;
    if (status == SOW_OK || (status == SOW_E_INTERRUPTED && found->spectra.count > 0)) {
        *spectra = &found->spectra;
    } else {
        sow_spectra_free(&found->spectra);
    }
    return status;
}

void sow_spectra_free(struct sow_spectra *spectra)
{
    struct found *found = (struct found *)(void *)spectra; /* its first member */
    if (found != NULL) {
        free(found->weights);
        free(found->names);
        free(found);
    }
}
