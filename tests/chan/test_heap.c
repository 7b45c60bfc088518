/*
 * Goal: a task with a heap that fails leaves nothing of what it made, whatever
 * it was doing, but what it has sent, which receivers get whole, however it was
 * sent; what a send hands back is the task's again; a task that ends well
 * leaves its result; what objects hold is given back, handlers still see all,
 * and without memory nothing is left either.
 * Method: tasks that make lists in the model with exact counts and panic. Every
 * block, object and handle is counted.
 */
#include "chan/world.h"

#include "units.h"

#include <brolga/brolga.h>

static brolga_types *exact;
static const brolga_type *list_type;
static int64_t blocks;

static brolga_word do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* The runtime keeps records of threads, too, and room for timers. */
static brolga_word sleep_shortly(void *arg)
{
    (void)arg;
    return brolga_sleep_until(brolga_after_ns(BROLGA_MS));
}

static void settle_rest(void)
{
    struct brolga_spawn_opts opts = {.thread = false};
    brolga_task *task;

    for (int i = 0; i < 2; i++) {
        opts.thread = i == 1;
        cr_assert_eq(brolga_spawn(rt, sleep_shortly, NULL, &opts, &task),
                     BROLGA_OK);
        cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
    }
}

static void open_heaps(void)
{
    struct brolga_model counts = brolga_model_cranelisp();

    world_open();
    counts.exact_counts = true;
    cr_assert_eq(brolga_types_create(&counts, &exact), BROLGA_OK);
    cr_assert_eq(brolga_type_parse(exact, "(List Int)", &list_type, NULL),
                 BROLGA_OK);
    world_settle();
    settle_rest();
    blocks = brolga__alloc_live();
}

/* Nothing is left of the test. */
static void close_heaps(void)
{
    cr_assert_eq(brolga__alloc_live(), blocks, "%ld are left",
                 (long)(brolga__alloc_live() - blocks));
    cr_assert_eq(brolga__units_taken(), 0);
    brolga_types_destroy(exact);
    world_close();
}

/* A test with a world around it. */
#define HEAP_TEST(name)                                                        \
    static void name(void);                                                    \
    Test(heap, name, .timeout = 30)                                            \
    {                                                                          \
        open_heaps();                                                          \
        name();                                                                \
        close_heaps();                                                         \
    }                                                                          \
    static void name(void)

/* --- lists -------------------------------------------------------------- */

/* count, ..., 2, 1 */
static brolga_word list_of(int count)
{
    brolga_word list = 0;

    for (int i = 1; i <= count; i++)
        list = cons(i, list);
    return list;
}

static bool is_list_of(brolga_word list, int count)
{
    for (; count > 0; count--) {
        if (list == 0 || fields(list)[-1] != 1 || fields(list)[1] != count)
            return false;
        list = fields(list)[2];
    }
    return list == 0;
}

/* --- tasks -------------------------------------------------------------- */

/* What a task is to do. */
struct job {
    brolga_chan *chan;
    struct brolga_site *site;
    const brolga_type *type;
    brolga_word word;
    uint64_t deadline_ns;
    int result;
    bool thread;
    bool ends_well;
};

static const struct brolga_spawn_opts with_heap = {.heap = true};

/* Runs a task with a heap to its end, which should be that. */
static brolga_word run(brolga_task_fn fn, struct job *job)
{
    struct brolga_spawn_opts opts = with_heap;
    brolga_word result = 0;
    brolga_task *task;
    int err;

    opts.thread = job->thread;
    cr_assert_eq(brolga_spawn(rt, fn, job, &opts, &task), BROLGA_OK);
    err = brolga_join(task, BROLGA_FOREVER, &result, NULL);
    cr_assert_eq(err, job->ends_well ? BROLGA_OK : BROLGA_EFAILED);
    return result;
}

static brolga_word make_much(void *arg)
{
    struct job *job = arg;
    brolga_word list = list_of(10000), copy = 0;

    job->result = brolga_copy_word(list_type, list, &copy, NULL);
    (void)model.alloc(100000, model.arg);
    brolga_panic("made much");
}

