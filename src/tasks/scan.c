/*
 * The search of stacks. A task that has not run yet, or has ended, has a
 * watermark that is above all stamps. A record may get its next task while we
 * look at it: that one starts at a top safepoint, after the suspects were
 * published, so it holds none of them, and what was found of its predecessor
 * only keeps a unit a little longer.
 *
 * Who may read a stack: the task itself, at a safepoint; the carrier that is
 * about to run it; the reclaimer, when it has moved the permit from PARKED to
 * SCANNING, or `blocked` from BLOCKED to BLOCKED_SCANNING. Running and queued
 * tasks are left to look at themselves at their next safepoint, which a new
 * round brings about.
 *
 * A parked fiber whose stack holds no code of any unit rests (wait.c), and is
 * passed over until it is woken: so tasks that hold nothing cost nothing. Units
 * that are made meanwhile cannot get onto its stack.
 *
 *   N  A reclaimer that reads a watermark comes after the task's uses of what
 *      the watermark excludes: release store -> acquire load in look_at().
 */
#include "tasks/tasks.h"

#include "alloc.h"
#include "plat.h"
#include "shield.h"

#include <stdio.h>
#include <string.h>

/* --- reading one stack -------------------------------------------------- */

/* Writes down what was found; a clean stack gets a new watermark. */
static void conclude(brolga_task *task, const struct brolga__suspects *set,
                     const struct brolga__found *found)
{
    brolga__lock_take(&task->holds_lock);
    task->holds.set = set->generation;
    task->holds.parks = task->parks;
    task->holds.found = *found;
    brolga__lock_leave(&task->holds_lock);
    if (found->count == 0)
        brolga__store_release(&task->watermark, set->stamp); /* N */
}

/* The words from `sp` up, and what lies on a stack that was left (second.c). */
static void read_from(brolga_task *task, const struct brolga__suspects *set,
                      uintptr_t sp, struct brolga__found *found)
{
    brolga__suspects_scan(set, sp, task->ctx.high, found);
    if (task->left != NULL)
        brolga__suspects_scan(set, task->left->ctx.sp, task->left->ctx.high,
                              found);
}

/*
 * A search works on a task's stack, as a rule, and handles what it looks for:
 * addresses in old code. Frames that are gone keep their words, and those of
 * later calls have holes, through which the next search would see them. So
 * these frames are overwritten, with the function that was called here.
 */
#define WIPED_BYTES 1024

__attribute__((noinline)) static void wipe(void)
{
    volatile uintptr_t words[WIPED_BYTES / sizeof(uintptr_t)];

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = 0;
}

__attribute__((noinline)) static void
search_stack(brolga_task *task, const struct brolga__suspects *set,
             uintptr_t sp)
{
    struct brolga__found found = {0};

    read_from(task, set, sp, &found);
    conclude(task, set, &found);
}

void brolga__scan_stack(brolga_task *task, const struct brolga__suspects *set,
                        uintptr_t sp)
{
    search_stack(task, set, sp);
    wipe();
}

static void read_blocked(brolga_task *task, const struct brolga__suspects *set)
{
    struct brolga__found found = {0};
    const struct brolga__spilled *spilled = task->spilled;
    uintptr_t registers = (uintptr_t)spilled->word;

    brolga__suspects_scan(set, registers, registers + sizeof spilled->word,
                          &found);
    read_from(task, set, spilled->sp, &found);
    conclude(task, set, &found);
}

/* --- the reclaimer's look ----------------------------------------------- */

struct look {
    struct brolga *rt;
    const struct brolga__suspects *set;
    struct brolga__suspects *all; /* All units; NULL: not known. */
};

/*
 * Whether a fiber that is held has no address of any unit on its stack: then it
 * needs no other look until it is woken. What it had in its frames before it
 * parked was a unit's before we held it, so we see it counted.
 */
static bool holds_nothing(const struct look *look, brolga_task *task)
{
    struct brolga__found found = {0};
    bool nothing;

    if (look->all == NULL || !task->is_fiber ||
        (task->holds_some && task->holds.parks == task->parks))
        return false;
    if (brolga__load_relaxed(&task->top))
        return true;
    read_from(task, look->all, task->ctx.sp, &found);
    nothing =
        found.count == 0 && brolga__load_relaxed(&look->rt->got->units_made) ==
                                look->all->generation;
    task->holds_some = !nothing;
    return nothing;
}

