/* SPDX-License-Identifier: MIT */
/* Trials: the config again with one field changed, its recipe run, names and shapes compared. Values come from the ratio of
 * a size found to the size expected, and from the number of layers. */
#include "model/check/expect.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "model/graph/build.h"
#include "model/recipe/file.h"
#include "model/source/source.h"

#define TRIALS_MAX 400
#define VALUES_MAX 24
#define CONFIG_MAX ((size_t)4 << 20)

/* Fields that a config may leave to the family's default. */
static const char *const usual[] = {"vocab_size",     "hidden_size",
                                    "n_embd",         "intermediate_size",
                                    "n_inner",        "num_hidden_layers",
                                    "n_layer",        "num_key_value_heads",
                                    "head_dim",       "max_position_embeddings",
                                    "n_positions",    "tie_word_embeddings",
                                    "attention_bias", "mlp_bias"};

struct search {
    const struct sow_check_run *run;
    const struct sow_name_index *index;
    const char *path;
    json_t *root;
    const struct sow_graph *graph; /* as the config says now */
    int trials;
    size_t least; /* differences of the best trial */
    struct sow_model *best;
    char field[128], value[32], before[32];
};

/* ---- One trial -------------------------------------------------------------------------------------- */

static void try_value(struct search *search, const char *field, json_t *value, const char *before)
{
    json_t *old = json_object_get(search->root, field);
    struct sow_model *model = sow_model_new();
    struct sow_error error;
    json_incref(old);
    json_object_set(search->root, field, value);
    char *text = json_dumps(search->root, 0);
    enum sow_status status = model == NULL || text == NULL
                                 ? SOW_E_MEMORY
                                 : sow_source_config(model, search->path, text, strlen(text),
                                                     search->run->options->model, &error);
    if (status == SOW_OK) {
        size_t left = sow_check_differences(search->index, sow_model_graph(model));
        if (left < search->least) {
            char *shown = json_dumps(value, JSON_ENCODE_ANY);
            sow_model_free(search->best);
            search->best = model;
            search->least = left;
            snprintf(search->field, sizeof search->field, "%.127s", field);
            snprintf(search->value, sizeof search->value, "%.31s", shown == NULL ? "?" : shown);
            snprintf(search->before, sizeof search->before, "%.31s", before);
            free(shown);
            model = NULL;
        }
    }
    if (old != NULL) {
        json_object_set(search->root, field, old);
    } else {
        json_object_del(search->root, field);
    }
    json_decref(old);
    sow_model_free(model);
    free(text);
    search->trials++;
}

/* ---- Which values ------------------------------------------------------------------------------------ */

static size_t add_value(json_int_t *values, size_t count, double value)
{
    json_int_t whole = (json_int_t)value;
    if (value < 1 || value > 1e9 || (double)whole != value || count == VALUES_MAX) {
        return count;
    }
    for (size_t i = 0; i < count; i++) {
        if (values[i] == whole) {
            return count;
        }
    }
    values[count] = whole;
    return count + 1;
}

/* Sizes that would explain a difference, for a field that is `now` (0: absent). */
static size_t find_values(const struct search *search, json_int_t now, json_int_t *values)
{
    const struct sow_check_run *run = search->run;
    size_t count = 0;
    uint64_t layers = 0;
    for (size_t i = 0; i < run->count; i++) {
        const struct sow_name *name = &run->tensors[i].name;
        layers = name->count > 0 && name->numbers[0] + 1 > layers ? name->numbers[0] + 1 : layers;
    }
    count = add_value(values, count, (double)layers);
    for (size_t i = 0; i < search->graph->parameter_count; i++) {
        const struct sow_parameter *parameter = &search->graph->parameters[i];
        size_t at = sow_name_index_find(search->index, parameter->name);
        const struct sow_st_tensor *found = at == SIZE_MAX ? NULL : run->tensors[at].header;
        for (uint32_t axis = 0;
             found != NULL && found->rank == parameter->tensor->rank && axis < found->rank;
             axis++) {
            double is = (double)found->shape[axis], should = (double)parameter->tensor->shape[axis];
            if (is != should && should > 0) {
                count = add_value(values, count, now > 0 ? (double)now * is / should : is);
                count = add_value(values, count, is);
            }
        }
    }
    return count;
}

