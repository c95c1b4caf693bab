/* SPDX-License-Identifier: MIT */
/* What the passes of this folder share: one site for every value of the graph, one choice for every parameter. A value
 * and the operation that made it go by one number, for every operation makes one value. */
#ifndef SOW_MATCH_INSIDE_H
#define SOW_MATCH_INSIDE_H

#include "model/graph/arena.h"
#include "model/match/match.h"

#define SOW_NO_SITE UINT32_MAX

/* How an operation is walked; the kinds that are, in ops.c. */
enum sow_walk {
    SOW_WALK_SOURCE,       /* makes a value from nothing: tokens, input */
    SOW_WALK_WEIGHT,       /* weighted sums: linear, conv */
    SOW_WALK_LOOKUP,       /* rows of a table: embedding */
    SOW_WALK_LEARNED,      /* a tensor that is a value itself */
    SOW_WALK_NORM,         /* gives second moment 1, whatever comes in */
    SOW_WALK_FEATURE,      /* times a learned factor for each feature: layer_scale */
    SOW_WALK_ACTIVATION,   /* element by element */
    SOW_WALK_ADD,          /* of two values */
    SOW_WALK_MULTIPLY,     /* of two values */
    SOW_WALK_GATED,        /* a phi(b), of two values or of one with both */
    SOW_WALK_CONCAT,       /* side by side */
    SOW_WALK_SCALE,        /* by a number, the attribute "factor" */
    SOW_WALK_PASS,         /* the same elements, or nearly */
    SOW_WALK_MAX_POOL,     /* the attribute "kernel" tells the window */
    SOW_WALK_AVERAGE_POOL, /* the same */
    SOW_WALK_GLOBAL_POOL,  /* over all places, the attribute "kind" tells which pool */
    SOW_WALK_ATTENTION,    /* softmax(q k) v */
    SOW_WALK_SOFTMAX,
    SOW_WALK_RECURRENT, /* rnn, lstm, gru */
    SOW_WALK_EXPERTS,   /* weighted sum of all inputs but the first, which is the weights */
};

struct sow_walk_row {
    const char *kind;
    enum sow_walk walk;
};
/* NULL when the kind is not known. */
const struct sow_walk_row *sow_walk_find(const char *kind);
/* The kinds that are known; NULL past the end. */
const char *sow_walk_kind(size_t index);

/* What a value feeds, the strongest first: when it feeds several things, the first one decides. */
enum sow_feeds {
    SOW_FEEDS_OUTPUT,     /* nothing follows: the model's own output */
    SOW_FEEDS_BRANCH,     /* a residual addition, as the branch */
    SOW_FEEDS_STREAM,     /* a residual addition, as the stream */
    SOW_FEEDS_GATE,       /* an activation whose result multiplies another signal */
    SOW_FEEDS_PRODUCT,    /* the other side of that product */
    SOW_FEEDS_ACTIVATION, /* an activation */
    SOW_FEEDS_SCORES,     /* attention, as queries or keys */
    SOW_FEEDS_PACKED,     /* attention, as queries, keys and values side by side */
    SOW_FEEDS_VALUES,     /* attention, as values */
    SOW_FEEDS_ROUTER,     /* a softmax inside the model */
    SOW_FEEDS_LINEAR,     /* the next weights */
    SOW_FEEDS_UNKNOWN,    /* not looked at yet */
};

struct sow_need {
    enum sow_feeds feeds;
    uint32_t site; /* the operation that decides: the activation, the addition, the attention */
    uint32_t norm; /* a normalisation that comes before it; SOW_NO_SITE */
    uint32_t tied; /* parameter whose variance the terms of this sum share; SOW_NO_SITE */
    double share;  /* of the second moment: 1 / terms, where values are summed */
    double factor; /* scales between here and there, multiplied */
};

struct sow_site {
    enum sow_walk walk;
    const struct sow_operation *operation;
    /* streams.c */
    uint32_t stream;   /* the value that its residual stream began with */
    uint32_t anchor;   /* the nearest value before it that is no norm, activation, scale, ... */
    uint32_t branch;   /* of a residual addition: which input is the branch; else SOW_NO_SITE */
    int projected;     /* of a residual addition: weights lie on its shortcut */
    uint32_t measure;  /* of a residual addition: a value before its branch, of the stream's size */
    uint32_t branches; /* of a stream's first value: residual additions on the stream */
    double terms;      /* of a sum that is none: how many second moments are in it */
    uint32_t tied;     /* a term of it is a lookup of this tied parameter; SOW_NO_SITE */
    /* needs.c */
    struct sow_need need;
    /* depth.c */
    uint32_t run;    /* weights in the run that this is in; 0: in none */
    uint32_t place;  /* of them, how many up to here */
    uint32_t behind; /* and how many behind this */
    int unbiased;    /* one of them has no bias */
    /* flow.c */
    double mean, second;
    double base;    /* second moment that the stream is measured in */
    uint32_t cause; /* the operation that gave it a second moment of its own; SOW_NO_SITE for 1 */
};

