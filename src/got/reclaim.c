/*
 * The reclaimer's steps. One caller at a time (got->reclaim_lock); every step
 * is bounded and none waits. Only these steps change the states of retired
 * units; got->lock is held for the lists, not while stacks are looked at.
 *
 * Contract clause C5, and where each part of it is checked. A unit is released
 * when
 *   (i)   no version that a task views maps to it: version_alive(). All
 *         retired versions count, not only the last one.
 *   (ii)  no stack holds an address in it: the watermarks, below; and no
 *         signal's handler lies in it.
 *   (iii) its pins are zero, and no pin was made since (ii) began; and no past
 *         commit that can be taken back leads to it (past.c).
 *   (iv)  registrations are withdrawn: withdraw_clean(). Unwinders, debuggers
 *         and profilers look at what nobody can run any more, so it is not
 *         before it is CLEAN; and who looks at it is done by the end of (v).
 *   (v)   one more grace period has passed: final_round.
 *
 * Watermarks. When (i) and (iii) hold, nothing but code that already runs in
 * the unit can enter it again. Then `stamp` grows and becomes the unit's
 * dead_stamp. A task reads `stamp` into its watermark at a top safepoint, where
 * no frame of a unit is below it, and after a scan that found no suspect. So a
 * watermark >= dead_stamp says: this stack was free of the unit at a moment
 * when nobody outside could enter it, hence it is free for good.
 *
 *   H  A task that reads stamp >= s began its look after the unit with
 *      dead_stamp s could no longer be entered: release half of the addition
 *      here -> acquire load in brolga__got_stamp().
 *   J  What was done under a pin comes before the release: release subtraction
 *      in unpin -> acquire load in pins().
 *
 * Why the number of pins ever made must be compared. A frame in the unit can
 * make a closure (pin), return, and call the closure later from a stack that
 * was already found clean, dropping the closure (unpin) while it runs. The pins
 * are zero before and after; the count of pins ever made is not the same. Then
 * the unit gets a new dead_stamp and every stack is looked at anew
 * (model/reload.pml, NO_PIN_TOTAL).
 *
 * Removed slots. A unit can also be entered through a removed slot by a unit
 * that imported it. So a unit is a suspect only while every importer of its
 * removed slots is one too, and it is clean only together with them.
 */
#include "got/got.h"

#include "plat.h"

#include <stdio.h>
#include <string.h>

/* --- (i) versions and (iii) pins ---------------------------------------- */

static bool version_alive(struct brolga_unit *unit)
{
    return brolga__version_any(unit->got, unit->first_version,
                               unit->last_version);
}

static uint64_t pins(struct brolga_unit *unit)
{
    return brolga__load_acquire(&unit->pins); /* J: sub in unpin */
}

static bool unpinned(struct brolga_unit *unit)
{
    return (pins(unit) & BROLGA__PINS_MASK) == 0;
}

/* A suspect that is pinned, or was, is looked at again from the start. */
static bool pinned_meanwhile(struct brolga_unit *unit)
{
    return pins(unit) != unit->pins_at_death;
}

/* --- removed slots ------------------------------------------------------ */

typedef bool unit_test(struct brolga_unit *unit);

static bool is_suspect(struct brolga_unit *unit)
{
    return unit->state == BROLGA__UNIT_SUSPECT;
}

static bool is_unheld(struct brolga_unit *unit)
{
    return unit->state == BROLGA__UNIT_SUSPECT &&
           !unit->got->held[unit->suspect];
}

/* Whether some unit of the list fails the test and imports the slot. */
static bool imported_by_other(struct brolga__list *units,
                              struct brolga__slot *slot, unit_test *passes)
{
    brolga__list_each (node, units) {
        struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, link);

        if (brolga__unit_imports(unit, slot) && !passes(unit))
            return true;
    }
    return false;
}

