/* SPDX-License-Identifier: MIT */
/* Slots, each with a tensor that is being drawn or is drawn. One lock for all that is written here; steps are taken
 * outside of it. Neighbouring chunks want neighbouring tensors, so a slot for each thread is enough, and where tensors
 * are large, two: the one that ends in a chunk and the next. */
#include "model/run/wholes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "model/plan/whole.h"

#define ALIGN      ((uint64_t)64)
#define SLOTS_MIN  2u
#define SLOTS_ROOM ((uint64_t)256 << 20) /* bytes for more of them than that */

enum state { EMPTY, DRAWING, DRAWN };

struct slot {
    enum state state;
    const struct sow_plan_entry *entry;
    uint64_t seed, used; /* used: when last */
    unsigned char *bytes, *shared;
    struct sow_plan_drawing drawing;
    uint64_t next, running; /* steps of the stage: the next one, and those under way */
    uint32_t users;
};

struct sow_wholes {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slot *slots;
    uint32_t slot_count;
    unsigned char *memory;
    unsigned char **rooms; /* a stack of what steps need for themselves */
    uint32_t free_rooms;
    uint64_t clock;
    const volatile int *interrupted; /* NULL: never */
};

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static uint32_t slots_for(const struct sow_wholes_need *need, uint32_t threads)
{
    uint64_t each = need->bytes + need->shared, fit = SLOTS_ROOM / (each > 0 ? each : 1);
    uint64_t slots = fit < threads + 1 ? fit : threads + 1;
    return slots > SLOTS_MIN ? (uint32_t)slots : SLOTS_MIN;
}

void sow_wholes_count(struct sow_wholes_need *need, const struct sow_plan_entry *entry,
                      uint32_t threads)
{
    if (!sow_plan_is_whole(entry)) {
        return;
    }
    const struct sow_whole_room room = sow_plan_drawing_room(entry);
    const uint64_t bytes = round_up(entry->bytes + 1);
    need->bytes = bytes > need->bytes ? bytes : need->bytes;
    need->shared = room.shared > need->shared ? room.shared : need->shared;
    need->own = room.own > need->own ? room.own : need->own;
    need->memory = slots_for(need, threads) * (need->bytes + need->shared) + threads * need->own;
}

enum sow_status sow_wholes_new(const struct sow_wholes_need *need, uint32_t threads,
                               struct sow_wholes **wholes, struct sow_error *error)
{
    *wholes = NULL;
    if (need->memory == 0) {
        return SOW_OK;
    }
    struct sow_wholes *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for tensors that are drawn as a whole");
    }
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->changed, NULL);
    made->slot_count = slots_for(need, threads);
    made->slots = calloc(made->slot_count, sizeof made->slots[0]);
    made->rooms = calloc(threads, sizeof made->rooms[0]);
    made->memory = aligned_alloc(ALIGN, round_up(need->memory));
    if (made->slots == NULL || made->rooms == NULL || made->memory == NULL) {
        sow_wholes_free(made);
        return sow_fail(error, SOW_E_MEMORY,
                        "no memory for tensors that are drawn as a whole: %llu MiB are needed, %u "
                        "tensors at a time; fewer threads need less",
                        (unsigned long long)(need->memory >> 20) + 1, slots_for(need, threads));
    }
    unsigned char *at = made->memory;
    for (uint32_t i = 0; i < made->slot_count; i++, at += need->bytes + need->shared) {
        made->slots[i].bytes = at;
        made->slots[i].shared = at + need->bytes;
    }
    for (; made->free_rooms < threads; at += need->own) {
        made->rooms[made->free_rooms++] = at;
    }
    *wholes = made;
    return SOW_OK;
}

void sow_wholes_free(struct sow_wholes *wholes)
{
    if (wholes == NULL) {
        return;
    }
    free(wholes->memory);
    free(wholes->rooms);
    free(wholes->slots);
    pthread_cond_destroy(&wholes->changed);
    pthread_mutex_destroy(&wholes->lock);
    free(wholes);
}

