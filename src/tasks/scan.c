/*
 * The search of stacks. A task that has not run yet, or has ended, has a
 * watermark that is above all stamps. A record may get its next task while we
 * look at it: that one starts at a top safepoint, after the suspects were
 * published, so it holds none of them, and what was found of its predecessor
 * only keeps a unit a little longer.
 *
 * Who may read a stack: the task itself, at a safepoint; the carrier that is
 * about to run it; the reclaimer, when it has moved the permit from PARKED to
 * SCANNING, or `blocked` from BLOCKED to BLOCKED_SCANNING. Running and queued
 * tasks are left to look at themselves at their next safepoint, which a new
 * round brings about.
 *
 * A parked fiber whose stack holds no code of any unit rests (wait.c), and is
 * passed over until it is woken: so tasks that hold nothing cost nothing. Units
 * that are made meanwhile cannot get onto its stack.
 *
 *   N  A reclaimer that reads a watermark comes after the task's uses of what
 *      the watermark excludes: release store -> acquire load in look_at().
 */
#include "tasks/tasks.h"

#include "alloc.h"

/* --- reading one stack -------------------------------------------------- */

static void write_down(brolga_task *task, const struct brolga__suspects *set,
                       const struct brolga__found *found)
{
    brolga__lock_take(&task->holds_lock);
    task->holds.set = set->generation;
    task->holds.parks = task->parks;
    task->holds.found = *found;
    brolga__store_relaxed(&task->found_some, found->count > 0);
    brolga__lock_leave(&task->holds_lock);
}

/* A clean stack gets a new watermark, and of most tasks that is all: what they
 * hold of units, if anything, lies on the far lines of their records. */
static void conclude(brolga_task *task, const struct brolga__suspects *set,
                     const struct brolga__found *found)
{
    if (found->count > 0 || brolga__load_relaxed(&task->found_some) ||
        task->holds_some)
        write_down(task, set, found);
    if (found->count == 0)
        brolga__store_release(&task->watermark, set->stamp); /* N */
}

/* The words from `sp` up, and what lies on a stack that was left (second.c). */
static void read_from(brolga_task *task, const struct brolga__suspects *set,
                      uintptr_t sp, struct brolga__found *found)
{
    brolga__suspects_scan(set, sp, task->ctx.high, found);
    if (task->left != NULL)
        brolga__suspects_scan(set, task->left->ctx.sp, task->left->ctx.high,
                              found);
}

/*
 * A search works on a task's stack, as a rule, and handles what it looks for:
 * addresses in old code. Frames that are gone keep their words, and those of
 * later calls have holes, through which the next search would see them. So
 * these frames are overwritten, with the function that was called here; but
 * only if one was found, since else none was handled.
 */
#define WIPED_BYTES 1024

__attribute__((noinline)) static void wipe(void)
{
    volatile uintptr_t words[WIPED_BYTES / sizeof(uintptr_t)];

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = 0;
}

/* Returns whether the stack is clean. */
__attribute__((noinline)) static bool
search_stack(brolga_task *task, const struct brolga__suspects *set,
             uintptr_t sp)
{
    struct brolga__found found = {0};

    read_from(task, set, sp, &found);
    conclude(task, set, &found);
    return found.count == 0;
}

void brolga__scan_stack(brolga_task *task, const struct brolga__suspects *set,
                        uintptr_t sp)
{
    if (!search_stack(task, set, sp))
        wipe();
}

void brolga__scan_in_vain(brolga_task *task, const struct brolga__suspects *set,
                          uintptr_t sp)
{
    struct brolga__found found = {0};

    read_from(task, set, sp, &found);
    wipe();
}

static void read_spilled(brolga_task *task, const struct brolga__suspects *set,
                         struct brolga__found *found)
{
    const struct brolga__spilled *spilled = task->spilled;
    uintptr_t registers = (uintptr_t)spilled->word;

    brolga__suspects_scan(set, registers, registers + sizeof spilled->word,
                          found);
    read_from(task, set, spilled->sp, found);
}

static void read_blocked(brolga_task *task, const struct brolga__suspects *set)
{
    struct brolga__found found = {0};

    read_spilled(task, set, &found);
    conclude(task, set, &found);
}

/* --- the reclaimer's look ----------------------------------------------- */

struct look {
    struct brolga *rt;
    const struct brolga__suspects *set;
    struct brolga__suspects *all; /* All units; NULL: not known. */
};

/*
 * Whether a fiber that is held has no address of any unit on its stack: then it
 * needs no other look until it is woken. What it had in its frames before it
 * parked was a unit's before we held it, so we see it counted.
 */