/* Whether a unit that fails the test can call into `unit`. */
static bool reachable(struct brolga_unit *unit, unit_test *passes)
{
    struct brolga_got *got = unit->got;

    /* Most have none; then there is nothing to search. */
    for (brolga_slot n = 1; unit->owned_slots > 0 && n < got->slot_end; n++) {
        struct brolga__slot *slot = got->slots[n];

        if (slot == NULL || slot->owner != unit || slot->refs <= 1)
            continue;
        if (slot->runners > 0)
            return true;
        if (imported_by_other(&got->live, slot, passes) ||
            imported_by_other(&got->retired, slot, passes) ||
            imported_by_other(&got->kept, slot, passes))
            return true;
    }
    return false;
}

/* --- suspects ----------------------------------------------------------- */

static struct brolga_unit *unit_of(struct brolga__list *node)
{
    return brolga__container_of(node, struct brolga_unit, link);
}

/* Takes units back that others can reach, until none is left: at most once
 * for each unit. */
static void drop_reachable(struct brolga_got *got)
{
    bool again = true;

    while (again) {
        again = false;
        brolga__list_each (node, &got->retired) {
            struct brolga_unit *unit = unit_of(node);

            if (is_suspect(unit) && reachable(unit, is_suspect)) {
                brolga__unit_set_state(unit, BROLGA__UNIT_RETIRED);
                again = true;
            }
        }
    }
}

/* Returns whether it may be stamped: it was unpinned at one moment. */
static bool stamp_dead(struct brolga_unit *unit)
{
    struct brolga_got *got = unit->got;

    unit->pins_at_death = pins(unit);
    unit->dead_stamp =
        brolga__add_acq_rel(&got->stamp, 1) + 1; /* H: got_stamp */
    return (unit->pins_at_death & BROLGA__PINS_MASK) == 0;
}

/*
 * Retired units that nothing but running code can enter become suspects. Those
 * of a removed-slot cycle must become so together, so all candidates are
 * marked first and the reachable ones taken back.
 */
static bool find_suspects(struct brolga_got *got)
{
    bool changed = false;

    brolga__list_each (node, &got->retired) {
        struct brolga_unit *unit = unit_of(node);

        if (is_suspect(unit) &&
            (pinned_meanwhile(unit) || version_alive(unit))) {
            brolga__unit_set_state(unit, BROLGA__UNIT_RETIRED);
            unit->dead_stamp = 0;
            changed = true;
        }
        if (unit->state == BROLGA__UNIT_RETIRED && unit->past == 0 &&
            !version_alive(unit) && unpinned(unit)) {
            brolga__unit_set_state(unit, BROLGA__UNIT_SUSPECT);
            unit->dead_stamp = 0;
        }
    }
    drop_reachable(got);
    brolga__list_each (node, &got->retired) {
        struct brolga_unit *unit = unit_of(node);

        if (is_suspect(unit) && unit->dead_stamp == 0) {
            if (!stamp_dead(unit))
                brolga__unit_set_state(unit, BROLGA__UNIT_RETIRED);
            changed = true;
        }
    }
    return changed;
}

/* --- (ii) stacks -------------------------------------------------------- */

void brolga__reclaim_held(struct brolga_got *got,
                          const struct brolga__suspects *set,
                          const struct brolga__found *found)
{
    if (found->more)
        memset(got->held, true, set->count * sizeof *got->held);
    for (uint32_t i = 0; i < found->count; i++)
        got->held[found->suspect[i]] = true;
}

/* The lowest watermark stands for all: what that stack may hold is what all of
 * them may. */
void brolga__reclaim_unseen(struct brolga_got *got, uint64_t watermark)
{
    got->unseen_count++;
    if (watermark < got->unseen)
        got->unseen = watermark;
}

static void hold_unseen(struct brolga_got *got,
                        const struct brolga__suspects *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->range[i].dead_stamp > got->unseen)
            got->held[i] = true;
}

/* Of the units that no stack holds, those that no held unit can call. */
static void find_clean(struct brolga_got *got)
{
    bool again = true;

    while (again) {
        again = false;
        brolga__list_each (node, &got->retired) {
            struct brolga_unit *unit = unit_of(node);

            if (is_unheld(unit) && reachable(unit, is_unheld)) {
                got->held[unit->suspect] = true;
                again = true;
            }
        }
    }
}

