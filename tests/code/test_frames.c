/*
 * Goal: unwinders walk through frames of generated code as long as its unit is
 * there, and know nothing of it afterwards; sections that are not in order are
 * refused.
 * Method: a function with frame descriptions that were made by hand calls back,
 * and the callback has the C library's unwinder walk its stack; sections with
 * one thing wrong each.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "code/frames.h"

#include <unwind.h>

static void open_default(void)
{
    code_open(NULL);
}

/* --- walking ------------------------------------------------------------ */

#define WALKED 64

static struct {
    uintptr_t pc[WALKED];
    unsigned count;
} walk;

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *arg)
{
    (void)arg;
    if (walk.count == WALKED)
        return _URC_END_OF_STACK;
    walk.pc[walk.count++] = (uintptr_t)_Unwind_GetIP(context);
    return _URC_NO_REASON;
}

static brolga_word walk_stack(void *arg)
{
    (void)arg;
    walk.count = 0;
    (void)_Unwind_Backtrace(step, NULL);
    return 1;
}

/* Where the frame of the block was found; `count` if nowhere. */
static unsigned frame_of(const struct brolga_code_block *block)
{
    for (unsigned i = 0; i < walk.count; i++)
        if (walk.pc[i] - (uintptr_t)block->run < block->bytes)
            return i;
    return walk.count;
}

__attribute__((noinline)) static void
walk_through(const struct brolga_code_block *block)
{
    struct jit_call call = {walk_stack, NULL};

    cr_assert_eq(jit_call(block->run, &call), 101);
}

/* Of the C library: what it knows of an address. */
struct bases {
    void *text, *data, *function;
};
extern const void *_Unwind_Find_FDE(void *pc, struct bases *bases);

static bool known(const void *run)
{
    struct bases bases;

    return _Unwind_Find_FDE((char *)run + 4, &bases) != NULL;
}

Test(frames, c5_unwinders_know_a_unit_until_it_is_withdrawn,
     .init = open_default, .fini = code_close)
{
    struct brolga_code_block *block = sealed_with_frames(100);
    struct brolga_code_unit_opts opts = frames_opts();
    const void *run = block->run;
    struct jit_unit *other = made(2);
    unsigned found;
    brolga_txn *txn;

    walk_through(block);
    found = frame_of(block);
    cr_assert_lt(found, walk.count);
    cr_assert_geq(found + 1, walk.count, "it went on without a description\n");

    txn = begun();
    (void)defined(txn, code_staged(txn, block, &opts), "m", "f", INT_FN);
    cr_assert(known(run));
    walk_through(block);
    found = frame_of(block);
    cr_assert_lt(found + 2, walk.count, "%u of %u\n", found, walk.count);
    committed(txn);

    txn = begun();
    (void)defined(txn, staged(txn, other), "m", "f", INT_FN);
    committed(txn);
    cr_assert(known(run));
    while (known(run)) { /* Before it is freed: */
        cr_assert_eq(code_now().blocks, 1);
        brolga_epoch_quiesce(member);
        (void)brolga__got_reclaim(got);
    }
    cr_assert_eq(code_now().blocks, 1);
    reclaim_all();
    cr_assert_eq(code_now().blocks, 0);
    cr_assert_not(known(run));
}

Test(frames, an_abort_withdraws_them, .init = open_default, .fini = code_close)
{
    struct brolga_code_block *block = sealed_with_frames(100);
    struct brolga_code_unit_opts opts = frames_opts();
    const void *run = block->run;
    brolga_txn *txn = begun();

    (void)code_staged(txn, block, &opts);
    cr_assert(known(run));
    brolga_txn_abort(txn);
    cr_assert_not(known(run));
}

Test(frames, without_memory_for_the_unit_nobody_was_told, .init = open_default,
     .fini = code_close)
{
    struct brolga_code_block *block = sealed_with_frames(100);
    struct brolga_code_unit_opts opts = frames_opts();
    struct brolga_code_function function = {.name = "f", .bytes = 8};
    brolga_unit *unit = NULL;
    brolga_txn *txn = begun();
    int64_t live = brolga__alloc_live();
    int err = BROLGA_ENOMEM;

    opts.functions = &function;
    opts.function_count = 1;
    for (uint64_t n = 1; err != BROLGA_OK; n++) {
        cr_assert_not(known(block->run));
        cr_assert_eq(brolga__alloc_live(), live);
        brolga__alloc_fail_nth(n);
        err = brolga_code_unit(txn, block, &opts, &unit);
    }
    brolga__alloc_fail_nth(0);
    cr_assert(known(block->run));
    brolga_txn_abort(txn);
}

