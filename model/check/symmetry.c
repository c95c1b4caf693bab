/* SPDX-License-Identifier: MIT */
/* Rows and columns of equal sums: read again, then told as equal or permuted. Only where chance cannot make them: the
 * bits of a row's values (collision entropy) against the number of pairs. */
#include "model/check/again.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"

#define SAFE_BITS    40.0 /* chance of a pair below 2^-40 a tensor */
#define GATHER_BYTES ((uint64_t)64 << 20)
#define BLOCK_BYTES  ((uint64_t)1 << 20)
#define SHOWN        4 /* groups that are named */

/* Rows or columns (lines) that are suspected, and what the second look says. */
struct lines {
    uint64_t *indices; /* grouped: members of a group follow each other, ascending */
    size_t *groups;    /* number of its group; SIZE_MAX once it is no longer in one */
    size_t count;
    unsigned char *bytes; /* gathered, `length` elements a line */
    uint64_t length;
    uint32_t width;
};

struct key {
    uint64_t sum, index;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *left = a, *right = b;
    int order = (left->sum > right->sum) - (left->sum < right->sum);
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

/* log2 of n!, by Stirling. */
static double log2_factorial(double n)
{
    return n < 2 ? 0
                 : (n * sow_log(n) - n + sow_log(6.283185307179586 * n) / 2) / 0.6931471805599453;
}

static double log2_of(double x)
{
    return sow_log(x) / 0.6931471805599453;
}

static double pairs_bits(uint64_t lines)
{
    return 2 * log2_of((double)lines) + SAFE_BITS;
}

/* Whether equal lines, or lines equal in another order, cannot be chance. */
static int is_telling(double entropy, uint64_t length, uint64_t lines, int permuted)
{
    double bits = entropy * (double)length - (permuted ? log2_factorial((double)length) : 0);
    return entropy >= 3 && bits >= pairs_bits(lines);
}

/* ---- Suspects ------------------------------------------------------------------------------------- */

/* Lines whose sum another one has too, but for those of zeros alone. At most `room`. */
static int find_suspects(struct key *keys, size_t count, size_t room, struct lines *lines)
{
    size_t group = 0;
    qsort(keys, count, sizeof keys[0], compare_keys);
    lines->indices = calloc(room + 1, sizeof lines->indices[0]);
    lines->groups = calloc(room + 1, sizeof lines->groups[0]);
    if (lines->indices == NULL || lines->groups == NULL) {
        return -1;
    }
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && keys[end].sum == keys[begin].sum;) {
            end++;
        }
        if (end - begin < 2 || keys[begin].sum == 0) {
            continue;
        }
        for (size_t i = begin; i < end && lines->count < room; i++) {
            lines->indices[lines->count] = keys[i].index;
            lines->groups[lines->count++] = group;
        }
        group++;
    }
    return 0;
}

static void free_lines(struct lines *lines)
{
    free(lines->indices);
    free(lines->groups);
    free(lines->bytes);
    memset(lines, 0, sizeof *lines);
}

/* Whether two sums may be equal: a table that keeps the first of each slot finds every pair, and is quicker than sorting.
 * Without memory: yes. */
static int may_repeat(const struct key *keys, size_t count)
{
    size_t slots = 64, at;
    while (slots < 2 * count) {
        slots *= 2;
    }
    uint64_t *table = calloc(slots, sizeof table[0]);
    int found = table == NULL;
    for (size_t i = 0; i < count && !found; i++) {
        if (keys[i].sum == 0) {
            continue; /* lines of zeros are found otherwise */
        }
        for (at = keys[i].sum * 0x9e3779b97f4a7c15u & (slots - 1);
             table[at] != 0 && table[at] != keys[i].sum;) {
            at = (at + 1) & (slots - 1);
        }
        found = table[at] == keys[i].sum;
        table[at] = keys[i].sum;
    }
    free(table);
    return found;
}

