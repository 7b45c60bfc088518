/*
 * Goal: a task that has trapped ends on a sound stack (C8). What lies in its
 * frames stays as long as its tasks and its handlers may use it, units that are
 * on a stack it has left stay with it, and nothing is lost of the stacks.
 * Method: a task fills a large frame with a pattern, opens a scope with tasks
 * that look at it once they are canceled, defers handlers that look at it and
 * park, and calls a unit's code that traps or recurses for ever. In builds with
 * sanitizers, which have no traps, tasks move to a second stack of themselves.
 */
#define _XOPEN_SOURCE 700 /* Signal stacks. */
#include "tasks/world.h"

#include "plat.h"
#include "stacks.h"

#include <signal.h>
#include <string.h>

#define STACK_BYTES   ((size_t)256 << 10)
#define SMALL_BYTES   ((size_t)16 << 10)
#define CHILDREN      3
#define PATTERN_BYTES 2048

static const struct brolga_spawn_opts kinds[] = {
    {.name = "fiber", .stack_bytes = STACK_BYTES},
    {.name = "thread", .stack_bytes = STACK_BYTES, .thread = true},
};

/* --- a task that others look at while it ends --------------------------- */

/* What is found; the frame itself is on the task's stack. */
static struct {
    _Atomic int children;  /* That saw the pattern. */
    _Atomic int handlers;  /* So did these, before and after parking. */
    _Atomic int elsewhere; /* Those of them that ran on a second stack. */
    _Atomic int strays;    /* Handlers that did not run on their task's. */
} seen;

struct frame {
    unsigned char bytes[PATTERN_BYTES];
    _Atomic int arrived;
};

static bool intact(struct frame *frame)
{
    for (size_t i = 0; i < sizeof frame->bytes; i++)
        if (frame->bytes[i] != (unsigned char)(i * 7))
            return false;
    return true;
}

static brolga_word child(void *arg)
{
    struct frame *frame = arg;

    (void)brolga__add_release(&frame->arrived, 1);
    if (brolga_sleep_until(BROLGA_FOREVER) == BROLGA_ECANCELED && intact(frame))
        (void)brolga__add_release(&seen.children, 1);
    return 0;
}

static void look_and_park(void *arg)
{
    brolga_task *task = brolga_self();
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    bool before = intact(arg);

    if (brolga_sleep_until(brolga_after_ns(BROLGA_MS / 10)) == BROLGA_OK &&
        before && intact(arg))
        (void)brolga__add_release(&seen.handlers, 1);
    if (here < task->ctx.low || here >= task->ctx.high)
        (void)brolga__add_release(&seen.strays, 1);
    if (task->left != NULL)
        (void)brolga__add_release(&seen.elsewhere, 1);
}

static void open_all(struct frame *frame)
{
    brolga_scope *scope;

    for (size_t i = 0; i < sizeof frame->bytes; i++)
        frame->bytes[i] = (unsigned char)(i * 7);
    brolga__store_relaxed(&frame->arrived, 0);
    if (brolga_defer(look_and_park, frame) != BROLGA_OK ||
        brolga_scope_open(NULL, &scope) != BROLGA_OK ||
        brolga_defer(look_and_park, frame) != BROLGA_OK)
        abort();
    for (int i = 0; i < CHILDREN; i++)
        if (brolga_spawn(brolga_runtime(), child, frame, NULL, NULL) !=
            BROLGA_OK)
            abort();
    while (brolga__load_acquire(&frame->arrived) < CHILDREN)
        brolga_yield();
}

/* What it found, once the task has ended; `elsewhere` handlers of two. */
static void check_seen(int elsewhere)
{
    cr_assert_eq(brolga__load_acquire(&seen.children), CHILDREN);
    cr_assert_eq(brolga__load_acquire(&seen.handlers), 2);
    cr_assert_eq(brolga__load_acquire(&seen.strays), 0);
    cr_assert_eq(brolga__load_acquire(&seen.elsewhere), elsewhere);
    memset(&seen, 0, sizeof seen);
}

static struct brolga_failure failed(brolga_task *task)
{
    struct brolga_failure failure = {.task = 0};

    cr_assert_eq(
        brolga_join(task, brolga_after_ns(WAIT_LIMIT_NS), NULL, &failure),
        BROLGA_EFAILED);
    return failure;
}

/* --- the move itself, in every build ------------------------------------ */

static void finish(void *arg)
{
    static const struct brolga__why why = {.message = "moved"};
    brolga_task *task = arg;

    brolga__task_fail(task, BROLGA_FAILURE_PANIC, &why);
    brolga__task_finish(task);
    brolga__task_leave(task);
}

/* The lowest word of the frames above. */
__attribute__((noinline)) static int move_away(void)
{
    return brolga__second_stack_enter(brolga_self(),
                                      (uintptr_t)__builtin_frame_address(0),
                                      finish, brolga_self());
}

