#include "families.h"

#include "elements.h"
#include "entries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAMS_MAX 3

/* '%' stands for the suffix of an element type, '$' for the type. A name
 * without '%' is one function. Code is shared, or there is one for each row. */
struct family {
    const char *name;
    const char *any; /* Its name with a type variable, or NULL. */
    const char *type;
    const char *params[PARAMS_MAX];
    const char *symbol; /* That of a row has its suffix behind it. */
    entry_code shared;
    const entry_code *rows;
    const char *doc;
};

#define SHARED(f)                                                              \
    .symbol = "cranelisp_tasks_" #f, .shared = (entry_code)cranelisp_tasks_##f
#define ROWS(f) .symbol = "cranelisp_tasks_" #f, .rows = entries_##f

static const struct family families[] = {
    {.name = "pmap-%",
     .type = "(Fn [(Fn [$] $) (Vec $)] (IO (Vec $)))",
     .params = {"mapping-fn", "map-items"},
     ROWS(pmap),
     .doc =
         "Apply a function to each item, in parallel. The results are in the "
         "order of the items."},
    {.name = "pfilter-%",
     .type = "(Fn [(Fn [$] Bool) (Vec $)] (IO (Vec $)))",
     .params = {"keep-fn", "filter-items"},
     ROWS(pfilter),
     .doc = "The items for which a function returns true, in their order. The "
            "function is called in parallel."},
    {.name = "preduce-%",
     .type = "(Fn [(Fn [$ $] $) $ (Vec $)] (IO $))",
     .params = {"joining-fn", "identity-item", "reduce-items"},
     ROWS(preduce),
     .doc =
         "Join all items by an associative function of two, in parallel. The "
         "identity joined with x must be x; it may be used more than once."},
    {.name = "spawn-%",
     .type = "(Fn [(Fn [] (IO $))] (IO (Task $)))",
     .params = {"task-body"},
     ROWS(spawn),
     .doc = "Start a task that runs beside the caller."},
    {.name = "await-%",
     .any = "task-await",
     .type = "(Fn [(Task $)] (IO $))",
     .params = {"awaited-task"},
     SHARED(await),
     .doc = "Wait for the end of a task. Its result; as often as you like."},
    {.name = "await-for-%",
     .any = "task-await-for",
     .type = "(Fn [(Task $) Int] (IO (Option $)))",
     .params = {"awaited-task", "wait-ms"},
     SHARED(await_for),
     .doc = "Wait for the end of a task for so many milliseconds at the most. "
            "None: it has not ended."},
    {.name = "cancel-%",
     .any = "task-cancel",
     .type = "(Fn [(Task $)] (IO Int))",
     .params = {"canceled-task"},
     SHARED(cancel),
     .doc =
         "Ask a task to end: its calls that wait return at once from now on, "
         "recv with None, send and sleep-ms with 0. It still has a result. "
         "0: it had ended already."},
    {.name = "task-done-%",
     .any = "task-done",
     .type = "(Fn [(Task $)] (IO Bool))",
     .params = {"looked-at-task"},
     SHARED(task_done),
     .doc = "Whether a task has ended."},
    {.name = "scope-%",
     .type = "(Fn [(Fn [] (IO $))] (IO $))",
     .params = {"scope-body"},
     ROWS(scope),
     .doc = "Call a function, and wait for all tasks that it has started. Its "
            "result."},
    {.name = "scope-for-%",
     .type = "(Fn [Int (Fn [] (IO $))] (IO $))",
     .params = {"scope-ms", "scope-body"},
     ROWS(scope_for),
     .doc = "The same; what still runs after so many milliseconds is canceled, "
            "and then awaited."},
    {.name = "chan-%",
     .type = "(Fn [Int] (IO (Chan $)))",
     .params = {"chan-capacity"},
     ROWS(chan),
     .doc = "A channel in which so many values may wait. 0: a send waits until "
            "the value is received."},
    {.name = "chan-unbounded-%",
     .type = "(Fn [] (IO (Chan $)))",
     ROWS(chan_unbounded),
     .doc = "A channel in which any number of values may wait."},
    {.name = "send-%",
     .any = "chan-send",
     .type = "(Fn [(Chan $) $] (IO Int))",
     .params = {"send-chan", "sent-value"},
     SHARED(send),
     .doc = "Send a copy of a value; waits while the channel is full. 1; 0: it "
            "is closed, or this task is canceled."},
    {.name = "try-send-%",
     .any = "chan-try-send",
     .type = "(Fn [(Chan $) $] (IO Int))",
     .params = {"send-chan", "sent-value"},
     SHARED(try_send),
     .doc =
         "Send a copy of a value without waiting. 1; 0: it is closed; -1: it "
         "is full."},
    {.name = "recv-%",
     .any = "chan-recv",
     .type = "(Fn [(Chan $)] (IO (Option $)))",
     .params = {"recv-chan"},
     SHARED(recv),
     .doc = "Receive the oldest value; waits for one. None: the channel is "
            "closed and empty, or this task is canceled."},
    {.name = "recv-for-%",
     .any = "chan-recv-for",
     .type = "(Fn [(Chan $) Int] (IO (Option $)))",
     .params = {"recv-chan", "wait-ms"},
     SHARED(recv_for),
     .doc = "Receive, but wait for so many milliseconds at the most. None also "
            "when they are over."},
    {.name = "try-recv-%",
     .any = "chan-try-recv",
     .type = "(Fn [(Chan $)] (IO (Option $)))",
     .params = {"recv-chan"},
     SHARED(try_recv),
     .doc = "Receive without waiting. None: there is nothing now."},
    {.name = "close-%",
     .any = "chan-close",
     .type = "(Fn [(Chan $)] (IO Int))",
     .params = {"closed-chan"},
     SHARED(close),
     .doc = "Close a channel: sends fail from now on; what is in it can still "
            "be received. 0: it was closed already."},
    {.name = "select-%",
     .any = "chan-select",
     .type = "(Fn [(Vec (Chan $))] (IO (Option $)))",
     .params = {"select-chans"},
     SHARED(select),
     .doc = "Receive from whichever of up to 64 channels has a value first. "
            "None: all are closed and empty, or this task is canceled."},
    {.name = "select-for-%",
     .any = "chan-select-for",
     .type = "(Fn [(Vec (Chan $)) Int] (IO (Option $)))",
     .params = {"select-chans", "wait-ms"},
     SHARED(select_for),
     .doc = "The same, for so many milliseconds at the most."},
    {.name = "select-with-%",
     .any = "chan-select-with",
     .type = "(Fn [(Vec (Chan $)) (Fn [Int $] (IO Int))] (IO Int))",
     .params = {"select-chans", "select-fn"},
     SHARED(select_with),
     .doc = "Receive from whichever channel has a value first, and call a "
            "function with the channel's place in the vec, from 0, and the "
            "value. Its result; -1: all are closed and empty."},
    {.name = "chan-stats-%",
     .any = "chan-figures",
     .type = "(Fn [(Chan $)] (IO (Vec Int)))",
     .params = {"looked-at-chan"},
     SHARED(chan_stats),
     .doc = "Values in a channel, its capacity (-1: unbounded), values sent, "
            "received and dropped, senders and receivers that wait, 1 if it is "
            "closed."},
    {.name = "sleep-ms",
     .type = "(Fn [Int] (IO Int))",
     .params = {"sleep-time"},
     SHARED(sleep_ms),
     .doc = "Wait for so many milliseconds. 1; 0: this task is canceled."},
    {.name = "task-canceled",
     .type = "(Fn [] (IO Bool))",
     SHARED(task_canceled),
     .doc = "Whether the calling task has been told to end."},
    {.name = "task-stats",
     .type = "(Fn [] (IO (Vec Int)))",
     SHARED(task_stats),
     .doc = "Workers; tasks started; tasks not ended; channels; bytes that are "
            "kept because tasks were given them; bytes that the host could not "
            "free; reloads."},
    {.name = "tasks-report",
     .type = "(Fn [] (IO String))",
     SHARED(tasks_report),
     .doc = "What the tasks are doing, as text."},
};

