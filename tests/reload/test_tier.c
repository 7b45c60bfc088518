/*
 * Goal: with two tiers, a save runs soon, and optimised afterwards, as one step
 * of the history; what comes in between ends the second build; what fails in
 * it changes nothing.
 * Method: modules whose functions say by which tier they were built, and a
 * compiler that holds optimised builds as long as a file is there.
 */
#define _GNU_SOURCE
#include "stage.h"

#include "wait_until.h"

#include <errno.h>
#include <signal.h>

/* get() adds 1000 if it is not optimised. */
#define HEAD                                                                   \
    "#include <brolga/module.h>\n"                                             \
    "#ifdef __OPTIMIZE__\n#define TIER 0\n#else\n#define TIER 1000\n#endif\n"
#define GETTER(name, type, result)                                             \
    HEAD "BROLGA_MODULE(" name ", .policy = BROLGA_RECLAIM);\n"                \
         "BROLGA_EXPORT(" type ", get, (" type " n))\n"                        \
         "{\n    return TIER + " result ";\n}\n"
#define USER                                                                   \
    HEAD "BROLGA_MODULE(user, .policy = BROLGA_RECLAIM);\n"                    \
         "BROLGA_IMPORT(one, int64_t, get, (int64_t value), (value));\n"       \
         "BROLGA_EXPORT(int64_t, twice, (int64_t n))\n"                        \
         "{\n    return 2 * TIER + 2 * get(n);\n}\n"

static char script[512];

/* One that holds says its number in .held. */
static struct stage *tiers(uint32_t versions_max)
{
    struct stage *stage = set_stage();
    struct brolga_reload_opts opts = {
        .cc = script, .tiered = true, .rollback_percent = 100};
    char text[1024];

    stage->history = 16;
    stage->versions_max = versions_max;
    path_in(stage, ".cc", script);
    (void)snprintf(text, sizeof text,
                   "#!/bin/sh\n"
                   "for last; do :; done\n"
                   "if [ $last != -O0 ] && [ -f %s/.hold ]; then\n"
                   "  echo $$ >%s/.held\n"
                   "  while [ -f %s/.hold ]; do sleep 0.02; done\n"
                   "fi\n"
                   "exec cc \"$@\"\n",
                   stage->dir, stage->dir, stage->dir);
    write_at(script, O_TRUNC, text);
    cr_assert_eq(chmod(script, 0755), 0);
    save(stage, "one.c", GETTER("one", "int64_t", "n + 1"));
    save(stage, "user.c", USER);
    open_session(stage, &opts);
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(ask(stage, "one", "get", 0), 1001);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    await(stage, BROLGA_RELOAD_RELOADED, "one:optimised user:optimised");
    cr_assert_eq(ask(stage, "user", "twice", 0), 2);
    return stage;
}

static void hold(struct stage *stage)
{
    overwrite(stage, ".hold", "");
}

static void release(struct stage *stage)
{
    drop(stage, ".hold");
}

/* The compiler that holds. */
static int await_held(struct stage *stage)
{
    char path[512];
    int pid = 0;
    FILE *file;

    path_in(stage, ".held", path);
    cr_assert(wait_until(access(path, R_OK) == 0));
    do {
        file = fopen(path, "r");
        cr_assert_not_null(file);
        if (fscanf(file, "%d\n", &pid) != 1)
            pid = 0;
        (void)fclose(file);
    } while (pid == 0);
    drop(stage, ".held");
    return pid;
}

static bool is_locked(struct stage *stage)
{
    return count_events(stage, BROLGA_RELOAD_LOCKED) >
           count_events(stage, BROLGA_RELOAD_UNLOCKED);
}

static void taken_back(struct stage *stage)
{
    struct brolga_report report;
    int err = brolga_reload_rollback(stage->session, 0, &report);

    cr_assert_eq(err, BROLGA_OK, "%s", report.text);
}

Test(tier, a_save_runs_at_once_and_optimised_as_the_next_version)
{
    struct stage *stage = tiers(0);
    uint64_t version;

    hold(stage);
    save(stage, "one.c", GETTER("one", "int64_t", "n + 2"));
    version = await(stage, BROLGA_RELOAD_RELOADED, "one:changed")->version;
    cr_assert_eq(ask(stage, "user", "twice", 0), 2004);
    release(stage);
    cr_assert_eq(await(stage, BROLGA_RELOAD_RELOADED, "one:optimised")->version,
                 version + 1);
    cr_assert_eq(ask(stage, "user", "twice", 0), 4);
    /* That was all: the next thing to happen is of the next save. */
    save(stage, "one.c", GETTER("one", "int64_t", "n + 3"));
    cr_assert_str_eq(await(stage, BROLGA_RELOAD_RELOADED, NULL)->modules,
                     "one:changed");
    strike_stage(stage);
}

