/* SPDX-License-Identifier: MIT */
/* Reading a suspected tensor again, part by part, to be sure. */
#ifndef SOW_CHECK_AGAIN_H
#define SOW_CHECK_AGAIN_H

#include "model/check/run.h"

struct sow_again {
    const struct sow_check_tensor *tensor;
    const struct sow_st_set *set;
    int descriptor;
};

enum sow_status sow_again_open(struct sow_again *again, const struct sow_check_run *run,
                               size_t tensor, struct sow_error *error);
void sow_again_close(struct sow_again *again);
/* `count` bytes from byte `from` of the tensor. */
enum sow_status sow_again_read(const struct sow_again *again, uint64_t from, uint64_t count,
                               unsigned char *bytes, struct sow_error *error);

#endif