static struct key *keys_of(const struct sow_order *order, int columns)
{
    uint64_t count = columns ? order->columns : order->rows;
    struct key *keys = calloc(count + 1, sizeof keys[0]);
    for (uint64_t i = 0; keys != NULL && i < count; i++) {
        keys[i] = (struct key){columns ? order->column_sums[i] : order->row_sums[i], i};
    }
    return keys;
}

/* ---- The second look ------------------------------------------------------------------------------ */

static enum sow_status gather_rows(const struct sow_again *again, struct lines *lines,
                                   struct sow_error *error)
{
    uint64_t bytes = lines->length * lines->width;
    enum sow_status status = SOW_OK;
    for (size_t i = 0; i < lines->count && status == SOW_OK; i++) {
        status = sow_again_read(again, lines->indices[i] * bytes, bytes, lines->bytes + i * bytes,
                                error);
    }
    return status;
}

static enum sow_status gather_columns(const struct sow_again *again, struct lines *lines,
                                      struct sow_error *error)
{
    const struct sow_order *order = &again->tensor->order;
    uint64_t row_bytes = order->columns * order->width;
    uint64_t at_once = BLOCK_BYTES / row_bytes > 0 ? BLOCK_BYTES / row_bytes : 1;
    unsigned char *block = malloc(at_once * row_bytes);
    enum sow_status status = SOW_OK;
    if (block == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for a block of rows");
    }
    for (uint64_t row = 0; row < order->rows && status == SOW_OK; row += at_once) {
        uint64_t rows = order->rows - row < at_once ? order->rows - row : at_once;
        status = sow_again_read(again, row * row_bytes, rows * row_bytes, block, error);
        for (uint64_t r = 0; r < rows && status == SOW_OK; r++) {
            for (size_t i = 0; i < lines->count; i++) {
                memcpy(lines->bytes + (i * lines->length + row + r) * lines->width,
                       block + r * row_bytes + lines->indices[i] * lines->width, lines->width);
            }
        }
    }
    free(block);
    return status;
}

static enum sow_status gather(const struct sow_again *again, struct lines *lines, int columns,
                              struct sow_error *error)
{
    lines->bytes = malloc(lines->count * lines->length * lines->width + 1);
    if (lines->bytes == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu lines of a tensor", lines->count);
    }
    return columns ? gather_columns(again, lines, error) : gather_rows(again, lines, error);
}

static int compare_bytes(const void *a, const void *b, void *width)
{
    return memcmp(a, b, *(const uint32_t *)width);
}

/* Leaves in each group what equals its first line. */
static void keep_equal(struct lines *lines)
{
    size_t bytes = lines->length * lines->width;
    for (size_t begin = 0, end; begin < lines->count; begin = end) {
        size_t group = lines->groups[begin], equal = 0;
        for (end = begin + 1; end < lines->count && lines->groups[end] == group; end++) {
            if (memcmp(lines->bytes + begin * bytes, lines->bytes + end * bytes, bytes) != 0) {
                lines->groups[end] = SIZE_MAX;
            } else {
                equal++;
            }
            group = lines->groups[begin];
        }
        lines->groups[begin] = equal > 0 ? group : SIZE_MAX;
    }
}

static void sort_lines(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        qsort_r(lines->bytes + i * lines->length * lines->width, lines->length, lines->width,
                compare_bytes, &lines->width);
    }
}

/* ---- Words ---------------------------------------------------------------------------------------- */

struct group {
    size_t begin, size; /* in lines, of those left */
};

static int compare_groups(const void *a, const void *b)
{
    const struct group *left = a, *right = b;
    int order = (left->size < right->size) - (left->size > right->size);
    return order != 0 ? order : (left->begin > right->begin) - (left->begin < right->begin);
}

