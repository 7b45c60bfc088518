/*
 * Invariant: tail - head <= BROLGA__RUNQ_SIZE, counted modulo 2^32; the tasks
 * lie in ring[head .. tail). Each task that is pushed is taken once: a taker's
 * CAS moves the head over exactly the entries that it has read.
 *
 *   O  Who takes a task sees all of it: release half of the tail's swap in
 *      push -> acquire load of the tail in steal. (The owner needs no edge.)
 *   P  The owner overwrites an entry only after it has been taken: release
 *      half of the taker's CAS of the head -> acquire load of it in push.
 *
 * The swap of the tail is sequentially consistent for the sake of sleepers:
 * see worker.c, edge S.
 */
#include "tasks/runq.h"

#define MASK (BROLGA__RUNQ_SIZE - 1)
_Static_assert((BROLGA__RUNQ_SIZE & MASK) == 0, "a power of two");

bool brolga__runq_push(struct brolga__worker *worker, brolga_task *task)
{
    uint32_t tail = brolga__load_relaxed(&worker->tail); /* ours alone */
    uint32_t head = brolga__load_acquire(&worker->head); /* P: take */

    if (tail - head == BROLGA__RUNQ_SIZE)
        return false;
    brolga__store_relaxed(&worker->ring[tail & MASK], task);
    (void)brolga__swap_seq_cst(&worker->tail, tail + 1); /* O, S */
    return true;
}

brolga_task *brolga__runq_pop(struct brolga__worker *worker)
{
    uint32_t tail = brolga__load_relaxed(&worker->tail); /* ours alone */
    uint32_t head = brolga__load_acquire(&worker->head);

    while (head != tail) {
        brolga_task *task = brolga__load_relaxed(&worker->ring[head & MASK]);

        if (brolga__cas_acq_rel(&worker->head, &head, head + 1)) /* P */
            return task;
    }
    return NULL;
}

brolga_task *brolga__runq_steal(struct brolga__worker *thief,
                                struct brolga__worker *victim)
{
    uint32_t mine = brolga__load_relaxed(&thief->tail); /* ours alone */
    uint32_t head = brolga__load_acquire(&victim->head);

    for (;;) {
        uint32_t tail = brolga__load_acquire(&victim->tail); /* O: push */
        uint32_t count = tail - head - (tail - head) / 2;
        brolga_task *task = NULL;

        if (count == 0)
            return NULL;
        if (count > BROLGA__RUNQ_SIZE / 2) { /* Of two different moments. */
            head = brolga__load_acquire(&victim->head);
            continue;
        }
        for (uint32_t i = 0; i < count; i++) {
            task = brolga__load_relaxed(&victim->ring[(head + i) & MASK]);
            if (i < count - 1)
                brolga__store_relaxed(&thief->ring[(mine + i) & MASK], task);
        }
        if (!brolga__cas_acq_rel(&victim->head, &head, head + count)) /* P */
            continue; /* What was copied is overwritten or ignored. */
        if (count > 1)
            (void)brolga__swap_seq_cst(&thief->tail, mine + count - 1); /* O */
        return task;
    }
}

bool brolga__runq_empty(struct brolga__worker *worker)
{
    return brolga__load_seq_cst(&worker->tail) == /* S */
           brolga__load_seq_cst(&worker->head);
}
