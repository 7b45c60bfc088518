/*
 * Goal: when a reload changes what a message looks like, what waits in channels
 * is converted, in its order, by the shortest chain of migrations there is; or
 * the reload is refused, says why, and nothing is lost. Nobody who knows one
 * layout meets a message of the other.
 * Method: as test_state.c. A module puts letters into a channel that lives in a
 * state, and takes them out, while the tests change what a letter is.
 */
#define _GNU_SOURCE
#include "stage.h"

#include "alloc.h"
#include "wait_until.h"

#define INCLUDES                                                               \
    "#include <brolga/module.h>\n"                                             \
    "#include <brolga/chan.h>\n"

#define POST                                                                   \
    "BROLGA_MODULE(post, .policy = BROLGA_RECLAIM);\n"                         \
    "struct box { brolga_chan *chan; };\n"                                     \
    "BROLGA_STATE(struct box, box);\n"

#define MESSAGE "BROLGA_MESSAGE(struct letter, letter_type);\n"

/* A letter is a number, and perhaps ten times that. */
#define LETTER_1 "struct letter { int32_t a; };\n"
#define LETTER_2                                                               \
    "struct letter_1 { int32_t a; };\n"                                        \
    "struct letter { int64_t b; int32_t a; };\n"
#define FROM_1_TO_2                                                            \
    "BROLGA_MIGRATE(letter_type, struct letter_1, from, struct letter, to)\n"  \
    "{\n"                                                                      \
    "    to->a = from->a;\n"                                                   \
    "    to->b = 10 * from->a;\n"                                              \
    "    return from->a == 13 ? BROLGA_EINVAL : BROLGA_OK;\n"                  \
    "}\n"
#define FROM_2_TO_1                                                            \
    "BROLGA_MIGRATE(letter_type, struct letter, from, struct letter_1, to)\n"  \
    "{\n"                                                                      \
    "    to->a = from->b / 10;\n"                                              \
    "    return BROLGA_OK;\n"                                                  \
    "}\n"

#define USE(fill, value)                                                       \
    "BROLGA_EXPORT(int64_t, put, (int64_t n))\n"                               \
    "{\n"                                                                      \
    "    struct brolga_chan_opts opts = {.name = \"slit\", .capacity = 16};\n" \
    "    struct letter letter = {" fill "};\n"                                 \
    "    int err = BROLGA_OK;\n"                                               \
    "    if (box->chan == NULL)\n"                                             \
    "        err = brolga_chan_create(letter_type, &opts, &box->chan);\n"      \
    "    if (err == BROLGA_OK)\n"                                              \
    "        err = brolga_try_send(box->chan, &letter);\n"                     \
    "    return err;\n"                                                        \
    "}\n"                                                                      \
    "BROLGA_EXPORT(int64_t, get, (int64_t n))\n"                               \
    "{\n"                                                                      \
    "    struct letter letter;\n"                                              \
    "    int err = brolga_try_recv(box->chan, &letter);\n"                     \
    "    (void)n;\n"                                                           \
    "    return err == BROLGA_OK ? (int64_t)(" value ") : err;\n"              \
    "}\n"                                                                      \
    "BROLGA_EXPORT(int64_t, shut, (int64_t n))\n"                              \
    "{\n"                                                                      \
    "    brolga_chan_release(box->chan);\n"                                    \
    "    box->chan = NULL;\n"                                                  \
    "    return n;\n"                                                          \
    "}\n"

#define USE_1  USE(".a = (int32_t)n", "letter.a")
#define USE_2  USE(".a = (int32_t)n, .b = 10 * n", "letter.a + 1000 * letter.b")
#define POST_1 INCLUDES POST LETTER_1 MESSAGE USE_1
#define POST_2 INCLUDES POST LETTER_2 MESSAGE FROM_1_TO_2 FROM_2_TO_1 USE_2

static struct stage *begun(const char *text,
                           const struct brolga_reload_opts *opts)
{
    struct stage *stage = set_stage();

    stage->history = 8;
    save(stage, "post.c", text);
    open_session(stage, opts);
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    await(stage, BROLGA_RELOAD_RELOADED, NULL);
    return stage;
}

