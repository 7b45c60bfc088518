/*
 * The gate: for who must act while no member runs. It is closed by one at a
 * time, and never for longer than that one's deadline.
 *
 * A member passes the gate where it quiesces and where it comes online, for
 * there it holds nothing. If the gate is closed, it goes offline, waits for it
 * to open, and comes online again. So *nobody runs* is *nobody is online*, and
 * members that sleep or are in foreign code need not be woken for it.
 *
 *   BA  Who reads a round that began behind the gate sees the gate: release
 *       store in close, before the RMW of `round` -> the member's load of the
 *       round (edge A), after which it loads the gate. A member looks in that
 *       order, or it could announce the new round, and not come again until
 *       there is yet another one.
 *   BB  Who comes online is awaited, or sees the gate: both RMW `round` (edge
 *       C). Who is seen online for a moment, though the gate was closed, runs
 *       nothing: it goes offline at once.
 *   BC  What a member did before it stopped is seen by the closer: edge B. What
 *       the closer did is seen by who goes on: release store in open -> acquire
 *       load in halt. A member that was offline all the time comes online by an
 *       RMW of `round` after that of close, so it sees the gate closed, or open
 *       again and what was done behind it.
 *
 * tests/model/barrier.pml checks these.
 */
#include "epoch/epoch.h"

#include "plat.h"

#include <limits.h>

/* Who closes looks at the members itself, too, since those that rest elsewhere
 * do not say so. */
#define LOOK_FIRST (10 * BROLGA_US)
#define LOOK_LAST  (1 * BROLGA_MS)

/* --- members ------------------------------------------------------------ */

/* Says that the member stands, and sleeps until the gate is another one. */
static void stand(struct brolga_epoch *epoch, uint32_t gate)
{
    (void)brolga__add_release(&epoch->arrivals, 1); /* BC: gate_wait */
    brolga__plat_wake(&epoch->arrivals, 1);
    while (brolga__load_acquire(&epoch->gate) == gate) /* BC: open */
        (void)brolga__plat_wait(&epoch->gate, gate, BROLGA_FOREVER);
}

void brolga__epoch_halt(struct brolga_epoch_member *member)
{
    struct brolga_epoch *epoch = member->epoch;
    uint32_t gate;

    /* As often as the gate is closed meanwhile. */
    while (((gate = brolga__load_acquire(&epoch->gate)) & 1) != 0) { /* BC */
        brolga_epoch_offline(member);
        stand(epoch, gate);
        brolga__epoch_appear(member);
    }
}

/* --- who closes it ------------------------------------------------------ */

void brolga__epoch_gate_close(struct brolga_epoch *epoch)
{
    uint32_t gate = brolga__load_relaxed(&epoch->gate); /* ours alone */

    brolga__assert((gate & 1) == 0);
    brolga__store_release(&epoch->gate, gate + 1); /* BA: gate_closed */
    (void)brolga__epoch_begin_round(epoch);        /* BA, BB */
}

static bool nobody_runs(struct brolga_epoch *epoch)
{
    /* No member has seen this round: all that pass are offline. */
    return brolga__epoch_passed(epoch, UINT64_MAX);
}

bool brolga__epoch_gate_wait(struct brolga_epoch *epoch, uint64_t deadline_ns)
{
    uint64_t pause_ns = LOOK_FIRST;

    for (;;) {
        uint32_t arrivals = brolga__load_acquire(&epoch->arrivals); /* BC */
        uint64_t now_ns, wake_ns;

        if (nobody_runs(epoch))
            return true;
        now_ns = brolga__plat_now_ns();
        if (now_ns >= deadline_ns)
            return false;
        wake_ns = brolga__earlier(now_ns + pause_ns, deadline_ns);
        (void)brolga__plat_wait(&epoch->arrivals, arrivals, wake_ns);
        pause_ns = brolga__earlier(pause_ns * 2, LOOK_LAST);
    }
}

void brolga__epoch_gate_open(struct brolga_epoch *epoch)
{
    uint32_t gate = brolga__load_relaxed(&epoch->gate); /* ours alone */

    brolga__assert((gate & 1) != 0);
    brolga__store_release(&epoch->gate, gate + 1); /* BC: halt */
    brolga__plat_wake(&epoch->gate, INT_MAX);
}
