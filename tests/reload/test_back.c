/*
 * Goal: reloads are taken back, one after the other, by asking or because tasks
 * fail; files know what runs of them; callers of what has changed may stay, and
 * are named until they are gone.
 * Method: as test_session.c, with a GOT that keeps a history.
 */
#define _GNU_SOURCE
#include "stage.h"

#define HEAD "#include <brolga/module.h>\n"

#define GETTER(name, result)                                                   \
    HEAD "BROLGA_MODULE(" name ", .policy = BROLGA_RECLAIM);\n"                \
         "BROLGA_EXPORT(int64_t, get, (int64_t n))\n"                          \
         "{\n"                                                                 \
         "    return " result ";\n"                                            \
         "}\n"

/* The same with another signature. */
#define ONE_WIDE                                                               \
    HEAD "BROLGA_MODULE(one, .policy = BROLGA_RECLAIM);\n"                     \
         "BROLGA_EXPORT(long, get, (long n))\n"                                \
         "{\n"                                                                 \
         "    return n + 50;\n"                                                \
         "}\n"

#define USER(type)                                                             \
    HEAD "BROLGA_MODULE(user, .policy = BROLGA_RECLAIM);\n"                    \
         "BROLGA_IMPORT(one, " type ", get, (" type " value), (value));\n"     \
         "BROLGA_EXPORT(int64_t, twice, (int64_t n))\n"                        \
         "{\n"                                                                 \
         "    return 2 * get(n);\n"                                            \
         "}\n"

static struct stage *two_modules(const struct brolga_reload_opts *opts)
{
    struct stage *stage = set_stage();

    stage->history = 8;
    save(stage, "one.c", GETTER("one", "n + 1"));
    save(stage, "user.c", USER("int64_t"));
    open_session(stage, opts);
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    await(stage, BROLGA_RELOAD_RELOADED, NULL);
    return stage;
}

static uint64_t reloaded(struct stage *stage, const char *file,
                         const char *text)
{
    save(stage, file, text);
    return await(stage, BROLGA_RELOAD_RELOADED, NULL)->version;
}

static void taken_back(struct stage *stage, uint64_t version)
{
    struct brolga_report report;
    int err = brolga_reload_rollback(stage->session, version, &report);

    cr_assert_eq(err, BROLGA_OK, "%s", report.text);
}

static void not_taken_back(struct stage *stage, uint64_t version,
                           const char *why)
{
    struct brolga_report report;
    uint64_t before = brolga_got_version(brolga_runtime_got(stage->rt));

    cr_assert_eq(brolga_reload_rollback(stage->session, version, &report),
                 BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_HISTORY);
    cr_assert_not_null(strstr(report.text, why), "%s", report.text);
    (void)await(stage, BROLGA_RELOAD_REFUSED, "not taken back");
    cr_assert_eq(brolga_got_version(brolga_runtime_got(stage->rt)), before);
}

struct search {
    const char *module;
    bool locked;
};

static void look_for(void *arg, const struct brolga_reload_module *module)
{
    struct search *search = arg;

    if (module->name != NULL && strcmp(module->name, search->module) == 0)
        search->locked = module->locked;
}

static bool is_locked(struct stage *stage, const char *module)
{
    struct search search = {.module = module};

    (void)brolga_reload_each(stage->session, look_for, &search);
    return search.locked;
}

Test(back, reloads_are_taken_back_one_after_the_other)
{
    struct stage *stage = two_modules(NULL);
    struct record *record;

    (void)reloaded(stage, "one.c", GETTER("one", "n + 10"));
    (void)reloaded(stage, "one.c", GETTER("one", "n + 100"));
    taken_back(stage, 0);
    record = await(stage, BROLGA_RELOAD_ROLLED_BACK, NULL);
    cr_assert_str_eq(record->modules, "one:restored");
    cr_assert_eq(ask(stage, "user", "twice", 0), 20);
    taken_back(stage, 0);
    cr_assert_eq(ask(stage, "user", "twice", 0), 2);
    not_taken_back(stage, 0, "no reload to take back");
    strike_stage(stage);
}

Test(back, any_version_that_is_kept_can_be_had)
{
    struct stage *stage = two_modules(NULL);
    uint64_t tens = reloaded(stage, "one.c", GETTER("one", "n + 10"));

    (void)reloaded(stage, "one.c", GETTER("one", "n + 100"));
    (void)reloaded(stage, "user.c", USER("int64_t") "/* newer */\n");
    taken_back(stage, tens);
    cr_assert_eq(ask(stage, "one", "get", 0), 10);
    not_taken_back(stage, 1, "not known any more");
    not_taken_back(stage, 1000, "the current one is");
    strike_stage(stage);
}

/* What is on disk is newer than what runs; a save, or the old content, ends
 * that. Another file's save does not bring it in. */
