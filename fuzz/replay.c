/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over files instead of under libFuzzer: replay FILE-OR-FOLDER...
 * Linked with each fuzz/fuzz_NAME.c in the ordinary build, so that the corpora are replayed by any
 * compiler. Not a fuzzer: it invents nothing. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nonzero when the file could not be read. */
static int replay_file(const char *path, unsigned long *count)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    uint8_t *data = NULL;
    size_t size = 0;
    int failed = 1;

    if (!file || fstat(fileno(file), &status)) {
        goto done;
    }
    size = (size_t)status.st_size;
    /* Exactly as long as the input, so that a sanitizer sees a read past its end. */
    data = malloc(size ? size : 1);
    if (!data || fread(data, 1, size, file) != size) {
        goto done;
    }
    LLVMFuzzerTestOneInput(data, size);
    ++*count;
    failed = 0;

done:
    if (failed) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    }
    free(data);
    if (file) {
        fclose(file);
    }
    return failed;
}

static int replay_folder(const char *path, unsigned long *count)
{
    struct dirent **entries = NULL;
    int entry_count = scandir(path, &entries, NULL, alphasort);
    int failed = 0;

    if (entry_count < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    for (int i = 0; i < entry_count; i++) {
        char file[4096];
        if (entries[i]->d_name[0] != '.') {
            snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
            failed |= replay_file(file, count);
        }
        free(entries[i]);
    }
    free(entries);
    return failed;
}

int main(int argc, char **argv)
{
    unsigned long count = 0;
    int failed = argc < 2;

    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct stat status;
        if (stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode)) {
            failed |= replay_folder(argv[i], &count);
        } else {
            failed |= replay_file(argv[i], &count);
        }
    }
    printf("%lu inputs replayed\n", count);
    return failed || count == 0;
}
