/* SPDX-License-Identifier: MIT */
/* The weights of a network, those together whose names differ in numbers only: what alike.c and fans.c look at. */
#ifndef SOW_SIGNAL_ALIKE_H
#define SOW_SIGNAL_ALIKE_H

#include "model/signal/judge/judge.h"

/* A weight that is drawn: no constant. */
struct sow_like {
    const char *pattern; /* "h.*.mlp.c_fc.weight"; in the judgement's arena */
    const struct sow_node *node, *maker, *reader; /* maker: of its input; reader: NULL for none */
    const struct sow_plan_entry *entry;
    double square; /* E[w^2] */
    int is_output, is_first, is_normed;
    int is_authors; /* its rule is a shipped family's, and not judged */
    int is_told;    /* that it is out of line */
};

/* Fills `likes`, room for one a node, by pattern and then in the order of the network. Returns how many; 0 and
 * j->out_of_memory where the arena is full. */
size_t sow_likes_gather(struct sow_judgement *j, struct sow_like *likes);
/* By which share E[w^2] may differ from what its law says: rounding, or chance in a file. */
double sow_likes_tolerance(const struct sow_judgement *j, const struct sow_like *like);
/* Layers that follow fan_out where fan_in would keep signals (EXPLODE). */
void sow_judge_fans(struct sow_judgement *j, const struct sow_like *likes, size_t count);

#endif
