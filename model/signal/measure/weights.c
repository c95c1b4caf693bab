/* SPDX-License-Identifier: MIT */
/* Pieces of a tensor in its own dtype, each widened by the thread that drew it. */
#include "model/signal/measure/weights.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/tensor/tensor.h"
#include "model/checkpoint/lookup.h"
#include "model/checkpoint/open.h"
#include "model/plan/whole.h"
#include "model/verify/value.h"

#define PIECE 16384u /* elements; in the widest dtype no more than a product's scratch */

_Static_assert(PIECE * 8 <= SOW_GEMM_SCRATCH_FLOATS * sizeof(float), "a piece fits the scratch");

struct sow_weights {
    const struct sow_plan *plan;
    struct sow_st_set *set; /* NULL: drawn */
    struct sow_st_lookup names;
    float *const *held; /* by entry; NULL: none */
    const volatile int *interrupted;
};

enum sow_status sow_weights_open(const struct sow_plan *plan, const char *path,
                                 struct sow_weights **weights, struct sow_error *error)
{
    *weights = calloc(1, sizeof **weights);
    if (*weights == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    (*weights)->plan = plan;
    enum sow_status status = path != NULL ? sow_st_set_open(path, &(*weights)->set, error) : SOW_OK;
    if (status == SOW_OK && path != NULL) {
        status = sow_st_lookup_make((*weights)->set, &(*weights)->names, error);
    }
    if (status != SOW_OK) {
        sow_weights_free(*weights);
        *weights = NULL;
    }
    return status;
}

void sow_weights_free(struct sow_weights *weights)
{
    if (weights != NULL) {
        sow_st_lookup_free(&weights->names);
        sow_st_set_free(weights->set);
        free(weights);
    }
}

void sow_weights_hold(struct sow_weights *weights, float *const *held)
{
    weights->held = held;
}

const float *sow_weights_held(const struct sow_weights *weights, size_t entry)
{
    return weights->held != NULL ? weights->held[entry] : NULL;
}

void sow_weights_interrupt(struct sow_weights *weights, const volatile int *flag)
{
    weights->interrupted = flag;
}

const volatile int *sow_weights_interrupted(const struct sow_weights *weights)
{
    return weights->interrupted;
}

int sow_weights_fixed(const struct sow_weights *weights)
{
    return weights->set != NULL;
}

/* ---- Widening --------------------------------------------------------------------------------- */

struct load {
    const struct sow_plan_entry *entry;
    uint64_t seed;
    const unsigned char *bytes;  /* drawn as a whole; NULL: piece by piece */
    const struct stored *stored; /* of a checkpoint; NULL: drawn */
    enum sow_dtype dtype;
    const float *values; /* of a narrow dtype, by its bits */
    float *to;
    pthread_mutex_t lock; /* of what follows */
    uint64_t odd,
        odd_first; /* numbers of a checkpoint that are not finite, and where the first is */
    enum sow_status status;
    struct sow_error error; /* the first */
};

/* Where the bytes of a tensor lie. */
struct stored {
    int descriptor;
    uint64_t offset;
    const char *path; /* for messages */
};

static void widen(const struct load *load, const unsigned char *from, float *to, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint16_t half;
        double wide;
        switch (sow_dtype_bits(load->dtype)) {
        case 8:
            to[i] = load->values[from[i]];
            break;
        case 16:
            memcpy(&half, from + 2 * i, 2);
            to[i] = load->values[half];
            break;
        case 32:
            memcpy(&to[i], from + 4 * i, 4);
            break;
        default:
            memcpy(&wide, from + 8 * i, 8);
            to[i] = (float)wide;
            break;
        }
    }
}

/* Returns 0 when it fails, or another piece did. */
static int read_piece(struct load *load, uint64_t begin, uint64_t count, unsigned char *to)
{
    struct sow_error error;
    enum sow_status status = sow_read_at(load->stored->descriptor, to, count,
                                         load->stored->offset + begin, load->stored->path, &error);
    if (status != SOW_OK) {
        pthread_mutex_lock(&load->lock);
        load->error = load->status == SOW_OK ? error : load->error;
        load->status = status;
        pthread_mutex_unlock(&load->lock);
    }
    return status == SOW_OK;
}

