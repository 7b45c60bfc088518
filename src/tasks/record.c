/*
 * Records of tasks: made in blocks, used again, and never returned while the
 * runtime lives: a late brolga__unpark() of a task that has ended touches
 * memory that is still a task's. Records of threads and of fibers are kept
 * apart: who has unparked a thread must still know that it was one, though the
 * thread may have gone and its record have a new task.
 *
 * Each worker has a stock of fibers' records, and takes them from the common
 * list, or puts them back, many at a time.
 *
 * The blocks are also the registry: whoever looks for all tasks visits all
 * records. Nobody is stopped for that. A visitor reads atomic fields, each of
 * them true a moment ago; what must belong together it reads under the permit
 * (scan.c) or by brolga__identity().
 *
 *   AN A block is seen whole: release store of rt->blocks -> acquire load in
 *      walk.
 *   AO Number and name belong together. The writer stores number 0, then the
 *      name, then the number, each with release; the reader loads number, name,
 *      number, each but the last with acquire. If it sees a word of a later
 *      name, it sees a later number, too.
 *
 * Live tasks. Each worker counts those that were taken there, and those that
 * ended there; others count in one word, up and down. Who adds up reads the
 * ends first:
 *
 *   AQ An end that is counted has its beginning counted: release store of
 *      `ended` -> acquire load in live(), which then looks at `taken`.
 *
 * So the sum is never too low, and exact when nobody spawns or ends: a runtime
 * that seems empty is. The limit holds but for what workers have in stock,
 * unless it is low: then all count in one word.
 */
#include "tasks/tasks.h"

#include "alloc.h"
#include "tasks/hard.h"

#include <stdio.h>
#include <string.h>

/* Numbers that a worker takes at a time. */
#define IDS 1024

/* --- live tasks --------------------------------------------------------- */

static int64_t live(struct brolga *rt)
{
    uint64_t taken = 0, ended = 0;
    int64_t others;

    for (uint32_t i = 0; i < rt->worker_count; i++)
        ended += brolga__load_acquire(&rt->workers[i].stock.ended); /* AQ */
    others = brolga__load_acquire(&rt->live); /* X: in ended */
    for (uint32_t i = 0; i < rt->worker_count; i++)
        taken += brolga__load_relaxed(&rt->workers[i].stock.taken);
    return (int64_t)(taken - ended) + others;
}

uint32_t brolga_tasks_live(brolga *rt)
{
    int64_t count = live(rt);

    return count > 0 ? (uint32_t)count : 0;
}

void brolga__record_count(struct brolga *rt, int64_t change)
{
    (void)brolga__add_release(&rt->live, change); /* X: destroy */
}

static bool at_limit(struct brolga *rt)
{
    return live(rt) >= (int64_t)rt->opts.tasks_max;
}

/* --- the common list, with free_lock ------------------------------------ */

static void put_free(struct brolga *rt, brolga_task *task)
{
    task->next = rt->free_tasks[task->is_fiber];
    rt->free_tasks[task->is_fiber] = task;
}

static brolga_task *take_free(struct brolga *rt, bool is_fiber)
{
    brolga_task *task = rt->free_tasks[is_fiber];

    if (task != NULL)
        rt->free_tasks[is_fiber] = task->next;
    return task;
}

static int block_add(struct brolga *rt, bool is_fiber)
{
    struct brolga__block *block = brolga__alloc_line(sizeof *block);

    if (block == NULL)
        return BROLGA_ENOMEM;
    for (unsigned i = BROLGA__BLOCK_TASKS; i-- > 0;) {
        brolga_task *task = &block->task[i];

        task->rt = rt;
        task->is_fiber = is_fiber;
        task->place = (uint8_t)i;
        brolga__store_relaxed(&task->watermark, BROLGA__NOT_STARTED);
        brolga__list_init(&task->in_scope);
        brolga__list_init(&task->heard);
        put_free(rt, task);
    }
    block->next = brolga__load_relaxed(&rt->blocks);
    brolga__store_release(&rt->blocks, block); /* AN: walk */
    return BROLGA_OK;
}

void brolga__records_fini(struct brolga *rt)
{
    struct brolga__block *block = brolga__load_relaxed(&rt->blocks);

    while (block != NULL) {
        struct brolga__block *next = block->next;

        /* Of tasks whose handles nobody has given up. */
        for (unsigned i = 0; i < BROLGA__BLOCK_TASKS; i++)
            brolga__task_forget_why(&block->task[i]);
        brolga__free(block);
        block = next;
    }
}

/* --- taking and putting back -------------------------------------------- */

/* Fills an empty stock; what there is must do if memory is short. */
static int restock(struct brolga *rt, struct brolga__stock *stock)
{
    int err = BROLGA_OK;

    if (at_limit(rt))
        return BROLGA_ELIMIT;
    (void)pthread_mutex_lock(&rt->free_lock);
    if (rt->free_tasks[true] == NULL)
        err = block_add(rt, true);
    while (stock->count < BROLGA__STOCK_BATCH && rt->free_tasks[true] != NULL &&
           !(brolga__hard_on && stock->count > 0)) {
        brolga_task *task = take_free(rt, true);

        task->next = stock->tasks;
        stock->tasks = task;
        stock->count++;
    }
    (void)pthread_mutex_unlock(&rt->free_lock);
    return err;
}

static int take_from_all(struct brolga *rt, bool is_fiber, brolga_task **out)
{
    int err = BROLGA_OK;

    (void)pthread_mutex_lock(&rt->free_lock);
    if (rt->free_tasks[is_fiber] == NULL)
        err = block_add(rt, is_fiber);
    if (err == BROLGA_OK)
        *out = take_free(rt, is_fiber);
    (void)pthread_mutex_unlock(&rt->free_lock);
    return err;
}

