/*
 * Rounds: who must be waited for, and why that is enough.
 *
 *   A  A member that reads round >= n sees every unlink made before round n:
 *      the release half of the waiter's RMW of `round` -> the member's acquire
 *      read of it.
 *   B  A waiter that reads seen >= n, or 0, comes after every read the member
 *      made before: release store of `seen` -> the waiter's acquire load.
 *   C  A member that comes online is awaited or sees the unlink. Both sides
 *      RMW `round`, so one of the two is first. Member first: the waiter's RMW
 *      reads from ours, so its scan sees our `seen`. Waiter first: edge A.
 *   D  Rounds of several waiters chain: only RMWs write `round`, and an RMW
 *      extends the release sequence that A relies on.
 *
 * There is no fence here on purpose: ThreadSanitizer does not model fences.
 * tests/model/epoch.pml checks A, B and C, and fails when one is weakened.
 */
#include "epoch/epoch.h"

#include "arch.h"
#include "plat.h"

#include <time.h>

uint64_t brolga__epoch_begin_round(struct brolga_epoch *epoch)
{
    return brolga__add_acq_rel(&epoch->round, 1) + 1; /* A, C, D */
}

static bool member_passed(struct brolga_epoch_member *member, uint64_t round)
{
    uint64_t seen = brolga__load_acquire(&member->seen); /* B: announce */

    return seen == 0 || seen >= round;
}

bool brolga__epoch_passed(struct brolga_epoch *epoch, uint64_t round)
{
    bool passed = true;

    (void)pthread_mutex_lock(&epoch->members_lock);
    brolga__list_each (node, &epoch->members) {
        if (!member_passed(
                brolga__container_of(node, struct brolga_epoch_member, link),
                round)) {
            passed = false;
            break;
        }
    }
    (void)pthread_mutex_unlock(&epoch->members_lock);
    return passed;
}

void brolga__epoch_announce(struct brolga_epoch_member *member, uint64_t round)
{
    uint64_t seen = brolga__load_relaxed(&member->seen); /* ours alone */

    brolga__assert(seen != 0);     /* Offline members have nothing to say. */
    brolga__assert(seen <= round); /* Rounds only grow. */
    if (seen != round) {
        brolga__store_release(&member->seen, round); /* B: member_passed */
        brolga__cpu_refetch();
    }
}

void brolga_epoch_quiesce(brolga_epoch_member *member)
{
    uint64_t round = brolga__epoch_round(member->epoch);

    /* The gate after the round: see gate.c. Ends as barriers do. */
    while (brolga__unlikely(brolga__epoch_gate_of(member) ==
                            BROLGA__GATE_CLOSED)) {
        brolga__epoch_halt(member);
        round = brolga__epoch_round(member->epoch);
    }
    brolga__epoch_announce(member, round);
}

void brolga_epoch_offline(brolga_epoch_member *member)
{
    brolga__assert(brolga__load_relaxed(&member->seen) != 0);
    brolga__store_release(&member->seen, 0); /* B: load in member_passed */
}

void brolga__epoch_appear(struct brolga_epoch_member *member)
{
    struct brolga_epoch *epoch = member->epoch;

    brolga__assert(brolga__load_relaxed(&member->seen) == 0);
    /*
     * Any round up to the present will do: an old one only makes us awaited
     * for longer. It must be stored before the RMW, or edge C breaks.
     */
    brolga__store_release(&member->seen, brolga__load_relaxed(&epoch->round));
    (void)brolga__add_acq_rel(&epoch->round, 0); /* C: begin_round */
    brolga__cpu_refetch();
}

void brolga_epoch_online(brolga_epoch_member *member)
{
    brolga__epoch_appear(member);
    if (brolga__unlikely(brolga__epoch_gate_of(member) ==
                         BROLGA__GATE_CLOSED)) /* BB */
        brolga__epoch_halt(member);
}

/* Doubles from 10 us to 1 ms: short waits stay short, long ones stay cheap. */
static void pause_before_next_look(unsigned *looks)
{
    static const unsigned spins = 200;
    unsigned shift = *looks > spins ? *looks - spins : 0;
    long ns = 10000L << (shift < 7 ? shift : 7);
    struct timespec pause = {0, ns};

    (*looks)++;
    if (*looks <= spins)
        brolga__cpu_relax();
    else
        (void)nanosleep(&pause, NULL);
}

int brolga_epoch_synchronize(brolga_epoch *epoch, uint64_t deadline_ns)
{
    uint64_t round = brolga__epoch_begin_round(epoch);
    unsigned looks = 0;

    while (!brolga__epoch_passed(epoch, round)) {
        if (brolga__plat_now_ns() >= deadline_ns)
            return BROLGA_ETIMEOUT;
        pause_before_next_look(&looks);
    }
    (void)brolga_epoch_poll(epoch, SIZE_MAX);
    return BROLGA_OK;
}
