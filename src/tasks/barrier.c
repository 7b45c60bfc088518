/*
 * Barrier commits, as far as they are the tasks' business: see got/barrier.c.
 *
 * The task that commits is in foreign code while it waits, so that its worker
 * runs others and its member is offline: it stands.
 *
 * Who has not come is found by looking on, while the others stand: a task that
 * runs, and does not stand at the gate (safepoint.c says so), or one that stays
 * in a version that it holds. What is read was true a moment ago; it goes into
 * a report, and nothing else rests on it.
 */
#include "tasks/tasks.h"

#include "plat.h"
#include "shield.h"

#include <stdio.h>
#include <string.h>

void brolga__barrier_wait_begin(void *rt)
{
    (void)rt;
    if (brolga__self() != NULL)
        brolga_block_begin();
}

void brolga__barrier_wait_end(void *rt)
{
    (void)rt;
    if (brolga__self() != NULL)
        brolga_block_end();
}

/* --- who has not come --------------------------------------------------- */

struct blame {
    struct brolga *rt;
    struct brolga_report *report;
    unsigned missing;
};

static bool is_parked(brolga_task *task)
{
    return brolga__load_relaxed(&task->permit) != BROLGA__RUNNING &&
           brolga__load_relaxed(&task->permit) != BROLGA__NOTIFIED;
}

static bool has_started(brolga_task *task)
{
    return brolga__load_relaxed(&task->watermark) != BROLGA__NOT_STARTED;
}

/* It runs, and does not stand at the gate. */
static bool runs(brolga_task *task)
{
    if (brolga__load_relaxed(&task->kind) == BROLGA__FIBER &&
        brolga__load_relaxed(&task->carrier) == NULL)
        return false;
    return brolga__load_relaxed(&task->parked_in) == NULL && !is_parked(task) &&
           brolga__load_relaxed(&task->blocked) == BROLGA__NOT_BLOCKED;
}

/* It stays in a version, and is not at the gate. */
static bool stays(brolga_task *task)
{
    return brolga__load_relaxed(&task->adopt_at_top) &&
           !brolga__load_relaxed(&task->top) &&
           brolga__load_relaxed(&task->parked_in) != brolga__at_gate;
}

/* The innermost function on a stack that is of a unit, or of one that leaves,
 * or "". False if there is none. The stack rests. */
__attribute__((no_sanitize("address", "thread"))) static bool
find_function(struct brolga *rt, uintptr_t sp, uintptr_t high, bool leaves,
              char *text, size_t bytes)
{
    const uintptr_t *word = (const uintptr_t *)sp;
    const uintptr_t *end = (const uintptr_t *)high;

    for (; word < end; word++) {
        struct brolga_unit *unit = brolga__ranges_find(rt->got, *word);

        if (unit == NULL || (leaves && !unit->leaves))
            continue;
        brolga__unit_describe(unit, *word, text, bytes);
        return true;
    }
    return false;
}

/* The same of one that runs, by asking it. */
static void sample_function(struct brolga *rt, brolga_task *task, char *text,
                            size_t bytes)
{
    uintptr_t address = brolga__sample(rt, task);
    struct brolga_unit *unit =
        address == 0 ? NULL : brolga__ranges_find(rt->got, address);

    if (unit != NULL)
        brolga__unit_describe(unit, address, text, bytes);
}

/* The reclaimer is paused: no unit goes away, and tasks may be held. */
static void tell_function(struct brolga *rt, brolga_task *task, bool runs_on,
                          struct brolga_report *report)
{
    if (runs_on) {
        sample_function(rt, task, report->function, sizeof report->function);
        return;
    }
    if (!brolga__hold(task))
        return;
    (void)find_function(rt, task->ctx.sp, task->ctx.high, false,
                        report->function, sizeof report->function);
    brolga__unhold(task);
}

