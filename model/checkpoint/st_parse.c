/* SPDX-License-Identifier: MIT */
/* The header's grammar: an object of tensors and, once, of metadata. Nothing nests deeper than that, so nothing here
 * recurses. Stricter than the reference reader (Rust, safetensors 0.8) where the format's text is: no name twice, no
 * unknown field, `{` first. */
#include "model/checkpoint/header.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/checked.h"
#include "core/base/error.h"

static const struct {
    enum sow_dtype dtype;
    const char *name;
} dtypes[] = {
#define SOW_DTYPE(id, name, value, bits, safetensors, kind) {SOW_##id, safetensors},
#include "sow/dtype.def"
#undef SOW_DTYPE
};

const char *sow_st_dtype_name(enum sow_dtype dtype)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (dtypes[i].dtype == dtype) {
            return dtypes[i].name;
        }
    }
    return NULL;
}

/* 0 when the format knows no such name. */
static enum sow_dtype find_dtype(const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            return dtypes[i].dtype;
        }
    }
    return (enum sow_dtype)0;
}

/* Makes room for one more element; the array is unchanged on failure. */
static int grow(void *array, size_t element_bytes, size_t count, size_t *capacity)
{
    void **items = array;
    size_t larger = *capacity == 0 ? 64 : *capacity * 2;
    if (count < *capacity) {
        return 0;
    }
    void *moved = realloc(*items, larger * element_bytes); /* the header bounds it: no overflow */
    if (moved == NULL) {
        return -1;
    }
    *items = moved;
    *capacity = larger;
    return 0;
}

static enum sow_status no_memory(const struct sow_scan *scan)
{
    return sow_fail_at(scan->error, SOW_E_MEMORY, scan->path, 0, 0,
                       "no memory for a header of %llu bytes", (unsigned long long)scan->length);
}

static enum sow_status scan_shape(struct sow_scan *scan, struct sow_st_tensor *tensor)
{
    char quoted[SOW_QUOTE_MAX];
    size_t opening = scan->at;
    enum sow_status status = sow_scan_byte(scan, '[', "to open `shape`");
    sow_scan_space(scan);
    if (status != SOW_OK || sow_scan_peek(scan) == ']') {
        scan->at++;
        return status;
    }
    for (int more = 1; more != 0;) {
        if (tensor->rank == SOW_RANK_MAX) {
            return sow_scan_fail(scan, opening,
                                 "tensor `%s` has more than %d dimensions, the most sow takes",
                                 sow_quote(tensor->name, quoted), SOW_RANK_MAX);
        }
        status = sow_scan_u64(scan, &tensor->shape[tensor->rank]);
        if (status != SOW_OK) {
            return status;
        }
        tensor->rank++;
        more = sow_scan_next(scan, ']');
        if (more < 0) {
            return SOW_E_FORMAT;
        }
    }
    return SOW_OK;
}

static enum sow_status scan_offsets(struct sow_scan *scan, struct sow_st_tensor *tensor)
{
    char quoted[SOW_QUOTE_MAX];
    size_t opening = scan->at;
    enum sow_status status = sow_scan_byte(scan, '[', "to open `data_offsets`");
    sow_scan_space(scan);
    if (status == SOW_OK) {
        status = sow_scan_u64(scan, &tensor->offset_begin);
    }
    if (status == SOW_OK) {
        status = sow_scan_byte(scan, ',', "between two offsets");
        sow_scan_space(scan);
    }
    if (status == SOW_OK) {
        status = sow_scan_u64(scan, &tensor->offset_end);
    }
    if (status == SOW_OK) {
        status = sow_scan_byte(scan, ']', "after two offsets");
    }
    if (status == SOW_OK && tensor->offset_end < tensor->offset_begin) {
        status =
            sow_scan_fail(scan, opening, "tensor `%s` ends (%llu) before it begins (%llu)",
                          sow_quote(tensor->name, quoted), (unsigned long long)tensor->offset_end,
                          (unsigned long long)tensor->offset_begin);
    }
    return status;
}

static enum sow_status scan_dtype(struct sow_scan *scan, struct sow_st_tensor *tensor)
{
    char quoted[SOW_QUOTE_MAX], quoted_dtype[SOW_QUOTE_MAX];
    size_t begin = scan->at, arena_begin = scan->arena_used, length;
    const char *text;
    enum sow_status status = sow_scan_string(scan, &text, &length);
    if (status != SOW_OK) {
        return status;
    }
    tensor->dtype = find_dtype(text);
    scan->arena_used = arena_begin; /* nobody keeps it */
    if ((int)tensor->dtype == 0) {
        return sow_scan_fail(scan, begin, "tensor `%s` has the unknown dtype `%s`",
                             sow_quote(tensor->name, quoted), sow_quote(text, quoted_dtype));
    }
    return SOW_OK;
}

