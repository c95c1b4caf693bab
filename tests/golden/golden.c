/* SPDX-License-Identifier: MIT */
/* Known answers of stream 1: one line of golden.txt a case, drawn again with every instruction set here.
 *
 *     golden FILE           compare; prints each mismatch and closes with 'N passed, N failed'
 *     golden --write FILE   write the file anew (make golden); the diff is for a person to review
 *
 * A line:  DISTRIBUTION NUMBERS DTYPE SEED "TENSOR" range FIRST COUNT        DIGEST
 *          DISTRIBUTION NUMBERS DTYPE SEED "TENSOR" box SHAPE START SIZE     DIGEST
 *          DISTRIBUTION GAIN DTYPE SEED "TENSOR" whole KIND LAYOUT SHAPE GROUPS PACKED     DIGEST
 * NUMBERS are sow_draw_<distribution>'s, joined by commas; DIGEST is FNV-1a 64 of the little-endian bytes.
 * PACKED is AXISxSIZExBEGIN of a block of a packed weight, whose other bytes are 0xa5; or - */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernel/source.h"
#include "core/linalg/whole.h"
#include "sow/sow.h"

#define BYTES_MAX 16384
#define LINE_MAX  512
#define SHOWN_MAX 20 /* mismatches */
#define LENGTH(a) (sizeof(a) / sizeof *(a))

/* ---- Cases -------------------------------------------------------------------------------- */

struct draw_case {
    enum sow_distribution distribution;
    const char *numbers;
};

static const struct draw_case draws[] = {
    {SOW_CONSTANT, "0"},
    {SOW_CONSTANT, "0.1"},
    {SOW_UNIFORM, "-0.05,0.05"},
    {SOW_UNIFORM, "0,1"},
    {SOW_UNIFORM, "-1e-29,3e-29"}, /* below the narrow dtypes */
    {SOW_UNIFORM, "-700,1000"},    /* beyond fp8 */
    {SOW_NORMAL, "0,0.02"},
    {SOW_NORMAL, "-1.5,1e-06"},
    {SOW_NORMAL, "0,1e-39"},
    {SOW_NORMAL, "0,30000"},
    {SOW_TRUNC_NORMAL, "0,0.02,-0.04,0.04"}, /* central */
    {SOW_TRUNC_NORMAL, "0,1,-3,3"},
    {SOW_TRUNC_NORMAL, "0.1,1,-4,5"}, /* tail */
    {SOW_TRUNC_NORMAL, "0,1,1.5,inf"},
    {SOW_TRUNC_NORMAL, "0,0.02,-2,2"}, /* cuts nothing */
    {SOW_EXP_UNIFORM, "-6.9,-2.3"},
    {SOW_LN_UNIFORM, "1,16"},
    {SOW_MINUS_LN_UNIFORM, "1,783,0"},
    {SOW_MINUS_LN_UNIFORM, "1,783,128"},
    {SOW_SOFTPLUS_INVERSE_EXP_UNIFORM, "-6.9,-2.3"},
    {SOW_LN_DECAY_UNIFORM, "0,0.99"},
    {SOW_LN_REST_UNIFORM, "0.81,0.998"},
};

static const struct draw_case integer_draws[] = {
    {SOW_CONSTANT, "0"},
    {SOW_CONSTANT, "2.5"},
    {SOW_CONSTANT, "-1.5"},
    {SOW_CONSTANT, "1e+30"},
};

struct place {
    uint64_t seed;
    const char *tensor;
    uint64_t first, count;
};

static const struct place places[] = {
    {0, "", 0, 1},
    {42, "h.0.attn.c_attn.weight", 0, 1001},
    {42, "wte.weight", 3, 517},
    {UINT64_MAX, "lm_head.weight", (UINT64_C(1) << 34) - 5,
     1001}, /* past 2^32 blocks, 32-bit draws */
    {1234567890123456789u, "gew\xc3\xb6hnlich.weight", (UINT64_C(1) << 33) - 3, 997}, /* 64-bit */
    {7, "a", (UINT64_C(1) << 40) + 1, 33},
};

