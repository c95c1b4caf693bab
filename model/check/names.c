/* SPDX-License-Identifier: MIT */
/* Names and their numbers. What a kind of tensor is called by the libraries stands in one table. */
#include "model/check/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SHOWN 8 /* numbers of a list that has gaps */

struct sow_name sow_name_read(const char *name)
{
    struct sow_name read = {0};
    XXH64_hash_t hash = 0;
    size_t begin = 0, from = 0;
    for (;;) {
        size_t length = strcspn(name + begin, "."), digits = strspn(name + begin, "0123456789");
        if (length > 0 && digits == length && length <= 9 && read.count < SOW_NAME_NUMBERS_MAX) {
            hash = XXH3_64bits_withSeed(name + from, begin - from, hash + read.count + 1);
            read.begins[read.count] = (uint32_t)begin;
            read.ends[read.count] = (uint32_t)(begin + length);
            for (size_t i = begin; i < begin + length; i++) {
                uint64_t *number = &read.numbers[read.count];
                *number = *number * 10 + (uint64_t)(name[i] - '0');
            }
            read.count++;
            from = begin + length;
        }
        begin += length;
        if (name[begin] == '\0') {
            break;
        }
        begin++;
    }
    read.pattern = XXH3_64bits_withSeed(name + from, begin - from, hash + read.count + 1);
    return read;
}

/* ---- Kinds --------------------------------------------------------------------------------------- */

static const struct {
    const char *word; /* found anywhere in the name, upper case as lower */
    enum sow_name_kind kind;
} words[] = {
    {"running_mean", SOW_NAME_BUFFER},
    {"running_var", SOW_NAME_BUFFER},
    {"num_batches_tracked", SOW_NAME_BUFFER},
    {"moving_mean", SOW_NAME_BUFFER},
    {"moving_variance", SOW_NAME_BUFFER},
    {"inv_freq", SOW_NAME_BUFFER},
    {"freqs_cis", SOW_NAME_BUFFER},
    {"rotary", SOW_NAME_BUFFER},
    {"position_ids", SOW_NAME_BUFFER},
    {"masked_bias", SOW_NAME_BUFFER},
    {".attn.bias", SOW_NAME_BUFFER},
    {".attention.bias", SOW_NAME_BUFFER},
    {"relative_position_index", SOW_NAME_BUFFER},
    {"attn_mask", SOW_NAME_BUFFER},
    {"relative_coords_table", SOW_NAME_BUFFER},
    {"sinusoid", SOW_NAME_BUFFER},
    {"scale_inv", SOW_NAME_BUFFER},
    {"weight_scale", SOW_NAME_BUFFER},
    {"input_scale", SOW_NAME_BUFFER},
    {"output_scale", SOW_NAME_BUFFER},
    {"scales", SOW_NAME_BUFFER},
    {"qzeros", SOW_NAME_BUFFER},
    {"qweight", SOW_NAME_BUFFER},
    {"g_idx", SOW_NAME_BUFFER},
    {"absmax", SOW_NAME_BUFFER},
    {"quant_map", SOW_NAME_BUFFER},
    {"quant_state", SOW_NAME_BUFFER},
    {"zero_point", SOW_NAME_BUFFER},
    {"ema_", SOW_NAME_BUFFER},
    {"cluster_size", SOW_NAME_BUFFER},
    {"exp_avg", SOW_NAME_BUFFER},
    {"lora_b", SOW_NAME_ZERO},
    {"lora_embedding_b", SOW_NAME_ZERO},
    {"norm", SOW_NAME_NORM},
    {"ln_", SOW_NAME_NORM},
    {"layer_scale", SOW_NAME_NORM},
    {"embed", SOW_NAME_EMBEDDING},
    {"wte", SOW_NAME_EMBEDDING},
    {"wpe", SOW_NAME_EMBEDDING},
    {"emb.", SOW_NAME_EMBEDDING},
};