static bool holds_nothing(const struct look *look, brolga_task *task)
{
    struct brolga__found found = {0};
    bool nothing;

    if (look->all == NULL || !task->is_fiber ||
        (task->holds_some && task->holds.parks == task->parks))
        return false;
    if (brolga__load_relaxed(&task->top))
        return true;
    read_from(task, look->all, task->ctx.sp, &found);
    nothing =
        found.count == 0 && brolga__load_relaxed(&look->rt->got->units_made) ==
                                look->all->generation;
    task->holds_some = !nothing;
    return nothing;
}

/* What the last scan found, if it found something, and was for this set. */
static bool known(brolga_task *task, const struct brolga__suspects *set,
                  bool same_park, struct brolga__found *found)
{
    bool is;

    if (!brolga__load_relaxed(&task->found_some))
        return false;
    brolga__lock_take(&task->holds_lock);
    is = brolga__load_relaxed(&task->found_some) &&
         task->holds.set == set->generation &&
         (!same_park || task->holds.parks == task->parks);
    if (is)
        *found = task->holds.found;
    brolga__lock_leave(&task->holds_lock);
    return is;
}

/* Reads the stack of a task that is parked, unless it woke up. */
static bool look_at_parked(const struct look *look, brolga_task *task,
                           struct brolga__found *found)
{
    const struct brolga__suspects *set = look->set;

    if (!brolga__hold(task))
        return false;
    if (holds_nothing(look, task)) {
        found->count = 0;
        brolga__store_release(&task->watermark, set->stamp); /* N */
        brolga__unhold_resting(task);
        wipe();
        return true;
    }
    if (brolga__load_relaxed(&task->top)) {
        brolga__store_release(&task->watermark, set->stamp); /* N */
        found->count = 0;
    } else if (!known(task, set, true, found)) {
        brolga__scan_stack(task, set, task->ctx.sp);
        (void)known(task, set, true, found);
    }
    brolga__unhold(task);
    return true;
}

static bool look_at_blocked(brolga_task *task,
                            const struct brolga__suspects *set,
                            struct brolga__found *found)
{
    uint32_t blocked = BROLGA__BLOCKED;

    if (brolga__load_relaxed(&task->blocked) != blocked ||
        !brolga__cas_acq_rel(&task->blocked, &blocked,
                             BROLGA__BLOCKED_SCANNING)) /* Y: begin */
        return false;
    read_blocked(task, set);
    (void)known(task, set, false, found);
    brolga__store_release(&task->blocked, BROLGA__BLOCKED); /* Y: end */
    return true;
}

static void look_at(void *arg, brolga_task *task)
{
    struct look *look = arg;
    const struct brolga__suspects *set = look->set;
    struct brolga_got *got = look->rt->got;
    uint64_t watermark = brolga__load_acquire(&task->watermark); /* N */
    struct brolga__found found = {0};

    if (watermark >= set->stamp) {
        if (brolga__unlikely(look->rt->opts.stress.scan))
            (void)brolga__scan_apart(task, set, &found); /* In vain. */
        return;
    }
    if (look_at_parked(look, task, &found) ||
        look_at_blocked(task, set, &found)) {
        brolga__reclaim_held(got, set, &found);
        return;
    }
    /* It runs, or will, and looks at itself then. What it found there since
     * this set was published is all that it can hold; else it may be all. */
    watermark = brolga__load_acquire(&task->watermark); /* N */
    if (known(task, set, false, &found)) {
        brolga__reclaim_held(got, set, &found);
        watermark = set->stamp;
    }
    brolga__reclaim_unseen(got, watermark);
}

void brolga__scan_look(void *arg, const struct brolga__suspects *set)
{
    struct brolga *rt = arg;
    struct look look = {rt, set, brolga__suspects_all(rt->got)};

    brolga__walk_restless(rt, look_at, &look);
    brolga__free(look.all);
}

/* --- for reports -------------------------------------------------------- */

bool brolga__scan_apart(brolga_task *task, const struct brolga__suspects *set,
                        struct brolga__found *found)
{
    uint32_t blocked = BROLGA__BLOCKED;

    if (brolga__load_acquire(&task->permit) == BROLGA__RESTING) /* M */
        return true; /* It holds nothing, and is to rest on. */
    if (brolga__hold(task)) {
        if (!brolga__load_relaxed(&task->top))
            read_from(task, set, task->ctx.sp, found);
        brolga__unhold(task);
        return true;
    }
    if (!brolga__cas_acq_rel(&task->blocked, &blocked,
                             BROLGA__BLOCKED_SCANNING)) /* Y: begin */
        return false;
    read_spilled(task, set, found);
    brolga__store_release(&task->blocked, BROLGA__BLOCKED); /* Y: end */
    return true;
}

bool brolga__scan_known(brolga_task *task, const struct brolga__suspects *set,
                        struct brolga__found *found)
{
    return known(task, set, false, found);
}
