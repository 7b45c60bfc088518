/*
 *   A  Who finds the runtime finds all of it: it is stored when it is complete
 *      (release), and read before it is used (acquire).
 */
#include "run.h"

#include "host.h"
#include "tasks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Compiled code recurses where others loop. Memory is used as it is touched. */
#define STACK_MIB   64
#define STACK_MAX   4096
#define WORKERS_MAX 1024

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

/* At exit(). Where tasks run they are told of and left alone: the host has
 * given back what their code needs by now. exit() may have been called by a
 * task, for a panic: then there is nothing to add. */
static void end(void)
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

/* A number from the environment, or what there is without. */
static uint32_t setting(const char *name, uint32_t without, uint32_t max)
{
    const char *text = getenv(name);
    char *rest;
    unsigned long number;

    if (text == NULL || *text == '\0')
        return without;
    number = strtoul(text, &rest, 10);
    if (*rest == '\0' && number >= 1 && number <= max)
        return (uint32_t)number;
    fprintf(stderr, "tasks: %s=%s is no number from 1 to %u; it is ignored\n",
            name, text, max);
    return without;
}

/* A deadlock is told by those who hear of it: run_check(). */
static void on_event(void *arg, const struct brolga_event *event)
{
    (void)arg;
    if (event->kind == BROLGA_EVENT_STUCK)
        fprintf(stderr, "tasks: task %llu %s was canceled and has not ended\n",
                (unsigned long long)event->task, event->task_name);
}

/* Nobody but tasks acts on tasks: each thread that calls us is one. */
static brolga *start(void)
{
    struct brolga_opts opts = {
        .workers = setting("CRANELISP_TASKS_WORKERS", 0, WORKERS_MAX),
        .stack_bytes =
            (size_t)setting("CRANELISP_TASKS_STACK", STACK_MIB, STACK_MAX)
            << 20,
        .deadlocks = BROLGA_DEADLOCKS_FAIL,
        .on_event = on_event};
    brolga *rt;
    int err = brolga_create(&opts, &rt);

    if (err != BROLGA_OK)
        host_refuse("cannot start: %s", brolga_strerror(err));
    if (pthread_key_create(&attached_key, detach) != 0 || atexit(end) != 0)
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