/* They cannot be entered, nor found, any more. */
static bool advance_clean(struct brolga_got *got)
{
    bool changed = false;

    brolga__list_each (node, &got->retired) {
        struct brolga_unit *unit = unit_of(node);

        if (!is_unheld(unit))
            continue;
        brolga__unit_set_state(unit, BROLGA__UNIT_CLEAN);
        brolga__ranges_remove(unit); /* AC: before the round. */
        unit->withdrawn = false;
        changed = true;
    }
    return changed;
}

static struct brolga_unit *take_to_withdraw(struct brolga_got *got)
{
    struct brolga_unit *found = NULL;

    (void)pthread_mutex_lock(&got->lock);
    brolga__list_each (node, &got->retired) {
        struct brolga_unit *unit = unit_of(node);

        if (unit->state == BROLGA__UNIT_CLEAN && !unit->withdrawn) {
            unit->withdrawn = true;
            found = unit;
            break;
        }
    }
    (void)pthread_mutex_unlock(&got->lock);
    return found;
}

/* (iv), and only then (v): the last grace period begins. Without got->lock, for
 * these are functions of others; clean units are the reclaimer's alone. */
static void withdraw_clean(struct brolga_got *got)
{
    struct brolga_unit *unit;

    /* Ends: nobody but we make units clean. */
    while ((unit = take_to_withdraw(got)) != NULL) {
        brolga__unit_withdraw(unit);
        unit->final_round = brolga__epoch_begin_round(got->epoch);
    }
}

/* --- release ------------------------------------------------------------ */

/* A clean unit whose last grace period is over, unlinked; NULL if none. */
static struct brolga_unit *take_finished(struct brolga_got *got)
{
    brolga__list_each (node, &got->retired) {
        struct brolga_unit *unit = unit_of(node);

        if (unit->state != BROLGA__UNIT_CLEAN || !unit->withdrawn ||
            !brolga__epoch_passed(got->epoch, unit->final_round))
            continue;
        if (pinned_meanwhile(unit)) { /* By a host that had no right to. */
            brolga__unit_set_state(unit, BROLGA__UNIT_RETIRED);
            brolga__ranges_add(unit);
            continue;
        }
        brolga__unit_set_state(unit, BROLGA__UNIT_GONE);
        brolga__unit_unlink(unit);
        got->retired_bytes -= unit->high - unit->low;
        got->reclaimed++;
        return unit;
    }
    return NULL;
}

/* Releases, then tells: who is told may rely on it. */
static void release(struct brolga_got *got, struct brolga_unit *unit)
{
    uint64_t version = unit->last_version, retired_ns = unit->retired_ns;
    char name[64];

    (void)snprintf(name, sizeof name, "%s", unit->name);
    brolga__unit_free(unit);
    if (got->stacks.event != NULL)
        got->stacks.event(got->stacks.arg, name, version,
                          brolga__plat_now_ns() - retired_ns);
}

static void release_finished(struct brolga_got *got)
{
    struct brolga_unit *unit;

    /* Ends: each pass takes a unit out of a list that only commits extend. */
    for (;;) {
        (void)pthread_mutex_lock(&got->lock);
        unit = take_finished(got);
        (void)pthread_mutex_unlock(&got->lock);
        if (unit == NULL)
            return;
        release(got, unit);
    }
}

/* --- a step ------------------------------------------------------------- */

/* The newest version that every task has adopted, if that is news. */
static uint64_t newly_adopted(struct brolga_got *got, uint64_t *after_ns)
{
    struct brolga__version *oldest =
        brolga__container_of(got->versions.next, struct brolga__version, link);

    if (oldest->number <= got->adopted)
        return 0;
    got->adopted = oldest->number;
    *after_ns = brolga__plat_now_ns() - oldest->published_ns;
    return oldest->number;
}

static const struct brolga__suspects *prepare(struct brolga_got *got)
{
    if (find_suspects(got) && brolga__suspects_publish(got) != BROLGA_OK) {
        /* No memory for a set: suspects wait for the next step. */
        brolga__list_each (node, &got->retired)
            if (is_suspect(unit_of(node)))
                brolga__unit_set_state(unit_of(node), BROLGA__UNIT_RETIRED);
        return NULL;
    }
    return brolga__suspects_current(got);
}

