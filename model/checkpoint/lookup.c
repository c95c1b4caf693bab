/* SPDX-License-Identifier: MIT */
/* A sorted array and a binary search. */
#include "model/checkpoint/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

const struct sow_st_place *sow_st_lookup_find(const struct sow_st_lookup *lookup, const char *name)
{
    size_t low = 0, high = lookup->count;
    while (low < high) { /* the first that is not before the name */
        size_t middle = low + (high - low) / 2;
        if (strcmp(lookup->places[middle].tensor->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < lookup->count && strcmp(lookup->places[low].tensor->name, name) == 0
               ? &lookup->places[low]
               : NULL;
}

static int compare(const void *a, const void *b)
{
    const struct sow_st_place *left = a, *right = b;
    int order = strcmp(left->tensor->name, right->tensor->name);
    return order != 0 ? order : (left->file > right->file) - (left->file < right->file);
}

enum sow_status sow_st_lookup_make(const struct sow_st_set *set, struct sow_st_lookup *lookup,
                                   struct sow_error *error)
{
    *lookup = (struct sow_st_lookup){.places = NULL};
    size_t count = 0;
    for (size_t file = 0; file < set->count; file++) {
        count += sow_st_count(set->files[file].header);
    }
    lookup->places = malloc((count + 1) * sizeof *lookup->places);
    if (lookup->places == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for the names of %zu tensors", count);
    }
    for (size_t file = 0; file < set->count; file++) {
        const struct sow_st_header *header = set->files[file].header;
        for (size_t i = 0; i < sow_st_count(header); i++) {
            lookup->places[lookup->count++] =
                (struct sow_st_place){.tensor = sow_st_at(header, i), .file = file};
        }
    }
    qsort(lookup->places, lookup->count, sizeof *lookup->places, compare);
    return SOW_OK;
}

void sow_st_lookup_free(struct sow_st_lookup *lookup)
{
    free(lookup->places);
    *lookup = (struct sow_st_lookup){.places = NULL};
}
