/*
 * Looking on: tasks, workers, and tasks that ignore that they were canceled.
 *
 * What is shown is written by tasks, carriers and wakers with relaxed stores as
 * they go, and read here without stopping anyone: each field was true a moment
 * ago, and no decision rests on it.
 *
 *   AZ  Who cancels says so (`canceled`), then asks for a look (RMW of
 *       stuck_at_ns); who looks takes the request (RMW), then looks at the
 *       tasks. So either it sees the task, or the request stays.
 */
#include "tasks/tasks.h"

#include "plat.h"

#include <stdio.h>
#include <string.h>

/* --- tasks -------------------------------------------------------------- */

static enum brolga_task_state state_of(brolga_task *task)
{
    if (brolga__load_relaxed(&task->watermark) == BROLGA__NOT_STARTED)
        return BROLGA_TASK_NEW;
    if (brolga__load_relaxed(&task->blocked) != BROLGA__NOT_BLOCKED)
        return BROLGA_TASK_BLOCKED;
    if (brolga__permit_is_parked(brolga__load_relaxed(&task->permit)))
        return BROLGA_TASK_PARKED;
    if (brolga__load_relaxed(&task->kind) != BROLGA__FIBER ||
        brolga__load_relaxed(&task->carrier) != NULL)
        return BROLGA_TASK_RUNNING;
    return BROLGA_TASK_READY;
}

static enum brolga_task_kind kind_of(brolga_task *task)
{
    switch (brolga__load_relaxed(&task->kind)) {
    case BROLGA__THREAD:
        return BROLGA_KIND_THREAD;
    case BROLGA__ATTACHED:
        return BROLGA_KIND_ATTACHED;
    case BROLGA__FIBER:
    default:
        return BROLGA_KIND_FIBER;
    }
}

/* False if it has ended meanwhile. */
static bool describe(brolga_task *task, struct brolga_task_info *info)
{
    uint64_t version = brolga__load_relaxed(&task->in_version);

    *info = (struct brolga_task_info){
        .kind = kind_of(task),
        .state = state_of(task),
        .since_ns = brolga__load_relaxed(&task->since_ns),
        .version = version == BROLGA__NOT_STARTED ? 0 : version,
        .scope = brolga__load_relaxed(&task->home_id),
        .canceled = brolga__reason_code(brolga__load_relaxed(&task->canceled)),
        .stack_bytes = brolga__load_relaxed(&task->stack_bytes),
        .stack_used = brolga__load_relaxed(&task->stack_used),
        .made_bytes = brolga__load_relaxed(&task->values.made_bytes),
        .freed_bytes = brolga__load_relaxed(&task->values.freed_bytes)};
    if (info->kind == BROLGA_KIND_ATTACHED)
        info->stack_bytes = 0;
    if (info->state == BROLGA_TASK_PARKED)
        info->parked_in = brolga__load_relaxed(&task->parked_in);
    return brolga__identity(task, &info->id, info->name);
}

struct visit {
    void (*visit)(void *arg, const struct brolga_task_info *task);
    void *arg;
    size_t visited;
};

static void visit_task(void *arg, brolga_task *task)
{
    struct visit *visit = arg;
    struct brolga_task_info info;

    if (!describe(task, &info))
        return;
    visit->visit(visit->arg, &info);
    visit->visited++;
}

size_t brolga_tasks_each(brolga *rt,
                         void (*visit)(void *arg,
                                       const struct brolga_task_info *task),
                         void *arg)
{
    struct visit all = {.visit = visit, .arg = arg};

    brolga__walk(rt, visit_task, &all);
    return all.visited;
}

uint64_t brolga_tasks_failed(brolga *rt)
{
    return brolga__load_relaxed(&rt->failed);
}

const char *brolga_task_state_name(enum brolga_task_state state)
{
    switch (state) {
    case BROLGA_TASK_NEW:
        return "new";
    case BROLGA_TASK_READY:
        return "ready";
    case BROLGA_TASK_RUNNING:
        return "running";
    case BROLGA_TASK_PARKED:
        return "parked";
    case BROLGA_TASK_BLOCKED:
        return "blocked";
    default:
        return "?";
    }
}

/* --- workers ------------------------------------------------------------ */

int brolga_worker_stats(brolga *rt, uint32_t number,
                        struct brolga_worker_stats *out)
{
    struct brolga__worker *worker;

    if (number >= rt->worker_count)
        return BROLGA_ENOENT;
    worker = &rt->workers[number];
    *out = (struct brolga_worker_stats){
        .runs = brolga__load_relaxed(&worker->turns) +
                brolga__load_relaxed(&worker->nested),
        .steals = brolga__load_relaxed(&worker->steals),
        .parks = brolga__load_relaxed(&worker->parks),
        .ready = (uint32_t)brolga__runq_count(&worker->queue) +
                 (brolga__load_relaxed(&worker->next) != NULL)};
    return BROLGA_OK;
}

