/* SPDX-License-Identifier: MIT */
/* The answer in words. */
#ifndef SOW_VERIFY_ANSWER_H
#define SOW_VERIFY_ANSWER_H

#include "model/verify/compare.h"

/* SOW_OK when nothing differs; else SOW_E_MISMATCH, with the report's first difference and count filled. */
enum sow_status sow_compare_answer(const struct sow_compare *compare,
                                   struct sow_verify_report *report, struct sow_error *error);

#endif
