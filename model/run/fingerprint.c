/* SPDX-License-Identifier: MIT */
/* XXH3-128 (Collet, xxHash 0.8) in two levels, so that blocks are hashed in parallel. */
#include "model/run/fingerprint.h"

#include <stdlib.h>
#include <xxhash.h>

#include "core/base/error.h"

struct sow_fingerprint {
    XXH128_canonical_t *digests;
    size_t count;
    size_t first[]; /* block of each file */
};

static uint64_t block_count(uint64_t bytes)
{
    return bytes / SOW_FINGERPRINT_BLOCK + (bytes % SOW_FINGERPRINT_BLOCK != 0);
}

enum sow_status sow_fingerprint_new(const uint64_t *file_bytes, size_t file_count,
                                    struct sow_fingerprint **fingerprint, struct sow_error *error)
{
    struct sow_fingerprint *made = malloc(sizeof *made + (file_count + 1) * sizeof made->first[0]);
    if (made == NULL) {
        goto no_memory;
    }
    made->count = 0;
    for (size_t i = 0; i < file_count; i++) {
        made->first[i] = made->count;
        made->count += block_count(file_bytes[i]);
    }
    made->digests = calloc(made->count + 1, sizeof made->digests[0]);
    if (made->digests == NULL) {
        goto no_memory;
    }
    *fingerprint = made;
    return SOW_OK;
no_memory:
    free(made);
    return sow_fail(error, SOW_E_MEMORY, "no memory for a fingerprint");
}

void sow_fingerprint_free(struct sow_fingerprint *fingerprint)
{
    if (fingerprint != NULL) {
        free(fingerprint->digests);
        free(fingerprint);
    }
}

void sow_fingerprint_block(struct sow_fingerprint *fingerprint, size_t file, uint64_t offset,
                           const void *bytes, uint64_t count)
{
    size_t block = fingerprint->first[file] + offset / SOW_FINGERPRINT_BLOCK;
    XXH128_canonicalFromHash(&fingerprint->digests[block], XXH3_128bits(bytes, count));
}

void sow_fingerprint_chunk(struct sow_fingerprint *fingerprint, size_t file, uint64_t offset,
                           const void *bytes, uint64_t count)
{
    for (uint64_t at = 0; at < count; at += SOW_FINGERPRINT_BLOCK) {
        uint64_t left = count - at;
        sow_fingerprint_block(fingerprint, file, offset + at, (const char *)bytes + at,
                              left < SOW_FINGERPRINT_BLOCK ? left : SOW_FINGERPRINT_BLOCK);
    }
}

void sow_fingerprint_text(const struct sow_fingerprint *fingerprint, char text[33])
{
    static const char hex[] = "0123456789abcdef";
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(
        &canonical,
        XXH3_128bits(fingerprint->digests, fingerprint->count * sizeof fingerprint->digests[0]));
    for (size_t i = 0; i < 16; i++) {
        text[2 * i] = hex[canonical.digest[i] >> 4];
        text[2 * i + 1] = hex[canonical.digest[i] & 15];
    }
    text[32] = '\0';
}
