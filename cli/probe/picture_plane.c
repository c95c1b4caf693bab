/* SPDX-License-Identifier: MIT */
/* The plane of (sigma_w, sigma_b): on one side of the edge of chaos gradients die, on the other they explode, and the
 * network is a point in it (Poole et al. 2016; Schoenholz et al. 2017). */
#include <math.h>
#include <string.h>

#include "picture.h"

#define STEPS    240
#define Q_LOW    1e-5
#define Q_HIGH   1e3
#define ROWS     8 /* of an edge that is searched for */
#define HALVINGS 10
#define REACH    4.0  /* of a plane with straight axes */
#define NOTHING  1e-9 /* sigma_b2 below it is rounding */

struct plane {
    double w_low, w_high, b_high;
    int is_log;
};

static const struct sow_probe_depth *depth_of(const struct sow_cli_runs *runs, size_t index)
{
    const struct sow_probe_depth *depth = &sow_probe_summary(runs->items[index].probe)->depth;
    return depth->layers > 0 && isfinite(depth->sigma_w2) ? depth : NULL;
}

int sow_cli_has_plane(const struct sow_cli_runs *runs)
{
    for (size_t i = 0; i < runs->count; i++) {
        if (depth_of(runs, i) != NULL && !depth_of(runs, i)->function.jumps) {
            return 1;
        }
    }
    return 0;
}

static struct plane plane_of(const struct sow_cli_runs *runs)
{
    struct plane plane = {INFINITY, 0, 0, 0};
    for (size_t i = 0; i < runs->count; i++) {
        const struct sow_probe_depth *depth = depth_of(runs, i);
        if (depth != NULL) {
            double w = sqrt(depth->sigma_w2), b = sqrt(depth->sigma_b2);
            plane.w_low = w > 0 ? fmin(plane.w_low, w) : plane.w_low;
            plane.w_high = fmax(plane.w_high, w);
            plane.b_high = fmax(plane.b_high, b);
        }
    }
    plane.is_log = plane.w_high > REACH;
    plane.w_low = plane.is_log ? fmin(plane.w_low, 0.5) / 1.6 : 0;
    plane.w_high = plane.is_log ? plane.w_high * 2 : fmax(plane.w_high * 1.25, 2.5);
    plane.b_high = fmax(plane.b_high * 1.25, 1);
    return plane;
}

/* Points where chi_perp is 1, one for each q at which the signal settles: sigma_w^2 = 1 / E[phi'^2] and
 * sigma_b^2 = q - sigma_w^2 E[phi^2]. Returns how many there are; *single is sigma_w where all q share it (relu). */
static size_t add_edge(struct sow_cli_text *text, const struct sow_function *function,
                       double *single)
{
    size_t count = 0;
    double first = NAN, spread = 0, sigma_b = 0;
    for (int i = 0; i <= STEPS; i++) {
        struct sow_pair_moments at;
        double q = Q_LOW * pow(Q_HIGH / Q_LOW, (double)i / STEPS);
        if (sow_function_pair(function, 0, q, 1, &at, NULL) != SOW_OK ||
            !(at.slope_second_moment > 0)) {
            continue;
        }
        double w2 = 1 / at.slope_second_moment, b2 = q - w2 * at.second_moment;
        if (b2 < -NOTHING * q) {
            continue;
        }
        double w = sqrt(w2), b = sqrt(fmax(b2, 0));
        first = isnan(first) ? w : first;
        spread = fmax(spread, fabs(w / first - 1));
        sigma_b = fmax(sigma_b, b2 > NOTHING * q ? b : 0);
        sow_cli_add(text, "%.8g,%.8g\n", w, b);
        count++;
    }
    *single = count > 0 && spread < 1e-6 && sigma_b == 0 ? first : NAN;
    return count;
}

/* Where signals of one activation settle depends on where they begin (gelu), the edge is searched for: at each sigma_b the
 * sigma_w at which a signal that begins at 1 goes over to growing gradients, or grows without bound itself. */
static size_t add_followed_edge(struct sow_cli_text *text, const struct sow_function *function,
                                const struct plane *plane)
{
    size_t count = 0;
    for (int row = 0; row <= ROWS; row++) {
        double b = plane->b_high * row / ROWS, low = 0, high = fmin(plane->w_high, REACH);
        for (int i = 0; i < HALVINGS; i++) {
            struct sow_fixed_point point;
            double w = (low + high) / 2;
            int grows = sow_function_fixed_point(function, w * w, b * b, &point, NULL) == SOW_OK &&
                        (!isfinite(point.q) || point.chi_perp > 1);
            low = grows ? low : w;
            high = grows ? w : high;
        }
        if (high < fmin(plane->w_high, REACH)) {
            sow_cli_add(text, "%.6g,%.6g\n", low, b);
            count++;
        }
    }
    return count;
}

