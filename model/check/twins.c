/* SPDX-License-Identifier: MIT */
/* Tensors of the same values: bit for bit, or in another order; and layers in which all of them are. Sums taken in the
 * pass make the suspects, the bytes decide. */
#include "model/check/again.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/elementary.h"
#include "core/base/error.h"

#define SAFE_BITS   40.0
#define BLOCK_BYTES ((uint64_t)1 << 20)
#define SHOWN       4

struct twins {
    struct sow_check_run *run;
    size_t *order; /* tensors that can be told from each other, by digest */
    size_t count;
    size_t *classes;        /* one a tensor: the first one it equals; SIZE_MAX: none */
    size_t *permuted;       /* likewise, in another order */
    unsigned char *layered; /* told with its layer */
};

static double bits_of(const struct sow_check_tensor *of)
{
    return of->entropy * (double)(of->row == NULL ? 0 : of->row->finite);
}

static int compare_digests(const void *a, const void *b, void *user)
{
    const struct sow_check_tensor *tensors = user;
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    const struct sow_check_tensor *l = &tensors[left], *r = &tensors[right];
    int order = (l->digest > r->digest) - (l->digest < r->digest);
    order = order != 0 ? order : (int)l->header->dtype - (int)r->header->dtype;
    order = order != 0
                ? order
                : (l->row->elements > r->row->elements) - (l->row->elements < r->row->elements);
    return order != 0 ? order : (left > right) - (left < right);
}

static int same_sums(const struct sow_check_tensor *a, const struct sow_check_tensor *b)
{
    return a->digest == b->digest && a->header->dtype == b->header->dtype &&
           a->row->elements == b->row->elements;
}

static int same_shape(const struct sow_st_tensor *a, const struct sow_st_tensor *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) == 0;
}

/* ---- The second look ------------------------------------------------------------------------------ */

static enum sow_status compare_two(const struct sow_check_run *run, size_t a, size_t b, int *equal,
                                   struct sow_error *error)
{
    struct sow_again left, right = {NULL, NULL, -1};
    unsigned char *bytes = malloc(2 * BLOCK_BYTES);
    uint64_t all = run->tensors[a].row->bytes;
    enum sow_status status = sow_again_open(&left, run, a, error);
    *equal = same_shape(run->tensors[a].header, run->tensors[b].header);
    if (status == SOW_OK) {
        status = bytes == NULL ? sow_fail(error, SOW_E_MEMORY, "no memory to compare two tensors")
                               : sow_again_open(&right, run, b, error);
    }
    for (uint64_t at = 0; at < all && *equal && status == SOW_OK; at += BLOCK_BYTES) {
        uint64_t part = all - at < BLOCK_BYTES ? all - at : BLOCK_BYTES;
        status = sow_again_read(&left, at, part, bytes, error);
        if (status == SOW_OK) {
            status = sow_again_read(&right, at, part, bytes + BLOCK_BYTES, error);
        }
        *equal = status == SOW_OK && memcmp(bytes, bytes + BLOCK_BYTES, part) == 0;
    }
    sow_again_close(&left);
    sow_again_close(&right);
    free(bytes);
    return status;
}

/* Each of a group of equal sums joins the first one that it equals, or else is a permuted copy of the first. */
static enum sow_status classify(struct twins *twins, const size_t *group, size_t count,
                                struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    for (size_t i = 1; i < count && status == SOW_OK; i++) {
        int equal = 0;
        for (size_t j = 0; j < i && !equal && status == SOW_OK; j++) {
            if (j == 0 || twins->classes[group[j]] == SIZE_MAX) {
                status = compare_two(twins->run, group[j], group[i], &equal, error);
                if (equal) {
                    twins->classes[group[i]] = twins->classes[group[j]] = group[j];
                }
            }
        }
        if (!equal) {
            twins->permuted[group[i]] = group[0];
        }
    }
    return status;
}