/* What the last scan found, if it was for this set. */
static bool known(brolga_task *task, const struct brolga__suspects *set,
                  bool same_park, struct brolga__found *found)
{
    bool is;

    brolga__lock_take(&task->holds_lock);
    is = task->holds.set == set->generation &&
         (!same_park || task->holds.parks == task->parks);
    *found = task->holds.found;
    brolga__lock_leave(&task->holds_lock);
    return is;
}

/* Reads the stack of a task that is parked, unless it woke up. */
static bool look_at_parked(const struct look *look, brolga_task *task,
                           struct brolga__found *found)
{
    const struct brolga__suspects *set = look->set;

    if (!brolga__hold(task))
        return false;
    if (holds_nothing(look, task)) {
        found->count = 0;
        brolga__store_release(&task->watermark, set->stamp); /* N */
        brolga__unhold_resting(task);
        wipe();
        return true;
    }
    if (brolga__load_relaxed(&task->top)) {
        brolga__store_release(&task->watermark, set->stamp); /* N */
        found->count = 0;
    } else if (!known(task, set, true, found)) {
        brolga__scan_stack(task, set, task->ctx.sp);
        (void)known(task, set, true, found);
    }
    brolga__unhold(task);
    return true;
}

static bool look_at_blocked(brolga_task *task,
                            const struct brolga__suspects *set,
                            struct brolga__found *found)
{
    uint32_t blocked = BROLGA__BLOCKED;

    if (!brolga__cas_acq_rel(&task->blocked, &blocked,
                             BROLGA__BLOCKED_SCANNING)) /* Y: begin */
        return false;
    read_blocked(task, set);
    (void)known(task, set, false, found);
    brolga__store_release(&task->blocked, BROLGA__BLOCKED); /* Y: end */
    return true;
}

static void look_at(void *arg, brolga_task *task)
{
    struct look *look = arg;
    const struct brolga__suspects *set = look->set;
    struct brolga_got *got = look->rt->got;
    uint64_t watermark = brolga__load_acquire(&task->watermark); /* N */
    struct brolga__found found = {0};

    if (watermark >= set->stamp)
        return;
    if (look_at_parked(look, task, &found) ||
        look_at_blocked(task, set, &found)) {
        brolga__reclaim_held(got, set, &found);
        return;
    }
    /* It runs, or will, and looks at itself then. What it found there since
     * this set was published is all that it can hold; else it may be all. */
    watermark = brolga__load_acquire(&task->watermark); /* N */
    if (known(task, set, false, &found)) {
        brolga__reclaim_held(got, set, &found);
        watermark = set->stamp;
    }
    brolga__reclaim_unseen(got, set, watermark);
}

void brolga__scan_look(void *arg, const struct brolga__suspects *set)
{
    struct brolga *rt = arg;
    struct look look = {rt, set, brolga__suspects_all(rt->got)};

    brolga__walk_restless(rt, look_at, &look);
    brolga__free(look.all);
}

/* --- who holds what ----------------------------------------------------- */

#define REPORTED_UNITS 64

struct reported {
    struct brolga_unit *unit; /* Alive while the reclaimer pauses. */
    uint64_t dead_stamp;
    uint64_t pins; /* Those that were not told yet. */
    bool suspect, version_alive;
};

struct report {
    struct brolga *rt;
    void (*visit)(void *arg, const struct brolga_holder *holder);
    void *arg;
    size_t visited;
    uint64_t set; /* The generation that the bits belong to; 0: none. */
    uint32_t count;
    struct reported unit[REPORTED_UNITS];
};

static void collect(void *arg, struct brolga_unit *unit, bool version_alive)
{
    struct report *report = arg;

    if (report->count == REPORTED_UNITS)
        return;
    report->unit[report->count++] = (struct reported){
        .unit = unit,
        .dead_stamp = unit->dead_stamp,
        .pins = brolga__load_relaxed(&unit->pins) & BROLGA__PINS_MASK,
        .suspect = unit->state == BROLGA__UNIT_SUSPECT,
        .version_alive = version_alive};
}

