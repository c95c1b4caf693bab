/* SPDX-License-Identifier: MIT */
/* One tensor of a plan for a person: what it is, which rule claimed it, the formula with its numbers and
 * where each came from, where its values come from, and the first of them. Rows of a label and a text,
 * wrapped at 100 columns; no colour. */
#include "core/kernel/map.h"
#include "model/plan/explain.h"
#include "model/plan/whole.h"
#include "core/base/error.h"
#include "model/plan/value.h"
#include "model/recipe/rule.h"
#include "core/base/number.h"
#include "core/tensor/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_VALUES 8
#define WHOLE_MAX    2e10 /* operations, for values that are only looked at: some seconds */
#define BLOCKS_SHOWN 8

/* What explain looks at. */
struct subject {
    const struct sow_plan *plan;
    const struct sow_plan_entry *entry;
    const struct sow_resolution *resolution; /* NULL in a plan from a record */
    const unsigned char *whole;              /* all values, of a tensor that is drawn as a whole */
};

static void put_tensor(struct sow_sheet *sheet, const struct subject *subject);
static void put_rule(struct sow_sheet *sheet, const struct subject *subject);
static void put_notes(struct sow_sheet *sheet, const struct subject *subject);
static void put_scheme(struct sow_sheet *sheet, const struct subject *subject);
static void put_draws(struct sow_sheet *sheet, const struct subject *subject);
static void put_dtype(struct sow_sheet *sheet, const struct subject *subject);
static void put_stream(struct sow_sheet *sheet, const struct subject *subject);
static void put_values(struct sow_sheet *sheet, const struct subject *subject);

/* All values of a tensor that has none of its own, if that does not take long; else, and of others, NULL. */
static enum sow_status draw_whole(const struct subject *subject, unsigned char **whole,
                                  struct sow_error *error)
{
    const struct sow_plan_entry *entry = subject->entry;
    if (!sow_plan_is_whole(entry) || sow_plan_drawing_operations(entry) > WHOLE_MAX) {
        return SOW_OK;
    }
    *whole = malloc(entry->bytes > 0 ? entry->bytes : 1);
    return *whole == NULL
               ? sow_fail(error, SOW_E_MEMORY, "no memory for the values of `%s`", entry->name)
               : sow_plan_draw_whole(entry, subject->plan->seed, *whole, error);
}

enum sow_status sow_plan_explain(const struct sow_plan *plan, const char *tensor, char **text,
                                 struct sow_error *error)
{
    struct subject subject = {.plan = plan, .entry = sow_plan_find(plan, tensor, error)};
    struct sow_sheet sheet = {0};
    if (subject.entry == NULL) {
        return SOW_E_ARGUMENT;
    }
    if (plan->resolutions != NULL) {
        subject.resolution = plan->resolutions[subject.entry - plan->entries];
    }
    sow_plan_text_format(&sheet.out, "%s\n\n", subject.entry->name);
    put_tensor(&sheet, &subject);
    sow_explain_fans(&sheet, subject.entry, subject.resolution);
    put_rule(&sheet, &subject);
    put_scheme(&sheet, &subject);
    put_draws(&sheet, &subject);
    put_dtype(&sheet, &subject);
    put_stream(&sheet, &subject);
    unsigned char *whole = NULL;
    enum sow_status status = draw_whole(&subject, &whole, error);
    if (status == SOW_OK) {
        subject.whole = whole;
        put_values(&sheet, &subject);
    }
    put_notes(&sheet, &subject);
    free(whole);
    enum sow_status taken = sow_sheet_take(&sheet, text, status == SOW_OK ? error : NULL);
    if (status != SOW_OK && taken == SOW_OK) {
        sow_text_free(*text);
    }
    return status != SOW_OK ? status : taken;
}

/* ---- The tensor ------------------------------------------------------------------------------- */

/* ", axes (in, out)": kernel sizes are told only where every axis has its word. */
static void put_axes(struct sow_sheet *sheet, const struct sow_tensor *tensor)
{
    if (tensor->layout == SOW_LAYOUT_AXES) {
        for (uint32_t axis = 0; axis < tensor->rank; axis++) {
            sow_plan_text_format(&sheet->line, "%s%s", axis == 0 ? ", axes (" : ", ",
                                 sow_axis_word(sow_tensor_axis(tensor, axis)));
        }
        sow_plan_text_add(&sheet->line, ")");
    } else if (tensor->kind == SOW_KIND_LINEAR || tensor->kind == SOW_KIND_CONV) {
        sow_plan_text_add(&sheet->line, tensor->layout == SOW_LAYOUT_IN_OUT ? ", axes (in, out)"
                                                                            : ", axes (out, in)");
    }
}

