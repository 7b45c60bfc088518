/*
 * Goal: when the type of messages changes with a commit, each is converted
 * once, in its place, or all are as they were and the commit is refused; nobody
 * who knows the old type meets the new one.
 * Method: channels of Strings become channels of (Option String), and of small
 * structs large ones, in models with plain and with exact counts; all objects
 * are counted. Whoever waits, fails, is slow or has no memory is made to.
 */
#include <criterion/criterion.h>

#include "jit.h"
#include "wait_until.h"

#include "chan/world.h"

#include <brolga/brolga.h>

#define RETYPE_TEST(name) Test(retype, name, .timeout = 60)

#define LATE brolga_after_ns(WAIT_LIMIT_NS)
#define SOON brolga_after_ns(30 * BROLGA_MS)

static const brolga_type *string, *option;
static _Atomic int64_t objects;
static struct brolga_model preset;

static brolga_word count_alloc(int64_t bytes, void *arg)
{
    brolga_word value = preset.alloc(bytes, arg);

    if (value != 0)
        (void)brolga__add_relaxed(&objects, 1);
    return value;
}

static void count_free(brolga_word value, void *arg)
{
    (void)brolga__add_relaxed(&objects, -1);
    preset.free(value, arg);
}

static void open_with(bool exact, uint32_t workers)
{
    objects = 0;
    world_open_with(workers);
    brolga_types_destroy(types);
    preset = brolga_model_cranelisp();
    model.alloc = count_alloc;
    model.free = count_free;
    model.exact_counts = exact;
    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_OK);
    string = string_type();
    cr_assert_eq(brolga_type_parse(types, "(Option String)", &option, NULL),
                 BROLGA_OK);
}

static void close_all(void)
{
    world_close();
    cr_assert_eq(objects, 0);
    cr_assert_eq(brolga__alloc_live(), 0);
}

/* --- values ------------------------------------------------------------- */

struct plan {
    int calls;
    int fails_at; /* Of these; 0: none */
    bool panics;
    struct {
        _Atomic int begun, go;
    } slow;
    bool is_slow;
};

static int misbehave(struct plan *plan)
{
    if (plan == NULL || ++plan->calls != plan->fails_at)
        return BROLGA_OK;
    if (plan->panics)
        brolga_panic("no idea");
    return BROLGA_EINVAL;
}

/* Some of the string, which is not copied. */
static int to_option(void *arg, const void *from, void *to)
{
    brolga_word text, some;
    int err = misbehave(arg);

    if (err != BROLGA_OK)
        return err;
    memcpy(&text, from, sizeof text);
    some = brolga_object_make(types, 16);
    if (some == 0)
        return BROLGA_ENOMEM;
    fields(text)[-1]++;
    fields(some)[0] = 1;
    fields(some)[1] = text;
    memcpy(to, &some, sizeof some);
    return BROLGA_OK;
}

static int send_string(brolga_chan *chan, const char *text)
{
    brolga_word word = string_of(text);
    int err = brolga_try_give(chan, &word);

    if (err != BROLGA_OK)
        brolga_drop_word(string, word);
    return err;
}

static void sent(brolga_chan *chan, const char *text)
{
    cr_assert_eq(send_string(chan, text), BROLGA_OK);
}

static void received_string(brolga_chan *chan, const char *text)
{
    brolga_word word = 0;

    cr_assert_eq(brolga_try_recv(chan, &word), BROLGA_OK);
    cr_assert(string_is(word, text));
    brolga_drop_word(string, word);
}

static void received_option(brolga_chan *chan, const char *text)
{
    brolga_word word = 0;

    cr_assert_eq(brolga_try_recv(chan, &word), BROLGA_OK);
    cr_assert_eq(fields(word)[0], 1);
    cr_assert(string_is(fields(word)[1], text));
    cr_assert_eq(fields(fields(word)[1])[-1], 1, "%s is shared\n", text);
    brolga_drop_word(option, word);
}

/* --- commits ------------------------------------------------------------ */

static brolga_txn *begun(void)
{
    brolga_txn *txn = NULL;

    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    return txn;
}