struct box {
    uint32_t rank;
    uint64_t shape[SOW_RANK_MAX], start[SOW_RANK_MAX], size[SOW_RANK_MAX];
};

static const struct box boxes[] = {
    {0, {0}, {0}, {0}},
    {1, {1000}, {13}, {77}},
    {2, {48, 40}, {5, 0}, {9, 40}},
    {3, {6, 5, 7}, {1, 0, 2}, {4, 5, 3}},
    {5, {3, 1, 4, 70000, 90001}, {1, 0, 2, 69995, 3}, {2, 1, 2, 3, 13}},
};

/* A whole tensor. */
struct weight {
    enum sow_distribution distribution;
    double gain;
    enum sow_kind kind;
    const char *layout;
    uint32_t rank;
    uint64_t shape[SOW_RANK_MAX], groups;
    uint64_t packed[3]; /* axis, its whole size, where the block begins; size 0: no block */
};

static const struct weight weights[] = {
    {SOW_ORTHOGONAL, 1, SOW_KIND_LINEAR, "out-in", 2, {1, 1}, 1, {0}},
    {SOW_ORTHOGONAL, 1, SOW_KIND_LINEAR, "out-in", 2, {24, 40}, 1, {0}},
    {SOW_ORTHOGONAL, 1.5, SOW_KIND_LINEAR, "out-in", 2, {37, 21}, 1, {0}},
    {SOW_ORTHOGONAL, 1, SOW_KIND_LINEAR, "in-out", 2, {33, 33}, 1, {0}},
    {SOW_ORTHOGONAL, 1, SOW_KIND_LINEAR, "out-in", 2, {10, 17}, 1, {0, 30, 10}},
    {SOW_ORTHOGONAL, 1, SOW_KIND_LINEAR, "in-out", 2, {17, 10}, 1, {1, 30, 20}},
    {SOW_ORTHOGONAL, 0.1, SOW_KIND_LINEAR, "each-in-out", 3, {3, 9, 11}, 1, {0}},
    {SOW_ORTHOGONAL, 1, SOW_KIND_LINEAR, "in-out-out", 3, {9, 4, 5}, 1, {0}},
    {SOW_ORTHOGONAL, 1, SOW_KIND_CONV, "out-in", 4, {6, 5, 3, 3}, 1, {0}},
    {SOW_ORTHOGONAL, 1, SOW_KIND_CONV, "in-out", 4, {3, 3, 2, 29}, 1, {0}},
    {SOW_ORTHOGONAL, 1, SOW_KIND_CONV, "out-in", 3, {12, 2, 3}, 4, {0}},
    {SOW_ORTHOGONAL, 1, SOW_KIND_CONV_TRANSPOSE, "in-out-kernel", 3, {8, 3, 4}, 2, {0}},
    {SOW_DELTA_ORTHOGONAL, 1, SOW_KIND_CONV, "out-in", 4, {8, 6, 3, 3}, 1, {0}},
    {SOW_DELTA_ORTHOGONAL, -2, SOW_KIND_CONV, "in-out", 4, {5, 1, 4, 7}, 1, {0}},
    {SOW_DELTA_ORTHOGONAL, 1, SOW_KIND_CONV, "out-in", 4, {12, 2, 3, 3}, 3, {0}},
    {SOW_IDENTITY, -0.3, SOW_KIND_LINEAR, "out-in", 2, {9, 14}, 1, {0}},
    {SOW_IDENTITY, 1, SOW_KIND_LINEAR, "out-in", 2, {9, 5}, 1, {0, 20, 11}},
    {SOW_IDENTITY, 2, SOW_KIND_CONV, "out-in", 4, {12, 2, 3, 2}, 4, {0}},
    {SOW_HADAMARD, 1, SOW_KIND_LINEAR, "out-in", 2, {5, 3}, 1, {0}},
    {SOW_HADAMARD, -0.3, SOW_KIND_LINEAR, "out-in", 2, {9, 14}, 1, {0}},
    {SOW_HADAMARD, 1, SOW_KIND_LINEAR, "in-out", 2, {7, 64}, 1, {1, 150, 20}},
    {SOW_HADAMARD, 1.5, SOW_KIND_LINEAR, "each-in-out", 3, {2, 6, 33}, 1, {0}},
    {SOW_HADAMARD, 2, SOW_KIND_CONV, "out-in", 4, {12, 2, 3, 2}, 4, {0}},
    {SOW_HADAMARD, 1, SOW_KIND_CONV, "in-out", 4, {3, 1, 4, 10}, 1, {0}},
    {SOW_HADAMARD, 1, SOW_KIND_CONV_TRANSPOSE, "in-out-kernel", 3, {8, 3, 4}, 2, {0}},
};