static void name(struct blame *blame, brolga_task *task, bool runs_on)
{
    struct brolga_report *report = blame->report;
    const char *parked_in = brolga__load_relaxed(&task->parked_in);
    int used;

    (void)brolga__identity(task, &report->task, report->task_name);
    tell_function(blame->rt, task, runs_on, report);
    used = snprintf(report->text, sizeof report->text, "task %llu '%s' ",
                    (unsigned long long)report->task, report->task_name);
    if (runs_on)
        (void)snprintf(report->text + used, sizeof report->text - (size_t)used,
                       "has not come to a safepoint%s%s",
                       report->function[0] != '\0' ? ": it runs in " : "",
                       report->function);
    else
        (void)snprintf(report->text + used, sizeof report->text - (size_t)used,
                       "has not come to a top safepoint%s%s%s%s",
                       report->function[0] != '\0' ? ": it is in " : "",
                       report->function,
                       parked_in != NULL ? ", parked in " : "",
                       parked_in != NULL ? parked_in : "");
}

static void look_at(void *arg, brolga_task *task)
{
    struct blame *blame = arg;
    bool runs_on = runs(task);

    if (!has_started(task) || (!runs_on && !stays(task)))
        return;
    if (blame->missing++ == 0)
        name(blame, task, runs_on);
}

void brolga__barrier_blame(void *arg, struct brolga_report *report)
{
    struct blame blame = {.rt = arg, .report = report};
    size_t used;

    brolga__shield_raise(); /* Units' describe() under a lock. */
    brolga__reclaim_pause(blame.rt->got);
    brolga__walk(blame.rt, look_at, &blame);
    brolga__reclaim_resume(blame.rt->got);
    brolga__shield_lower();
    used = strlen(report->text);
    if (blame.missing > 1)
        (void)snprintf(report->text + used, sizeof report->text - used,
                       "; nor ha%s %u other%s", blame.missing == 2 ? "s" : "ve",
                       blame.missing - 1, blame.missing == 2 ? "" : "s");
}

/* --- who would go on in old code ---------------------------------------- */

/*
 * All stand, so that nobody runs on the stacks that are read here. Where they
 * end is told by who is on a thread (spilled): it stands there, or is in
 * foreign code, or is a thread of its own that sleeps. All others have been
 * switched out.
 */
static uintptr_t lowest_frame(const brolga_task *task)
{
    const struct brolga__spilled *spilled = task->spilled;

    return spilled != NULL && spilled->sp != 0 ? spilled->sp : task->ctx.sp;
}

static bool holds_old_code(struct brolga *rt, brolga_task *task, char *function,
                           size_t bytes)
{
    uintptr_t sp = lowest_frame(task);
    const struct brolga__left *left = task->left;

    if (brolga__load_relaxed(&task->top) || sp == 0)
        return false;
    return find_function(rt, sp, task->ctx.high, true, function, bytes) ||
           (left != NULL && find_function(rt, left->ctx.sp, left->ctx.high,
                                          true, function, bytes));
}

/* It has not begun: what it will begin with. */
static bool begins_in_old_code(brolga_task *task, char *function, size_t bytes)
{
    struct brolga_unit *unit = brolga__load_relaxed(&task->pinned);

    if (unit == NULL || !unit->leaves)
        return false;
    brolga__unit_describe(unit, (uintptr_t)task->fn, function, bytes);
    return true;
}

static void look_for_old_code(void *arg, brolga_task *task)
{
    struct blame *blame = arg;
    struct brolga_report *report = blame->report;
    char function[sizeof report->function] = "";
    bool old = has_started(task)
                   ? holds_old_code(blame->rt, task, function, sizeof function)
                   : begins_in_old_code(task, function, sizeof function);

    if (!old || blame->missing++ > 0)
        return;
    (void)brolga__identity(task, &report->task, report->task_name);
    memcpy(report->function, function, sizeof function);
    (void)snprintf(report->text, sizeof report->text,
                   "task %llu '%s' goes on in code that is replaced%s%s",
                   (unsigned long long)report->task, report->task_name,
                   function[0] != '\0' ? ": " : "", function);
}

bool brolga__barrier_stays(void *arg, struct brolga_report *report)
{
    struct blame blame = {.rt = arg, .report = report};

    brolga__shield_raise(); /* Units' describe() under a lock. */
    brolga__reclaim_pause(blame.rt->got);
    brolga__walk(blame.rt, look_for_old_code, &blame);
    brolga__reclaim_resume(blame.rt->got);
    brolga__shield_lower();
    return blame.missing > 0;
}