static brolga_txn *retyping(const brolga_type *from, const brolga_type *to,
                            int (*convert)(void *, const void *, void *),
                            struct plan *plan)
{
    struct brolga_retype retype = {
        .from = from, .to = to, .convert = convert, .arg = plan};
    brolga_txn *txn = begun();

    if (plan != NULL && plan->is_slow)
        retype.timeout_ns = 10 * BROLGA_MS;
    cr_assert_eq(brolga_txn_retype(txn, &retype), BROLGA_OK);
    return txn;
}

static void commits(brolga_txn *txn)
{
    struct brolga_report report;
    int err = brolga_txn_commit_barrier(txn, LATE, &report);

    cr_assert_eq(err, BROLGA_OK, "%s\n", report.text);
}

static void to_options(struct plan *plan)
{
    commits(retyping(string, option, to_option, plan));
}

/* Is refused for this reason, and says all of these words. */
static void refuses_by(uint64_t deadline_ns, brolga_txn *txn,
                       enum brolga_refusal why, const char *word,
                       const char *word2)
{
    uint64_t version = brolga_got_version(brolga_runtime_got(rt));
    struct brolga_report report;

    cr_assert_eq(brolga_txn_commit_barrier(txn, deadline_ns, &report),
                 BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, why, "%d: %s\n", report.refusal, report.text);
    cr_assert_not_null(strstr(report.text, word), "%s\n", report.text);
    cr_assert_not_null(strstr(report.text, word2), "%s\n", report.text);
    cr_assert_eq(brolga_got_version(brolga_runtime_got(rt)), version);
}

static void refuses(brolga_txn *txn, enum brolga_refusal why, const char *word,
                    const char *word2)
{
    refuses_by(LATE, txn, why, word, word2);
}

static brolga_chan *chan_named(const brolga_type *type, const char *name,
                               size_t capacity)
{
    struct brolga_chan_opts opts = {
        .name = name, .capacity = capacity, .unbounded = capacity == 0};
    brolga_chan *chan = NULL;

    cr_assert_eq(brolga_chan_create(type, &opts, &chan), BROLGA_OK);
    return chan;
}

/* --- without a conversion ----------------------------------------------- */

RETYPE_TEST(channels_without_messages_get_the_new_type)
{
    brolga_chan *chan, *other;

    open_with(false, 2);
    chan = chan_named(string, "chan", 4);
    other = chan_named(option, "other", 4);
    commits(retyping(string, option, NULL, NULL));
    cr_assert_eq(brolga_chan_type(chan), option);
    commits(retyping(option, string, NULL, NULL));
    cr_assert_eq(brolga_chan_type(chan), string);
    cr_assert_eq(brolga_chan_type(other), string);
    sent(other, "hello");
    received_string(other, "hello");
    brolga_chan_release(chan);
    brolga_chan_release(other);
    close_all();
}

RETYPE_TEST(messages_refuse_and_are_counted)
{
    brolga_chan *chan, *empty;

    open_with(false, 2);
    chan = chan_named(string, "orders", 4);
    empty = chan_named(string, "empty", 4);
    sent(chan, "a");
    refuses(retyping(string, option, NULL, NULL), BROLGA_REFUSED_MESSAGES,
            "'orders' holds 1 message of type String", "no conversion");
    sent(chan, "b");
    refuses(retyping(string, option, NULL, NULL), BROLGA_REFUSED_MESSAGES,
            "'orders' holds 2 messages", "no conversion");
    cr_assert_str_eq(brolga_refusal_name(BROLGA_REFUSED_MESSAGES), "messages");
    cr_assert_eq(brolga_chan_type(empty), string);
    received_string(chan, "a");
    received_string(chan, "b");
    commits(retyping(string, option, NULL, NULL));
    cr_assert_eq(brolga_chan_type(empty), option);
    brolga_chan_release(chan);
    brolga_chan_release(empty);
    close_all();
}

RETYPE_TEST(it_takes_a_barrier)
{
    struct brolga_report report;
    brolga_chan *chan;

    open_with(false, 2);
    chan = chan_named(string, "chan", 4);
    cr_assert_eq(
        brolga_txn_commit(retyping(string, option, NULL, NULL), &report),
        BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_MESSAGES);
    cr_assert_not_null(strstr(report.text, "brolga_txn_commit_barrier"));
    cr_assert_eq(brolga_chan_type(chan), string);
    brolga_chan_release(chan);
    close_all();
}

