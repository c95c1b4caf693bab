/* SPDX-License-Identifier: MIT */
/* Tensors that are drawn as a whole, kept while the chunks that hold them pass by: a few at a time, in memory that is
 * taken at the beginning, so that nothing can fail later. Threads that want a tensor which is being drawn help. */
#ifndef SOW_RUN_WHOLES_H
#define SOW_RUN_WHOLES_H

#include "model/plan/plan.h"

struct sow_wholes;

/* What the largest of the tensors seen so far asks for, in bytes. All 0: none is drawn as a whole. */
struct sow_wholes_need {
    uint64_t bytes, shared, own;
    uint64_t memory; /* what sow_wholes_new takes for so many threads */
};
void sow_wholes_count(struct sow_wholes_need *need, const struct sow_plan_entry *entry,
                      uint32_t threads);

/* *wholes is NULL where none is needed. SOW_E_MEMORY names what is needed. Freed with sow_wholes_free (NULL allowed). */
enum sow_status sow_wholes_new(const struct sow_wholes_need *need, uint32_t threads,
                               struct sow_wholes **wholes, struct sow_error *error);
void sow_wholes_free(struct sow_wholes *wholes);

/* From now on drawing ends once *flag is not 0, and what is taken may be anything: the caller looks at the flag before it
 * lets bytes out. `wholes` may be NULL. */
void sow_wholes_interrupt(struct sow_wholes *wholes, const volatile int *flag);

/* The bytes of an entry in the machine's order, until they are given back. From any number of threads; a thread holds
 * one at a time. */
const unsigned char *sow_wholes_take(struct sow_wholes *wholes, const struct sow_plan_entry *entry,
                                     uint64_t seed);
void sow_wholes_give(struct sow_wholes *wholes, const unsigned char *bytes);

#endif