static int64_t post(struct stage *stage, const char *what, int64_t n)
{
    return ask(stage, "post", what, n);
}

static void end(struct stage *stage)
{
    cr_assert_eq(post(stage, "get", 0), BROLGA_EAGAIN); /* None doubled. */
    cr_assert_eq(post(stage, "shut", 5), 5);
    strike_stage(stage);
}

static struct record *reloaded(struct stage *stage, const char *text)
{
    save(stage, "post.c", text);
    return await(stage, BROLGA_RELOAD_RELOADED, NULL);
}

static struct record *refused(struct stage *stage, const char *text,
                              enum brolga_refusal why, const char *what)
{
    uint64_t before = brolga_got_version(brolga_runtime_got(stage->rt));
    struct record *record;

    save(stage, "post.c", text);
    record = await(stage, BROLGA_RELOAD_REFUSED, NULL);
    cr_assert_eq(record->refusal, why, "%s", record->text);
    cr_assert_not_null(strstr(record->text, what), "%s", record->text);
    cr_assert_eq(brolga_got_version(brolga_runtime_got(stage->rt)), before);
    return record;
}

Test(messages, that_wait_are_converted_in_their_order)
{
    struct stage *stage = begun(POST_1, NULL);
    struct record *record;

    for (int64_t n = 1; n <= 3; n++)
        cr_assert_eq(post(stage, "put", n), BROLGA_OK);
    record = reloaded(stage, POST_2);
    cr_assert_not_null(strstr(record->text, "messages 'letter_type' converted"),
                       "%s", record->text);
    cr_assert_eq(post(stage, "put", 4), BROLGA_OK);
    for (int64_t n = 1; n <= 4; n++)
        cr_assert_eq(post(stage, "get", 0), 10001 * n);
    end(stage);
}

Test(messages, without_a_migration_are_refused_and_not_lost)
{
    struct stage *stage = begun(POST_1, NULL);
    struct record *record;

    cr_assert_eq(post(stage, "put", 1), BROLGA_OK);
    record = refused(stage, INCLUDES POST LETTER_2 MESSAGE USE_2,
                     BROLGA_REFUSED_MESSAGES, "channel 'slit' holds 1 message");
    cr_assert_not_null(strstr(record->text, "BROLGA_MIGRATE(letter_type, "),
                       "%s", record->text);
    cr_assert_eq(post(stage, "put", 2), BROLGA_OK);
    cr_assert_eq(post(stage, "get", 0), 1);
    cr_assert_eq(post(stage, "get", 0), 2);
    /* Nothing waits, nothing is in the way. */
    reloaded(stage, INCLUDES POST LETTER_2 MESSAGE USE_2 "/* once more */\n");
    cr_assert_eq(post(stage, "put", 3), BROLGA_OK);
    cr_assert_eq(post(stage, "get", 0), 30003);
    end(stage);
}

Test(messages, a_conversion_that_fails_loses_nothing)
{
    struct stage *stage = begun(POST_1, NULL);

    cr_assert_eq(post(stage, "put", 1), BROLGA_OK);
    cr_assert_eq(post(stage, "put", 13), BROLGA_OK);
    refused(stage, POST_2, BROLGA_REFUSED_HOOK, "message 2 of 2");
    cr_assert_eq(post(stage, "get", 0), 1);
    cr_assert_eq(post(stage, "get", 0), 13);
    end(stage);
}

