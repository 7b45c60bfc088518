/*
 * Goal: C8 while code is being replaced. Every trap in a unit's code fails its
 * task, and only that, whether the unit is live or retired by then; and a unit
 * in which tasks have failed is released like any other.
 * Method: parents, which are fibers or threads, spawn children that call a slot
 * whose code traps: at once, between block_begin() and _end(), or after they
 * have kept the address across a few safepoints, from a frame in the unit of
 * another slot; every other one with a task in a scope and a handler that look
 * at its frame while it ends; some have heaps, and objects in them. Meanwhile a
 * thread replaces both units as fast as it can. A failure must name the address
 * and be of the kind that the code has; in the end no unit is left, nor a
 * stack, an object or a descriptor lost.
 */
#include "race/reloads.h"
#include "stacks.h"
#include "wait_until.h"

#include "tasks/tasks.h"
#include "units.h"

#include <brolga/copy.h>

#define PARENTS     6
#define STACK_BYTES ((size_t)64 << 10)

static brolga *rt;
static brolga_slot trap, caller;
static _Atomic bool stop;

struct parent {
    uint64_t random;
    uint64_t failures;
};

static brolga_word trap_now(void *arg)
{
    (void)arg;
    return jit_call(brolga_view_self()->slots[trap], NULL);
}

static brolga_word trap_in_bracket(void *arg)
{
    const void *code = brolga_view_self()->slots[trap];

    (void)arg;
    brolga_block_begin();
    return jit_call(code, NULL);
}

/* The address lies on the stack meanwhile, which keeps its unit. */
static brolga_word trap_late(void *arg)
{
    const void *code = brolga_view_self()->slots[trap];

    (void)arg;
    for (int i = 0; i < 3; i++)
        brolga_yield();
    return jit_call(code, NULL);
}

static brolga_word trap_below_a_frame(void *arg)
{
    struct jit_call call = {trap_late, arg};

    return jit_call(brolga_view_self()->slots[caller], &call);
}

/* --- those who look at the frame of one that ends ----------------------- */

struct company {
    brolga_task_fn way;
    bool heap; /* of the task that fails: */
    _Atomic uint32_t looks;
};

struct frame {
    struct company *company;
    uintptr_t words[64];
};

static void look_at_frame(struct frame *frame)
{
    for (size_t i = 0; i < brolga__lengthof(frame->words); i++)
        race_check(frame->words[i] == (uintptr_t)frame + i,
                   "word %zu of a frame has changed", i);
    (void)brolga__add_release(&frame->company->looks, 1);
}

static brolga_word look_once_canceled(void *arg)
{
    race_check(brolga_sleep_until(BROLGA_FOREVER) == BROLGA_ECANCELED,
               "not canceled");
    look_at_frame(arg);
    return 0;
}

static void look_at_end(void *arg)
{
    look_at_frame(arg);
    brolga_yield();
    race_ok(brolga_sleep_until(brolga_after_ns(10 * BROLGA_US)));
    look_at_frame(arg);
}

/* Objects that nobody drops. */
static void make_objects(void)
{
    struct brolga_model model = brolga_model_cranelisp();

    for (int i = 0; i < 100; i++)
        race_check(model.alloc(8 * i, model.arg) != 0, "%d", i);
}

static brolga_word in_company(void *arg)
{
    struct frame frame = {.company = arg};
    brolga_scope *scope;

    if (frame.company->heap)
        make_objects();
    for (size_t i = 0; i < brolga__lengthof(frame.words); i++)
        frame.words[i] = (uintptr_t)&frame + i;
    race_ok(brolga_defer(look_at_end, &frame));
    race_ok(brolga_scope_open(NULL, &scope));
    race_ok(brolga_spawn(rt, look_once_canceled, &frame, NULL, NULL));
    return frame.company->way(NULL);
}

/* --- failures ----------------------------------------------------------- */

static void look_at_failure(const struct brolga_failure *failure)
{
    bool overflow = strncmp(failure->message, "stack overflow in ", 18) == 0;

    race_check(failure->kind == (overflow ? BROLGA_FAILURE_STACK_OVERFLOW
                                          : BROLGA_FAILURE_TRAP),
               "kind %d: %s", failure->kind, failure->message);
    race_check(overflow || strncmp(failure->message, "SIG", 3) == 0, "%s",
               failure->message);
    race_check(strstr(failure->message, "unit 'trap#") != NULL, "%s",
               failure->message);
    race_check(failure->address != 0, "%s", failure->message);
}