static enum sow_status find_classes(struct twins *twins, struct sow_error *error)
{
    struct sow_check_run *run = twins->run;
    enum sow_status status = SOW_OK;
    double safe = SAFE_BITS + 2 * sow_log((double)run->count + 1) / 0.6931471805599453;
    for (size_t i = 0; i < run->count; i++) {
        const struct sow_check_tensor *of = &run->tensors[i];
        twins->classes[i] = twins->permuted[i] = SIZE_MAX;
        if (of->kind != SOW_NAME_BUFFER && of->entropy > 0 && bits_of(of) >= safe && !of->is_bad &&
            !of->is_tied) {
            twins->order[twins->count++] = i;
        }
    }
    qsort_r(twins->order, twins->count, sizeof twins->order[0], compare_digests, run->tensors);
    for (size_t begin = 0, end; begin < twins->count && status == SOW_OK; begin = end) {
        for (end = begin + 1; end < twins->count && same_sums(&run->tensors[twins->order[begin]],
                                                              &run->tensors[twins->order[end]]);) {
            end++;
        }
        status = classify(twins, &twins->order[begin], end - begin, error);
    }
    return status;
}

/* ---- Layers --------------------------------------------------------------------------------------- */

/* The tensors that can be told apart under one prefix up to the first number: "h.3". */
struct layer {
    uint64_t stem; /* hash of what stands before the number */
    uint64_t number;
    uint64_t hash; /* of which tensors there are, and what each equals */
    size_t tensors, first;
    int is_copied; /* each of them equals another */
};

static int compare_layers(const void *a, const void *b)
{
    const struct layer *left = a, *right = b;
    int order = (left->stem > right->stem) - (left->stem < right->stem);
    return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

static int compare_alike(const void *a, const void *b)
{
    const struct layer *left = a, *right = b;
    int order = (left->stem > right->stem) - (left->stem < right->stem);
    order = order != 0 ? order : left->is_copied - right->is_copied;
    order = order != 0 ? order : (left->hash > right->hash) - (left->hash < right->hash);
    return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

static struct layer layer_of(const struct twins *twins, size_t tensor)
{
    const struct sow_check_tensor *of = &twins->run->tensors[tensor];
    const char *rest = of->header->name + of->name.ends[0];
    uint64_t class = twins->classes[tensor];
    struct layer made = {
        .stem = XXH3_64bits(of->header->name, of->name.begins[0]),
        .number = of->name.numbers[0],
        .hash = XXH3_64bits_withSeed(rest, strlen(rest), class),
        .tensors = 1,
        .first = tensor,
        .is_copied = twins->classes[tensor] != SIZE_MAX,
    };
    return made;
}

/* Layers, ascending; returns how many. */
static size_t find_layers(const struct twins *twins, struct layer *layers)
{
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < twins->count; i++) {
        if (twins->run->tensors[twins->order[i]].name.count > 0) {
            layers[count++] = layer_of(twins, twins->order[i]);
        }
    }
    qsort(layers, count, sizeof layers[0], compare_layers);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && compare_layers(&layers[kept - 1], &layers[i]) == 0) {
            layers[kept - 1].hash += layers[i].hash;
            layers[kept - 1].tensors++;
            layers[kept - 1].is_copied &= layers[i].is_copied;
        } else {
            layers[kept++] = layers[i];
        }
    }
    return kept;
}