/* One line, taken apart. */
struct golden {
    const struct draw_case *draw;
    const struct weight *weight; /* instead of a draw, a box and a range */
    enum sow_dtype dtype;
    uint64_t seed;
    const char *tensor;
    const struct box *box; /* else a range */
    uint64_t first, count;
};

/* ---- Drawing ------------------------------------------------------------------------------ */

static int make_draw(const struct draw_case *draw_case, struct sow_draw *draw)
{
    double numbers[4] = {0, 0, 0, 0};
    const char *text = draw_case->numbers;
    for (size_t i = 0; i < 4; i++) {
        char *end;
        numbers[i] = strtod(text, &end);
        if (*end != ',') {
            break;
        }
        text = end + 1;
    }
    switch (draw_case->distribution) {
    case SOW_CONSTANT:
        return sow_draw_constant(numbers[0], draw, NULL);
    case SOW_UNIFORM:
        return sow_draw_uniform(numbers[0], numbers[1], draw, NULL);
    case SOW_NORMAL:
        return sow_draw_normal(numbers[0], numbers[1], draw, NULL);
    case SOW_TRUNC_NORMAL:
        return sow_draw_trunc_normal(numbers[0], numbers[1], numbers[2], numbers[3], draw, NULL);
    case SOW_ORTHOGONAL:
    case SOW_DELTA_ORTHOGONAL:
    case SOW_IDENTITY:
    case SOW_HADAMARD:
        break; /* run_whole */
    default:
        return sow_draw_of_uniform(draw_case->distribution, numbers[0], numbers[1], numbers[2],
                                   draw, NULL);
    }
    return 1;
}

static uint64_t digest(const unsigned char *bytes, uint64_t count, size_t size)
{
    const uint16_t one = 1;
    const int little = *(const unsigned char *)&one;
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint64_t i = 0; i < count * size; i++) {
        uint64_t at = little ? i : i / size * size + (size - 1 - i % size);
        hash = (hash ^ bytes[at]) * 0x100000001b3u;
    }
    return hash;
}

/* Into zeroed memory would not show what is not written. */
static uint64_t run_whole(const struct golden *golden, const struct sow_kernels *kernels,
                          unsigned char *bytes)
{
    static _Alignas(64) unsigned char scratch[4 * BYTES_MAX];
    const struct weight *weight = golden->weight;
    struct sow_tensor tensor = {
        .kind = weight->kind, .rank = weight->rank, .groups = weight->groups};
    struct sow_draw draw;
    memcpy(tensor.shape, weight->shape, sizeof tensor.shape);
    tensor.packed_axis = (uint32_t)weight->packed[0];
    tensor.packed = weight->packed[1];
    tensor.packed_begin = weight->packed[2];
    if (sow_tensor_layout(&tensor, weight->layout, NULL) != SOW_OK ||
        sow_draw_whole(weight->distribution, weight->gain, &tensor, &draw, NULL) != SOW_OK ||
        sow_whole_scratch(&tensor, &draw) > sizeof scratch) {
        return 0;
    }
    uint64_t count = 1;
    for (uint32_t axis = 0; axis < tensor.rank; axis++) {
        count *=
            tensor.packed > 0 && axis == tensor.packed_axis ? tensor.packed : tensor.shape[axis];
    }
    struct sow_whole whole = sow_whole_begin(kernels, bytes, golden->dtype, &tensor, &draw,
                                             sow_key(golden->tensor, golden->seed), scratch);
    for (uint64_t stage = 0; stage < sow_whole_stages(&whole); stage++) {
        for (uint64_t step = sow_whole_steps(&whole, stage); step-- > 0;) {
            sow_whole_step(&whole, stage, step, scratch + sow_whole_room(&tensor, &draw).shared);
        }
    }
    return digest(bytes, count, sow_dtype_bits(golden->dtype) / 8);
}

