/*
 * Lets the host run under AddressSanitizer, unchanged: loaded before the
 * sanitizer's library, it gives out whole pages next to each other.
 *
 * Cranelift's JIT takes pages for code from posix_memalign(), and its code
 * reaches other code by distances of 32 bits. The sanitizer puts allocations of
 * different sizes terabytes apart. The JIT never gives a page back, so there is
 * nothing to be done for free(). All else is the sanitizer's as ever.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE  ((size_t)4096)
#define ARENA ((size_t)256 << 20)

static _Atomic uintptr_t place; /* Of the next page; 0: there is no arena. */
static uintptr_t end;

__attribute__((constructor)) static void make_arena(void)
{
    void *arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (arena == MAP_FAILED)
        return;
    end = (uintptr_t)arena + ARENA;
    atomic_store(&place, (uintptr_t)arena);
}

__attribute__((visibility("default"))) int
posix_memalign(void **block, size_t align, size_t bytes)
{
    int (*next)(void **, size_t, size_t);
    uintptr_t begin;

    if (align == PAGE && atomic_load(&place) != 0) {
        bytes = (bytes + PAGE - 1) / PAGE * PAGE;
        begin = atomic_fetch_add(&place, bytes);
        if (begin + bytes > end)
            return ENOMEM;
        *block = (void *)begin;
        return 0;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "posix_memalign");
    return next(block, align, bytes);
}