static void tell_layers(struct twins *twins, const struct layer *layers, size_t count)
{
    struct sow_findings *findings = twins->run->findings;
    char list[256];
    size_t used = 0;
    list[0] = '\0';
    for (size_t i = 0; i < count && used + 32 < sizeof list; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%llu", i > 0 ? ", " : "",
                                 (unsigned long long)layers[i].number);
    }
    const char *text = sow_findings_keep(
        findings, "layers %s are equal bit for bit in all %zu tensors that are drawn", list,
        layers[0].tensors);
    for (size_t i = 0; i < count; i++) {
        const struct sow_check_tensor *of = &twins->run->tensors[layers[i].first];
        sow_findings_add(findings,
                         &(struct sow_raw_finding){
                             .code = SOW_CODE_LAYERS,
                             .name = sow_findings_keep(findings, "%.*s", (int)of->name.ends[0],
                                                       of->header->name),
                             .order = layers[0].first,
                             .text = text,
                             .statistic = "layers",
                             .expected = 1,
                             .found = (double)count,
                             .element = UINT64_MAX,
                         });
    }
    for (size_t i = 0; i < twins->count; i++) {
        const struct sow_check_tensor *of = &twins->run->tensors[twins->order[i]];
        struct layer own =
            of->name.count > 0 ? layer_of(twins, twins->order[i]) : (struct layer){0};
        for (size_t j = 0; of->name.count > 0 && j < count; j++) {
            twins->layered[twins->order[i]] |= compare_layers(&own, &layers[j]) == 0;
        }
    }
}

static enum sow_status find_equal_layers(struct twins *twins, struct sow_error *error)
{
    struct layer *layers = calloc(twins->count + 1, sizeof layers[0]);
    if (layers == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for the layers");
    }
    size_t count = find_layers(twins, layers);
    qsort(layers, count, sizeof layers[0], compare_alike);
    for (size_t begin = 0, end; begin < count; begin = end) {
        const struct layer *first = &layers[begin];
        for (end = begin + 1; end < count && layers[end].stem == first->stem &&
                              layers[end].hash == first->hash &&
                              layers[end].is_copied == first->is_copied;) {
            end++;
        }
        if (end - begin > 1 && first->is_copied && first->tensors > 1) {
            tell_layers(twins, first, end - begin);
        }
    }
    free(layers);
    return SOW_OK;
}

/* ---- Words ---------------------------------------------------------------------------------------- */

/* A tied tensor that is stored under both names: an embedding, and other embeddings or an output head. */
static int is_tie(const struct sow_check_run *run, const size_t *members, size_t count)
{
    int embeddings = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sow_check_tensor *of = &run->tensors[members[i]];
        int head = strstr(of->header->name, "head") != NULL ||
                   strstr(of->header->name, "out") != NULL ||
                   strstr(of->header->name, "decoder.weight") != NULL;
        if (of->kind != SOW_NAME_EMBEDDING && strstr(of->header->name, "shared") == NULL && !head) {
            return 0;
        }
        if (of->name.count > 0) {
            return 0;
        }
        embeddings += of->kind == SOW_NAME_EMBEDDING || strstr(of->header->name, "shared") != NULL;
    }
    return embeddings > 0 && !run->has_law;
}

/* One finding for each member that is named like the first; the others stand in its text. */
static void tell_class(struct twins *twins, enum sow_code code, const char *how,
                       const size_t *members, size_t count)
{
    struct sow_check_run *run = twins->run;
    uint64_t pattern = run->tensors[members[0]].name.pattern;
    char names[800];
    size_t used = 0;
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%.150s",
                                 i == 0           ? ""
                                 : i + 1 == count ? " and "
                                                  : ", ",
                                 run->tensors[members[i]].header->name);
    }
    const char *text =
        sow_findings_keep(run->findings, "%s%s %s", names, count > SHOWN ? ", ..." : "", how);
    for (size_t i = 0; i < count; i++) {
        if (run->tensors[members[i]].name.pattern != pattern) {
            continue;
        }
        sow_check_find(run, members[i],
                       (struct sow_raw_finding){
                           .code = code,
                           .is_note = is_tie(run, members, count),
                           .text = text,
                           .cause = is_tie(run, members, count)
                                        ? "a tied tensor stored under both names"
                                        : NULL,
                           .statistic = "tensors",
                           .expected = 1,
                           .found = (double)count,
                           .element = UINT64_MAX,
                       });
    }
}

struct member {
    size_t class, tensor;
};

static int compare_members(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    int order = (left->class > right->class) - (left->class < right->class);
    return order != 0 ? order : (left->tensor > right->tensor) - (left->tensor < right->tensor);
}

