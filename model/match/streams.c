/* SPDX-License-Identifier: MIT */
/* Which additions are residual, and on which stream. Of the two inputs of an addition one is the stream when the way back
 * from it to where both came from has no weights, or but a projection of the shortcut; the other is the branch. Whatever
 * else is added is a plain sum. Names and roles are not looked at. */
#include "model/match/inside.h"

#include "core/base/error.h"

#include <stdlib.h>
#include <string.h>

/* The way back from the two inputs of an addition: values still to look at, the latest on top of a heap. */
struct search {
    struct sow_matching *matching;
    uint8_t *marks; /* a value was reached from input 0 (bit 0), from input 1 (bit 1) */
    uint32_t *heap, *seen;
    size_t heap_count, seen_count;
    size_t pending[4]; /* values on the heap, by their marks */
    uint64_t budget;
};

/* Where both came from, and what lies on the two ways. */
struct fork {
    uint32_t site; /* SOW_NO_SITE when they have nothing in common */
    uint32_t weights[2];
    int nonlinear[2];
};

static void push(struct search *search, uint32_t site, uint8_t mark)
{
    uint8_t before = search->marks[site];
    search->marks[site] = before | mark;
    search->pending[before | mark]++;
    if (before != 0) { /* it is on the heap: values below the top were not looked at yet */
        search->pending[before]--;
        return;
    }
    search->seen[search->seen_count++] = site;
    size_t at = search->heap_count++;
    while (at > 0 && search->heap[(at - 1) / 2] < site) {
        search->heap[at] = search->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    search->heap[at] = site;
}

static uint32_t pop(struct search *search)
{
    uint32_t top = search->heap[0], last = search->heap[--search->heap_count];
    size_t at = 0, child;
    search->pending[search->marks[top]]--;
    while ((child = 2 * at + 1) < search->heap_count) {
        child += child + 1 < search->heap_count && search->heap[child + 1] > search->heap[child];
        if (search->heap[child] <= last) {
            break;
        }
        search->heap[at] = search->heap[child];
        at = child;
    }
    search->heap[at] = last;
    return top;
}

static int is_nonlinear(enum sow_walk walk)
{
    return walk == SOW_WALK_ACTIVATION || walk == SOW_WALK_MULTIPLY || walk == SOW_WALK_ATTENTION ||
           walk == SOW_WALK_SOFTMAX || walk == SOW_WALK_GATED || walk == SOW_WALK_EXPERTS ||
           walk == SOW_WALK_RECURRENT;
}

static enum sow_status find_fork(struct search *search, const struct sow_site *add,
                                 struct fork *fork, struct sow_error *error)
{
    const struct sow_matching *matching = search->matching;
    *fork = (struct fork){.site = SOW_NO_SITE};
    search->heap_count = search->seen_count = 0;
    memset(search->pending, 0, sizeof search->pending);
    push(search, sow_input_of(matching, add, 0), 1);
    push(search, sow_input_of(matching, add, 1), 2);
    while (search->budget > 0 &&
           (search->pending[3] > 0 || (search->pending[1] > 0 && search->pending[2] > 0))) {
        uint32_t index = pop(search);
        const struct sow_site *site = &matching->sites[index];
        uint8_t mark = search->marks[index];
        search->budget--;
        if (mark == 3) {
            fork->site = index;
            break;
        }
        fork->weights[mark - 1] += site->walk == SOW_WALK_WEIGHT ||
                                   site->walk == SOW_WALK_RECURRENT ||
                                   site->walk == SOW_WALK_LOOKUP;
        fork->nonlinear[mark - 1] |= is_nonlinear(site->walk);
        for (uint32_t i = 0; i < site->operation->input_count; i++) {
            push(search, sow_input_of(matching, site, i), mark);
        }
    }
    for (size_t i = 0; i < search->seen_count; i++) {
        search->marks[search->seen[i]] = 0;
    }
    return search->budget > 0
               ? SOW_OK
               : sow_fail_at(error, SOW_E_CONFIG, add->operation->file, add->operation->line, 0,
                             "the variant matched gave up: additions reach too far back to tell "
                             "which of them are residual; write rules of your own");
}

static int is_residual(const struct sow_matching *matching, uint32_t index)
{
    return matching->sites[index].branch != SOW_NO_SITE;
}

/* Which input of the addition is the stream: 0, 1, or 2 for none. */
static uint32_t stream_input(const struct sow_matching *matching, const struct sow_site *add,
                             const struct fork *fork)
{
    if (fork->site == SOW_NO_SITE) {
        return 2;
    }
    int on_stream[2];
    for (uint32_t i = 0; i < 2; i++) {
        const struct sow_site *input = &matching->sites[sow_input_of(matching, add, i)];
        on_stream[i] = is_residual(matching, input->anchor);
    }
    for (uint32_t i = 0; i < 2; i++) { /* branches of one block, added one after the other */
        if (on_stream[i] && !on_stream[1 - i] && fork->weights[1 - i] > 0) {
            return i;
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (fork->weights[i] == 0 && fork->weights[1 - i] > 0) {
            return i;
        }
    }
    for (uint32_t i = 0; i < 2; i++) { /* a shortcut with a projection */
        if (fork->weights[i] == 1 && !fork->nonlinear[i] &&
            (fork->weights[1 - i] > 1 || fork->nonlinear[1 - i])) {
            return i;
        }
    }
    return 2;
}

static void make_sum(struct sow_matching *matching, struct sow_site *add)
{
    const struct sow_site *a = &matching->sites[sow_input_of(matching, add, 0)];
    const struct sow_site *b = &matching->sites[sow_input_of(matching, add, 1)];
    add->branch = SOW_NO_SITE;
    add->terms = a == b ? 4 * a->terms : a->terms + b->terms;
    add->tied = a->tied != SOW_NO_SITE ? a->tied : b->tied;
}

/* Two ways from one value that looked like a block with a projected shortcut, and the sum of them is a branch itself: it is
 * a plain sum, two branches side by side. */
static void take_back(struct sow_matching *matching, uint32_t index)
{
    struct sow_site *add = &matching->sites[matching->sites[index].anchor];
    if (add->branch == SOW_NO_SITE || !add->projected) {
        return;
    }
    matching->sites[add->stream].branches--;
    add->stream = matching->sites[index].anchor;
    make_sum(matching, add);
}

static enum sow_status look_at_add(struct search *search, uint32_t index, struct sow_error *error)
{
    struct sow_matching *matching = search->matching;
    struct sow_site *add = &matching->sites[index];
    const struct sow_site *a = &matching->sites[sow_input_of(matching, add, 0)];
    const struct sow_site *b = &matching->sites[sow_input_of(matching, add, 1)];
    struct fork fork;
    enum sow_status status = find_fork(search, add, &fork, error);
    if (status != SOW_OK) {
        return status;
    }
    uint32_t stream = stream_input(matching, add, &fork);
    if (stream == 2) {
        make_sum(matching, add);
        return SOW_OK;
    }
    const struct sow_site *from = stream == 0 ? a : b;
    add->branch = 1 - stream;
    add->projected = fork.weights[stream] > 0 && !is_residual(matching, from->anchor);
    add->measure = fork.weights[stream] == 0 || add->projected
                       ? fork.site
                       : matching->sites[from->anchor].measure;
    if (!add->projected) {
        take_back(matching, sow_input_of(matching, add, add->branch));
    }
    add->stream = add->projected ? matching->sites[fork.site].stream : from->stream;
    matching->sites[add->stream].branches++;
    return SOW_OK;
}

/* One value in, the same signal out. */
static int is_transparent(const struct sow_site *site)
{
    return site->operation->input_count == 1 &&
           (site->walk == SOW_WALK_NORM || site->walk == SOW_WALK_ACTIVATION ||
            site->walk == SOW_WALK_SCALE || site->walk == SOW_WALK_PASS ||
            site->walk == SOW_WALK_FEATURE || site->walk == SOW_WALK_GLOBAL_POOL ||
            site->walk == SOW_WALK_MAX_POOL || site->walk == SOW_WALK_AVERAGE_POOL);
}

/* Parameters that are looked up and weigh the model's output too. */
static void mark_tied(struct sow_matching *matching, uint32_t index)
{
    struct sow_site *site = &matching->sites[index];
    if (site->walk == SOW_WALK_LOOKUP && site->operation->parameter_count > 0) {
        uint32_t parameter = site->operation->parameters[0];
        site->tied = matching->choices[parameter].tied ? parameter : SOW_NO_SITE;
    }
}

enum sow_status sow_find_streams(struct sow_matching *matching, struct sow_error *error)
{
    size_t count = matching->graph->operation_count;
    struct search search = {.matching = matching, .budget = 64 * (uint64_t)count + 1000000};
    enum sow_status status = SOW_OK;
    search.marks = calloc(count, 1);
    search.heap = malloc(count * sizeof *search.heap);
    search.seen = malloc(count * sizeof *search.seen);
    if (search.marks == NULL || search.heap == NULL || search.seen == NULL) {
        status = sow_fail(error, SOW_E_MEMORY, "out of memory while walking the graph");
    }
    for (size_t i = 0; i < count && status == SOW_OK; i++) {
        struct sow_site *site = &matching->sites[i];
        site->stream = site->anchor = (uint32_t)i;
        site->branch = site->tied = SOW_NO_SITE;
        site->terms = 1;
        mark_tied(matching, (uint32_t)i);
        if (site->walk == SOW_WALK_ADD) {
            status = look_at_add(&search, (uint32_t)i, error);
        } else if (is_transparent(site)) {
            const struct sow_site *input = &matching->sites[sow_input_of(matching, site, 0)];
            site->stream = input->stream;
            site->anchor = input->anchor;
        }
    }
    free(search.marks);
    free(search.heap);
    free(search.seen);
    return status;
}