Test(back, what_was_taken_back_waits_for_a_save)
{
    struct stage *stage = two_modules(NULL);
    struct record *record;

    (void)reloaded(stage, "one.c", GETTER("one", "n + 10"));
    taken_back(stage, 0);
    record = await(stage, BROLGA_RELOAD_LOCKED, "one is locked until it is");
    cr_assert(is_locked(stage, "one"));
    save(stage, "user.c", USER("int64_t") "/* newer */\n");
    record = await(stage, BROLGA_RELOAD_RELOADED, NULL);
    cr_assert_str_eq(record->modules, "user:changed");
    cr_assert_eq(ask(stage, "user", "twice", 0), 2);
    save(stage, "one.c", GETTER("one", "n + 1"));
    await(stage, BROLGA_RELOAD_UNLOCKED, "one.c");
    cr_assert_not(is_locked(stage, "one"));
    (void)reloaded(stage, "one.c", GETTER("one", "n + 7"));
    cr_assert_eq(ask(stage, "user", "twice", 0), 14);
    strike_stage(stage);
}

Test(back, a_changed_signature_is_taken_back_with_its_importers)
{
    struct stage *stage = two_modules(NULL);
    struct record *record;

    save(stage, "user.c", USER("long"));
    save(stage, "one.c", ONE_WIDE);
    do
        record = await(stage, BROLGA_RELOAD_RELOADED, NULL);
    while (strcmp(record->modules, "one:changed user:changed") != 0);
    cr_assert_eq(ask(stage, "user", "twice", 0), 100);
    taken_back(stage, 0);
    record = await(stage, BROLGA_RELOAD_ROLLED_BACK, NULL);
    cr_assert_str_eq(record->modules, "one:restored user:restored");
    cr_assert_eq(ask(stage, "user", "twice", 0), 2);
    /* The session knows the old signature again. */
    save(stage, "one.c", ONE_WIDE "\n");
    await(stage, BROLGA_RELOAD_REFUSED, "one.c");
    strike_stage(stage);
}

Test(back, a_new_file_goes_by_it)
{
    struct stage *stage = two_modules(NULL);
    brolga_slot slot;

    (void)reloaded(stage, "new.c", GETTER("new", "n + 5"));
    taken_back(stage, 0);
    cr_assert_eq(brolga_reload_find(stage->session, "new", "get", &slot),
                 BROLGA_ENOENT);
    (void)reloaded(stage, "new.c", GETTER("new", "n + 6"));
    cr_assert_eq(ask(stage, "new", "get", 0), 6);
    strike_stage(stage);
}

Test(back, without_a_thread_the_caller_does_it)
{
    struct stage *stage = two_modules(NULL);

    (void)reloaded(stage, "one.c", GETTER("one", "n + 10"));
    brolga_reload_stop(stage->session);
    taken_back(stage, 0);
    cr_assert_eq(ask(stage, "one", "get", 0), 1);
    strike_stage(stage);
}

Test(back, without_history_nothing_is_taken_back)
{
    struct stage *stage = set_stage();

    save(stage, "one.c", GETTER("one", "n + 1"));
    run_session(stage);
    await(stage, BROLGA_RELOAD_RELOADED, NULL);
    (void)reloaded(stage, "one.c", GETTER("one", "n + 2"));
    not_taken_back(stage, 0, "not known any more");
    strike_stage(stage);
}

/* --- tasks that fail ---------------------------------------------------- */

static brolga_word fail(void *arg)
{
    (void)arg;
    brolga_panic("on purpose");
}

static brolga_word wait_for_cancel(void *arg)
{
    (void)arg;
    return brolga_sleep_until(BROLGA_FOREVER);
}

static void fail_once(struct stage *stage)
{
    brolga_task *task;

    cr_assert_eq(brolga_spawn(stage->rt, fail, NULL, NULL, &task), BROLGA_OK);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_EFAILED);
}

Test(back, a_reload_by_which_tasks_fail_is_taken_back)
{
    struct brolga_reload_opts opts = {.rollback_percent = 50,
                                      .rollback_window_ms = 60000};
    struct stage *stage = two_modules(&opts);
    struct record *record;
    brolga_task *task;

    cr_assert_eq(brolga_spawn(stage->rt, wait_for_cancel, NULL, NULL, &task),
                 BROLGA_OK);
    fail_once(stage); /* Before the reload: does not count. */
    (void)reloaded(stage, "one.c", GETTER("one", "n + 10"));
    fail_once(stage);
    record = await(stage, BROLGA_RELOAD_ROLLED_BACK, "of 2 tasks have failed");
    cr_assert_not_null(strstr(record->text, "1 of 2"), "%s", record->text);
    cr_assert_eq(ask(stage, "one", "get", 0), 1);
    fail_once(stage); /* Once. */
    brolga_cancel(task);
    (void)brolga_join(task, BROLGA_FOREVER, NULL, NULL);
    cr_assert_eq(count_events(stage, BROLGA_RELOAD_ROLLED_BACK), 1);
    strike_stage(stage);
}

