/* SPDX-License-Identifier: MIT */
/* Index against shards: which are missing and what was in them; which tensor is where. */
#include "model/checkpoint/set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "core/base/error.h"
#include "model/checkpoint/scan.h"

/* "a, b, c and 4 more" */
static void list_missing(const struct sow_st_set *set, const char *missing, char *text,
                         size_t text_bytes)
{
    char quoted[SOW_QUOTE_MAX];
    size_t used = 0, shown = 0, left = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (missing[i] && shown < 3) {
            used += (size_t)snprintf(text + used, text_bytes - used, "%s%.80s",
                                     shown == 0 ? "" : ", ", sow_quote(set->files[i].name, quoted));
            shown++;
        } else {
            left += missing[i] != 0;
        }
    }
    if (left > 0) {
        snprintf(text + used, text_bytes - used, " and %zu more", left);
    }
}

static enum sow_status fail_missing(const struct sow_st_set *set, const struct sow_st_index *index,
                                    const char *missing, size_t missing_count,
                                    struct sow_error *error)
{
    char names[400], bytes[64] = "";
    size_t tensors = 0;
    list_missing(set, missing, names, sizeof names);
    for (size_t i = 0; i < index->name_count; i++) {
        tensors += missing[index->name_file[i]] != 0;
    }
    if (index->total_size != UINT64_MAX && index->total_size >= set->data_bytes) {
        snprintf(bytes, sizeof bytes, " (%llu bytes)",
                 (unsigned long long)(index->total_size - set->data_bytes));
    }
    return sow_fail_at(error, SOW_E_MISSING, set->folder, 0, 0,
                       "%zu of %zu shards %s missing: %s; with %s %zu of %zu tensors%s",
                       missing_count, set->count, missing_count == 1 ? "is" : "are", names,
                       missing_count == 1 ? "it" : "them", tensors, index->name_count, bytes);
}

enum sow_status sow_st_set_check_present(struct sow_st_set *set, const struct sow_st_index *index,
                                         enum sow_status (*open_file)(struct sow_st_set *set,
                                                                      size_t file,
                                                                      struct sow_error *error),
                                         struct sow_error *error)
{
    struct stat status;
    size_t missing_count = 0;
    enum sow_status result = SOW_OK;
    char *missing = calloc(set->count + 1, 1);
    if (missing == NULL) {
        return sow_fail_at(error, SOW_E_MEMORY, set->folder, 0, 0, "no memory for %zu shards",
                           set->count);
    }
    for (size_t i = 0; i < set->count; i++) {
        missing[i] =
            fstatat(set->descriptor, set->files[i].name, &status, AT_SYMLINK_NOFOLLOW) != 0 &&
            errno == ENOENT;
        missing_count += missing[i] != 0;
    }
    for (size_t i = 0; i < set->count && result == SOW_OK; i++) {
        result = missing[i] ? SOW_OK : open_file(set, i, error);
    }
    if (result == SOW_OK && missing_count > 0) {
        result = fail_missing(set, index, missing, missing_count, error);
    }
    free(missing);
    return result;
}

/* A tensor and the file that holds it, or is said to. */
struct place {
    const char *name;
    uint32_t file;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : a->file < b->file ? -1 : a->file > b->file;
}

static enum sow_status fail_place(const struct sow_st_set *set, const struct place *place,
                                  int promised, struct sow_error *error)
{
    char quoted[SOW_QUOTE_MAX], path[512];
    return sow_fail_at(error, promised ? SOW_E_MISSING : SOW_E_FORMAT,
                       sow_st_set_path(set, place->file, path), 0, 0,
                       promised ? "the index says tensor `%s` is here, and it is not"
                                : "holds tensor `%s`, which the index does not name here",
                       sow_quote(place->name, quoted));
}

/* Both sorted by name, then file. What is promised and absent is told before what is there besides. */
static enum sow_status compare(const struct sow_st_set *set, const struct place *promised,
                               size_t promised_count, const struct place *held, size_t held_count,
                               struct sow_error *error)
{
    const struct place *stranger = NULL;
    size_t at = 0;
    for (size_t i = 0; i < promised_count; i++) {
        while (at < held_count && compare_places(&held[at], &promised[i]) < 0) {
            stranger = stranger == NULL ? &held[at] : stranger;
            at++;
        }
        if (at == held_count || compare_places(&held[at], &promised[i]) != 0) {
            return fail_place(set, &promised[i], 1, error);
        }
        at++;
    }
    stranger = stranger == NULL && at < held_count ? &held[at] : stranger;
    return stranger == NULL ? SOW_OK : fail_place(set, stranger, 0, error);
}

enum sow_status sow_st_set_check_index(struct sow_st_set *set, const struct sow_st_index *index,
                                       struct sow_error *error)
{
    char text[96];
    size_t used = 0;
    struct place *promised = calloc(index->name_count + 1, sizeof promised[0]);
    struct place *held = calloc(set->tensors + 1, sizeof held[0]);
    enum sow_status status;
    if (promised == NULL || held == NULL) {
        status = sow_fail_at(error, SOW_E_MEMORY, set->folder, 0, 0, "no memory for %zu tensors",
                             set->tensors);
        goto free_places;
    }
    for (size_t i = 0; i < index->name_count; i++) {
        promised[i] = (struct place){index->names[i], index->name_file[i]};
    }
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; j < sow_st_count(set->files[i].header); j++) {
            held[used++] = (struct place){sow_st_at(set->files[i].header, j)->name, (uint32_t)i};
        }
    }
    qsort(promised, index->name_count, sizeof promised[0], compare_places);
    qsort(held, used, sizeof held[0], compare_places);
    status = compare(set, promised, index->name_count, held, used, error);
    if (status == SOW_OK && index->total_size != UINT64_MAX &&
        index->total_size != set->data_bytes) {
        snprintf(text, sizeof text, " of the index is %llu, the shards hold %llu bytes",
                 (unsigned long long)index->total_size, (unsigned long long)set->data_bytes);
        sow_st_set_warn(set, text, "total_size");
    }
free_places:
    free(promised);
    free(held);
    return status;
}