/* A free multiple of 4 GiB; sanitizers have some of them. */
static uintptr_t free_multiple(size_t bytes)
{
    for (uintptr_t n = 5; n < 0x7000; n = 2 * n) {
        void *wish = (void *)(n << 32);
        void *at = mmap(wish, bytes, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (at != MAP_FAILED)
            cr_assert_eq(munmap(at, bytes), 0);
        if (at == wish)
            return n << 32;
    }
    return 0;
}

/* Where the lower half of a function's address is 0, libgcc thinks that there
 * is none. The range begins at such an address. */
Test(frames, c5_unwinders_know_a_unit_wherever_it_lies, .fini = code_close)
{
    const uintptr_t step = (uintptr_t)32 << 20; /* As it looks for room. */
    struct brolga_code_opts near = {.reserve_bytes = 1 << 20};
    struct brolga_code_unit_opts opts = frames_opts();
    struct brolga_code_block *block;
    brolga_txn *txn;

    near.near = (void *)(free_multiple(near.reserve_bytes) - step);
    code_open(&near);
    block = sealed_with_frames(100);
    cr_assert_neq((uint32_t)(uintptr_t)block->run, 0);
    txn = begun();
    (void)code_staged(txn, block, &opts);
    cr_assert(known(block->run));
    brolga_txn_abort(txn);
}

/* --- what is refused ---------------------------------------------------- */

static void edit(uint8_t *section, size_t at, uint8_t byte, bool valid)
{
    uint8_t was = section[at];

    section[at] = byte;
    cr_assert_eq(brolga__frames_valid(section, sizeof frames_code), valid,
                 "byte %zu = %u\n", at, byte);
    section[at] = was;
}

Test(frames, sections_that_are_not_in_order_are_refused)
{
    uint8_t section[sizeof frames_code];
    size_t fde = frames_code[0] + 4, end = sizeof frames_code - 4;

    memcpy(section, frames_code, sizeof section);
    edit(section, 0, section[0], true);
    edit(section, 0, 255, false);     /* Longer than there is room for. */
    edit(section, 0, 3, false);       /* Too short for what it has. */
    edit(section, 0, 0, false);       /* The end, before any function. */
    edit(section, fde + 4, 4, false); /* Its common part: nowhere. */
    edit(section, fde + 4, 0, false); /* No function at all. */
    edit(section, fde, 200, false);   /* Longer than there is room for. */
    edit(section, end, 8, false);     /* No end. */
    cr_assert_not(brolga__frames_valid(section, end));
    cr_assert_not(brolga__frames_valid(section, fde + 3));
    cr_assert_not(brolga__frames_valid(section, 0));
    /* One that says of itself that its common part is a function's. */
    section[fde + 4] = (uint8_t)(fde + 4);
    cr_assert(brolga__frames_valid(section, sizeof section));
}

Test(frames, blocks_with_such_sections_stay_the_callers, .init = open_default,
     .fini = code_close)
{
    struct brolga_code_block *block = sealed_with_frames(1);
    struct brolga_code_unit_opts opts = frames_opts();
    brolga_unit *unit = NULL;
    brolga_txn *txn = begun();

    opts.frames_bytes = 20;
    cr_assert_eq(brolga_code_unit(txn, block, &opts, &unit), BROLGA_EINVAL);
    opts.frames_bytes = block->bytes;
    cr_assert_eq(brolga_code_unit(txn, block, &opts, &unit), BROLGA_EINVAL);
    opts = frames_opts();
    opts.frames_offset += 4;
    cr_assert_eq(brolga_code_unit(txn, block, &opts, &unit), BROLGA_EINVAL);
    cr_assert_null(unit);
    brolga_code_free(block);
    brolga_txn_abort(txn);
}