RETYPE_TEST(what_is_no_change_is_invalid)
{
    brolga_txn *txn;

    open_with(false, 2);
    txn = begun();
    cr_assert_eq(brolga_txn_retype(txn, &(struct brolga_retype){.from = string,
                                                                .to = string}),
                 BROLGA_EINVAL);
    cr_assert_eq(
        brolga_txn_retype(txn, &(struct brolga_retype){.from = string}),
        BROLGA_EINVAL);
    cr_assert_eq(brolga_txn_retype(txn, &(struct brolga_retype){.to = string}),
                 BROLGA_EINVAL);
    brolga_txn_abort(txn);
    close_all();
}

/* --- with one ----------------------------------------------------------- */

static void convert_in_order(bool exact, size_t capacity)
{
    brolga_chan *chan;

    open_with(exact, 2);
    chan = chan_named(string, "chan", capacity);
    for (int i = 0; i < 3; i++) { /* So that the ring goes round. */
        sent(chan, "x");
        received_string(chan, "x");
    }
    sent(chan, "a");
    sent(chan, "b");
    sent(chan, "c");
    to_options(NULL);
    cr_assert_eq(stats_of(chan).depth, 3);
    received_option(chan, "a");
    received_option(chan, "b");
    cr_assert_eq(stats_of(chan).sent, 6);
    cr_assert_eq(stats_of(chan).received, 5);
    brolga_chan_release(chan); /* One is left. */
}

RETYPE_TEST(messages_are_converted_in_order)
{
    convert_in_order(false, 4);
    close_all();
}

RETYPE_TEST(messages_are_converted_where_counts_are_exact)
{
    convert_in_order(true, 4);
    close_all();
}

RETYPE_TEST(messages_of_unbounded_channels_are_converted)
{
    convert_in_order(true, 0);
    close_all();
}

RETYPE_TEST(a_closed_channel_is_drained_in_the_new_type)
{
    brolga_chan *chan;
    brolga_word word;

    open_with(false, 2);
    chan = chan_named(string, "chan", 4);
    sent(chan, "a");
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    to_options(NULL);
    received_option(chan, "a");
    cr_assert_eq(brolga_try_recv(chan, &word), BROLGA_ECLOSED);
    brolga_chan_release(chan);
    close_all();
}

RETYPE_TEST(answers_are_converted)
{
    struct brolga_chan_opts opts = {.name = "answer", .one_shot = true};
    brolga_chan *chan;

    open_with(false, 2);
    cr_assert_eq(brolga_chan_create(string, &opts, &chan), BROLGA_OK);
    sent(chan, "a");
    to_options(NULL);
    received_option(chan, "a");
    brolga_chan_release(chan);
    close_all();
}

static void fails_as_a_whole(struct plan plan, const char *why)
{
    brolga_chan *chan[2];

    open_with(true, 2);
    for (int i = 0; i < 2; i++) {
        chan[i] = chan_named(string, i == 0 ? "left" : "right", 4);
        sent(chan[i], "a");
        sent(chan[i], "b");
    }
    plan.fails_at = 3;
    refuses(retyping(string, option, to_option, &plan), BROLGA_REFUSED_HOOK,
            "migrate of messages", why);
    cr_assert_eq(objects, 4);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(brolga_chan_type(chan[i]), string);
        received_string(chan[i], "a");
        received_string(chan[i], "b");
        brolga_chan_release(chan[i]);
    }
}

RETYPE_TEST(a_conversion_that_fails_leaves_all_as_it_was)
{
    fails_as_a_whole((struct plan){0}, "message 1 of 2: invalid argument");
    close_all();
}

#ifndef CRITERION_STAND_IN
/* What the model has from C's stack is not given back by a panic. */
RETYPE_TEST(a_conversion_that_panics_leaves_all_as_it_was)
{
    fails_as_a_whole((struct plan){.panics = true}, "no idea");
    close_all();
}
#endif

