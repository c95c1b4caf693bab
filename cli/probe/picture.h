/* SPDX-License-Identifier: MIT */
/* Pictures of what sow probe found: the series (picture_data.c), the script that draws them (picture_script.c), the plane
 * of (sigma_w, sigma_b) in it (picture_plane.c), histograms (picture_ridges.c), and gnuplot, which runs it (picture_run.c). */
#ifndef SOW_CLI_PICTURE_H
#define SOW_CLI_PICTURE_H

#include "asked.h"
#include "cli/cmd.h"
#include "cli/text/format.h"
#include "sampled.h"
#include "sow/learn.h"

#define SOW_RUNS_MAX 8 /* networks in one picture: as many as there are colours to tell apart */

#define SOW_RIDGES_MAX 8

/* Some of the numbers of some results of layers, kept while they are measured (picture_ridges.c). */
struct sow_cli_ridges {
    struct sow_cli_ridge {
        const char *name; /* the value's */
        double depth;
        float *numbers;
        size_t count;
    } items[SOW_RIDGES_MAX];
    size_t count;
};

/* One network with one scheme. */
struct sow_cli_run {
    const char *title;
    struct sow_cli_source source;
    struct sow_probe *probe;
    struct sow_measurement *measured; /* NULL: it was not */
    struct sow_cli_sample sample;     /* how much of it */
    struct sow_learning *learned;     /* NULL: no step was taken */
    struct sow_cli_ridges ridges;
    struct sow_cli_asked asked;
    struct sow_judgement *judgement;       /* NULL: one of several that are compared */
    struct sow_judgement *compared;        /* without cures; NULL: the only one */
    const struct sow_cli_options *options; /* that asked for it, for cures; NULL: one of several */
};

struct sow_cli_runs {
    const char *title; /* of all: the SOURCE and what it was given */
    struct sow_cli_run items[SOW_RUNS_MAX];
    size_t count;
};

/* A value in a picture. Second moments are log10; NAN: nothing to draw, -INFINITY: zero. */
struct sow_cli_point {
    const struct sow_probe_value *value;
    double x;      /* results of layers are whole numbers, what stands between them lies between */
    int is_result; /* of a layer, or weights outside of layers; of few values, all */
    double moment, moment_low, moment_high; /* between: 19 of 20 seeds */
    double gradient, gradient_low, gradient_high;
    double correlation; /* of places, or of samples where there is one place */
    double seen_moment, seen_gradient, seen_correlation;
    double dead, dead_expected, saturated, saturated_expected;
};

/* Points of a run, in order; the caller frees them. */
size_t sow_cli_points(const struct sow_cli_run *run, struct sow_cli_point **points);
/* All runs as CSV: numbers first, then the words. */
void sow_cli_add_picture_data(struct sow_cli_text *text, const struct sow_cli_runs *runs);

/* The gnuplot script of all panels. Its variables `kind` (svg, png, term) and `out` may be set before it. */
void sow_cli_add_picture_script(struct sow_cli_text *text, const struct sow_cli_runs *runs,
                                const char *stem, const char *kind);
/* How many rows of two panels it has, and where, in units of the SVG, `row` of them end: 0 rows at the top. */
int sow_cli_picture_rows(const struct sow_cli_runs *runs);
double sow_cli_picture_cut(int rows, int row);
/* Chooses values of a predicted run; the watch, a sow_watch_fn of these ridges, fills them. */
void sow_cli_ridges_choose(struct sow_cli_ridges *ridges, const struct sow_cli_run *run);
void sow_cli_ridges_watch(void *ridges, uint32_t seed, enum sow_watched what, const char *name,
                          const float *numbers, uint64_t elements);
void sow_cli_add_ridges(struct sow_cli_text *text, const struct sow_cli_ridges *ridges);
void sow_cli_ridges_free(struct sow_cli_ridges *ridges);
/* Whether a run repeats a layer, whose place in the plane is known. */
int sow_cli_has_plane(const struct sow_cli_runs *runs);
void sow_cli_add_plane(struct sow_cli_text *text, const struct sow_cli_runs *runs);
/* A word in quotes, which gnuplot takes as it stands. */
void sow_cli_add_gnuplot(struct sow_cli_text *text, const char *word);
/* Axes (picture_axes.c). 1, 2, 5, 10, 20, 50 ... of at least `least`. */
double sow_cli_axis_step(double least);
/* A logarithmic axis of numbers that are logarithms, at least a decade of it. */
void sow_cli_add_log_axis(struct sow_cli_text *text, double low, double high);
/* Singular values of Jacobians, where a run has some (picture_jacobian.c). */
int sow_cli_has_jacobian(const struct sow_cli_runs *runs);
void sow_cli_add_jacobians(struct sow_cli_text *text, const struct sow_cli_runs *runs);
/* Pairs of inputs and inputs of three sizes, of one run that was asked for them: two panels (picture_curves.c). */
int sow_cli_has_curves(const struct sow_cli_runs *runs);
void sow_cli_add_curves_panels(struct sow_cli_text *text, const struct sow_cli_runs *runs);
/* The first steps of learning: how many panels they have, 0 where no run took some (picture_learned.c). */
int sow_cli_learned_panels(const struct sow_cli_runs *runs);
void sow_cli_add_learned_panels(struct sow_cli_text *text, const struct sow_cli_runs *runs);
/* Colour, dash and point of run `index`, as words for "plot". */
const char *sow_cli_color(size_t index);

/* The losses of several runs as CSV after an empty line, a row a run and step; nothing where no step was taken. */
void sow_cli_add_compared_losses(struct sow_cli_text *text, const struct sow_cli_runs *runs);
/* --compare for people and machines (compare.c). */
void sow_cli_compare_table(const struct sow_cli_runs *runs, const struct sow_cli_options *options);
void sow_cli_compare_json(const struct sow_cli_runs *runs, const struct sow_cli_options *options);

/* --plot: OUT.svg or OUT.png with OUT.csv and OUT.gp beside it, or "term". Tells what goes wrong. */
int sow_cli_plot(const struct sow_cli_runs *runs, const struct sow_cli_options *options);
/* The picture as SVG, NULL after adding the reason to `reason` when there is none. The caller frees it. */
char *sow_cli_draw_svg(const struct sow_cli_runs *runs, struct sow_cli_text *reason);
/* Refuses names that cannot be, before any work. */
int sow_cli_check_plot(const struct sow_cli_options *options);
/* Writes under a temporary name and renames. Returns 0, or -1 with errno. */
int sow_cli_write_file(const char *path, const char *bytes, size_t length);

#endif