/* --- failures and good ends --------------------------------------------- */

HEAP_TEST(nothing_is_left_of_what_a_failed_task_made)
{
    struct job job = {.result = 1};

    (void)run(make_much, &job);
    cr_assert_eq(job.result, BROLGA_OK);
    job.thread = true;
    (void)run(make_much, &job);
}

static brolga_word make_result(void *arg)
{
    (void)arg;
    return list_of(5000);
}

HEAP_TEST(the_result_of_a_task_that_ends_well_stays)
{
    struct job job = {.ends_well = true};
    brolga_word list = run(make_result, &job);

    cr_assert(brolga__in_units((void *)(uintptr_t)list));
    cr_assert(is_list_of(list, 5000));
    cr_assert_gt(brolga__units_taken(), 0);
    brolga_drop_word(list_type, list);
}

static brolga_word drop_it(void *arg)
{
    struct job *job = arg;

    brolga_drop_word(list_type, job->word);
    brolga_panic("dropped it");
}

HEAP_TEST(another_task_with_a_heap_may_drop_it)
{
    struct job job = {.ends_well = true};

    job.word = run(make_result, &job);
    job.ends_well = false;
    (void)run(drop_it, &job);
}

static void drop_word(void *arg)
{
    brolga_word *list = arg;

    if (is_list_of(*list, 100))
        brolga_drop_word(list_type, *list);
    *list = 0;
}

static brolga_word defer_and_panic(void *arg)
{
    struct job *job = arg;

    job->word = list_of(100);
    job->result = brolga_defer(drop_word, &job->word);
    brolga_panic("handlers still see it");
}

HEAP_TEST(handlers_come_before_the_end_of_the_heap)
{
    struct job job = {.result = 1};

    (void)run(defer_and_panic, &job);
    cr_assert_eq(job.result, BROLGA_OK);
    cr_assert_eq(job.word, 0);
}

static brolga_word wait_for_cancel(void *arg)
{
    struct job *job = arg;
    brolga_word got;

    job->word = list_of(1000);
    job->result = brolga_recv(job->chan, &got, BROLGA_FOREVER);
    brolga_panic("canceled");
}

HEAP_TEST(nothing_is_left_of_a_canceled_task_that_fails)
{
    struct job job = {.chan = chan_of(list_type, 1)};
    brolga_task *task;

    cr_assert_eq(brolga_spawn(rt, wait_for_cancel, &job, &with_heap, &task),
                 BROLGA_OK);
    until(stats_of(job.chan).receivers_waiting == 1);
    brolga_cancel(task);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_EFAILED);
    cr_assert_eq(job.result, BROLGA_ECANCELED);
    brolga_chan_release(job.chan);
}

/* --- what leaves -------------------------------------------------------- */

static brolga_word send_and_panic(void *arg)
{
    struct job *job = arg;

    (void)list_of(3000);
    job->word = list_of(2000);
    (void)list_of(3000);
    if (job->site != NULL)
        job->result = brolga_send_site(job->chan, job->site, &job->word,
                                       job->deadline_ns);
    else
        job->result = brolga_give(job->chan, &job->word, job->deadline_ns);
    if (job->result == BROLGA_OK)
        brolga_panic("sent");
    if (is_list_of(job->word, 2000))
        brolga_panic("handed back");
    abort();
}

/* Sends a list from a task that fails then; whether it lies in the heap. */
static bool receive_after_failure(struct brolga_site *site, bool thread)
{
    struct job job = {.chan = chan_of(list_type, 1),
                      .site = site,
                      .deadline_ns = BROLGA_FOREVER,
                      .thread = thread};
    brolga_word got = 0;
    bool in_heap;

    (void)run(send_and_panic, &job);
    cr_assert_eq(job.result, BROLGA_OK);
    cr_assert_eq(brolga__alloc_live(), blocks + 1 + 1 + 2000, "%ld",
                 (long)(brolga__alloc_live() - blocks));
    cr_assert_eq(brolga_try_recv(job.chan, &got), BROLGA_OK);
    cr_assert(is_list_of(got, 2000));
    in_heap = brolga__in_units((void *)(uintptr_t)got);
    cr_assert_eq(in_heap, brolga__units_taken() > 0);
    brolga_drop_word(list_type, got);
    brolga_chan_release(job.chan);
    return in_heap;
}

