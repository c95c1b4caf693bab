/* SPDX-License-Identifier: MIT */
/* Which kernels run: the last row of cmake/isa.cmake that the CPU has, or the one SOW_ISA names.
 * Chosen once, on first use; every row gives the same bits. */
#include "core/kernel/kernel.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cpu.h"
#include "core/base/error.h"
#include "sow_isa_list.h"

#define DECLARE_ROW(isa) extern const struct sow_kernels sow_kernels_##isa;
#define TABLE_ROW(isa)   &sow_kernels_##isa,

SOW_ISA_LIST(DECLARE_ROW)

static const struct sow_kernels *const rows[] = {SOW_ISA_LIST(TABLE_ROW)};

const struct sow_kernels *sow_kernels_at(size_t index)
{
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        if (sow_cpu_has(rows[row]->isa) && index-- == 0) {
            return rows[row];
        }
    }
    return NULL;
}

static const struct sow_kernels *find(const char *isa)
{
    const struct sow_kernels *kernels;
    for (size_t i = 0; (kernels = sow_kernels_at(i)) != NULL; i++) {
        if (strcmp(kernels->isa, isa) == 0) {
            return kernels;
        }
    }
    return NULL;
}

/* The environment's wish; NULL when there is none. */
static const char *wish(void)
{
    const char *isa = getenv("SOW_ISA");
    return isa != NULL && isa[0] != '\0' ? isa : NULL;
}

static const struct sow_kernels *choose(void)
{
    const char *isa = wish();
    const struct sow_kernels *best = rows[0], *kernels;
    if (isa != NULL) {
        kernels = find(isa);
        return kernels != NULL ? kernels : rows[0];
    }
    for (size_t i = 0; (kernels = sow_kernels_at(i)) != NULL; i++) {
        best = kernels;
    }
    return best;
}

const struct sow_kernels *sow_kernels_chosen(void)
{
    /* Threads that race here all store the same pointer to constant data. */
    static _Atomic(const struct sow_kernels *) chosen;
    const struct sow_kernels *kernels = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (kernels == NULL) {
        kernels = choose();
        atomic_store_explicit(&chosen, kernels, memory_order_relaxed);
    }
    return kernels;
}

const char *sow_isa(void)
{
    return sow_kernels_chosen()->isa;
}

enum sow_status sow_isa_check(struct sow_error *error)
{
    const char *isa = wish();
    if (isa == NULL || find(isa) != NULL) {
        return SOW_OK;
    }
    char known[128] = "";
    size_t used = 0;
    const struct sow_kernels *kernels;
    for (size_t i = 0; (kernels = sow_kernels_at(i)) != NULL; i++) {
        size_t length = strlen(kernels->isa);
        if (used + length + 3 > sizeof known) {
            break;
        }
        memcpy(known + used, used > 0 ? ", " : "", used > 0 ? 2 : 0);
        used += used > 0 ? 2 : 0;
        memcpy(known + used, kernels->isa, length + 1);
        used += length;
    }
    return sow_fail(error, SOW_E_UNSUPPORTED,
                    "SOW_ISA=%.32s names an instruction set this build or CPU lacks; it has %s",
                    isa, known);
}
