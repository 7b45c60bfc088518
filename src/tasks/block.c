/*
 * Foreign code that may block the thread.
 *
 * Between begin and end the task's frames above `spilled->sp` rest: the caller
 * of brolga_block_begin() is in a call below them. They and the registers of
 * that moment are what the task can still return to, so the reclaimer may read
 * them, in the state BLOCKED_SCANNING; the end waits for it, for as long as one
 * stack takes to read. The registers lie with the carrier, which has no other
 * task until the end, or with the task's own thread.
 *
 *   Y  The reclaimer sees frames and registers as they were at begin: release
 *      store of `blocked` -> the reclaimer's CAS; and the task goes on only
 *      after the reclaimer has finished: its release store -> the end's CAS.
 */
#include "tasks/tasks.h"

#include "arch.h"

#include <string.h>

/* Copies the callee-saved registers out of the frame that spilled them. */
__attribute__((no_sanitize("address"))) static void keep_registers(void *arg,
                                                                   uintptr_t sp)
{
    brolga_task *task = arg;
    const uintptr_t *words = (const uintptr_t *)sp;
    size_t above = (task->ctx.high - sp) / sizeof *words;

    for (size_t i = 0; i < BROLGA__SPILL_WORDS; i++)
        task->spilled->word[i] = i < above ? words[i] : 0;
}

__attribute__((noinline)) void brolga_block_begin(void)
{
    brolga_task *task = brolga__self();
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);

    brolga__assert(brolga__load_relaxed(&task->blocked) == BROLGA__NOT_BLOCKED);
    if (task->under != NULL)
        brolga__part(task);
    if (carrier != NULL) {
        brolga__forks_flush(task->rt, &carrier->worker->forks);
        task->spilled = &carrier->spilled;
    }
    brolga__ctx_spill(keep_registers, task);
    task->spilled->sp = (uintptr_t)__builtin_frame_address(0);
    brolga__store_relaxed(&task->parked_in, "foreign code");
    brolga__note_since(task);
    brolga__note_stack(task, task->ctx.high - task->spilled->sp);
    brolga__store_release(&task->blocked, BROLGA__BLOCKED); /* Y: claim */
    brolga_epoch_offline(brolga__member_of(task));
    if (carrier != NULL)
        brolga__worker_release(carrier);
}

void brolga__block_claim(brolga_task *task)
{
    uint32_t blocked = BROLGA__BLOCKED;

    while (!brolga__cas_acq_rel(&task->blocked, &blocked,
                                BROLGA__NOT_BLOCKED)) { /* Y */
        brolga__assert(blocked == BROLGA__BLOCKED_SCANNING);
        blocked = BROLGA__BLOCKED;
        brolga__cpu_relax();
    }
}

void brolga__block_resume(brolga_task *task)
{
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);

    brolga__store_relaxed(&task->parked_in, NULL);
    brolga__note_since(task);
    brolga_epoch_online(brolga__member_of(task));
    brolga__frames_forget(task);
    if (carrier != NULL && !brolga__worker_acquire(carrier))
        brolga__switch_out(BROLGA__REQUEST_REQUEUE);
    else
        brolga__safepoint_here(task);
}

void brolga_block_end(void)
{
    brolga_task *task = brolga__self();

    brolga__block_claim(task);
    brolga__block_resume(task);
}