HEAP_TEST(what_is_moved_survives)
{
    static struct brolga_site site = {.mode = BROLGA_MOVE};

    cr_assert(receive_after_failure(&site, false));
    cr_assert(receive_after_failure(&site, true)); /* The fast path's turn. */
    cr_assert(receive_after_failure(NULL, false));
    brolga_sites_forget(&site, sizeof(site));
}

HEAP_TEST(what_is_checked_survives)
{
    static struct brolga_site site = {.mode = BROLGA_CHECK};

    cr_assert(receive_after_failure(&site, false));
    brolga_sites_forget(&site, sizeof(site));
}

HEAP_TEST(what_is_copied_is_in_no_heap)
{
    static struct brolga_site site = {.mode = BROLGA_COPY};

    cr_assert_not(receive_after_failure(&site, false));
    brolga_sites_forget(&site, sizeof(site));
}

/* A tail with two references, one of which the task keeps. */
static brolga_word send_shared(void *arg)
{
    struct job *job = arg;
    brolga_word tail = list_of(10);

    job->word = cons(11, tail);
    fields(tail)[-1]++;
    job->result =
        brolga_send_site(job->chan, job->site, &job->word, BROLGA_FOREVER);
    brolga_panic("sent");
}

HEAP_TEST(what_is_shared_is_copied_instead)
{
    static struct brolga_site move = {.mode = BROLGA_MOVE};
    static struct brolga_site check = {.mode = BROLGA_CHECK};
    struct brolga_site *sites[] = {&move, &check};
    struct brolga_site_stats stats;

    for (int i = 0; i < 2; i++) {
        struct job job = {.chan = chan_of(list_type, 1), .site = sites[i]};
        brolga_word got = 0;

        (void)run(send_shared, &job);
        cr_assert_eq(job.result, BROLGA_OK);
        cr_assert_eq(brolga_try_recv(job.chan, &got), BROLGA_OK);
        cr_assert(is_list_of(got, 11));
        brolga_drop_word(list_type, got);
        brolga_chan_release(job.chan);
    }
    brolga_site_stats(&move, &stats);
    cr_assert_eq(stats.copied, 1);
    cr_assert_eq(stats.moved, 0);
    brolga_site_stats(&check, &stats);
    cr_assert_eq(stats.checked, 1);
    cr_assert_eq(stats.replaced, 1);
    brolga_sites_forget(&move, sizeof(move));
    brolga_sites_forget(&check, sizeof(check));
}

HEAP_TEST(what_is_handed_back_goes_with_the_task)
{
    static struct brolga_site site[] = {
        {.mode = BROLGA_MOVE}, {.mode = BROLGA_CHECK}, {.mode = BROLGA_COPY}};

    for (int i = 0; i < 3; i++) {
        struct job job = {.chan = chan_of(list_type, 0), .site = &site[i]};

        job.deadline_ns = BROLGA_NOW;
        (void)run(send_and_panic, &job);
        cr_assert_eq(job.result, BROLGA_ETIMEOUT);
        job.deadline_ns = brolga_after_ns(BROLGA_MS);
        (void)run(send_and_panic, &job);
        cr_assert_eq(job.result, BROLGA_ETIMEOUT);
        cr_assert_eq(brolga_chan_close(job.chan, BROLGA_OK, "closed"),
                     BROLGA_OK);
        (void)run(send_and_panic, &job);
        cr_assert_eq(job.result, BROLGA_ECLOSED);
        brolga_chan_release(job.chan);
    }
    brolga_sites_forget(site, sizeof(site));
}

/* Two values in two arms; one goes. */
static brolga_word select_and_panic(void *arg)
{
    struct job *job = arg;
    brolga_word list[] = {list_of(100), list_of(200)};
    struct brolga_arm arms[] = {
        {.chan = job[0].chan, .op = BROLGA_GIVE, .elem = &list[0]},
        {.chan = job[1].chan, .op = BROLGA_GIVE, .elem = &list[1]}};
    size_t chosen = 9;

    job->result = brolga_select(arms, 2, BROLGA_FOREVER, &chosen);
    brolga_panic("arm %zu", chosen);
}