/* The same bytes, and the same name. */
Test(messages, of_another_order_of_fields_are_not_taken_for_the_same)
{
    struct stage *stage =
        begun(INCLUDES POST "struct letter { int32_t a, b; };\n" MESSAGE USE(
                  ".a = (int32_t)n, .b = 7", "100 * letter.a + letter.b"),
              NULL);

    cr_assert_eq(post(stage, "put", 1), BROLGA_OK);
    reloaded(
        stage, INCLUDES POST
        "struct letter_1 { int32_t a, b; };\n"
        "struct letter { int32_t b, a; };\n" MESSAGE
        "BROLGA_MIGRATE(letter_type, struct letter_1, from, struct letter, "
        "to)\n"
        "{\n"
        "    to->a = from->a;\n"
        "    to->b = from->b;\n"
        "    return BROLGA_OK;\n"
        "}\n" USE(".a = (int32_t)n, .b = 8", "100 * letter.a + letter.b"));
    cr_assert_eq(post(stage, "put", 2), BROLGA_OK);
    cr_assert_eq(post(stage, "get", 0), 107);
    cr_assert_eq(post(stage, "get", 0), 208);
    end(stage);
}

Test(messages, find_their_way_over_a_version_that_never_ran)
{
    static const char *const text =
        INCLUDES POST "struct letter_1 { int32_t a; };\n"
                      "struct letter_2 { int64_t b; int32_t a; };\n"
                      "struct letter { char tag; int64_t c; };\n" MESSAGE
                      "BROLGA_MIGRATE(letter_type, struct letter_1, from, "
                      "struct letter_2, to)\n"
                      "{\n"
                      "    to->a = from->a;\n"
                      "    to->b = from->a + 100;\n"
                      "    return BROLGA_OK;\n"
                      "}\n"
                      "BROLGA_MIGRATE(letter_type, struct letter_2, from, "
                      "struct letter, to)\n"
                      "{\n"
                      "    to->c = from->b + 1000 * from->a;\n"
                      "    return BROLGA_OK;\n"
                      "}\n" USE(".c = n", "letter.c + letter.tag");
    struct stage *stage = begun(POST_1, NULL);

    cr_assert_eq(post(stage, "put", 3), BROLGA_OK);
    reloaded(stage, text);
    cr_assert_eq(post(stage, "get", 0), 3103); /* And its tag is zero. */
    end(stage);
}

Test(messages, go_back_with_a_reload_that_is_taken_back)
{
    struct stage *stage = begun(POST_1, NULL);
    struct brolga_report report;

    cr_assert_eq(post(stage, "put", 1), BROLGA_OK);
    reloaded(stage, POST_2);
    cr_assert_eq(post(stage, "put", 2), BROLGA_OK);
    cr_assert_eq(brolga_reload_rollback(stage->session, 0, &report), BROLGA_OK,
                 "%s", report.text);
    await(stage, BROLGA_RELOAD_ROLLED_BACK, NULL);
    cr_assert_eq(post(stage, "put", 3), BROLGA_OK);
    for (int64_t n = 1; n <= 3; n++)
        cr_assert_eq(post(stage, "get", 0), n);
    end(stage);
}

Test(messages, keep_a_reload_from_being_taken_back_if_there_is_no_way)
{
    struct stage *stage = begun(POST_1, NULL);
    struct brolga_report report;

    cr_assert_eq(post(stage, "put", 1), BROLGA_OK);
    reloaded(stage, INCLUDES POST LETTER_2 MESSAGE FROM_1_TO_2 USE_2);
    cr_assert_eq(brolga_reload_rollback(stage->session, 0, &report),
                 BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_MESSAGES, "%s", report.text);
    cr_assert_eq(post(stage, "get", 0), 10001);
    cr_assert_eq(brolga_reload_rollback(stage->session, 0, &report), BROLGA_OK,
                 "%s", report.text);
    cr_assert_eq(post(stage, "put", 2), BROLGA_OK);
    cr_assert_eq(post(stage, "get", 0), 2);
    end(stage);
}

/* --- several files ------------------------------------------------------ */

#define READER INCLUDES "BROLGA_MODULE(reader, .policy = BROLGA_RECLAIM);\n"