static void have_a_child_fail(struct parent *parent)
{
    static const brolga_task_fn ways[] = {trap_now, trap_in_bracket, trap_late,
                                          trap_below_a_frame};
    uint64_t random = race_random(&parent->random);
    struct brolga_spawn_opts opts = {.thread = random % 8 == 0,
                                     .adopt_at_top = random / 8 % 4 == 0,
                                     .stack_bytes = STACK_BYTES,
                                     .heap = random / 256 % 2 == 0};
    struct company company = {.way = ways[random / 32 % 4], .heap = opts.heap};
    bool alone = random / 128 % 2 == 0;
    struct brolga_failure failure;
    brolga_task *child;

    race_ok(brolga_spawn(rt, alone ? company.way : in_company, &company, &opts,
                         &child));
    race_check(brolga_join(child, BROLGA_FOREVER, NULL, &failure) ==
                   BROLGA_EFAILED,
               "a child has not failed");
    look_at_failure(&failure);
    race_check(brolga__load_acquire(&company.looks) == (alone ? 0 : 3),
               "%u looks", brolga__load_relaxed(&company.looks));
    parent->failures++;
}

static brolga_word run(void *arg)
{
    struct parent *parent = arg;

    while (!brolga__load_relaxed(&stop))
        have_a_child_fail(parent);
    return 0;
}

static void stage_trap(brolga_txn *txn, brolga_word number)
{
    struct storm_unit *unit = storm_unit_new();

    race_check(number % 3 == 0 ? jit_make_plain(&unit->jit, jit_illegal_code)
               : number % 3 == 1
                   ? jit_make_plain(&unit->jit, jit_store_code)
                   : jit_make_plain(&unit->jit, jit_recursion_code),
               "no page for code");
    storm_stage_unit(txn, unit, "trap", "run", "int()", number, NULL);
}

static bool commit_one(brolga_word number)
{
    brolga_txn *txn;

    race_ok(brolga_txn_begin(brolga_runtime_got(rt), &txn));
    stage_trap(txn, number);
    storm_stage(txn, "caller", "run", "int()", true, number, NULL);
    return storm_commit(txn);
}

static size_t bytes_at_half; /* Resident then. */

static brolga_word commit_all(void)
{
    uint64_t now_ns = brolga_now_ns();
    uint64_t half_ns = now_ns + (race.end_ns - now_ns) / 2;
    brolga_word number = 0;

    while (!race_over()) {
        if (bytes_at_half == 0 && brolga_now_ns() >= half_ns)
            bytes_at_half = resident_bytes();
        if (commit_one(number + 1))
            number++;
        else
            sched_yield();
    }
    return number;
}

static void look_for_leaks(int open)
{
    size_t bytes = resident_bytes();

    race_check(wait_until(stacks_in_use(rt, STACK_BYTES) == 0), "%zu stacks",
               stacks_in_use(rt, STACK_BYTES));
    race_check(descriptors() == open, "%d descriptors, %d before",
               descriptors(), open);
    race_check(bytes < bytes_at_half + (16 << 20), "%zu KiB, %zu before",
               bytes >> 10, bytes_at_half >> 10);
}

int main(int argc, char **argv)
{
    struct parent parent[PARENTS];
    brolga_task *task[PARENTS];
    brolga_word commits;
    uint64_t failures = 0;
    int open;

    race_begin(argc, argv);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    open = descriptors();
    race_check(commit_one(0), "first commit");
    trap = storm_slot(brolga_runtime_got(rt), "trap", "run");
    caller = storm_slot(brolga_runtime_got(rt), "caller", "run");
    for (unsigned i = 0; i < PARENTS; i++) {
        parent[i] = (struct parent){.random = race_state(i)};
        race_ok(brolga_spawn(rt, run, &parent[i],
                             &(struct brolga_spawn_opts){.thread = i == 0},
                             &task[i]));
    }
    commits = commit_all();
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < PARENTS; i++) {
        race_ok(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL));
        race_check(parent[i].failures > 0, "parent %u had no child", i);
        failures += parent[i].failures;
    }
    storm_settle(rt, 2);
    look_for_leaks(open);
    race_check(commits > 3, "only %lld commits", (long long)commits);
    race_ok(brolga_destroy(rt));
    race_check(brolga__units_taken() == 0, "%zu units of heaps are left",
               brolga__units_taken());
    printf("%llu failures, %lld versions\n", (unsigned long long)failures,
           (long long)commits);
    return 0;
}