static int wait_for_go(void *arg, const void *from, void *to)
{
    struct plan *plan = arg;

    brolga__store_release(&plan->slow.begun, 1);
    until(brolga__load_acquire(&plan->slow.go));
    return to_option(NULL, from, to);
}

/* It goes on with a copy of its own, whatever becomes of the message. */
RETYPE_TEST(a_conversion_that_takes_too_long_touches_nothing)
{
    struct plan plan = {.is_slow = true};
    brolga_chan *chan;

    open_with(false, 2);
    chan = chan_named(string, "chan", 4);
    sent(chan, "a");
    sent(chan, "b");
    refuses(retyping(string, option, wait_for_go, &plan), BROLGA_REFUSED_HOOK,
            "messages", "in time");
    received_string(chan, "a");
    received_string(chan, "b");
    brolga__store_release(&plan.slow.go, 1);
    cr_assert(wait_until(brolga_tasks_live(rt) == 0));
    until(objects == 0);
    brolga_chan_release(chan);
    close_all();
}

RETYPE_TEST(one_type_changes_once_in_a_transaction)
{
    struct brolga_retype retype = {.convert = to_option};
    brolga_chan *chan;
    brolga_txn *txn;

    open_with(false, 2);
    retype.from = string;
    retype.to = option;
    chan = chan_named(string, "chan", 4);
    sent(chan, "a");
    txn = retyping(string, option, to_option, NULL);
    cr_assert_eq(brolga_txn_retype(txn, &retype), BROLGA_OK);
    refuses(txn, BROLGA_REFUSED_MESSAGES, "is being changed", "'chan'");
    received_string(chan, "a");
    brolga_chan_release(chan);
    close_all();
}

static int from_option(void *arg, const void *from, void *to)
{
    brolga_word some, text;

    (void)arg;
    memcpy(&some, from, sizeof some);
    text = fields(some)[1];
    fields(text)[-1]++;
    memcpy(to, &text, sizeof text);
    return BROLGA_OK;
}

/* Each channel is found as what it was. */
RETYPE_TEST(two_types_can_change_places)
{
    struct brolga_retype back = {.convert = from_option};
    brolga_chan *strings, *options;
    brolga_word word;
    brolga_txn *txn;

    open_with(false, 2);
    back.from = option;
    back.to = string;
    strings = chan_named(string, "strings", 4);
    options = chan_named(option, "options", 4);
    sent(strings, "a");
    word = string_of("b");
    cr_assert_eq(to_option(NULL, &word, &word), BROLGA_OK);
    fields(fields(word)[1])[-1] = 1;
    cr_assert_eq(brolga_try_give(options, &word), BROLGA_OK);
    txn = retyping(string, option, to_option, NULL);
    cr_assert_eq(brolga_txn_retype(txn, &back), BROLGA_OK);
    commits(txn);
    received_option(strings, "a");
    received_string(options, "b");
    brolga_chan_release(strings);
    brolga_chan_release(options);
    close_all();
}

/* --- plain structs ------------------------------------------------------ */

struct point {
    int64_t x;
};
struct point3 {
    double x, y, z;
};

static int to_point3(void *arg, const void *from, void *to)
{
    const struct point *point = from;
    struct point3 *big = to;

    (void)arg;
    *big = (struct point3){(double)point->x, 2, 3};
    return BROLGA_OK;
}

static const brolga_type *struct_type(const char *name, size_t bytes)
{
    const brolga_type *type = NULL;

    cr_assert_eq(brolga_type_struct(types, name, bytes, 8, &type), BROLGA_OK);
    return type;
}

RETYPE_TEST(structs_may_become_larger)
{
    const brolga_type *small, *large;
    struct point3 got;
    brolga_chan *chan;

    open_with(false, 2);
    small = struct_type("Point", sizeof(struct point));
    large = struct_type("Point3", sizeof(struct point3));
    chan = chan_named(small, "points", 4);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(brolga_try_send(chan, &(struct point){i}), BROLGA_OK);
    commits(retyping(small, large, to_point3, NULL));
    cr_assert_eq(brolga_try_send(chan, &got), BROLGA_EAGAIN);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
        cr_assert(got.x == i && got.y == 2 && got.z == 3);
    }
    brolga_chan_release(chan);
    close_all();
}

