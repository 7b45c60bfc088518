/*
 * Contexts: switching from one stack to another.
 *
 * A switch saves the callee-saved registers on the stack that it leaves and
 * keeps the stack pointer; so everything that a suspended task holds lies
 * between that pointer and the base of its stack, where the reclaimer looks.
 * The floating-point control words are not switched: a task that changes them
 * must restore them before it parks.
 *
 * The sanitizers must be told of each switch; they are told here only.
 */
#ifndef BROLGA_SRC_TASKS_CTX_H
#define BROLGA_SRC_TASKS_CTX_H

#include "arch.h"
#include "base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef BROLGA__ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef BROLGA__TSAN
#include <sanitizer/tsan_interface.h>
#endif

struct brolga__ctx {
    uintptr_t sp;
    uintptr_t low, high; /* The stack: [low, high). */
#ifdef BROLGA__ASAN
    void *fake_stack;
#endif
#ifdef BROLGA__TSAN
    void *fiber;
#endif
};

/* The lowest function of a context. */
typedef void brolga__ctx_entry(void *arg, struct brolga__passed passed);

/* Prepares a context that will call entry(arg, what is passed to it), and then
 * brolga__ctx_done(), which must not return. */
void brolga__ctx_init(struct brolga__ctx *ctx, uintptr_t low, uintptr_t high,
                      brolga__ctx_entry *entry, void *arg);

/* Has a context that is not running begin anew: it will call entry(arg) on the
 * part of its stack below `high`, which is aligned to 16 bytes. */
void brolga__ctx_aim(struct brolga__ctx *ctx, uintptr_t high,
                     brolga__ctx_entry *entry, void *arg);

/* What a context goes on with when its entry has returned; in worker.c. */
void brolga__ctx_done(void);

/* Describes the calling thread's own stack as a context to switch back to. */
void brolga__ctx_init_thread(struct brolga__ctx *ctx);

/* Releases what brolga__ctx_init() took; the context is not running. */
void brolga__ctx_fini(struct brolga__ctx *ctx);

/* To be called first on a stack that is entered for the first time. */
static inline void brolga__ctx_entered(struct brolga__ctx *self)
{
#ifdef BROLGA__ASAN
    __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
#endif
    (void)self;
}

/* Leaves `from` and goes on in `to`, which gets what is passed; returns, with
 * what is passed then, when someone switches back. With `for_ever`, nobody
 * will. */
static inline struct brolga__passed
brolga__ctx_pass(struct brolga__ctx *from, struct brolga__ctx *to,
                 bool for_ever, struct brolga__passed passed)
{
#ifdef BROLGA__ASAN
    __sanitizer_start_switch_fiber(for_ever ? NULL : &from->fake_stack,
                                   (const void *)to->low, to->high - to->low);
#endif
#ifdef BROLGA__TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    (void)for_ever;
    passed = brolga__cpu_swap(&from->sp, to->sp, passed);
    brolga__ctx_entered(from);
    return passed;
}

/* The same with nothing to pass. */
static inline void brolga__ctx_switch(struct brolga__ctx *from,
                                      struct brolga__ctx *to, bool for_ever)
{
    (void)brolga__ctx_pass(from, to, for_ever,
                           (struct brolga__passed){NULL, 0});
}

/* Calls look(arg, sp) with the callee-saved registers stored at and above
 * `sp`, so that a scan from there sees all that the callers hold. */
void brolga__ctx_spill(void (*look)(void *arg, uintptr_t sp), void *arg);

#endif