Test(messages, of_a_header_change_in_all_files_at_once)
{
    struct stage *stage = set_stage();

    save(stage, "letter.h", LETTER_1 MESSAGE);
    save(stage, "post.c", INCLUDES POST "#include \"letter.h\"\n" USE_1);
    save(stage, "reader.c",
         READER "#include \"letter.h\"\n"
                "BROLGA_EXPORT(int64_t, same, (int64_t n))\n"
                "{\n"
                "    return (int64_t)brolga_type_bytes(letter_type) * n;\n"
                "}\n");
    run_session(stage);
    await(stage, BROLGA_RELOAD_RELOADED, NULL);
    cr_assert_eq(post(stage, "put", 1), BROLGA_OK);
    cr_assert_eq(ask(stage, "reader", "same", 1), 4);
    save(stage, "letter.h", LETTER_2 MESSAGE FROM_1_TO_2);
    await(stage, BROLGA_RELOAD_RELOADED, NULL);
    cr_assert_eq(ask(stage, "reader", "same", 1), 16);
    cr_assert_eq(post(stage, "get", 0), 1);
    end(stage);
}

Test(messages, that_two_files_know_differently_are_refused)
{
    struct stage *stage = set_stage();
    struct record *record;

    save(stage, "post.c", POST_1);
    save(stage, "reader.c", READER LETTER_1 MESSAGE);
    run_session(stage);
    await(stage, BROLGA_RELOAD_RELOADED, NULL);
    record = refused(stage, POST_2, BROLGA_REFUSED_MESSAGES,
                     "message 'letter_type' has another layout than in ");
    cr_assert_not_null(strstr(record->text, "into a header"), "%s",
                       record->text);
    cr_assert_eq(post(stage, "put", 1), BROLGA_OK);
    save(stage, "reader.c", READER LETTER_2 MESSAGE);
    await(stage, BROLGA_RELOAD_RELOADED, NULL); /* Both. */
    cr_assert_eq(post(stage, "get", 0), 10001);
    end(stage);
}

Test(messages, that_cannot_be_sent_are_refused)
{
    struct stage *stage = begun(POST_1, NULL);

    refused(stage,
            INCLUDES POST
            "struct letter { _Alignas(128) int32_t a; };\n" MESSAGE USE_1,
            BROLGA_REFUSED_MESSAGES, "aligned to more than 64");
    cr_assert_eq(post(stage, "put", 1), BROLGA_OK);
    cr_assert_eq(post(stage, "get", 0), 1);
    end(stage);
}

/* --- who has one in hand ------------------------------------------------ */

#define HANDS                                                                  \
    "BROLGA_EXPORT(int64_t, wait, (int64_t n))\n"                              \
    "{\n"                                                                      \
    "    struct letter letter;\n"                                              \
    "    int err = brolga_recv(box->chan, &letter, BROLGA_FOREVER);\n"         \
    "    return err == BROLGA_OK ? letter.a + n : err;\n"                      \
    "}\n"

static struct stage *waiting_at;

static brolga_word wait_there(void *arg)
{
    (void)arg;
    return post(waiting_at, "wait", 1000);
}

Test(messages, wait_for_old_code_that_may_have_one_in_its_hands)
{
    struct stage *stage =
        begun(INCLUDES POST LETTER_1 MESSAGE USE_1 HANDS,
              &(struct brolga_reload_opts){.state_deadline_ms = 50});
    brolga_task *task;
    brolga_word result;

    cr_assert_eq(post(stage, "put", 1), BROLGA_OK);
    cr_assert_eq(post(stage, "get", 0), 1);
    waiting_at = stage;
    cr_assert_eq(brolga_spawn(stage->rt, wait_there, NULL, NULL, &task),
                 BROLGA_OK);
    refused(stage, POST_2 HANDS, BROLGA_REFUSED_BARRIER,
            "goes on in code that is replaced");
    cr_assert_eq(post(stage, "put", 2), BROLGA_OK);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, &result, NULL), BROLGA_OK);
    cr_assert_eq(result, 1002);
    reloaded(stage, POST_2 HANDS "/* once more */\n");
    end(stage);
}

/* --- many reloads ------------------------------------------------------- */

/* One task sends, one passes on, one counts, by loops that are Brolga's. The
 * channels are full all the time, so that most of them wait in their sends. */
