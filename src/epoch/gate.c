/*
 * The gate: for who must act while no member runs. It is closed by one at a
 * time, and never for longer than that one's deadline.
 *
 * Whom the closer sends is a member that passes the closed gate, does what it
 * was closed for, and is awaited by the closer alone.
 *
 * A member passes the gate where it quiesces and where it comes online, for
 * there it holds nothing. If the gate is closed, it goes offline, waits for it
 * to open, and comes online again. So *nobody runs* is *nobody is online*, and
 * members that sleep or are in foreign code need not be woken for it.
 *
 *   open --narrow--> narrow --close--> closed --open--> open
 *     |                                   ^
 *     +--------------close----------------+
 *
 * While it is narrow it stops no member; the layer above stops whom it wants to
 * (enum brolga__gate).
 *
 *   BA  Who reads a round that began behind the gate sees the gate: release
 *       store in move, before the RMW of `round` -> the member's load of the
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

/* Says that the member stands, and sleeps until the gate has been opened. */
static void stand(struct brolga_epoch *epoch, uint32_t gate)
{
    uint32_t opened = gate / BROLGA__GATES;

    (void)brolga__add_release(&epoch->arrivals, 1); /* BC: gate_wait */
    brolga__plat_wake(&epoch->arrivals, 1);
    while (gate / BROLGA__GATES == opened) {
        (void)brolga__plat_wait(&epoch->gate, gate, BROLGA_FOREVER);
        gate = brolga__load_acquire(&epoch->gate); /* BC: move */
    }
}

void brolga__epoch_halt(struct brolga_epoch_member *member)
{
    struct brolga_epoch *epoch = member->epoch;
    uint32_t gate = brolga__load_acquire(&epoch->gate); /* BC */

    /* Once more as often as it is closed again meanwhile. */
    for (; gate % BROLGA__GATES != BROLGA__GATE_OPEN;
         gate = brolga__load_acquire(&epoch->gate)) { /* BB, BC */
        brolga_epoch_offline(member);
        stand(epoch, gate);
        brolga__epoch_appear(member);
    }
}

/* --- who closes it ------------------------------------------------------ */

static void move(struct brolga_epoch *epoch, uint32_t gate)
{
    brolga__store_release(&epoch->gate, gate); /* BA, BC */
}

/* How it is now; nobody else writes it. */
static uint32_t now(struct brolga_epoch *epoch)
{
    return brolga__load_relaxed(&epoch->gate);
}

void brolga__epoch_gate_narrow(struct brolga_epoch *epoch,
                               enum brolga__gate gate)
{
    uint32_t state = now(epoch) % BROLGA__GATES;

    brolga__assert(state != BROLGA__GATE_CLOSED &&
                   gate != BROLGA__GATE_CLOSED && gate != BROLGA__GATE_OPEN);
    move(epoch, now(epoch) - state + gate);
    (void)brolga__epoch_begin_round(epoch); /* BA */
}

void brolga__epoch_gate_close(struct brolga_epoch *epoch)
{
    uint32_t state = now(epoch) % BROLGA__GATES;

    brolga__assert(state != BROLGA__GATE_CLOSED);
    move(epoch, now(epoch) - state + BROLGA__GATE_CLOSED);
    (void)brolga__epoch_begin_round(epoch); /* BA, BB */
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
    uint32_t state = now(epoch) % BROLGA__GATES;

    brolga__assert(state != BROLGA__GATE_OPEN);
    move(epoch, now(epoch) - state + BROLGA__GATES);
    brolga__plat_wake(&epoch->gate, INT_MAX);
}