static brolga_word open_and_move(void *arg)
{
    struct frame frame;

    (void)arg;
    open_all(&frame);
    return move_away();
}

Test(second, a_task_ends_on_a_second_stack, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    for (int i = 0; i < 40; i++) {
        struct brolga_failure failure =
            failed(spawned_as(open_and_move, NULL, &kinds[i % 2]));

        cr_assert_str_eq(failure.message, "moved");
        check_seen(2);
    }
    cr_assert(wait_until(stacks_in_use(rt, STACK_BYTES) == 0));
}

static brolga_word move_without_memory(void *arg)
{
    int err;

    (void)arg;
    brolga__alloc_fail_nth(1);
    err = move_away();
    brolga__alloc_fail_nth(0);
    return brolga_self()->left == NULL ? err : 1;
}

Test(second, want_of_memory_is_said_and_changes_nothing, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    /* One stack of this size fills a chunk. */
    struct brolga_spawn_opts large = {.stack_bytes = 64 << 20};

    cr_assert_eq(joined(spawned_as(move_without_memory, NULL, &large)),
                 BROLGA_ENOMEM);
}

static brolga_word own_emergency(void *arg)
{
    (void)arg;
    return brolga__emergency_stack() != 0;
}

Test(second, every_thread_that_runs_tasks_has_an_emergency_stack, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    cr_assert_eq(joined(spawned(own_emergency, NULL)), rt->traps);
    cr_assert_eq(joined(spawned_as(own_emergency, NULL, &kinds[1])), rt->traps);
    cr_assert_eq(brolga__emergency_stack(), 0);
}

#if !defined(BROLGA__ASAN) && !defined(BROLGA__TSAN)

/* --- after a trap ------------------------------------------------------- */

static struct jit_unit illegal, recursion, next;

/* Published as m.illegal and m.recursion. */
static void open_units(void)
{
    world_open();
    cr_assert(jit_make_plain(&illegal, jit_illegal_code));
    cr_assert(jit_make_plain(&recursion, jit_recursion_code));
    (void)published("illegal", &illegal, BROLGA_RECLAIM, NULL);
    (void)published("recursion", &recursion, BROLGA_RECLAIM, NULL);
}

#define promise(name)                                                          \
    Test(second, name, .timeout = 60, .init = open_units, .fini = world_close)

static brolga_word open_and_call(void *code)
{
    struct frame frame;

    open_all(&frame);
    return jit_call(code, NULL);
}

static brolga_word open_block_and_call(void *code)
{
    struct frame frame;

    open_all(&frame);
    brolga_block_begin();
    return jit_call(code, NULL);
}

static void check_kind(brolga_task_fn fn, struct jit_unit *code,
                       const struct brolga_spawn_opts *opts,
                       enum brolga_failure_kind kind, int elsewhere)
{
    for (int i = 0; i < 10; i++) {
        struct brolga_failure failure =
            failed(spawned_as(fn, code->text, opts));

        cr_assert_eq(failure.kind, kind, "%s\n", failure.message);
        cr_assert_eq(failure.address - (uintptr_t)code->text, 0);
        check_seen(elsewhere);
    }
}

promise(c8_a_trap_leaves_the_frames_above_it)
{
    for (int i = 0; i < 2; i++) {
        check_kind(open_and_call, &illegal, &kinds[i], BROLGA_FAILURE_TRAP, 0);
        check_kind(open_block_and_call, &illegal, &kinds[i],
                   BROLGA_FAILURE_TRAP, 0);
    }
}

promise(c8_an_overflow_leaves_all_frames)
{
    for (int i = 0; i < 2; i++) {
        check_kind(open_and_call, &recursion, &kinds[i],
                   BROLGA_FAILURE_STACK_OVERFLOW, 2);
        check_kind(open_block_and_call, &recursion, &kinds[i],
                   BROLGA_FAILURE_STACK_OVERFLOW, 2);
    }
}

/* So little is left that handlers could overflow. */
promise(c8_a_trap_on_a_small_stack_ends_on_another)
{
    struct brolga_spawn_opts small = {.stack_bytes = SMALL_BYTES};

    check_kind(open_and_call, &illegal, &small, BROLGA_FAILURE_TRAP, 2);
    cr_assert(wait_until(stacks_in_use(rt, SMALL_BYTES) == 0));
}

static void panic_handler(void *arg)
{
    look_and_park(arg);
    brolga_panic("in a handler");
}

static brolga_word panic_in_handlers(void *code)
{
    struct frame frame;

    open_all(&frame);
    if (brolga_defer(panic_handler, &frame) != BROLGA_OK ||
        brolga_defer(panic_handler, &frame) != BROLGA_OK)
        abort();
    return jit_call(code, NULL);
}

