/* SPDX-License-Identifier: MIT */
/* What the machine says: the time, and how much memory a measurement may take. No number that is measured depends on it. */
#ifndef SOW_MEASURE_MACHINE_H
#define SOW_MEASURE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* Seconds since some moment. */
double sow_clock(void);
/* `wanted` bytes, or for 0 half of the machine's memory. */
uint64_t sow_memory_ceiling(uint64_t wanted);
/* Room for large arrays, aligned to SOW_TILE_ALIGN: a page fault and an entry of the processor's page table serve 2 MiB where
 * the machine can. free() takes it back; NULL when there is no memory. */
void *sow_memory_new(size_t bytes);

#endif