Test(tier, a_newer_save_ends_the_optimised_build)
{
    struct stage *stage = tiers(0);
    int pid;

    hold(stage);
    for (int64_t turn = 2; turn < 5; turn++) {
        char text[512];

        (void)snprintf(text, sizeof text, GETTER("one", "int64_t", "n + %d"),
                       (int)turn);
        save(stage, "one.c", text);
        await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
        cr_assert_eq(ask(stage, "one", "get", 0), 1000 + turn);
        pid = await_held(stage);
        /* Another file's, too: nothing is to slow an edit down. */
        (void)snprintf(text, sizeof text, USER "/* %d */\n", (int)turn);
        save(stage, "user.c", text);
        await(stage, BROLGA_RELOAD_RELOADED, "user:changed");
        cr_assert(wait_until(kill(pid, 0) != 0 && errno == ESRCH));
        (void)await_held(stage);
    }
    release(stage);
    await(stage, BROLGA_RELOAD_RELOADED, "one:optimised user:optimised");
    cr_assert_eq(ask(stage, "user", "twice", 0), 8);
    /* Two loads, three times two saves, and this one. */
    cr_assert_eq(count_events(stage, BROLGA_RELOAD_RELOADED), 9);
    strike_stage(stage);
}

/* An undone edit, and one that does not build, leave it to be done. */
Test(tier, what_was_ended_is_made_up_for)
{
    struct stage *stage = tiers(0);

    hold(stage);
    save(stage, "one.c", GETTER("one", "int64_t", "n + 2"));
    await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
    (void)await_held(stage);
    save(stage, "one.c", "this is not C\n");
    await(stage, BROLGA_RELOAD_LOCKED, "one is locked");
    release(stage);
    save(stage, "one.c", GETTER("one", "int64_t", "n + 2"));
    await(stage, BROLGA_RELOAD_UNLOCKED, "one.c");
    await(stage, BROLGA_RELOAD_RELOADED, "one:optimised");
    cr_assert_eq(ask(stage, "one", "get", 0), 2);
    strike_stage(stage);
}

Test(tier, what_cannot_be_optimised_is_told_and_runs_on)
{
    struct stage *stage = tiers(0);
    struct record *record;

    save(
        stage, "one.c",
        GETTER("one", "int64_t", "n + 2") "#if TIER == 0\n#error no\n#endif\n");
    await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
    record = await(stage, BROLGA_RELOAD_NOT_OPTIMISED, "one.c");
    cr_assert(strstr(record->output, "#error no") != NULL);
    cr_assert_eq(record->line, 13);
    cr_assert_eq(ask(stage, "one", "get", 0), 1002);
    /* One that builds, but does not fit. */
    save(stage, "one.c",
         HEAD "BROLGA_MODULE(one, .policy = BROLGA_RECLAIM);\n"
              "#if TIER == 0\n#define int64_t long\n#endif\n"
              "BROLGA_EXPORT(int64_t, get, (int64_t n))\n"
              "{\n    return TIER + n + 3;\n}\n"
              "#if TIER == 0\nint64_t nowhere(void);\n"
              "int64_t (*hook(void))(void);\n"
              "int64_t (*hook(void))(void)\n{\n    return nowhere;\n}\n"
              "#endif\n");
    await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
    await(stage, BROLGA_RELOAD_NOT_OPTIMISED, "nowhere");
    cr_assert_eq(ask(stage, "one", "get", 0), 1003);
    save(stage, "one.c",
         HEAD "BROLGA_MODULE(one, .policy = BROLGA_RECLAIM);\n"
              "#if TIER == 0\n"
              "BROLGA_EXPORT(long, get, (long n))\n"
              "#else\n"
              "BROLGA_EXPORT(int64_t, get, (int64_t n))\n"
              "#endif\n"
              "{\n    return TIER + n + 4;\n}\n");
    await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
    await(stage, BROLGA_RELOAD_NOT_OPTIMISED, "signature");
    cr_assert_eq(ask(stage, "user", "twice", 0), 2008);
    cr_assert_not(is_locked(stage));
    save(stage, "one.c", GETTER("one", "int64_t", "n + 5"));
    await(stage, BROLGA_RELOAD_RELOADED, "one:optimised");
    cr_assert_eq(ask(stage, "one", "get", 0), 5);
    strike_stage(stage);
}