HEAP_TEST(of_a_select_only_what_was_sent_survives)
{
    struct job job[] = {{.chan = chan_of(list_type, 0)},
                        {.chan = chan_of(list_type, 1)}};
    brolga_word got = 0;

    (void)run(select_and_panic, job);
    cr_assert_eq(job->result, BROLGA_OK);
    cr_assert_eq(brolga_try_recv(job[1].chan, &got), BROLGA_OK);
    cr_assert(is_list_of(got, 200));
    cr_assert_eq(brolga__alloc_live(), blocks + 2 + 1 + 200);
    brolga_drop_word(list_type, got);
    brolga_chan_release(job[0].chan);
    brolga_chan_release(job[1].chan);
}

HEAP_TEST(what_a_channel_drops_frees_the_block)
{
    struct job job = {.chan = chan_of(list_type, 4)};

    (void)run(send_and_panic, &job);
    cr_assert_gt(brolga__units_taken(), 0);
    brolga_chan_release(job.chan);
}

/* --- what comes in ------------------------------------------------------ */

static brolga_word adopt_and_panic(void *arg)
{
    struct job *job = arg;
    brolga_word got = 0;

    job->result = brolga_recv(job->chan, &got, BROLGA_FOREVER);
    if (job->result == BROLGA_OK)
        job->result = brolga_heap_adopt(list_type, &got, NULL, NULL);
    if (!brolga_heap_has((void *)(uintptr_t)got) || !is_list_of(got, 50))
        job->result = BROLGA_EINVAL;
    brolga_panic("took it in");
}

HEAP_TEST(what_was_received_and_taken_in_goes_with_the_task)
{
    struct job job = {.chan = chan_of(list_type, 4)};
    brolga_word list = list_of(50);

    cr_assert_eq(brolga_try_give(job.chan, &list), BROLGA_OK);
    (void)run(adopt_and_panic, &job);
    cr_assert_eq(job.result, BROLGA_OK);
    brolga_chan_release(job.chan);
}

/* --- what objects hold -------------------------------------------------- */

static brolga_word copy_handles(void *arg)
{
    struct job *job = arg;
    brolga_word copy = 0, sent = 0;

    job->result = brolga_copy_word(job->type, job->word, &copy, NULL);
    if (job->result == BROLGA_OK)
        job->result = brolga_copy_word(job->type, job->word, &sent, NULL);
    if (job->result == BROLGA_OK)
        job->result = brolga_give(job->chan, &sent, BROLGA_FOREVER);
    if (job->result == BROLGA_OK)
        job->result = brolga_copy_word(job->type, job->word, &sent, NULL);
    brolga_drop_word(job->type, sent);
    brolga_panic("has copies");
}

HEAP_TEST(handles_in_copies_are_released_once)
{
    struct job job = {.result = 1};
    brolga_word got = 0;

    (void)handle_type();
    cr_assert_eq(brolga_type_parse(types, "(Vec Handle)", &job.type, NULL),
                 BROLGA_OK);
    blocks = brolga__alloc_live();
    job.chan = chan_of(job.type, 1);
    job.word = model.alloc(24, model.arg);
    fields(job.word)[0] = fields(job.word)[1] = 20000;
    fields(job.word)[2] = model.alloc(20000 * 8, model.arg);
    for (int i = 0; i < 20000; i++)
        fields(fields(job.word)[2])[i] = 77;
    (void)brolga__add_relaxed(&handles_live, 20000);
    (void)run(copy_handles, &job);
    cr_assert_eq(job.result, BROLGA_OK);
    cr_assert_eq(handles_live, 40000, "%ld", (long)handles_live);
    cr_assert_eq(brolga_try_recv(job.chan, &got), BROLGA_OK);
    brolga_drop_word(job.type, got);
    cr_assert_eq(handles_live, 20000);
    brolga_drop_word(job.type, job.word);
    cr_assert_eq(handles_live, 0);
    brolga_chan_release(job.chan);
}

