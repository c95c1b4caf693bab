/* SPDX-License-Identifier: MIT */
/* What a file is, from its first bytes: for choosing a reader, and for saying what the wrong file is. */
#ifndef SOW_SOURCE_KIND_H
#define SOW_SOURCE_KIND_H

#include "sow/sow.h"

enum sow_source_kind {
    SOW_SOURCE_UNKNOWN = 0,
    SOW_SOURCE_JSON,        /* starts with '{' */
    SOW_SOURCE_SAFETENSORS, /* a length, then '{' */
    SOW_SOURCE_LUA,         /* by its name only */
    SOW_SOURCE_WRONG,       /* something else that is known: sow_source_describe says what */
};

/* The first `length` bytes of a file (64 are enough). */
enum sow_source_kind sow_source_sniff(const char *bytes, size_t length);
/* "a Git LFS pointer; ...": what the bytes are and what to do; NULL when they are nothing known. */
const char *sow_source_describe(const char *bytes, size_t length);

#endif
