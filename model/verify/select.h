/* SPDX-License-Identifier: MIT */
/* The globs of the options: which tensors are meant. */
#ifndef SOW_VERIFY_SELECT_H
#define SOW_VERIFY_SELECT_H

#include "model/recipe/glob.h"
#include "sow/model.h"

struct sow_selection {
    struct sow_glob *globs;
    int *used;
    size_t count;
};

/* Free also after a failure. */
enum sow_status sow_selection_make(struct sow_selection *selection,
                                   const struct sow_statistics_options *options,
                                   struct sow_error *error);
void sow_selection_free(struct sow_selection *selection);
int sow_selection_has(struct sow_selection *selection, const char *name);
/* SOW_E_ARGUMENT when a glob has matched nothing. */
enum sow_status sow_selection_check(const struct sow_selection *selection, struct sow_error *error);

#endif