/* NaN and infinity, which no network survives: better said of the tensor than of what comes of it. */
static void count_odd(struct load *load, uint64_t begin, uint64_t end)
{
    uint64_t odd = 0, first = end;
    for (uint64_t i = end; i-- > begin;) {
        int is_odd = !(load->to[i] - load->to[i] == 0);
        odd += (uint64_t)is_odd;
        first = is_odd ? i : first;
    }
    if (odd > 0) {
        pthread_mutex_lock(&load->lock);
        load->odd_first = load->odd == 0 || first < load->odd_first ? first : load->odd_first;
        load->odd += odd;
        pthread_mutex_unlock(&load->lock);
    }
}

static void load_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct load *load = user;
    uint64_t size = sow_dtype_bits(load->dtype) / 8;
    unsigned char *room = (unsigned char *)scratch;
    if (load->bytes != NULL) {
        widen(load, load->bytes + begin * size, load->to + begin, end - begin);
    } else if (load->stored != NULL) {
        if (read_piece(load, begin * size, (end - begin) * size, room)) {
            widen(load, room, load->to + begin, end - begin);
            count_odd(load, begin, end);
        }
    } else if (load->dtype == SOW_F32) {
        sow_plan_fill(load->entry, load->seed, load->to + begin, begin, end - begin);
    } else {
        sow_plan_fill(load->entry, load->seed, room, begin, end - begin);
        widen(load, room, load->to + begin, end - begin);
    }
}

/* Every value of a narrow dtype; NULL with SOW_E_MEMORY. */
static float *values_of(enum sow_dtype dtype)
{
    const struct sow_value_type *type = sow_value_type(dtype);
    uint32_t count = sow_value_keys(type);
    float *values = malloc(count * sizeof *values);
    for (uint32_t bits = 0; bits < count && values != NULL; bits++) {
        values[bits] = (float)sow_value_of(type, bits);
    }
    return values;
}

static enum sow_status run_load(struct load *load, struct sow_team *team, struct sow_error *error)
{
    uint32_t bits = sow_dtype_bits(load->dtype);
    const struct sow_value_type *type = sow_value_type(load->dtype);
    float *values = NULL;
    if (type->encoding == SOW_ENCODING_OPAQUE || bits < 8 ||
        (bits >= 32 && load->dtype != SOW_F32 && load->dtype != SOW_F64)) {
        return sow_fail(error, SOW_E_UNSUPPORTED, "tensor %.200s is %s: signals need numbers",
                        load->entry->name, sow_dtype_name(load->dtype));
    }
    if (bits <= 16) {
        values = values_of(load->dtype);
        if (values == NULL) {
            return sow_fail(error, SOW_E_MEMORY, "out of memory");
        }
        load->values = values;
    }
    pthread_mutex_init(&load->lock, NULL);
    sow_team_ranges(team, load->entry->elements, PIECE, load_range, load);
    pthread_mutex_destroy(&load->lock);
    free(values);
    if (load->status != SOW_OK && error != NULL) {
        *error = load->error;
    }
    return sow_team_stopped(team) ? sow_fail(error, SOW_E_INTERRUPTED, "interrupted")
                                  : load->status;
}

/* ---- Tensors that are drawn as a whole ---------------------------------------------------------- */

struct drawing {
    struct sow_plan_drawing at;
    pthread_mutex_t lock;
    unsigned char **rooms; /* that no step has, a stack */
    size_t free;
};

static void draw_step(void *user, uint64_t step, float *scratch)
{
    struct drawing *drawing = user;
    (void)scratch;
    pthread_mutex_lock(&drawing->lock);
    unsigned char *own = drawing->rooms[--drawing->free];
    pthread_mutex_unlock(&drawing->lock);
    sow_plan_drawing_step(&drawing->at, step, own);
    pthread_mutex_lock(&drawing->lock);
    drawing->rooms[drawing->free++] = own;
    pthread_mutex_unlock(&drawing->lock);
}

/* Stage after stage, the steps of each shared among the team. */
static enum sow_status draw_whole(const struct load *load, struct sow_team *team,
                                  unsigned char *bytes, struct sow_error *error)
{
    const struct sow_whole_room room = sow_plan_drawing_room(load->entry);
    size_t threads = sow_team_threads(team);
    struct drawing drawing = {.rooms = calloc(threads, sizeof *drawing.rooms), .free = threads};
    unsigned char *shared = aligned_alloc(64, room.shared + threads * room.own + 64);
    enum sow_status status = SOW_OK;
    if (drawing.rooms == NULL || shared == NULL) {
        status = sow_fail(error, SOW_E_MEMORY, "no memory to draw %.200s", load->entry->name);
        goto release;
    }
    for (size_t i = 0; i < threads; i++) {
        drawing.rooms[i] = shared + room.shared + i * room.own;
    }
    pthread_mutex_init(&drawing.lock, NULL);
    sow_plan_drawing_begin(&drawing.at, load->entry, load->seed, bytes, shared);
    while (status == SOW_OK && sow_plan_drawing_next(&drawing.at)) {
        sow_team_run(team, drawing.at.steps, draw_step, &drawing);
        if (sow_team_stopped(team)) {
            status = sow_fail(error, SOW_E_INTERRUPTED, "interrupted");
        }
    }
    pthread_mutex_destroy(&drawing.lock);
release:
    free(shared);
    free(drawing.rooms);
    return status;
}