/* Classes of `of` (what each tensor equals), each told once. A permuted copy names its first, which names nothing. */
static enum sow_status tell_all(struct twins *twins, const size_t *of, enum sow_code code,
                                const char *how, struct sow_error *error)
{
    struct member *members = calloc(2 * twins->count + 1, sizeof members[0]);
    size_t *tensors = calloc(2 * twins->count + 1, sizeof tensors[0]), count = 0;
    if (members == NULL || tensors == NULL) {
        free(members);
        free(tensors);
        return sow_fail(error, SOW_E_MEMORY, "no memory for twins");
    }
    for (size_t i = 0; i < twins->count; i++) {
        size_t tensor = twins->order[i];
        if (of[tensor] != SIZE_MAX && !twins->layered[tensor]) {
            members[count++] = (struct member){of[tensor], tensor};
            if (of[of[tensor]] == SIZE_MAX) {
                members[count++] = (struct member){of[tensor], of[tensor]};
            }
        }
    }
    qsort(members, count, sizeof members[0], compare_members);
    for (size_t begin = 0, end; begin < count; begin = end) {
        size_t alike = 0;
        for (end = begin; end < count && members[end].class == members[begin].class; end++) {
            if (end == begin || members[end].tensor != members[end - 1].tensor) {
                tensors[alike++] = members[end].tensor;
            }
        }
        if (alike > 1) {
            tell_class(twins, code, how, tensors, alike);
        }
    }
    free(members);
    free(tensors);
    return SOW_OK;
}

static enum sow_status judge_ties(struct sow_check_run *run, struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    for (size_t i = 0; i < run->tie_count && status == SOW_OK; i++) {
        size_t a = run->ties[i].tensor, b = run->ties[i].to;
        int equal = 0;
        if (run->tensors[a].header->dtype == run->tensors[b].header->dtype) {
            status = compare_two(run, a, b, &equal, error);
        }
        sow_check_find(
            run, a,
            (struct sow_raw_finding){
                .code = equal ? SOW_CODE_TIED_TWICE : SOW_CODE_TIED,
                .expected = NAN,
                .found = NAN,
                .element = UINT64_MAX,
                .text = sow_findings_keep(run->findings,
                                          equal ? "equal to %s bit for bit, as it is tied"
                                                : "tied to %s, but it holds other values",
                                          run->tensors[b].header->name),
            });
    }
    return status;
}

enum sow_status sow_check_twins(struct sow_check_run *run, struct sow_error *error)
{
    struct twins twins = {.run = run,
                          .order = calloc(run->count + 1, sizeof twins.order[0]),
                          .classes = calloc(run->count + 1, sizeof twins.classes[0]),
                          .permuted = calloc(run->count + 1, sizeof twins.permuted[0]),
                          .layered = calloc(run->count + 1, 1)};
    enum sow_status status = SOW_OK;
    if (twins.order == NULL || twins.classes == NULL || twins.permuted == NULL ||
        twins.layered == NULL) {
        status = sow_fail(error, SOW_E_MEMORY, "no memory for %zu tensors", run->count);
    }
    if (status == SOW_OK) {
        status = judge_ties(run, error);
    }
    if (status == SOW_OK) {
        status = find_classes(&twins, error);
    }
    if (status == SOW_OK) {
        status = find_equal_layers(&twins, error);
    }
    if (status == SOW_OK) {
        status = tell_all(&twins, twins.classes, SOW_CODE_TWINS, "are equal bit for bit", error);
    }
    if (status == SOW_OK) {
        status = tell_all(&twins, twins.permuted, SOW_CODE_PERMUTED,
                          "hold the same values in another order", error);
    }
    for (size_t i = 0; i < run->count && status == SOW_OK; i++) {
        run->tensors[i].is_twin =
            twins.classes[i] != SIZE_MAX || twins.permuted[i] != SIZE_MAX || twins.layered[i];
    }
    if (status == SOW_OK) {
        status = sow_check_streams(run, error);
    }
    free(twins.order);
    free(twins.classes);
    free(twins.permuted);
    free(twins.layered);
    return status;
}