/* Counts a task that no worker takes; false at the limit. */
static bool count_one(struct brolga *rt)
{
    if (!rt->counts_exactly && at_limit(rt))
        return false;
    if (brolga__add_relaxed(&rt->live, 1) < (int64_t)rt->opts.tasks_max ||
        !rt->counts_exactly)
        return true;
    (void)brolga__add_relaxed(&rt->live, -1);
    return false;
}

int brolga__record_fetch(struct brolga *rt, struct brolga__worker *worker,
                         bool is_fiber, brolga_task **out)
{
    int err;

    if (worker != NULL && is_fiber && !rt->counts_exactly) {
        err = restock(rt, &worker->stock);
        return err == BROLGA_OK ? brolga__record_take(rt, worker, is_fiber, out)
                                : err;
    }
    if (!count_one(rt))
        return BROLGA_ELIMIT;
    err = take_from_all(rt, is_fiber, out);
    if (err != BROLGA_OK)
        (void)brolga__add_relaxed(&rt->live, -1);
    return err;
}

/* Most of a stock that has become too large. */
static void give_up(struct brolga *rt, struct brolga__stock *stock)
{
    (void)pthread_mutex_lock(&rt->free_lock);
    while (stock->count > (brolga__hard_on ? 0 : BROLGA__STOCK_MAX / 2)) {
        brolga_task *task = stock->tasks;

        stock->tasks = task->next;
        stock->count--;
        put_free(rt, task);
    }
    (void)pthread_mutex_unlock(&rt->free_lock);
}

void brolga__record_return(brolga_task *task, struct brolga__worker *worker)
{
    struct brolga *rt = task->rt;

    if (worker != NULL && task->is_fiber) {
        give_up(rt, &worker->stock);
        brolga__stock_push(&worker->stock, task);
        return;
    }
    (void)pthread_mutex_lock(&rt->free_lock);
    put_free(rt, task);
    (void)pthread_mutex_unlock(&rt->free_lock);
}

/* --- who is who --------------------------------------------------------- */

uint64_t brolga__id_fetch(struct brolga *rt, struct brolga__worker *worker)
{
    struct brolga__stock *stock;

    if (worker == NULL)
        return brolga__add_relaxed(&rt->next_id, 1) + 1;
    stock = &worker->stock;
    stock->next_id = brolga__add_relaxed(&rt->next_id, IDS);
    stock->last_id = stock->next_id + IDS;
    return ++stock->next_id;
}

static void set_name(brolga_task *task, const char *name)
{
    union {
        uint64_t word[BROLGA__NAME_WORDS];
        char text[BROLGA__NAME_WORDS * sizeof(uint64_t)];
    } copy = {{0}};

    (void)snprintf(copy.text, sizeof copy.text, "%s", name);
    for (unsigned i = 0; i < BROLGA__NAME_WORDS; i++)
        brolga__store_release(&task->name[i], copy.word[i]); /* AO */
}

void brolga__identify(brolga_task *task, uint64_t id, const char *name)
{
    brolga__store_relaxed(&task->id, 0);
    if (brolga__unlikely(name != NULL || task->named))
        set_name(task, name != NULL ? name : "");
    task->named = name != NULL;
    brolga__store_release(&task->id, id); /* AO: identity */
}

bool brolga__identity(brolga_task *task, uint64_t *id, char name[32])
{
    uint64_t word[BROLGA__NAME_WORDS];

    *id = brolga__load_acquire(&task->id); /* AO: identify */
    for (unsigned i = 0; i < BROLGA__NAME_WORDS; i++)
        word[i] = brolga__load_acquire(&task->name[i]); /* AO */
    memcpy(name, word, sizeof word);
    return *id != 0 && brolga__load_relaxed(&task->id) == *id;
}

void brolga__walk(struct brolga *rt,
                  void (*visit)(void *arg, brolga_task *task), void *arg)
{
    struct brolga__block *block = brolga__load_acquire(&rt->blocks); /* AN */

    for (; block != NULL; block = block->next)
        for (unsigned i = 0; i < BROLGA__BLOCK_TASKS; i++)
            if (brolga__load_relaxed(&block->task[i].id) != 0)
                visit(arg, &block->task[i]);
}

/* The lines that a look reads of each, for all of them at once. */
static void fetch_restless(struct brolga__block *block, uint32_t restless)
{
    for (; restless != 0; restless &= restless - 1) {
        const brolga_task *task = &block->task[__builtin_ctz(restless)];

        __builtin_prefetch(&task->permit);
        __builtin_prefetch(&task->watermark); /* `id` and `blocked`, too. */
    }
}

void brolga__walk_restless(struct brolga *rt,
                           void (*visit)(void *arg, brolga_task *task),
                           void *arg)
{
    struct brolga__block *block = brolga__load_acquire(&rt->blocks); /* AN */

    for (; block != NULL; block = block->next) {
        /* Relaxed: see wait.c. */
        uint32_t restless = ~brolga__load_relaxed(&block->resting);

        fetch_restless(block, restless);
        for (; restless != 0; restless &= restless - 1) {
            brolga_task *task = &block->task[__builtin_ctz(restless)];

            if (brolga__load_relaxed(&task->id) != 0)
                visit(arg, task);
        }
    }
}

void brolga__walk_while(struct brolga *rt,
                        bool (*visit)(void *arg, brolga_task *task), void *arg)
{
    struct brolga__block *block = brolga__load_acquire(&rt->blocks); /* AN */

    for (; block != NULL; block = block->next)
        for (unsigned i = 0; i < BROLGA__BLOCK_TASKS; i++)
            if (brolga__load_relaxed(&block->task[i].id) != 0 &&
                !visit(arg, &block->task[i]))
                return;
}