static void tell(struct report *report, const struct reported *unit,
                 struct brolga_holder *holder)
{
    holder->version = unit->unit->last_version;
    holder->unit = unit->unit->name;
    holder->since_ns = unit->unit->retired_ns;
    report->visit(report->arg, holder);
    report->visited++;
}

static void describe(brolga_task *task, struct brolga_holder *holder)
{
    (void)brolga__identity(task, &holder->task, holder->task_name);
    holder->parked_in = brolga__load_relaxed(&task->parked_in);
}

static enum brolga_hold frame_reason(brolga_task *task)
{
    if (brolga__load_relaxed(&task->blocked) != BROLGA__NOT_BLOCKED)
        return BROLGA_HOLD_BLOCKED;
    return BROLGA_HOLD_FRAME;
}

static void tell_frame(struct report *report, const struct reported *unit,
                       brolga_task *task, const struct brolga__holds *holds)
{
    struct brolga_holder holder = {.reason = frame_reason(task)};

    describe(task, &holder);
    for (uint32_t i = 0; i < holds->found.count; i++)
        if (holds->found.suspect[i] == unit->unit->suspect)
            holder.address = holds->found.address[i];
    if (holder.address != 0)
        brolga__unit_describe(unit->unit, holder.address, holder.function,
                              sizeof holder.function);
    tell(report, unit, &holder);
}

/* Whether a task keeps a version alive: it runs and has not been at a safepoint
 * since, or it stays in it. Any other parked task is in none. */
static bool keeps_version(brolga_task *task, uint64_t last_version)
{
    bool runs = brolga__load_relaxed(&task->kind) != BROLGA__FIBER ||
                brolga__load_relaxed(&task->carrier) != NULL;

    if (brolga__load_relaxed(&task->in_version) > last_version)
        return false;
    return brolga__load_relaxed(&task->adopt_at_top) ||
           (runs && brolga__load_relaxed(&task->parked_in) == NULL);
}

static void tell_running(struct report *report, const struct reported *unit,
                         brolga_task *task, enum brolga_hold reason)
{
    struct brolga_holder holder = {.reason = reason};

    describe(task, &holder);
    tell(report, unit, &holder);
}

static bool holds_suspect(const struct brolga__found *found, uint32_t suspect)
{
    for (uint32_t i = 0; i < found->count; i++)
        if (found->suspect[i] == suspect)
            return true;
    return found->more;
}

/* --- pins --- */

/* Tells of pins that are alike, and of one task or none. */
static void tell_pins(struct report *report, struct reported *unit,
                      brolga_task *task, const char *what, uint64_t pins)
{
    struct brolga_holder holder = {.reason = BROLGA_HOLD_PIN, .pins = pins};

    if (task != NULL)
        describe(task, &holder);
    (void)snprintf(holder.what, sizeof holder.what, "%s", what);
    tell(report, unit, &holder);
    /* They are counted one after the other, while others make and end some. */
    unit->pins -= pins < unit->pins ? pins : unit->pins;
}

/* How many of a task's cleanup handlers are the unit's. */
static uint64_t handlers_in(brolga_task *task, const struct brolga_unit *unit)
{
    uint64_t count = 0;

    brolga__lock_take(&task->holds_lock);
    for (const struct brolga__defer *at = task->defers; at; at = at->next)
        count += at->pinned == unit;
    brolga__lock_leave(&task->holds_lock);
    return count;
}

static void report_task_pins(struct report *report, brolga_task *task)
{
    for (uint32_t i = 0; i < report->count; i++) {
        struct reported *unit = &report->unit[i];
        uint64_t handlers;

        if (unit->pins == 0)
            continue;
        handlers = handlers_in(task, unit->unit);
        if (handlers > 0)
            tell_pins(report, unit, task, "cleanup handler", handlers);
        if (brolga__load_relaxed(&task->pinned) == unit->unit)
            tell_pins(report, unit, task, "function to be called", 1);
    }
}