/*
 * A look costs a little for each task, and more for those that look at
 * themselves on account of it, with a stack that has left the caches. So looks
 * take a small share of one processor, however many reloads there are, and each
 * is about all that has been retired since. But what nobody uses is not kept
 * waiting long for that: a look that is dear, as one at thousands of tasks that
 * have just been parked, may take a larger share.
 */
#define LOOK_SHARE         50
#define LOOK_SHARE_AT_MOST 5
#define LOOK_WAIT_NS       (30 * BROLGA_MS)
#define OWN_LOOK_NS        250

/* When the next one is due, after one that took so long. */
static uint64_t next_look_ns(uint64_t took_ns)
{
    uint64_t least = took_ns * (LOOK_SHARE_AT_MOST - 1);
    uint64_t wait_ns = least > LOOK_WAIT_NS ? least : LOOK_WAIT_NS;

    if (wait_ns > took_ns * (LOOK_SHARE - 1))
        wait_ns = took_ns * (LOOK_SHARE - 1);
    return brolga__plat_now_ns() + wait_ns;
}

#define NOBODY_UNSEEN UINT64_MAX

static bool look_is_due(struct brolga_got *got)
{
    return brolga__plat_now_ns() >= got->next_look_ns;
}

/* Without got->lock: commits go on meanwhile. */
static void look_at_stacks(struct brolga_got *got,
                           const struct brolga__suspects *set)
{
    uint64_t begun_ns = brolga__plat_thread_ns();

    memset(got->held, false, set->count * sizeof *got->held);
    got->unseen = NOBODY_UNSEEN;
    got->unseen_count = 0;
    got->stacks.look(got->stacks.arg, set);
    if (got->unseen != NOBODY_UNSEEN) {
        hold_unseen(got, set);
        /* Running tasks look at themselves on a new round. */
        (void)brolga__epoch_begin_round(got->epoch);
    }
    got->next_look_ns = next_look_ns(brolga__plat_thread_ns() - begun_ns +
                                     got->unseen_count * OWN_LOOK_NS);
}

/*
 * A signal may call into a unit at any time, and its handler stands on no
 * stack. So those that there are now are searched like one. Who sets a handler
 * in code that runs has a frame in it; who takes one out while it may run on a
 * thread that is no task's needs a pin.
 */
static void look_at_signals(struct brolga_got *got,
                            const struct brolga__suspects *set)
{
    uintptr_t handler[BROLGA__SIGNALS];
    struct brolga__found found = {0};

    if (memchr(got->held, false, set->count) == NULL)
        return;
    brolga__plat_signal_handlers(handler);
    brolga__suspects_scan(set, (uintptr_t)handler,
                          (uintptr_t)handler + sizeof handler, &found);
    brolga__reclaim_held(got, set, &found);
}

static void conclude(struct brolga_got *got)
{
    /* A suspect that was pinned meanwhile may be entered: it holds what it can
     * call, as if a stack held it. One look is enough: who is free of pins and
     * stacks here stays so. */
    brolga__list_each (node, &got->retired) {
        struct brolga_unit *unit = unit_of(node);

        if (is_suspect(unit) && pinned_meanwhile(unit))
            got->held[unit->suspect] = true;
    }
    find_clean(got);
    if (advance_clean(got))
        (void)brolga__suspects_publish(got);
}

/* Units that are there for history's sake do not wait. */
static uint64_t oldest_unit_ns(struct brolga_got *got)
{
    brolga__list_each (node, &got->retired) /* In the order of retiring. */
        if (unit_of(node)->past == 0)
            return unit_of(node)->retired_ns;
    return UINT64_MAX;
}

/* Versions are in their order, and the current one is the last. */
static uint64_t oldest_version_ns(struct brolga_got *got)
{
    return got->version_count <= 1
               ? UINT64_MAX
               : brolga__container_of(got->versions.next,
                                      struct brolga__version, link)
                     ->replaced_ns;
}

static bool waiting(struct brolga_got *got)
{
    uint64_t oldest_ns =
        brolga__earlier(oldest_unit_ns(got), oldest_version_ns(got));

    brolga__store_relaxed(&got->oldest_ns, oldest_ns);
    return oldest_ns != UINT64_MAX;
}

