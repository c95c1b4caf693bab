/* SPDX-License-Identifier: MIT */
/* Reads cases.txt of a folder in tests/hostile/: blocks of "[name]" and "key: value" lines; %NN in a value is a byte. */
#ifndef SOW_TESTS_CASES_H
#define SOW_TESTS_CASES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASE_FIELDS 8

struct test_case {
    char *name;
    struct {
        char *key, *value;
        size_t length;
    } fields[CASE_FIELDS];
    size_t count;
};

/* Replaces %NN by its byte, in place; returns the length. */
static size_t unescape_value(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0';) {
        if (*in == '%') {
            char digits[3] = {in[1], in[2], '\0'};
            *out++ = (char)strtoul(digits, NULL, 16);
            in += 3;
        } else {
            *out++ = *in++;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}

/* A field's value, NULL when the case has none. */
static const char *case_field(const struct test_case *test, const char *key, size_t *length)
{
    for (size_t i = 0; i < test->count; i++) {
        if (strcmp(test->fields[i].key, key) == 0) {
            if (length != NULL) {
                *length = test->fields[i].length;
            }
            return test->fields[i].value;
        }
    }
    return NULL;
}

static void case_free(struct test_case *test)
{
    free(test->name);
    for (size_t i = 0; i < test->count; i++) {
        free(test->fields[i].key);
    }
    *test = (struct test_case){0};
}

static void add_field(struct test_case *test, const char *line)
{
    char *colon;
    char *copy = strdup(line);
    if (copy == NULL || (colon = strchr(copy, ':')) == NULL || test->count == CASE_FIELDS) {
        fprintf(stderr, "cases: %s: %s\n", test->name, line);
        exit(1);
    }
    *colon = '\0';
    test->fields[test->count].key = copy;
    test->fields[test->count].value = colon[1] == ' ' ? colon + 2 : colon + 1;
    test->fields[test->count].length = unescape_value(test->fields[test->count].value);
    test->count++;
}

/* Calls `run` for every case of the file; returns how many there are. */
static size_t each_case(const char *path, void (*run)(const struct test_case *test))
{
    char line[4096];
    struct test_case test = {0};
    size_t count = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    for (int more = 1; more;) {
        more = fgets(line, sizeof line, file) != NULL;
        if ((!more || line[0] == '[') && test.name != NULL) {
            run(&test);
            case_free(&test);
            count++;
        }
        if (!more || line[0] == '#' || line[0] == '\n') {
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '[') {
            line[strlen(line) - 1] = '\0';
            test.name = strdup(line + 1);
        } else {
            add_field(&test, line);
        }
    }
    fclose(file);
    return count;
}

#endif