Test(tier, importers_are_rebuilt_and_optimised_together)
{
    struct stage *stage = tiers(0);

    save(stage, "one.h", "typedef long number;\n");
    save(stage, "one.c",
         HEAD "#include \"one.h\"\n"
              "BROLGA_MODULE(one, .policy = BROLGA_RECLAIM);\n"
              "BROLGA_EXPORT(number, get, (number n))\n"
              "{\n    return TIER + n + 6;\n}\n");
    save(stage, "user.c",
         HEAD "#include \"one.h\"\n"
              "BROLGA_MODULE(user, .policy = BROLGA_RECLAIM);\n"
              "BROLGA_IMPORT(one, number, get, (number value), (value));\n"
              "BROLGA_EXPORT(int64_t, twice, (int64_t n))\n"
              "{\n    return 2 * TIER + 2 * get(n);\n}\n");
    await(stage, BROLGA_RELOAD_RELOADED, "one:changed user:changed");
    await(stage, BROLGA_RELOAD_RELOADED, "one:optimised user:optimised");
    cr_assert_eq(ask(stage, "user", "twice", 0), 12);
    save(stage, "one.h", "typedef int64_t number;\n");
    await(stage, BROLGA_RELOAD_RELOADED, "one:rebuilt user:rebuilt");
    await(stage, BROLGA_RELOAD_RELOADED, "one:optimised user:optimised");
    strike_stage(stage);
}

Test(tier, to_take_back_is_one_step_for_both_tiers)
{
    struct stage *stage = tiers(0);

    save(stage, "one.c", GETTER("one", "int64_t", "n + 2"));
    await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
    await(stage, BROLGA_RELOAD_RELOADED, "one:optimised");
    save(stage, "one.c", GETTER("one", "int64_t", "n + 3"));
    await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
    await(stage, BROLGA_RELOAD_RELOADED, "one:optimised");
    taken_back(stage);
    cr_assert_eq(ask(stage, "one", "get", 0), 2);
    taken_back(stage);
    cr_assert_eq(ask(stage, "one", "get", 0), 1);
    cr_assert(is_locked(stage));
    strike_stage(stage);
}

/* Taken back while the second tier is built: that must not come any more. */
Test(tier, what_was_taken_back_is_not_optimised)
{
    struct stage *stage = tiers(0);
    int pid;

    hold(stage);
    save(stage, "one.c", GETTER("one", "int64_t", "n + 2"));
    await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
    pid = await_held(stage);
    taken_back(stage);
    cr_assert_eq(ask(stage, "one", "get", 0), 1);
    cr_assert(is_locked(stage));
    cr_assert(wait_until(kill(pid, 0) != 0 && errno == ESRCH));
    release(stage);
    save(stage, "user.c", USER "/* changed */\n");
    await(stage, BROLGA_RELOAD_RELOADED, "user:changed");
    await(stage, BROLGA_RELOAD_RELOADED, "user:optimised");
    cr_assert_eq(ask(stage, "user", "twice", 0), 2);
    cr_assert_eq(count_events(stage, BROLGA_RELOAD_RELOADED), 5);
    strike_stage(stage);
}

static brolga_word fail_now(void *arg)
{
    (void)arg;
    brolga_panic("as it is told to");
}

/* Tasks that fail after the second tier has come take the save back too. */
Test(tier, tasks_that_fail_take_both_tiers_back)
{
    struct stage *stage = tiers(0);
    brolga_task *task;

    save(stage, "one.c", GETTER("one", "int64_t", "n + 2"));
    await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
    await(stage, BROLGA_RELOAD_RELOADED, "one:optimised");
    cr_assert_eq(brolga_spawn(stage->rt, fail_now, NULL, NULL, &task),
                 BROLGA_OK);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_EFAILED);
    await(stage, BROLGA_RELOAD_ROLLED_BACK, NULL);
    cr_assert_eq(ask(stage, "one", "get", 0), 1);
    strike_stage(stage);
}

/*
 * Goal: at the cap of live versions the second tier waits, without a word.
 * Method: two versions at most, and a thread that stays in an old one.
 */
Test(tier, at_the_cap_the_second_tier_waits_silently)
{
    struct stage *stage = tiers(2);

    cr_assert_eq(brolga_attach_thread(stage->rt, "holder"), BROLGA_OK);
    save(stage, "one.c", GETTER("one", "int64_t", "n + 2"));
    await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
    await(stage, BROLGA_RELOAD_BUILDING, "one:optimised");
    cr_assert_eq(count_events(stage, BROLGA_RELOAD_RELOADED), 3);
    brolga_detach_thread();
    await(stage, BROLGA_RELOAD_RELOADED, "one:optimised");
    cr_assert_eq(ask(stage, "one", "get", 0), 2);
    cr_assert_eq(count_events(stage, BROLGA_RELOAD_REFUSED), 0);
    strike_stage(stage);
}

/* Stopped in between, it is made up for by the next start. */
Test(tier, a_stopped_session_goes_on_with_it)
{
    struct stage *stage = tiers(0);

    hold(stage);
    save(stage, "one.c", GETTER("one", "int64_t", "n + 2"));
    await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
    (void)await_held(stage);
    brolga_reload_stop(stage->session);
    release(stage);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    await(stage, BROLGA_RELOAD_RELOADED, "one:optimised");
    strike_stage(stage);
}