uint64_t brolga__got_oldest_ns(struct brolga_got *got)
{
    return brolga__load_relaxed(&got->oldest_ns);
}

static bool step(struct brolga_got *got, bool spares)
{
    const struct brolga__suspects *set = NULL;
    uint64_t version, after_ns = 0;
    bool more;

    if (pthread_mutex_trylock(&got->reclaim_lock) != 0)
        return true;
    (void)pthread_mutex_lock(&got->lock);
    (void)brolga__versions_reclaim(got);
    version = newly_adopted(got, &after_ns);
    if (!spares || look_is_due(got))
        set = prepare(got);
    (void)pthread_mutex_unlock(&got->lock);
    if (set != NULL) {
        look_at_stacks(got, set);
        look_at_signals(got, set);
    }
    (void)pthread_mutex_lock(&got->lock);
    if (set != NULL)
        conclude(got);
    more = waiting(got);
    (void)pthread_mutex_unlock(&got->lock);
    withdraw_clean(got);
    if (version != 0 && got->stacks.event != NULL)
        got->stacks.event(got->stacks.arg, NULL, version, after_ns);
    release_finished(got);
    more = brolga_epoch_poll(got->epoch, 256) > 0 || more;
    (void)pthread_mutex_unlock(&got->reclaim_lock);
    return more;
}

bool brolga__got_reclaim(struct brolga_got *got)
{
    return step(got, false);
}

bool brolga__got_reclaim_sparingly(struct brolga_got *got)
{
    return step(got, true);
}

void brolga__reclaim_pause(struct brolga_got *got)
{
    (void)pthread_mutex_lock(&got->reclaim_lock);
}

void brolga__reclaim_resume(struct brolga_got *got)
{
    (void)pthread_mutex_unlock(&got->reclaim_lock);
}

void brolga__units_retired_each(struct brolga_got *got,
                                void (*visit)(void *arg,
                                              struct brolga_unit *unit,
                                              bool version_alive),
                                void *arg)
{
    (void)pthread_mutex_lock(&got->lock);
    brolga__list_each (node, &got->retired)
        if (unit_of(node)->past == 0)
            visit(arg, unit_of(node), version_alive(unit_of(node)));
    (void)pthread_mutex_unlock(&got->lock);
}

/* Units that it maps speak for it. */
static bool has_retired(struct brolga_got *got, uint64_t version)
{
    brolga__list_each (node, &got->retired)
        if (unit_of(node)->past == 0 &&
            unit_of(node)->first_version <= version &&
            unit_of(node)->last_version >= version)
            return true;
    return false;
}

void brolga__versions_old_each(struct brolga_got *got,
                               void (*visit)(void *arg,
                                             const struct brolga__version *old),
                               void *arg)
{
    (void)pthread_mutex_lock(&got->lock);
    brolga__list_each (node, &got->versions) {
        const struct brolga__version *version =
            brolga__container_of(node, struct brolga__version, link);

        if (version->replaced_round != 0 && !has_retired(got, version->number))
            visit(arg, version);
    }
    (void)pthread_mutex_unlock(&got->lock);
}

static void visit_callers(struct brolga__list *units, struct brolga__slot *slot,
                          void (*visit)(void *arg,
                                        const struct brolga_unit *caller),
                          void *arg)
{
    brolga__list_each (node, units)
        if (unit_of(node) != slot->owner && !is_suspect(unit_of(node)) &&
            brolga__unit_imports(unit_of(node), slot))
            visit(arg, unit_of(node));
}

uint32_t brolga__unit_callers(struct brolga_unit *unit,
                              void (*visit)(void *arg,
                                            const struct brolga_unit *caller),
                              void *arg)
{
    struct brolga_got *got = unit->got;
    uint32_t runners = 0;

    for (brolga_slot n = 1; unit->owned_slots > 0 && n < got->slot_end; n++) {
        struct brolga__slot *slot = got->slots[n];

        if (slot == NULL || slot->owner != unit || slot->refs <= 1)
            continue;
        runners += slot->runners;
        visit_callers(&got->live, slot, visit, arg);
        visit_callers(&got->retired, slot, visit, arg);
        visit_callers(&got->kept, slot, visit, arg);
    }
    return runners;
}
