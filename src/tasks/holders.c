/*
 * Who holds what: a report about everything old that is still there.
 *
 * It is made while the reclaimer pauses, so that no unit goes away. A version
 * is held by who runs and has not come to a safepoint since, and by who stays
 * in it; a unit by those, and by stacks, pins, and callers of slots that are
 * gone. Stacks of tasks that rest are searched for the report, by the
 * reclaimer's rights, so that what it says is true now. A task that waits for
 * a worker will look at its own before it runs; whoever keeps it waiting is in
 * the report, if anyone is.
 */
#include "tasks/tasks.h"

#include "plat.h"
#include "shield.h"

#include <stdio.h>
#include <string.h>

/* Old things that are told at a time: all tasks are visited for so many. No
 * more than one look at a stack can find. */
#define AT_A_TIME BROLGA__FOUND_MAX

/* Running tasks that are asked where they are, in one report. */
#define SAMPLES_MAX 8

struct report {
    struct brolga *rt;
    const struct brolga__holders *to;
    const struct brolga__suspects *suspects; /* The reclaimer's. */
    struct brolga__suspects *set;            /* Ours: old[i] is range[i]. */
    size_t visited;
    unsigned samples;
    uint32_t skip, count;
    struct brolga__old old[AT_A_TIME];
    _Alignas(
        struct brolga__suspects) char room[sizeof(struct brolga__suspects) +
                                           AT_A_TIME *
                                               sizeof(struct brolga__range)];
};

/* --- what is old -------------------------------------------------------- */

static void put_old(struct report *report, const struct brolga__old *old)
{
    if (report->skip > 0)
        report->skip--;
    else if (report->count < AT_A_TIME)
        report->old[report->count++] = *old;
}

static void put_unit(void *arg, struct brolga_unit *unit, bool version_alive)
{
    struct brolga__old old = {.unit = unit,
                              .version = unit->last_version,
                              .first_version = unit->first_version,
                              .since_ns = unit->retired_ns,
                              .bytes = unit->high - unit->low,
                              .dead_stamp = unit->dead_stamp,
                              .pins = brolga__load_relaxed(&unit->pins) &
                                      BROLGA__PINS_MASK,
                              .suspect = unit->state == BROLGA__UNIT_SUSPECT,
                              .version_alive = version_alive};

    for (unsigned i = 0; i < BROLGA__PINS_FOR; i++)
        old.pins_for[i] = brolga__load_relaxed(&unit->pins_for[i]);
    put_old(arg, &old);
}

/* What stacks are searched for on behalf of the report. */
static void make_set(struct report *report)
{
    struct brolga__suspects *set = (struct brolga__suspects *)report->room;

    *set = (struct brolga__suspects){.low = UINTPTR_MAX, .overlap = true};
    set->count = report->count;
    for (uint32_t i = 0; i < report->count; i++) {
        const struct brolga_unit *unit = report->old[i].unit;
        struct brolga__range *range = &set->range[i];

        *range = (struct brolga__range){0};
        if (unit == NULL)
            continue;
        *range = (struct brolga__range){.low = unit->low, .high = unit->high};
        if (unit->low < set->low)
            set->low = unit->low;
        if (unit->high > set->high)
            set->high = unit->high;
    }
    report->set = set;
}

static void put_version(void *arg, const struct brolga__version *version)
{
    put_old(arg,
            &(struct brolga__old){.version = version->number,
                                  .first_version = version->number,
                                  .since_ns = version->replaced_ns,
                                  .bytes = sizeof *version +
                                           version->capacity * sizeof(void *),
                                  .version_alive = true});
}

/* --- holders ------------------------------------------------------------ */

static void tell(struct report *report, const struct brolga__old *old,
                 struct brolga_holder *holder)
{
    holder->version = old->version;
    holder->unit = old->unit == NULL ? "" : old->unit->name;
    holder->since_ns = old->since_ns;
    holder->bytes = old->bytes;
    if (report->to->holder != NULL)
        report->to->holder(report->to->arg, holder);
    report->visited++;
}

static void describe(brolga_task *task, struct brolga_holder *holder)
{
    (void)brolga__identity(task, &holder->task, holder->task_name);
    holder->parked_in = brolga__load_relaxed(&task->parked_in);
    holder->task_since_ns = brolga__load_relaxed(&task->since_ns);
}