/* --- tasks that ignore that they were canceled -------------------------- */

/* Named in one go; what is left is named in the next. */
#define STUCK_AT_ONCE 16

struct stuck {
    uint64_t now_ns, grace_ns;
    uint64_t next_ns; /* When the next one's time is up. */
    unsigned count;
    struct {
        struct brolga_task_info info;
        uint64_t after_ns;
    } at[STUCK_AT_ONCE];
};

static uint64_t after(uint64_t now_ns, uint64_t delay_ns)
{
    return delay_ns < BROLGA_FOREVER - now_ns ? now_ns + delay_ns
                                              : BROLGA_FOREVER;
}

/* When a task that is canceled since then should have ended. Who waits for its
 * own tasks, or has time left to clean up, does not ignore it. */
static uint64_t due(brolga_task *task, const struct brolga_task_info *info,
                    const struct stuck *stuck)
{
    uint64_t since_ns = brolga__load_relaxed(&task->canceled_ns);
    uint64_t ends_by_ns = brolga__load_relaxed(&task->ends_by_ns);

    if (since_ns == 0 || /* Canceled at this moment. */
        info->state == BROLGA_TASK_NEW || brolga__load_relaxed(&task->awaits))
        since_ns = stuck->now_ns;
    if (ends_by_ns > since_ns)
        since_ns = ends_by_ns;
    return after(since_ns, stuck->grace_ns);
}

static void look_at(void *arg, brolga_task *task)
{
    struct stuck *stuck = arg;
    struct brolga_task_info info;
    uint64_t due_ns;

    if (brolga__load_relaxed(&task->canceled) == BROLGA__NO_REASON ||
        brolga__load_relaxed(&task->named_stuck))
        return;
    if (!describe(task, &info))
        return;
    due_ns = due(task, &info, stuck);
    if (due_ns <= stuck->now_ns && stuck->count < STUCK_AT_ONCE) {
        brolga__store_relaxed(&task->named_stuck, true);
        stuck->at[stuck->count].after_ns =
            stuck->now_ns - brolga__load_relaxed(&task->canceled_ns);
        stuck->at[stuck->count++].info = info;
    } else if (due_ns < stuck->next_ns) {
        stuck->next_ns = due_ns;
    }
}

static const char *where(const struct brolga_task_info *info)
{
    if (info->parked_in != NULL)
        return info->parked_in;
    return info->state == BROLGA_TASK_BLOCKED ? "foreign code" : NULL;
}

static void tell(struct brolga *rt, const struct brolga_task_info *info,
                 uint64_t after_ns)
{
    const char *parked_in = where(info);
    struct brolga_event event = {.kind = BROLGA_EVENT_STUCK,
                                 .version = info->version,
                                 .after_ns = after_ns,
                                 .task = info->id,
                                 .task_name = info->name,
                                 .scope = info->scope,
                                 .parked_in = parked_in};

    if (rt->opts.on_event != NULL)
        rt->opts.on_event(rt->opts.arg, &event);
    else
        fprintf(stderr,
                "brolga: task %llu '%s' was canceled %llu ms ago and has not "
                "ended: %s%s\n",
                (unsigned long long)info->id, info->name,
                (unsigned long long)(after_ns / BROLGA_MS),
                parked_in != NULL ? "in " : "it runs",
                parked_in != NULL ? parked_in : "");
}

/* Lowers the time of the next look; says whether there was none before. */
static bool look_by(struct brolga *rt, uint64_t when_ns)
{
    uint64_t at_ns = brolga__load_relaxed(&rt->stuck_at_ns);

    /* Also where nothing changes, for the order. */
    while (!brolga__cas_acq_rel(&rt->stuck_at_ns, &at_ns,
                                when_ns < at_ns ? when_ns : at_ns)) /* AZ */
        continue;
    return at_ns == BROLGA_FOREVER && when_ns != BROLGA_FOREVER;
}

void brolga__watch_canceled(struct brolga *rt, uint64_t now_ns)
{
    if (look_by(rt, after(now_ns, rt->opts.cancel_grace_ns)))
        brolga__reclaimer_notify(rt);
}

uint64_t brolga__look_for_stuck(struct brolga *rt, uint64_t now_ns)
{
    struct stuck stuck = {.now_ns = now_ns,
                          .grace_ns = rt->opts.cancel_grace_ns,
                          .next_ns = BROLGA_FOREVER};

    if (brolga__load_relaxed(&rt->stuck_at_ns) > now_ns)
        return brolga__load_relaxed(&rt->stuck_at_ns);
    (void)brolga__swap_acq_rel(&rt->stuck_at_ns, BROLGA_FOREVER); /* AZ */
    brolga__walk(rt, look_at, &stuck);
    (void)look_by(rt, stuck.next_ns);
    for (unsigned i = 0; i < stuck.count; i++)
        tell(rt, &stuck.at[i].info, stuck.at[i].after_ns);
    return brolga__load_relaxed(&rt->stuck_at_ns);
}
