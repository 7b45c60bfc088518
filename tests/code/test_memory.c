/*
 * Goal: blocks of code memory can be written, then run, and never both; they do
 * not overlap, have guards, and trap once they are freed; addresses of units
 * are not used again before a grace period has passed, nor in quarantine; what
 * cannot be had is refused and leaves nothing.
 * Method: real code of jit.h; the system's own list of mappings; random
 * allocations against a list of what is there; an epoch whose one member does
 * not quiesce.
 */
#include "code/blocks.h"

#define PAGE brolga__plat_page_bytes()

static void open_default(void)
{
    code_open(NULL);
}

/* --- mappings ----------------------------------------------------------- */

struct mappings {
    unsigned count, writable, executable, both;
};

static void add_mapping(struct mappings *all, const char *line)
{
    char rights[5] = "";
    bool w, x;

    if (sscanf(line, "%*s %4s", rights) != 1)
        return;
    w = rights[1] == 'w';
    x = rights[2] == 'x';
    all->count++;
    if (strstr(line, "brolga-code") == NULL)
        return;
    all->writable += w;
    all->executable += x;
    all->both += w && x;
}

/* All mappings of the process, and those of the memory file. */
static struct mappings mappings(void)
{
    struct mappings all = {0};
    char line[512];
    FILE *file = fopen("/proc/self/maps", "r");

    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        add_mapping(&all, line);
    fclose(file);
    return all;
}

Test(memory, a_block_is_written_then_run_and_never_both, .init = open_default,
     .fini = code_close)
{
    struct brolga_code_block *block = allocated(1);
    struct mappings now;
    char *write;

    cr_assert(code_now().two_places);
    cr_assert_eq(block->bytes, PAGE);
    cr_assert_neq(block->write, block->run);
    cr_assert_not(readable(block->run));
    now = mappings();
    cr_assert_eq(now.writable, 1);
    cr_assert_eq(now.executable, 0);
    write_constant(block, 41);
    write = block->write;
    cr_assert(writable(write));
    cr_assert_eq(brolga_code_seal(block), BROLGA_OK);
    cr_assert_null(block->write);
    cr_assert_not(writable(write));
    cr_assert_not(writable((void *)block->run));
    now = mappings();
    cr_assert_eq(now.writable, 0);
    cr_assert_eq(now.executable, 1);
    cr_assert_eq(jit_call(block->run, NULL), 41);
    cr_assert_eq(brolga_code_seal(block), BROLGA_ESTATE);
    brolga_code_free(block);
    cr_assert_eq(mappings().executable, 0);
}

Test(memory, where_there_is_one_place_it_is_made_to_run)
{
    struct brolga_code_opts opts = {.one_place = true};
    struct brolga_code_block *block;

    code_open(&opts);
    cr_assert_not(code_now().two_places);
    block = allocated(1);
    cr_assert_eq(block->write, block->run);
    write_constant(block, 7);
    cr_assert_eq(brolga_code_seal(block), BROLGA_OK);
    cr_assert_eq(jit_call(block->run, NULL), 7);
    brolga_code_free(block);
    block = allocated(1);
    for (size_t i = 0; i < block->bytes; i++)
        cr_assert_eq(((char *)block->write)[i], 0);
    brolga_code_free(block);
    code_close();
}

Test(memory, what_is_freed_traps_and_reads_as_zero_when_it_comes_back)
{
    struct brolga_code_opts opts = {.reserve_bytes = 2 * PAGE};
    struct brolga_code_block *block;
    const char *run;

    code_open(&opts);
    for (int sealed_too = 0; sealed_too < 2; sealed_too++) {
        block = allocated(1);
        run = block->run;
        for (size_t i = 0; i < block->bytes; i++)
            cr_assert_eq(((char *)block->write)[i], 0);
        memset(block->write, 0xcc, block->bytes);
        if (sealed_too) {
            cr_assert_eq(brolga_code_seal(block), BROLGA_OK);
            cr_assert(readable(run));
            cr_assert_not(readable(run + PAGE)); /* The guard. */
        }
        brolga_code_free(block);
        cr_assert_not(readable(run));
    }
    brolga_code_free(NULL);
    code_close();
}

/* --- places ------------------------------------------------------------- */

#define KEPT 40

static bool overlap(const struct brolga_code_block *a,
                    const struct brolga_code_block *b)
{
    const char *x = a->run, *y = b->run;

    /* With the guard behind each. */
    return x < y + b->bytes + PAGE && y < x + a->bytes + PAGE;
}

