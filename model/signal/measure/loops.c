/* SPDX-License-Identifier: MIT */
/* Which loops run: those compiled for the instruction set of the kernels. */
#include "model/signal/measure/loops.h"

#include <stddef.h>
#include <string.h>

#include "core/kernel/kernel.h"
#include "sow_isa_list.h"

#define DECLARE_ROW(isa) extern const struct sow_loops sow_loops_##isa;
#define TABLE_ROW(isa)   &sow_loops_##isa,

SOW_ISA_LIST(DECLARE_ROW)

static const struct sow_loops *const rows[] = {SOW_ISA_LIST(TABLE_ROW)};

const struct sow_loops *sow_loops_chosen(void)
{
    const char *isa = sow_kernels_chosen()->isa;
    size_t row = sizeof rows / sizeof *rows;
    while (--row > 0 && strcmp(rows[row]->isa, isa) != 0) {
    }
    return rows[row];
}
