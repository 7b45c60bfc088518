/*
 * What compiled code calls: a C function for each function of the platform that
 * is the same for all element types, and one for each row of the table of
 * elements where it is not. Arguments are borrowed, results are fresh.
 */
#ifndef TASKS_ENTRIES_H
#define TASKS_ENTRIES_H

#include "elements.h"

typedef void (*entry_code)(void);

/* By row. */
extern const entry_code entries_pmap[ELEMENTS_MAX];
extern const entry_code entries_pfilter[ELEMENTS_MAX];
extern const entry_code entries_preduce[ELEMENTS_MAX];
extern const entry_code entries_spawn[ELEMENTS_MAX];
extern const entry_code entries_scope[ELEMENTS_MAX];
extern const entry_code entries_scope_for[ELEMENTS_MAX];
extern const entry_code entries_chan[ELEMENTS_MAX];
extern const entry_code entries_chan_unbounded[ELEMENTS_MAX];

/* From one scalar to another; the same one: NULL. */
extern const entry_code entries_pmap_to[ELEMENTS_SCALAR][ELEMENTS_SCALAR];

/* Of every type, or of none. */
#define SHARED_ENTRIES(X)                                                      \
    X(await, (brolga_word task))                                               \
    X(await_for, (brolga_word task, brolga_word ms))                           \
    X(cancel, (brolga_word task))                                              \
    X(task_done, (brolga_word task))                                           \
    X(send, (brolga_word chan, brolga_word value))                             \
    X(try_send, (brolga_word chan, brolga_word value))                         \
    X(recv, (brolga_word chan))                                                \
    X(recv_for, (brolga_word chan, brolga_word ms))                            \
    X(try_recv, (brolga_word chan))                                            \
    X(close, (brolga_word chan))                                               \
    X(select, (brolga_word chans))                                             \
    X(select_for, (brolga_word chans, brolga_word ms))                         \
    X(select_with, (brolga_word chans, brolga_word fun))                       \
    X(chan_stats, (brolga_word chan))                                          \
    X(sleep_ms, (brolga_word ms))                                              \
    X(task_canceled, (void))                                                   \
    X(task_stats, (void))                                                      \
    X(tasks_report, (void))

#define SHARED_PROTOTYPE(name, params)                                         \
    BROLGA_API brolga_word cranelisp_tasks_##name params;
SHARED_ENTRIES(SHARED_PROTOTYPE)
#undef SHARED_PROTOTYPE

#endif
