/* SPDX-License-Identifier: MIT */
/* The index of a sharded checkpoint: json.dumps(index, indent=2, sort_keys=True) + "\n" of Python, byte for byte. */
#include "model/run/layout.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "model/checkpoint/emit.h"

struct row {
    const char *tensor, *file;
};

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    return strcmp(a->tensor, b->tensor); /* UTF-8 sorts as its code points do */
}

static void emit_index(struct sow_emit *emit, uint64_t data_bytes, const struct row *rows,
                       size_t count)
{
    sow_emit_text(emit, "{\n  \"metadata\": {\n    \"total_size\": ");
    sow_emit_u64(emit, data_bytes);
    sow_emit_text(emit, "\n  },\n  \"weight_map\": {");
    for (size_t i = 0; i < count; i++) {
        sow_emit_text(emit, i == 0 ? "\n    " : ",\n    ");
        sow_emit_string(emit, rows[i].tensor);
        sow_emit_text(emit, ": ");
        sow_emit_string(emit, rows[i].file);
    }
    sow_emit_text(emit, count == 0 ? "}\n}\n" : "\n  }\n}\n");
}

enum sow_status sow_files_index(const struct sow_files *layout, char **text, uint64_t *length,
                                struct sow_error *error)
{
    struct sow_emit emit = {NULL, 0, 1};
    size_t count = 0;
    for (size_t i = 0; i < layout->count; i++) {
        count += layout->files[i].stream.count;
    }
    struct row *rows = calloc(count + 1, sizeof rows[0]);
    char *made = NULL;
    if (rows != NULL) {
        size_t row = 0;
        for (size_t i = 0; i < layout->count; i++) {
            for (size_t j = 0; j < layout->files[i].stream.count; j++) {
                rows[row++] =
                    (struct row){layout->files[i].stream.entries[j]->name, layout->files[i].name};
            }
        }
        qsort(rows, count, sizeof rows[0], compare_rows);
        emit_index(&emit, layout->data_bytes, rows, count);
        made = malloc(emit.length + 1);
    }
    if (made == NULL) {
        free(rows);
        return sow_fail(error, SOW_E_MEMORY, "no memory for an index of %llu tensors",
                        (unsigned long long)count);
    }
    emit = (struct sow_emit){made, 0, 1};
    emit_index(&emit, layout->data_bytes, rows, count);
    made[emit.length] = '\0';
    free(rows);
    *text = made;
    *length = emit.length;
    return SOW_OK;
}