#define BUSY                                                                   \
    INCLUDES "BROLGA_MODULE(post, .policy = BROLGA_RECLAIM);\n"                \
             "struct box {\n"                                                  \
             "    brolga_chan *in, *out;\n"                                    \
             "    brolga_task *sender, *passer, *counter;\n"                   \
             "    _Atomic int64_t sent, got, wrong;\n"                         \
             "    _Atomic _Bool stop;\n"                                       \
             "};\n"                                                            \
             "BROLGA_STATE(struct box, box);\n"

#define TRAFFIC(fill, wrong_)                                                  \
    "BROLGA_EXPORT(int, send_one, (void *arg))\n"                              \
    "{\n"                                                                      \
    "    int64_t n = box->sent + 1;\n"                                         \
    "    struct letter letter = {" fill "};\n"                                 \
    "    (void)arg;\n"                                                         \
    "    if (box->stop)\n"                                                     \
    "        return brolga_chan_close(box->in, 0, NULL) == BROLGA_OK\n"        \
    "                   ? BROLGA_DONE : BROLGA_EINVAL;\n"                      \
    "    if (brolga_send(box->in, &letter, BROLGA_FOREVER) != BROLGA_OK)\n"    \
    "        return BROLGA_EINVAL;\n"                                          \
    "    box->sent = n;\n"                                                     \
    "    return BROLGA_OK;\n"                                                  \
    "}\n"                                                                      \
    "BROLGA_EXPORT(int, pass_on, (void *arg, void *elem))\n"                   \
    "{\n"                                                                      \
    "    (void)arg;\n"                                                         \
    "    return brolga_send(box->out, elem, BROLGA_FOREVER);\n"                \
    "}\n"                                                                      \
    "BROLGA_EXPORT(int, take_one, (void *arg, void *elem))\n"                  \
    "{\n"                                                                      \
    "    struct letter *letter = elem;\n"                                      \
    "    (void)arg;\n"                                                         \
    "    box->got++;\n"                                                        \
    "    box->wrong += (" wrong_ ") || letter->a != (int32_t)box->got;\n"      \
    "    return BROLGA_OK;\n"                                                  \
    "}\n"                                                                      \
    "BROLGA_EXPORT(int64_t, open, (int64_t n))\n"                              \
    "{\n"                                                                      \
    "    struct brolga_chan_opts opts = {.capacity = 2};\n"                    \
    "    brolga *rt = brolga_runtime();\n"                                     \
    "    if (brolga_chan_create(letter_type, &opts, &box->in) ||\n"            \
    "        brolga_chan_create(letter_type, &opts, &box->out) ||\n"           \
    "        brolga_spawn_each(rt, box->out, BROLGA_SLOT(take_one), NULL,\n"   \
    "                          NULL, &box->counter) ||\n"                      \
    "        brolga_spawn_each(rt, box->in, BROLGA_SLOT(pass_on), NULL,\n"     \
    "                          NULL, &box->passer) ||\n"                       \
    "        brolga_spawn_loop(rt, BROLGA_SLOT(send_one), NULL, NULL,\n"       \
    "                          &box->sender))\n"                               \
    "        return -1;\n"                                                     \
    "    return n;\n"                                                          \
    "}\n"                                                                      \
    "BROLGA_EXPORT(int64_t, got, (int64_t n))\n"                               \
    "{\n"                                                                      \
    "    (void)n;\n"                                                           \
    "    return box->got;\n"                                                   \
    "}\n"                                                                      \
    "BROLGA_EXPORT(int64_t, lost, (int64_t n))\n"                              \
    "{\n"                                                                      \
    "    (void)n;\n"                                                           \
    "    box->stop = 1;\n"                                                     \
    "    if (brolga_join(box->sender, BROLGA_FOREVER, NULL, NULL) ||\n"        \
    "        brolga_join(box->passer, BROLGA_FOREVER, NULL, NULL) ||\n"        \
    "        brolga_chan_close(box->out, 0, NULL) ||\n"                        \
    "        brolga_join(box->counter, BROLGA_FOREVER, NULL, NULL))\n"         \
    "        return -1;\n"                                                     \
    "    brolga_chan_release(box->in);\n"                                      \
    "    brolga_chan_release(box->out);\n"                                     \
    "    return box->sent - box->got + 1000000 * box->wrong;\n"                \
    "}\n"

