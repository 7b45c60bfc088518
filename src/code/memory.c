/*
 * Memory: blocks of pages in one range of addresses.
 *
 * A bit a page says what is taken. A block is a run of pages with one page
 * behind it that is never mapped, so that who runs off its end traps. The
 * search goes round: it begins where the last one ended, so that addresses rest
 * for as long as there is room elsewhere.
 *
 * When may an address be used again? A unit is freed when no task can be in it
 * (C5), and its pages trap from that moment on. But a processor may have
 * fetched what was there, or be about to by a wrong guess; a profiler's sample
 * may still carry the address. So the pages stay taken for one more grace
 * period, and the block that gets them next is sealed before anybody hears of
 * it, which makes each processor that runs us drop what it has fetched
 * (brolga__plat_code_ready). Where the system cannot do that, see
 * brolga__cpu_refetch() in arch.h.
 *
 * A block that no unit was made from is known to its writer alone, and its
 * addresses are free at once.
 *
 * Calls of the system for one life of a block: memory, a place to write it;
 * that place away, the place to run it, a barrier of the processors; that place
 * away, and the memory. There are as many mappings as blocks, and gaps between
 * them.
 */
#include "code/code.h"

#include "alloc.h"

#include <string.h>

#define RESERVE_DEFAULT ((size_t)128 << 20)
#define RESERVE_MAX     ((size_t)2 << 30)
#define WORD_BITS       64

/* --- which pages are taken; under the lock ------------------------------ */

static bool is_taken(const struct brolga_code *code, size_t page)
{
    return (code->taken[page / WORD_BITS] >> page % WORD_BITS & 1) != 0;
}

static void set_taken(struct brolga_code *code, size_t first, size_t count,
                      bool taken)
{
    for (size_t page = first; page < first + count; page++) {
        uint64_t bit = UINT64_C(1) << page % WORD_BITS;

        brolga__check(is_taken(code, page) != taken);
        if (taken)
            code->taken[page / WORD_BITS] |= bit;
        else
            code->taken[page / WORD_BITS] &= ~bit;
    }
}

/* The first run of free pages within [from, to); `to` if there is none. */
static size_t find_run(const struct brolga_code *code, size_t from, size_t to,
                       size_t count)
{
    size_t page = from, run = 0;

    while (page < to) {
        uint64_t word = code->taken[page / WORD_BITS] >> page % WORD_BITS;
        size_t left = WORD_BITS - page % WORD_BITS; /* Bits in `word`. */
        size_t same = word == 0 ? left : (size_t)__builtin_ctzll(word);

        if (same == 0) { /* Taken ones: over all of them at once. */
            same = ~word == 0 ? left : (size_t)__builtin_ctzll(~word);
            run = 0;
            page += same < left ? same : left;
            continue;
        }
        same = same < left ? same : left;
        if (run + same >= count && page - run + count <= to)
            return page - run;
        run += same;
        page += same;
    }
    return to;
}

/* With the guard. Returns false if there is no room. */
static bool take_pages(struct brolga_code *code, size_t count, size_t *first)
{
    size_t end = code->pages;
    size_t found = find_run(code, code->cursor, end, count);

    if (found == end) { /* What begins before the cursor may end behind it. */
        found = find_run(code, 0, end, count);
        if (found == end)
            return false;
    }
    set_taken(code, found, count, true);
    code->cursor = found + count;
    *first = found;
    return true;
}

/* --- creation and destruction ------------------------------------------- */

static int reserve(struct brolga_code *code)
{
    const struct brolga_code_opts *opts = &code->opts;
    struct brolga__code_range *range = &code->range;
    size_t bytes = opts->reserve_bytes;

    if (!opts->one_place &&
        brolga__plat_code_reserve(range, bytes, opts->near, true))
        return BROLGA_OK;
    if (brolga__plat_code_reserve(range, bytes, opts->near, false))
        return BROLGA_OK;
    /* What was wanting: addresses, near ones, or that they can be run? */
    if (opts->near != NULL &&
        brolga__plat_code_reserve(range, bytes, NULL, false)) {
        brolga__plat_code_unreserve(range);
        return BROLGA_ELIMIT;
    }
    if (!brolga__plat_code_reserve(range, code->page, NULL, false))
        return BROLGA_ENOTSUP;
    brolga__plat_code_unreserve(range);
    return BROLGA_ENOMEM;
}

/* Leaves out the page at a multiple of 4 GiB, if there is one: of a function
 * there the descriptions of frames may hold nothing but zeroes, the lower half
 * of its address, and libgcc takes it for one that the linker has removed. */