/* --- frozen values ------------------------------------------------------ */

RETYPE_TEST(frozen_parts_keep_their_region)
{
    brolga_word text, frozen, got = 0;
    brolga_region *region;
    brolga_chan *chan;

    open_with(false, 2);
    chan = chan_named(string, "chan", 4);
    text = string_of("frozen");
    cr_assert_eq(brolga_freeze(string, text, &frozen, &region, NULL, NULL),
                 BROLGA_OK);
    brolga_drop_word(string, text);
    cr_assert_eq(try_send_word(chan, frozen), BROLGA_OK);
    brolga_region_release(region);
    to_options(NULL);
    cr_assert_eq(brolga_regions_list(NULL, 0), 1);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(fields(got)[1], frozen);
    cr_assert(string_is(frozen, "frozen"));
    cr_assert_eq(brolga_lease_count(), 1);
    brolga_drop_word(option, got);
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
    cr_assert_eq(brolga_regions_list(NULL, 0), 0);
    brolga_chan_release(chan);
    close_all();
}

/* --- those who wait ----------------------------------------------------- */

RETYPE_TEST(who_waits_to_receive_refuses_at_the_deadline)
{
    struct call call = {0};

    open_with(false, 2);
    call.chan = chan_named(string, "chan", 1);
    start_waiting(&call, run_recv);
    refuses_by(SOON, retyping(string, option, to_option, NULL),
               BROLGA_REFUSED_MESSAGES, "1 waits in channel 'chan'", "String");
    sent(call.chan, "a");
    cr_assert_eq(finish(&call), BROLGA_OK);
    cr_assert(string_is(call.word, "a"));
    brolga_drop_word(string, call.word);
    brolga_chan_release(call.chan);
    close_all();
}

RETYPE_TEST(who_waits_to_send_refuses_at_the_deadline)
{
    struct call call = {0};
    brolga_word got;

    open_with(false, 2);
    call.chan = chan_of(string, 0); /* a rendezvous */
    call.word = string_of("a");
    start_waiting(&call, run_give);
    refuses_by(SOON, retyping(string, option, to_option, NULL),
               BROLGA_REFUSED_MESSAGES, "1 waits in channel", "String");
    cr_assert_eq(brolga_try_recv(call.chan, &got), BROLGA_OK);
    cr_assert_eq(finish(&call), BROLGA_OK);
    cr_assert(string_is(got, "a"));
    brolga_drop_word(string, got);
    brolga_chan_release(call.chan);
    close_all();
}

RETYPE_TEST(broadcasts_refuse_until_they_are_closed)
{
    brolga_broadcast *news;
    brolga_chan *mine;

    open_with(false, 2);
    cr_assert_eq(brolga_broadcast_create(string, &news), BROLGA_OK);
    refuses(retyping(string, option, to_option, NULL), BROLGA_REFUSED_MESSAGES,
            "1 broadcast of String is open", "");
    cr_assert_eq(
        brolga_broadcast_subscribe(
            news, &(struct brolga_subscription_opts){.name = "mine"}, &mine),
        BROLGA_OK);
    refuses(retyping(string, option, to_option, NULL), BROLGA_REFUSED_MESSAGES,
            "1 broadcast of String is open", "'mine' is subscribed");
    cr_assert_eq(brolga_broadcast_close(news, BROLGA_OK, NULL), BROLGA_OK);
    to_options(NULL);
    brolga_chan_leave(mine, BROLGA_RECV, BROLGA_OK, NULL);
    brolga_broadcast_release(news);
    close_all();
}

/* --- who would go on in old code ---------------------------------------- */

static brolga_slot stage_code(brolga_txn *txn, struct jit_unit *code,
                              const char *symbol)
{
    struct brolga_unit_opts opts;
    brolga_unit *unit;
    brolga_slot slot;

    cr_assert(jit_make_caller(code, 0));
    opts = jit_opts(code, "m", BROLGA_RECLAIM);
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    cr_assert_eq(brolga_txn_define(txn, unit, "m", symbol, "(Fn [] Int)",
                                   code->text, &slot),
                 BROLGA_OK);
    return slot;
}

