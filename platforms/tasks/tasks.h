/*
 * Tasks: closures of compiled code that run beside others, and scopes.
 *
 * A task's result is copied when it ends, and again for each that awaits it, so
 * that it may be awaited any number of times. Every task ends with a result,
 * also one that was canceled: its calls that wait return at once then, and what
 * it makes of that is its own business.
 */
#ifndef TASKS_TASKS_H
#define TASKS_TASKS_H

#include "cells.h"

/* Start a task that calls the closure, `(Fn [] (IO a))`; its handle. */
brolga_word task_spawn(unsigned row, brolga_word closure);

/* Wait for its end: a copy of its result, outside. */
brolga_word task_await(brolga_word task);

/* The same, but no longer than that; (Option a). */
brolga_word task_await_for(brolga_word task, int64_t ms);

/* Ask it to end; 1, or 0 if it has ended already. */
brolga_word task_cancel(brolga_word task);

bool task_has_ended(brolga_word task);

/* Call the closure, and wait for all tasks that were started by it meanwhile
 * before its result is returned; outside. At `deadline_ns` they, and the
 * caller, are canceled; 0: never. */
brolga_word task_scope(unsigned row, brolga_word closure, uint64_t deadline_ns);

/* Tasks started so far, and those of them that have not ended. Any thread. */
uint64_t tasks_spawned(void);
uint64_t tasks_running(void);

/* Cancel all tasks, and wait for their ends until then. */
void tasks_end_all(uint64_t deadline_ns);

#endif