static void name_function(struct report *report, struct brolga_holder *holder)
{
    struct brolga_unit *unit =
        holder->address == 0
            ? NULL
            : brolga__ranges_find(report->rt->got, holder->address);

    if (unit != NULL)
        brolga__unit_describe(unit, holder->address, holder->function,
                              sizeof holder->function);
}

/* --- of versions -------------------------------------------------------- */

/* On a thread, and seen by whoever waits for a round. */
static bool runs(brolga_task *task)
{
    uint32_t permit = brolga__load_relaxed(&task->permit);

    if (brolga__load_relaxed(&task->kind) == BROLGA__FIBER &&
        brolga__load_relaxed(&task->carrier) == NULL)
        return false;
    return (permit == BROLGA__RUNNING || permit == BROLGA__NOTIFIED) &&
           brolga__load_relaxed(&task->parked_in) == NULL &&
           brolga__load_relaxed(&task->blocked) == BROLGA__NOT_BLOCKED;
}

/* It stays in a version while it has frames of units. */
static bool stays(brolga_task *task, const struct brolga__old *old)
{
    uint64_t version = brolga__load_relaxed(&task->in_version);

    return brolga__load_relaxed(&task->adopt_at_top) &&
           !brolga__load_relaxed(&task->top) && version <= old->version &&
           version >= old->first_version;
}

/* It has not adopted what came later, nor anything since. */
static bool is_late(brolga_task *task, const struct brolga__old *old)
{
    return runs(task) &&
           brolga__load_relaxed(&task->in_version) <= old->version;
}

static void tell_task(struct report *report, const struct brolga__old *old,
                      brolga_task *task, enum brolga_hold reason)
{
    struct brolga_holder holder = {.reason = reason};

    describe(task, &holder);
    if (reason == BROLGA_HOLD_RUNNING && report->samples < SAMPLES_MAX) {
        report->samples++;
        holder.address = brolga__sample(report->rt, task);
        name_function(report, &holder);
    }
    tell(report, old, &holder);
}

static void report_version(struct report *report, const struct brolga__old *old,
                           brolga_task *task)
{
    if (stays(task, old))
        tell_task(report, old, task, BROLGA_HOLD_VIEW);
    else if (is_late(task, old))
        tell_task(report, old, task, BROLGA_HOLD_RUNNING);
}

/* --- of units: stacks --------------------------------------------------- */

static void tell_frame(struct report *report, const struct brolga__old *old,
                       brolga_task *task, uintptr_t address)
{
    struct brolga_holder holder = {.reason = BROLGA_HOLD_FRAME,
                                   .address = address};

    describe(task, &holder);
    if (brolga__load_relaxed(&task->blocked) != BROLGA__NOT_BLOCKED)
        holder.reason = BROLGA_HOLD_BLOCKED;
    name_function(report, &holder);
    tell(report, old, &holder);
}

/* Its stack has been found clean, for good. */
static bool is_clean(const struct brolga__old *old, uint64_t watermark)
{
    return old->suspect && watermark >= old->dead_stamp;
}

static void report_resting(struct report *report, brolga_task *task,
                           uint64_t watermark,
                           const struct brolga__found *found)
{
    for (uint32_t i = 0; i < found->count; i++) {
        const struct brolga__old *old = &report->old[found->suspect[i]];

        if (!is_clean(old, watermark))
            tell_frame(report, old, task, found->address[i]);
    }
}

