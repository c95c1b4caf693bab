/* SPDX-License-Identifier: MIT */
/* Numbers as text for a person: six significant digits, a point whatever the locale. Not for
 * documents, where numbers must round-trip. */
#ifndef SOW_BASE_NUMBER_H
#define SOW_BASE_NUMBER_H

/* "0.02", "1.41421", "-3e-05", "inf". By value: usable inside a call's arguments. */
struct sow_number_text {
    char text[24];
};
struct sow_number_text sow_number_text(double x);

#endif
