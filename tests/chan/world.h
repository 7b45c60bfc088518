/*
 * What the tests of channels share: a runtime, tasks that make one call each,
 * strings, and handles that count how often they were copied and dropped.
 * Asserts stay on the test's own thread: tasks only note what they got.
 */
#ifndef BROLGA_TESTS_CHAN_WORLD_H
#define BROLGA_TESTS_CHAN_WORLD_H

#include <criterion/criterion.h>

#include <brolga/chan.h>

#include "alloc.h"
#include "atomic.h"

#include <sched.h>
#include <string.h>

static brolga *rt;
static brolga_types *types;
static struct brolga_model model;

/* Handles: what was retained and not released yet, and retained ever. */
static _Atomic int64_t handles_live;
static _Atomic int64_t handles_copied;

/* How often `count_wake` was called. */
static _Atomic int woken;

static inline void count_wake(void *arg)
{
    (void)brolga__add_relaxed((_Atomic int *)arg, 1);
}

static inline void world_open_with(uint32_t workers)
{
    handles_live = 0;
    handles_copied = 0;
    woken = 0;
    model = brolga_model_cranelisp();
    cr_assert_eq(brolga_create(&(struct brolga_opts){.workers = workers}, &rt),
                 BROLGA_OK);
    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_OK);
}

/* Stays on its worker until another one has come to the same place. */
static inline brolga_word world_meet(void *arg)
{
    _Atomic int *here = arg;

    (void)brolga__add_relaxed(here, 1);
    while (brolga__load_relaxed(here) < 2)
        continue;
    return 0;
}

/* Returns when both workers' threads have begun, and made what they need, lest
 * that is seen by tests that count memory. */
static inline void world_settle(void)
{
    _Atomic int here = 0;
    brolga_task *task[2];

    for (int i = 0; i < 2; i++)
        cr_assert_eq(
            brolga_spawn(rt, world_meet, (void *)&here, NULL, &task[i]),
            BROLGA_OK);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL),
                     BROLGA_OK);
}

static inline void world_open(void)
{
    world_open_with(2);
    world_settle();
}

static void world_close(void)
{
    cr_assert_eq(brolga_destroy(rt), BROLGA_OK);
    brolga_types_destroy(types);
}

/* For conditions that another thread makes true; the test's timeout bounds
 * the wait. */
#define until(condition)                                                       \
    do {                                                                       \
        while (!(condition))                                                   \
            (void)sched_yield();                                               \
    } while (0)

/* --- lists -------------------------------------------------------------- */

static inline brolga_word *fields(brolga_word value)
{
    return (brolga_word *)(uintptr_t)value;
}

static inline brolga_word cons(brolga_word head, brolga_word tail)
{
    brolga_word value = model.alloc(24, model.arg);

    fields(value)[0] = 1;
    fields(value)[1] = head;
    fields(value)[2] = tail;
    return value;
}

/* --- channels ----------------------------------------------------------- */

static inline brolga_chan *chan_of(const brolga_type *type, size_t capacity)
{
    brolga_chan *chan = NULL;

    cr_assert_eq(
        brolga_chan_create(
            type, &(struct brolga_chan_opts){.capacity = capacity}, &chan),
        BROLGA_OK);
    return chan;
}

static inline struct brolga_chan_stats stats_of(brolga_chan *chan)
{
    struct brolga_chan_stats stats;

    brolga_chan_stats(chan, &stats);
    return stats;
}

static inline int try_send_word(brolga_chan *chan, brolga_word word)
{
    return brolga_try_send(chan, &word);
}

/* --- tasks that make one call ------------------------------------------- */

struct call {
    brolga_chan *chan;
    brolga_word word;     /* to send, or received */
    uint64_t deadline_ns; /* 0 = none: use `now` for BROLGA_NOW */
    bool now;
    int result;
    brolga_task *task;
};

static inline uint64_t deadline_of(const struct call *call)
{
    if (call->now)
        return BROLGA_NOW;
    return call->deadline_ns == 0 ? BROLGA_FOREVER : call->deadline_ns;
}

static inline brolga_word run_send(void *arg)
{
    struct call *call = arg;

    call->result = brolga_send_word(call->chan, call->word, deadline_of(call));
    return 0;
}

static inline brolga_word run_give(void *arg)
{
    struct call *call = arg;

    call->result = brolga_give(call->chan, &call->word, deadline_of(call));
    return 0;
}

static inline brolga_word run_recv(void *arg)
{
    struct call *call = arg;

    call->result = brolga_recv_word(call->chan, &call->word, deadline_of(call));
    return 0;
}

static inline void start(struct call *call, brolga_task_fn fn)
{
    call->result = 1; /* No call returns that. */
    cr_assert_eq(brolga_spawn(rt, fn, call, NULL, &call->task), BROLGA_OK);
}

static inline int finish(struct call *call)
{
    cr_assert_eq(brolga_join(call->task, BROLGA_FOREVER, NULL, NULL),
                 BROLGA_OK);
    return call->result;
}

static inline int call_in_task(struct call *call, brolga_task_fn fn)
{
    start(call, fn);
    return finish(call);
}

/* Starts a call and returns when it waits in its channel. */
static inline void start_waiting(struct call *call, brolga_task_fn fn)
{
    struct brolga_chan_stats before = stats_of(call->chan);

    start(call, fn);
    until(stats_of(call->chan).senders_waiting +
              stats_of(call->chan).receivers_waiting >
          before.senders_waiting + before.receivers_waiting);
}

/* --- values ------------------------------------------------------------- */

static inline const brolga_type *string_type(void)
{
    const brolga_type *type = NULL;

    cr_assert_eq(brolga_type_parse(types, "String", &type, NULL), BROLGA_OK);
    return type;
}

/* A String of the model: [bytes][UTF-8]. */
static inline brolga_word string_of(const char *text)
{
    int64_t bytes = (int64_t)strlen(text);
    brolga_word value = model.alloc(8 + (bytes + 7) / 8 * 8, model.arg);

    memcpy((void *)(uintptr_t)value, &bytes, 8);
    memcpy((void *)(uintptr_t)(value + 8), text, (size_t)bytes);
    return value;
}

static inline bool string_is(brolga_word value, const char *text)
{
    int64_t bytes;

    memcpy(&bytes, (void *)(uintptr_t)value, 8);
    return bytes == (int64_t)strlen(text) &&
           memcmp((void *)(uintptr_t)(value + 8), text, (size_t)bytes) == 0;
}

static inline void handle_retain(brolga_word word, void *arg)
{
    (void)word;
    (void)arg;
    (void)brolga__add_relaxed(&handles_live, 1);
    (void)brolga__add_relaxed(&handles_copied, 1);
}

static inline void handle_release(brolga_word word, void *arg)
{
    (void)word;
    (void)arg;
    (void)brolga__add_relaxed(&handles_live, -1);
}

static inline const brolga_type *handle_type(void)
{
    const brolga_type *type = NULL;

    cr_assert_eq(brolga_type_handle(types, "Handle", handle_retain,
                                    handle_release, NULL, &type),
                 BROLGA_OK);
    return type;
}

#endif