#define FAMILIES (sizeof families / sizeof *families)

static struct cranelisp_fn *list;
static size_t room, count, count_all;

const struct cranelisp_fn *families_list(void)
{
    return list;
}

size_t families_count(void)
{
    return count;
}

size_t families_count_all(void)
{
    return count_all;
}

/* --- making the list ---------------------------------------------------- */

/* A copy of a pattern with what stands for '%' and '$'; NULL: no memory. */
static const char *expand(const char *pattern, const char *suffix,
                          const char *type)
{
    size_t bytes = 1;
    char *text, *to;

    for (const char *p = pattern; *p != '\0'; p++)
        bytes += *p == '%' ? strlen(suffix) : *p == '$' ? strlen(type) : 1;
    text = to = malloc(bytes);
    for (const char *p = pattern; text != NULL && *p != '\0'; p++) {
        const char *part = *p == '%' ? suffix : *p == '$' ? type : NULL;

        if (part == NULL)
            *to++ = *p;
        else
            to = stpcpy(to, part);
    }
    if (text != NULL)
        *to = '\0';
    return text;
}

static uint32_t count_params(const struct family *family)
{
    uint32_t params = 0;

    while (params < PARAMS_MAX && family->params[params] != NULL)
        params++;
    return params;
}

/* The lengths of names; kept like the names. */
static const size_t *lengths(const struct family *family, uint32_t params)
{
    size_t *bytes = malloc(PARAMS_MAX * sizeof *bytes);

    for (uint32_t i = 0; bytes != NULL && i < params; i++)
        bytes[i] = strlen(family->params[i]);
    return bytes;
}

