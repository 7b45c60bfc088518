/*
 * A worker's queue of ready tasks: a bounded ring; first in, first out, so
 * that no task starves. The worker pushes; it and thieves take by a CAS of the
 * head. The algorithm is that of the Go scheduler's run queues (D. Vyukov).
 */
#ifndef BROLGA_SRC_TASKS_RUNQ_H
#define BROLGA_SRC_TASKS_RUNQ_H

#include "tasks/tasks.h"

/* By the owner. False if the ring is full. */
bool brolga__runq_push(struct brolga__worker *worker, brolga_task *task);

/* By the owner. NULL if the ring is empty. */
brolga_task *brolga__runq_pop(struct brolga__worker *worker);

/* Moves half of the victim's tasks to the thief's ring, which is empty, but
 * for one that is returned; NULL if there was none. By the thief's owner. */
brolga_task *brolga__runq_steal(struct brolga__worker *thief,
                                struct brolga__worker *victim);

/* Whether there is a task; sequentially consistent, for going to sleep. */
bool brolga__runq_empty(struct brolga__worker *worker);

#endif
