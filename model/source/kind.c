/* SPDX-License-Identifier: MIT */
/* What a file is, from its first bytes. One row a kind; the first that fits is taken. */
#include "model/source/kind.h"

#include <string.h>
#include <strings.h>

static const struct row {
    const char *start;
    size_t length;
    const char *what;
} rows[] = {
    {"version https://git-lfs", 23,
     "a Git LFS pointer: the file itself was never fetched; run `git lfs pull` where it was "
     "cloned"},
    {"<!doctype", 9,
     "an HTML page, probably an error or login page saved by a download; fetch the file again"},
    {"<html", 5,
     "an HTML page, probably an error or login page saved by a download; fetch the file again"},
    {"<?xml", 5, "an XML document"},
    {"PK\x03\x04", 4,
     "a zip archive (PyTorch's .pt and .bin are zips too); sow reads safetensors, not pickles"},
    {"\x1f\x8b", 2, "a gzip archive; unpack it first"},
    {"\x1bLua", 4, "compiled Lua; sow reads Lua text only"},
    {"GGUF", 4, "a GGUF file, which sow does not read yet"},
    {"\x93NUMPY", 6, "a NumPy array, which sow does not read yet"},
    {"\x80\x02", 2, "a Python pickle; sow reads safetensors, not pickles"},
    {"\x89HDF", 4, "an HDF5 file, which sow does not read yet"},
    {"\x7f"
     "ELF",
     4, "a program"},
    {"%PDF", 4, "a PDF"},
    {"\xff\xfe", 2, "a text in UTF-16; save it as UTF-8"},
    {"\xfe\xff", 2, "a text in UTF-16; save it as UTF-8"},
};

/* The start of what a person would see: blanks and a byte-order mark do not hide it. */
static const char *skip_blanks(const char *bytes, size_t *length)
{
    if (*length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        *length -= 3;
    }
    while (*length > 0 && (*bytes == ' ' || *bytes == '\t' || *bytes == '\r' || *bytes == '\n')) {
        bytes++;
        (*length)--;
    }
    return bytes;
}

const char *sow_source_describe(const char *bytes, size_t length)
{
    if (length == 0) {
        return "empty";
    }
    bytes = skip_blanks(bytes, &length);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (length >= rows[i].length && strncasecmp(bytes, rows[i].start, rows[i].length) == 0) {
            return rows[i].what;
        }
    }
    return NULL;
}

enum sow_source_kind sow_source_sniff(const char *bytes, size_t length)
{
    if (sow_source_describe(bytes, length) != NULL) {
        return SOW_SOURCE_WRONG;
    }
    if (length > 8 && bytes[8] == '{' && bytes[7] == '\0') { /* no header of 2^56 bytes */
        return SOW_SOURCE_SAFETENSORS;
    }
    bytes = skip_blanks(bytes, &length);
    return length > 0 && *bytes == '{' ? SOW_SOURCE_JSON : SOW_SOURCE_UNKNOWN;
}