static uint64_t run(const struct golden *golden, const struct sow_kernels *kernels)
{
    static unsigned char bytes[BYTES_MAX];
    struct sow_draw draw;
    if (golden->weight != NULL) {
        memset(bytes, 0xa5, sizeof bytes);
        return run_whole(golden, kernels, bytes);
    }
    if (make_draw(golden->draw, &draw) != SOW_OK) {
        return 0;
    }
    struct sow_key key = sow_key(golden->tensor, golden->seed);
    size_t size = sow_dtype_bits(golden->dtype) / 8;
    uint64_t count = golden->count;
    memset(bytes, 0xa5, sizeof bytes);
    if (golden->box != NULL) {
        const struct box *box = golden->box;
        count = 1;
        for (uint32_t axis = 0; axis < box->rank; axis++) {
            count *= box->size[axis];
        }
        sow_fill_box_with(kernels, bytes, golden->dtype, box->rank, box->shape, box->start,
                          box->size, NULL, &draw, key);
    } else {
        sow_fill_with(kernels, bytes, golden->dtype, golden->first, count, &draw, key);
    }
    return digest(bytes, count, size);
}

/* ---- Lines -------------------------------------------------------------------------------- */

static const char *const distributions[] = {
    "constant",         "uniform",         "normal",           "trunc_normal",
    "exp_uniform",      "ln_uniform",      "minus_ln_uniform", "softplus_inverse_exp_uniform",
    "ln_decay_uniform", "ln_rest_uniform", "orthogonal",       "delta_orthogonal",
    "identity",         "hadamard"};

static size_t print_sizes(char *out, size_t room, uint32_t rank, const uint64_t *sizes)
{
    size_t used = (size_t)snprintf(out, room, rank == 0 ? " -" : " ");
    for (uint32_t axis = 0; axis < rank; axis++) {
        used +=
            (size_t)snprintf(out + used, room - used, "%s%" PRIu64, axis ? "x" : "", sizes[axis]);
    }
    return used;
}

static void describe_whole(const struct golden *golden, char line[LINE_MAX])
{
    const struct weight *weight = golden->weight;
    size_t used = (size_t)snprintf(line, LINE_MAX, "%s %g %s %" PRIu64 " \"%s\" whole %s %s",
                                   distributions[weight->distribution], weight->gain,
                                   sow_dtype_name(golden->dtype), golden->seed, golden->tensor,
                                   sow_kind_name(weight->kind), weight->layout);
    used += print_sizes(line + used, LINE_MAX - used, weight->rank, weight->shape);
    used += (size_t)snprintf(line + used, LINE_MAX - used, " %" PRIu64, weight->groups);
    print_sizes(line + used, LINE_MAX - used, weight->packed[1] > 0 ? 3 : 0, weight->packed);
}

/* The line up to the digest. */
static void describe(const struct golden *golden, char line[LINE_MAX])
{
    if (golden->weight != NULL) {
        describe_whole(golden, line);
        return;
    }
    size_t used = (size_t)snprintf(line, LINE_MAX, "%s %s %s %" PRIu64 " \"%s\"",
                                   distributions[golden->draw->distribution], golden->draw->numbers,
                                   sow_dtype_name(golden->dtype), golden->seed, golden->tensor);
    if (golden->box == NULL) {
        snprintf(line + used, LINE_MAX - used, " range %" PRIu64 " %" PRIu64, golden->first,
                 golden->count);
        return;
    }
    const struct box *box = golden->box;
    used += (size_t)snprintf(line + used, LINE_MAX - used, " box");
    used += print_sizes(line + used, LINE_MAX - used, box->rank, box->shape);
    used += print_sizes(line + used, LINE_MAX - used, box->rank, box->start);
    print_sizes(line + used, LINE_MAX - used, box->rank, box->size);
}