/* The size that signals have in a run of weights and activations. */
struct sow_point {
    enum sow_point_kind {
        SOW_POINT_UNIT,     /* second moment 1 */
        SOW_POINT_SMALLER,  /* the largest that a run of this length allows, come down to from 1 */
        SOW_POINT_CRITICAL, /* the activation's critical point */
    } kind;
    double second;   /* moment of what goes into the activation */
    double bias;     /* variance of biases in it */
    double square;   /* SMALLER: what weights multiply the activation's second moment by */
    double chi_perp; /* at unit scale, where that is not taken */
};

enum sow_law {
    SOW_LAW_NONE,
    SOW_LAW_FAN_IN,
    SOW_LAW_HE,
    SOW_LAW_GLOROT,
    SOW_LAW_STD,
    SOW_LAW_VALUE,
    SOW_LAW_BIAS
};

/* What was decided for a parameter. */
struct sow_choice {
    enum sow_law law;
    uint32_t site; /* of the use that decided; SOW_NO_SITE */
    double number; /* gain, std or value */
    double target; /* second moment that its output should have */
    double input;  /* second moment of what comes in */
    double left;   /* with He's law: what the activation behind leaves of a second moment */
    double fan_in, fan_out;
    struct sow_point point;
    int tied;      /* both a lookup and a weight: an embedding that is the head too */
    uint32_t head; /* the use as a weight, when tied */
};

#define SOW_MATCH_REMEMBERED 32
/* Moments that an activation was worked out for. */
struct sow_remembered {
    struct sow_function function; /* neither a row nor own: nothing yet */
    double key[3], mean, second;
};

/* The point that an activation has in a run. */
struct sow_remembered_point {
    struct sow_function function;
    uint32_t run; /* 0: nothing yet */
    int unbiased;
    struct sow_point point;
};

struct sow_matching {
    const struct sow_graph *graph;
    struct sow_site *sites;
    struct sow_choice *choices;
    struct sow_remembered remembered[SOW_MATCH_REMEMBERED];
    struct sow_remembered_point points[SOW_MATCH_REMEMBERED];
    size_t remembered_next, points_next;
    struct { /* the last that was looked at */
        struct sow_function function;
        int is_known, is_sigmoidal;
        double second_moment; /* at q = 1 */
    } looked_at;
    struct sow_arena arena;  /* of the reasons */
    const char *recent[256]; /* reasons shared lately, by hash */
};

/* The site of input `input` of a site's operation. */
static inline uint32_t sow_input_of(const struct sow_matching *matching,
                                    const struct sow_site *site, uint32_t input)
{
    return matching->graph->values[site->operation->inputs[input]].operation;
}

/* The second moment that a residual addition's stream is measured in. */
static inline double sow_base_of(const struct sow_matching *matching, const struct sow_site *add)
{
    return matching->sites[add->measure].base;
}

/* A number among the attributes; `fallback` when there is none. */
double sow_attribute(const struct sow_operation *operation, const char *name, double fallback);
/* Whether a text among them is `text`. */
int sow_attribute_is(const struct sow_operation *operation, const char *name, const char *text);
/* The parameter carries a state from step to step. */
int sow_is_recurrent(const struct sow_parameter *parameter);
/* The function of an activation's operation. SOW_E_CONFIG when there is none of that name. */
enum sow_status sow_activation_of(const struct sow_matching *matching,
                                  const struct sow_operation *operation,
                                  struct sow_function *function, struct sow_error *error);
/* phi(c x) = c phi(x) for c > 0, as far as 4 (relu6 ends at 6): gains hold at every scale. */
int sow_is_homogeneous(const struct sow_function *function);
/* Grows nowhere beyond a bound, and never falls: tanh, sigmoid and their kin. */
int sow_is_sigmoidal(struct sow_matching *matching, const struct sow_function *function);
/* sow_second_moment; networks repeat their layers. */
double sow_kept_second_moment(struct sow_matching *matching, const struct sow_function *function);
/* For x phi(x) written as a product: the input (0 or 1) that is x; 2 when the two are no such pair. */
uint32_t sow_self_gate(const struct sow_matching *matching, const struct sow_site *site);

enum sow_status sow_find_streams(struct sow_matching *matching, struct sow_error *error);
enum sow_status sow_find_needs(struct sow_matching *matching, struct sow_error *error);
/* How many weights stand in a row. */
void sow_find_runs(struct sow_matching *matching);
/* The size that the signal between the weights of `site` and this activation behind them is to have. */
struct sow_point sow_point_of(struct sow_matching *matching, const struct sow_function *function,
                              const struct sow_site *site);
/* Second moment of the activation in front of the weights of `site`, which are not the first of their run. */
double sow_after_activation(const struct sow_matching *matching, const struct sow_site *site);
/* Moments of everything, and on the way the choices. */
enum sow_status sow_find_flow(struct sow_matching *matching, struct sow_error *error);
/* The parameters of one operation, whose inputs' moments stand; sets its own second moment where weights decide it. */
enum sow_status sow_choose(struct sow_matching *matching, uint32_t index, struct sow_error *error);
/* Why, in at most `size` bytes. */
void sow_match_words(const struct sow_matching *matching, size_t parameter, char *text,
                     size_t size);

#endif
