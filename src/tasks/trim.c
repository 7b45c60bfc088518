/*
 * Memory of stacks that is of no use any more.
 *
 * Pages that a deep call has touched stay with the stack when it has returned.
 * Of a fiber that has been parked for a second, those below its stack pointer
 * go back to the system; so do those of free stacks but for the uppermost
 * (stack.c). The reclaimer's thread does this by the way. Tasks pay nothing for
 * it: nobody knows how deep they were, so each is seen to once a park, and
 * whoever parks more briefly never.
 *
 * A fiber is held by its permit meanwhile, as for a search of its stack
 * (scan.c): it does not run, and who wakes it leaves it to us. That is for the
 * time of one system call.
 *
 * A sweep goes through all records, a bounded number in each step, with pauses.
 * It is due a second after somebody has parked, or somebody was found to have
 * parked too recently; so a program at rest is swept twice, and then left
 * alone.
 *
 * All of this is done under the reclaimer's lock.
 */
#include "tasks/tasks.h"

#include "plat.h"

/* How long it must have been parked. */
#define AFTER       BROLGA_S
#define AFTER_HARD  (BROLGA_MS / 2)
/* Blocks of records that a step visits, and the time between two steps. */
#define STEP_BLOCKS 32
#define STEP_PAUSE  (10 * BROLGA_MS)
/* Free stacks that a step sees to. */
#define STEP_STACKS 256
/* What a function may use below the stack pointer: the most of any ABI. */
#define RED_ZONE    128

static uint64_t after_ns(void)
{
    return brolga__hard_on ? AFTER_HARD : AFTER;
}

/* --- one task ----------------------------------------------------------- */

/* Tells a park from others of the task that lasted as long. Never 0. */
static uint32_t name_of_park(uint64_t since_ns)
{
    return (uint32_t)(since_ns >> 20) | 1;
}

static void discard_below(const struct brolga__ctx *ctx)
{
    size_t page = brolga__plat_page_bytes();
    uintptr_t end = (ctx->sp - RED_ZONE) & ~(uintptr_t)(page - 1);

    if (end > ctx->low)
        brolga__plat_discard((void *)ctx->low, end - ctx->low);
}

/* It was parked a moment ago. */
static void trim_task(brolga_task *task)
{
    if (!brolga__hold(task))
        return;
    if (task->ctx.sp != 0) /* It may wait without a stack. */
        discard_below(&task->ctx);
    task->trimmed = name_of_park(brolga__load_relaxed(&task->since_ns));
    brolga__unhold(task);
}

static void look_at(struct brolga__trim *trim, brolga_task *task,
                    uint64_t now_ns)
{
    uint64_t since_ns = brolga__load_relaxed(&task->since_ns);
    uint64_t due_ns = since_ns + after_ns();

    if (!brolga__permit_is_parked(brolga__load_relaxed(&task->permit)) ||
        task->trimmed == name_of_park(since_ns))
        return;
    if (due_ns <= now_ns)
        trim_task(task);
    else
        trim->due_ns = brolga__earlier(trim->due_ns, due_ns);
}

/* --- all of them -------------------------------------------------------- */

static uint64_t parks(struct brolga *rt)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < rt->worker_count; i++)
        sum += brolga__load_relaxed(&rt->workers[i].parks);
    return sum;
}

uint64_t brolga__trim_due(struct brolga *rt, uint64_t now_ns)
{
    struct brolga__trim *trim = &rt->trim;
    uint64_t sum;

    if (trim->next != NULL)
        return trim->step_ns;
    sum = parks(rt);
    if (trim->due_ns == BROLGA_FOREVER &&
        (sum != trim->parks || brolga__stacks_untrimmed(&rt->stacks))) {
        /* Who has counted, and is not parked yet, will be by then. */
        trim->parks = sum;
        trim->due_ns = now_ns + after_ns();
    }
    return trim->due_ns;
}

/* A bounded number of records. */
static void step(struct brolga__trim *trim, uint64_t now_ns)
{
    for (int n = 0; n < STEP_BLOCKS && trim->next != NULL; n++) {
        struct brolga__block *block = trim->next;

        if (block->task[0].is_fiber)
            for (unsigned i = 0; i < BROLGA__BLOCK_TASKS; i++)
                look_at(trim, &block->task[i], now_ns);
        trim->next = block->next;
    }
    trim->step_ns = now_ns + STEP_PAUSE;
}

static void sweep(struct brolga *rt, uint64_t now_ns)
{
    struct brolga__trim *trim = &rt->trim;

    if (brolga__trim_due(rt, now_ns) > now_ns)
        return;
    if (trim->next == NULL) {
        trim->next = brolga__load_acquire(&rt->blocks); /* AN */
        trim->due_ns = BROLGA_FOREVER;
    }
    brolga__stacks_trim(&rt->stacks, STEP_STACKS);
    step(trim, now_ns);
}

uint64_t brolga__trim(struct brolga *rt, uint64_t now_ns)
{
    uint64_t due_ns;

    brolga__reclaim_pause(rt->got); /* Nobody else holds tasks. */
    sweep(rt, now_ns);
    due_ns = brolga__trim_due(rt, now_ns);
    brolga__reclaim_resume(rt->got);
    return due_ns;
}
