/* SPDX-License-Identifier: MIT */
/* The digits come from snprintf, which rounds rightly; the rest is laid out here, without the
 * locale. */
#include "core/base/number.h"

#include <stdio.h>
#include <string.h>

#define DIGITS 6

/* Digits of |x| without the trailing zeros; *exponent is that of the first. Returns their
 * number. */
static int decimal_digits(double x, char digits[DIGITS + 1], int *exponent)
{
    char text[40]; /* d<point>ddddde+dd, the point perhaps more than one byte */
    snprintf(text, sizeof text, "%.*e", DIGITS - 1, x);
    int count = 0;
    const char *at = text;
    for (; *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9' && count < DIGITS) {
            digits[count++] = *at;
        }
    }
    int negative = at[1] == '-', size = 0;
    for (at += 2; *at != '\0'; at++) {
        size = 10 * size + (*at - '0');
    }
    *exponent = negative ? -size : size;
    while (count > 1 && digits[count - 1] == '0') {
        count--;
    }
    digits[count] = '\0';
    return count;
}

struct sow_number_text sow_number_text(double x)
{
    struct sow_number_text out;
    if (x != x || x - x != 0) {
        snprintf(out.text, sizeof out.text, "%s", x != x ? "nan" : x > 0 ? "inf" : "-inf");
        return out;
    }
    char digits[DIGITS + 1];
    int exponent, count = decimal_digits(x, digits, &exponent);
    const char *sign = x < 0 ? "-" : "", *zeros = "00000";
    if (exponent < -4 || exponent >= DIGITS) {
        snprintf(out.text, sizeof out.text, "%s%.1s%s%se%d", sign, digits, count > 1 ? "." : "",
                 digits + 1, exponent);
    } else if (exponent < 0) {
        snprintf(out.text, sizeof out.text, "%s0.%.*s%s", sign, -exponent - 1, zeros, digits);
    } else if (count <= exponent + 1) {
        snprintf(out.text, sizeof out.text, "%s%s%.*s", sign, digits, exponent + 1 - count, zeros);
    } else {
        snprintf(out.text, sizeof out.text, "%s%.*s.%s", sign, exponent + 1, digits,
                 digits + exponent + 1);
    }
    return out;
}