static int is_followed(const struct sow_function *function)
{
    struct sow_criticality critical;
    return sow_function_criticality(function, &critical, NULL) == SOW_OK &&
           (critical.universality == SOW_CRITICAL_HALF_STABLE ||
            critical.universality == SOW_CRITICAL_UNSTABLE);
}

static void add_here(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    for (size_t i = 0; i < runs->count; i++) {
        const struct sow_probe_depth *depth = depth_of(runs, i);
        if (depth != NULL) {
            sow_cli_add(text, "$here%zu << EOD\n%.8g,%.8g\nEOD\n", i, sqrt(depth->sigma_w2),
                        sqrt(depth->sigma_b2));
        }
    }
}

static void add_axes(struct sow_cli_text *text, const struct plane *plane, const char *activation,
                     const char *edge)
{
    sow_cli_add(text, "set title ");
    struct sow_cli_text title = {0};
    sow_cli_add(&title, "Edge of chaos of %s", activation);
    sow_cli_add_gnuplot(text, title.bytes);
    sow_cli_text_free(&title);
    sow_cli_add(text, " noenhanced\nset xlabel sigma.'_w  (std of weights, times sqrt(fan in))'\n"
                      "set ylabel sigma.'_b  (std of biases)'\n");
    sow_cli_add(text,
                "set xrange [%.6g:%.6g]\nset yrange [0:%.6g]\nset xtics auto\nset ytics auto\n",
                plane->w_low, plane->w_high, plane->b_high);
    sow_cli_add(text, plane->is_log ? "set logscale x\n" : "");
    sow_cli_add(text, "set label 1 \"%s\" at graph 0.04,0.93 left front tc rgb grey\n", edge);
}

void sow_cli_add_plane(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    struct plane plane = plane_of(runs);
    const struct sow_probe_depth *depth = NULL;
    double single = NAN;
    for (size_t i = 0; depth == NULL; i++) {
        depth = depth_of(runs, i);
    }
    sow_cli_add(text, "\n# where chi_perp = 1: gradients and small distances neither die nor grow\n"
                      "$edge << EOD\n");
    int follows = is_followed(&depth->function);
    size_t count = follows ? add_followed_edge(text, &depth->function, &plane)
                           : add_edge(text, &depth->function, &single);
    sow_cli_add(text, "EOD\n");
    add_here(text, runs);
    add_axes(text, &plane, depth->activation,
             count > 0 ? "ordered:\\ngradients vanish" : "no edge:\\ngradients vanish everywhere");
    if (count > 0) {
        sow_cli_add(text, "set label 2 \"chaotic:\\ngradients explode\" at graph 0.97,0.2 right "
                          "front tc rgb grey\n");
    }
    sow_cli_add(text, "plot ");
    if (count > 0 && !isnan(single)) {
        sow_cli_add(text,
                    "'+' using (side(%.8g)):($0/99*%.6g) with filledcurves y1 fc rgb '#EEEEEE' "
                    "notitle, '+' using (%.8g):($0/99*%.6g) with lines lc rgb grey lw 2 "
                    "title edge, ",
                    single, plane.b_high, single, plane.b_high);
    } else if (count > 0) {
        sow_cli_add(text,
                    "$edge using (side($1)):2 with filledcurves y1 fc rgb '#EEEEEE' notitle, "
                    "$edge using 1:2 with lines lc rgb grey lw 2 title %s, ",
                    follows ? "'edge of chaos, from 1 on'" : "edge");
    }
    for (size_t i = 0, any = 0; i < runs->count; i++) {
        if (depth_of(runs, i) != NULL) {
            sow_cli_add(text,
                        "%s$here%zu using 1:2 with points pt %zu ps 2.2*small lw 2 lc rgb '%s' ",
                        any++ ? ", " : "", i, i + 4, sow_cli_color(i));
            if (runs->count == 1) {
                sow_cli_add(text, "title 'you are here'");
            } else {
                sow_cli_add(text, "notitle");
            }
        }
    }
    sow_cli_add(text, "\nunset logscale\nunset label 1\nunset label 2\n");
}