static int contains(const char *name, const char *word)
{
    size_t length = strlen(word);
    for (; *name != '\0'; name++) {
        size_t i = 0;
        while (i < length && name[i] != '\0' &&
               (name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]) == word[i]) {
            i++;
        }
        if (i == length) {
            return 1;
        }
    }
    return 0;
}

enum sow_name_kind sow_name_kind(const char *name, uint32_t rank)
{
    const char *last = strrchr(name, '.');
    last = last == NULL ? name : last + 1;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        int norm = words[i].kind == SOW_NAME_NORM;
        if (contains(name, words[i].word) && (!norm || rank <= 1)) {
            return words[i].kind;
        }
    }
    return contains(last, "bias") || rank < 2 ? SOW_NAME_BIAS : SOW_NAME_WEIGHT;
}

/* ---- Joining ------------------------------------------------------------------------------------- */

static int compare_u64(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Sorts and drops what stands twice; returns how many are left. */
static size_t sort_unique(uint64_t *numbers, size_t count)
{
    size_t kept = 0;
    qsort(numbers, count, sizeof numbers[0], compare_u64);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || numbers[i] != numbers[kept - 1]) {
            numbers[kept++] = numbers[i];
        }
    }
    return kept;
}

static size_t add(char *text, size_t room, size_t used, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && used + 1 < room; i++) {
        text[used++] = bytes[i];
    }
    text[used < room ? used : room - 1] = '\0';
    return used;
}

/* "0..11" or "0,2,5"; with `dash` "0-11" or "0, 2, 5". */
static void list(const uint64_t *numbers, size_t count, int dash, char *text, size_t room)
{
    size_t used = 0;
    if (count > 1 && numbers[count - 1] - numbers[0] == count - 1) {
        snprintf(text, room, dash ? "%llu-%llu" : "%llu..%llu", (unsigned long long)numbers[0],
                 (unsigned long long)numbers[count - 1]);
        return;
    }
    text[0] = '\0';
    for (size_t i = 0; i < count && used + 24 < room; i++) {
        if (i == SHOWN) {
            snprintf(text + used, room - used, dash ? ", ..." : ",...");
            return;
        }
        used += (size_t)snprintf(text + used, room - used, "%s%llu",
                                 i == 0 ? ""
                                 : dash ? ", "
                                        : ",",
                                 (unsigned long long)numbers[i]);
    }
}

int sow_names_join(const char *const *names, size_t count, char *text, size_t text_bytes,
                   char *scope, size_t scope_bytes)
{
    struct sow_name first = sow_name_read(names[0]);
    uint64_t *numbers = calloc(count * SOW_NAME_NUMBERS_MAX + 1, sizeof numbers[0]);
    size_t distinct[SOW_NAME_NUMBERS_MAX], product = 1, used = 0, from = 0;
    scope[0] = '\0';
    add(text, text_bytes, 0, names[0], strlen(names[0]));
    if (numbers == NULL) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct sow_name read = sow_name_read(names[i]);
        for (uint32_t j = 0; j < first.count; j++) {
            numbers[j * count + i] = read.numbers[j];
        }
    }
    for (uint32_t j = 0; j < first.count; j++) {
        distinct[j] = sort_unique(numbers + j * count, count);
        product *= distinct[j];
    }
    for (uint32_t j = 0; j < first.count && product == count; j++) {
        char range[256];
        if (distinct[j] == 1) {
            continue;
        }
        used = add(text, text_bytes, used, names[0] + from, first.begins[j] - from);
        list(numbers + j * count, distinct[j], 0, range, sizeof range);
        used = add(text, text_bytes, used, "{", 1);
        used = add(text, text_bytes, used, range, strlen(range));
        used = add(text, text_bytes, used, "}", 1);
        from = first.ends[j];
        if (scope[0] == '\0') {
            list(numbers + j * count, distinct[j], 1, range, sizeof range);
            snprintf(scope, scope_bytes, "layers %.200s", range);
        }
    }
    if (product == count) {
        add(text, text_bytes, used, names[0] + from, strlen(names[0]) - from);
    }
    free(numbers);
    return product == count;
}