/* One that runs: what it has found itself, or else it may hold all. */
static void report_running(struct report *report, const struct brolga__old *old,
                           brolga_task *task, uint64_t watermark)
{
    const struct brolga__suspects *set = report->suspects;
    struct brolga__found found;

    if (!old->suspect || set == NULL || is_clean(old, watermark))
        return;
    if (!brolga__scan_known(task, set, &found)) {
        /* It may have found nothing, since the watermark was read. */
        if (!is_clean(old, brolga__load_acquire(&task->watermark))) /* N */
            tell_task(report, old, task, BROLGA_HOLD_RUNNING);
        return;
    }
    for (uint32_t i = 0; i < found.count; i++)
        if (found.suspect[i] == old->unit->suspect)
            tell_frame(report, old, task, found.address[i]);
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

/* Functions of a unit that a task is to call; those that nobody names are told
 * when all tasks have been asked. */
static void tell_callbacks(struct report *report, struct brolga__old *old,
                           brolga_task *task, const char *what, uint32_t count)
{
    struct brolga_holder holder = {.reason = BROLGA_HOLD_CALLBACK,
                                   .pins = count};

    if (task != NULL)
        describe(task, &holder);
    (void)snprintf(holder.what, sizeof holder.what, "%s", what);
    tell(report, old, &holder);
    old->pins_for[BROLGA__PIN_CALLBACK] -=
        count < old->pins_for[BROLGA__PIN_CALLBACK]
            ? count
            : old->pins_for[BROLGA__PIN_CALLBACK];
}

static void report_callbacks(struct report *report, brolga_task *task)
{
    for (uint32_t i = 0; i < report->count; i++) {
        struct brolga__old *old = &report->old[i];
        uint64_t handlers;

        if (old->unit == NULL || old->pins_for[BROLGA__PIN_CALLBACK] == 0)
            continue;
        handlers = handlers_in(task, old->unit);
        if (handlers > 0)
            tell_callbacks(report, old, task, "cleanup handler",
                           (uint32_t)handlers);
        if (brolga__load_relaxed(&task->pinned) == old->unit)
            tell_callbacks(report, old, task, "function to be called", 1);
    }
}

static void report_task(void *arg, brolga_task *task)
{
    struct report *report = arg;
    uint64_t watermark = brolga__load_acquire(&task->watermark); /* N */
    struct brolga__found found = {0};

    report_callbacks(report, task);
    if (watermark == BROLGA__NOT_STARTED)
        return;
    for (uint32_t i = 0; i < report->count; i++)
        if (report->old[i].version_alive)
            report_version(report, &report->old[i], task);
    if (brolga__scan_apart(task, report->set, &found)) {
        report_resting(report, task, watermark, &found);
        return;
    }
    for (uint32_t i = 0; i < report->count && runs(task); i++)
        report_running(report, &report->old[i], task, watermark);
}

/* --- of units: pins and callers ----------------------------------------- */

static void tell_pins(struct report *report, const struct brolga__old *old,
                      enum brolga_hold reason, uint64_t pins)
{
    struct brolga_holder holder = {.reason = reason, .pins = pins};

    if (pins != 0)
        tell(report, old, &holder);
}

/* Returns how many there were. */
static uint64_t report_named(struct report *report,
                             const struct brolga__old *old)
{
    struct brolga_holder holder = {.reason = BROLGA_HOLD_PIN, .pins = 1};
    uint64_t count = 0;

    /* Ends: pins are few, and new ones come in front of what was told. */
    for (; brolga__unit_pin_reason(old->unit, count, holder.what,
                                   sizeof holder.what);
         count++)
        tell(report, old, &holder);
    return count;
}

static void report_signals(struct report *report, const struct brolga__old *old)
{
    struct brolga_holder holder = {.reason = BROLGA_HOLD_PIN};
    uintptr_t handler[BROLGA__SIGNALS];
    char name[32];

    brolga__plat_signal_handlers(handler);
    for (int n = 0; n < BROLGA__SIGNALS; n++) {
        if (handler[n] < old->unit->low || handler[n] >= old->unit->high)
            continue;
        brolga__plat_signal_name(n, name, sizeof name);
        (void)snprintf(holder.what, sizeof holder.what, "handler of %s", name);
        tell(report, old, &holder);
    }
}

static void report_pins(struct report *report, const struct brolga__old *old)
{
    uint64_t closures = old->pins_for[BROLGA__PIN_CLOSURE];
    uint64_t callbacks = old->pins_for[BROLGA__PIN_CALLBACK];
    uint64_t known = closures + callbacks + report_named(report, old);

    report_signals(report, old);
    tell_pins(report, old, BROLGA_HOLD_CLOSURE, closures);
    tell_pins(report, old, BROLGA_HOLD_PIN,
              old->pins > known ? old->pins - known : 0);
}

/* What is told must wait until the GOT's lock is left. */
#define CALLERS_MAX 8

struct callers {
    uint32_t count;
    char name[CALLERS_MAX][48];
};

static void note_caller(void *arg, const struct brolga_unit *caller)
{
    struct callers *callers = arg;

    if (callers->count < CALLERS_MAX)
        (void)snprintf(callers->name[callers->count++], sizeof callers->name[0],
                       "%s", caller->name);
}

static void report_callers(struct report *report, const struct brolga__old *old)
{
    struct brolga_got *got = report->rt->got;
    struct callers callers = {.count = 0};
    uint32_t runners;

    (void)pthread_mutex_lock(&got->lock);
    runners = brolga__unit_callers(old->unit, note_caller, &callers);
    (void)pthread_mutex_unlock(&got->lock);
    tell_pins(report, old, BROLGA_HOLD_CALLER, runners);
    for (uint32_t i = 0; i < callers.count; i++) {
        struct brolga_holder holder = {.reason = BROLGA_HOLD_CALLER};

        memcpy(holder.caller, callers.name[i], sizeof holder.caller);
        tell(report, old, &holder);
    }
}

static void report_unit(struct report *report, const struct brolga__old *old)
{
    report_pins(report, old);
    if (!old->version_alive && !old->suspect)
        report_callers(report, old);
}

/* --- the report --------------------------------------------------------- */

static void collect(struct report *report, uint32_t skip)
{
    report->skip = skip;
    report->count = 0;
    brolga__units_retired_each(report->rt->got, put_unit, report);
    brolga__versions_old_each(report->rt->got, put_version, report);
}

static void report_all(struct report *report)
{
    for (uint32_t i = 0; i < report->count; i++) {
        if (report->to->old != NULL)
            report->to->old(report->to->arg, &report->old[i]);
        if (report->old[i].unit != NULL)
            report_unit(report, &report->old[i]);
    }
    if (report->count == 0)
        return;
    make_set(report);
    brolga__walk(report->rt, report_task, report);
    for (uint32_t i = 0; i < report->count; i++)
        if (report->old[i].unit != NULL &&
            report->old[i].pins_for[BROLGA__PIN_CALLBACK] > 0)
            tell_callbacks(report, &report->old[i], NULL, "",
                           report->old[i].pins_for[BROLGA__PIN_CALLBACK]);
}

__attribute__((noinline)) static size_t
tell_all(struct brolga *rt, const struct brolga__holders *to)
{
    struct report report = {.rt = rt, .to = to};
    uint32_t skip = 0;

    brolga__shield_raise(); /* Visitors and units' describe() under locks. */
    brolga__reclaim_pause(rt->got);
    report.suspects = brolga__suspects_current(rt->got);
    do {
        collect(&report, skip);
        report_all(&report);
        skip += AT_A_TIME;
    } while (report.count == AT_A_TIME);
    brolga__reclaim_resume(rt->got);
    brolga__shield_lower();
    return report.visited;
}

/*
 * A report handles addresses in old code, and may be made on a task's stack:
 * what its frames leave there would look like frames of that code. So they are
 * overwritten, as after a search (scan.c).
 */
__attribute__((noinline)) static void wipe(void)
{
    volatile uintptr_t
        words[(sizeof(struct report) + 2048) / sizeof(uintptr_t)];

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = 0;
}

size_t brolga__holders_tell(struct brolga *rt, const struct brolga__holders *to)
{
    size_t visited = tell_all(rt, to);

    wipe();
    return visited;
}

size_t brolga_holders(brolga *rt,
                      void (*visit)(void *arg,
                                    const struct brolga_holder *holder),
                      void *arg)
{
    return brolga__holders_tell(
        rt, &(struct brolga__holders){.holder = visit, .arg = arg});
}

const char *brolga_hold_name(enum brolga_hold reason)
{
    static const char *const names[] = {
        [BROLGA_HOLD_VIEW] = "view",         [BROLGA_HOLD_RUNNING] = "running",
        [BROLGA_HOLD_FRAME] = "frame",       [BROLGA_HOLD_BLOCKED] = "blocked",
        [BROLGA_HOLD_PIN] = "pin",           [BROLGA_HOLD_CLOSURE] = "closure",
        [BROLGA_HOLD_CALLBACK] = "callback", [BROLGA_HOLD_CALLER] = "caller"};

    return (size_t)reason < brolga__lengthof(names) ? names[reason] : "?";
}
