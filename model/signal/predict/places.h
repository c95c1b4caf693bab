/* SPDX-License-Identifier: MIT */
/* Tokens by their position, from the inside: what the files places*.c share. Under a causal mask positions are taken in
 * groups that grow by a third, or up to a part of the shortest window of attention; where all see all, tokens are one group
 * but for those that are put beside others or taken out (a class token). Of a value, and of the gradient there, it is known
 * how large each group is and how alike each two are. What other rules see of it are means over positions (predict.h). */
#ifndef SOW_SIGNAL_PLACES_H
#define SOW_SIGNAL_PLACES_H

#include "model/signal/predict/predict.h"

#define SOW_PLACES 40 /* groups at most */

/* In units of the mean of E[x^2] over positions; of a gradient, of its own. */
struct sow_places {
    size_t count;  /* groups */
    double tokens; /* all there are */
    /* of all groups together: fewer where tokens many windows from either end, which are like the group `middle`, would
     * be too many to follow */
    double followed;
    size_t middle;
    double group[SOW_PLACES]; /* tokens of each */
    double size[SOW_PLACES];  /* E[x^2] */
    /* E[x y], x and y of different tokens; of one token alone nothing */
    double alike[SOW_PLACES][SOW_PLACES];
    struct sow_places *next; /* of those to spare */
};

/* Who sees whom: all, or the causal mask, and the window, by group, and how far rotary positions turn tokens from each other. */
struct sow_reach {
    struct sow_places groups; /* no sizes, nothing alike */
    uint64_t window;          /* 0: none */
    struct sow_op_attributes at;
    size_t first[SOW_PLACES], last[SOW_PLACES]; /* groups that a query of each group sees */
    size_t from[SOW_PLACES];                    /* the first group that sees a key of each group */
    double keys[SOW_PLACES];                    /* that it sees: the sum of its row of `seen` */
    double pairs[SOW_PLACES]; /* of two different keys of one query: those of `seen` and `twice` */
    double seen[SOW_PLACES][SOW_PLACES];  /* [query][key]: keys of a group that one query sees */
    double twice[SOW_PLACES][SOW_PLACES]; /* ordered pairs of two keys of the group */
    double kept[SOW_PLACES][SOW_PLACES];  /* of the product of two tokens, after rotation */
    double heard[SOW_PLACES][SOW_PLACES]; /* the same as seen, [key][query] */
    double
        common[SOW_PLACES]
              [SOW_PLACES]; /* share of pairs of keys of two different queries that are one key */
    double *both;           /* [key][query][query]: keys that two different queries both see */
    struct sow_reach *next;
};

/* Rows of an attention's softmax: E[sum p^2]; how much of an independent distance of keys and of values reaches the logits'
 * gradients, over what does of weights 1 / keys; what a query's gradient is in units of the output's, for weights as they
 * are; by how much weights that follow the logits enlarge the output, and what of it is chance; and how far a query points to
 * a key that it takes, over the root of its size and of head_dim. */
struct sow_rows {
    double same[SOW_PLACES], spread[SOW_PLACES], reach[SOW_PLACES], lift[SOW_PLACES],
        chance[SOW_PLACES], chosen[SOW_PLACES];
};

/* ---- Reach (places_reach.c) ---------------------------------------------------------------------- */

void sow_places_group(struct sow_predictor *p, struct sow_places *places, uint64_t tokens);

/* ---- Tokens put side by side or taken out (places_cut.c) ------------------------------------------------ */

/* Whether a node is one that does so: concat, take. */
int sow_along_tokens(const struct sow_predictor *p, const struct sow_node *node);
/* Lets groups end where such tokens do. */
void sow_places_cut(const struct sow_predictor *p, struct sow_places *places);
/* Fills x, whose groups are set, with what concat makes. */
void sow_places_concat(struct sow_predictor *p, const struct sow_node *node, struct sow_places *x);
/* Of the gradient of a concat's output what input `slot` gets; `whole`: of an element anywhere. */
struct sow_adjoint sow_places_part(const struct sow_predictor *p, const struct sow_node *node,
                                   uint32_t slot, const struct sow_places *gradient,
                                   const struct sow_adjoint *whole);
/* ln of the size of the token that take lets through over the mean of all. */
double sow_places_lift(const struct sow_predictor *p, const struct sow_node *node);
/* Makes of a table, of which only the groups count, that of a gradient that only this token has. */
void sow_places_taken(const struct sow_node *node, struct sow_places *x);

/* Made once for attentions that have all in common; NULL without memory, and beyond 32 kinds. */
struct sow_reach *sow_reach_of(struct sow_predictor *p, const struct sow_node *node,
                               uint64_t tokens);
/* Of keys of a group: how many of them query group i and each other one both see; the row of i. */
const double *sow_both_seen(const struct sow_reach *reach, size_t key, size_t i);

/* ---- Tables (places.c) -------------------------------------------------------------------------------- */

/* Means over tokens, and over pairs of different ones. */
void sow_places_mean(const struct sow_places *places, double *size, double *alike);
void sow_places_scale(struct sow_places *places, double size, double alike);
/* Of products, element by element: sizes and likenesses multiply. */
void sow_places_multiply(struct sow_places *places, const struct sow_places *other);
/* Of tokens times a factor each: what they have in common; sizes are the caller's. */
void sow_places_stretch(struct sow_places *places, const double factors[]);
/* The groups of `like`, the rest not set; and all of it. */
void sow_places_like(struct sow_places *to, const struct sow_places *like);
void sow_places_copy(struct sow_places *to, const struct sow_places *from);
/* `table`, or `room` filled with one of the groups of `like` that is the same everywhere. */
const struct sow_places *sow_places_or(const struct sow_places *table,
                                       const struct sow_places *like, double alike,
                                       struct sow_places *room);

/* ---- Attention (places_attend.c, places_attend_back.c) ------------------------------------------------- */

/* E[p p'] of the rows of two different queries, in units of one over the keys of each: for one key, and for two. */
void sow_rows_cross(const struct sow_reach *reach, const struct sow_rows *rows,
                    const struct sow_places *queries, size_t i, size_t j, double *one, double *two);
/* Queries, keys and values of a node. */
void sow_places_parts(const struct sow_predictor *p, const struct sow_node *node,
                      const struct sow_places *like, struct sow_places room[3],
                      const struct sow_places *parts[3]);
/* The output of attention, in units of the values'; 0 where it is not followed. */
int sow_places_attend(struct sow_predictor *p, const struct sow_node *node, struct sow_places *out);
/* From the gradient of the output, in its units: that of the values in units of it, those of queries and keys in units of
 * it times values and keys, or values and queries, times (scale^2 head_dim). All of one query head. */
void sow_places_attend_back(struct sow_predictor *p, const struct sow_node *node,
                            const struct sow_places *gradient, struct sow_places back[3]);

#endif