promise(c8_panics_on_a_second_stack_stop_no_handler)
{
    for (int i = 0; i < 20; i++) {
        struct brolga_failure failure = failed(
            spawned_as(panic_in_handlers, recursion.text, &kinds[i % 2]));

        cr_assert_eq(failure.kind, BROLGA_FAILURE_STACK_OVERFLOW);
        cr_assert_eq(brolga__load_acquire(&seen.handlers), 4);
        cr_assert_eq(brolga__load_acquire(&seen.elsewhere), 4);
        memset(&seen, 0, sizeof seen);
    }
}

static void trap_handler(void *code)
{
    (void)jit_call(code, NULL);
}

static brolga_word trap_in_a_handler(void *code)
{
    static struct frame frame; /* It has returned by then. */

    open_all(&frame);
    return brolga_defer(trap_handler, code);
}

/* A task that has not failed until then. */
promise(c8_a_trap_in_a_handler_stops_no_other)
{
    for (int i = 0; i < 2; i++) {
        check_kind(trap_in_a_handler, &illegal, &kinds[i], BROLGA_FAILURE_TRAP,
                   0);
        check_kind(trap_in_a_handler, &recursion, &kinds[i],
                   BROLGA_FAILURE_STACK_OVERFLOW, 2);
    }
}

/* --- what the stack that was left holds --------------------------------- */

static struct gate handler_gate;

static void wait_at_gate(void *arg)
{
    (void)gate_park(arg);
}

/* Calls the code that overflows from a frame of the unit `outer`. */
static brolga_word overflow_to_gate(void *outer)
{
    union {
        void *address;
        brolga_task_fn fn;
    } deep = {recursion.text};
    struct jit_call call = {deep.fn, NULL};

    if (brolga_defer(wait_at_gate, &handler_gate) != BROLGA_OK)
        abort();
    return jit_call(outer, &call);
}

struct holders {
    brolga_task *task;
    int frames;
};

static void count_frames(void *arg, const struct brolga_holder *holder)
{
    struct holders *holders = arg;

    if (holder->task == brolga_task_id(holders->task) &&
        holder->reason == BROLGA_HOLD_FRAME &&
        strcmp(holder->unit, "outer") == 0)
        holders->frames++;
}

static bool held_by(brolga_task *task)
{
    struct holders holders = {.task = task};

    (void)brolga_reclaim_step(rt);
    (void)brolga_holders(rt, count_frames, &holders);
    return holders.frames > 0;
}

static void check_held(const struct brolga_spawn_opts *opts)
{
    static struct jit_unit outer;
    brolga_task *task;

    (void)published_caller("outer", &outer, 0);
    memset(&handler_gate, 0, sizeof handler_gate);
    task = spawned_as(overflow_to_gate, outer.text, opts);
    cr_assert(gate_reached(&handler_gate));
    (void)published_constant("outer", &next, 1);
    cr_assert(wait_until(held_by(task)));
    cr_assert(stays(&outer));
    gate_open_for(&handler_gate, task);
    (void)failed(task);
    cr_assert(released(&outer));
}

promise(c5_frames_on_the_stack_that_was_left_hold_their_unit)
{
    check_held(&kinds[0]);
}

promise(c5_those_of_a_thread_do_too)
{
    check_held(&kinds[1]);
}

/* --- signal stacks of the host ------------------------------------------ */

Test(second, c8_a_host_with_a_signal_stack_keeps_it, .timeout = 30,
     .fini = world_close)
{
    static char bytes[64 << 10];
    stack_t own = {.ss_sp = bytes, .ss_size = sizeof bytes}, now;
    brolga_task *task;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    cr_assert_eq(sigaltstack(&own, NULL), 0);
    cr_assert(jit_make_plain(&recursion, jit_recursion_code));
    (void)published("recursion", &recursion, BROLGA_RECLAIM, NULL);
    task = spawned_as(open_and_call, recursion.text, &kinds[0]);
    (void)brolga_drive(rt, BROLGA_FOREVER);
    while (brolga_tasks_live(rt) > 0)
        (void)brolga_drive(rt, BROLGA_FOREVER);
    cr_assert_eq(failed(task).kind, BROLGA_FAILURE_STACK_OVERFLOW);
    check_seen(2);
    cr_assert_eq(sigaltstack(NULL, &now), 0);
    cr_assert_eq(now.ss_sp, (void *)bytes);
    (void)sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
}

static struct sigaction in_front;

static void pass_to_front(int number, siginfo_t *info, void *context)
{
    in_front.sa_sigaction(number, info, context);
}

/* So that our handler runs on the stack that has trapped, and the context to
 * return to lies there, too. */
promise(c8_a_handler_in_front_of_ours_need_not_use_a_signal_stack)
{
    struct sigaction action = {.sa_sigaction = pass_to_front,
                               .sa_flags = SA_SIGINFO};

    cr_assert_eq(sigaction(SIGILL, &action, &in_front), 0);
    for (int i = 0; i < 2; i++)
        check_kind(open_and_call, &illegal, &kinds[i], BROLGA_FAILURE_TRAP, 2);
    cr_assert_eq(sigaction(SIGILL, &in_front, NULL), 0);
}

#endif