/* "50256-50303" or "3, 17, 40"; at most eight stretches. */
static void list_lines(const struct lines *lines, struct group of, char *text, size_t room)
{
    size_t used = 0, stretches = 0;
    size_t group = lines->groups[of.begin];
    text[0] = '\0';
    for (size_t i = of.begin; i < lines->count && used + 48 < room;) {
        if (lines->groups[i] != group) {
            i++;
            continue;
        }
        uint64_t first = lines->indices[i], last = first;
        for (i++; i < lines->count && (lines->groups[i] != group || lines->indices[i] == last + 1);
             i++) {
            last += lines->groups[i] == group;
        }
        if (stretches++ == 8) {
            snprintf(text + used, room - used, ", ...");
            return;
        }
        used += (size_t)snprintf(text + used, room - used, first == last ? "%s%llu" : "%s%llu-%llu",
                                 used > 0 ? ", " : "", (unsigned long long)first,
                                 (unsigned long long)last);
    }
}

/* Groups that are left, the largest first; returns how many. */
static size_t count_groups(const struct lines *lines, struct group *groups)
{
    size_t count = 0;
    for (size_t i = 0; i < lines->count; i++) {
        size_t j = count;
        while (lines->groups[i] != SIZE_MAX && j > 0 &&
               lines->groups[groups[j - 1].begin] != lines->groups[i]) {
            j = 0; /* groups follow each other: it can only be the last */
        }
        if (lines->groups[i] == SIZE_MAX) {
            continue;
        }
        if (j == 0) {
            groups[count++] = (struct group){i, 1};
        } else {
            groups[count - 1].size++;
        }
    }
    qsort(groups, count, sizeof groups[0], compare_groups);
    return count;
}

/* Two or more groups, each of one row and its copies at the same distances: a block of rows stands there again. */
static int begins_again(const struct lines *lines)
{
    uint64_t distance = 0;
    size_t groups = 0, before = SIZE_MAX;
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->groups[i] == SIZE_MAX || (before != SIZE_MAX && before == i)) {
            continue;
        }
        for (size_t j = i + 1; j < lines->count && before != lines->groups[i]; j++) {
            if (lines->groups[j] != lines->groups[i]) {
                continue;
            }
            uint64_t found = lines->indices[j] - lines->indices[i];
            if (groups > 0 && found != distance) {
                return 0;
            }
            distance = found;
            groups++;
            before = lines->groups[i];
        }
    }
    return groups > 1;
}

static const char *cause_of(const struct sow_check_tensor *of, const struct lines *lines,
                            struct group group, int columns, size_t copies, int permuted)
{
    uint64_t last = of->order.rows - 1;
    size_t end = group.begin;
    for (size_t i = group.begin; i < lines->count; i++) {
        end = lines->groups[i] == lines->groups[group.begin] ? i : end;
    }
    if (permuted) {
        return NULL;
    }
    if (copies + 1 >= (columns ? of->order.columns : of->order.rows)) {
        return columns ? "every column is the same" : "every row is the same";
    }
    if (!columns && begins_again(lines)) {
        return "one seed for every shard, or a stream that began again";
    }
    if (!columns && lines->indices[end] == last && of->kind == SOW_NAME_EMBEDDING) {
        return "vocabulary padding: the last row was repeated";
    }
    return NULL;
}

static enum sow_status tell(struct sow_check_run *run, size_t tensor, const struct lines *lines,
                            int columns, int permuted, struct sow_error *error)
{
    const char *what = columns ? "columns" : "rows";
    const char *same = permuted ? "hold the same values in another order" : "are identical";
    struct group *groups = calloc(lines->count + 1, sizeof groups[0]);
    char text[1024], list[320];
    size_t used = 0, lines_in = 0;
    if (groups == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for groups of %s", what);
    }
    size_t count = count_groups(lines, groups);
    for (size_t i = 0; i < count; i++) {
        lines_in += groups[i].size;
    }
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        list_lines(lines, groups[i], list, sizeof list);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%zu %s (%.200s)",
                                 i > 0 ? "; " : "", groups[i].size, what, list);
    }
    if (count > 0) {
        sow_check_find(
            run, tensor,
            (struct sow_raw_finding){
                .code = permuted  ? SOW_CODE_PERMUTED_ROWS
                        : columns ? SOW_CODE_COLUMNS
                                  : SOW_CODE_ROWS,
                .statistic = what,
                .expected = 0,
                .found = (double)(lines_in - count),
                .element = UINT64_MAX,
                .cause = cause_of(&run->tensors[tensor], lines, groups[0], columns,
                                  lines_in - count, permuted),
                .text = count > 1  ? sow_findings_keep(run->findings,
                                                       "%zu groups of %s that %s: %s%s", count, what,
                                                       same, text, count > SHOWN ? "; ..." : "")
                        : permuted ? sow_findings_keep(run->findings, "%s %s", text, same)
                                   : sow_findings_keep(run->findings, "%s %s, %zu cop%s", text,
                                                       same, lines_in - count,
                                                       lines_in - count == 1 ? "y" : "ies"),
            });
    }
    free(groups);
    return SOW_OK;
}

