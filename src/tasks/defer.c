/*
 * The end of a task, as long as it is still on its stack: its open scopes are
 * closed, then its handlers run, the last one first.
 *
 * Scopes come first, all of them, so that no handler frees what a task in one
 * of them still uses. Meanwhile the task may be canceled as often as one likes:
 * that it waits for its scopes is not cut short, and the handlers run in a
 * window in which parking works.
 *
 * A handler is taken off the list before it is called. So when it panics, the
 * panic comes here again, on top of it, and goes on with the next one; it never
 * returns. The depth is that of the handlers that panic.
 */
#include "tasks/tasks.h"

#include "alloc.h"
#include "plat.h"

/* Whoever reports what keeps code reads the list. */
static void set_first(brolga_task *task, struct brolga__defer **link,
                      struct brolga__defer *defer)
{
    brolga__lock_take(&task->holds_lock);
    *link = defer;
    brolga__lock_leave(&task->holds_lock);
}

int brolga_defer(void (*fn)(void *arg), void *arg)
{
    brolga_task *task = brolga__self();
    struct brolga__defer *defer;

    if (task == NULL)
        return BROLGA_ESTATE;
    defer = brolga__alloc(sizeof *defer);
    if (defer == NULL)
        return BROLGA_ENOMEM;
    *defer = (struct brolga__defer){
        .next = task->defers,
        .fn = fn,
        .arg = arg,
        .pinned = brolga__pin_code(task->rt, (void (*)(void))fn)};
    set_first(task, &task->defers, defer);
    return BROLGA_OK;
}

static void discard(struct brolga__defer *defer)
{
    brolga_unit *pinned = defer->pinned;

    brolga__free(defer);
    brolga__unpin_code(pinned);
}

int brolga_undefer(void (*fn)(void *arg), void *arg)
{
    brolga_task *task = brolga__self();
    struct brolga__defer **link = task == NULL ? NULL : &task->defers;

    while (link != NULL && *link != NULL) {
        struct brolga__defer *defer = *link;

        if (defer->fn == fn && defer->arg == arg) {
            set_first(task, link, defer->next);
            discard(defer);
            return BROLGA_OK;
        }
        link = &defer->next;
    }
    return BROLGA_ENOENT;
}

/* --- the end ------------------------------------------------------------ */

/* From here on the task parks although it is canceled, for a while. Who cancels
 * it reads this under the lock. */
static void open_window(brolga_task *task)
{
    uint64_t until_ns = brolga_after_ns(task->rt->opts.cleanup_ns);

    task->worn = true;
    brolga__store_relaxed(&task->ends_by_ns, until_ns);
    brolga__lock_take(&task->scopes_lock);
    task->cleaning = true;
    brolga__lock_leave(&task->scopes_lock);
}

/* As when a task starts: `fn` is in this frame before the pin goes. */
static void run_newest(brolga_task *task)
{
    struct brolga__defer *defer = task->defers;
    void (*fn)(void *arg) = defer->fn;
    void *arg = defer->arg;

    set_first(task, &task->defers, defer->next);
    discard(defer);
    fn(arg);
}

void brolga__task_finish_slowly(brolga_task *task)
{
    brolga__forks_abandon(task);
    brolga__scopes_abandon(task);
    if (task->defers != NULL && !task->cleaning)
        open_window(task);
    /* Ends, unless a handler defers another one each time. */
    while (task->defers != NULL) {
        run_newest(task);
        brolga__forks_abandon(task);
        brolga__scopes_abandon(task);
    }
    brolga__scope_forget(task);
}
