/*
 * Real machine code for tests: a unit is one page of its own that holds one
 * tiny position-independent function, so that its addresses on a stack, and
 * calls into it after its release, are what they are with a real compiler.
 *
 *   constant  brolga_word f(void *)   returns the unit's value
 *   caller    brolga_word f(void *arg), arg a struct jit_call: calls
 *             call->fn(call->arg) from a frame of its own, so that a return
 *             address into the unit lies on the stack while the callee parks;
 *             returns the callee's result plus the unit's value
 *
 * Either serves as a step of brolga_spawn_loop() too: 0 goes on.
 *
 * The record belongs to the test and must outlive the unit. As the `release`
 * of a unit, jit_unmap() gives the page back; jit_trap() keeps the address
 * taken and makes every later use trap, whatever is mapped in between. Both
 * count in `releases`.
 */
#ifndef BROLGA_TESTS_JIT_H
#define BROLGA_TESTS_JIT_H

#include <brolga/got.h>

#include "atomic.h"
#include "plat.h"

#include <string.h>
#include <sys/mman.h>

struct jit_unit {
    void *text; /* Its only function starts here. */
    size_t bytes;
    _Atomic int releases;
};

/* What a caller's argument points to. A second argument reaches `fn`, too. */
struct jit_call {
    brolga_word (*fn)(void *arg);
    void *arg;
};

/* The code of both functions, and where the value stands in it. */
#if defined(__x86_64__)
static const uint8_t jit_constant_code[] = {
    0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, /* movabs $value, %rax */
    0xc3,                               /* ret */
};
enum { JIT_CONSTANT_VALUE_AT = 2 };
static const uint8_t jit_caller_code[] = {
    0x55,                                     /* push %rbp */
    0x48, 0x89, 0xe5,                         /* mov %rsp, %rbp */
    0x48, 0x8b, 0x07,                         /* mov (%rdi), %rax */
    0x48, 0x8b, 0x7f, 0x08,                   /* mov 8(%rdi), %rdi */
    0xff, 0xd0,                               /* call *%rax */
    0x48, 0xb9, 0,    0,    0, 0, 0, 0, 0, 0, /* movabs $value, %rcx */
    0x48, 0x01, 0xc8,                         /* add %rcx, %rax */
    0x5d,                                     /* pop %rbp */
    0xc3,                                     /* ret */
};
enum { JIT_CALLER_VALUE_AT = 15 };
#elif defined(__aarch64__)
static const uint32_t jit_constant_code[] = {
    0x58000040, /* ldr x0, value */
    0xd65f03c0, /* ret */
    0,          /* value */
    0,
};
enum { JIT_CONSTANT_VALUE_AT = 8 };
static const uint32_t jit_caller_code[] = {
    0xa9bf7bfd, /* stp x29, x30, [sp, #-16]! */
    0x910003fd, /* mov x29, sp */
    0xf9400009, /* ldr x9, [x0] */
    0xf9400400, /* ldr x0, [x0, #8] */
    0xd63f0120, /* blr x9 */
    0x580000a1, /* ldr x1, value */
    0x8b010000, /* add x0, x0, x1 */
    0xa8c17bfd, /* ldp x29, x30, [sp], #16 */
    0xd65f03c0, /* ret */
    0xd503201f, /* nop: the value is aligned */
    0,          /* value */
    0,
};
enum { JIT_CALLER_VALUE_AT = 40 };
#else
#error "tests/jit.h has no code for this processor yet"
#endif

/* False if there is no memory. */
static inline bool jit_make(struct jit_unit *unit, const void *code,
                            size_t code_bytes, size_t value_at,
                            brolga_word value)
{
    size_t bytes = brolga__plat_page_bytes();
    uint8_t *text = brolga__plat_reserve(bytes);

    if (text == NULL)
        return false;
    memcpy(text, code, code_bytes);
    memcpy(text + value_at, &value, sizeof value);
    if (mprotect(text, bytes, PROT_READ | PROT_EXEC) != 0) {
        brolga__plat_unreserve(text, bytes);
        return false;
    }
    brolga__plat_code_ready(text, bytes);
    unit->text = text;
    unit->bytes = bytes;
    brolga__store_relaxed(&unit->releases, 0);
    return true;
}

static inline bool jit_make_constant(struct jit_unit *unit, brolga_word value)
{
    return jit_make(unit, jit_constant_code, sizeof jit_constant_code,
                    JIT_CONSTANT_VALUE_AT, value);
}

static inline bool jit_make_caller(struct jit_unit *unit, brolga_word value)
{
    return jit_make(unit, jit_caller_code, sizeof jit_caller_code,
                    JIT_CALLER_VALUE_AT, value);
}

/* Release: gives the page back. */
static inline void jit_unmap(void *arg)
{
    struct jit_unit *unit = arg;

    brolga__plat_unreserve(unit->text, unit->bytes);
    (void)brolga__add_relaxed(&unit->releases, 1);
}

/* Release: every later use of the unit traps. The address space is kept. */
static inline void jit_trap(void *arg)
{
    struct jit_unit *unit = arg;

    (void)mprotect(unit->text, unit->bytes, PROT_NONE);
    (void)brolga__add_relaxed(&unit->releases, 1);
}

/* How often the unit has been released. */
static inline int jit_releases(struct jit_unit *unit)
{
    return brolga__load_relaxed(&unit->releases);
}

/* What brolga_txn_unit() takes, with jit_trap() as release. */
static inline struct brolga_unit_opts
jit_opts(struct jit_unit *unit, const char *name, enum brolga_policy policy)
{
    return (struct brolga_unit_opts){.name = name,
                                     .text = unit->text,
                                     .text_bytes = unit->bytes,
                                     .policy = policy,
                                     .release = jit_trap,
                                     .arg = unit};
}

/* Calls code at an address as a function of a task. */
static inline brolga_word jit_call(const void *code, void *arg)
{
    union {
        const void *address;
        brolga_word (*fn)(void *arg);
    } cast = {code};

    return cast.fn(arg);
}

#endif
