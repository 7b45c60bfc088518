/*
 * Invariant: tail - head <= ring->mask + 1. The entries lie in ring[head ..
 * tail). Each entry is taken once: a taker's CAS moves the head over exactly
 * the entries that it has read.
 *
 *   O  Who takes an entry sees all of its task, and the ring that it is in:
 *      release store of the tail in push -> acquire load of it in steal. (The
 *      owner needs no edge.)
 *   P  The owner overwrites an entry only after it has been taken: release
 *      half of the taker's CAS of the head -> acquire load of it in push.
 *   AM Whoever claims a spawned task sees it: release store of `fresh` in
 *      spawn, or edge O -> the claim's CAS. One CAS succeeds.
 *
 * A thief reads the head, then the tail, then the ring. A ring is replaced only
 * when the queue is empty: the owner takes all entries, installs the ring, and
 * pushes them again. So if the tail that the thief has read lies behind its
 * head, the entries between them are in the ring that it reads or the head has
 * moved, and then its CAS fails.
 *
 * A claim outlives the entry: records of tasks are used again, and a stale
 * entry may claim the record's next task. That is as good as if the entry of
 * that task had been found, which turns stale then.
 */
#include "tasks/runq.h"

#include "alloc.h"
#include "tasks/hard.h"
#include "tasks/tasks.h"

_Static_assert((BROLGA__RUNQ_SIZE & (BROLGA__RUNQ_SIZE - 1)) == 0,
               "a power of two");

static struct brolga__ring_of_tasks *ring_create(uint64_t entries)
{
    struct brolga__ring_of_tasks *ring =
        brolga__alloc_zero(sizeof *ring + entries * sizeof ring->at[0]);

    if (ring != NULL)
        ring->mask = entries - 1;
    return ring;
}

int brolga__runq_init(struct brolga__runq *queue)
{
    struct brolga__ring_of_tasks *ring =
        ring_create(brolga__hard_on ? 8 : BROLGA__RUNQ_SIZE);

    if (ring == NULL)
        return BROLGA_ENOMEM;
    brolga__store_relaxed(&queue->ring, ring);
    return BROLGA_OK;
}

void brolga__runq_fini(struct brolga__runq *queue)
{
    struct brolga__ring_of_tasks *ring = brolga__load_relaxed(&queue->ring);

    while (ring != NULL) {
        struct brolga__ring_of_tasks *older = ring->older;

        brolga__free(ring);
        ring = older;
    }
}

static bool stale(brolga__entry_word entry)
{
    return (entry & BROLGA__SPAWNED) != 0 &&
           !brolga__load_relaxed(&brolga__entry_task(entry)->fresh);
}

/* --- the owner ---------------------------------------------------------- */

/* Takes all entries; returns the place of the first. */
static uint64_t take_all(struct brolga__runq *queue, uint64_t tail)
{
    uint64_t head = brolga__load_acquire(&queue->head);

    /* Ends: thieves only take. */
    while (!brolga__cas_acq_rel(&queue->head, &head, tail)) /* P */
        continue;
    return head;
}

static uint64_t count_live(struct brolga__ring_of_tasks *ring, uint64_t from,
                           uint64_t to)
{
    uint64_t live = 0;

    for (; from != to; from++)
        live += !stale(brolga__load_relaxed(&ring->at[from & ring->mask]));
    return live;
}

/* Forgets stale entries, and takes a larger ring if most are not. Done rarely:
 * at least half a ring's pushes come between two calls. */
bool brolga__runq_make_room(struct brolga__runq *queue)
{
    struct brolga__ring_of_tasks *old = brolga__load_relaxed(&queue->ring);
    struct brolga__ring_of_tasks *ring = old;
    uint64_t tail = brolga__load_relaxed(&queue->tail);
    uint64_t head = brolga__load_relaxed(&queue->head);

    if (count_live(old, head, tail) > (old->mask + 1) / 2) {
        ring = ring_create((old->mask + 1) * 2);
        if (ring == NULL)
            return false;
        ring->older = old;
    }
    head = take_all(queue, tail);
    if (ring != old)
        brolga__store_release(&queue->ring, ring); /* O */
    /* In one ring an entry moves down at most to where it is. */
    for (uint64_t to = tail; head != tail; head++) {
        brolga__entry_word entry =
            brolga__load_relaxed(&old->at[head & old->mask]);

        if (stale(entry))
            continue;
        brolga__store_relaxed(&ring->at[to & ring->mask], entry);
        brolga__store_release(&queue->tail, ++to); /* O: steal */
    }
    return true;
}

