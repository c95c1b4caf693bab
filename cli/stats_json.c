/* SPDX-License-Identifier: MIT */
/* The numbers of tensors for machines: one line a tensor, keys as in docs/stats.md. */
#include <math.h>

#include "stats.h"

void sow_cli_add_number(struct sow_cli_text *text, double number)
{
    sow_cli_add(text, isfinite(number) ? "%.17g" : "null", number);
}

static void add_key_number(struct sow_cli_text *text, const char *key, double number)
{
    sow_cli_add(text, ", \"%s\": ", key);
    sow_cli_add_number(text, number);
}

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
    add_key_number(text, "first", tensor->first);
    add_key_number(text, "mean", tensor->mean);
    add_key_number(text, "std", tensor->std);
    add_key_number(text, "min", tensor->min);
    add_key_number(text, "max", tensor->max);
    add_key_count(text, "at_min", tensor->at_min);
    add_key_count(text, "at_max", tensor->at_max);
    add_key_number(text, "skewness", tensor->skewness);
    add_key_number(text, "kurtosis", tensor->kurtosis);
    sow_cli_add(text, ", \"constant\": %s", tensor->is_constant ? "true" : "false");
    sow_cli_add(text, ", \"histogram\": {\"low\": ");
    sow_cli_add_number(text, tensor->histogram_low);
    add_key_number(text, "high", tensor->histogram_high);
    add_key_count(text, "below", tensor->below);
    add_key_count(text, "above", tensor->above);
    sow_cli_add(text, ", \"bins\": [");
    for (int bin = 0; bin < SOW_HISTOGRAM_BINS; bin++) {
        sow_cli_add(text, "%s%llu", bin > 0 ? ", " : "",
                    (unsigned long long)tensor->histogram[bin]);
    }
    sow_cli_add(text, "]}");
}

void sow_cli_add_statistics(struct sow_cli_text *text, const struct sow_tensor_statistics *tensor)
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
        sow_cli_add_statistics(&text, tensor);
        fputs(text.bytes, stdout);
    }
    puts("\n  ]\n}");
    sow_cli_text_free(&text);
}