static void put_tensor(struct sow_sheet *sheet, const struct subject *subject)
{
    static const char *const kinds[] = {"",
                                        "linear",
                                        "convolution",
                                        "embedding",
                                        "scale of a norm",
                                        "bias",
                                        "buffer",
                                        "transposed convolution",
                                        "bilinear"};
    const struct sow_plan_entry *entry = subject->entry;
    const struct sow_resolution *resolution = subject->resolution;
    const struct sow_tensor *tensor = &entry->tensor;
    sow_plan_text_format(&sheet->line, "%s %s, %" PRIu64 " elements, %" PRIu64 " bytes",
                         sow_shape_text(tensor->shape, tensor->rank).text,
                         sow_dtype_name(entry->dtype), entry->elements, entry->bytes);
    sow_sheet_row(sheet, "shape");
    if (resolution == NULL) {
        return;
    }
    const char *kind =
        (size_t)tensor->kind < sizeof kinds / sizeof kinds[0] ? kinds[tensor->kind] : "";
    sow_plan_text_add(&sheet->line, kind[0] != '\0' ? kind : "of no known kind");
    put_axes(sheet, tensor);
    if (tensor->groups > 1) {
        sow_plan_text_format(&sheet->line, ", %" PRIu64 " groups", tensor->groups);
    }
    if (tensor->stride > 1) {
        sow_plan_text_format(&sheet->line, ", stride %" PRIu64 " in all", tensor->stride);
    }
    if (resolution->role[0] != '\0' && strstr(kind, resolution->role) == NULL) {
        sow_plan_text_format(&sheet->line, ", %s", resolution->role);
    }
    if (entry->layer >= 0) {
        sow_plan_text_format(&sheet->line, ", layer %" PRId32 " of 0..%" PRId32, entry->layer,
                             resolution->layer_count - 1);
    }
    if (resolution->declared_line > 0) {
        sow_plan_text_format(&sheet->line, "; declared at %s:%" PRIu32, resolution->declared_file,
                             resolution->declared_line);
    }
    sow_sheet_row(sheet, "is");
    const struct sow_blocks *blocks = &resolution->blocks;
    for (uint32_t i = 0; i < blocks->count && i < BLOCKS_SHOWN; i++) {
        sow_plan_text_format(&sheet->line, "%s%" PRIu64, i == 0 ? "" : " + ", blocks->sizes[i]);
    }
    sow_plan_text_add(&sheet->line, blocks->count > BLOCKS_SHOWN ? " + ..." : "");
    if (blocks->count > 0) {
        sow_plan_text_format(&sheet->line,
                             " on axis %" PRIu32 ": %" PRIu32
                             " matrices in one tensor, each initialised as its own",
                             blocks->axis, blocks->count);
        sow_sheet_row(sheet, "blocks");
    }
}

/* ---- Rule and scheme ---------------------------------------------------------------------------- */

/* What the rule's text takes from the tensor itself: names that are no field of the config. */
static void put_seen(struct sow_sheet *sheet, const struct subject *subject)
{
    const struct sow_plan_entry *entry = subject->entry;
    const struct sow_resolution *resolution = subject->resolution;
    const struct {
        const char *name;
        double value;
    } seen[] = {{"fan_in", entry->fan_in},
                {"fan_out", entry->fan_out},
                {"layer", entry->layer < 0 ? (double)NAN : entry->layer},
                {"n_layer", entry->layer < 0 ? (double)NAN : resolution->layer_count},
                {"elements", (double)entry->elements}};
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
        if (!isnan(seen[i].value) &&
            sow_plan_find_word(resolution->rule_text, seen[i].name) != NULL &&
            sow_plan_find_word(resolution->fields, seen[i].name) == NULL) {
            sow_plan_text_format(&sheet->line, "%s%s = ", sheet->line.length > 0 ? ", " : "",
                                 seen[i].name);
            sow_plan_text_number(&sheet->line, seen[i].value);
        }
    }
    sow_sheet_row(sheet, "tensor");
}

