/* Tasks on OS threads: those that the runtime makes, and the host's own. */
#include "tasks/tasks.h"

#include "alloc.h"
#include "plat.h"

#include <limits.h>

/* Becomes a member of the epoch and a task on the calling thread. */
static void enter(brolga_task *task)
{
    brolga__ctx_init_thread(&task->ctx);
    brolga__store_relaxed(&task->thread_number,
                          (uint32_t)brolga__plat_thread_id());
    brolga_epoch_online(task->member);
    brolga__store_relaxed(&task->watermark, 0); /* To be looked at. */
    brolga__note_since(task);
    brolga__view_set_self(&task->view);
    brolga__safepoint_here(task);
}

static void leave(brolga_task *task)
{
    brolga__view_set_self(NULL);
    brolga_epoch_leave(task->member);
    task->member = NULL;
    task->ctx.sp = 0;
}

/* All frames of the task lie below this one: when it comes back from a second
 * stack they have been left, and their place is free. */
__attribute__((noinline)) static void call_below(brolga_task *task)
{
    task->stack.low = task->ctx.low;
    task->stack.high = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)15;
    task->result = brolga__task_call(task);
}

static void call(brolga_task *task)
{
    jmp_buf exit_to;

    /* A failure comes back here; nothing local changes in between. */
    task->thread_exit = &exit_to;
    if (setjmp(exit_to) == 0)
        call_below(task);
}

static void *thread_main(void *arg)
{
    brolga_task *task = arg;
    struct brolga *rt = task->rt;
    struct brolga__signal_stack signals;
    struct brolga__spilled spilled = {.sp = 0};
    char name[32];
    uint64_t id;

    (void)brolga__identity(task, &id, name);
    brolga__plat_thread_name(name[0] != '\0' ? name : "brolga-task");
    brolga__signal_stack_enter(rt, &signals);
    task->spilled = &spilled;
    enter(task);
    call(task);
    leave(task);
    task->spilled = NULL;
    brolga__signal_stack_leave(rt, &signals);
    brolga__task_end(task);
    brolga__deadlock_hint(rt);
    /* The last touch of the runtime: destruction waits for it. */
    (void)brolga__sub_release(&rt->threads, 1); /* AA: load in destroy */
    brolga__plat_wake(&rt->threads, 1);
    return NULL;
}

int brolga__thread_start(brolga_task *task, bool past_gate)
{
    pthread_attr_t attr;
    pthread_t thread;
    size_t bytes = task->stack_bytes;
    bool started;
    int err = brolga__epoch_enlist(task->rt->epoch, &task->member);

    if (err != BROLGA_OK)
        return err;
    if (past_gate)
        brolga__epoch_send(task->member);
    if (bytes < PTHREAD_STACK_MIN)
        bytes = PTHREAD_STACK_MIN;
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, bytes);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)brolga__add_relaxed(&task->rt->threads, 1);
    started = brolga__plat_thread_start(&thread, &attr, thread_main, task);
    (void)pthread_attr_destroy(&attr);
    if (!started) {
        (void)brolga__sub_release(&task->rt->threads, 1);
        brolga_epoch_leave(task->member);
        task->member = NULL;
        return BROLGA_ELIMIT;
    }
    return BROLGA_OK;
}

static void forget_spilled(brolga_task *task)
{
    brolga__free(task->spilled);
    task->spilled = NULL;
}

int brolga_attach_thread(brolga *rt, const char *name)
{
    struct brolga_spawn_opts opts = {.name = name, .thread = true};
    brolga_task *task;
    int err;

    if (brolga__self() != NULL || brolga__carrier_self() != NULL)
        return BROLGA_ESTATE;
    err = brolga__task_create(rt, &opts, &task);
    if (err != BROLGA_OK)
        return err;
    brolga__store_relaxed(&task->kind, BROLGA__ATTACHED);
    /* Nobody joins it. */
    brolga__store_relaxed(&task->end, BROLGA__END_DETACHED);
    task->spilled = brolga__alloc_zero(sizeof *task->spilled);
    err = task->spilled == NULL
              ? BROLGA_ENOMEM
              : brolga__epoch_enlist(rt->epoch, &task->member);
    if (err != BROLGA_OK) {
        task->member = NULL;
        forget_spilled(task);
        brolga__task_end(task);
        return err;
    }
    (void)brolga__add_relaxed(&rt->threads, 1);
    brolga__identify(task, task->number, name);
    enter(task);
    return BROLGA_OK;
}

void brolga_detach_thread(void)
{
    brolga_task *task = brolga__self();
    struct brolga *rt;

    brolga__assert(task != NULL && task->kind == BROLGA__ATTACHED);
    rt = task->rt;
    brolga__task_finish(task);
    leave(task);
    forget_spilled(task);
    brolga__task_end(task);
    brolga__deadlock_hint(rt);
    (void)brolga__sub_release(&rt->threads, 1); /* AA: load in destroy */
    brolga__plat_wake(&rt->threads, 1);
}
