/* SPDX-License-Identifier: MIT */
/* Names of tensors with their numbers: "h.3.mlp.weight" is the pattern "h.#.mlp.weight" and the number 3. A number is a
 * dotted part made of digits. */
#ifndef SOW_CHECK_NAMES_H
#define SOW_CHECK_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define SOW_NAME_NUMBERS_MAX 3

struct sow_name {
    uint64_t pattern; /* hash of the name without its numbers */
    uint32_t count;
    uint32_t begins[SOW_NAME_NUMBERS_MAX], ends[SOW_NAME_NUMBERS_MAX]; /* bytes of the name */
    uint64_t numbers[SOW_NAME_NUMBERS_MAX];
};

struct sow_name sow_name_read(const char *name);

/* What kind of tensor a name and a shape speak of. */
enum sow_name_kind {
    SOW_NAME_WEIGHT,
    SOW_NAME_EMBEDDING,
    SOW_NAME_BIAS,
    SOW_NAME_NORM,
    SOW_NAME_BUFFER, /* running statistics, masks, frequencies, quantisation scales: computed, not drawn */
    SOW_NAME_ZERO, /* starts at zero by design: LoRA's B */
};
enum sow_name_kind sow_name_kind(const char *name, uint32_t rank);

/* "h.{0..11}.weight" of `count` names of one pattern, written to `text`; 0 when their numbers are no grid and only the
 * first is written. `scope`: "layers 0-11", by the first number that varies; "" when none does. */
int sow_names_join(const char *const *names, size_t count, char *text, size_t text_bytes,
                   char *scope, size_t scope_bytes);

#endif
