/* SPDX-License-Identifier: MIT */
/* Parameter + rule -> numbers: the scheme on the tensor's shape, or on the shape of each block of a
 * fused weight, and zero rows. Knows no file and no order of tensors. */
#include "model/plan/resolve.h"
#include "model/plan/fields.h"
#include "core/base/checked.h"
#include "core/base/error.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LIST_SHOWN 8 /* numbers of a list in a scheme's text */

static enum sow_status out_of_memory(struct sow_error *error)
{
    return sow_fail(error, SOW_E_MEMORY, "out of memory while making the plan");
}

static int number_equal(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void fans_of(const struct sow_tensor *tensor, double *fan_in, double *fan_out)
{
    struct sow_fans fans = {NAN, NAN};
    if (tensor->rank < 2 || sow_tensor_fans(tensor, &fans, NULL) != SOW_OK) {
        fans.in = fans.out = NAN;
    }
    *fan_in = fans.in;
    *fan_out = fans.out;
}

/* The catalogue's answer, its errors told with the tensor and the rule. */
static enum sow_status resolve_scheme(const struct sow_parameter *parameter,
                                      const struct sow_tensor *tensor,
                                      const struct sow_rule_match *match, struct sow_draw *draw,
                                      struct sow_scheme_detail *detail, struct sow_error *error)
{
    struct sow_error inner = {0};
    enum sow_status status = sow_scheme_resolve_detail(
        match->scheme, match->arguments, match->argument_count, tensor, draw, detail, &inner);
    if (status == SOW_OK) {
        return SOW_OK;
    }
    int typed = match->file != NULL &&
                (strcmp(match->file, "--set") == 0 || strcmp(match->file, "--scheme") == 0);
    if (status == SOW_E_ARGUMENT && !typed) {
        status = SOW_E_RULE;
    }
    return sow_fail_at(error, status, match->file, match->line, 0,
                       "%s (rule `%s`, for tensor `%s`)", inner.message, match->glob,
                       parameter->name);
}

/* A scheme of rows on a tensor that has another claim on its regions. */
static enum sow_status fail_rows(const struct sow_parameter *parameter,
                                 const struct sow_rule_match *match, const char *why,
                                 struct sow_error *error)
{
    return sow_fail_at(error, SOW_E_RULE, match->file, match->line, 0,
                       "%s gives `%s` a number for each row, and %s (rule `%s`)", match->scheme,
                       parameter->name, why, match->glob);
}

/* Rows with a number each, equal neighbours as one region. One number for all is no region. */
static enum sow_status resolve_rows(struct sow_resolver *resolver,
                                    const struct sow_scheme_detail *detail,
                                    struct sow_resolution *made, struct sow_error *error)
{
    size_t runs = 0;
    for (size_t row = 0; row < detail->rows; row++) {
        runs +=
            row == 0 || !number_equal(sow_scheme_row(detail, row), sow_scheme_row(detail, row - 1));
    }
    if (runs == 1) {
        return SOW_OK;
    }
    made->regions = sow_arena_take(&resolver->plan->arena, runs * sizeof *made->regions);
    if (made->regions == NULL) {
        return out_of_memory(error);
    }
    enum sow_status status = SOW_OK;
    for (size_t row = 0; row < detail->rows && status == SOW_OK; row++) {
        double value = sow_scheme_row(detail, row);
        struct sow_region *last = &made->regions[made->region_count];
        if (row > 0 && number_equal(value, last[-1].draw.mean)) {
            last[-1].end = row + 1;
            continue;
        }
        *last = (struct sow_region){.begin = row, .end = row + 1, .fan_in = NAN, .fan_out = NAN};
        status = sow_draw_constant(value, &last->draw, error);
        made->region_count++;
    }
    return status;
}

static enum sow_status check_blocks(const struct sow_parameter *parameter, struct sow_error *error)
{
    const struct sow_blocks *blocks = &parameter->blocks;
    if (blocks->axis >= parameter->tensor->rank) {
        return sow_fail_at(error, SOW_E_SHAPE, parameter->file, parameter->line, 0,
                           "`%s` has blocks on axis %" PRIu32 " but only %" PRIu32 " axes",
                           parameter->name, blocks->axis, parameter->tensor->rank);
    }
    uint64_t sum = 0, size = parameter->tensor->shape[blocks->axis];
    for (uint32_t i = 0; i < blocks->count; i++) {
        if (sow_add_u64(sum, blocks->sizes[i], &sum)) {
            sum = UINT64_MAX;
        }
    }
    if (sum != size) {
        return sow_fail_at(error, SOW_E_SHAPE, parameter->file, parameter->line, 0,
                           "the blocks of `%s` add up to %" PRIu64 " but its axis %" PRIu32
                           " has %" PRIu64,
                           parameter->name, sum, blocks->axis, size);
    }
    return SOW_OK;
}

/* Each block as a matrix of its own. Blocks that all come out the same are one draw and no region. */
static enum sow_status resolve_blocks(struct sow_resolver *resolver,
                                      const struct sow_parameter *parameter,
                                      const struct sow_rule_match *match,
                                      struct sow_resolution *made, struct sow_error *error)
{
    const struct sow_blocks *blocks = &parameter->blocks;
    size_t count = blocks->count;
    struct sow_region *regions =
        sow_arena_take(&resolver->plan->arena, (count + 1) * sizeof *regions);
    struct sow_scheme_detail *details =
        sow_arena_take(&resolver->plan->arena, count * sizeof *details);
    uint64_t *sizes = sow_arena_take(&resolver->plan->arena, count * sizeof *sizes);
    if (regions == NULL || details == NULL || sizes == NULL) {
        return out_of_memory(error);
    }
    uint64_t begin = 0;
    uint32_t kept = 0;
    int alike = 1;
    for (size_t i = 0; i < count; i++) {
        struct sow_tensor block = *parameter->tensor;
        struct sow_region *region = &regions[kept];
        block.packed_axis = blocks->axis;
        block.packed = block.shape[blocks->axis];
        snprintf(block.gates, sizeof block.gates, "%s", blocks->gates == NULL ? "" : blocks->gates);
        block.gate = (uint32_t)i;
        block.packed_begin = begin;
        block.shape[blocks->axis] = sizes[i] = blocks->sizes[i];
        if (sizes[i] == 0) {
            continue;
        }
        enum sow_status status =
            resolve_scheme(parameter, &block, match, &region->draw, &details[kept], error);
        if (status != SOW_OK) {
            return status;
        }
        if (details[kept].rows > 0) {
            return fail_rows(parameter, match, "its blocks are resolved one by one", error);
        }
        region->axis = blocks->axis;
        region->begin = begin;
        region->end = begin += sizes[i];
        fans_of(&block, &region->fan_in, &region->fan_out);
        alike = alike && sow_draw_equal(&region->draw, &regions[0].draw) &&
                !sow_draw_is_whole(&region->draw); /* a matrix a block */
        made->fan_in = kept == 0 || made->fan_in == region->fan_in ? region->fan_in : NAN;
        made->fan_out = kept == 0 || made->fan_out == region->fan_out ? region->fan_out : NAN;
        kept++;
    }
    if (kept == 0) {
        return sow_fail_at(error, SOW_E_SHAPE, parameter->file, parameter->line, 0,
                           "all blocks of `%s` are empty", parameter->name);
    }
    made->blocks = (struct sow_blocks){
        blocks->axis, blocks->count, sizes,
        blocks->gates != NULL ? sow_plan_share(resolver->plan, blocks->gates) : NULL};
    made->draw = regions[0].draw;
    made->regions = regions;
    made->region_count = alike ? 0 : kept;
    made->details = details;
    made->detail_count = alike ? 1 : kept;
    return SOW_OK;
}

static enum sow_status resolve_whole(struct sow_resolver *resolver,
                                     const struct sow_parameter *parameter,
                                     const struct sow_rule_match *match,
                                     struct sow_resolution *made, struct sow_error *error)
{
    struct sow_scheme_detail *detail = sow_arena_take(&resolver->plan->arena, sizeof *detail);
    struct sow_region *region = NULL;
    if (parameter->zero_row >= 0) {
        region = sow_arena_take(&resolver->plan->arena, sizeof *region);
    }
    if (detail == NULL || (parameter->zero_row >= 0 && region == NULL)) {
        return out_of_memory(error);
    }
    made->regions = region;
    made->details = detail;
    made->detail_count = 1;
    fans_of(parameter->tensor, &made->fan_in, &made->fan_out);
    enum sow_status status =
        resolve_scheme(parameter, parameter->tensor, match, &made->draw, detail, error);
    if (status != SOW_OK || detail->rows == 0) {
        return status;
    }
    status = parameter->zero_row >= 0 ? fail_rows(parameter, match, "one row is padding", error)
                                      : resolve_rows(resolver, detail, made, error);
    detail->weights = NULL; /* the rule's, gone before the plan */
    return status;
}

/* Keras' GRU keeps two biases as the rows of one tensor; they are added, so that only the first may have
 * one that sets gates. Room for the region is there. */
static enum sow_status keep_one_row_of_gates(const struct sow_parameter *parameter,
                                             struct sow_resolution *made, struct sow_error *error)
{
    const struct sow_scheme *scheme = made->details[0].scheme;
    const struct sow_tensor *tensor = parameter->tensor;
    struct sow_draw zero;
    if (scheme == NULL || !scheme->sets_gates || tensor->rank != 2 || made->region_count == 0) {
        return SOW_OK;
    }
    enum sow_status status = sow_draw_constant(0, &zero, error);
    made->regions[made->region_count++] =
        (struct sow_region){0, 1, tensor->shape[0], zero, NAN, NAN};
    return status;
}

/* The padding row: zeros over whatever was drawn. Room for its region is there. */
static enum sow_status resolve_zero_row(const struct sow_parameter *parameter,
                                        struct sow_resolution *made, struct sow_error *error)
{
    const struct sow_tensor *tensor = parameter->tensor;
    uint64_t row = (uint64_t)parameter->zero_row;
    if (tensor->rank == 0 || row >= tensor->shape[0]) {
        return sow_fail_at(error, SOW_E_SHAPE, parameter->file, parameter->line, 0,
                           "row %" PRIu64 " of `%s` should start as zeros but it has %" PRIu64
                           " rows",
                           row, parameter->name, tensor->rank == 0 ? 0 : tensor->shape[0]);
    }
    struct sow_draw zero;
    enum sow_status status = sow_draw_constant(0, &zero, error);
    if (status != SOW_OK) {
        return status;
    }
    made->zero_row = parameter->zero_row;
    if (made->region_count > 0 || !sow_draw_equal(&made->draw, &zero)) {
        made->regions[made->region_count++] = (struct sow_region){0, row, row + 1, zero, NAN, NAN};
    }
    return SOW_OK;
}

/* "{0.5, 0.25, 0.25}"; a long one is cut short. */
static void list_text(struct sow_plan_text *text, const struct sow_argument *argument)
{
    size_t shown = argument->list_count <= LIST_SHOWN ? argument->list_count : LIST_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        sow_plan_text_add(text, i == 0 ? "{" : ", ");
        sow_plan_text_number(text, argument->list[i]);
    }
    if (shown < argument->list_count) {
        sow_plan_text_format(text, ", ... %zu in all", argument->list_count);
    }
    sow_plan_text_add(text, "}");
}

