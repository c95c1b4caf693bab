/* SPDX-License-Identifier: MIT */
/* Names the kinds of file that people take for safetensors. */
#include "model/checkpoint/open.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *bytes;
    size_t count;
    const char *what;
} signatures[] = {
    {"PK\3\4", 4,
     "a zip archive (a .pt file?); load it with torch and save it with "
     "safetensors.torch.save_file"},
    {"GGUF", 4, "a GGUF file; sow reads safetensors"},
    {"\x1f\x8b", 2, "gzip data; unpack it first (gunzip)"},
    {"\x28\xb5\x2f\xfd", 4, "zstd data; unpack it first (unzstd)"},
    {"\x80\2", 2,
     "a Python pickle (an old .pt file?); load it with torch and save it with "
     "safetensors.torch.save_file"},
    {"\x93NUMPY", 6, "a NumPy .npy file; save it with safetensors.numpy.save_file"},
    {"\x89HDF", 4, "an HDF5 file (Keras weights?); sow reads safetensors"},
    {"\x7f"
     "ELF",
     4, "a program"},
};

static int starts_with(const char *head, size_t count, const char *word)
{
    size_t size = strlen(word);
    return count >= size && strncasecmp(head, word, size) == 0;
}

/* "size 548105171" of a pointer file; NULL when it is not there. */
static const char *pointer_size(const char *head, size_t count, size_t *digits)
{
    for (size_t i = 0; i + 6 < count; i++) {
        if (memcmp(head + i, "\nsize ", 6) == 0) {
            *digits = 0;
            while (i + 6 + *digits < count && head[i + 6 + *digits] >= '0' &&
                   head[i + 6 + *digits] <= '9' && *digits < 20) {
                (*digits)++;
            }
            return *digits > 0 ? head + i + 6 : NULL;
        }
    }
    return NULL;
}

static const char *sniff_text(const char *head, size_t count, char *text, size_t text_bytes)
{
    size_t space = 0, plain = 0;
    while (space < count && strchr(" \t\r\n", head[space]) != NULL && head[space] != 0) {
        space++;
    }
    if (starts_with(head + space, count - space, "<!doctype") ||
        starts_with(head + space, count - space, "<html")) {
        return "an HTML page (an error page saved as a file?); download the file again";
    }
    if (starts_with(head + space, count - space, "<?xml")) {
        return "an XML document (an error page saved as a file?); download the file again";
    }
    if (space < count && (head[space] == '{' || head[space] == '[')) {
        return "JSON text (an index or a config?), which safetensors only hold after 8 bytes of "
               "length";
    }
    while (plain < count && plain < 24 && head[plain] >= ' ' && head[plain] < 0x7f) {
        plain++;
    }
    if (plain < 8) {
        return NULL;
    }
    snprintf(text, text_bytes, "text that begins `%.*s`", (int)plain, head);
    return text;
}

const char *sow_st_sniff(const char *head, size_t count, char *text, size_t text_bytes)
{
    size_t digits = 0, zeros = 0;
    if (starts_with(head, count, "version https://git-lfs.github.com/spec/")) {
        const char *size = pointer_size(head, count, &digits);
        snprintf(text, text_bytes,
                 "a Git LFS pointer: the weights, %.*s bytes, were never fetched; run "
                 "`git lfs pull`",
                 size == NULL ? 1 : (int)digits, size == NULL ? "?" : size);
        return text;
    }
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
        if (count >= signatures[i].count &&
            memcmp(head, signatures[i].bytes, signatures[i].count) == 0) {
            return signatures[i].what;
        }
    }
    while (zeros < count && head[zeros] == 0) {
        zeros++;
    }
    if (zeros == count && count >= 16) {
        return "nothing but zeros at its begin (a download that never finished?)";
    }
    return sniff_text(head, count, text, text_bytes);
}