brolga_task *brolga__runq_pop(struct brolga__runq *queue)
{
    uint64_t tail = brolga__load_relaxed(&queue->tail); /* ours alone */
    uint64_t head = brolga__load_relaxed(&queue->head);
    struct brolga__ring_of_tasks *ring = brolga__load_relaxed(&queue->ring);

    while (head != tail) {
        brolga__entry_word entry =
            brolga__load_relaxed(&ring->at[head & ring->mask]);
        brolga_task *task;

        if (!brolga__cas_acq_rel(&queue->head, &head, head + 1)) /* P */
            continue;
        head++;
        task = brolga__redeem(entry);
        if (task != NULL)
            return task;
    }
    return NULL;
}

/* --- thieves ------------------------------------------------------------ */

/* Copies entries of a victim behind the thief's tail, but for the last. */
static brolga__entry_word copy(struct brolga__ring_of_tasks *from,
                               uint64_t head, uint64_t count,
                               struct brolga__ring_of_tasks *to, uint64_t tail)
{
    brolga__entry_word entry = 0;

    for (uint64_t i = 0; i < count; i++) {
        entry = brolga__load_relaxed(&from->at[(head + i) & from->mask]);
        if (i < count - 1)
            brolga__store_relaxed(&to->at[(tail + i) & to->mask], entry);
    }
    return entry;
}

brolga_task *brolga__runq_steal(struct brolga__runq *thief,
                                struct brolga__runq *victim)
{
    struct brolga__ring_of_tasks *mine = brolga__load_relaxed(&thief->ring);
    uint64_t own = brolga__load_relaxed(&thief->tail); /* ours alone */
    uint64_t head = brolga__load_acquire(&victim->head);

    /* Ends: a CAS fails because someone else took, and an entry that turns out
     * to be stale is gone. */
    for (;;) {
        uint64_t tail = brolga__load_acquire(&victim->tail); /* O: push */
        struct brolga__ring_of_tasks *ring =
            brolga__load_acquire(&victim->ring); /* O */
        uint64_t count = tail - head;
        brolga__entry_word last;
        brolga_task *task;

        if (count == 0)
            return NULL;
        if (count > ring->mask + 1) { /* Of two different moments. */
            head = brolga__load_acquire(&victim->head);
            continue;
        }
        count -= count / 2;
        if (count > BROLGA__RUNQ_SIZE / 2)
            count = BROLGA__RUNQ_SIZE / 2;
        if (brolga__hard_on && count > 4) /* What a small ring holds. */
            count = 4;
        last = copy(ring, head, count, mine, own);
        if (!brolga__cas_acq_rel(&victim->head, &head, head + count)) /* P */
            continue; /* What was copied is overwritten or ignored. */
        head += count;
        if (count > 1) {
            own += count - 1;
            brolga__store_release(&thief->tail, own); /* O */
        }
        task = brolga__redeem(last);
        if (task == NULL)
            task = brolga__runq_pop(thief);
        if (task != NULL)
            return task;
        own = brolga__load_relaxed(&thief->tail);
    }
}

/* --- looking ------------------------------------------------------------ */

bool brolga__runq_empty(struct brolga__runq *queue)
{
    return brolga__load_seq_cst(&queue->tail) == /* S */
           brolga__load_seq_cst(&queue->head);
}

uint64_t brolga__runq_count(struct brolga__runq *queue)
{
    uint64_t head = brolga__load_relaxed(&queue->head);
    uint64_t count = brolga__load_relaxed(&queue->tail) - head;

    return (int64_t)count > 0 ? count : 0;
}
