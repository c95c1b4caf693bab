/* SPDX-License-Identifier: MIT */
/* Words and numbers of a report as HTML. What comes from outside passes through sow_cli_add_html. */
#include "report_text.h"

#include <math.h>
#include <string.h>

void sow_cli_add_html(struct sow_cli_text *text, const char *word)
{
    struct sow_cli_text safe = {0};
    sow_cli_add_safe(&safe, word, strlen(word), 0);
    for (const char *c = safe.bytes; c != NULL && *c != '\0'; c++) {
        switch (*c) {
        case '&':
            sow_cli_add(text, "&amp;");
            break;
        case '<':
            sow_cli_add(text, "&lt;");
            break;
        case '>':
            sow_cli_add(text, "&gt;");
            break;
        case '"':
            sow_cli_add(text, "&quot;");
            break;
        case '\'':
            sow_cli_add(text, "&#39;");
            break;
        default:
            sow_cli_add_bytes(text, c, 1);
        }
    }
    sow_cli_text_free(&safe);
}

void sow_cli_add_html_lines(struct sow_cli_text *text, char *lines, const char *element)
{
    for (char *at = lines, *end; at != NULL && *at != '\0'; at = end + 1) {
        end = strchr(at, '\n');
        *end = '\0';
        sow_cli_add(text, "<%s>", element);
        sow_cli_add_html(text, at);
        sow_cli_add(text, "</%s>\n", element);
    }
}

void sow_cli_add_html_cell(struct sow_cli_text *text, const char *word)
{
    sow_cli_add(text, "<td class=w>");
    sow_cli_add_html(text, word);
    sow_cli_add(text, "</td>");
}

/* 3.2e-81 as 3.2&times;10^-81, from its logarithm, which no depth overflows. */
void sow_cli_add_html_power(struct sow_cli_text *text, double log10)
{
    double exponent = floor(log10);
    if (isnan(log10)) {
        sow_cli_add(text, "-");
    } else if (log10 == -INFINITY) {
        sow_cli_add(text, "0");
    } else if (log10 > -4 && log10 < 3.99995) {
        sow_cli_add(text, "%.4g", pow(10, log10));
    } else {
        sow_cli_add(text, "%.3g&times;10<sup>%.0f</sup>", pow(10, log10 - exponent), exponent);
    }
}

void sow_cli_add_html_number(struct sow_cli_text *text, double number)
{
    if (number >= 1e-12 && (number < 1e-4 || number > 9999.5)) {
        sow_cli_add_html_power(text, log10(number));
    } else {
        sow_cli_add(text, isnan(number) ? "-" : "%.4g", fabs(number) < 1e-12 ? 0 : number);
    }
}