static void put_rule(struct sow_sheet *sheet, const struct subject *subject)
{
    const struct sow_plan_entry *entry = subject->entry;
    const struct sow_resolution *resolution = subject->resolution;
    sow_sheet_gap(sheet);
    if (resolution == NULL) {
        sow_plan_text_add(&sheet->line, entry->reason);
        sow_sheet_row(sheet, "rule");
        return;
    }
    sow_plan_text_add(&sheet->line,
                      resolution->rule_text[0] != '\0' ? resolution->rule_text : entry->rule);
    sow_sheet_row(sheet, "rule");
    if (entry->tensor.kind == SOW_KIND_BUFFER && strcmp(entry->rule_file, SOW_RULE_LAYER) == 0) {
        sow_plan_text_add(&sheet->line,
                          "its layer, which says what a buffer starts at; a rule claims one only "
                          "when its glob's last part is written out, as in `*.running_var`");
        sow_sheet_row(sheet, "from");
        sow_plan_text_add(&sheet->line, resolution->why);
        sow_sheet_row(sheet, "why");
        return;
    }
    sow_plan_text_add(&sheet->line, entry->rule_file);
    if (entry->rule_line > 0) {
        sow_plan_text_format(&sheet->line, ":%" PRIu32, entry->rule_line);
    }
    if (resolution->variant[0] != '\0') {
        sow_plan_text_format(&sheet->line, ", variant %s: %s", resolution->variant,
                             resolution->variant_source);
    } else {
        sow_plan_text_add(&sheet->line, ", a rule of your own: it comes before the variant's");
    }
    sow_sheet_row(sheet, "from");
    sow_plan_text_add(&sheet->line, resolution->why);
    sow_sheet_row(sheet, "why");
    sow_plan_text_add(&sheet->line, resolution->fields);
    sow_sheet_row(sheet, "fields");
    put_seen(sheet, subject);
}

static void put_scheme(struct sow_sheet *sheet, const struct subject *subject)
{
    const struct sow_resolution *resolution = subject->resolution;
    if (resolution == NULL) {
        return;
    }
    const struct sow_scheme_detail *detail = &resolution->details[0];
    sow_sheet_gap(sheet);
    sow_plan_text_add(&sheet->line, resolution->scheme_text);
    sow_sheet_row(sheet, "scheme");
    if (detail->scheme != NULL) {
        sow_plan_text_add(&sheet->line, detail->scheme->formula);
        sow_sheet_row(sheet, "formula");
        sow_plan_text_add(&sheet->line, detail->scheme->source);
        sow_sheet_row(sheet, "source");
    }
    if (detail->activation[0] != '\0') {
        sow_plan_text_format(&sheet->line, "%s, the %s%sgain of %s",
                             sow_number_text(detail->gain).text,
                             detail->gain_rule != NULL ? detail->gain_rule : "",
                             detail->gain_rule != NULL ? " " : "", detail->activation);
        sow_sheet_row(sheet, "gain");
    }
    for (uint32_t i = 0; i < resolution->detail_count && i < BLOCKS_SHOWN; i++) {
        if (resolution->detail_count > 1) {
            sow_plan_text_format(&sheet->line, "block %" PRIu32 ": ", i);
        }
        sow_plan_text_add(&sheet->line, resolution->details[i].formula_with_numbers);
        sow_sheet_row(sheet, i == 0 ? "numbers" : "");
    }
    sow_plan_text_add(&sheet->line, detail->loss);
    sow_sheet_row(sheet, "loss");
}

/* ---- Draws ---------------------------------------------------------------------------------------- */

