/* SPDX-License-Identifier: MIT */
/* Globs as sets of positions in the pattern, moved over the name byte by byte (Thompson 1968): linear time in
 * pattern x name, no backtracking and no recursion. '?' and a set take one UTF-8 character. */
#include "model/recipe/glob.h"

#include "core/base/error.h"
#include "model/recipe/rule.h"

#include <string.h>

#define WORDS (SOW_GLOB_MAX / 64 + 1)

/* Positions where the match may stand. */
struct places {
    uint64_t bits[WORDS];
};

static void add(struct places *places, uint32_t at)
{
    places->bits[at / 64] |= UINT64_C(1) << at % 64;
}

static int has(const struct places *places, uint32_t at)
{
    return (int)(places->bits[at / 64] >> at % 64 & 1);
}

/* ---- Compiling ------------------------------------------------------------------------------- */

static enum sow_status unpaired(const char *text, char bracket, struct sow_error *error)
{
    return sow_fail(error, SOW_E_ARGUMENT, "the glob %.200s has a %c without its partner", text,
                    bracket);
}

static uint32_t find_set_end(const char *text, uint32_t length, uint32_t at)
{
    at += at + 1 < length && (text[at + 1] == '!' || text[at + 1] == '^') ? 2 : 1;
    at += at < length && text[at] == ']'; /* first in the set, it is an ordinary byte */
    while (at < length && text[at] != ']') {
        at++;
    }
    return at;
}

/* When '}' at `at` closes the group that opens at `open`: every comma of it leads behind. */
static void close_group(struct sow_glob *glob, uint32_t open, uint32_t at)
{
    for (uint32_t comma = glob->next[open]; comma != 0; comma = glob->next[comma]) {
        glob->end[comma] = (uint16_t)(at + 1);
    }
    glob->end[at] = (uint16_t)(at + 1);
}

enum sow_status sow_glob_compile(const char *text, struct sow_glob *glob, struct sow_error *error)
{
    uint16_t open[SOW_GLOB_MAX],
        last[SOW_GLOB_MAX]; /* of each group: its brace, its last comma or brace */
    uint32_t depth = 0;
    size_t length = strlen(text);
    if (length == 0 || length > SOW_GLOB_MAX) {
        return sow_fail(error, SOW_E_ARGUMENT, "a glob has 1 to %u bytes, and this one %zu",
                        SOW_GLOB_MAX, length);
    }
    memset(glob, 0, sizeof *glob);
    glob->text = text;
    glob->length = (uint32_t)length;
    glob->literal = (uint32_t)strcspn(text, "*?[{");
    for (uint32_t at = 0; at < glob->length; at++) {
        if (text[at] == '[') {
            uint32_t end = find_set_end(text, glob->length, at);
            if (end >= glob->length) {
                return unpaired(text, '[', error);
            }
            glob->next[at] = (uint16_t)end;
            at = end;
        } else if (text[at] == '{') {
            open[depth] = last[depth] = (uint16_t)at;
            depth++;
        } else if (text[at] == ',' && depth > 0) {
            glob->next[last[depth - 1]] = (uint16_t)at;
            last[depth - 1] = (uint16_t)at;
        } else if (text[at] == '}') {
            if (depth == 0) {
                return unpaired(text, '}', error);
            }
            depth--;
            close_group(glob, open[depth], at);
        }
    }
    return depth > 0 ? unpaired(text, '{', error) : SOW_OK;
}

/* ---- Matching -------------------------------------------------------------------------------- */

/* Adds what is reached without a byte; all such steps lead forward, so one pass is enough. */
static void close_over(const struct sow_glob *glob, struct places *places)
{
    for (uint32_t at = 0; at < glob->length; at++) {
        if (!has(places, at)) {
            continue;
        }
        if (glob->text[at] == '*') {
            add(places, at + 1);
        } else if (glob->end[at] != 0) {
            add(places, glob->end[at]);
        } else if (glob->text[at] == '{') {
            add(places, at + 1);
            for (uint32_t comma = glob->next[at]; comma != 0; comma = glob->next[comma]) {
                add(places, comma + 1);
            }
        }
    }
}

static int in_set(const struct sow_glob *glob, uint32_t at, unsigned char byte)
{
    const unsigned char *text = (const unsigned char *)glob->text;
    uint32_t end = glob->next[at], first = at + 1;
    int negated = text[first] == '!' || text[first] == '^', found = 0;
    first += (uint32_t)negated;
    for (uint32_t i = first; i < end; i++) {
        if (i + 2 < end && text[i + 1] == '-') {
            found |= byte >= text[i] && byte <= text[i + 2];
            i += 2;
        } else {
            found |= byte == text[i];
        }
    }
    return found != negated;
}

/* The place that a byte leads to from `at`; 0 when it leads nowhere. */
static uint32_t step(const struct sow_glob *glob, uint32_t at, unsigned char byte)
{
    char c = glob->text[at];
    int continues = (byte & 0xc0) == 0x80;
    if (glob->end[at] != 0 || c == '{') {
        return 0;
    }
    if (c == '*') {
        return at + 1; /* and stays: see sow_glob_run */
    }
    if (c == '?') {
        return continues ? 0 : at + 1;
    }
    if (c == '[') {
        return !continues && in_set(glob, at, byte) ? glob->next[at] + 1u : 0;
    }
    return (unsigned char)c == byte ? at + 1 : 0;
}

static int takes_characters(const struct sow_glob *glob, uint32_t before)
{
    return before > 0 && (glob->text[before - 1] == '?' || glob->text[before - 1] == ']');
}

int sow_glob_run(const struct sow_glob *glob, const char *name)
{
    struct places now = {{0}};
    if (strncmp(name, glob->text, glob->literal) != 0) {
        return 0;
    }
    name += glob->literal;
    add(&now, glob->literal);
    close_over(glob, &now);
    for (; *name != '\0'; name++) {
        struct places next = {{0}};
        unsigned char byte = (unsigned char)*name;
        int continues = (byte & 0xc0) == 0x80, any = 0;
        for (uint32_t at = 0; at <= glob->length; at++) {
            if (!has(&now, at)) {
                continue;
            }
            if (continues && takes_characters(glob, at)) {
                add(&next, at); /* the rest of the character that '?' took */
                any = 1;
            }
            if (at == glob->length) {
                continue;
            }
            uint32_t to = step(glob, at, byte);
            if (to != 0) {
                add(&next, glob->text[at] == '*' ? at : to);
                any = 1;
            }
        }
        if (!any) {
            return 0;
        }
        close_over(glob, &next);
        now = next;
    }
    return has(&now, glob->length);
}

int sow_glob_match(const char *glob, const char *name)
{
    struct sow_glob compiled;
    return sow_glob_compile(glob, &compiled, NULL) == SOW_OK && sow_glob_run(&compiled, name);
}