static void report_named_pins(struct report *report)
{
    char reason[64];

    /* Ends: others' pins are few, and made in front of what was told. */
    for (uint32_t i = 0; i < report->count; i++)
        for (size_t n = 0; report->unit[i].pins > 0 &&
                           brolga__unit_pin_reason(report->unit[i].unit, n,
                                                   reason, sizeof reason);
             n++)
            tell_pins(report, &report->unit[i], NULL, reason, 1);
}

/* Those that nobody has said anything about: closures, and the host's. */
static void report_other_pins(struct report *report)
{
    for (uint32_t i = 0; i < report->count; i++)
        if (report->unit[i].pins > 0)
            tell_pins(report, &report->unit[i], NULL, "", report->unit[i].pins);
}

static void report_signals(struct report *report)
{
    uintptr_t handler[BROLGA__SIGNALS];
    char name[32], what[64];

    brolga__plat_signal_handlers(handler);
    for (uint32_t i = 0; i < report->count; i++)
        for (int n = 0; n < BROLGA__SIGNALS; n++) {
            struct reported *unit = &report->unit[i];

            if (handler[n] < unit->unit->low || handler[n] >= unit->unit->high)
                continue;
            brolga__plat_signal_name(n, name, sizeof name);
            (void)snprintf(what, sizeof what, "handler of %s", name);
            tell_pins(report, unit, NULL, what, 0);
        }
}

/* --- all of a task --- */

static void report_task(void *arg, brolga_task *task)
{
    struct report *report = arg;
    struct brolga__holds holds;
    uint64_t watermark = brolga__load_acquire(&task->watermark); /* N */

    bool rests = brolga__load_acquire(&task->permit) == BROLGA__RESTING; /* M */

    report_task_pins(report, task);
    brolga__lock_take(&task->holds_lock);
    holds = task->holds;
    brolga__lock_leave(&task->holds_lock);
    for (uint32_t i = 0; i < report->count; i++) {
        const struct reported *unit = &report->unit[i];

        if (unit->version_alive) {
            if (keeps_version(task, unit->unit->last_version))
                tell_running(report, unit, task,
                             brolga__load_relaxed(&task->adopt_at_top)
                                 ? BROLGA_HOLD_VIEW
                                 : BROLGA_HOLD_RUNNING);
        } else if (unit->suspect && watermark < unit->dead_stamp && !rests) {
            if (holds.set != report->set)
                tell_running(report, unit, task, BROLGA_HOLD_RUNNING);
            else if (holds_suspect(&holds.found, unit->unit->suspect))
                tell_frame(report, unit, task, &holds);
        }
    }
}

/* The same for a report, whose frames are larger. */
__attribute__((noinline)) static void wipe_report(void)
{
    volatile uintptr_t
        words[(sizeof(struct report) + WIPED_BYTES) / sizeof(uintptr_t)];

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = 0;
}

__attribute__((noinline)) static size_t
tell_holders(brolga *rt,
             void (*visit)(void *arg, const struct brolga_holder *holder),
             void *arg)
{
    struct report report = {.rt = rt, .visit = visit, .arg = arg};

    const struct brolga__suspects *set;

    brolga__shield_raise(); /* `visit` and units' describe() under locks. */
    brolga__reclaim_pause(rt->got);
    set = brolga__suspects_current(rt->got);
    report.set = set != NULL ? set->generation : 0;
    brolga__units_retired_each(rt->got, collect, &report);
    if (report.count > 0) {
        report_signals(&report);
        report_named_pins(&report);
        brolga__walk(rt, report_task, &report);
        report_other_pins(&report);
    }
    brolga__reclaim_resume(rt->got);
    brolga__shield_lower();
    return report.visited;
}

size_t brolga_holders(brolga *rt,
                      void (*visit)(void *arg,
                                    const struct brolga_holder *holder),
                      void *arg)
{
    size_t visited = tell_holders(rt, visit, arg);

    wipe_report();
    return visited;
}

const char *brolga_hold_name(enum brolga_hold reason)
{
    switch (reason) {
    case BROLGA_HOLD_VIEW:
        return "view";
    case BROLGA_HOLD_RUNNING:
        return "running";
    case BROLGA_HOLD_FRAME:
        return "frame";
    case BROLGA_HOLD_BLOCKED:
        return "blocked";
    case BROLGA_HOLD_PIN:
        return "pin";
    default:
        return "?";
    }
}