/* --- stale callers ------------------------------------------------------ */

Test(back, stale_callers_are_named_until_they_are_gone)
{
    struct brolga_reload_opts opts = {.allow_stale = true};
    struct stage *stage = two_modules(&opts);
    struct record *record;

    (void)reloaded(stage, "one.c", ONE_WIDE);
    record = await(stage, BROLGA_RELOAD_STALE, NULL);
    cr_assert_str_eq(record->module, "user");
    cr_assert_not_null(
        strstr(record->text, "user.c:3: goes on calling the old 'one.get'"),
        "%s", record->text);
    cr_assert_eq(ask(stage, "one", "get", 0), 50);
    cr_assert_eq(ask(stage, "user", "twice", 0), 2);
    /* What is stale already does not stand in the way. */
    (void)reloaded(stage, "one.c", GETTER("one", "n + 1") "/* */\n");
    await(stage, BROLGA_RELOAD_STALE_ENDED, "user.c");
    cr_assert_eq(ask(stage, "user", "twice", 0), 2);
    strike_stage(stage);
}

Test(back, a_removed_function_may_have_stale_callers)
{
    struct brolga_reload_opts opts = {.allow_stale = true};
    struct stage *stage = two_modules(&opts);

    (void)reloaded(stage, "one.c",
                   HEAD "BROLGA_MODULE(one, .policy = BROLGA_RECLAIM);\n"
                        "BROLGA_EXPORT(int64_t, other, (int64_t n))\n"
                        "{\n    return n;\n}\n");
    await(stage, BROLGA_RELOAD_STALE, "one.get");
    cr_assert_eq(ask(stage, "user", "twice", 0), 2);
    (void)reloaded(stage, "user.c",
                   HEAD "BROLGA_MODULE(user, .policy = BROLGA_RECLAIM);\n"
                        "BROLGA_EXPORT(int64_t, twice, (int64_t n))\n"
                        "{\n    return 2 * n;\n}\n");
    await(stage, BROLGA_RELOAD_STALE_ENDED, "user.c");
    cr_assert_eq(ask(stage, "user", "twice", 4), 8);
    strike_stage(stage);
}

/* --- the closure of importers ------------------------------------------- */

/* A module of the chain: imports `get` of the one below and exports it, as
 * int64_t, or as long once wide.h is there. */
static void link_text(char *text, size_t bytes, const char *name,
                      const char *below)
{
    (void)snprintf(text, bytes,
                   HEAD "BROLGA_MODULE(%s);\n"
                        "#if __has_include(\"wide.h\")\n"
                        "#define TYPE long\n"
                        "BROLGA_IMPORT(%s, long, %sget, (long v), (v));\n"
                        "BROLGA_EXPORT(long, %sget, (long n))\n"
                        "#else\n"
                        "BROLGA_IMPORT(%s, int, %sget, (int v), (v));\n"
                        "BROLGA_EXPORT(int, %sget, (int n))\n"
                        "#endif\n"
                        "{\n    return %sget(n) + 1;\n}\n",
                   name, below, below, name, below, below, name, below);
}

Test(back, importers_of_importers_are_built_again_too)
{
    struct stage *stage = set_stage();
    struct record *record;
    char text[1024];

    save(stage, "a.c",
         HEAD "BROLGA_MODULE(a);\n"
              "BROLGA_EXPORT(int, aget, (int n))\n{\n    return n;\n}\n");
    link_text(text, sizeof text, "b", "a");
    save(stage, "b.c", text);
    link_text(text, sizeof text, "c", "b");
    save(stage, "c.c", text);
    save(stage, "d.c",
         HEAD "BROLGA_MODULE(d);\n"
              "#if __has_include(\"wide.h\")\n"
              "BROLGA_IMPORT(c, long, cget, (long v), (v));\n"
              "#else\n"
              "BROLGA_IMPORT(c, int, cget, (int v), (v));\n"
              "#endif\n"
              "BROLGA_EXPORT(int64_t, ask, (int64_t n))\n"
              "{\n    return cget(n);\n}\n");
    run_session(stage);
    await(stage, BROLGA_RELOAD_RELOADED, NULL);
    save(stage, "wide.h", "/* */\n");
    save(stage, "a.c",
         HEAD "BROLGA_MODULE(a);\n"
              "BROLGA_EXPORT(long, aget, (long n))\n"
              "{\n    return n + 40;\n}\n");
    record = await(stage, BROLGA_RELOAD_RELOADED, NULL);
    cr_assert_str_eq(record->modules,
                     "a:changed b:rebuilt c:rebuilt d:rebuilt");
    cr_assert_eq(ask(stage, "d", "ask", 0), 42);
    strike_stage(stage);
}
