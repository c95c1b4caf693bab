/* SPDX-License-Identifier: MIT */
/* The numbers of tensors for machines: one line a tensor, keys as in docs/stats.md. */
#include <math.h>

#include "stats.h"

static void add_key_count(struct sow_cli_text *text, const char *key, uint64_t count)
{
    sow_cli_add(text, ", \"%s\": %llu", key, (unsigned long long)count);
}

static void add_values(struct sow_cli_text *text, const struct sow_tensor_statistics *tensor)
{
    add_key_count(text, "finite", tensor->finite);
    add_key_count(text, "nan", tensor->nan);
    add_key_count(text, "inf", tensor->inf);
    add_key_count(text, "zeros", tensor->zeros);
    if (tensor->first_bad != UINT64_MAX) {
        add_key_count(text, "first_bad", tensor->first_bad);
    }
    sow_cli_add_key_number(text, "first", tensor->first);
    sow_cli_add_key_number(text, "mean", tensor->mean);
    sow_cli_add_key_number(text, "std", tensor->std);
    sow_cli_add_key_number(text, "min", tensor->min);
    sow_cli_add_key_number(text, "max", tensor->max);
    add_key_count(text, "at_min", tensor->at_min);
    add_key_count(text, "at_max", tensor->at_max);
    sow_cli_add_key_number(text, "skewness", tensor->skewness);
    sow_cli_add_key_number(text, "kurtosis", tensor->kurtosis);
    sow_cli_add(text, ", \"constant\": %s", tensor->is_constant ? "true" : "false");
    sow_cli_add(text, ", \"histogram\": {\"low\": ");
    sow_cli_add_number(text, tensor->histogram_low);
    sow_cli_add_key_number(text, "high", tensor->histogram_high);
    add_key_count(text, "below", tensor->below);
    add_key_count(text, "above", tensor->above);
    sow_cli_add(text, ", \"bins\": [");
    for (int bin = 0; bin < SOW_HISTOGRAM_BINS; bin++) {
        sow_cli_add(text, "%s%llu", bin > 0 ? ", " : "",
                    (unsigned long long)tensor->histogram[bin]);
    }
    sow_cli_add(text, "]}");
}

/* One tensor's numbers as an object. */
static void add_statistics(struct sow_cli_text *text, const struct sow_tensor_statistics *tensor)
{
    sow_cli_add(text, "{\"name\": ");
    sow_cli_add_json(text, tensor->name);
    sow_cli_add(text, ", \"file\": ");
    sow_cli_add_json(text, tensor->file);
    sow_cli_add(text, ", \"dtype\": \"%s\", \"shape\": [", sow_dtype_name(tensor->dtype));
    for (uint32_t i = 0; i < tensor->rank; i++) {
        sow_cli_add(text, "%s%llu", i > 0 ? ", " : "", (unsigned long long)tensor->shape[i]);
    }
    sow_cli_add(text, "]");
    add_key_count(text, "elements", tensor->elements);
    add_key_count(text, "bytes", tensor->bytes);
    sow_cli_add(text, ", \"opaque\": %s", tensor->is_opaque ? "true" : "false");
    if (!tensor->is_opaque) {
        add_values(text, tensor);
    }
    sow_cli_add(text, "}");
}

void sow_cli_stats_json(const struct sow_statistics *statistics)
{
    const struct sow_statistics_report *report = sow_statistics_report(statistics);
    const struct sow_tensor_statistics *tensor;
    struct sow_cli_text text = {0};
    printf("{\n  \"files\": %llu,\n  \"bytes\": %llu,\n  \"tensors\": [",
           (unsigned long long)report->files, (unsigned long long)report->bytes);
    for (size_t i = 0; (tensor = sow_statistics_at(statistics, i)) != NULL; i++) {
        sow_cli_text_clear(&text);
        sow_cli_add(&text, "%s\n    ", i > 0 ? "," : "");
        add_statistics(&text, tensor);
        fputs(text.bytes, stdout);
    }
    puts("\n  ]\n}");
    sow_cli_text_free(&text);
}

static void add_side(struct sow_cli_text *text, const char *key,
                     const struct sow_tensor_statistics *tensor)
{
    if (tensor != NULL) {
        sow_cli_add(text, ", \"%s\": ", key);
        add_statistics(text, tensor);
    }
}

static void add_difference(struct sow_cli_text *text, const struct sow_difference *difference)
{
    static const char *const kinds[] = {"",      "only_a", "only_b",  "shape",
                                        "dtype", "bits",   "metadata"};
    sow_cli_add(text, "{\"kind\": \"%s\", \"name\": ", kinds[difference->kind]);
    sow_cli_add_json(text, difference->name);
    if (difference->kind == SOW_DIFF_METADATA) {
        sow_cli_add_key_text(text, "a", difference->text_a);
        sow_cli_add_key_text(text, "b", difference->text_b);
    } else if (difference->kind == SOW_DIFF_BITS || difference->kind == SOW_DIFF_DTYPE) {
        add_key_count(text, "differing", difference->differing);
        if (difference->first != UINT64_MAX) {
            add_key_count(text, "first", difference->first);
        }
        sow_cli_add_key_number(text, "first_a", difference->first_a);
        sow_cli_add_key_number(text, "first_b", difference->first_b);
        sow_cli_add_key_number(text, "distance_max", difference->distance_max);
        sow_cli_add_key_number(text, "distance_mean", difference->distance_mean);
        sow_cli_add_key_number(text, "ulp_max", difference->ulp_max);
        sow_cli_add_key_number(text, "ulp_mean", difference->ulp_mean);
        sow_cli_add_key_number(text, "std_ratio", difference->std_ratio);
        sow_cli_add_key_number(text, "mean_shift", difference->mean_shift);
    }
    add_side(text, "a", difference->a);
    add_side(text, "b", difference->b);
    sow_cli_add(text, "}");
}

void sow_cli_diff_json(const struct sow_diff *diff)
{
    const struct sow_diff_report *report = sow_diff_report(diff);
    const struct sow_difference *difference;
    struct sow_cli_text text = {0};
    printf("{\n  \"equal\": %s,\n  \"tensors\": %llu,\n  \"tensors_equal\": %llu,\n"
           "  \"bytes\": %llu,\n  \"differences\": [",
           sow_diff_at(diff, 0) == NULL ? "true" : "false", (unsigned long long)report->tensors,
           (unsigned long long)report->equal, (unsigned long long)report->bytes);
    for (size_t i = 0; (difference = sow_diff_at(diff, i)) != NULL; i++) {
        sow_cli_text_clear(&text);
        sow_cli_add(&text, "%s\n    ", i > 0 ? "," : "");
        add_difference(&text, difference);
        fputs(text.bytes, stdout);
    }
    puts("\n  ]\n}");
    sow_cli_text_free(&text);
}
