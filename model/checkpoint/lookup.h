/* SPDX-License-Identifier: MIT */
/* Finding a tensor of a set of shards by its name: a list sorted once, for files of 100,000 tensors. It reads no weights. */
#ifndef SOW_CHECKPOINT_LOOKUP_H
#define SOW_CHECKPOINT_LOOKUP_H

#include "model/checkpoint/safetensors.h"

struct sow_st_place {
    const struct sow_st_tensor *tensor;
    size_t file; /* of the set */
};

struct sow_st_lookup {
    struct sow_st_place *places; /* by name, then by file */
    size_t count;
};

/* The set must outlive the list. SOW_E_MEMORY. */
enum sow_status sow_st_lookup_make(const struct sow_st_set *set, struct sow_st_lookup *lookup,
                                   struct sow_error *error);
void sow_st_lookup_free(struct sow_st_lookup *lookup);

/* NULL when there is none; of a name that several files have the first's. */
const struct sow_st_place *sow_st_lookup_find(const struct sow_st_lookup *lookup, const char *name);

#endif
