/* SPDX-License-Identifier: MIT */
/* The codes by a name in C; the rows are in codes.c. */
#ifndef SOW_CHECK_CODES_H
#define SOW_CHECK_CODES_H

#include "sow/check.h"

enum sow_code {
    SOW_CODE_NAN,
    SOW_CODE_INF,
    SOW_CODE_GARBAGE,
    SOW_CODE_VARIANCE,
    SOW_CODE_PREFIX,
    SOW_CODE_CONFIG,
    SOW_CODE_MISSING,
    SOW_CODE_EXTRA,
    SOW_CODE_SHAPE,
    SOW_CODE_DTYPE,
    SOW_CODE_TIED,
    SOW_CODE_ZEROS,
    SOW_CODE_CONSTANT,
    SOW_CODE_CONSTANT_VALUE,
    SOW_CODE_PADDING,
    SOW_CODE_STD,
    SOW_CODE_MEAN,
    SOW_CODE_LAW,
    SOW_CODE_BOUNDS,
    SOW_CODE_CLIPPED,
    SOW_CODE_LAYERS,
    SOW_CODE_TWINS,
    SOW_CODE_PERMUTED,
    SOW_CODE_STREAM,
    SOW_CODE_ROWS,
    SOW_CODE_COLUMNS,
    SOW_CODE_PERMUTED_ROWS,
    SOW_CODE_SIBLING,
    SOW_CODE_UNIT_STD,
    SOW_CODE_ZERO_ROWS,
    SOW_CODE_LOOSE_FILE,
    SOW_CODE_TIED_TWICE,
    SOW_CODE_RECORD,
    SOW_CODE_OPAQUE,
    SOW_CODE_COUNT
};

const struct sow_check_code *sow_check_code(enum sow_code code);

#endif