/* "he_normal{gain=1.5, mode="fan_out"}" with the catalogue's own name. */
static void scheme_text(struct sow_plan_text *text, const char *name,
                        const struct sow_rule_match *match)
{
    sow_plan_text_add(text, name);
    for (size_t i = 0; i < match->argument_count; i++) {
        const struct sow_argument *argument = &match->arguments[i];
        sow_plan_text_format(text, "%s%s=", i == 0 ? "{" : ", ", argument->name);
        if (argument->list != NULL) {
            list_text(text, argument);
        } else if (argument->text != NULL) {
            sow_plan_text_json(text, argument->text);
        } else {
            sow_plan_text_number(text, argument->number);
        }
    }
    sow_plan_text_add(text, match->argument_count > 0 ? "}" : "");
}

/* The rule's words, then the numbers. */
static void reason_text(struct sow_plan_text *text, const struct sow_resolution *made,
                        const struct sow_rule_match *match)
{
    if (match->reason != NULL && match->reason[0] != '\0') {
        sow_plan_text_format(text, "%s; ", match->reason);
    }
    sow_plan_text_format(text, "%s: %s", made->scheme_text, made->details[0].formula_with_numbers);
    for (uint32_t i = 1; i < made->detail_count; i++) {
        sow_plan_text_format(text, " | %s", made->details[i].formula_with_numbers);
    }
    if (made->blocks.count > 0) {
        sow_plan_text_format(text, "; each of %" PRIu32 " blocks on axis %" PRIu32 " on its own",
                             made->blocks.count, made->blocks.axis);
    }
    if (made->zero_row >= 0) {
        sow_plan_text_format(text, "; padding row %" PRId64 " is zeros", made->zero_row);
    }
}