/* Whether shape and dtype make as many bytes as the offsets span. The product is taken from left to right, as the
 * reference does: sizes that overflow before a 0 comes are refused. */
static enum sow_status check_size(struct sow_scan *scan, const struct sow_st_entry *entry)
{
    char quoted[SOW_QUOTE_MAX];
    const struct sow_st_tensor *tensor = &entry->tensor;
    uint64_t bits = 1, span = tensor->offset_end - tensor->offset_begin;
    const char *name = sow_quote(tensor->name, quoted);
    int overflow = 0;
    for (uint32_t axis = 0; axis < tensor->rank && !overflow; axis++) {
        overflow = sow_mul_u64(bits, tensor->shape[axis], &bits);
    }
    if (overflow || sow_mul_u64(bits, sow_dtype_bits(tensor->dtype), &bits)) {
        return sow_scan_fail(scan, entry->at, "tensor `%s` has more than 2^64 bits", name);
    }
    if (bits % 8 != 0) {
        return sow_scan_fail(scan, entry->at, "tensor `%s` does not fill whole bytes", name);
    }
    if (bits / 8 != span) {
        return sow_scan_fail(scan, entry->at,
                             "tensor `%s`: shape and dtype make %llu bytes, data_offsets span %llu",
                             name, (unsigned long long)(bits / 8), (unsigned long long)span);
    }
    return SOW_OK;
}

static enum sow_status scan_tensor_fields(struct sow_scan *scan, struct sow_st_tensor *tensor,
                                          size_t at)
{
    static const char *const fields[] = {"dtype", "shape", "data_offsets"};
    static enum sow_status (*const scanners[])(struct sow_scan *, struct sow_st_tensor *) = {
        scan_dtype, scan_shape, scan_offsets};
    char quoted[SOW_QUOTE_MAX], quoted_key[SOW_QUOTE_MAX];
    unsigned seen = 0;
    sow_scan_space(scan);
    for (int more = sow_scan_peek(scan) != '}'; more != 0;) {
        size_t key_at = scan->at, arena_begin = scan->arena_used, length, field = 0;
        const char *key;
        enum sow_status status = sow_scan_key(scan, &key, &length);
        if (status != SOW_OK) {
            return status;
        }
        while (field < 3 && strcmp(key, fields[field]) != 0) {
            field++;
        }
        if (field == 3 || (seen & 1u << field) != 0) {
            return sow_scan_fail(scan, key_at, "tensor `%s` has the %s field `%s`",
                                 sow_quote(tensor->name, quoted),
                                 field == 3 ? "unknown" : "repeated", sow_quote(key, quoted_key));
        }
        scan->arena_used = arena_begin;
        seen |= 1u << field;
        status = scanners[field](scan, tensor);
        if (status != SOW_OK) {
            return status;
        }
        more = sow_scan_next(scan, '}');
        if (more < 0) {
            return SOW_E_FORMAT;
        }
    }
    for (size_t field = 0; field < 3; field++) {
        if ((seen & 1u << field) == 0) {
            return sow_scan_fail(scan, at, "tensor `%s` has no `%s`",
                                 sow_quote(tensor->name, quoted), fields[field]);
        }
    }
    return SOW_OK;
}

static enum sow_status scan_tensor(struct sow_scan *scan, struct sow_st_header *header,
                                   const char *name, size_t name_length, size_t at)
{
    char quoted[SOW_QUOTE_MAX];
    if (name_length > SOW_ST_NAME_MAX) {
        return sow_scan_fail(scan, at, "a name of %llu bytes: `%s`; the most sow takes is %d",
                             (unsigned long long)name_length, sow_quote(name, quoted),
                             SOW_ST_NAME_MAX);
    }
    if (sow_scan_peek(scan) != '{') {
        return sow_scan_fail(scan, scan->at, "tensor `%s` is %s, must be an object",
                             sow_quote(name, quoted), sow_scan_kind(scan));
    }
    if (grow(&header->entries, sizeof header->entries[0], header->count, &header->capacity) != 0) {
        return no_memory(scan);
    }
    struct sow_st_entry *entry = &header->entries[header->count++];
    memset(entry, 0, sizeof *entry);
    entry->tensor.name = name;
    entry->at = (uint32_t)at;
    scan->at++;
    enum sow_status status = scan_tensor_fields(scan, &entry->tensor, at);
    return status == SOW_OK ? check_size(scan, entry) : status;
}