void sow_wholes_interrupt(struct sow_wholes *wholes, const volatile int *flag)
{
    if (wholes != NULL) {
        wholes->interrupted = flag;
    }
}

static int is_interrupted(const struct sow_wholes *wholes)
{
    return wholes->interrupted != NULL && *wholes->interrupted != 0;
}

/* ---- With the lock held --------------------------------------------------------------------- */

static struct slot *find(struct sow_wholes *wholes, const struct sow_plan_entry *entry,
                         uint64_t seed)
{
    for (uint32_t i = 0; i < wholes->slot_count; i++) {
        struct slot *slot = &wholes->slots[i];
        if (slot->state != EMPTY && slot->entry == entry && slot->seed == seed) {
            return slot;
        }
    }
    return NULL;
}

/* On to the next stage, when a stage is done. */
static void advance(struct sow_wholes *wholes, struct slot *slot)
{
    slot->next = 0;
    int goes_on = !is_interrupted(wholes) && sow_plan_drawing_next(&slot->drawing);
    slot->state = goes_on ? DRAWING : DRAWN;
    pthread_cond_broadcast(&wholes->changed);
}

/* The slot that nobody has used for longest begins with another tensor; NULL when all are in use. */
static struct slot *begin(struct sow_wholes *wholes, const struct sow_plan_entry *entry,
                          uint64_t seed)
{
    struct slot *oldest = NULL;
    for (uint32_t i = 0; i < wholes->slot_count; i++) {
        struct slot *slot = &wholes->slots[i];
        if (slot->state != DRAWING && slot->users == 0 &&
            (oldest == NULL || slot->used < oldest->used)) {
            oldest = slot;
        }
    }
    if (oldest != NULL) {
        oldest->entry = entry;
        oldest->seed = seed;
        oldest->used = ++wholes->clock;
        sow_plan_drawing_begin(&oldest->drawing, entry, seed, oldest->bytes, oldest->shared);
        advance(wholes, oldest);
    }
    return oldest;
}

/* One step of a tensor that is being drawn; 0 when there is none to take now. */
static int help(struct sow_wholes *wholes, struct slot *slot)
{
    if (slot->next >= slot->drawing.steps || wholes->free_rooms == 0) {
        return 0;
    }
    unsigned char *room = wholes->rooms[--wholes->free_rooms];
    uint64_t step = slot->next++;
    slot->running++;
    pthread_mutex_unlock(&wholes->lock);
    if (!is_interrupted(wholes)) {
        sow_plan_drawing_step(&slot->drawing, step, room);
    }
    pthread_mutex_lock(&wholes->lock);
    wholes->rooms[wholes->free_rooms++] = room;
    slot->running--;
    if (slot->next == slot->drawing.steps && slot->running == 0) {
        advance(wholes, slot);
    }
    return 1;
}

const unsigned char *sow_wholes_take(struct sow_wholes *wholes, const struct sow_plan_entry *entry,
                                     uint64_t seed)
{
    pthread_mutex_lock(&wholes->lock);
    for (;;) {
        struct slot *slot = find(wholes, entry, seed);
        slot = slot != NULL ? slot : begin(wholes, entry, seed);
        if (slot != NULL && slot->state == DRAWN) {
            slot->users++;
            slot->used = ++wholes->clock;
            pthread_mutex_unlock(&wholes->lock);
            return slot->bytes;
        }
        if (slot == NULL || !help(wholes, slot)) {
            pthread_cond_wait(&wholes->changed, &wholes->lock);
        }
    }
}

void sow_wholes_give(struct sow_wholes *wholes, const unsigned char *bytes)
{
    pthread_mutex_lock(&wholes->lock);
    for (uint32_t i = 0; i < wholes->slot_count; i++) {
        wholes->slots[i].users -= wholes->slots[i].bytes == bytes;
    }
    pthread_cond_broadcast(&wholes->changed);
    pthread_mutex_unlock(&wholes->lock);
}