static void check_place(struct brolga_code_block *const *blocks, int new)
{
    const char *low = code->range.run, *run = blocks[new]->run;

    cr_assert(run >= low);
    cr_assert(run + blocks[new]->bytes + PAGE <= low + code->range.bytes);
    for (int i = 0; i < KEPT; i++)
        cr_assert(i == new || blocks[i] == NULL ||
                  !overlap(blocks[i], blocks[new]));
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *state >> 33;
}

Test(memory, blocks_never_overlap_and_all_room_comes_back, .timeout = 60)
{
    struct brolga_code_opts opts = {.reserve_bytes = 200 * PAGE};
    struct brolga_code_block *blocks[KEPT] = {0}, *whole;
    uint64_t random = 7, refused = 0;

    code_open(&opts);
    for (int turn = 0; turn < 4000; turn++) {
        int i = (int)(next_random(&random) % KEPT);
        size_t bytes = next_random(&random) % (12 * PAGE) + 1;
        int err;

        if (blocks[i] != NULL) {
            brolga_code_free(blocks[i]);
            blocks[i] = NULL;
            continue;
        }
        err = brolga_code_alloc(code, bytes, &blocks[i]);
        cr_assert(err == BROLGA_OK || err == BROLGA_ELIMIT);
        refused += err == BROLGA_ELIMIT;
        if (err == BROLGA_OK)
            check_place(blocks, i);
    }
    cr_assert_gt(refused, 0);
    for (int i = 0; i < KEPT; i++)
        brolga_code_free(blocks[i]);
    cr_assert_eq(code_now().used_bytes, 0);
    cr_assert_eq(code_now().blocks, 0);
    whole = allocated(199 * PAGE);
    cr_assert_eq(brolga_code_alloc(code, 1, &blocks[0]), BROLGA_ELIMIT);
    brolga_code_free(whole);
    code_close();
}

Test(memory, what_cannot_be_had_is_refused)
{
    struct brolga_code_opts opts = {.reserve_bytes = ((size_t)2 << 30) + 1};
    struct brolga_code_block *block = NULL;

    world_open();
    cr_assert_eq(brolga_code_create(got, &opts, &code), BROLGA_EINVAL);
    opts.reserve_bytes = 1;
    cr_assert_eq(brolga_code_create(got, &opts, &code), BROLGA_OK);
    cr_assert_eq(code_now().reserved_bytes, PAGE);
    cr_assert_eq(brolga_code_alloc(code, 0, &block), BROLGA_EINVAL);
    /* There is no room for a guard. */
    cr_assert_eq(brolga_code_alloc(code, 1, &block), BROLGA_ELIMIT);
    cr_assert_eq(brolga_code_alloc(code, SIZE_MAX, &block), BROLGA_ELIMIT);
    cr_assert_null(block);
    code_close();
}

static int an_anchor;

Test(memory, it_lies_close_to_what_it_is_to_reach)
{
    struct brolga_code_opts opts = {.near = &an_anchor};
    intptr_t away;

    code_open(&opts);
    away = (intptr_t)code->range.run - (intptr_t)&an_anchor;
    cr_assert(away > INT32_MIN && away < INT32_MAX);
    away += (intptr_t)code->range.bytes;
    cr_assert(away > INT32_MIN && away < INT32_MAX);
    code_close();
}

Test(memory, no_memory_at_any_point_leaves_nothing)
{
    struct brolga_code_block *block = NULL;
    int64_t live;
    int err = BROLGA_ENOMEM;

    world_open();
    live = brolga__alloc_live();
    for (uint64_t n = 1; err != BROLGA_OK; n++) {
        brolga__alloc_fail_nth(n);
        err = brolga_code_create(got, NULL, &code);
        cr_assert(err == BROLGA_OK || err == BROLGA_ENOMEM);
        cr_assert(err == BROLGA_OK || brolga__alloc_live() == live);
    }
    live = brolga__alloc_live();
    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_code_alloc(code, 1, &block), BROLGA_ENOMEM);
    cr_assert_eq(brolga__alloc_live(), live);
    brolga__alloc_fail_nth(0);
    cr_assert_eq(code_now().blocks, 0);
    code_close();
}

/* --- when addresses are used again -------------------------------------- */