/* ---- Both directions ------------------------------------------------------------------------------ */

static enum sow_status look_again(struct sow_check_run *run, size_t tensor, struct lines *lines,
                                  int columns, double entropy, struct sow_error *error)
{
    const struct sow_order *order = &run->tensors[tensor].order;
    uint64_t all = columns ? order->columns : order->rows;
    struct sow_again again;
    size_t *groups = malloc((lines->count + 1) * sizeof groups[0]);
    enum sow_status status = groups == NULL
                                 ? sow_fail(error, SOW_E_MEMORY, "no memory for a second look")
                                 : sow_again_open(&again, run, tensor, error);
    if (status == SOW_OK) {
        memcpy(groups, lines->groups, lines->count * sizeof groups[0]);
        status = gather(&again, lines, columns, error);
        sow_again_close(&again);
    }
    if (status == SOW_OK) {
        size_t equal = 0;
        keep_equal(lines);
        for (size_t i = 0; i < lines->count; i++) {
            equal += lines->groups[i] != SIZE_MAX;
        }
        if (equal > 0) {
            status = tell(run, tensor, lines, columns, 0, error);
        } else if (is_telling(entropy, lines->length, all, 1)) {
            memcpy(lines->groups, groups, lines->count * sizeof groups[0]);
            sort_lines(lines);
            keep_equal(lines);
            status = tell(run, tensor, lines, columns, 1, error);
        }
    }
    free(groups);
    return status;
}

static enum sow_status look_at(struct sow_check_run *run, size_t tensor, int columns,
                               double entropy, struct sow_error *error)
{
    const struct sow_order *order = &run->tensors[tensor].order;
    uint64_t count = columns ? order->columns : order->rows;
    struct lines lines = {.length = columns ? order->rows : order->columns, .width = order->width};
    if ((columns ? order->column_sums == NULL : order->row_sums == NULL) ||
        !is_telling(entropy, lines.length, count, 0)) {
        return SOW_OK;
    }
    struct key *keys = keys_of(order, columns);
    uint64_t room = GATHER_BYTES / (lines.length * lines.width);
    if (keys != NULL && !may_repeat(keys, count)) {
        free(keys);
        return SOW_OK;
    }
    if (keys == NULL || find_suspects(keys, count, room < 2 ? 2 : room, &lines) != 0) {
        free(keys);
        free_lines(&lines);
        return sow_fail(error, SOW_E_MEMORY, "no memory to compare the %s of a tensor",
                        columns ? "columns" : "rows");
    }
    free(keys);
    enum sow_status status =
        lines.count < 2 ? SOW_OK : look_again(run, tensor, &lines, columns, entropy, error);
    free_lines(&lines);
    return status;
}

enum sow_status sow_check_symmetry(struct sow_check_run *run, size_t tensor,
                                   const struct sow_tensor_statistics *row, struct sow_error *error)
{
    const struct sow_check_tensor *of = &run->tensors[tensor];
    if (row->is_constant || of->kind == SOW_NAME_BUFFER || row->rank < 2) {
        return SOW_OK;
    }
    sow_check_zero_lines(run, tensor, row);
    enum sow_status status = look_at(run, tensor, 0, of->entropy, error);
    return status == SOW_OK ? look_at(run, tensor, 1, of->entropy, error) : status;
}
