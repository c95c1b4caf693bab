/* SPDX-License-Identifier: MIT */
/* Axes of sow probe's pictures: round steps, and logarithmic axes of numbers that are logarithms already. */
#include <math.h>

#include "picture.h"

double sow_cli_axis_step(double least)
{
    double step = 1;
    for (int i = 0; step < least; i++) {
        step *= i % 3 == 1 ? 2.5 : 2;
    }
    return step;
}

/* A logarithmic axis of numbers that are logarithms: no depth overflows it. At least a decade is shown, so that a network
 * that keeps its signal looks level. */
void sow_cli_add_log_axis(struct sow_cli_text *text, double low, double high)
{
    static const int digits[] = {1, 2, 5};
    if (!(low <= high)) {
        low = high = 0;
    }
    double least = fmax(0, 1.2 - (high - low)) / 2, margin = (high - low + 2 * least) * 0.06;
    low -= least + margin;
    high += least + margin;
    sow_cli_add(text, "set yrange [%.6g:%.6g]\nset ytics (", low, high);
    int any = 0;
    if (high - low > 3.5) {
        double step = sow_cli_axis_step((high - low) / 7);
        for (double at = ceil(low / step) * step; at <= high; at += step) {
            sow_cli_add(text, "%spower(%.0f) %.0f", any++ ? ", " : "", at, at);
        }
    } else {
        for (double decade = floor(low); decade <= high; decade++) {
            for (int i = 0; i < 3; i++) {
                double at = decade + log10(digits[i]);
                int plain = decade >= -3 && decade < 5;
                if (at >= low && at <= high && (i == 0 || high - low < 2.6 || i == 1)) {
                    sow_cli_add(text, plain ? "%s'%.6g' %.6g" : "%s'%.0e' %.6g", any++ ? ", " : "",
                                digits[i] * pow(10, decade), at);
                }
            }
        }
    }
    sow_cli_add(text, any ? ")\n" : "'' 0)\n");
}