/* A range for one block: who wants a second one waits for its addresses. */
static void open_for_one(void)
{
    struct brolga_code_opts opts = {.reserve_bytes = 2 * PAGE};

    code_open(&opts);
}

Test(memory, addresses_of_a_unit_rest_for_a_grace_period, .init = open_for_one,
     .fini = code_close)
{
    struct brolga_code_block *block = sealed(1), *next = NULL;
    const void *run = block->run;
    struct jit_unit *other = made(2);
    brolga_txn *txn;

    (void)published_block(block);
    txn = begun();
    (void)defined(txn, staged(txn, other), "m", "f", INT_FN);
    committed(txn);
    while (code_now().blocks > 0) { /* Until the unit is freed. */
        brolga_epoch_quiesce(member);
        (void)brolga__got_reclaim(got);
    }
    cr_assert_not(readable(run));
    cr_assert_eq(code_now().waiting_bytes, PAGE);
    for (int i = 0; i < 10; i++) { /* The member holds the period up. */
        (void)brolga__got_reclaim(got);
        cr_assert_eq(brolga_code_alloc(code, 1, &next), BROLGA_ELIMIT);
    }
    cr_assert_eq(brolga_code_destroy(code), BROLGA_EBUSY);
    reclaim_all();
    cr_assert_eq(code_now().waiting_bytes, 0);
    next = sealed(3);
    cr_assert_eq(next->run, run);
    cr_assert_eq(jit_call(run, NULL), 3);
    brolga_code_free(next);
}

Test(memory, an_aborted_unit_waits_like_others, .init = open_for_one,
     .fini = code_close)
{
    struct brolga_code_block *block = sealed(1), *next = NULL;
    struct brolga_code_unit_opts opts = {.name = "block"};
    brolga_txn *txn = begun();
    int notices = notified;

    (void)code_staged(txn, block, &opts);
    brolga_txn_abort(txn);
    cr_assert_gt(notified, notices); /* Somebody is to look for the end. */
    cr_assert_eq(brolga_code_alloc(code, 1, &next), BROLGA_ELIMIT);
    reclaim_all();
    brolga_code_free(allocated(1));
}

Test(memory, quarantine_keeps_addresses_from_use_until_more_was_freed)
{
    struct brolga_code_opts opts = {.reserve_bytes = 64 * PAGE,
                                    .quarantine_bytes = 3 * PAGE};
    struct brolga_code_block *blocks[32];
    const void *run[32];
    int turns = 0;

    code_open(&opts);
    /* 32 blocks have room; the last three that were freed are in quarantine. */
    for (; turns < 31; turns++) {
        struct brolga_code_block *block = sealed(turns);
        struct brolga_code_unit_opts unit = {.policy = BROLGA_RECLAIM};
        brolga_txn *txn = begun();

        run[turns] = block->run;
        (void)code_staged(txn, block, &unit);
        brolga_txn_abort(txn);
        reclaim_all();
    }
    cr_assert_eq(code_now().waiting_bytes, 3 * PAGE);
    for (int i = 0; i < 29; i++) { /* All the rest. */
        blocks[i] = allocated(1);
        for (int k = turns - 3; k < turns; k++)
            cr_assert_neq(blocks[i]->run, run[k]);
    }
    cr_assert_eq(brolga_code_alloc(code, 1, &blocks[29]), BROLGA_ELIMIT);
    for (int i = 0; i < 29; i++)
        brolga_code_free(blocks[i]);
    code_close();
}

/* --- many --------------------------------------------------------------- */

Test(memory, ten_thousand_reloads_leave_no_mapping_and_no_memory,
     .timeout = 120)
{
    struct brolga_code_opts opts = {.reserve_bytes = 64 * PAGE};
    struct mappings first = {0}, last;
    int64_t live = 0;

    code_open(&opts);
    for (int i = 0; i < 10000; i++) {
        if (i == 100) {
            first = mappings();
            live = brolga__alloc_live();
        }
        (void)published_block(sealed(i));
        for (int k = 0; k < 4; k++) {
            brolga_epoch_quiesce(member);
            (void)brolga__got_reclaim(got);
        }
    }
    reclaim_all();
    last = mappings();
    cr_assert_leq(brolga__alloc_live(), live + 16);
    cr_assert_leq(last.count, first.count + 2);
    cr_assert_eq(code_now().blocks, 1);
    cr_assert_eq(code_now().allocated, 10000);
    code_close();
}