static void put_draw(struct sow_sheet *sheet, const struct sow_draw *draw)
{
    struct sow_plan_text *line = &sheet->line;
    const struct sow_map *map = sow_map_of(draw->distribution);
    if (sow_draw_is_whole(draw)) {
        sow_plan_text_format(line, "%s, gain %s", sow_distribution_name(draw->distribution),
                             sow_number_text(draw->gain).text);
        sow_plan_text_format(line, ": the values have std %s about 0, and hang together",
                             sow_number_text(draw->std).text);
        return;
    }
    int is_uniform = draw->distribution == SOW_UNIFORM || map != NULL;
    if (map != NULL) {
        sow_plan_text_format(line, "%s for u uniform", map->name);
    } else {
        sow_plan_text_add(line, sow_distribution_name(draw->distribution));
    }
    if (!is_uniform) {
        sow_plan_text_add(line, draw->distribution == SOW_CONSTANT ? " " : ", mean ");
        sow_plan_text_number(line, draw->mean);
    }
    if (draw->distribution == SOW_NORMAL || draw->distribution == SOW_TRUNC_NORMAL) {
        sow_plan_text_add(line, ", std ");
        sow_plan_text_number(line, draw->std);
    }
    if (is_uniform || draw->distribution == SOW_TRUNC_NORMAL) {
        sow_plan_text_add(line, " on [");
        sow_plan_text_number(line, draw->low);
        sow_plan_text_add(line, ", ");
        sow_plan_text_number(line, draw->high);
        double mean, std;
        sow_draw_moments(draw, &mean, &std);
        sow_plan_text_format(line, "]: the values have mean %s", sow_number_text(mean).text);
        sow_plan_text_format(line, " and std %s", sow_number_text(std).text);
        sow_plan_text_add(line, is_uniform ? "" : " after the cut");
    }
}

static void put_draws(struct sow_sheet *sheet, const struct subject *subject)
{
    const struct sow_plan_entry *entry = subject->entry;
    size_t shown = entry->region_count < BLOCKS_SHOWN ? entry->region_count : BLOCKS_SHOWN;
    put_draw(sheet, &entry->draw);
    sow_sheet_row(sheet, "draw");
    for (size_t i = 0; i < shown; i++) {
        const struct sow_region *region = &entry->regions[i];
        sow_plan_text_format(&sheet->line,
                             "axis %" PRIu32 " [%" PRIu64 ", %" PRIu64 "): ", region->axis,
                             region->begin, region->end);
        put_draw(sheet, &region->draw);
        if (!isnan(region->fan_in)) {
            sow_plan_text_add(&sheet->line, "; ");
            sow_explain_two_fans(sheet, region->fan_in, region->fan_out);
        }
        sow_sheet_row(sheet, i == 0 ? "regions" : "");
    }
    if (shown < entry->region_count) {
        sow_plan_text_format(&sheet->line, "and %zu more", entry->region_count - shown);
        sow_sheet_row(sheet, "");
    }
    if (subject->resolution != NULL && subject->resolution->zero_row >= 0) {
        sow_plan_text_format(&sheet->line, "row %" PRId64 " is padding and starts as zeros",
                             subject->resolution->zero_row);
        sow_sheet_row(sheet, "padding");
    }
}

static void put_dtype(struct sow_sheet *sheet, const struct subject *subject)
{
    static const struct {
        enum sow_dtype dtype;
        const char *words;
    } notes[] = {
        {SOW_F64, "f64 has a draw of its own, with more bits than a float32"},
        {SOW_F32, "values are computed in float32 and stored as they are"},
        {SOW_F16, "values are computed in float32 and rounded once, to 11 significant bits"},
        {SOW_BF16, "values are computed in float32 and rounded once, to 8 significant bits"},
        {SOW_F8_E4M3FN,
         "values are computed in float32 and rounded once, to 4 significant bits; the "
         "largest is 448, the smallest above 0 is 2^-9"},
        {SOW_F8_E5M2, "values are computed in float32 and rounded once, to 3 significant bits; the "
                      "largest is 57344, the smallest above 0 is 2^-16"},
    };
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        if (notes[i].dtype == subject->entry->dtype) {
            sow_plan_text_format(&sheet->line, "%s: %s", sow_dtype_name(notes[i].dtype),
                                 notes[i].words);
            sow_sheet_row(sheet, "rounding");
        }
    }
}

/* ---- Values ------------------------------------------------------------------------------------- */

static int takes_words(const struct sow_draw *draw)
{
    return draw->distribution != SOW_CONSTANT && draw->distribution != SOW_IDENTITY &&
           draw->distribution != SOW_HADAMARD;
}

static int any_takes_words(const struct sow_plan_entry *entry)
{
    int any = takes_words(&entry->draw) && !sow_plan_covered(entry);
    for (size_t i = 0; i < entry->region_count; i++) {
        any |= takes_words(&entry->regions[i].draw);
    }
    return any;
}

