/* SPDX-License-Identifier: MIT */
/* Expansions of activations, kept in two ways: whole ones, which layers that repeat have in common, and what an activation
 * is at lists of nodes, which return while the size of the signal drifts from layer to layer. Neither changes a bit. */
#include <string.h>

#include "core/base/fma.h"
#include "model/signal/predict/predict.h"

#define TABLE_SIZE 512 /* a power of two */

/* phi(x), or x phi(x). */
struct composition {
    const struct sow_function *function;
    int times_x;
    struct sow_table *table;
};

/* Entry i is of a list whose hash is i; a new one takes its place. */
struct sow_table {
    struct table_entry {
        const struct sow_function *function; /* NULL: free */
        int times_x;
        double first, last; /* nodes, which stand for the list */
        double y[SOW_NODES], slope[SOW_NODES];
    } entries[TABLE_SIZE];
};

static double composed_value(const void *of, double x, double *slope)
{
    const struct composition *composition = of;
    double y = sow_function_value(composition->function, x, slope);
    if (composition->times_x) {
        *slope = y + x * *slope;
        y *= x;
    }
    return y;
}

/* Lists of the rules in core/activation/hermite.c are one where their ends are. */
static void composed_many(const void *of, const double x[SOW_NODES], double y[SOW_NODES],
                          double slope[SOW_NODES])
{
    const struct composition *composition = of;
    double first = x[0], last = x[SOW_NODES - 1];
    uint64_t hash = sow_double_bits(first);
    /* lists often differ in sign or exponent alone, which a product leaves at its upper end */
    hash = (hash ^ hash >> 29) * 0x9e3779b97f4a7c15u + sow_double_bits(last);
    hash = (hash ^ hash >> 31) * 0x9e3779b97f4a7c15u;
    struct table_entry *entry = &composition->table->entries[(hash >> 40) % TABLE_SIZE];
    if (entry->function == NULL || entry->first != first || entry->last != last ||
        entry->times_x != composition->times_x ||
        !sow_function_same(entry->function, composition->function)) {
        *entry = (struct table_entry){.function = composition->function,
                                      .times_x = composition->times_x,
                                      .first = first,
                                      .last = last};
        for (size_t j = 0; j < SOW_NODES; j++) {
            entry->y[j] = composed_value(of, x[j], &entry->slope[j]);
        }
    }
    memcpy(y, entry->y, sizeof entry->y);
    memcpy(slope, entry->slope, sizeof entry->slope);
}

static int is_kept(const struct sow_kept_expansion *kept, const struct sow_function *function,
                   int times_x, double mean, double std)
{
    return kept->function != NULL && kept->mean == mean && kept->std == std &&
           kept->times_x == times_x && sow_function_same(kept->function, function);
}

enum sow_status sow_expand_function(struct sow_predictor *p, const struct sow_function *function,
                                    int times_x, double mean, double std,
                                    const struct sow_expansion **expansion, struct sow_error *error)
{
    for (size_t i = 0; i < SOW_EXPANSIONS_KEPT; i++) {
        if (is_kept(&p->kept[i], function, times_x, mean, std)) {
            *expansion = &p->kept[i].expansion;
            return SOW_OK;
        }
    }
    if (p->table == NULL && p->kept_count > 0) { /* one expansion needs no table */
        p->table = sow_arena_take(&p->arena, sizeof *p->table);
    }
    struct composition composition = {function, times_x, p->table};
    struct sow_pointwise f = {.value = composed_value,
                              .of = &composition,
                              .kinks = function->kinks,
                              .kink_count = function->kink_count,
                              .jumps = function->jumps,
                              .closed = times_x ? NULL : function,
                              .many = p->table != NULL ? composed_many : NULL};
    struct sow_kept_expansion *kept = &p->kept[p->kept_count++ % SOW_EXPANSIONS_KEPT];
    enum sow_status status = sow_expand(&f, mean, std, &kept->expansion, error);
    kept->function = status == SOW_OK ? function : NULL;
    kept->times_x = times_x;
    kept->mean = mean;
    kept->std = std;
    *expansion = &kept->expansion;
    return status;
}
