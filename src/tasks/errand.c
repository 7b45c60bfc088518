/*
 * Errands: what a commit has done in tasks, for its hooks (got/hooks.c). Each
 * is a task on a thread of its own, so that it runs also where the host drives
 * the workers, or they stand at the gate, which such a task may pass.
 */
#include "tasks/tasks.h"

#include <stdio.h>

static void start_of(const struct brolga__errand *errand,
                     struct brolga__start *how, struct brolga_spawn_opts *opts,
                     struct brolga *rt)
{
    *how = (struct brolga__start){.entry = BROLGA__ENTRY_FUNCTION,
                                  .fn = errand->fn,
                                  .arg = errand->arg,
                                  .at_end = errand->at_end,
                                  .at_end_arg = errand->arg,
                                  .past_gate = errand->past_gate};
    *opts = (struct brolga_spawn_opts){.name = errand->name,
                                       .thread = true,
                                       .adopt_at_top = errand->still,
                                       .scope = &rt->root};
}

int brolga__errand_run(void *arg, const struct brolga__errand *errand,
                       char *message, size_t bytes)
{
    struct brolga *rt = arg;
    struct brolga_failure failure;
    struct brolga_spawn_opts opts;
    struct brolga__start how;
    brolga_task *task;
    int err;

    start_of(errand, &how, &opts, rt);
    err = brolga__spawn(rt, &how, &opts, &task);
    if (err != BROLGA_OK)
        return err;
    err = brolga__join_resting(task, brolga_after_ns(errand->timeout_ns),
                               &failure);
    if (err == BROLGA_EFAILED) {
        (void)snprintf(message, bytes, "%s", failure.message);
    } else if (err == BROLGA_ETIMEOUT) {
        brolga_cancel(task);
        brolga_detach(task);
    }
    return err;
}
