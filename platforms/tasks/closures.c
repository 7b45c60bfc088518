/*
 * The walk goes by a list of objects to be looked at. An object's new count
 * says that it has been met, so each is walked once in its life: what is
 * immortal already is passed over, with all behind it, for values of the
 * language do not change.
 *
 * To look at a word that may be no address, the kernel is asked whether the
 * page can be written to: it adds 0 there, as part of a futex call, and reports
 * a fault as an error. The answer is kept for some pages while the walk lasts.
 */
#define _GNU_SOURCE /* syscall() */
#include "closures.h"

#include <brolga/freeze.h>

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sizes and counts that an object may have; anything else is none. */
#define SIZE_MIN_OF_OBJECT 24
#define SIZE_MAX_OF_OBJECT (INT64_C(1) << 40)
#define COUNT_MAX          (INT64_C(1) << 40)
/* User space begins and ends there, or closer. */
#define ADDRESS_MIN        65536
#define ADDRESS_MAX        (INT64_C(1) << 47)
#define PAGE_SHIFT         12
#define PAGES_KEPT         64

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GUESSED __attribute__((no_sanitize("address", "thread"), noinline))
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GUESSED                                                                \
    __attribute__((no_sanitize_address, no_sanitize_thread, noinline))
#endif
#ifndef GUESSED
#define GUESSED /* What is read there may be no object of ours. */
#endif

struct walk {
    brolga_word *todo;
    size_t count, room;
    uint64_t bytes;
    /* Page + 1, by its low bits, and whether it can be written to. */
    uintptr_t page[PAGES_KEPT];
    bool writable[PAGES_KEPT];
};

static _Atomic uint64_t pinned;

static bool ask(uintptr_t address)
{
    static int nobody;

    return syscall(SYS_futex, &nobody, FUTEX_WAKE_OP_PRIVATE, 0, NULL,
                   (void *)(address & ~(uintptr_t)3),
                   FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0)) >= 0;
}

static bool is_writable(struct walk *walk, uintptr_t address)
{
    uintptr_t page = address >> PAGE_SHIFT;
    size_t at = page % PAGES_KEPT;

    if (walk->page[at] != page + 1) {
        walk->page[at] = page + 1;
        walk->writable[at] = ask(address);
    }
    return walk->writable[at];
}

GUESSED static brolga_word peek(brolga_word object, ptrdiff_t field)
{
    return ((const volatile brolga_word *)object)[field];
}

GUESSED static void immortalise(brolga_word object)
{
    ((volatile brolga_word *)object)[-1] = BROLGA_FROZEN_COUNT;
}

/* A mortal object, as far as one can tell. */
static bool is_object(struct walk *walk, brolga_word word)
{
    brolga_word size, count;

    if (word % 8 != 0 || word < ADDRESS_MIN || word >= ADDRESS_MAX)
        return false;
    if (!is_writable(walk, (uintptr_t)word - 16) ||
        !is_writable(walk, (uintptr_t)word))
        return false;
    size = peek(word, -2);
    count = peek(word, -1);
    return size >= SIZE_MIN_OF_OBJECT && size <= SIZE_MAX_OF_OBJECT &&
           count > 0 && count <= COUNT_MAX &&
           is_writable(walk, (uintptr_t)(word + size) - 24);
}

static void meet(struct walk *walk, brolga_word object)
{
    if (walk->count == walk->room) {
        walk->room = walk->room == 0 ? 64 : 2 * walk->room;
        walk->todo = realloc(walk->todo, walk->room * sizeof *walk->todo);
        if (walk->todo == NULL)
            host_refuse("out of memory");
    }
    immortalise(object);
    walk->bytes += (uint64_t)peek(object, -2);
    walk->todo[walk->count++] = object;
}

void closure_pin(brolga_word closure)
{
    struct walk walk = {.count = 0};

    /* Its count tells, too, whether there is anything to do. */
    if (fields(closure)[-1] >= BROLGA_FROZEN_MIN)
        return;
    meet(&walk, closure);
    while (walk.count > 0) { /* Each object is met once. */
        brolga_word object = walk.todo[--walk.count];
        size_t words = ((size_t)peek(object, -2) - 16) / sizeof object;

        for (size_t i = 0; i < words; i++) {
            brolga_word word = peek(object, (ptrdiff_t)i);

            if (is_object(&walk, word))
                meet(&walk, word);
        }
    }
    free(walk.todo);
    (void)atomic_fetch_add_explicit(&pinned, walk.bytes, memory_order_relaxed);
}

uint64_t closures_pinned(void)
{
    return atomic_load_explicit(&pinned, memory_order_relaxed);
}
