/*
 * What a process may leak: stacks of a runtime's pool, descriptors, memory.
 */
#ifndef BROLGA_TESTS_STACKS_H
#define BROLGA_TESTS_STACKS_H

#include "tasks/tasks.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>

/* Stacks of a class that somebody has, as long as all of them came from one
 * chunk: that is 64 MiB of them. */
static inline size_t stacks_in_use(struct brolga *runtime, size_t bytes)
{
    struct brolga__stacks_pool *pool = &runtime->stacks;
    unsigned number = brolga__stack_class(bytes);
    size_t left, carved, free;

    (void)pthread_mutex_lock(&pool->lock);
    left = pool->of[number].carve_end - pool->of[number].carve;
    carved = pool->of[number].carve_end == 0
                 ? 0
                 : ((size_t)64 << 20) / bytes - left / bytes;
    free = pool->of[number].warm_count + pool->of[number].cold_count;
    (void)pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        if (runtime->workers[i].stock.size_class == number)
            free += brolga__load_relaxed(&runtime->workers[i].stock.stacks);
    return carved - free;
}

static inline int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

/* Whether this is an emulator of user mode, whose own memory is counted in: it
 * passes over advice that it does not know, where a kernel refuses. */
static inline bool is_emulated(void)
{
    return posix_madvise(NULL, 0, INT_MAX) == 0;
}

/* Memory that the process uses; 0 if that cannot be told. */
static inline size_t resident_bytes(void)
{
    FILE *file = is_emulated() ? NULL : fopen("/proc/self/statm", "r");
    size_t all, pages = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%zu %zu", &all, &pages) != 2)
        pages = 0;
    (void)fclose(file);
    return pages * brolga__plat_page_bytes();
}

#endif