struct stander {
    _Atomic int there, go;
};

static brolga_word stand_about(void *arg)
{
    struct stander *stander = arg;

    brolga__store_release(&stander->there, 1);
    while (!brolga__load_acquire(&stander->go))
        brolga_safepoint();
    return 0;
}

static brolga_word sleep_about(void *arg)
{
    struct stander *stander = arg;

    brolga__store_release(&stander->there, 1);
    while (!brolga__load_acquire(&stander->go))
        (void)brolga_sleep_until(brolga_after_ns(BROLGA_MS));
    return 0;
}

static brolga_word block_about(void *arg)
{
    struct stander *stander = arg;

    brolga_block_begin();
    brolga__store_release(&stander->there, 1);
    until(brolga__load_acquire(&stander->go));
    brolga_block_end();
    return 0;
}

/* A frame of the old code below one of these, however it rests. */
static void waits_for(brolga_task_fn fn, bool thread)
{
    struct stander stander = {0};
    struct jit_call call = {.fn = fn, .arg = &stander};
    static struct jit_unit code[3]; /* Released when all is closed. */
    struct brolga_report report;
    brolga_task *task;
    brolga_chan *chan;
    brolga_slot slot;
    brolga_txn *txn;

    open_with(false, 2);
    chan = chan_named(string, "chan", 4);
    sent(chan, "a");
    txn = begun();
    slot = stage_code(txn, &code[0], "f");
    (void)stage_code(txn, &code[1], "other");
    commits(txn);
    cr_assert_eq(brolga_spawn_slot(rt, slot, &call,
                                   &(struct brolga_spawn_opts){
                                       .name = "old", .thread = thread},
                                   &task),
                 BROLGA_OK);
    cr_assert(wait_until(brolga__load_acquire(&stander.there)));
    txn = retyping(string, option, to_option, NULL);
    (void)stage_code(txn, &code[2], "f");
    cr_assert_eq(brolga_txn_commit_barrier(txn, SOON, &report),
                 BROLGA_ETIMEOUT);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_BARRIER, "%s\n", report.text);
    cr_assert_eq(report.task, brolga_task_id(task), "%s\n", report.text);
    cr_assert_str_eq(report.task_name, "old");
    cr_assert_not_null(strstr(report.text, "code that is replaced"));
    cr_assert_eq(brolga_chan_type(chan), string);
    /* Where its code stays in force it does not matter. */
    to_options(NULL);
    received_option(chan, "a");
    brolga__store_release(&stander.go, 1);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
    txn = retyping(option, string, NULL, NULL);
    (void)stage_code(txn, &code[2], "f");
    commits(txn);
    brolga_chan_release(chan);
}

RETYPE_TEST(who_stands_in_old_code_is_waited_for)
{
    waits_for(stand_about, false);
    close_all();
}

RETYPE_TEST(who_sleeps_in_old_code_is_waited_for)
{
    waits_for(sleep_about, false);
    close_all();
}

RETYPE_TEST(who_is_blocked_in_old_code_is_waited_for)
{
    waits_for(block_about, false);
    close_all();
}

RETYPE_TEST(a_thread_that_stands_in_old_code_is_waited_for)
{
    waits_for(stand_about, true);
    close_all();
}

RETYPE_TEST(a_thread_that_sleeps_in_old_code_is_waited_for)
{
    waits_for(sleep_about, true);
    close_all();
}

RETYPE_TEST(who_is_to_begin_in_old_code_is_waited_for)
{
    struct stander stander = {.go = 1};
    struct jit_call call = {.fn = stand_about, .arg = &stander};
    static struct jit_unit code[2];
    struct brolga_report report;
    union {
        const void *code;
        brolga_task_fn fn;
    } cast;
    brolga_task *task;
    brolga_txn *txn;

    open_with(false, BROLGA_NO_WORKERS);
    txn = begun();
    (void)stage_code(txn, &code[0], "f");
    commits(txn);
    cast.code = code[0].text;
    cr_assert_eq(brolga_spawn(rt, cast.fn, &call, NULL, &task), BROLGA_OK);
    txn = retyping(string, option, NULL, NULL);
    (void)stage_code(txn, &code[1], "f");
    cr_assert_eq(brolga_txn_commit_barrier(txn, SOON, &report),
                 BROLGA_ETIMEOUT);
    cr_assert_eq(report.task, brolga_task_id(task), "%s\n", report.text);
    cr_assert(wait_until(((void)brolga_drive(rt, brolga_after_ns(BROLGA_MS)),
                          brolga_tasks_live(rt) == 0)));
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
    txn = retyping(string, option, NULL, NULL);
    (void)stage_code(txn, &code[1], "f");
    commits(txn);
    while (brolga_reclaim_step(rt))
        continue;
    close_all();
}

