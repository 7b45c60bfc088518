/*
 * Where a task is that runs and does not come to a safepoint: its thread is
 * asked, by a signal, for the function of a unit that it is in.
 *
 * Only reports want that, and only of a task that they have found to be in the
 * way; so it may cost some microseconds. A thread that sleeps in the system is
 * not asked, lest a call of the host's come back early: then nothing is known.
 * Nor is one if the host handles that signal itself.
 *
 * The handler reads the stack of its own thread from the stack pointer up, as
 * the search for suspects does, and takes the first word that lies in a unit:
 * the innermost frame, unless a word is left over from an earlier call. The
 * instruction itself comes first, and is exact.
 */
#include "tasks/tasks.h"

#include "plat.h"

/* For how long one thread is waited for. */
#define PATIENCE_NS (2 * BROLGA_MS)

struct sample {
    struct brolga *rt;
    uint64_t id;       /* The task's number. */
    uintptr_t address; /* Found in a unit, or 0. */
    bool met;          /* The thread was running it. */
};

/* In the signal handler. */
__attribute__((no_sanitize("address", "thread"))) static uintptr_t
find_address(brolga_task *task, uintptr_t pc, uintptr_t sp)
{
    struct brolga_got *got = task->rt->got;
    const uintptr_t *word = (const uintptr_t *)(sp & ~(sizeof sp - 1));
    const uintptr_t *end = (const uintptr_t *)task->ctx.high;

    if (brolga__ranges_find(got, pc) != NULL)
        return pc;
    if (sp < task->ctx.low || sp >= task->ctx.high)
        return 0;
    for (; word < end; word++)
        if (brolga__ranges_find(got, brolga__code_address(*word)) != NULL)
            return brolga__code_address(*word);
    return 0;
}

static void look(void *arg, uintptr_t pc, uintptr_t sp)
{
    struct sample *sample = arg;
    brolga_task *task = brolga__self();

    if (task == NULL || task->rt != sample->rt ||
        brolga__load_relaxed(&task->id) != sample->id)
        return;
    sample->met = true;
    /* Online: what the ranges lead to stays. */
    if (brolga__load_relaxed(&task->blocked) == BROLGA__NOT_BLOCKED)
        sample->address = find_address(task, pc, sp);
}

static void ask(struct sample *sample, uint32_t thread)
{
    if (thread != 0 && !sample->met)
        (void)brolga__plat_sample(thread, look, sample,
                                  brolga_after_ns(PATIENCE_NS));
}

/* Some thread of the runtime runs it; which one is not written down. */
static void ask_carriers(struct sample *sample)
{
    struct brolga *rt = sample->rt;
    struct brolga__carrier *carrier;

    (void)pthread_mutex_lock(&rt->idle_lock);
    carrier = rt->carriers;
    (void)pthread_mutex_unlock(&rt->idle_lock);
    /* Ends: carriers are added in front, and stay. */
    for (; carrier != NULL; carrier = carrier->next)
        ask(sample, brolga__load_relaxed(&carrier->thread_number));
}

uintptr_t brolga__sample(struct brolga *rt, brolga_task *task)
{
    struct sample sample = {.rt = rt, .id = brolga__load_relaxed(&task->id)};

    if (brolga__load_relaxed(&task->kind) == BROLGA__FIBER)
        ask_carriers(&sample);
    else
        ask(&sample, brolga__load_relaxed(&task->thread_number));
    return sample.address;
}
