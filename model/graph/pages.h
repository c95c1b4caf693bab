/* SPDX-License-Identifier: MIT */
/* Memory for what grows with a model: from two megabytes on in large pages, where the system has them. A model of a
 * million tensors then takes a hundred page faults and not seventy thousand. */
#ifndef SOW_GRAPH_PAGES_H
#define SOW_GRAPH_PAGES_H

#include <stddef.h>

/* As malloc, freed with free(). What is never written takes no memory but for the rest of its page. */
void *sow_pages_new(size_t bytes);

#endif