/* --- tasks for each message --------------------------------------------- */

struct seen {
    _Atomic int points, points3;
    double sum;
};

static int on_point(void *state, void *elem)
{
    struct seen *seen = state;
    const struct point *point = elem;

    seen->sum += (double)point->x;
    (void)brolga__add_release(&seen->points, 1);
    return BROLGA_OK;
}

static int on_point3(void *state, void *elem)
{
    struct seen *seen = state;
    const struct point3 *point = elem;

    seen->sum += 100 * point->x + point->y + point->z;
    (void)brolga__add_release(&seen->points3, 1);
    return BROLGA_OK;
}

static void count_nothing(void *arg)
{
    (void)arg;
}

static brolga_slot stage_fn(brolga_txn *txn, int (*fn)(void *, void *))
{
    union {
        int (*fn)(void *, void *);
        const void *code;
    } cast = {.fn = fn};
    struct brolga_unit_opts opts = {.name = "m",
                                    .text = cast.code,
                                    .text_bytes = 8,
                                    .policy = BROLGA_RECLAIM,
                                    .release = count_nothing};
    brolga_unit *unit;
    brolga_slot slot;

    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    cr_assert_eq(brolga_txn_define(txn, unit, "m", "on", "(Fn [] Int)",
                                   cast.code, &slot),
                 BROLGA_OK);
    return slot;
}

static void drive_until_seen(_Atomic int *count, int enough)
{
    cr_assert(wait_until(((void)brolga_drive(rt, brolga_after_ns(BROLGA_MS)),
                          brolga__load_acquire(count) >= enough)));
}

/* The host drives, so that a runner that has been handed a message does not
 * come to use it before the commit. */
static void runner_goes_on(size_t capacity)
{
    const brolga_type *small, *large;
    struct seen seen = {.sum = 0};
    brolga_task *task;
    brolga_chan *chan;
    brolga_slot slot;
    brolga_txn *txn;

    open_with(false, BROLGA_NO_WORKERS);
    small = struct_type("Point", sizeof(struct point));
    large = struct_type("Point3", sizeof(struct point3));
    chan = chan_of(small, capacity);
    txn = begun();
    slot = stage_fn(txn, on_point);
    commits(txn);
    cr_assert_eq(brolga_spawn_each(rt, chan, slot, &seen, NULL, &task),
                 BROLGA_OK);
    cr_assert(wait_until(((void)brolga_drive(rt, brolga_after_ns(BROLGA_MS)),
                          stats_of(chan).receivers_waiting == 1)));
    cr_assert_eq(brolga_try_send(chan, &(struct point){1}), BROLGA_OK);
    drive_until_seen(&seen.points, 1);
    cr_assert(wait_until(((void)brolga_drive(rt, brolga_after_ns(BROLGA_MS)),
                          stats_of(chan).receivers_waiting == 1)));
    cr_assert_eq(brolga_try_send(chan, &(struct point){2}), BROLGA_OK);
    if (capacity > 0)
        cr_assert_eq(brolga_try_send(chan, &(struct point){3}), BROLGA_OK);
    txn = retyping(small, large, NULL, NULL);
    refuses(txn, BROLGA_REFUSED_MESSAGES,
            capacity > 0 ? "holds 2 messages" : "holds 1 message", "Point");
    txn = retyping(small, large, to_point3, NULL);
    (void)stage_fn(txn, on_point3);
    commits(txn);
    drive_until_seen(&seen.points3, capacity > 0 ? 2 : 1);
    cr_assert(seen.sum == 1 + 205 + (capacity > 0 ? 305 : 0));
    cr_assert_eq(brolga__load_acquire(&seen.points), 1);
    /* It waits, and has room for what comes. */
    cr_assert(wait_until(((void)brolga_drive(rt, brolga_after_ns(BROLGA_MS)),
                          stats_of(chan).receivers_waiting == 1)));
    cr_assert_eq(brolga_try_send(chan, &(struct point3){4, 0, 0}), BROLGA_OK);
    drive_until_seen(&seen.points3, capacity > 0 ? 3 : 2);
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert(wait_until(((void)brolga_drive(rt, brolga_after_ns(BROLGA_MS)),
                          brolga_tasks_live(rt) == 0)));
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
    brolga_chan_release(chan);
    while (brolga_reclaim_step(rt))
        continue;
}

