/*
 * Second stacks: where a task ends that cannot end on its own, because that is
 * used up; its frames stay as they are for its tasks and handlers meanwhile.
 *
 * The handler of traps cannot take a stack, for that needs locks. So it has the
 * thread go on on its *emergency stack*, which every thread that runs tasks has
 * beside its signal stack. There, as ordinary code, the task gets its second
 * stack and moves to it; from then on it may park and wake up on other threads,
 * and its thread's emergency stack is free for the next task.
 *
 *   task->left    NULL: it is on its first stack. Else it lies at the top of
 *                 the second one, above its context:
 *   left->ctx     the context that was left: [ctx.sp, ctx.high) are the words
 *                 that may still be used, and are searched (scan.c)
 *   left->second  the second stack, as it came from the pool
 *   task->ctx     that of the stack it is on
 *
 * These are written by the task, while nobody may read its stack: it runs, and
 * not in foreign code. A task does this once at most, since it fails by it, and
 * one that has failed is not diverted again. In the end it goes back to the
 * base of its first stack, so that it is left as every task is.
 */
#include "tasks/tasks.h"

#include "plat.h"

#include <stdlib.h>

/* One stack of the pool for both: the emergency stack is the upper part. So an
 * overflow of the other one, by a host's handler for instance, still meets the
 * guard. Memory is used as it is touched. */
#define SIGNALS_BYTES   ((size_t)128 << 10)
#define EMERGENCY_BYTES ((size_t)32 << 10)
/* So that a stack still begins at a multiple of 16. */
#define LEFT_BYTES                                                             \
    brolga__round_up(sizeof(struct brolga__left), BROLGA__CACHE_LINE)

/* Without lazy allocation, for the signal handler; volatile, because that sees
 * it between any two instructions. */
static _Thread_local volatile uintptr_t emergency
    __attribute__((tls_model("initial-exec")));

void brolga__signal_stack_enter(struct brolga *rt,
                                struct brolga__signal_stack *out)
{
    uintptr_t end;

    out->taken = out->given = false;
    if (!rt->traps || brolga__stack_take(&rt->stacks, SIGNALS_BYTES,
                                         &out->stack) != BROLGA_OK)
        return;
    out->taken = true;
    end = out->stack.high - EMERGENCY_BYTES;
    out->given = brolga__plat_signal_stack_set(out->stack.low, end);
    emergency = out->stack.high;
}

void brolga__signal_stack_leave(struct brolga *rt,
                                const struct brolga__signal_stack *stack)
{
    if (!stack->taken)
        return;
    emergency = 0;
    if (stack->given)
        brolga__plat_signal_stack_unset();
    brolga__stack_put(&rt->stacks, &stack->stack);
}

/* Not inlined: callers may be fibers, which change threads. */
__attribute__((noinline)) uintptr_t brolga__emergency_stack(void)
{
    return emergency;
}

/* --- there and back ----------------------------------------------------- */

/* What is handed over; lies on the emergency stack. */
struct move {
    brolga_task *task;
    uintptr_t lowest;
    void (*entry)(void *arg);
    void *arg;
};

static void arrive(void *arg, struct brolga__passed passed)
{
    struct move move = *(const struct move *)arg;

    (void)passed;
    brolga__ctx_entered(&move.task->ctx);
    /* The switch has stored where it left the emergency stack. */
    move.task->left->ctx.sp = move.lowest;
    move.entry(move.arg);
}

int brolga__second_stack_enter(brolga_task *task, uintptr_t lowest,
                               void (*entry)(void *arg), void *arg)
{
    struct move move = {task, lowest, entry, arg};
    struct brolga__stack second;
    struct brolga__left *left;
    int err = brolga__stack_take(&task->rt->stacks, task->stack_bytes, &second);

    if (err != BROLGA_OK)
        return err;
    left = (struct brolga__left *)(second.high - LEFT_BYTES);
    brolga__note_stack(task, task->ctx.high - lowest);
    *left = (struct brolga__left){task->ctx, second};
    brolga__ctx_init(&task->ctx, second.low, (uintptr_t)left, arrive, &move);
    task->left = left;
    brolga__ctx_switch(&left->ctx, &task->ctx, false);
    abort(); /* Who comes back does so elsewhere: come_back(). */
}

/* At the base of the first stack. */
static void come_back(void *arg, struct brolga__passed passed)
{
    brolga_task *task = arg;
    struct brolga__left left = *task->left; /* It goes with the stack. */

    (void)passed;
    brolga__ctx_entered(&left.ctx);
    brolga__ctx_fini(&task->ctx);
    task->ctx = left.ctx;
    task->left = NULL;
    brolga__stack_put(&task->rt->stacks, &left.second);
    brolga__task_leave(task);
}

void brolga__second_stack_leave(brolga_task *task)
{
    brolga__ctx_aim(&task->left->ctx, task->stack.high, come_back, task);
    brolga__ctx_switch(&task->ctx, &task->left->ctx, true);
    abort(); /* Nobody switches back. */
}