struct session {
    FILE *file;
    int writing;
    unsigned long passed, failed;
};

static void compare(struct session *session, const struct golden *golden, const char *line)
{
    char found[LINE_MAX], expected[LINE_MAX + 32];
    do {
        if (fgets(found, sizeof found, session->file) == NULL) {
            found[0] = '\0';
        }
    } while (found[0] == '#');
    found[strcspn(found, "\n")] = '\0';
    const struct sow_kernels *kernels;
    for (size_t i = 0; (kernels = sow_kernels_at(i)) != NULL; i++) {
        snprintf(expected, sizeof expected, "%s %016" PRIx64, line, run(golden, kernels));
        if (strcmp(expected, found) == 0) {
            session->passed++;
        } else {
            if (session->failed++ == SHOWN_MAX) {
                printf("...\n");
            }
            if (session->failed > SHOWN_MAX) {
                continue;
            }
            printf("%s draws  %s\n%*s file has  %s\n", kernels->isa, expected,
                   (int)strlen(kernels->isa) - 3, "", found[0] ? found : "(nothing)");
        }
    }
}

static void one(struct session *session, const struct golden *golden)
{
    char line[LINE_MAX];
    describe(golden, line);
    if (session->writing) {
        fprintf(session->file, "%s %016" PRIx64 "\n", line, run(golden, sow_kernels_chosen()));
        session->passed++;
    } else {
        compare(session, golden, line);
    }
}

static void all(struct session *session)
{
    for (int dtype = SOW_F64; dtype <= SOW_BOOL; dtype++) {
        const int drawable = sow_dtype_drawable((enum sow_dtype)dtype);
        if (sow_dtype_name((enum sow_dtype)dtype) == NULL) {
            continue;
        }
        for (size_t d = 0; d < (drawable ? LENGTH(draws) : LENGTH(integer_draws)); d++) {
            struct golden golden = {.draw = drawable ? &draws[d] : &integer_draws[d],
                                    .dtype = (enum sow_dtype)dtype};
            for (size_t p = 0; p < (drawable ? LENGTH(places) : 1); p++) {
                golden.seed = places[p].seed;
                golden.tensor = places[p].tensor;
                golden.first = places[p].first;
                golden.count = places[p].count;
                one(session, &golden);
            }
            for (size_t b = 0; drawable && d % 4 == 2 && b < LENGTH(boxes); b++) {
                golden.seed = 42;
                golden.tensor = "box.weight";
                golden.box = &boxes[b];
                one(session, &golden);
            }
        }
    }
    for (size_t w = 0; w < LENGTH(weights); w++) {
        for (int dtype = SOW_F64; dtype <= SOW_BOOL; dtype++) {
            struct golden golden = {.weight = &weights[w],
                                    .dtype = (enum sow_dtype)dtype,
                                    .seed = w % 3 == 0 ? UINT64_MAX : 42,
                                    .tensor = "h.0.mlp.weight"};
            if (sow_dtype_name(golden.dtype) != NULL && sow_dtype_drawable(golden.dtype)) {
                one(session, &golden);
            }
        }
    }
}

int main(int argc, char **argv)
{
    struct session session = {.writing = argc == 3 && strcmp(argv[1], "--write") == 0};
    if (argc != 2 && !session.writing) {
        fprintf(stderr, "usage: golden [--write] FILE\n");
        return 2;
    }
    session.file = fopen(argv[argc - 1], session.writing ? "w" : "r");
    if (session.file == NULL) {
        perror(argv[argc - 1]);
        return 2;
    }
    if (session.writing) {
        fprintf(session.file,
                "# SPDX-License-Identifier: MIT\n"
                "# Known answers of stream 1 (tests/golden/golden.c tells the columns). "
                "Written by `make golden`.\n");
    }
    all(&session);
    if (fclose(session.file) != 0) {
        perror(argv[argc - 1]);
        return 2;
    }
    printf("%lu passed, %lu failed\n", session.passed, session.failed);
    return session.failed > 0;
}
