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
 * And others that trap, of type brolga_word f(void *):
 *
 *   illegal   an instruction that there is not
 *   store     to address 0
 *   call      of address 0
 *   recursion without end
 *   divide    by zero (x86-64: arm64 does not trap then)
 *   messy     illegal, after it has turned the direction flag and unmasked the
 *             exceptions of floating point (x86-64)
 *
 * The first two serve as steps of brolga_spawn_loop() too: 0 goes on.
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
static const uint8_t jit_illegal_code[] = {0x0f, 0x0b}; /* ud2 */
static const uint8_t jit_store_code[] = {
    0x31, 0xc0,       /* xor %eax, %eax */
    0x48, 0x89, 0x00, /* mov %rax, (%rax) */
    0xc3,             /* ret */
};
static const uint8_t jit_call_code[] = {
    0x31, 0xc0, /* xor %eax, %eax */
    0xff, 0xd0, /* call *%rax */
    0xc3,       /* ret */
};
static const uint8_t jit_recursion_code[] = {
    0xe8, 0xfb, 0xff, 0xff, 0xff, /* call itself */
    0xc3,                         /* ret */
};
#define JIT_X86_TRAPS 1
static const uint8_t jit_divide_code[] = {
    0x31, 0xc0, /* xor %eax, %eax */
    0x31, 0xd2, /* xor %edx, %edx */
    0x31, 0xc9, /* xor %ecx, %ecx */
    0xf7, 0xf9, /* idiv %ecx */
    0xc3,       /* ret */
};
static const uint8_t jit_messy_code[] = {
    0x6a, 0x00,             /* push $0 */
    0x0f, 0xae, 0x14, 0x24, /* ldmxcsr (%rsp) */
    0xfd,                   /* std */
    0x0f, 0x0b,             /* ud2 */
};
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
static const uint32_t jit_illegal_code[] = {0}; /* udf #0 */
static const uint32_t jit_store_code[] = {
    0xd2800001, /* mov x1, #0 */
    0xf9000021, /* str x1, [x1] */
    0xd65f03c0, /* ret */
};
static const uint32_t jit_call_code[] = {
    0xa9bf7bfd, /* stp x29, x30, [sp, #-16]! */
    0xd2800009, /* mov x9, #0 */
    0xd63f0120, /* blr x9 */
    0xa8c17bfd, /* ldp x29, x30, [sp], #16 */
    0xd65f03c0, /* ret */
};
static const uint32_t jit_recursion_code[] = {
    0xa9bf7bfd, /* stp x29, x30, [sp, #-16]! */
    0x97ffffff, /* bl itself */
    0xa8c17bfd, /* ldp x29, x30, [sp], #16 */
    0xd65f03c0, /* ret */
};
#else
#error "tests/jit.h has no code for this processor yet"
#endif

/* False if there is no memory. */
static inline bool jit_make(struct jit_unit *unit, const void *code,
                            size_t code_bytes, size_t value_at,
                            size_t value_bytes, brolga_word value)
{
    size_t bytes = brolga__plat_page_bytes();
    uint8_t *text = brolga__plat_reserve(bytes);

    if (text == NULL)
        return false;
    memcpy(text, code, code_bytes);
    memcpy(text + value_at, &value, value_bytes);
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
                    JIT_CONSTANT_VALUE_AT, sizeof value, value);
}

static inline bool jit_make_caller(struct jit_unit *unit, brolga_word value)
{
    return jit_make(unit, jit_caller_code, sizeof jit_caller_code,
                    JIT_CALLER_VALUE_AT, sizeof value, value);
}

/* Code without a value: any of those that trap. */
#define jit_make_plain(unit, code) jit_make(unit, code, sizeof(code), 0, 0, 0)

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