static int add(const struct family *family, const char *name,
               const char *symbol, entry_code code, const char *type)
{
    uint32_t params = count_params(family);
    struct cranelisp_fn *fn;

    if (count_all == room) {
        size_t wanted = room == 0 ? 512 : 2 * room;

        fn = realloc(list, wanted * sizeof *list);
        if (fn == NULL)
            return BROLGA_ENOMEM;
        list = fn;
        room = wanted;
    }
    fn = &list[count_all];
    *fn = (struct cranelisp_fn){.name = name,
                                .symbol = symbol,
                                .code = code,
                                .params = params,
                                .type = type,
                                .doc = family->doc,
                                .param_names = family->params,
                                .param_name_bytes = lengths(family, params),
                                .param_name_count = params};
    if (name == NULL || symbol == NULL || type == NULL ||
        fn->param_name_bytes == NULL)
        return BROLGA_ENOMEM;
    fn->name_bytes = strlen(name);
    fn->symbol_bytes = strlen(symbol);
    fn->type_bytes = strlen(type);
    fn->doc_bytes = strlen(family->doc);
    count_all++;
    return BROLGA_OK;
}

static int add_row(const struct family *family, unsigned row)
{
    const struct element *element = element_at(row);
    char symbol[96];

    (void)snprintf(symbol, sizeof symbol, "%s_%s", family->symbol,
                   element->symbol);
    return add(family, expand(family->name, element->suffix, element->text),
               strdup(symbol),
               family->rows != NULL ? family->rows[row] : family->shared,
               expand(family->type, element->suffix, element->text));
}

static int add_family(const struct family *family)
{
    int err = BROLGA_OK;

    if (strchr(family->name, '%') == NULL)
        return add(family, family->name, family->symbol, family->shared,
                   family->type);
    for (unsigned i = 0; i < elements_count() && err == BROLGA_OK; i++)
        err = add_row(family, i);
    return err;
}

/* Maps from one scalar to another. */
static int add_pairs(void)
{
    const struct family *family = &families[0];
    int err = BROLGA_OK;

    for (unsigned i = 0; i < ELEMENTS_SCALAR * ELEMENTS_SCALAR; i++) {
        const struct element *from = element_at(i / ELEMENTS_SCALAR),
                             *to = element_at(i % ELEMENTS_SCALAR);
        char name[64], symbol[96], type[96];

        if (from == to || err != BROLGA_OK)
            continue;
        (void)snprintf(name, sizeof name, "pmap-%s-to-%s", from->suffix,
                       to->suffix);
        (void)snprintf(symbol, sizeof symbol, "%s_%s_to_%s", family->symbol,
                       from->symbol, to->symbol);
        (void)snprintf(type, sizeof type,
                       "(Fn [(Fn [%s] %s) (Vec %s)] (IO (Vec %s)))", from->text,
                       to->text, from->text, to->text);
        err = add(family, strdup(name), strdup(symbol),
                  entries_pmap_to[i / ELEMENTS_SCALAR][i % ELEMENTS_SCALAR],
                  strdup(type));
    }
    return err;
}

int families_init(void)
{
    int err = BROLGA_OK;

    count_all = 0;
    for (size_t i = 0; i < FAMILIES && err == BROLGA_OK; i++)
        err = add_family(&families[i]);
    if (err == BROLGA_OK)
        err = add_pairs();
    count = count_all;
    for (size_t i = 0; i < FAMILIES && err == BROLGA_OK; i++)
        if (families[i].any != NULL)
            err = add(&families[i], families[i].any, families[i].symbol,
                      families[i].shared, expand(families[i].type, "", "a"));
    return err;
}
