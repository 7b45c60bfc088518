/*
 * The commit that waits: everybody stands at the gate of the epoch (gate.c)
 * while the version is published and cells are stored.
 *
 * C1 and C2 for cells. A task calls through cells only while its member is
 * online, and its member goes offline at safepoints only. So if nobody is
 * online, every task is at a safepoint, or has not started; and behind the
 * closed gate nobody gets online and runs. What a task calls between two
 * safepoints is hence all from before the stores, or all from after them.
 *
 * A task of the policy adopt_at_top holds its version from a top safepoint to
 * the next one, also while it is parked in between. It is to see one version
 * all that time, so nobody may hold any version (got/view.c). While the gate is
 * closing, such tasks stand at top safepoints, and all others go on; only when
 * no version is held any more it closes for all. That no hold begins just then
 * is looked at once more behind the gate.
 *
 * Nobody is stopped for long for somebody who does not come: a try takes 1 ms,
 * the next one twice as long, and so on up to 1 s; in between tasks run for as
 * long as they stood. Those that stand may be what the missing one waits for.
 *
 * Where the types of messages change (hooks.c, struct brolga__behind) nobody
 * may go on in code that knows the old ones. A task that has code on its stack
 * that will be out of force is one that has not come, though it stands. So
 * before the next try those at top safepoints stay there for a while, and the
 * others go on to theirs.
 *
 * After a try that failed nothing has changed but the number of the round. The
 * transaction is checked before the first try, so that nobody is stopped for
 * one that will be refused, and again behind the gate, by the commit.
 */
#include "got/txn.h"

#include "plat.h"

#include <stdio.h>
#include <string.h>

#define TRY_FIRST (1 * BROLGA_MS)
#define TRY_MOST  (1 * BROLGA_S)
/* For how long tasks go on to top safepoints, and half as long again. */
#define TOPS_NS   (30 * BROLGA_MS)
/* Between looks at holds that end without anybody's coming to the gate. */
#define LOOK_NS   (200 * BROLGA_US)

static bool is_held(struct brolga_got *got)
{
    bool held;

    (void)pthread_mutex_lock(&got->lock);
    held = brolga__versions_held(got);
    (void)pthread_mutex_unlock(&got->lock);
    return held;
}

/* Sleeps; what it waits for is time. */
static void sleep_until(uint64_t when_ns)
{
    const _Atomic uint32_t nobody = 0;

    while (brolga__plat_wait(&nobody, 0, when_ns))
        continue;
}

/* Lets those who hold versions come to where they do not. */
static void await_holders(struct brolga_got *got, uint64_t until_ns)
{
    if (!is_held(got))
        return;
    brolga__epoch_gate_narrow(got->epoch, BROLGA__GATE_CLOSING);
    while (is_held(got) && brolga__plat_now_ns() < until_ns)
        sleep_until(brolga__plat_now_ns() + LOOK_NS);
}

static void narrow(struct brolga_got *got, enum brolga__gate gate, uint64_t ns)
{
    brolga__epoch_gate_narrow(got->epoch, gate);
    if (ns > 0)
        sleep_until(brolga__plat_now_ns() + ns);
}

/* Lets those who have old code on their stacks come to where they do not: who
 * waits for another to take a message needs that one to go on. So first those
 * stay where they are who would only make more of them, then all. */
static void await_tops(struct brolga_got *got, uint64_t until_ns)
{
    uint64_t now_ns = brolga__plat_now_ns();
    uint64_t left_ns = now_ns < until_ns ? until_ns - now_ns : 0;

    if (left_ns > TOPS_NS) /* On a busy machine that is not enough. */
        left_ns = left_ns / 4 > TOPS_NS ? left_ns / 4 : TOPS_NS;
    left_ns /= 3;
    narrow(got, BROLGA__GATE_SOURCES, left_ns);
    narrow(got, BROLGA__GATE_TOPS, left_ns);
}

/* Whether all stand by then; `tops`: at top safepoints, if they can. */
static bool gather(struct brolga_got *got, bool tops, uint64_t until_ns)
{
    await_holders(got, until_ns);
    if (tops)
        await_tops(got, until_ns);
    brolga__epoch_gate_close(got->epoch);
    return brolga__epoch_gate_wait(got->epoch, until_ns) && !is_held(got);
}

/* What nobody could name. */
static void blame_nobody(struct brolga_report *report)
{
    (void)snprintf(report->text, sizeof report->text,
                   "a thread has not come to rest in time");
}

static int time_out(struct brolga_got *got, struct brolga_report *report)
{
    /* If all have stood before, it says who was in the way then. */
    if (got->stacks.blame != NULL && report->text[0] == '\0')
        got->stacks.blame(got->stacks.arg, report);
    if (report->text[0] == '\0')
        blame_nobody(report);
    report->refusal = BROLGA_REFUSED_BARRIER;
    return BROLGA_ETIMEOUT;
}

/* --- who would go on in old code ---------------------------------------- */

static void mark_owner(const struct brolga__slot *slot)
{
    if (slot->owner != NULL)
        slot->owner->leaves = true;
}

/* What was out of force before counts, too; staged units do not. */
static void mark_leaving(const struct brolga_txn *txn)
{
    brolga__list_each (node, &txn->got->units) {
        struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, all);

        unit->leaves = unit->state != BROLGA__UNIT_LIVE &&
                       unit->state != BROLGA__UNIT_STAGED;
    }
    for (uint32_t i = 0; i < txn->def_count; i++)
        txn->defs[i].unit->leaves = false; /* One of old may come back. */
    for (uint32_t i = 0; i < txn->def_count; i++)
        mark_owner(txn->defs[i].slot);
    for (uint32_t i = 0; i < txn->removed_count; i++)
        mark_owner(txn->removed[i]);
}

