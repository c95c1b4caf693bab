/* SPDX-License-Identifier: MIT */
/* One prefix that all names lack, or have too much: a checkpoint of the bare class, or of a wrapper. Tried are the first
 * one and two parts of the source's names and of the file's. */
#include "model/check/expect.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TRIED_MAX 64
#define CLASS_MAX 128

struct candidates {
    char prefixes[TRIED_MAX][SOW_PREFIX_MAX];
    size_t count;
};

/* "a." and "a.b." of "a.b.c". Numbers are no prefix that a class adds. */
static void add_candidates(struct candidates *candidates, const char *name)
{
    size_t length = 0;
    for (int part = 0; part < 2; part++) {
        size_t next = strcspn(name + length, ".");
        if (name[length + next] == '\0' || strspn(name + length, "0123456789") == next ||
            length + next + 2 > SOW_PREFIX_MAX) {
            return;
        }
        length += next + 1;
        size_t i = 0;
        while (i < candidates->count && (strncmp(candidates->prefixes[i], name, length) != 0 ||
                                         candidates->prefixes[i][length] != '\0')) {
            i++;
        }
        if (i == candidates->count && i < TRIED_MAX) {
            snprintf(candidates->prefixes[candidates->count++], SOW_PREFIX_MAX, "%.*s", (int)length,
                     name);
        }
    }
}

/* Parameters that are found by their own name, or as *index says. */
static size_t count_found(const struct sow_name_index *index, const struct sow_graph *graph)
{
    size_t found = 0;
    for (size_t i = 0; i < graph->parameter_count; i++) {
        found += sow_name_index_find(index, graph->parameters[i].name) != SIZE_MAX;
    }
    return found;
}

/* Leaves in *index the prefix with which most are found; returns how many. */
static size_t try_all(struct sow_name_index *index, const struct sow_graph *graph, int is_extra,
                      const struct candidates *candidates, size_t most)
{
    struct sow_name_index best = *index;
    for (size_t i = 0; i < candidates->count; i++) {
        struct sow_name_index trial = *index;
        trial.lacks[0] = trial.extra[0] = '\0';
        snprintf(is_extra ? trial.extra : trial.lacks, SOW_PREFIX_MAX, "%s",
                 candidates->prefixes[i]);
        size_t found = count_found(&trial, graph);
        if (found > most) {
            most = found;
            best = trial;
        }
    }
    *index = best;
    return most;
}

/* ---- Words ------------------------------------------------------------------------------------------ */

/* The class that the config names ("GPT2LMHeadModel") and the one below its head, as transformers call them
 * ("GPT2Model"); empty where there is none. */
static void find_classes(const char *path, char *class, char *bare)
{
    static const char *const ends[] = {"LMHeadModel", "DoubleHeadsModel", "For"};
    char name[1024];
    class[0] = bare[0] = '\0';
    if (!sow_check_config_path(path, name, sizeof name)) {
        return;
    }
    json_t *root = json_load_file(name, JSON_REJECT_DUPLICATES, NULL);
    const char *found =
        json_string_value(json_array_get(json_object_get(root, "architectures"), 0));
    if (found != NULL) {
        snprintf(class, CLASS_MAX, "%.100s", found);
    }
    for (size_t i = 0; i < sizeof ends / sizeof ends[0] && bare[0] == '\0'; i++) {
        const char *end = strstr(class, ends[i]);
        if (end != NULL && end != class) {
            snprintf(bare, CLASS_MAX, "%.*sModel", (int)(end - class), class);
        }
    }
    json_decref(root);
}

static const char *cause_of(struct sow_check_run *run, const struct sow_name_index *index)
{
    static const char *const wrappers[][2] = {
        {"module.", "saved from DataParallel or DistributedDataParallel, not from the model in it"},
        {"_orig_mod.", "saved from what torch.compile returned, not from the model in it"},
    };
    char class[CLASS_MAX], bare[CLASS_MAX];
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++) {
        if (strcmp(index->extra, wrappers[i][0]) == 0) {
            return wrappers[i][1];
        }
    }
    if (index->extra[0] != '\0') {
        return "saved from a class that holds this model, with a head or as a wrapper";
    }
    find_classes(run->options->source, class, bare);
    return bare[0] == '\0' ? "saved from the model without its head"
                           : sow_findings_keep(run->findings, "saved from %s; the config names %s",
                                               bare, class);
}

void sow_check_prefix(struct sow_check_run *run, struct sow_name_index *index,
                      const struct sow_graph *graph)
{
    struct candidates lacking = {.count = 0}, extra = {.count = 0};
    size_t plain = count_found(index, graph), all = graph->parameter_count;
    for (size_t i = 0; i < all; i++) {
        add_candidates(&lacking, graph->parameters[i].name);
    }
    for (size_t i = 0; i < run->count; i++) {
        add_candidates(&extra, run->tensors[i].header->name);
    }
    size_t found = try_all(index, graph, 0, &lacking, plain);
    found = try_all(index, graph, 1, &extra, found);
    if ((found - plain) * 2 < all) { /* not what most names are about */
        index->lacks[0] = index->extra[0] = '\0';
        return;
    }
    const char *prefix = index->lacks[0] != '\0' ? index->lacks : index->extra;
    sow_findings_add(
        run->findings,
        &(struct sow_raw_finding){
            .code = SOW_CODE_PREFIX,
            .name = sow_findings_keep(run->findings, "%s", prefix),
            .expected = NAN,
            .found = NAN,
            .element = UINT64_MAX,
            .cause = cause_of(run, index),
            .text = sow_findings_keep(run->findings,
                                      index->lacks[0] != '\0'
                                          ? "%zu of %zu names lack the prefix %s"
                                          : "%zu of %zu names begin with %s, the source's do not",
                                      found - plain, all, prefix),
        });
}
