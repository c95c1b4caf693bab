/* SPDX-License-Identifier: MIT */
/* A tensor's key: the seed and FNV-1a 64 of the tensor's full UTF-8 name.
 * Source: Fowler, Noll, Vo; offset basis and prime of the 64-bit form. Bits: since stream 1. */
#include "sow/sow.h"

#include <string.h>

#define FNV_OFFSET 0xcbf29ce484222325u
#define FNV_PRIME  0x100000001b3u

struct sow_key sow_key_bytes(const char *name, size_t length, uint64_t seed)
{
    uint64_t hash = FNV_OFFSET;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)name[i]) * FNV_PRIME;
    }
    return (struct sow_key){.seed = seed, .tensor = hash};
}

struct sow_key sow_key(const char *name, uint64_t seed)
{
    return sow_key_bytes(name, strlen(name), seed);
}
