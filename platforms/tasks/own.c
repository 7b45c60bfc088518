/* A Brolga of one's own: the library is in this file, and nobody else's. */
#include "runtime.h"

#include "host.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>

/* Compiled code recurses where others loop. Memory is used as it is touched. */
#define STACK_MIB   64
#define STACK_MAX   4096
#define WORKERS_MAX 1024

bool runtime_fits(void)
{
    return true;
}

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
brolga *runtime_get(void)
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
    if (atexit(run_at_exit) != 0)
        host_refuse("cannot start: out of memory");
    return rt;
}