RETYPE_TEST(a_runner_goes_on_with_the_new_type)
{
    runner_goes_on(4);
    close_all();
}

RETYPE_TEST(a_runner_at_a_rendezvous_goes_on_with_the_new_type)
{
    runner_goes_on(0);
    close_all();
}

RETYPE_TEST(a_runner_that_waits_gets_room_for_what_is_larger)
{
    const brolga_type *small, *large;
    struct seen seen = {.sum = 0};
    brolga_task *task;
    brolga_chan *chan;
    brolga_slot slot;
    brolga_txn *txn;

    open_with(false, 2);
    small = struct_type("Point", sizeof(struct point));
    large = struct_type("Point3", sizeof(struct point3));
    chan = chan_of(small, 4);
    txn = begun();
    slot = stage_fn(txn, on_point);
    commits(txn);
    cr_assert_eq(brolga_spawn_each(rt, chan, slot, &seen, NULL, &task),
                 BROLGA_OK);
    until(stats_of(chan).receivers_waiting == 1);
    txn = retyping(small, large, to_point3, NULL);
    (void)stage_fn(txn, on_point3);
    commits(txn);
    cr_assert_eq(brolga_try_send(chan, &(struct point3){7, 1, 1}), BROLGA_OK);
    cr_assert(wait_until(brolga__load_acquire(&seen.points3) == 1));
    cr_assert(seen.sum == 702);
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
    brolga_chan_release(chan);
    close_all();
}

/* --- want of memory ----------------------------------------------------- */

/* Whether the n-th request for memory has failed; then all is as it was. */
static bool fails(brolga_chan *chan, uint64_t n)
{
    struct brolga_retype retype = {
        .from = string, .to = option, .convert = to_option};
    struct brolga_report report = {.text = ""};
    int64_t blocks = brolga__alloc_live();
    brolga_txn *txn = begun();
    int err;

    brolga__alloc_fail_nth(n);
    err = brolga_txn_retype(txn, &retype);
    if (err == BROLGA_OK)
        err = brolga_txn_commit_barrier(txn, LATE, &report);
    else
        brolga_txn_abort(txn);
    brolga__alloc_fail_nth(0);
    if (err == BROLGA_OK)
        return false;
    if (err == BROLGA_EREFUSED)
        cr_assert(report.refusal == BROLGA_REFUSED_MEMORY ||
                      strstr(report.text, "out of memory") != NULL,
                  "%s\n", report.text);
    cr_assert_eq(brolga_chan_type(chan), string);
    cr_assert_eq(stats_of(chan).depth, 2);
    until(brolga__alloc_live() <= blocks);
    cr_assert_eq(objects, 2);
    return true;
}

RETYPE_TEST(c7_without_memory_all_is_as_it_was)
{
    brolga_chan *chan;
    uint64_t n = 1;

    open_with(true, BROLGA_NO_WORKERS);
    chan = chan_named(string, "chan", 4);
    sent(chan, "a");
    sent(chan, "b");
    to_options(NULL); /* What is made once has been made. */
    commits(retyping(option, string, from_option, NULL));
    while (fails(chan, n))
        n++;
    cr_assert_geq(n, 8);
    received_option(chan, "a");
    received_option(chan, "b");
    brolga_chan_release(chan);
    while (brolga_reclaim_step(rt))
        continue;
    close_all();
}
