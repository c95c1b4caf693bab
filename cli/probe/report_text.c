/* SPDX-License-Identifier: MIT */
/* Words and numbers of a report as HTML. What comes from outside passes through sow_cli_add_html. */
#include "report_text.h"

#include <math.h>
#include <string.h>

#define PART_MIN 4 /* of a word in a table that is broken */
#define PART_MAX 24

/* On a screen lines of text keep a length that reads well; on paper tables are small enough for their columns. */
const char sow_cli_report_style[] =
    "body{font:16px/1.5 sans-serif;color:#222;background:#fff;max-width:1100px;margin:2em auto;"
    "padding:0 1em}\n"
    "p,li,figcaption{max-width:48em}\n"
    "h1{font-size:1.7em;margin:0}\n"
    "h2{font-size:1.25em;margin:2em 0 .4em;border-bottom:1px solid #ccc}\n"
    "h3{font-size:1.05em;margin:1.4em 0 .3em}\n"
    "code,.f{font-family:monospace;overflow-wrap:anywhere}\n"
    ".f{background:#f5f5f5;padding:.5em .8em;border-left:3px solid #0072B2}\n"
    "span.f{background:none;border:0;padding:0}\n"
    "table{border-collapse:collapse;font-size:.85em;font-variant-numeric:tabular-nums;"
    "width:100%;margin:0 0 1em}\n"
    "th,td{padding:.2em .6em;text-align:right;border-bottom:1px solid #e5e5e5;vertical-align:top}\n"
    "sup,sub{line-height:0}.n,sup{white-space:nowrap}\n"
    "code.c{display:block;white-space:pre;overflow-x:auto}\n"
    "th{border-bottom:2px solid #888}\n"
    "th.w,td.w{text-align:left}\n"
    "figure{margin:1em 0}svg{display:block;width:100%;height:auto}.s,figcaption{color:#555}\n"
    "figcaption{margin-top:.8em}\n"
    "@media screen and (max-width:50em){table{display:block;overflow-x:auto}}\n"
    "@page{size:A4;margin:15mm}\n"
    "@media print{\n"
    "body{font-size:10pt;margin:0;max-width:none}p,li,figcaption{max-width:none}\n"
    "table{font-size:.75em}th,td{padding:.15em .4em}\n"
    "h2,h3,p.h{break-after:avoid}tr,svg,figcaption,.f{break-inside:avoid}\n"
    "thead{display:table-header-group}code.c{white-space:pre-wrap}}\n";

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

void sow_cli_add_html_powers(struct sow_cli_text *text, const char *words)
{
    struct sow_cli_text safe = {0};
    sow_cli_add_html(&safe, words);
    for (const char *c = safe.bytes; c != NULL && *c != '\0'; c++) {
        size_t length = *c == '^' ? strspn(c + 1, "-0123456789.") : 0;
        if (length > 0 && c[length] == '.') { /* of the sentence */
            length--;
        }
        if (length > 0) {
            sow_cli_add(text, "<sup>%.*s</sup>", (int)length, c + 1);
            c += length;
        } else {
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
        sow_cli_add_html_powers(text, at);
        sow_cli_add(text, "</%s>\n", element);
    }
}

void sow_cli_add_html_cell(struct sow_cli_text *text, const char *word)
{
    struct sow_cli_text safe = {0}, part = {0};
    size_t since = 0; /* characters since a line may end */
    char last = '\0';
    sow_cli_add(text, "<td class=w>");
    sow_cli_add_safe(&safe, word, strlen(word), 0);
    for (const char *c = safe.bytes; c != NULL && *c != '\0'; c++) {
        sow_cli_add_bytes(&part, c, 1);
        /* not in "{0..11}" and "0.02" */
        int is_number = *c == '.' && (c[1] == '.' || last == '.' || (c[1] >= '0' && c[1] <= '9'));
        int breaks = strchr(".,;={}_", *c) != NULL && !is_number && since >= PART_MIN;
        last = *c;
        int is_whole = ((unsigned char)c[1] & 0xc0) != 0x80; /* of a character of UTF-8 */
        since = *c == ' ' ? 0 : since + 1;
        if (is_whole && c[1] != '\0' && (breaks || since >= PART_MAX)) {
            sow_cli_add_html(text, part.bytes);
            sow_cli_add(text, "<wbr>");
            sow_cli_text_clear(&part);
            since = 0;
        }
    }
    sow_cli_add_html(text, part.length > 0 ? part.bytes : "");
    sow_cli_add(text, "</td>");
    sow_cli_text_free(&safe);
    sow_cli_text_free(&part);
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
    if (number != 0 && isfinite(number) && (fabs(number) < 1e-4 || fabs(number) > 9999.5)) {
        sow_cli_add(text, "%s", number < 0 ? "-" : "");
        sow_cli_add_html_power(text, log10(fabs(number)));
    } else {
        sow_cli_add(text, isnan(number) ? "-" : "%.4g", number);
    }
}
