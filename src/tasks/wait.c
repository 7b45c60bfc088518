/*
 * Parking and waking, without lost wake-ups.
 *
 * A task's permit:
 *
 *                    unpark                    park (the carrier's CAS)
 *   NOTIFIED <--------------------- RUNNING ----------------------> PARKED
 *      |                            ^  ^  ^                          |   |
 *      +--- park returns at once ---+  |  +-- unpark, then queued ---+   |
 *                                      |                                 |
 *                   scan ends, queued  |             the reclaimer scans |
 *              SCANNING_NOTIFIED ------+   SCANNING <--------------------+
 *                      ^                      |  |
 *                      +------- unpark -------+  +--- scan ends ---> PARKED
 *
 * A scan that finds no code of any unit on a fiber's stack ends in RESTING
 * instead of PARKED, which is the same for all but the reclaimer: it need not
 * look again before somebody wakes the task. A bit in the record's block says
 * so, that it may pass over many at a time. It is set under SCANNING, and
 * cleared by whoever moves the permit away from RESTING, before he can be done
 * with what he holds himself: a unit whose code he may have written into the
 * parked frame is kept by his own view or stack until his next safepoint, and
 * after that, by its edges, the reclaimer sees the bit cleared. So all
 * operations on it are relaxed.
 *
 *   L  What a waker did before unpark is seen by the task after its park: the
 *      waker's RMW of the permit -> the RMW or acquire load by which the task,
 *      or whoever queues it, moves the permit to RUNNING.
 *   M  The saved context is seen by whoever runs or scans the task next: the
 *      carrier's RMW RUNNING -> PARKED after the switch -> the RMW of the waker
 *      or scanner that finds PARKED.
 *
 * Nothing is lost: a waker that finds RUNNING leaves NOTIFIED, and the CAS to
 * PARKED then fails, so the task is queued again. Nobody is queued twice: only
 * the one RMW that leaves PARKED (or SCANNING_NOTIFIED) for RUNNING queues.
 * tests/model/park.pml checks both, and that no running stack is scanned.
 *
 * The carrier, not the task, does the CAS to PARKED: after the switch, when the
 * context is saved and nothing runs on the stack any more.
 */
#include "tasks/tasks.h"

#include "plat.h"

/* Moves the permit on and says what it was. */
static enum brolga__permit notify(brolga_task *task)
{
    static const uint32_t after[] = {
        [BROLGA__RUNNING] = BROLGA__NOTIFIED,
        [BROLGA__NOTIFIED] = BROLGA__NOTIFIED,
        [BROLGA__PARKED] = BROLGA__RUNNING,
        [BROLGA__SCANNING] = BROLGA__SCANNING_NOTIFIED,
        [BROLGA__SCANNING_NOTIFIED] = BROLGA__SCANNING_NOTIFIED,
        [BROLGA__RESTING] = BROLGA__RUNNING,
    };
    uint32_t permit = brolga__load_relaxed(&task->permit);

    /* Written even where nothing changes: what we did before must be seen by
     * the park that an earlier waker's notification ends (edge L). */
    while (!brolga__cas_acq_rel(&task->permit, &permit, after[permit]))
        continue;
    return (enum brolga__permit)permit;
}

static _Atomic uint32_t *resting_of(brolga_task *task)
{
    struct brolga__block *block =
        brolga__container_of(task - task->place, struct brolga__block, task);

    return &block->resting;
}

static void show_resting(brolga_task *task, bool rests)
{
    uint32_t bit = UINT32_C(1) << task->place;

    if (rests)
        (void)brolga__or_relaxed(resting_of(task), bit);
    else
        (void)brolga__and_relaxed(resting_of(task), ~bit);
}

void brolga__unpark(brolga_task *task)
{
    enum brolga__permit was = notify(task); /* L, M */

    if (brolga__unlikely(was == BROLGA__RESTING))
        show_resting(task, false);
    else if (was != BROLGA__PARKED)
        return;
    /* Not `kind`: a thread goes on, and may end, at once. */
    if (task->is_fiber)
        brolga__hand_over(task);
    else
        brolga__plat_wake(&task->permit, 1);
}

/* --- holding a task that is parked -------------------------------------- */

bool brolga__hold(brolga_task *task)
{
    uint32_t permit = brolga__load_relaxed(&task->permit);

    /* Of who runs the line is left where it is. */
    if (permit != BROLGA__PARKED && permit != BROLGA__RESTING)
        return false;
    permit = BROLGA__PARKED;
    if (brolga__cas_acq_rel(&task->permit, &permit, BROLGA__SCANNING)) /* M */
        return true;
    if (permit != BROLGA__RESTING ||
        !brolga__cas_acq_rel(&task->permit, &permit, BROLGA__SCANNING)) /* M */
        return false;
    show_resting(task, false);
    return true;
}

bool brolga__is_held(brolga_task *task)
{
    return brolga__load_acquire(&task->permit) == BROLGA__SCANNING; /* L */
}

void brolga__unhold(brolga_task *task)
{
    uint32_t permit = BROLGA__SCANNING;

    if (brolga__cas_acq_rel(&task->permit, &permit, BROLGA__PARKED)) /* M */
        return;
    /* Unparked meanwhile: what its waker left to us (L, M). */
    (void)brolga__swap_acq_rel(&task->permit, BROLGA__RUNNING);
    if (task->is_fiber)
        brolga__schedule(task);
    else
        brolga__plat_wake(&task->permit, 1);
}

void brolga__unhold_resting(brolga_task *task)
{
    uint32_t permit = BROLGA__SCANNING;

    show_resting(task, true);
    if (brolga__cas_acq_rel(&task->permit, &permit, BROLGA__RESTING)) /* M */
        return;
    show_resting(task, false);
    brolga__unhold(task);
}

