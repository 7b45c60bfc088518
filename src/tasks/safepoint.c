/*
 * Safepoints: where a task moves to the newest version, and where it and the
 * reclaimer meet.
 *
 * The order in brolga__task_refresh() is the protocol of got/view.c: read the
 * round, adopt, look at the own stack, then announce that round. Announcing
 * earlier would let a table be freed that the view still names.
 *
 * A member speaks for all that stand on its carrier: also for those who run the
 * task in their joins. If they have not seen the round they are parked first,
 * wherever the task is at its safepoint. So a joiner that is switched back to
 * is current, and the reclaimer can look at its stack before.
 *
 * The gate of barrier commits (epoch/gate.c) is passed here, too, behind the
 * load of the round and before the task adopts: whoever goes on is in the
 * version that was committed behind it. A task that adopts at top safepoints
 * only stands at those only, since in between it is to see one version; while
 * it has frames of units it holds its version, by which the closer knows.
 */
#include "tasks/tasks.h"

struct brolga_epoch_member *brolga__member_of(brolga_task *task)
{
    if (!task->is_fiber)
        return task->member;
    return brolga__load_relaxed(&task->carrier)->member;
}

/*
 * A task that stays in its version across inner safepoints holds it from the
 * moment it adopts it, before its member announces anything: while the task is
 * parked or in foreign code, nobody else speaks for it. While it waits at a top
 * safepoint it needs none: it will adopt again before it calls anything.
 */
static void adopt_and_hold(brolga_task *task)
{
    if (task->holding)
        brolga__version_unhold(task->version);
    (void)brolga__view_adopt(task->rt->got, &task->view, &task->version);
    task->holding = !brolga__load_relaxed(&task->top);
    if (task->holding)
        brolga__version_hold(task->version);
}

static void move_view(brolga_task *task, bool top)
{
    if (!task->adopt_at_top)
        (void)brolga__view_adopt(task->rt->got, &task->view, &task->version);
    else if (top || !task->holding)
        adopt_and_hold(task);
    brolga__store_relaxed(&task->in_version, task->version->number);
}

/* A top safepoint proves the stack clean; an inner one must be looked at, from
 * the word at `sp` up. */
static void move_watermark(brolga_task *task, bool top, uintptr_t sp)
{
    const struct brolga__suspects *set;

    if (top) {
        /* N: release, so that a reclaimer that reads it sees our last use. */
        brolga__store_release(&task->watermark,
                              brolga__got_stamp(task->rt->got));
        return;
    }
    set = brolga__suspects_current(task->rt->got);
    if (set == NULL)
        return;
    if (brolga__load_relaxed(&task->watermark) < set->stamp)
        brolga__scan_stack(task, set, sp);
    else if (brolga__unlikely(task->rt->opts.stress.scan))
        brolga__scan_in_vain(task, set, sp);
}

/* --- standing at the gate ----------------------------------------------- */

const char brolga__at_gate[] = "commit";

/* Whether it goes on without waiting for anything. */
static bool is_source(const brolga_task *task)
{
    return task->entry == BROLGA__ENTRY_LOOP;
}

/* Not within what it is to see in one version. While the gate is closing, who
 * would hold a version from here on stands already, so that holds come to an
 * end, and all others go on, so that they can. */
static bool stands(brolga_task *task, struct brolga_epoch_member *member,
                   bool top)
{
    switch (brolga__epoch_gate_of(member)) {
    case BROLGA__GATE_CLOSED:
        return top || !task->holding;
    case BROLGA__GATE_CLOSING:
        return brolga__load_relaxed(&task->adopt_at_top) &&
               (top || !task->holding);
    case BROLGA__GATE_SOURCES: /* Fibers: brolga__top_safepoint(). */
        return top && !task->is_fiber && is_source(task);
    case BROLGA__GATE_TOPS: /* The same. */
        return top && !task->is_fiber;
    case BROLGA__GATE_OPEN:
    default:
        return false;
    }
}

/* A fiber is to stay at its top safepoint, but its worker has others to run,
 * who are to come to theirs. */
