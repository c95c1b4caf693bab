/* SPDX-License-Identifier: MIT */
/* The panel of --jacobian: singular values from the largest to the smallest. A level line at 1 is isometry; how steeply it
 * falls is how unevenly directions are stretched. */
#include <math.h>

#include "picture.h"

#define POINTS 256 /* of a run */
#define DEEP   6   /* decades below the largest that are shown: below is rounding */

static const struct sow_jacobian *jacobian_of(const struct sow_cli_runs *runs, size_t run)
{
    const struct sow_jacobian *jacobian = runs->items[run].asked.jacobian;
    return jacobian != NULL && jacobian->count > 0 && jacobian->values[0] > 0 ? jacobian : NULL;
}

int sow_cli_has_jacobian(const struct sow_cli_runs *runs)
{
    for (size_t run = 0; run < runs->count; run++) {
        if (jacobian_of(runs, run) != NULL) {
            return 1;
        }
    }
    return 0;
}

/* The share of directions that are stretched at least as much, and log10 of by how much; zeros are not shown. */
static void add_values(struct sow_cli_text *text, const struct sow_jacobian *jacobian, size_t run,
                       double *low, double *high)
{
    uint64_t count = jacobian->count, step = (count + POINTS - 1) / POINTS;
    sow_cli_add(text, "$values%zu << EOD\n", run);
    for (uint64_t i = 0; i < count; i++) {
        double at = log10(jacobian->values[i]);
        if ((i % step == 0 || i + 1 == count) && at > log10(jacobian->values[0]) - DEEP) {
            sow_cli_add(text, "%.6g,%.6g\n", count > 1 ? 100 * (double)i / (double)(count - 1) : 0,
                        at);
            *low = fmin(*low, at);
            *high = fmax(*high, at);
        }
    }
    sow_cli_add(text, "EOD\n");
    if (jacobian->expected.largest > 0) {
        *high = fmax(*high, log10(jacobian->expected.largest));
    }
}

void sow_cli_add_jacobians(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    double low = INFINITY, high = -INFINITY;
    int single = runs->count == 1, any = 0;
    sow_cli_add(text, "\n# singular values of the first seed: percent of directions, log10\n");
    for (size_t run = 0; run < runs->count; run++) {
        if (jacobian_of(runs, run) != NULL) {
            add_values(text, jacobian_of(runs, run), run, &low, &high);
        }
    }
    sow_cli_add(text, "set title 'Jacobian: how directions are stretched'\n"
                      "set xlabel 'directions, in percent, the most stretched first'\n"
                      "set ylabel 'singular value'\nset xrange [-2:102]\nset xtics 20\n");
    sow_cli_add_log_axis(text, low, high);
    for (size_t run = 0; run < runs->count; run++) {
        const struct sow_jacobian *jacobian = jacobian_of(runs, run);
        if (jacobian == NULL) {
            continue;
        }
        const struct sow_jacobian_numbers *theory = &jacobian->expected;
        sow_cli_add(text, "%s$values%zu using 1:2 with lines lw 2.4 dt %zu lc rgb '%s' ",
                    any++ ? ", \\\n     " : "plot ", run, run + 1, sow_cli_color(run));
        sow_cli_add(text, single ? "title 'measured'" : "notitle");
        if (theory->mean_square > 0 && isfinite(theory->mean_square) && single) {
            sow_cli_add(text, ", \\\n     %.6g with lines lw 1.4 dt 2 lc rgb '%s' title ",
                        log10(theory->mean_square) / 2, sow_cli_color(1));
            sow_cli_add(text, "'mean, expected'");
        }
        if (theory->largest > 0 && isfinite(theory->largest)) {
            sow_cli_add(text,
                        ", \\\n     '+' using (0):(%.6g) every ::0::0 with points pt 4 ps small "
                        "lw 1.5 lc rgb '%s' ",
                        log10(theory->largest), sow_cli_color(single ? 1 : run));
            sow_cli_add(text, single ? "title 'largest, expected'" : "notitle");
        }
    }
    sow_cli_add(text, ", \\\n     0 with lines lc rgb grey dt 3 notitle\n");
}
