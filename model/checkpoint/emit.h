/* SPDX-License-Identifier: MIT */
/* Writing JSON text in two passes: the first, without bytes, only counts; the second fills what was counted. */
#ifndef SOW_CHECKPOINT_EMIT_H
#define SOW_CHECKPOINT_EMIT_H

#include <stdint.h>

struct sow_emit {
    char *bytes;     /* NULL: count only */
    uint64_t length; /* so far */
    int ascii;       /* escape everything beyond ASCII, as Python's json does */
};

void sow_emit_text(struct sow_emit *emit, const char *text);
void sow_emit_u64(struct sow_emit *emit, uint64_t number);
/* With its quotes; `text` is valid UTF-8. Escapes as serde_json and Python's json do: the short ones, then \u00xx. */
void sow_emit_string(struct sow_emit *emit, const char *text);

#endif