static brolga_word receive_frozen(void *arg)
{
    struct job *job = arg;
    brolga_word got = 0;

    job->result = brolga_recv(job->chan, &got, BROLGA_FOREVER);
    if (brolga_lease_count() != 1)
        job->result = BROLGA_EINVAL;
    (void)cons(3, got);
    brolga_panic("has a lease");
}

HEAP_TEST(leases_end_with_the_task)
{
    struct job job = {.chan = chan_of(list_type, 1)};
    brolga_word list = list_of(2), frozen = 0;
    brolga_region *region;

    cr_assert_eq(brolga_freeze(list_type, list, &frozen, &region, NULL, NULL),
                 BROLGA_OK);
    brolga_drop_word(list_type, list);
    cr_assert_eq(brolga_try_send(job.chan, &frozen), BROLGA_OK);
    brolga_region_release(region);
    (void)run(receive_frozen, &job);
    cr_assert_eq(job.result, BROLGA_OK);
    cr_assert_eq(brolga_regions_list(NULL, 0), 0);
    brolga_chan_release(job.chan);
}

/* --- figures ------------------------------------------------------------ */

static void note_bytes(void *arg, const struct brolga_task_info *info)
{
    struct brolga_task_info *all = arg;

    if (info->made_bytes > all->made_bytes)
        *all = *info;
}

static brolga_word look_at_itself(void *arg)
{
    struct job *job = arg;
    struct brolga_task_info info = {.made_bytes = 0};
    brolga_word list = list_of(1000), copy = 0;

    job->result = brolga_copy_word(list_type, list, &copy, NULL);
    brolga_drop_word(list_type, copy);
    (void)brolga_tasks_each(rt, note_bytes, &info);
    if (info.made_bytes != 2 * 1000 * 40 || info.freed_bytes != 1000 * 40)
        job->result = BROLGA_EINVAL;
    brolga_panic("looked");
}

HEAP_TEST(bytes_are_charged_as_without_a_heap)
{
    struct job job = {.result = 1};

    (void)run(look_at_itself, &job);
    cr_assert_eq(job.result, BROLGA_OK);
}

/* --- without memory ----------------------------------------------------- */

/* As send_and_panic, but what is in the way is no reason to give up. */
static brolga_word work_without_memory(void *arg)
{
    struct job *job = arg;
    brolga_word list = list_of(20), copy = 0;

    brolga__alloc_fail_nth((uint64_t)job->deadline_ns);
    job->result = brolga_copy_word(list_type, list, &copy, NULL);
    if (job->result == BROLGA_OK)
        job->result = brolga_give(job->chan, &copy, BROLGA_FOREVER);
    if (job->result == BROLGA_OK)
        job->result = brolga_send(job->chan, &list, BROLGA_FOREVER);
    brolga__alloc_fail_nth(0);
    brolga_panic("whatever");
}

HEAP_TEST(without_memory_nothing_is_left)
{
    int refused = 0;

    for (uint64_t nth = 1;; nth++) { /* Ends: memory does at some time. */
        struct job job = {.chan = chan_of(list_type, 2), .deadline_ns = nth};

        (void)run(work_without_memory, &job);
        brolga_chan_release(job.chan);
        cr_assert_eq(brolga__alloc_live(), blocks);
        cr_assert_eq(brolga__units_taken(), 0);
        if (job.result == BROLGA_OK)
            break;
        cr_assert_eq(job.result, BROLGA_ENOMEM);
        refused++;
    }
    cr_assert_gt(refused, 3);
}

HEAP_TEST(without_memory_for_a_heap_there_is_no_task)
{
    int err = BROLGA_ENOMEM;
    brolga_task *task;

    for (uint64_t nth = 1; nth < 10 && err == BROLGA_ENOMEM; nth++) {
        brolga__alloc_fail_nth(nth);
        err = brolga_spawn(rt, do_nothing, NULL, &with_heap, &task);
        brolga__alloc_fail_nth(0);
    }
    cr_assert_eq(err, BROLGA_OK);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
}
