/* SPDX-License-Identifier: MIT */
/* Reading a checkpoint and comparing it, byte for byte, with what it should be. */
#ifndef SOW_VERIFY_COMPARE_H
#define SOW_VERIFY_COMPARE_H

#include <stdatomic.h>

#include "model/run/buffers.h"
#include "model/run/crew.h"
#include "model/run/fingerprint.h"
#include "model/verify/expected.h"
#include "model/verify/files.h"

struct sow_compare {
    const struct sow_st_set *set;
    const struct sow_expected *expected;
    uint64_t *file_bytes;
    struct sow_buffers buffers; /* a worker's: a chunk of the file, then the expected piece */
    struct sow_fingerprint *fingerprint;
    struct sow_crew crew;
    atomic_uchar *differs; /* one a tensor, over all files */

    struct sow_open_files files;

    pthread_mutex_t lock; /* of what follows */
    int found;            /* whether anything differs, and the lowest place: */
    size_t first_file;
    uint64_t first_offset;
};

enum sow_status sow_compare_begin(struct sow_compare *compare, const struct sow_st_set *set,
                                  const struct sow_expected *expected,
                                  const struct sow_verify_options *options,
                                  struct sow_error *error);
enum sow_status sow_compare_run(struct sow_compare *compare, struct sow_error *error);
void sow_compare_end(struct sow_compare *compare);

#endif
