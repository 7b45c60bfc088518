/*
 * Goal: many files that are saved together are one reload; builds run side by
 * side; a newer save ends a build, which leaves nothing.
 * Method: modules of a fake compiler where only their number matters; and
 * compilers that are scripts, which wait for each other or for ever.
 */
#define _GNU_SOURCE
#include "fake/fake.h"

#include "editors.h"
#include "wait_until.h"

#include <errno.h>
#include <signal.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MANY 50 /* Each process and each image takes many times as long. */
#else
#define MANY 200
#endif

static _Atomic long loads;

void fake_loaded(const char *module, long number)
{
    (void)module;
    if (number > 0)
        loads++;
}

static struct stage *with_compiler(const char *cc, uint32_t jobs)
{
    struct stage *stage = set_stage();
    struct brolga_reload_opts opts = {.cc = cc, .jobs = jobs};

    open_session(stage, &opts);
    return stage;
}

static void begin(struct stage *stage)
{
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    await(stage, BROLGA_RELOAD_RELOADED, NULL);
}

/* --- together ----------------------------------------------------------- */

static void check_out(struct stage *stage, long number)
{
    uint64_t random = 1;
    char name[32], text[256], path[512];
    struct page page = {
        .dir = stage->dir, .name = name, .text = text, .random = &random};

    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "f%03u.c", i);
        fake_text(text, sizeof text, i, number, 100, NULL);
        path_in(stage, name, path);
        if (number == 1)
            put(&page, path, O_TRUNC, 1);
        else
            save_git(&page);
    }
}

Test(saves, a_checkout_of_200_files_is_few_reloads)
{
    char dir[64], cc[80];
    struct stage *stage;
    uint64_t before;

    loads = 0;
    fake_compiler(dir, cc);
    stage = with_compiler(cc, 0);
    check_out(stage, 1);
    begin(stage);
    cr_assert_eq(loads, MANY);
    before = stage->report.version;
    for (long number = 2; number < 5; number++) {
        check_out(stage, number);
        cr_assert(wait_until(loads >= number * MANY));
    }
    for (unsigned i = 0; i < MANY; i++) {
        char module[16];

        (void)snprintf(module, sizeof module, "fake%03u", i);
        cr_assert(wait_until(ask(stage, module, "get", 0) == 4));
    }
    /* One each; a machine that stands still in the middle makes it two. */
    cr_assert_leq(brolga_got_version(brolga_runtime_got(stage->rt)),
                  before + 6);
    cr_assert_leq(loads, 5 * MANY);
    cr_assert_eq(count_events(stage, BROLGA_RELOAD_BUILD_FAILED), 0);
    cr_assert_eq(count_events(stage, BROLGA_RELOAD_FILE_REMOVED), 0);
    fake_shell("rm -rf %s%s%s", dir, "", "");
    strike_stage(stage);
}

/* --- side by side ------------------------------------------------------- */

static void save_number(struct stage *stage, const char *name, int number)
{
    char text[512], path[64];

    (void)snprintf(path, sizeof path, "%s.c", name);
    (void)snprintf(text, sizeof text,
                   "#include <brolga/module.h>\n"
                   "BROLGA_MODULE(%s);\n"
                   "BROLGA_EXPORT(int64_t, get, (int64_t n))\n"
                   "{\n    return n + %d;\n}\n",
                   name, number);
    save(stage, path, text);
}

static void write_script(const struct stage *stage, char path[512],
                         const char *format)
{
    char text[2048];

    path_in(stage, ".cc", path);
    (void)snprintf(text, sizeof text, format, stage->dir);
    write_at(path, O_TRUNC, text);
    cr_assert_eq(chmod(path, 0755), 0);
}

/* Each compiler waits until four have begun. */
Test(saves, compilers_run_side_by_side)
{
    struct stage *stage = set_stage();
    char script[512];
    struct brolga_reload_opts opts = {.cc = script, .jobs = 4};

    write_script(stage, script,
                 "#!/bin/sh\n"
                 "cd '%s' || exit 1\n"
                 ": >.begun$$\n"
                 "n=0\n"
                 "until [ $(ls -A | grep -c begun) -ge 4 ]; do\n"
                 "  n=$((n + 1))\n"
                 "  [ $n -lt 1500 ] || exit 1\n"
                 "  sleep 0.02\n"
                 "done\n"
                 "exec cc \"$@\"\n");
    save_number(stage, "a", 1);
    save_number(stage, "b", 2);
    save_number(stage, "c", 3);
    save_number(stage, "d", 4);
    open_session(stage, &opts);
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(ask(stage, "d", "get", 0), 4);
    strike_stage(stage);
}

/* --- newer saves -------------------------------------------------------- */

static int read_pid(const char *path)
{
    FILE *file = fopen(path, "r");
    int pid = 0;

    if (file != NULL) {
        if (fscanf(file, "%d\n", &pid) != 1)
            pid = 0;
        (void)fclose(file);
    }
    return pid;
}

static bool is_gone(int pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

/*
 * Goal: the compiler of content that is not the newest any more is ended, with
 * what it has started, and nothing of it is ever loaded.
 * Method: a script that, for some content, starts another process, says both
 * numbers, and would wait for longer than the test does.
 */
Test(saves, a_newer_save_ends_the_compiler_of_the_older)
{
    struct stage *stage = set_stage();
    char script[512], shell[512], child[512];
    struct brolga_reload_opts opts = {.cc = script, .jobs = 1};
    int pids[2];

    write_script(stage, script,
                 "#!/bin/sh\n"
                 "cd '%s' || exit 1\n"
                 "if grep -q 'n + 100[0-9]' one.c; then\n"
                 "  sleep 1000 &\n"
                 "  echo $! >.child\n"
                 "  echo $$ >.shell\n"
                 "  wait\n"
                 "fi\n"
                 "exec cc \"$@\"\n");
    path_in(stage, ".shell", shell);
    path_in(stage, ".child", child);
    save_number(stage, "one", 1);
    open_session(stage, &opts);
    begin(stage);
    for (int turn = 2; turn < 6; turn++) {
        save_number(stage, "one", 1000 + turn);
        cr_assert(wait_until((pids[0] = read_pid(shell)) != 0));
        pids[1] = read_pid(child);
        cr_assert_eq(unlink(shell), 0);
        save_number(stage, "one", turn);
        await(stage, BROLGA_RELOAD_RELOADED, "one:changed");
        cr_assert_eq(ask(stage, "one", "get", 0), turn);
        cr_assert(wait_until(is_gone(pids[0]) && is_gone(pids[1])));
    }
    cr_assert_eq(count_events(stage, BROLGA_RELOAD_RELOADED), 5);
    cr_assert_eq(count_events(stage, BROLGA_RELOAD_BUILD_FAILED), 0);
    strike_stage(stage);
}
