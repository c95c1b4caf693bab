/* SPDX-License-Identifier: MIT */
/* Arguments of schemes in a few words, for the tests of schemes. Not a test. */
#ifndef SOW_TESTS_SCHEME_ARGUMENTS_H
#define SOW_TESTS_SCHEME_ARGUMENTS_H

#include "sow/sow.h"

struct arguments {
    struct sow_argument list[4];
    size_t count;
};

static inline struct sow_argument number(const char *name, double value)
{
    return (struct sow_argument){.name = name, .number = value};
}

static inline struct sow_argument word(const char *name, const char *text)
{
    return (struct sow_argument){.name = name, .text = text};
}

#endif
