/*
 * Goal: what a file includes counts as its own text, as the compiler sees it:
 * headers that change, come, go, are found elsewhere, or lie behind a link.
 * Method: one module that returns a number of a header, the real compiler, and
 * the number that runs after each change.
 */
#define _GNU_SOURCE
#include "stage.h"

#include "reload/session.h"

#include "wait_until.h"

#define HEAD "#include <brolga/module.h>\n"
#define USER                                                                   \
    HEAD "#include \"conf.h\"\n"                                               \
         "#include <stdlib.h>\n"                                               \
         "BROLGA_MODULE(user);\n"                                              \
         "BROLGA_EXPORT(int64_t, get, (int64_t n))\n"                          \
         "{\n    return n + NUMBER;\n}\n"

static char beside[160]; /* A directory for headers, no part of the session. */
static char cflags[2048];

static struct stage *user_of_headers(void)
{
    struct stage *stage = set_stage();
    struct brolga_reload_opts opts = {.cflags = cflags};
    const char *usual = test_cflags();

    (void)snprintf(beside, sizeof beside, "%s/inc", stage->dir);
    cr_assert_eq(mkdir(beside, 0755), 0);
    (void)snprintf(cflags, sizeof cflags, "-I%s %s", beside,
                   usual == NULL ? "" : usual);
    save(stage, "user.c", USER);
    save(stage, "inc/conf.h", "#include \"deep.h\"\n");
    save(stage, "inc/deep.h", "#define NUMBER 1\n");
    open_session(stage, &opts);
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    await(stage, BROLGA_RELOAD_RELOADED, "user:new");
    cr_assert_eq(ask(stage, "user", "get", 0), 1);
    return stage;
}

static void strike(struct stage *stage)
{
    char path[512];

    path_in(stage, "elsewhere", path);
    remove_dir(path);
    (void)unlink(beside); /* If it is a link. */
    remove_dir(beside);
    strike_stage(stage);
}

static void expect(struct stage *stage, int64_t number)
{
    await(stage, BROLGA_RELOAD_RELOADED, "user:rebuilt");
    cr_assert_eq(ask(stage, "user", "get", 0), number);
}

Test(headers, only_the_files_own_headers_are_watched)
{
    struct stage *stage = user_of_headers();
    const struct source *source = stage->session->sources[0];

    cr_assert_eq(source->deps_count, 2);
    for (size_t i = 0; i < source->deps_count; i++)
        cr_assert(strncmp(source->deps[i]->path, beside, strlen(beside)) == 0,
                  "%s", source->deps[i]->path);
    strike(stage);
}

Test(headers, a_header_of_a_header_counts)
{
    struct stage *stage = user_of_headers();

    save(stage, "inc/deep.h", "#define NUMBER 2\n");
    expect(stage, 2);
    /* What is read changes: deep.h no more, another one instead. */
    save(stage, "inc/other.h", "#define NUMBER 3\n");
    save(stage, "inc/conf.h", "#include \"other.h\"\n");
    expect(stage, 3);
    save(stage, "inc/deep.h", "#define NUMBER 4\n");
    save(stage, "inc/other.h", "#define NUMBER 5\n");
    expect(stage, 5);
    cr_assert_eq(count_events(stage, BROLGA_RELOAD_RELOADED), 4);
    strike(stage);
}

Test(headers, without_a_header_its_users_are_locked_until_it_is_back)
{
    struct stage *stage = user_of_headers();

    drop(stage, "inc/deep.h");
    await(stage, BROLGA_RELOAD_BUILD_FAILED, "deep.h");
    await(stage, BROLGA_RELOAD_LOCKED, "user is locked until it builds");
    cr_assert_eq(ask(stage, "user", "get", 0), 1);
    save(stage, "inc/deep.h", "#define NUMBER 1\n"); /* As it runs. */
    await(stage, BROLGA_RELOAD_UNLOCKED, "user.c");
    drop(stage, "inc/deep.h");
    await(stage, BROLGA_RELOAD_LOCKED, "user is locked until it builds");
    save(stage, "inc/deep.h", "#define NUMBER 7\n");
    expect(stage, 7);
    strike(stage);
}

/* A quoted name is looked for beside the file first. */
Test(headers, a_header_that_is_found_before_another_one_takes_its_place)
{
    struct stage *stage = user_of_headers();

    save(stage, "conf.h", "#define NUMBER 20\n");
    expect(stage, 20);
    drop(stage, "conf.h");
    expect(stage, 1);
    save(stage, "conf.h", "#define NUMBER 20\n");
    expect(stage, 20);
    strike(stage);
}

Test(headers, a_header_behind_a_link_is_watched)
{
    struct stage *stage = user_of_headers();
    char elsewhere[512], path[600];

    path_in(stage, "elsewhere", elsewhere);
    cr_assert_eq(rename(beside, elsewhere), 0);
    cr_assert_eq(symlink("elsewhere", beside), 0);
    save(stage, "elsewhere/deep.h", "#define NUMBER 8\n");
    expect(stage, 8);
    save(stage, "elsewhere/deep.h", "#define NUMBER 9\n");
    expect(stage, 9);
    /* A header that is itself a link. */
    (void)snprintf(path, sizeof path, "%s/deep.h", elsewhere);
    cr_assert_eq(unlink(path), 0);
    save(stage, "deep.txt", "#define NUMBER 10\n");
    cr_assert_eq(symlink("../deep.txt", path), 0);
    expect(stage, 10);
    overwrite(stage, "deep.txt", "#define NUMBER 11\n");
    expect(stage, 11);
    strike(stage);
}