static void leave_out(struct brolga_code *code)
{
    size_t offset = (uint32_t) - (uintptr_t)code->range.run;

    if (offset < code->opts.reserve_bytes)
        set_taken(code, offset / code->page, 1, true);
}

static int init(struct brolga_code *code)
{
    size_t words;
    int err;

    code->pages = code->opts.reserve_bytes / code->page;
    words = (code->pages + WORD_BITS - 1) / WORD_BITS;
    code->taken = brolga__alloc_zero(words * sizeof *code->taken);
    if (code->taken == NULL)
        return BROLGA_ENOMEM;
    /* Pages that there are not, in the last word. */
    set_taken(code, code->pages, words * WORD_BITS - code->pages, true);
    err = reserve(code);
    if (err != BROLGA_OK)
        goto no_range;
    leave_out(code);
    err = brolga__profiler_open(&code->opts);
    if (err != BROLGA_OK)
        goto no_profiler;
    (void)brolga__plat_code_sync();
    return BROLGA_OK;

no_profiler:
    brolga__plat_code_unreserve(&code->range);
no_range:
    brolga__free(code->taken);
    return err;
}

int brolga_code_create(brolga_got *got, const struct brolga_code_opts *opts,
                       brolga_code **out)
{
    struct brolga_code *code;
    int err;

    if (opts != NULL && opts->reserve_bytes > RESERVE_MAX)
        return BROLGA_EINVAL;
    code = brolga__alloc_zero(sizeof *code);
    if (code == NULL)
        return BROLGA_ENOMEM;
    if (opts != NULL)
        code->opts = *opts;
    if (code->opts.reserve_bytes == 0)
        code->opts.reserve_bytes = RESERVE_DEFAULT;
    /* It looks for names of what lies in no file only. */
    if (code->opts.perf_map)
        code->opts.one_place = true;
    code->epoch = got->epoch;
    code->stacks = &got->stacks;
    code->page = brolga__plat_page_bytes();
    code->opts.reserve_bytes =
        brolga__round_up(code->opts.reserve_bytes, code->page);
    err = init(code);
    if (err == BROLGA_OK)
        *out = code;
    else
        brolga__free(code);
    return err;
}

static void forget_quarantine(struct brolga_code *code)
{
    while (code->quarantine != NULL) {
        struct brolga__block *block = code->quarantine;

        code->quarantine = block->next;
        brolga__free(block);
    }
}

int brolga_code_destroy(brolga_code *code)
{
    bool busy;

    if (code == NULL)
        return BROLGA_OK;
    brolga__lock_take(&code->lock);
    busy = code->blocks > 0 || code->waiting_bytes > code->quarantined_bytes;
    brolga__lock_leave(&code->lock);
    if (busy)
        return BROLGA_EBUSY;
    forget_quarantine(code);
    brolga__profiler_close(&code->opts);
    brolga__plat_code_unreserve(&code->range);
    brolga__free(code->taken);
    brolga__free(code);
    return BROLGA_OK;
}

/* --- a block's life ----------------------------------------------------- */

static bool take_place(struct brolga__block *block)
{
    struct brolga_code *code = block->code;
    bool taken;

    brolga__lock_take(&code->lock);
    taken = take_pages(code, block->pages + 1, &block->first);
    if (taken) {
        code->blocks++;
        code->allocated++;
        code->used_bytes += block->public.bytes;
    }
    brolga__lock_leave(&code->lock);
    return taken;
}

/* The block is in use no more, and its addresses are free. */
static void give_place(struct brolga__block *block, bool waited)
{
    struct brolga_code *code = block->code;

    brolga__lock_take(&code->lock);
    set_taken(code, block->first, block->pages + 1, false);
    if (waited) {
        code->waiting_bytes -= block->public.bytes;
    } else {
        code->blocks--;
        code->used_bytes -= block->public.bytes;
    }
    brolga__lock_leave(&code->lock);
    brolga__free(block);
}

int brolga_code_alloc(brolga_code *code, size_t bytes,
                      struct brolga_code_block **out)
{
    struct brolga__block *block;

