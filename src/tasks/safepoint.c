/*
 * Safepoints: where a task moves to the newest version, and where it and the
 * reclaimer meet.
 *
 * The order in brolga__task_refresh() is the protocol of got/view.c: read the
 * round, adopt, look at the own stack, then announce that round. Announcing
 * earlier would let a table be freed that the view still names.
 */
#include "tasks/tasks.h"

struct brolga_epoch_member *brolga__member_of(brolga_task *task)
{
    if (task->kind != BROLGA__FIBER)
        return task->member;
    return brolga__load_relaxed(&task->carrier)->member;
}

/*
 * A task that stays in its version across inner safepoints holds it from the
 * moment it adopts it, before its member announces anything: while the task is
 * parked or in foreign code, nobody else speaks for it.
 */
static void adopt_and_hold(brolga_task *task)
{
    if (task->holding)
        brolga__version_unhold(task->version);
    (void)brolga__view_adopt(task->rt->got, &task->view, &task->version);
    brolga__version_hold(task->version);
    task->holding = true;
}

static void move_view(brolga_task *task, bool top)
{
    if (!task->adopt_at_top)
        (void)brolga__view_adopt(task->rt->got, &task->view, &task->version);
    else if (top || !task->holding)
        adopt_and_hold(task);
    brolga__store_relaxed(&task->in_version, task->version->number);
}

/* A top safepoint proves the stack clean; an inner one must be looked at. */
static void move_watermark(brolga_task *task, bool top)
{
    const struct brolga__suspects *set;

    if (top) {
        /* N: release, so that a reclaimer that reads it sees our last use. */
        brolga__store_release(&task->watermark,
                              brolga__got_stamp(task->rt->got));
        return;
    }
    set = brolga__suspects_current(task->rt->got);
    if (set == NULL || brolga__load_relaxed(&task->watermark) >= set->stamp)
        return;
    if (task == brolga_self())
        brolga__ctx_spill(brolga__scan_own, task);
    else
        brolga__scan_own(task, task->ctx.sp);
}

void brolga__task_refresh(brolga_task *task, struct brolga_epoch_member *member,
                          bool top)
{
    uint64_t round = brolga__epoch_round(task->rt->epoch);

    move_view(task, top);
    move_watermark(task, top);
    brolga__epoch_announce(member, round);
    __atomic_store_n(&task->view.seen, round, __ATOMIC_RELAXED);
}

void brolga_safepoint_slow(void)
{
    brolga_task *task = brolga_self();
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);

    brolga__task_refresh(task, brolga__member_of(task),
                         brolga__load_relaxed(&task->top));
    if (carrier != NULL && brolga__load_relaxed(&carrier->worker->preempt))
        brolga__switch_out(BROLGA__REQUEST_YIELD);
}

void brolga__top_safepoint(void)
{
    brolga_task *task = brolga_self();

    brolga__task_refresh(task, brolga__member_of(task), true);
}

void brolga__top_enter(void)
{
    brolga__store_relaxed(&brolga_self()->top, true);
    brolga__top_safepoint();
}

void brolga__top_leave(void)
{
    /* The view and the watermark as of now: nothing below us is a unit's. */
    brolga__top_safepoint();
    brolga__store_relaxed(&brolga_self()->top, false);
}
