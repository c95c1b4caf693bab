/* SPDX-License-Identifier: MIT */
/* Globs over tensor names, compiled once and matched often. sow_glob_match in rule.h does both. */
#ifndef SOW_RECIPE_GLOB_H
#define SOW_RECIPE_GLOB_H

#include "sow/sow.h"

#define SOW_GLOB_MAX 512u /* bytes of a pattern */

/* Where the brackets of a pattern lead. */
struct sow_glob {
    const char *text;
    uint32_t length;
    uint32_t literal; /* bytes before the first special one: compared first */
    uint16_t next[SOW_GLOB_MAX +
                  1]; /* of '{' and ',': the next alternative's comma, or 0; of '[': its ']' */
    uint16_t
        end[SOW_GLOB_MAX + 1]; /* of ',' and '}': behind the closing brace; 0: an ordinary byte */
};

/* SOW_E_ARGUMENT for an empty or too long pattern and for brackets that do not pair. `text` must outlive *glob. */
enum sow_status sow_glob_compile(const char *text, struct sow_glob *glob, struct sow_error *error);
int sow_glob_run(const struct sow_glob *glob, const char *name);

#endif