static void try_field(struct search *search, const char *field, const json_t *old)
{
    json_int_t values[VALUES_MAX], now = json_is_integer(old) ? json_integer_value(old) : 0;
    char before[32] = "not set";
    if (json_is_boolean(old) || strstr(field, "tie_") != NULL || strstr(field, "_bias") != NULL) {
        for (int value = 0; value < 2; value++) {
            json_t *made = json_boolean(value);
            if (old == NULL || json_is_true(old) != value) {
                try_value(search, field, made,
                          old == NULL         ? before
                          : json_is_true(old) ? "true"
                                              : "false");
            }
            json_decref(made);
        }
        return;
    }
    if (old != NULL && !json_is_integer(old) && !json_is_null(old)) {
        return;
    }
    if (json_is_integer(old)) {
        snprintf(before, sizeof before, "%lld", (long long)now);
    }
    size_t count = find_values(search, now, values);
    for (size_t i = 0; i < count && search->least > 0 && search->trials < TRIALS_MAX; i++) {
        if (values[i] != now) {
            json_t *made = json_integer(values[i]);
            try_value(search, field, made, before);
            json_decref(made);
        }
    }
}

static void search_fields(struct search *search)
{
    json_t *fields = json_deep_copy(search->root); /* the root changes below */
    const char *field;
    json_t *old;
    json_object_foreach(fields, field, old)
    {
        if (search->least > 0 && search->trials < TRIALS_MAX &&
            (json_is_integer(old) || json_is_boolean(old))) {
            const char *known = json_object_iter_key(json_object_iter_at(search->root, field));
            try_field(search, known, old);
        }
    }
    for (size_t i = 0; i < sizeof usual / sizeof usual[0] && search->least > 0; i++) {
        old = json_object_get(search->root, usual[i]);
        if (old == NULL || json_is_null(old)) {
            try_field(search, usual[i], NULL);
        }
    }
    json_decref(fields);
}

/* ---- The answer -------------------------------------------------------------------------------------- */

/* "a multiple of 128" that a vocabulary was padded to; NULL. */
static const char *padding_of(const char *field, const char *before, const char *value)
{
    long long old = strtoll(before, NULL, 10), new = strtoll(value, NULL, 10);
    if (strstr(field, "vocab") == NULL || new <= old || new - old > 1024 || new % 8 != 0) {
        return NULL;
    }
    return new % 128 == 0  ? "the vocabulary was padded to a multiple of 64 or 128"
           : new % 64 == 0 ? "the vocabulary was padded to a multiple of 64"
                           : "the vocabulary was padded to a multiple of 8";
}

static void tell(struct sow_check_run *run, const struct search *search, size_t differences)
{
    sow_findings_add(
        run->findings,
        &(struct sow_raw_finding){
            .code = SOW_CODE_CONFIG,
            .name = sow_findings_keep(run->findings, "%s", search->field),
            .statistic = "field",
            .expected = strtod(search->before, NULL),
            .found = strtod(search->value, NULL),
            .element = UINT64_MAX,
            .cause = padding_of(search->field, search->before, search->value),
            .text = sow_findings_keep(run->findings,
                                      "%s looks like %s, the config says %s; that explains %zu of "
                                      "%zu tensors that are missing, extra "
                                      "or of another shape",
                                      search->field, search->value, search->before,
                                      differences - search->least, differences),
        });
}

int sow_check_config_path(const char *path, char *found, size_t room)
{
    struct stat status;
    size_t length = strlen(path);
    int is_folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    snprintf(found, room, is_folder ? "%s/config.json" : "%s", path);
    return is_folder || (length > 5 && strcmp(path + length - 5, ".json") == 0 &&
                         strstr(path, ".index.json") == NULL);
}

enum sow_status sow_check_field(struct sow_check_run *run, const struct sow_name_index *index,
                                const char *path, size_t differences, struct sow_model **model,
                                struct sow_error *error)
{
    char name[1024], *text = NULL;
    size_t length = 0;
    struct sow_model *now = NULL;
    struct search search = {.run = run, .index = index, .path = name, .least = differences};
    *model = NULL;
    if (!sow_check_config_path(path, name, sizeof name)) {
        return SOW_OK;
    }
    enum sow_status status = sow_file_read(name, "a config", CONFIG_MAX, &text, &length, error);
    if (status == SOW_OK) {
        status = sow_model_load(path, run->options->model, &now, error);
    }
    search.root = status == SOW_OK ? json_loadb(text, length, 0, NULL) : NULL;
    if (search.root != NULL) {
        search.graph = sow_model_graph(now);
        search_fields(&search);
        json_decref(search.root);
    }
    if (search.best != NULL && search.least * 2 <= differences) {
        tell(run, &search, differences);
        *model = search.best;
    } else {
        sow_model_free(search.best);
    }
    sow_model_free(now);
    free(text);
    return status;
}