/* No conversion fails here. */
#define ALWAYS_1_TO_2                                                          \
    "BROLGA_MIGRATE(letter_type, struct letter_1, from, struct letter, to)\n"  \
    "{\n"                                                                      \
    "    to->a = from->a;\n"                                                   \
    "    to->b = 10 * (int64_t)from->a;\n"                                     \
    "    return BROLGA_OK;\n"                                                  \
    "}\n"
#define BUSY_1 BUSY LETTER_1 MESSAGE TRAFFIC(".a = (int32_t)n", "0")
#define BUSY_2                                                                 \
    BUSY LETTER_2 MESSAGE ALWAYS_1_TO_2 FROM_2_TO_1 TRAFFIC(                   \
        ".a = (int32_t)n, .b = 10 * n",                                        \
        "letter->b != 10 * (int64_t)letter->a")

/* Sanitizers make all of it slow. Without them little time is given, so that a
 * pipeline that does not run dry is noticed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MANY        30
#define DEADLINE_MS 20000
#else
#define MANY        100
#define DEADLINE_MS 4000
#endif

static struct stage *begun_busy(char script[512])
{
    struct stage *stage = set_stage();
    struct brolga_reload_opts opts = {
        .quiet_ms = 1, .no_watch = true, .state_deadline_ms = DEADLINE_MS};

    write_compiler(stage, script);
    opts.cc = script;
    save(stage, "post.c", BUSY_1);
    open_session(stage, &opts);
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    cr_assert_eq(post(stage, "open", 5), 5);
    return stage;
}

static void save_busy(struct stage *stage, const char *text)
{
    stage->count = stage->seen = 0;
    save(stage, "post.c", text);
    brolga_reload_look(stage->session);
}

Test(messages, in_flight_survive_many_changes_of_their_type)
{
    static const char *const texts[] = {BUSY_1, BUSY_2};
    char script[512];
    struct stage *stage = begun_busy(script);

    for (int i = 1; i <= MANY; i++) {
        int64_t got = post(stage, "got", 0);

        save_busy(stage, texts[i % 2]);
        await(stage, BROLGA_RELOAD_RELOADED, NULL);
        cr_assert(wait_until(post(stage, "got", 0) > got), "reload %d", i);
    }
    cr_assert_eq(post(stage, "lost", 0), 0);
    strike_stage(stage);
}

#ifdef BROLGA_DEBUG

/* Either the whole reload is there, or nothing of it. Returns which. */
static bool starve(struct stage *stage, const char *text, uint64_t n)
{
    bool reloaded;

    brolga__alloc_fail_nth(n);
    save_busy(stage, text);
    cr_assert(wait_until(count_events(stage, BROLGA_RELOAD_RELOADED) +
                             count_events(stage, BROLGA_RELOAD_BUILD_FAILED) +
                             count_events(stage, BROLGA_RELOAD_REFUSED) >
                         0));
    brolga__alloc_fail_nth(0);
    reloaded = count_events(stage, BROLGA_RELOAD_RELOADED) > 0;
    if (!reloaded)
        await(stage, BROLGA_RELOAD_LOCKED, NULL);
    return reloaded;
}

Test(messages, c7_want_of_memory_loses_none)
{
    static const char *const texts[] = {BUSY_1, BUSY_2};
    char script[512];
    struct stage *stage = begun_busy(script);
    unsigned failed = 0, now = 0;

    for (uint64_t n = 1; n < 400; n += 1 + n / 20) {
        int64_t got;

        if (starve(stage, texts[1 - now], n)) {
            now = 1 - now;
        } else {
            failed++;
            save_busy(stage, texts[now]);
            await(stage, BROLGA_RELOAD_UNLOCKED, NULL);
        }
        got = post(stage, "got", 0);
        cr_assert(wait_until(post(stage, "got", 0) > got));
    }
    cr_assert_gt(failed, 10);
    cr_assert_eq(post(stage, "lost", 0), 0);
    strike_stage(stage);
}
#endif