/* --- parking ------------------------------------------------------------ */

static void time_out(struct brolga__timer *timer)
{
    brolga_task *task = brolga__container_of(timer, brolga_task, timer);

    brolga__store_relaxed(&task->timed_out, true); /* Published by L. */
    brolga__unpark(task);
}

/* Takes a notification that is already there. */
static bool take_permit(brolga_task *task)
{
    uint32_t notified = BROLGA__NOTIFIED;

    return brolga__load_relaxed(&task->permit) == BROLGA__NOTIFIED &&
           brolga__cas_acq_rel(&task->permit, &notified,
                               BROLGA__RUNNING); /* L */
}

/* An OS thread parks itself: its context is the frame that calls this, with
 * the registers stored at `sp`. */
static void park_thread(void *arg, uintptr_t sp)
{
    brolga_task *task = arg;
    uint32_t permit = BROLGA__RUNNING;

    task->ctx.sp = sp;
    brolga__note_stack(task, task->ctx.high - sp);
    if (!brolga__cas_acq_rel(&task->permit, &permit, BROLGA__PARKED)) /* M */
        /* Notified meanwhile. A plain store could bury the RMW of a second
         * waker (park.pml, STORE_RUNNING). */
        (void)brolga__swap_acq_rel(&task->permit, BROLGA__RUNNING); /* L */
    else {
        brolga__deadlock_thread_parked(task->rt);
        for (;;) {
            permit = brolga__load_acquire(&task->permit); /* L */
            if (permit == BROLGA__RUNNING || permit == BROLGA__NOTIFIED)
                break;
            (void)brolga__plat_wait(&task->permit, permit, BROLGA_FOREVER);
        }
    }
}

/* While the thread sleeps nobody need wait for it. Who closes the gate may look
 * at its frames as soon as it is offline, and before it has parked. */
static void sleep_thread(brolga_task *task)
{
    brolga__frames_note(task, (uintptr_t)__builtin_frame_address(0));
    brolga_epoch_offline(task->member);
    brolga__ctx_spill(park_thread, task);
    brolga_epoch_online(task->member);
    brolga__frames_forget(task);
    brolga__safepoint_here(task);
}

static void park_now(brolga_task *task, const char *where,
                     const struct brolga__wait *wait, const void *on)
{
    task->parks++;
    task->wait = wait;
    task->wait_on = on;
    brolga__store_relaxed(&task->parked_in, where);
    brolga__note_since(task);
    if (task->is_fiber)
        brolga__switch_out(BROLGA__REQUEST_PARK);
    else
        sleep_thread(task);
    brolga__store_relaxed(&task->parked_in, NULL);
    brolga__note_since(task);
}

int brolga__park_on(const char *where, const struct brolga__wait *wait,
                    const void *on, uint64_t deadline_ns)
{
    brolga_task *task = brolga__self();
    struct brolga *rt = task->rt;
    int err;

    if (take_permit(task))
        return BROLGA_OK;
    err = brolga__interrupted(task);
    if (err != BROLGA_OK)
        return err;
    if (task->cleaning)
        deadline_ns = brolga__earlier(deadline_ns,
                                      brolga__load_relaxed(&task->ends_by_ns));
    if (deadline_ns == BROLGA_FOREVER) {
        park_now(task, where, wait, on);
        return BROLGA_OK;
    }
    if (deadline_ns <= brolga__plat_now_ns())
        return BROLGA_ETIMEOUT;
    brolga__store_relaxed(&task->timed_out, false);
    task->timer.fire = time_out;
    err = brolga__timer_arm(&rt->timers, &task->timer, deadline_ns);
    if (err != BROLGA_OK) { /* No memory for a timer: the caller polls. */
        brolga_yield();
        return BROLGA_OK;
    }
    park_now(task, where, wait, on);
    brolga__timer_disarm(&rt->timers, &task->timer);
    return brolga__load_relaxed(&task->timed_out) ? BROLGA_ETIMEOUT : BROLGA_OK;
}

int brolga__park(const char *where, uint64_t deadline_ns)
{
    return brolga__park_on(where, NULL, NULL, deadline_ns);
}

void brolga__await_on(const char *where, const struct brolga__wait *wait,
                      const void *on)
{
    brolga_task *task = brolga__self();

    if (!take_permit(task))
        park_now(task, where, wait, on);
}

void brolga__park_bare(const char *where, const struct brolga__wait *wait,
                       const void *on)
{
    brolga_task *task = brolga__self();

    if (take_permit(task))
        return;
    task->parks++;
    task->wait = wait;
    task->wait_on = on;
    brolga__store_relaxed(&task->parked_in, where);
    brolga__note_since(task);
    brolga__shed(task);
}

void brolga__await(const char *where)
{
    brolga__await_on(where, NULL, NULL);
}

/* --- sleeping ----------------------------------------------------------- */

static int sleep_until(uint64_t when_ns)
{
    for (;;) {
        int err;

        if (brolga__plat_now_ns() >= when_ns)
            return brolga_cancel_reason();
        err = brolga__park("sleep", when_ns);
        if (err == BROLGA_ETIMEOUT) /* Ours, or that of a scope? */
            err = brolga_cancel_reason();
        if (err != BROLGA_OK)
            return err;
    }
}

int brolga_sleep_until(uint64_t when_ns)
{
    int err = sleep_until(when_ns);

    /* Also when there was nothing to wait for, so that who sleeps in a loop
     * passes one each time. */
    brolga_safepoint();
    return err;
}
