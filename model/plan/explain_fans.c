/* SPDX-License-Identifier: MIT */
/* The fans of one tensor for a person: the true ones beside those that torch.nn.init and Keras would
 * take of its shape, why they differ, and by what factor the variance would be off. */
#include "model/plan/explain.h"
#include "core/base/elementary.h"
#include "core/base/number.h"

#include <math.h>
#include <string.h>

void sow_explain_two_fans(struct sow_sheet *sheet, double in, double out)
{
    sow_plan_text_add(&sheet->line, "fan_in ");
    sow_plan_text_add(&sheet->line, isnan(in) ? "differs" : sow_number_text(in).text);
    sow_plan_text_add(&sheet->line, ", fan_out ");
    sow_plan_text_add(&sheet->line, isnan(out) ? "differs" : sow_number_text(out).text);
}

static int has_axis(const struct sow_tensor *tensor, enum sow_axis axis)
{
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (sow_tensor_axis(tensor, i) == axis) {
            return 1;
        }
    }
    return 0;
}

/* In words; the first that holds. */
static const char *why_it_differs(const struct sow_tensor *tensor,
                                  const struct sow_resolution *resolution, enum sow_fan_rule rule)
{
    int torch = rule == SOW_FAN_TORCH;
    enum sow_axis first = sow_tensor_axis(tensor, 0);
    if (tensor->kind == SOW_KIND_EMBEDDING) {
        return torch ? "it counts rows as outputs, but a row is looked up"
                     : "it counts rows as inputs, but a row is looked up";
    }
    if (tensor->kind == SOW_KIND_CONV_TRANSPOSE) {
        return tensor->groups > 1
                   ? "it takes the inputs for the outputs, and leaves groups and stride out"
               : tensor->stride > 1
                   ? "it takes the inputs for the outputs, and leaves the stride out"
                   : "it takes the inputs for the outputs";
    }
    if (has_axis(tensor, SOW_AXIS_EACH)) {
        return tensor->kind == SOW_KIND_CONV
                   ? "it takes depthwise channels, each with its own kernel, for inputs of one"
                   : "it takes the axis of stacked weights for a part of each";
    }
    if (tensor->layout == SOW_LAYOUT_AXES && tensor->kind == SOW_KIND_LINEAR) {
        return "it takes an axis of heads for the size of a kernel";
    }
    if (torch && first != SOW_AXIS_OUT && first != SOW_AXIS_NONE) {
        return "it takes axis 0 for the outputs";
    }
    if (resolution->blocks.count > 0) {
        return "it sees one matrix where there are blocks";
    }
    return tensor->groups > 1 && tensor->stride > 1 ? "it leaves groups and stride out of fan_out"
           : tensor->groups > 1                     ? "it leaves the groups out of fan_out"
           : tensor->stride > 1                     ? "it leaves the stride out of fan_out"
                                                    : "it counts otherwise";
}

static double fan_of_mode(const char *mode, double in, double out)
{
    return strcmp(mode, "fan_in") == 0    ? in
           : strcmp(mode, "fan_out") == 0 ? out
           : strcmp(mode, "fan_avg") == 0 ? (in + out) / 2
                                          : sow_sqrt(in * out);
}

/* "; with its fan_avg the variance is 0.5 of the true one": by the scheme's mode, else by fan_in. */
static void put_factor(struct sow_sheet *sheet, const struct sow_plan_entry *entry,
                       const struct sow_resolution *resolution, const struct sow_fans *theirs)
{
    const char *mode = resolution->details != NULL ? resolution->details[0].mode : NULL;
    mode = mode != NULL ? mode : "fan_in";
    double lowest = INFINITY, highest = 0, n = fan_of_mode(mode, theirs->in, theirs->out);
    size_t count = isnan(entry->fan_in) || isnan(entry->fan_out) ? entry->region_count : 0;
    for (size_t i = 0; i < (count > 0 ? count : 1); i++) {
        double in = count > 0 ? entry->regions[i].fan_in : entry->fan_in;
        double out = count > 0 ? entry->regions[i].fan_out : entry->fan_out;
        double factor = fan_of_mode(mode, in, out) / n;
        if (!isnan(factor)) {
            lowest = factor < lowest ? factor : lowest;
            highest = factor > highest ? factor : highest;
        }
    }
    if (highest == 0) {
        return;
    }
    sow_plan_text_format(&sheet->line, "; with its %s the variance is %s", mode,
                         lowest == 1 && highest == 1 ? "the same" : sow_number_text(lowest).text);
    if (lowest != highest) {
        sow_plan_text_format(&sheet->line, " to %s", sow_number_text(highest).text);
    }
    if (lowest != 1 || highest != 1) {
        sow_plan_text_add(&sheet->line, " of the true one");
    }
}

static void put_theirs(struct sow_sheet *sheet, const struct sow_plan_entry *entry,
                       const struct sow_resolution *resolution, enum sow_fan_rule rule)
{
    struct sow_fans theirs;
    if (sow_tensor_fans_by(&entry->tensor, rule, &theirs, NULL) != SOW_OK ||
        (theirs.in == entry->fan_in && theirs.out == entry->fan_out)) {
        return;
    }
    sow_plan_text_format(&sheet->line, "; %s would take ",
                         rule == SOW_FAN_TORCH ? "torch.nn.init" : "keras.initializers");
    sow_explain_two_fans(sheet, theirs.in, theirs.out);
    sow_plan_text_format(&sheet->line, ": %s", why_it_differs(&entry->tensor, resolution, rule));
    put_factor(sheet, entry, resolution, &theirs);
}

void sow_explain_fans(struct sow_sheet *sheet, const struct sow_plan_entry *entry,
                      const struct sow_resolution *resolution)
{
    const struct sow_tensor *tensor = &entry->tensor;
    if (resolution == NULL || (isnan(entry->fan_in) && isnan(entry->fan_out))) {
        return;
    }
    sow_explain_two_fans(sheet, entry->fan_in, entry->fan_out);
    sow_plan_text_add(&sheet->line, resolution->blocks.count > 0 ? ", of each block" : "");
    put_theirs(sheet, entry, resolution, SOW_FAN_TORCH);
    /* Keras' function reads the axes from the last: of a weight in torch's order it says nothing. */
    if (tensor->layout != SOW_LAYOUT_OUT_IN &&
        sow_tensor_axis(tensor, tensor->rank - 1) != SOW_AXIS_KERNEL) {
        put_theirs(sheet, entry, resolution, SOW_FAN_KERAS);
    }
    sow_sheet_row(sheet, "fans");
}