    if (bytes == 0)
        return BROLGA_EINVAL;
    if (bytes > code->range.bytes)
        return BROLGA_ELIMIT;
    block = brolga__alloc_zero(sizeof *block);
    if (block == NULL)
        return BROLGA_ENOMEM;
    block->code = code;
    block->pages = (bytes + code->page - 1) / code->page;
    block->public.bytes = block->pages * code->page;
    if (!take_place(block)) {
        brolga__free(block);
        return BROLGA_ELIMIT;
    }
    block->public.run = code->range.run + block->first * code->page;
    block->public.write = brolga__plat_code_write(
        &code->range, block->first * code->page, block->public.bytes);
    if (block->public.write == NULL) {
        give_place(block, false);
        return BROLGA_ENOMEM;
    }
    *out = &block->public;
    return BROLGA_OK;
}

int brolga_code_seal(struct brolga_code_block *public)
{
    struct brolga__block *block = brolga__block_of(public);
    struct brolga_code *code = block->code;
    void *write = public->write;

    if (block->state != BROLGA__BLOCK_WRITTEN)
        return BROLGA_ESTATE;
    public->write = NULL;
    if (!brolga__plat_code_run(&code->range, block->first * code->page,
                               public->bytes, write)) {
        block->state = BROLGA__BLOCK_BROKEN;
        return BROLGA_ENOMEM;
    }
    brolga__plat_code_ready(code->range.run + block->first * code->page,
                            public->bytes);
    block->state = BROLGA__BLOCK_SEALED;
    return BROLGA_OK;
}

/* --- the end ------------------------------------------------------------ */

/* The oldest one, as long as there are more than there should be. */
static struct brolga__block *leave_quarantine(struct brolga_code *code)
{
    struct brolga__block *block = NULL;

    brolga__lock_take(&code->lock);
    if (code->quarantined_bytes > code->opts.quarantine_bytes) {
        block = code->quarantine;
        code->quarantine = block->next;
        code->quarantined_bytes -= block->public.bytes;
    }
    brolga__lock_leave(&code->lock);
    return block;
}

static void enter_quarantine(struct brolga__block *block)
{
    struct brolga_code *code = block->code;

    brolga__lock_take(&code->lock);
    if (code->quarantine == NULL)
        code->quarantine = block;
    else
        code->quarantine_last->next = block;
    code->quarantine_last = block;
    code->quarantined_bytes += block->public.bytes;
    brolga__lock_leave(&code->lock);
}

/* The grace period is over. */
static void grace_is_over(struct brolga_epoch_node *node)
{
    struct brolga__block *block =
        brolga__container_of(node, struct brolga__block, node);
    struct brolga_code *code = block->code;

    if (code->opts.quarantine_bytes == 0) {
        give_place(block, true);
        return;
    }
    enter_quarantine(block);
    while ((block = leave_quarantine(code)) != NULL) /* Ends: it gets empty. */
        give_place(block, true);
}

/* A block that was a unit's: its code may have been called. Whoever waits for
 * grace periods is to look for this one, too. */
static void wait_for_grace(struct brolga__block *block)
{
    struct brolga_code *code = block->code;

    block->state = BROLGA__BLOCK_WAITING;
    brolga__lock_take(&code->lock);
    code->blocks--;
    code->used_bytes -= block->public.bytes;
    code->waiting_bytes += block->public.bytes;
    brolga__lock_leave(&code->lock);
    /* From here on it may be gone. */
    brolga_epoch_retire(code->epoch, &block->node, grace_is_over);
    if (code->stacks->notify != NULL)
        code->stacks->notify(code->stacks->arg);
}

void brolga__block_free(struct brolga__block *block)
{
    struct brolga_code *code = block->code;

    brolga__plat_code_drop(&code->range, block->first * code->page,
                           block->public.bytes, block->public.write);
    if (block->state == BROLGA__BLOCK_STAGED)
        wait_for_grace(block);
    else
        give_place(block, false);
}

void brolga_code_free(struct brolga_code_block *public)
{
    struct brolga__block *block;

    if (public == NULL)
        return;
    block = brolga__block_of(public);
    brolga__assert(block->state != BROLGA__BLOCK_STAGED &&
                   block->state != BROLGA__BLOCK_WAITING);
    brolga__block_free(block);
}

void brolga_code_stats(brolga_code *code, struct brolga_code_stats *out)
{
    brolga__lock_take(&code->lock);
    *out = (struct brolga_code_stats){
        .reserved_bytes = code->range.bytes,
        .used_bytes = code->used_bytes,
        .waiting_bytes = code->waiting_bytes,
        .blocks = code->blocks,
        .allocated = code->allocated,
        .two_places = code->range.fd >= 0,
        .sync = (enum brolga_code_sync)brolga__plat_code_sync()};
    brolga__lock_leave(&code->lock);
}
