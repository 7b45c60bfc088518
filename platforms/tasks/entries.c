#include "entries.h"

#include "chans.h"
#include "closures.h"
#include "host.h"
#include "par.h"
#include "run.h"
#include "stats.h"
#include "tasks.h"

/* --- one a row ---------------------------------------------------------- */

/* A function of the row's number besides its parameters, its prototype, and its
 * place in the table of its family. */
#define PMAP(id, suffix, type)                                                 \
    BROLGA_API brolga_word cranelisp_tasks_pmap_##id(brolga_word,              \
                                                     brolga_word);             \
    brolga_word cranelisp_tasks_pmap_##id(brolga_word fun, brolga_word items)  \
    {                                                                          \
        return host_io(par_map(ELEMENT_##id, ELEMENT_##id, fun, items));       \
    }
#define PFILTER(id, suffix, type)                                              \
    BROLGA_API brolga_word cranelisp_tasks_pfilter_##id(brolga_word,           \
                                                        brolga_word);          \
    brolga_word cranelisp_tasks_pfilter_##id(brolga_word fun,                  \
                                             brolga_word items)                \
    {                                                                          \
        return host_io(par_filter(ELEMENT_##id, fun, items));                  \
    }
#define PREDUCE(id, suffix, type)                                              \
    BROLGA_API brolga_word cranelisp_tasks_preduce_##id(                       \
        brolga_word, brolga_word, brolga_word);                                \
    brolga_word cranelisp_tasks_preduce_##id(                                  \
        brolga_word fun, brolga_word identity, brolga_word items)              \
    {                                                                          \
        return host_io(par_reduce(ELEMENT_##id, fun, identity, items));        \
    }
#define SPAWN(id, suffix, type)                                                \
    BROLGA_API brolga_word cranelisp_tasks_spawn_##id(brolga_word);            \
    brolga_word cranelisp_tasks_spawn_##id(brolga_word fun)                    \
    {                                                                          \
        return host_io(task_spawn(ELEMENT_##id, fun));                         \
    }
#define SCOPE(id, suffix, type)                                                \
    BROLGA_API brolga_word cranelisp_tasks_scope_##id(brolga_word);            \
    brolga_word cranelisp_tasks_scope_##id(brolga_word fun)                    \
    {                                                                          \
        return host_io(task_scope(ELEMENT_##id, fun, 0));                      \
    }
#define SCOPE_FOR(id, suffix, type)                                            \
    BROLGA_API brolga_word cranelisp_tasks_scope_for_##id(brolga_word,         \
                                                          brolga_word);        \
    brolga_word cranelisp_tasks_scope_for_##id(brolga_word ms,                 \
                                               brolga_word fun)                \
    {                                                                          \
        uint64_t until = run_deadline(ms);                                     \
                                                                               \
        return host_io(                                                        \
            task_scope(ELEMENT_##id, fun, until == BROLGA_NOW ? 1 : until));   \
    }
#define CHAN(id, suffix, type)                                                 \
    BROLGA_API brolga_word cranelisp_tasks_chan_##id(brolga_word);             \
    brolga_word cranelisp_tasks_chan_##id(brolga_word capacity)                \
    {                                                                          \
        return host_io(chan_make(ELEMENT_##id, chan_capacity(capacity)));      \
    }
#define CHAN_UNBOUNDED(id, suffix, type)                                       \
    BROLGA_API brolga_word cranelisp_tasks_chan_unbounded_##id(void);          \
    brolga_word cranelisp_tasks_chan_unbounded_##id(void)                      \
    {                                                                          \
        return host_io(chan_make(ELEMENT_##id, CHAN_UNBOUNDED_CAPACITY));      \
    }

ALL_ELEMENTS(PMAP)
ALL_ELEMENTS(PFILTER)
ALL_ELEMENTS(PREDUCE)
ALL_ELEMENTS(SPAWN)
ALL_ELEMENTS(SCOPE)
ALL_ELEMENTS(SCOPE_FOR)
ALL_ELEMENTS(CHAN)
ALL_ELEMENTS(CHAN_UNBOUNDED)

#define TABLE(family)                                                          \
    const entry_code entries_##family[ELEMENTS_MAX] = {                        \
        ALL_ELEMENTS(PLACE_##family)}
/* Not by way of another macro: "bool" is one itself. */
#define PLACE_pmap(id, s, t)      (entry_code) cranelisp_tasks_pmap_##id,
#define PLACE_pfilter(id, s, t)   (entry_code) cranelisp_tasks_pfilter_##id,
#define PLACE_preduce(id, s, t)   (entry_code) cranelisp_tasks_preduce_##id,
#define PLACE_spawn(id, s, t)     (entry_code) cranelisp_tasks_spawn_##id,
#define PLACE_scope(id, s, t)     (entry_code) cranelisp_tasks_scope_##id,
#define PLACE_scope_for(id, s, t) (entry_code) cranelisp_tasks_scope_for_##id,
#define PLACE_chan(id, s, t)      (entry_code) cranelisp_tasks_chan_##id,
#define PLACE_chan_unbounded(id, s, t)                                         \
    (entry_code) cranelisp_tasks_chan_unbounded_##id,

TABLE(pmap);
TABLE(pfilter);
TABLE(preduce);
TABLE(spawn);
TABLE(scope);
TABLE(scope_for);
TABLE(chan);
TABLE(chan_unbounded);

/* --- from scalar to scalar ---------------------------------------------- */

#define PAIRS(X)                                                               \
    X(int, float)                                                              \
    X(int, bool)                                                               \
    X(int, string)                                                             \
    X(float, int)                                                              \
    X(float, bool)                                                             \
    X(float, string)                                                           \
    X(bool, int)                                                               \
    X(bool, float)                                                             \
    X(bool, string)                                                            \
    X(string, int)                                                             \
    X(string, float)                                                           \
    X(string, bool)

#define PMAP_TO(a, b)                                                          \
    BROLGA_API brolga_word cranelisp_tasks_pmap_##a##_to_##b(brolga_word,      \
                                                             brolga_word);     \
    brolga_word cranelisp_tasks_pmap_##a##_to_##b(brolga_word fun,             \
                                                  brolga_word items)           \
    {                                                                          \
        return host_io(par_map(ELEMENT_##a, ELEMENT_##b, fun, items));         \
    }
PAIRS(PMAP_TO)

const entry_code entries_pmap_to[ELEMENTS_SCALAR][ELEMENTS_SCALAR] = {
#define PLACE_TO(a, b)                                                         \
    [ELEMENT_##a][ELEMENT_##b] = (entry_code)cranelisp_tasks_pmap_##a##_to_##b,
    PAIRS(PLACE_TO)};

/* --- shared ------------------------------------------------------------- */

brolga_word cranelisp_tasks_await(brolga_word task)
{
    return host_io(task_await(task));
}

brolga_word cranelisp_tasks_await_for(brolga_word task, brolga_word ms)
{
    return host_io(task_await_for(task, ms));
}

brolga_word cranelisp_tasks_cancel(brolga_word task)
{
    return host_io(task_cancel(task));
}

brolga_word cranelisp_tasks_task_done(brolga_word task)
{
    return host_io(task_has_ended(task));
}

brolga_word cranelisp_tasks_send(brolga_word chan, brolga_word value)
{
    return host_io(chan_send(chan, value));
}

brolga_word cranelisp_tasks_try_send(brolga_word chan, brolga_word value)
{
    return host_io(chan_try_send(chan, value));
}

brolga_word cranelisp_tasks_recv(brolga_word chan)
{
    return host_io(chan_recv(chan, BROLGA_FOREVER));
}

brolga_word cranelisp_tasks_recv_for(brolga_word chan, brolga_word ms)
{
    return host_io(chan_recv(chan, run_deadline(ms)));
}

brolga_word cranelisp_tasks_try_recv(brolga_word chan)
{
    return host_io(chan_try_recv(chan));
}

brolga_word cranelisp_tasks_close(brolga_word chan)
{
    return host_io(chan_close(chan));
}

static brolga_word select_until(brolga_word chans, uint64_t deadline_ns)
{
    brolga_word value;
    size_t index;

    if (!chan_select(chans, deadline_ns, &value, &index))
        return host_io(0);
    return host_io(host_some(value));
}

brolga_word cranelisp_tasks_select(brolga_word chans)
{
    return select_until(chans, BROLGA_FOREVER);
}

brolga_word cranelisp_tasks_select_for(brolga_word chans, brolga_word ms)
{
    return select_until(chans, run_deadline(ms));
}

brolga_word cranelisp_tasks_select_with(brolga_word chans, brolga_word fun)
{
    brolga_word value;
    size_t index;

    if (!chan_select(chans, BROLGA_FOREVER, &value, &index))
        return host_io(-1);
    return host_io(fields(call2(fun, (brolga_word)index, value))[1]);
}

brolga_word cranelisp_tasks_chan_stats(brolga_word chan)
{
    return host_io(chan_stats(chan));
}

brolga_word cranelisp_tasks_sleep_ms(brolga_word ms)
{
    int err;

    (void)run_enter();
    err = brolga_sleep_until(run_deadline(ms));
    run_check(err, "sleep-ms");
    return host_io(err == BROLGA_OK);
}

brolga_word cranelisp_tasks_task_canceled(void)
{
    (void)run_enter();
    brolga_safepoint();
    return host_io(brolga_canceled());
}

brolga_word cranelisp_tasks_task_stats(void)
{
    return host_io(stats_vec());
}

brolga_word cranelisp_tasks_tasks_report(void)
{
    return host_io(stats_report());
}

/* --- shared, by the names of each row ----------------------------------- */

/* A host knows code by its symbol, and wants one for each function; where it
 * links programs these are what they call. */
#define ALIAS(shared, name)                                                    \
    BROLGA_API __typeof__(shared) name __attribute__((alias(#shared)));
#define ALIAS_await(id, s, t)                                                  \
    ALIAS(cranelisp_tasks_await, cranelisp_tasks_await_##id)
#define ALIAS_await_for(id, s, t)                                              \
    ALIAS(cranelisp_tasks_await_for, cranelisp_tasks_await_for_##id)
#define ALIAS_cancel(id, s, t)                                                 \
    ALIAS(cranelisp_tasks_cancel, cranelisp_tasks_cancel_##id)
#define ALIAS_task_done(id, s, t)                                              \
    ALIAS(cranelisp_tasks_task_done, cranelisp_tasks_task_done_##id)
#define ALIAS_send(id, s, t)                                                   \
    ALIAS(cranelisp_tasks_send, cranelisp_tasks_send_##id)
#define ALIAS_try_send(id, s, t)                                               \
    ALIAS(cranelisp_tasks_try_send, cranelisp_tasks_try_send_##id)
#define ALIAS_recv(id, s, t)                                                   \
    ALIAS(cranelisp_tasks_recv, cranelisp_tasks_recv_##id)
#define ALIAS_recv_for(id, s, t)                                               \
    ALIAS(cranelisp_tasks_recv_for, cranelisp_tasks_recv_for_##id)
#define ALIAS_try_recv(id, s, t)                                               \
    ALIAS(cranelisp_tasks_try_recv, cranelisp_tasks_try_recv_##id)
#define ALIAS_close(id, s, t)                                                  \
    ALIAS(cranelisp_tasks_close, cranelisp_tasks_close_##id)
#define ALIAS_select(id, s, t)                                                 \
    ALIAS(cranelisp_tasks_select, cranelisp_tasks_select_##id)
#define ALIAS_select_for(id, s, t)                                             \
    ALIAS(cranelisp_tasks_select_for, cranelisp_tasks_select_for_##id)
#define ALIAS_select_with(id, s, t)                                            \
    ALIAS(cranelisp_tasks_select_with, cranelisp_tasks_select_with_##id)
#define ALIAS_chan_stats(id, s, t)                                             \
    ALIAS(cranelisp_tasks_chan_stats, cranelisp_tasks_chan_stats_##id)

ALL_ELEMENTS(ALIAS_await)
ALL_ELEMENTS(ALIAS_await_for)
ALL_ELEMENTS(ALIAS_cancel)
ALL_ELEMENTS(ALIAS_task_done)
ALL_ELEMENTS(ALIAS_send)
ALL_ELEMENTS(ALIAS_try_send)
ALL_ELEMENTS(ALIAS_recv)
ALL_ELEMENTS(ALIAS_recv_for)
ALL_ELEMENTS(ALIAS_try_recv)
ALL_ELEMENTS(ALIAS_close)
ALL_ELEMENTS(ALIAS_select)
ALL_ELEMENTS(ALIAS_select_for)
ALL_ELEMENTS(ALIAS_select_with)
ALL_ELEMENTS(ALIAS_chan_stats)