/* Drawn first, then widened. */
static enum sow_status load_whole(struct load *load, struct sow_team *team, struct sow_error *error)
{
    unsigned char *bytes = malloc(load->entry->bytes > 0 ? load->entry->bytes : 1);
    enum sow_status status =
        bytes == NULL ? sow_fail(error, SOW_E_MEMORY, "no memory for %.200s", load->entry->name)
                      : draw_whole(load, team, bytes, error);
    if (status == SOW_OK) {
        load->bytes = bytes;
        status = run_load(load, team, error);
        load->bytes = NULL;
    }
    free(bytes);
    return status;
}

/* ---- A checkpoint ------------------------------------------------------------------------------- */

static int same_shape(const struct sow_st_tensor *found, const struct sow_tensor *wanted)
{
    return found->rank == wanted->rank &&
           memcmp(found->shape, wanted->shape, found->rank * sizeof found->shape[0]) == 0;
}

static int is_float(enum sow_dtype dtype)
{
    enum sow_encoding encoding = sow_value_type(dtype)->encoding;
    return encoding == SOW_ENCODING_IEEE || encoding == SOW_ENCODING_FN ||
           encoding == SOW_ENCODING_FNUZ;
}

/* The tensor of an entry, as it must be. */
static enum sow_status find_stored(const struct sow_weights *weights,
                                   const struct sow_plan_entry *entry,
                                   const struct sow_st_place **place, struct sow_error *error)
{
    char path[512];
    const struct sow_st_set *set = weights->set;
    *place = sow_st_lookup_find(&weights->names, entry->name);
    if (*place == NULL) {
        return sow_fail(error, SOW_E_MISSING,
                        "%.300s has no tensor %.200s: is it a checkpoint of this model?",
                        sow_st_set_path(set, 0, path), entry->name);
    }
    const struct sow_st_tensor *found = (*place)->tensor;
    size_t file = (*place)->file;
    if (!same_shape(found, &entry->tensor)) {
        return sow_fail(error, SOW_E_SHAPE,
                        "%.300s: tensor %.150s has shape %.100s, the model's has %.100s",
                        sow_st_set_path(set, file, path), entry->name,
                        sow_shape_text(found->shape, found->rank).text,
                        sow_shape_text(entry->tensor.shape, entry->tensor.rank).text);
    }
    if (!is_float(found->dtype)) {
        return sow_fail(error, SOW_E_UNSUPPORTED,
                        "%.300s: tensor %.200s is %s: signals need floating-point numbers; where "
                        "weights are quantised, take the checkpoint from before that",
                        sow_st_set_path(set, file, path), entry->name,
                        sow_dtype_name(found->dtype));
    }
    return SOW_OK;
}

enum sow_status sow_weights_check(const struct sow_weights *weights, size_t entry,
                                  struct sow_error *error)
{
    const struct sow_st_place *place;
    return weights->set == NULL
               ? SOW_OK
               : find_stored(weights, sow_plan_at(weights->plan, entry), &place, error);
}

uint64_t sow_weights_unused(const struct sow_weights *weights, const char **first)
{
    uint64_t count = 0;
    *first = NULL;
    for (size_t file = 0; weights->set != NULL && file < weights->set->count; file++) {
        const struct sow_st_header *header = weights->set->files[file].header;
        for (size_t i = 0; i < sow_st_count(header); i++) {
            const char *name = sow_st_at(header, i)->name;
            if (sow_plan_find(weights->plan, name, NULL) == NULL) {
                *first = count++ == 0 ? name : *first;
            }
        }
    }
    return count;
}

