/* SPDX-License-Identifier: MIT */
/* bench/write_direct FILE BYTES [REQUESTS]: writes BYTES of a fixed pattern as fast as the disk takes them, and prints
 * the seconds: preallocated, O_DIRECT, 4 MiB a request, REQUESTS (1) in flight from as many threads, synced at the end.
 * The measure of `sow init`; it draws nothing and knows nothing of sow. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define REQUEST ((uint64_t)4 << 20)

struct job {
    int file;
    uint64_t bytes, begin, step;
    int problem;
};

static void *write_part(void *argument)
{
    struct job *job = argument;
    unsigned char *bytes =
        mmap(NULL, REQUEST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) {
        job->problem = errno;
        return NULL;
    }
    for (uint64_t i = 0; i < REQUEST; i++) {
        bytes[i] = (unsigned char)(i * 2654435761u >> 13); /* not zeros: some disks are clever */
    }
    for (uint64_t at = job->begin; at < job->bytes && job->problem == 0; at += job->step) {
        uint64_t left = job->bytes - at;
        ssize_t put = pwrite(job->file, bytes, left < REQUEST ? left : REQUEST, (off_t)at);
        job->problem = put < 0 ? errno : 0;
    }
    munmap(bytes, REQUEST);
    return NULL;
}

static int fail(const char *what, const char *path, int problem)
{
    fprintf(stderr, "write_direct: %s %s: %s\n", what, path, strerror(problem));
    return 1;
}

int main(int argc, char **argv)
{
    struct job jobs[64] = {{0}};
    pthread_t threads[64];
    if (argc < 3) {
        fprintf(stderr, "usage: write_direct FILE BYTES [REQUESTS]\n");
        return 2;
    }
    uint64_t bytes = (strtoull(argv[2], NULL, 10) + 4095) / 4096 * 4096;
    uint64_t requests = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    requests = requests < 1 ? 1 : requests > 64 ? 64 : requests;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    int file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT, 0666);
    if (file < 0) {
        return fail("open", argv[1], errno);
    }
    if (fallocate(file, 0, 0, (off_t)bytes) != 0) {
        return fail("fallocate", argv[1], errno);
    }
    for (uint64_t i = 0; i < requests; i++) {
        jobs[i] = (struct job){file, bytes, i * REQUEST, requests * REQUEST, 0};
        if (pthread_create(&threads[i], NULL, write_part, &jobs[i]) != 0) {
            return fail("thread for", argv[1], EAGAIN);
        }
    }
    for (uint64_t i = 0; i < requests; i++) {
        pthread_join(threads[i], NULL);
        if (jobs[i].problem != 0) {
            return fail("write", argv[1], jobs[i].problem);
        }
    }
    if (fsync(file) != 0 || close(file) != 0) {
        return fail("fsync", argv[1], errno);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.3f\n",
           (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9);
    return 0;
}