/* BROLGA_EAGAIN: somebody would; the report says who. */
static int leave_old_code(struct brolga_txn *txn, struct brolga_report *report)
{
    struct brolga_got *got = txn->got;
    int err;

    (void)pthread_mutex_lock(&got->lock);
    err = brolga__txn_check(txn, report);
    if (err == BROLGA_OK)
        mark_leaving(txn);
    (void)pthread_mutex_unlock(&got->lock);
    if (err != BROLGA_OK || got->stacks.stays == NULL)
        return err;
    return got->stacks.stays(got->stacks.arg, report) ? BROLGA_EAGAIN
                                                      : BROLGA_OK;
}

/* What other layers need before hooks are called. BROLGA_EAGAIN: somebody is in
 * the way who may not be for long. */
static int prepare(struct brolga_txn *txn, struct brolga__list *hooks,
                   uint64_t deadline_ns, struct brolga_report *report)
{
    int err;

    if (!brolga__hooks_behind(hooks))
        return BROLGA_OK;
    report->refusal = BROLGA_REFUSED_NOT;
    err = leave_old_code(txn, report);
    if (err == BROLGA_OK)
        err = brolga__hooks_prepare(hooks, report);
    if (err != BROLGA_EAGAIN || brolga__plat_now_ns() < deadline_ns)
        return err;
    return report->refusal != BROLGA_REFUSED_NOT ? BROLGA_EREFUSED
                                                 : time_out(txn->got, report);
}

/* --- tries -------------------------------------------------------------- */

/* The end of a try; the last one takes all that is left. */
static uint64_t end_of_try(uint64_t slice_ns, uint64_t deadline_ns)
{
    uint64_t now_ns = brolga__plat_now_ns();

    if (deadline_ns <= now_ns || deadline_ns - now_ns <= 3 * slice_ns)
        return deadline_ns;
    return now_ns + slice_ns;
}

/* One try. BROLGA_EAGAIN: somebody has not come, and there is time left. */
static int try_once(struct brolga_txn *txn, struct brolga__list *hooks,
                    uint64_t until_ns, uint64_t deadline_ns,
                    struct brolga_report *report)
{
    struct brolga_got *got = txn->got;
    uint64_t begun_ns = brolga__plat_now_ns();
    int err = BROLGA_EAGAIN;

    /* It says who was in old code, if that is why we are here again. */
    if (gather(got, report->text[0] != '\0', until_ns)) {
        err = prepare(txn, hooks, deadline_ns, report);
        if (err == BROLGA_OK)
            err = brolga__hooks_migrate(txn, hooks, true, report);
        if (err == BROLGA_OK)
            err = brolga__txn_publish(txn, report);
        if (err == BROLGA_OK)
            brolga__hooks_published(hooks);
    } else if (brolga__plat_now_ns() >= deadline_ns)
        err = time_out(got, report);
    brolga__epoch_gate_open(got->epoch);
    report->stood_ns = brolga__plat_now_ns() - begun_ns;
    return err;
}

static int try_until(struct brolga_txn *txn, struct brolga__list *hooks,
                     uint64_t deadline_ns, struct brolga_report *report)
{
    uint64_t begun_ns = brolga__plat_now_ns();
    uint64_t slice_ns = TRY_FIRST;

    for (;;) { /* Ends at the deadline. */
        uint64_t until_ns = end_of_try(slice_ns, deadline_ns);
        int err = try_once(txn, hooks, until_ns, deadline_ns, report);

        report->waited_ns = brolga__plat_now_ns() - begun_ns;
        if (err != BROLGA_EAGAIN)
            return err;
        sleep_until(brolga__plat_now_ns() + slice_ns);
        slice_ns = brolga__earlier(slice_ns * 2, TRY_MOST);
    }
}

/* The caller's own task does not count as one that runs. */
static int meet(struct brolga_txn *txn, uint64_t deadline_ns,
                struct brolga_report *report)
{
    struct brolga_got *got = txn->got;
    struct brolga__list hooks;
    int err;

    brolga__hooks_take(txn, &hooks);
    if (got->stacks.wait_begin != NULL)
        got->stacks.wait_begin(got->stacks.arg);
    err = brolga__hooks_before(got, &hooks, report);
    if (err == BROLGA_OK) {
        (void)pthread_mutex_lock(&got->barrier_lock);
        err = try_until(txn, &hooks, deadline_ns, report);
        (void)pthread_mutex_unlock(&got->barrier_lock);
    }
    if (err != BROLGA_OK)
        brolga_txn_abort(txn);
    else if (got->stacks.notify != NULL)
        got->stacks.notify(got->stacks.arg);
    brolga__hooks_end(got, &hooks, err == BROLGA_OK, report);
    if (got->stacks.wait_end != NULL)
        got->stacks.wait_end(got->stacks.arg);
    return err;
}

int brolga_txn_commit_barrier(brolga_txn *txn, uint64_t deadline_ns,
                              struct brolga_report *report)
{
    struct brolga_report local;
    int err;

    if (report == NULL)
        report = &local;
    err = brolga_txn_check(txn, report);
    if (err == BROLGA_OK)
        return meet(txn, deadline_ns, report);
    brolga_txn_abort(txn);
    return err;
}
