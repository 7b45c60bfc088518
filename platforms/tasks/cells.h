/*
 * Cells: the objects that stand for tasks and channels in compiled code, and
 * what we know of them, in one cache line each.
 *
 * The first part is a value of the host, [0][word], as `(deftype (Chan a)
 * (ChanRef [:Int chan-word]))` would make it. Its count is so high that the
 * host never frees it, though it counts inexactly. Copies of it are as good: it
 * is the word that tells which cell is meant. So cells last as long as the
 * program does; what a task needs only while it runs does not.
 *
 * A word is a mark and a number, not an address: one that was made up is
 * refused, and not looked at.
 */
#ifndef TASKS_CELLS_H
#define TASKS_CELLS_H

#include "elements.h"

#include <brolga/chan.h>

enum cell_kind { CELL_TASK = 1, CELL_CHAN };

struct task_run;

struct cell {
    /* The host's part. */
    brolga_word size, count, tag, word;
    /* Ours. */
    uint16_t kind;
    uint16_t row; /* Of the element type; fixed. */
    bool ended;   /* Of a task; under its lock. */
    union {
        brolga_chan *chan;
        struct task_run *run; /* NULL once nobody needs it; under the lock. */
    };
    brolga_word result; /* Inside; once it has ended. */
};

/* A fresh cell; its value is cell_value(). Any thread. */
struct cell *cell_make(enum cell_kind kind, unsigned row);

static inline brolga_word cell_value(struct cell *cell)
{
    return (brolga_word)&cell->tag;
}

/**
 * The cell that a value stands for; `what` names the function for the message.
 * The program is refused if there is none of that kind.
 */
struct cell *cell_of(brolga_word value, enum cell_kind kind, const char *what);

/* Visit all cells, in the order in which they were made. Any thread. */
void cells_each(void (*visit)(void *arg, struct cell *cell), void *arg);

#endif