static bool stays_at_top(brolga_task *task)
{
    enum brolga__gate gate = brolga__epoch_gate_of(brolga__member_of(task));

    if (brolga__likely(gate < BROLGA__GATE_SOURCES))
        return false;
    return task->is_fiber && (gate == BROLGA__GATE_TOPS || is_source(task));
}

/* Shows those who look on that a task stands; returns what it was in. */
static const char *show_standing(brolga_task *task)
{
    const char *was = brolga__load_relaxed(&task->parked_in);

    if (was == NULL)
        brolga__store_relaxed(&task->parked_in, brolga__at_gate);
    return was;
}

void brolga__frames_note(brolga_task *task, uintptr_t sp)
{
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);

    if (carrier != NULL)
        task->spilled = &carrier->spilled;
    task->spilled->sp = sp;
}

void brolga__frames_forget(brolga_task *task)
{
    task->spilled->sp = 0;
    if (task->is_fiber)
        task->spilled = NULL;
}

/* The calling thread stands, and with it the task that it is about to run, and
 * the one that it is about to leave for that. */
__attribute__((noinline)) static void
stand(brolga_task *task, struct brolga_epoch_member *member, uintptr_t sp)
{
    brolga_task *self = brolga__self();
    const char *was = show_standing(task);
    const char *self_was = NULL;

    if (task->holding) { /* At a top safepoint: it will adopt anew. */
        brolga__version_unhold(task->version);
        task->holding = false;
    }
    if (self != NULL && self != task) {
        self_was = show_standing(self);
        sp = (uintptr_t)__builtin_frame_address(0);
    }
    if (self != NULL) /* At a top safepoint there is nothing of a unit below. */
        brolga__frames_note(self, sp != 0 ? sp : self->ctx.high);
    brolga__epoch_halt(member);
    if (self != NULL)
        brolga__frames_forget(self);
    if (self != NULL && self != task)
        brolga__store_relaxed(&self->parked_in, self_was);
    brolga__store_relaxed(&task->parked_in, was);
}

void brolga__task_refresh(brolga_task *task, struct brolga_epoch_member *member,
                          bool top, uintptr_t sp)
{
    uint64_t round = brolga__epoch_round(task->rt->epoch);

    brolga__fetch_safepoint(task, sp);
    while (brolga__unlikely(
        stands(task, member, top))) { /* Ends as barriers do. */
        stand(task, member, sp);
        round = brolga__epoch_round(task->rt->epoch);
    }
    if (task->under != NULL && task->under->view.seen != round)
        brolga__part(task);
    move_view(task, top);
    move_watermark(task, top, sp);
    brolga__epoch_announce(member, round);
    __atomic_store_n(&task->view.seen, round, __ATOMIC_RELAXED);
}

static void refresh_here(void *arg, uintptr_t sp)
{
    brolga_task *task = arg;

    brolga__task_refresh(task, brolga__member_of(task),
                         brolga__load_relaxed(&task->top), sp);
}

/* Registers are spilled here and not deeper: the frames of our own functions
 * may have holes, in which addresses of code that has long returned survive. */
void brolga__safepoint_here(brolga_task *task)
{
    brolga__ctx_spill(refresh_here, task);
}

void brolga_safepoint_slow(void)
{
    brolga_task *task = brolga__self();
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);

    brolga__stress_safepoint(task->rt);
    brolga__safepoint_here(task);
    if (carrier != NULL && brolga__load_relaxed(&carrier->worker->preempt))
        brolga__yield(task);
}

void brolga__top_safepoint(void)
{
    brolga_task *task = brolga__self();
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);

    brolga__stress_safepoint(task->rt);
    if (carrier != NULL && brolga__load_relaxed(&carrier->worker->preempt))
        brolga__yield(task);
    while (stays_at_top(task)) /* Ends when the gate closes, or opens. */
        brolga__yield(task);
    brolga__task_refresh(task, brolga__member_of(task), true, 0);
}

void brolga__top_enter(void)
{
    /* Set before, cleared before: what the safepoint does depends on it. */
    brolga__store_relaxed(&brolga__self()->top, true);
    brolga__top_safepoint();
}

void brolga__top_leave(void)
{
    /* The view and the watermark as of now: nothing below us is a unit's. */
    brolga__store_relaxed(&brolga__self()->top, false);
    brolga__top_safepoint();
}