static enum sow_status load_stored(const struct sow_weights *weights, struct sow_team *team,
                                   struct load *load, struct sow_error *error)
{
    char path[512];
    struct stored stored;
    const struct sow_st_place *place;
    enum sow_status status = find_stored(weights, load->entry, &place, error);
    if (status != SOW_OK) {
        return status;
    }
    const struct sow_st_set *set = weights->set;
    const struct sow_st_tensor *tensor = place->tensor;
    size_t file = place->file;
    status = sow_st_set_reopen(set, file, O_RDONLY, &stored.descriptor, error);
    if (status == SOW_OK) {
        stored.offset = sow_st_data_offset(set->files[file].header) + tensor->offset_begin;
        stored.path = sow_st_set_path(set, file, path);
        load->stored = &stored;
        load->dtype = tensor->dtype;
        status = run_load(load, team, error);
        close(stored.descriptor);
    }
    if (status == SOW_OK && load->odd > 0) {
        status =
            sow_fail(error, SOW_E_FORMAT,
                     "%.300s: tensor %.150s, %.100s, has %llu of its numbers infinite or not a "
                     "number, the first at element %llu: no signal passes; sow stats shows all "
                     "such tensors",
                     sow_st_set_path(set, file, path), load->entry->name,
                     sow_shape_text(tensor->shape, tensor->rank).text,
                     (unsigned long long)load->odd, (unsigned long long)load->odd_first);
    }
    return status;
}

/* Axes in the order of (out, in, kernel...), of a transposed convolution (in, out, kernel...); channels that are weights
 * of their own are outputs and come before what each of them makes. */
static void order_axes(const struct sow_tensor *tensor, uint32_t order[SOW_RANK_MAX])
{
    static const enum sow_axis plain[] = {SOW_AXIS_EACH, SOW_AXIS_OUT, SOW_AXIS_IN,
                                          SOW_AXIS_KERNEL};
    static const enum sow_axis transposed[] = {SOW_AXIS_IN, SOW_AXIS_EACH, SOW_AXIS_OUT,
                                               SOW_AXIS_KERNEL};
    uint32_t count = 0;
    for (uint32_t role = 0; role < 4; role++) {
        enum sow_axis wanted =
            tensor->kind == SOW_KIND_CONV_TRANSPOSE ? transposed[role] : plain[role];
        for (uint32_t i = 0; i < tensor->rank; i++) {
            if (sow_tensor_axis(tensor, i) == wanted) {
                order[count++] = i;
            }
        }
    }
    for (uint32_t i = 0; count < tensor->rank; i++) { /* axes that are not said */
        order[i] = i;
        count = i + 1;
    }
}

static enum sow_status turn_conv(const struct sow_tensor *tensor, uint64_t elements, float *weight,
                                 struct sow_error *error)
{
    uint32_t order[SOW_RANK_MAX] = {0}, ordered = 1;
    uint64_t strides[SOW_RANK_MAX], at[SOW_RANK_MAX] = {0}, stride = 1, from = 0;
    order_axes(tensor, order);
    for (uint32_t i = 0; i < tensor->rank; i++) {
        ordered &= order[i] == i;
    }
    float *copy = ordered ? NULL : malloc(elements * sizeof *copy);
    if (copy == NULL) {
        return ordered ? SOW_OK : sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    for (uint32_t axis = tensor->rank; axis-- > 0;) {
        strides[axis] = stride;
        stride *= tensor->shape[axis];
    }
    memcpy(copy, weight, elements * sizeof *copy);
    for (uint64_t i = 0; i < elements; i++) {
        weight[i] = copy[from];
        for (uint32_t place = tensor->rank; place-- > 0;) { /* the next place in the new order */
            uint32_t axis = order[place];
            from += strides[axis];
            if (++at[axis] < tensor->shape[axis]) {
                break;
            }
            from -= strides[axis] * tensor->shape[axis];
            at[axis] = 0;
        }
    }
    free(copy);
    return SOW_OK;
}

enum sow_status sow_weights_load(const struct sow_weights *weights, struct sow_team *team,
                                 size_t entry, uint64_t seed, float *to, struct sow_error *error)
{
    const struct sow_plan_entry *row = sow_plan_at(weights->plan, entry);
    struct load load = {.entry = row, .seed = seed, .dtype = row->dtype, .to = to};
    enum sow_status status = weights->set != NULL     ? load_stored(weights, team, &load, error)
                             : sow_plan_is_whole(row) ? load_whole(&load, team, error)
                                                      : run_load(&load, team, error);
    int is_conv = row->tensor.kind == SOW_KIND_CONV || row->tensor.kind == SOW_KIND_CONV_TRANSPOSE;
    if (status == SOW_OK && row->elements > 0 && is_conv) {
        status = turn_conv(&row->tensor, row->elements, to, error);
    }
    return status;
}
