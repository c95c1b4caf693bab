/* SPDX-License-Identifier: MIT */
/* The picture of a report: gnuplot's SVG within the page, a row of panels at a time, so that paper is turned between two
 * rows and none is cut. */
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "report_text.h"

#define WIDTH 1080 /* of gnuplot's SVG */

/* `svg` from its <svg on, seen as far as the first row; then the other rows, which show the same drawing further down. */
static void add_rows(struct sow_cli_text *text, const char *svg, int rows)
{
    static const char box[] = "viewBox=\"", name[] = "<title>Gnuplot</title>";
    const char *view = strstr(svg, box), *title = strstr(svg, name);
    const char *view_end = view != NULL ? strchr(view + strlen(box), '"') : NULL;
    if (view_end == NULL || title == NULL || title < view_end) {
        sow_cli_add_bytes(text, svg, strlen(svg));
        return;
    }
    sow_cli_add_bytes(text, svg, (size_t)(view - svg));
    sow_cli_add(text, "%s0 0 %d %.0f", box, WIDTH, sow_cli_picture_cut(rows, 1));
    sow_cli_add_bytes(text, view_end, (size_t)(title - view_end));
    sow_cli_add(text, "<title>Signal and gradient by depth</title>");
    title += strlen(name);
    sow_cli_add_bytes(text, title, strlen(title));
    for (int row = 1; row < rows; row++) {
        double top = sow_cli_picture_cut(rows, row), end = sow_cli_picture_cut(rows, row + 1);
        sow_cli_add(text, "<svg %s0 %.0f %d %.0f\"><use href=\"#gnuplot_canvas\"/></svg>\n", box,
                    top, WIDTH, end - top);
    }
}

void sow_cli_add_report_picture(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    struct sow_cli_text reason = {0};
    char *picture = sow_cli_draw_svg(runs, &reason);
    const char *begin = picture != NULL ? strstr(picture, "<svg") : NULL;
    sow_cli_add(text, "<figure>\n");
    if (begin == NULL) {
        sow_cli_add(text, "<figcaption>No picture: ");
        sow_cli_add_html(text, reason.length > 0 ? reason.bytes : "gnuplot wrote no SVG");
        sow_cli_add(text, ", and write this report again.</figcaption>\n");
    } else {
        add_rows(text, begin, sow_cli_picture_rows(runs));
        sow_cli_add(text,
                    "<figcaption>The input is at the left, the output at the right. Signal "
                    "and gradient: a level line is good. A signal that falls to the right "
                    "vanishes, one that rises explodes; the gradient runs from right to left. "
                    "Their axes count in factors: each step up multiplies. The band is where "
                    "19 of 20 networks lie that are drawn with other seeds; dots are values "
                    "inside of layers. Correlation: at 1 the network sees no difference between "
                    "its inputs. %s</figcaption>\n",
                    sow_cli_has_plane(runs)
                        ? "Edge of chaos: left of the edge gradients vanish with the depth, right "
                          "of it they explode."
                        : "What one layer does: at 1 it keeps small differences as they are.");
    }
    sow_cli_add(text, "</figure>\n");
    sow_cli_text_free(&reason);
    free(picture);
}