static enum sow_status scan_metadata(struct sow_scan *scan, struct sow_st_header *header)
{
    char quoted[SOW_QUOTE_MAX];
    if (sow_scan_word(scan, "null")) {
        return SOW_OK;
    }
    if (sow_scan_peek(scan) != '{') {
        return sow_scan_fail(scan, scan->at, "`__metadata__` is %s, must be an object of strings",
                             sow_scan_kind(scan));
    }
    for (int more = sow_scan_open(scan, '}'); more != 0;) {
        struct sow_st_meta meta = {.at = (uint32_t)scan->at};
        size_t length;
        enum sow_status status = sow_scan_key(scan, &meta.pair.key, &length);
        if (status != SOW_OK) {
            return status;
        }
        if (sow_scan_peek(scan) != '"') {
            return sow_scan_fail(scan, scan->at, "metadata `%s` is %s, must be a string",
                                 sow_quote(meta.pair.key, quoted), sow_scan_kind(scan));
        }
        status = sow_scan_string(scan, &meta.pair.value, &length);
        if (status != SOW_OK) {
            return status;
        }
        if (grow(&header->metadata, sizeof header->metadata[0], header->metadata_count,
                 &header->metadata_capacity) != 0) {
            return no_memory(scan);
        }
        header->metadata[header->metadata_count++] = meta;
        more = sow_scan_next(scan, '}');
        if (more < 0) {
            return SOW_E_FORMAT;
        }
    }
    return SOW_OK;
}

/* Nothing but padding may follow the closing brace. */
static enum sow_status scan_padding(struct sow_scan *scan)
{
    sow_scan_space(scan);
    size_t begin = scan->at, end = begin;
    while (end < scan->length && scan->bytes[end] == '\0') {
        end++;
    }
    if (end > begin) {
        return sow_scan_fail(scan, begin,
                             "NUL in the header's padding, which must be spaces (0x20); to repair "
                             "it, overwrite the file's bytes %llu to %llu with spaces",
                             (unsigned long long)(scan->base + begin),
                             (unsigned long long)(scan->base + end - 1));
    }
    if (begin < scan->length) {
        return sow_scan_fail(scan, begin, "something follows the header's closing brace");
    }
    return SOW_OK;
}

static enum sow_status scan_header(struct sow_scan *scan, struct sow_st_header *header)
{
    int metadata_seen = 0;
    if (sow_scan_peek(scan) != '{') {
        return sow_scan_fail(scan, 0, "the header must begin with `{`");
    }
    for (int more = sow_scan_open(scan, '}'); more != 0;) {
        size_t at = scan->at, length;
        const char *name;
        enum sow_status status = sow_scan_key(scan, &name, &length);
        if (status != SOW_OK) {
            return status;
        }
        if (strcmp(name, "__metadata__") != 0) {
            status = scan_tensor(scan, header, name, length, at);
        } else if (metadata_seen) {
            status = sow_scan_fail(scan, at, "`__metadata__` appears twice");
        } else {
            metadata_seen = 1;
            status = scan_metadata(scan, header);
        }
        if (status != SOW_OK) {
            return status;
        }
        more = sow_scan_next(scan, '}');
        if (more < 0) {
            return SOW_E_FORMAT;
        }
    }
    return scan_padding(scan);
}

enum sow_status sow_st_parse(const char *path, const char *json, size_t length, uint64_t file_bytes,
                             struct sow_st_header **header, struct sow_error *error)
{
    struct sow_scan scan = {
        .bytes = json, .length = length, .base = 8, .path = path, .error = error};
    if (length > SOW_SAFETENSORS_HEADER_MAX) {
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                           "a header of %llu bytes, the format's limit is %u, byte 0",
                           (unsigned long long)length, SOW_SAFETENSORS_HEADER_MAX);
    }
    struct sow_st_header *made = calloc(1, sizeof *made);
    scan.arena = malloc(length + 1);
    if (made == NULL || scan.arena == NULL) {
        free(scan.arena);
        free(made);
        return no_memory(&scan);
    }
    made->arena = scan.arena;
    made->data_offset = 8 + (uint64_t)length;
    enum sow_status status = scan_header(&scan, made);
    if (status == SOW_OK) {
        status = sow_st_check(&scan, made, file_bytes);
    }
    if (status != SOW_OK) {
        sow_st_free(made);
        return status;
    }
    *header = made;
    return SOW_OK;
}

void sow_st_free(struct sow_st_header *header)
{
    if (header != NULL) {
        free(header->entries);
        free(header->metadata);
        free(header->arena);
        free(header);
    }
}
