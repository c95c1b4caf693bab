/* SPDX-License-Identifier: MIT */
/* What every public header of sow stands on: how functions fail, and the argument that has a name. No function is here. */
#ifndef SOW_BASE_H
#define SOW_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SOW_API __attribute__((visibility("default")))
#else
#define SOW_API
#endif

/* Bands: 1-19 the caller, 20-39 an input document, 40-59 a file or container, 60-79 resources. */
enum sow_status {
    SOW_OK = 0,
    SOW_E_ARGUMENT = 1,     /* a parameter that cannot be: name, value, combination */
    SOW_E_UNSUPPORTED = 2,  /* this build or this CPU cannot do it */
    SOW_E_SYNTAX = 20,      /* a document is not well-formed */
    SOW_E_CONFIG = 21,      /* a config or recipe that cannot be honoured */
    SOW_E_RULE = 22,        /* a tensor without a rule, a rule without a tensor, a bad scheme */
    SOW_E_SHAPE = 23,       /* shapes or layouts that do not fit */
    SOW_E_FORMAT = 40,      /* a container whose bytes are wrong */
    SOW_E_MISSING = 41,     /* a record, shard or field that should be there */
    SOW_E_MISMATCH = 42,    /* the answer is no: bytes differ from what they should be */
    SOW_E_IO = 60,          /* the operating system refused: errno is in the message */
    SOW_E_MEMORY = 61,      /* out of memory, or over a stated ceiling */
    SOW_E_EXISTS = 62,      /* would overwrite */
    SOW_E_INTERRUPTED = 63, /* the caller asked to stop */
};

/* What went wrong, for a person. Filled only on failure; owned by the caller; may be NULL everywhere. */
struct sow_error {
    enum sow_status code;
    uint32_t line, column; /* from 1; 0 when there is none */
    char file[256];        /* "" when there is none; already part of no message */
    char message[768];     /* one or two sentences: what, why, the way out */
};

/* One named argument of a scheme or an activation: a number, a word when `text` is not NULL, or a list of numbers when
 * `list` is not. */
struct sow_argument {
    const char *name;
    const char *text;
    double number;
    const double *list;
    size_t list_count;
};

#ifdef __cplusplus
}
#endif
#endif
