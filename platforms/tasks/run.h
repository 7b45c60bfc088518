/*
 * The runtime: started, or found, by the first function that needs it. One that
 * was started is stopped when the program ends.
 *
 * Threads of the host that call us become tasks, for as long as they live: so
 * they can wait in channels, and Brolga knows when nobody can go on any more.
 */
#ifndef TASKS_RUN_H
#define TASKS_RUN_H

#include <brolga/brolga.h>

/**
 * To be called first by every function of the platform: the runtime, and the
 * calling thread a task of it. Starts the runtime if there is none.
 */
brolga *run_enter(void);

/* The runtime; NULL if none was started. Any thread. */
brolga *run_now(void);

/* At exit(), where the runtime is ours: tell of tasks that run, or end it. */
void run_at_exit(void);

/* For hosts that say so: cancel all tasks and wait for them for a while. */
void run_shut_down(void);

/* The deadline that lies so many milliseconds from now; a negative number is
 * none at all: now. */
uint64_t run_deadline(int64_t ms);

/* Look at a result that says that a task is to end: BROLGA_EDEADLOCK ends the
 * program, for nobody could go on. `what` names the function. */
void run_check(int err, const char *what);

#endif