static void put_stream(struct sow_sheet *sheet, const struct subject *subject)
{
    const struct sow_plan_entry *entry = subject->entry;
    int is_f64 = entry->dtype == SOW_F64, is_whole = sow_plan_is_whole(entry);
    sow_sheet_gap(sheet);
    sow_plan_text_format(&sheet->line, "%s (FNV-1a 64 %016" PRIx64 "), seed %" PRIu64, entry->key,
                         sow_key(entry->key, 0).tensor, subject->plan->seed);
    if (entry->key != entry->name) {
        sow_plan_text_add(&sheet->line, "; drawn under this name instead of its own");
    }
    sow_sheet_row(sheet, "key");
    sow_plan_text_format(&sheet->line, "version %d: ", SOW_STREAM_VERSION);
    if (any_takes_words(entry)) {
        sow_plan_text_format(&sheet->line, "element i is %s of Philox4x32-10%s",
                             is_f64 || is_whole ? "two words of block i div 2"
                                                : "word i mod 4 of block i div 4",
                             is_whole ? ", of which the whole tensor is made (section 11)" : "");
    } else {
        sow_plan_text_add(&sheet->line, "no word is drawn: a value follows from its place alone");
    }
    sow_sheet_row(sheet, "stream");
}

/* Up to FIRST_VALUES elements from `first` on, four a line; `count` are there. */
static void put_some_values(struct sow_sheet *sheet, const struct subject *subject, uint64_t first,
                            uint64_t count)
{
    unsigned char bytes[FIRST_VALUES * 8];
    const struct sow_plan_entry *entry = subject->entry;
    uint64_t shown = count < FIRST_VALUES ? count : FIRST_VALUES;
    size_t size = sow_dtype_bits(entry->dtype) / 8;
    if (subject->whole != NULL) {
        memcpy(bytes, subject->whole + first * size, shown * size);
    } else {
        sow_plan_fill(entry, subject->plan->seed, bytes, first, shown);
    }
    for (uint64_t i = 0; i < shown; i++) {
        char value[33] = " ";
        sow_value_text(entry->dtype, bytes + i * size, value + 1);
        const char *aligned = value[1] == '-' ? value + 1 : value;
        sow_plan_text_format(&sheet->line, i % 4 == 3 || i + 1 == shown ? "%s" : "%-18s", aligned);
        sow_plan_text_add(&sheet->line, i % 4 == 3 && i + 1 < shown ? "\n" : "");
    }
    sow_plan_text_add(&sheet->line, shown < count ? "  ..." : "");
}

static void put_values(struct sow_sheet *sheet, const struct subject *subject)
{
    const struct sow_plan_entry *entry = subject->entry;
    const struct sow_blocks none = {0};
    const struct sow_blocks *blocks =
        subject->resolution != NULL ? &subject->resolution->blocks : &none;
    uint64_t inner = 1, begin = 0;
    if (subject->whole == NULL && sow_plan_is_whole(entry)) {
        sow_plan_text_add(&sheet->line, "not shown: all of the tensor would have to be drawn");
        sow_sheet_row(sheet, "values");
        return;
    }
    put_some_values(sheet, subject, 0, entry->elements);
    sow_sheet_row(sheet, "values");
    for (uint32_t axis = blocks->axis + 1; axis < entry->tensor.rank; axis++) {
        inner *= entry->tensor.shape[axis];
    }
    for (uint32_t i = 0; i < blocks->count && i < BLOCKS_SHOWN; i++) {
        if (i > 0 && blocks->sizes[i] * inner > 0) {
            sow_plan_text_format(&sheet->line, "block %" PRIu32 ", from element %" PRIu64 ":\n", i,
                                 begin * inner);
            put_some_values(sheet, subject, begin * inner, blocks->sizes[i] * inner);
            sow_sheet_row(sheet, "");
        }
        begin += blocks->sizes[i];
    }
}

/* What the reader of the description assumed, without what stands among the fields already. */
static void put_notes(struct sow_sheet *sheet, const struct subject *subject)
{
    const struct sow_plan *plan = subject->plan;
    int first = 1;
    for (size_t i = 0; i < plan->note_count; i++) {
        if (strstr(subject->resolution->fields, plan->notes[i]) != NULL) {
            continue;
        }
        if (first) {
            sow_sheet_gap(sheet);
        }
        sow_plan_text_add(&sheet->line, plan->notes[i]);
        sow_sheet_row(sheet, first ? "assumed" : "");
        first = 0;
    }
}