static const char *variant_source(const struct sow_model *model, const char *name)
{
    const struct sow_variant *variant;
    for (size_t i = 0; name != NULL && (variant = sow_model_variant(model, i)) != NULL; i++) {
        if (strcmp(variant->name, name) == 0) {
            return variant->source;
        }
    }
    return NULL;
}

/* The config's fields that the rule speaks of. */
static const char *fields_text(struct sow_resolver *resolver, const struct sow_rule_match *match,
                               int has_zero_row)
{
    struct sow_plan_text words = {0}, fields = {0};
    sow_plan_text_format(&words, "%s %s %s", match->text == NULL ? "" : match->text,
                         match->reason == NULL ? "" : match->reason,
                         has_zero_row ? "pad_token_id" : "");
    if (!words.failed) {
        sow_plan_fields(resolver->model, words.bytes, &fields);
    }
    int failed = words.failed || fields.failed;
    const char *kept = failed ? NULL : sow_plan_share(resolver->plan, fields.bytes);
    sow_plan_text_free(&words);
    sow_plan_text_free(&fields);
    return kept;
}

static enum sow_status resolve_words(struct sow_resolver *resolver,
                                     const struct sow_parameter *parameter,
                                     const struct sow_rule_match *match,
                                     struct sow_resolution *made, struct sow_error *error)
{
    struct sow_plan *plan = resolver->plan;
    const struct sow_scheme *row = made->details[0].scheme;
    struct sow_plan_text text = {0}, reason = {0};
    made->scheme = row != NULL ? row->name : sow_plan_share(plan, match->scheme);
    made->rule = sow_plan_share(plan, match->glob);
    made->rule_file = sow_plan_share(plan, match->file);
    made->rule_line = match->line;
    made->rule_text = sow_plan_share(plan, match->text);
    made->variant = sow_plan_share(plan, match->variant);
    made->variant_source = sow_plan_share(plan, variant_source(resolver->model, match->variant));
    made->why = sow_plan_share(plan, match->reason);
    made->fields = fields_text(resolver, match, parameter->zero_row >= 0);
    made->role = sow_plan_share(plan, parameter->role);
    made->declared_file = sow_plan_share(plan, parameter->file);
    made->declared_line = parameter->line;
    made->layer_count = parameter->layer_count;
    made->tensor = *parameter->tensor;
    if (made->scheme != NULL) {
        scheme_text(&text, made->scheme, match);
        made->scheme_text = sow_plan_share(plan, text.bytes);
    }
    if (made->scheme_text != NULL) {
        reason_text(&reason, made, match);
        made->reason = sow_plan_share(plan, reason.bytes);
    }
    int failed = text.failed || reason.failed || made->scheme_text == NULL ||
                 made->reason == NULL || made->rule == NULL || made->rule_file == NULL ||
                 made->rule_text == NULL || made->variant == NULL || made->variant_source == NULL ||
                 made->role == NULL || made->why == NULL || made->fields == NULL ||
                 made->declared_file == NULL;
    sow_plan_text_free(&text);
    sow_plan_text_free(&reason);
    return failed ? out_of_memory(error) : SOW_OK;
}

enum sow_status sow_resolve(struct sow_resolver *resolver, const struct sow_parameter *parameter,
                            const struct sow_rule_match *match, struct sow_resolution *made,
                            struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    struct sow_parameter drawn = *parameter;
    if (match->padding_drawn) {
        drawn.zero_row = -1;
        parameter = &drawn;
    }
    made->zero_row = -1;
    if (parameter->blocks.count > 0) {
        status = check_blocks(parameter, error);
        status =
            status != SOW_OK ? status : resolve_blocks(resolver, parameter, match, made, error);
        status = status != SOW_OK ? status : keep_one_row_of_gates(parameter, made, error);
    } else {
        status = resolve_whole(resolver, parameter, match, made, error);
    }
    if (status == SOW_OK && parameter->zero_row >= 0) {
        status = resolve_zero_row(parameter, made, error);
    }
    return status != SOW_OK ? status : resolve_words(resolver, parameter, match, made, error);
}
