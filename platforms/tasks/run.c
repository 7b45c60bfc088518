/*
 *   A  Who finds the runtime finds all of it: it is stored when it is complete
 *      (release), and read before it is used (acquire).
 */
#include "run.h"

#include "host.h"
#include "runtime.h"
#include "tasks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* How long a host that says good-bye waits for tasks that were canceled. */
#define LAST_WAIT BROLGA_S

static brolga *_Atomic runtime;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t attached_key;

brolga *run_now(void)
{
    return atomic_load_explicit(&runtime, memory_order_acquire); /* A */
}

/* --- the end ------------------------------------------------------------ */

/* A thread of the host ends, or the process does. */
static void detach(void *mark)
{
    (void)mark;
    if (brolga_self() == NULL)
        return;
    brolga_detach_thread();
}

static void tell(void *arg, const struct brolga_task_info *task)
{
    unsigned *shown = arg;

    if (task->kind == BROLGA_KIND_ATTACHED || ++*shown > 8)
        return;
    fprintf(stderr, "tasks:   task %llu %s, %s%s%s\n",
            (unsigned long long)task->id, task->name,
            brolga_task_state_name(task->state),
            task->parked_in != NULL ? " in " : "",
            task->parked_in != NULL ? task->parked_in : "");
}

static void tell_all(brolga *rt, uint64_t left)
{
    unsigned shown = 0;

    fprintf(stderr,
            "tasks: the program ends while %llu %s; await them, or start them "
            "in a scope\n",
            (unsigned long long)left, left == 1 ? "task runs" : "tasks run");
    (void)brolga_tasks_each(rt, tell, &shown);
}

/* Where tasks run they are told of and left alone: the host has given back what
 * their code needs by now. exit() may have been called by a task, for a panic:
 * then there is nothing to add. */
void run_at_exit(void)
{
    brolga *rt = run_now();
    uint64_t left = tasks_running();

    if (host_has_refused() || pthread_getspecific(attached_key) == NULL)
        return;
    if (left > 0) {
        tell_all(rt, left);
        return;
    }
    (void)pthread_setspecific(attached_key, NULL);
    detach(NULL);
    if (brolga_destroy(rt) == BROLGA_OK)
        atomic_store_explicit(&runtime, NULL, memory_order_relaxed);
}

void run_shut_down(void)
{
    uint64_t left = tasks_running();

    if (left == 0)
        return;
    tell_all(run_enter(), left);
    tasks_end_all(brolga_after_ns(LAST_WAIT));
}

/* --- the beginning ------------------------------------------------------ */

static brolga *start(void)
{
    brolga *rt = runtime_get();

    if (pthread_key_create(&attached_key, detach) != 0)
        host_refuse("cannot start: out of memory");
    atomic_store_explicit(&runtime, rt, memory_order_release); /* A */
    return rt;
}

static void attach(brolga *rt)
{
    int err = brolga_attach_thread(rt, "host");

    if (err == BROLGA_OK && pthread_setspecific(attached_key, rt) != 0)
        err = BROLGA_ENOMEM;
    if (err != BROLGA_OK)
        host_refuse("this thread cannot take part: %s", brolga_strerror(err));
}

brolga *run_enter(void)
{
    brolga *rt = run_now();

    if (rt == NULL) {
        (void)pthread_mutex_lock(&lock);
        rt = run_now();
        if (rt == NULL)
            rt = start();
        (void)pthread_mutex_unlock(&lock);
    }
    if (brolga_self() == NULL)
        attach(rt);
    return rt;
}

/* Told by whoever hears of it first; others wait until it is said, for they may
 * end the process. */
static void tell_deadlock(void)
{
    static bool told; /* lock */
    char text[4096];

    (void)pthread_mutex_lock(&lock);
    if (!told) {
        (void)brolga_deadlock_text(run_now(), text, sizeof text);
        fprintf(stderr, "%s\n", text);
        told = true;
    }
    (void)pthread_mutex_unlock(&lock);
}

void run_check(int err, const char *what)
{
    if (err == BROLGA_EDEADLOCK) {
        tell_deadlock();
        host_refuse("%s: no task can ever run again", what);
    }
    if (err == BROLGA_ENOMEM || err == BROLGA_ELIMIT)
        host_refuse("%s: %s", what, brolga_strerror(err));
}

uint64_t run_deadline(int64_t ms)
{
    if (ms <= 0)
        return BROLGA_NOW;
    if ((uint64_t)ms > BROLGA_FOREVER / BROLGA_MS)
        return BROLGA_FOREVER;
    return brolga_after_ns((uint64_t)ms * BROLGA_MS);
}
