/*
 * Goal: a built file is loaded under a name of its own, its tables are read,
 * and closing it takes it out of the memory, or says that it did not.
 * Method: small modules through the real compiler, by the builder on a loop
 * that the test itself runs; the list of images tells what is loaded.
 */
#define _GNU_SOURCE
#include "stage.h"

#include "alloc.h"
#include "plat.h"
#include "reload/reload.h"

#include <brolga/chan.h>

#define HEAD "#include <brolga/module.h>\n"

struct bench {
    struct stage stage; /* For its directory. */
    struct brolga__loop *loop;
    struct brolga__builder *builder;
    struct brolga__outlet *outlet;
    struct brolga__text why;
    int line;
    int pending;
    bool ok;
    char built[512];
    char problem[256];
    char output[1024];
    char deps[512];
    int wakes;
};

static void nothing(void *arg)
{
    (void)arg;
}

static void count_wake(void *arg)
{
    struct bench *bench = arg;

    bench->wakes++;
}

static struct bench *set_up(const char *cc, const char *cflags)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct brolga__build_opts opts = {.cc = cc,
                                      .cflags = cflags,
                                      .include_dir = BROLGA_TEST_INCLUDE,
                                      .jobs = 1};

    cr_assert_not_null(bench);
    (void)snprintf(bench->stage.dir, sizeof bench->stage.dir,
                   "/tmp/brolga-test-XXXXXX");
    cr_assert_not_null(mkdtemp(bench->stage.dir));
    cr_assert_eq(brolga__loop_create(nothing, nothing, bench, &bench->loop),
                 BROLGA_OK);
    cr_assert_eq(brolga__builder_create(brolga__loop_uv(bench->loop), &opts,
                                        &bench->builder),
                 BROLGA_OK);
    cr_assert_eq(brolga__outlet_create(count_wake, bench, &bench->outlet),
                 BROLGA_OK);
    return bench;
}

static void tear_down(struct bench *bench)
{
    brolga__builder_destroy(bench->builder);
    brolga__outlet_close(bench->outlet);
    brolga__loop_destroy(bench->loop);
    remove_dir(bench->stage.dir);
    free(bench);
}

static void built(void *arg, const struct brolga__build_result *result)
{
    struct bench *bench = arg;

    bench->pending--;
    bench->ok = result->ok;
    copy_text(bench->built, sizeof bench->built, result->built);
    copy_text(bench->problem, sizeof bench->problem, result->problem);
    copy_text(bench->output, sizeof bench->output, result->output);
    bench->deps[0] = '\0';
    for (size_t i = 0; i < result->deps_count; i++)
        (void)snprintf(bench->deps + strlen(bench->deps),
                       sizeof bench->deps - strlen(bench->deps), "%s|",
                       brolga__text_base(result->deps[i]));
}

static struct brolga__build *start(struct bench *bench, const char *name)
{
    struct brolga__build *build = NULL;
    char path[512];

    path_in(&bench->stage, name, path);
    bench->pending++;
    cr_assert_eq(brolga__build_start(bench->builder, path, BROLGA__TIER_FULL,
                                     false, built, bench, &build),
                 BROLGA_OK);
    return build;
}

static bool build(struct bench *bench, const char *name, const char *text)
{
    save(&bench->stage, name, text);
    (void)start(bench, name);
    while (bench->pending > 0)
        brolga__loop_step(bench->loop);
    return bench->ok;
}

static struct brolga__image *load_image(struct bench *bench, const char *text,
                                        int err)
{
    struct brolga__image *image = NULL;

    cr_assert(build(bench, "m.c", text), "%s", bench->output);
    cr_assert_eq(brolga__image_load(bench->built, "m.c", false, bench->outlet,
                                    &image, &bench->why, &bench->line),
                 err, "%s", bench->why.at);
    cr_assert_neq(access(bench->built, F_OK), 0);
    return image;
}

static const char module[] =
    HEAD "BROLGA_MODULE(m, .policy = BROLGA_RECLAIM);\n"
         "BROLGA_IMPORT(other, void, reset, (void), ());\n"
         "BROLGA_IMPORT(other, int64_t, of, (const char *s, bool b), (s, b));\n"
         "BROLGA_EXPORT(int64_t, first, (int64_t n))\n{\n    return n;\n}\n"
         "BROLGA_EXPORT(void, second, (int (*f)(int x)))\n{\n    (void)f;\n}\n"
         "BROLGA_MAIN(argc, argv)\n{\n    reset();\n    return argc;\n}\n";

Test(load, tables_are_read_in_the_order_of_the_source)
{
    struct bench *bench = set_up(NULL, "-Wall -Wextra -Werror");
    struct brolga__image *image = load_image(bench, module, BROLGA_OK);

    cr_assert_str_eq(image->module, "m");
    cr_assert_eq(image->line, 2);
    cr_assert_eq(image->policy, BROLGA_RECLAIM);
    cr_assert_eq(image->exports_count, 3);
    cr_assert_str_eq(image->exports[0].name, "first");
    cr_assert_str_eq(image->exports[0].signature, "int64_t (int64_t)");
    cr_assert_eq(image->exports[0].line, 5);
    cr_assert_str_eq(image->exports[1].signature, "void (int (*)(int))");
    cr_assert_str_eq(image->exports[2].name, "main");
    cr_assert_str_eq(image->exports[2].signature, "int (int, char **)");
    cr_assert_eq(image->imports_count, 2);
    cr_assert_str_eq(image->imports[0].name, "reset");
    cr_assert_str_eq(image->imports[0].signature, "void (void)");
    cr_assert_str_eq(image->imports[1].module, "other");
    cr_assert_str_eq(image->imports[1].signature,
                     "int64_t (const char *, bool)");
    cr_assert_eq(*image->imports[0].record, 0);
    cr_assert_geq((uintptr_t)image->exports[0].code, image->low);
    cr_assert_lt((uintptr_t)image->exports[0].code, image->high);
    /* Data counts as well: a stack may hold the address of a literal. */
    cr_assert_geq((uintptr_t)image->exports[0].record, image->low);
    cr_assert_lt((uintptr_t)image->exports[0].record, image->high);
    brolga__image_close(image);
    tear_down(bench);
}

Test(load, closing_unloads)
{
    struct bench *bench = set_up(NULL, NULL);
    int64_t live;
    uintptr_t low, high;
    char path[512];

    for (int i = 0; i < 3; i++) {
        struct brolga__image *image = load_image(bench, module, BROLGA_OK);

        live = brolga__alloc_live();
        copy_text(path, sizeof path, image->path);
        cr_assert(brolga__plat_image(path, &low, &high));
        cr_assert_eq(low, image->low);
        brolga__image_close(image);
        cr_assert(!brolga__plat_image(path, &low, &high));
        cr_assert_lt(brolga__alloc_live(), live);
    }
    cr_assert_eq(bench->wakes, 0);
    tear_down(bench);
}

static void count_site(void *arg, const struct brolga_site *site)
{
    (void)site;
    ++*(int *)arg;
}

/* Goal: the list of sites does not point into files that are gone. */
Test(load, sites_are_forgotten_before_they_are_unmapped)
{
    struct brolga_chan_opts opts = {.capacity = 1};
    struct bench *bench = set_up(NULL, NULL);
    struct brolga__image *image = load_image(
        bench,
        HEAD "#include <brolga/chan.h>\n"
             "BROLGA_MODULE(m);\n"
             "static struct brolga_site site = {.name = \"m\"};\n"
             "BROLGA_EXPORT(int64_t, use, (int64_t chan))\n{\n"
             "    return brolga_try_send_site((brolga_chan *)chan, &site,\n"
             "                                &chan);\n}\n",
        BROLGA_OK);
    union {
        const void *code;
        int64_t (*call)(int64_t chan);
    } use = {image->exports[0].code};
    brolga_chan *chan;
    int listed = 0;

    cr_assert_eq(brolga_chan_create(NULL, &opts, &chan), BROLGA_OK);
    cr_assert_eq(use.call((int64_t)(intptr_t)chan), BROLGA_OK);
    brolga_chan_release(chan);
    cr_assert_eq(brolga_sites_each(count_site, &listed), 1);
    cr_assert_eq(listed, 1);
    brolga__image_close(image);
    cr_assert_eq(brolga_sites_each(count_site, &listed), 0);
    tear_down(bench);
}

/* Goal: reports can name functions, also those that no other file sees. */
Test(load, functions_are_named_with_their_place)
{
    struct bench *bench = set_up(NULL, NULL);
    struct brolga__image *image = load_image(
        bench,
        HEAD "BROLGA_MODULE(m);\n"
             "__attribute__((noinline)) static int64_t helper(int64_t n)\n"
             "{\n    __asm__ volatile(\"\");\n    return n * 3;\n}\n"
             "BROLGA_EXPORT(int64_t, first, (int64_t n))\n"
             "{\n    return helper(n) + 1;\n}\n",
        BROLGA_OK);
    const char *code = image->exports[0].code;
    bool helper = false;
    char text[64];

    brolga__image_describe(image, code + 1, text, sizeof text);
    cr_assert_str_eq(text, "first (m.c:8)");
    for (size_t i = 0; i < image->functions_count; i++) {
        brolga__image_describe(image, (const void *)image->functions[i].low,
                               text, sizeof text);
#ifdef BROLGA_TEST_LAYOUTS
        helper |= strcmp(text, "helper (m.c:3)") == 0;
#else
        helper |= strcmp(text, "helper (m.c)") == 0;
#endif
    }
    cr_assert(helper);
    brolga__image_describe(image, image, text, sizeof text);
    cr_assert_str_eq(text, "");
    brolga__image_describe(image, code, text, 4);
    cr_assert_str_eq(text, "fir");
    brolga__image_close(image);
    tear_down(bench);
}

/* Goal: a system that keeps an image is found out. */
Test(load, an_image_that_stays_is_reported)
{
    struct bench *bench = set_up(NULL, "-Wl,-z,nodelete");
    struct brolga__image *image = load_image(bench, module, BROLGA_OK);
    struct brolga__image *stuck;

    brolga__image_close(image);
    cr_assert_eq(bench->wakes, 1);
    stuck = brolga__outlet_take(bench->outlet);
    cr_assert(stuck == image);
    cr_assert_str_eq(stuck->module, "m");
    brolga__image_unref(stuck);
    cr_assert_null(brolga__outlet_take(bench->outlet));
    tear_down(bench);
}

/* Goal: images may be closed after their session has ended. */
Test(load, an_image_may_outlive_its_outlet)
{
    struct bench *bench = set_up(NULL, "-Wl,-z,nodelete");
    struct brolga__image *image = load_image(bench, module, BROLGA_OK);

    tear_down(bench);
    brolga__image_close(image);
}

/* --- what the C library calls at the end -------------------------------- */

static int64_t call_first(const struct brolga__image *image, int64_t argument)
{
    union {
        const void *code;
        int64_t (*call)(int64_t argument);
    } first = {image->exports[0].code};

    return first.call(argument);
}

/* Goal: handlers of a module run while its code is there. */
Test(load, handlers_of_the_exit_run_when_it_is_unloaded)
{
    struct bench *bench = set_up(NULL, NULL);
    struct brolga__image *image =
        load_image(bench,
                   HEAD "#include <stdlib.h>\n"
                        "BROLGA_MODULE(m, .policy = BROLGA_RECLAIM);\n"
                        "static int64_t *told;\n"
                        "static void tell(void)\n{\n    ++*told;\n}\n"
                        "BROLGA_EXPORT(int64_t, use, (int64_t place))\n{\n"
                        "    told = (int64_t *)place;\n"
                        "    return atexit(tell);\n}\n",
                   BROLGA_OK);
    int64_t told = 0;

    cr_assert_eq(call_first(image, (int64_t)(intptr_t)&told), 0);
    cr_assert_eq(told, 0);
    brolga__image_close(image);
    cr_assert_eq(told, 1);
    cr_assert_eq(bench->wakes, 0); /* It is gone. */
    tear_down(bench);
}

struct visitor {
    struct brolga__image *image;
    _Atomic uint32_t there, leave;
    int64_t result, destroyed;
};

static void *visit(void *arg)
{
    struct visitor *visitor = arg;

    visitor->result =
        call_first(visitor->image, (int64_t)(intptr_t)&visitor->destroyed);
    brolga__store_release(&visitor->there, 1);
    brolga__plat_wake(&visitor->there, 1);
    while (brolga__load_acquire(&visitor->leave) == 0)
        (void)brolga__plat_wait(&visitor->leave, 0, BROLGA_FOREVER);
    return NULL;
}

/* Goal: a thread that will call into a module when it ends finds it. Where the
 * C library does not look after that there is nothing to see. */
Test(load, destructors_of_a_thread_keep_the_image)
{
    struct bench *bench = set_up(NULL, NULL);
    struct visitor visitor = {.destroyed = 0};
    struct brolga__image *stuck;
    pthread_t thread;

    if (dlsym(RTLD_DEFAULT, "__cxa_thread_atexit_impl") == NULL) {
        tear_down(bench);
        return;
    }
    visitor.image = load_image(
        bench,
        HEAD "extern int __cxa_thread_atexit_impl(void (*)(void *), void *,\n"
             "                                    void *);\n"
             "extern void *__dso_handle;\n"
             "BROLGA_MODULE(m, .policy = BROLGA_RECLAIM);\n"
             "static void end(void *place)\n{\n    ++*(int64_t *)place;\n}\n"
             "BROLGA_EXPORT(int64_t, use, (int64_t place))\n{\n"
             "    return __cxa_thread_atexit_impl(end, (void *)place,\n"
             "                                    &__dso_handle);\n}\n",
        BROLGA_OK);
    cr_assert_eq(pthread_create(&thread, NULL, visit, &visitor), 0);
    while (brolga__load_acquire(&visitor.there) == 0)
        (void)brolga__plat_wait(&visitor.there, 0, BROLGA_FOREVER);
    cr_assert_eq(visitor.result, 0);
    brolga__image_close(visitor.image);
    cr_assert_eq(bench->wakes, 1);
    stuck = brolga__outlet_take(bench->outlet);
    cr_assert(stuck == visitor.image);
    cr_assert_eq(visitor.destroyed, 0);
    brolga__store_release(&visitor.leave, 1);
    brolga__plat_wake(&visitor.leave, 1);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(visitor.destroyed, 1);
    brolga__image_unref(stuck);
    tear_down(bench);
}

Test(load, two_builds_of_one_file_are_two_images)
{
    struct bench *bench = set_up(NULL, NULL);
    struct brolga__image *a = load_image(bench, module, BROLGA_OK);
    struct brolga__image *b = load_image(bench, module, BROLGA_OK);

    cr_assert_neq(a->low, b->low);
    cr_assert(strcmp(a->path, b->path) != 0);
    brolga__image_close(a);
    brolga__image_close(b);
    tear_down(bench);
}

Test(load, a_file_without_a_module_is_refused_and_unloaded)
{
    struct bench *bench = set_up(NULL, NULL);

    cr_assert_null(load_image(bench, "int x;\n", BROLGA_EREFUSED));
    cr_assert_eq(bench->line, 1);
    cr_assert(strstr(bench->why.at, "BROLGA_MODULE(m);") != NULL);
    cr_assert_eq(count_images(bench->built), 0);
    tear_down(bench);
}

Test(load, headers_of_another_brolga_are_refused)
{
    struct bench *bench = set_up(NULL, NULL);

    cr_assert_null(load_image(bench,
                              HEAD "#undef BROLGA_MODULE_ABI\n"
                                   "#define BROLGA_MODULE_ABI 99\n"
                                   "BROLGA_MODULE(m);\n",
                              BROLGA_EREFUSED));
    cr_assert(strstr(bench->why.at, "module ABI 99") != NULL);
    cr_assert_eq(count_images(bench->built), 0);
    tear_down(bench);
}

Test(load, no_memory_is_survived_at_every_request)
{
    struct bench *bench = set_up(NULL, NULL);
    int failures = 0;

    /* Loading makes some forty requests; the first load that none fails in
     * ends this. */
    for (uint64_t n = 1; n < 200; n++) {
        struct brolga__image *image = NULL;
        int64_t live;
        int err;

        cr_assert(build(bench, "m.c", module));
        live = brolga__alloc_live();
        brolga__alloc_fail_nth(n);
        err = brolga__image_load(bench->built, "m.c", false, bench->outlet,
                                 &image, &bench->why, &bench->line);
        brolga__alloc_fail_nth(0);
        if (err == BROLGA_OK) {
            brolga__image_close(image);
            break;
        }
        failures++;
        cr_assert_eq(err, BROLGA_ENOMEM);
        cr_assert_null(image);
        cr_assert_eq(brolga__alloc_live(), live);
        cr_assert_eq(count_images(bench->built), 0);
    }
    cr_assert_gt(failures, 20);
    tear_down(bench);
}

/* --- the builder -------------------------------------------------------- */

Test(load, builds_tell_output_and_headers)
{
    struct bench *bench = set_up(NULL, NULL);

    save(&bench->stage, "x.h", "#define X 1\n");
    save(&bench->stage, "y z.h", "#define Y 1\n");
    cr_assert(build(bench, "m.c",
                    HEAD "#include <stdio.h>\n#include \"x.h\"\n"
                         "#include \"y z.h\"\n#warning mind this\n"));
    cr_assert(strstr(bench->output, "m.c:5:2: warning:") != NULL, "%s",
              bench->output);
    cr_assert_str_eq(bench->deps, "x.h|y z.h|");
    (void)unlink(bench->built);
    cr_assert(!build(bench, "m.c", "int x = ;\n"));
    cr_assert(strstr(bench->output, "m.c:1:9: error:") != NULL);
    cr_assert_neq(access(bench->built, F_OK), 0);
    tear_down(bench);
}

Test(load, a_compiler_that_is_not_there_is_named)
{
    struct bench *bench = set_up("no-such-compiler -x", NULL);

    cr_assert(!build(bench, "m.c", "int x;\n"));
    cr_assert(strstr(bench->problem, "'no-such-compiler'") != NULL);
    tear_down(bench);
}

Test(load, a_canceled_build_tells_nothing)
{
    struct bench *bench = set_up(NULL, NULL);
    struct brolga__build *running, *queued;

    save(&bench->stage, "m.c", module);
    running = start(bench, "m.c");
    queued = start(bench, "m.c"); /* There is one place. */
    brolga__build_cancel(queued);
    brolga__build_cancel(running);
    bench->pending = 0;
    cr_assert(build(bench, "m.c", module));
    cr_assert_eq(bench->pending, 0);
    (void)unlink(bench->built);
    tear_down(bench);
}

/* Goal: ending the builder ends a compiler that would never end. */
Test(load, a_compiler_that_hangs_does_not_hold_the_end_up)
{
    char cc[] = "/tmp/brolga-test-XXXXXX";
    int fd = mkstemp(cc);
    static const char script[] = "#!/bin/sh\nsleep 100000\n";
    struct bench *bench = set_up(cc, NULL);

    cr_assert_eq(write(fd, script, sizeof script - 1), sizeof script - 1);
    cr_assert_eq(fchmod(fd, 0755), 0);
    (void)close(fd);
    save(&bench->stage, "m.c", module);
    (void)start(bench, "m.c");
    tear_down(bench);
    cr_assert_eq(unlink(cc), 0);
}

/* --- texts -------------------------------------------------------------- */

static uint32_t line_of(const char *output)
{
    return brolga__text_error_line(output, strlen(output), "a/b.c");
}

Test(load, the_line_of_an_error_is_found)
{
    cr_assert_eq(line_of("a/b.c:12:3: error: x\n"), 12);
    cr_assert_eq(line_of("a/b.c:3:1: warning: y\na/b.c:12:3: error: x"), 12);
    cr_assert_eq(line_of("a/b.c:3:1: warning: y\n"), 3);
    cr_assert_eq(line_of("a/b.c: In function 'f':\na/b.c:7:1: error: z\n"), 7);
    cr_assert_eq(line_of("other.h:3:1: error: y\n"), 0);
    cr_assert_eq(line_of("a/b.c:"), 0);
    cr_assert_eq(line_of("a/b.c:99999999999999:1: error: y"), 0);
    cr_assert_eq(line_of(""), 0);
}

Test(load, the_distance_of_names_counts_edits)
{
    cr_assert_eq(brolga__text_distance("", ""), 0);
    cr_assert_eq(brolga__text_distance("score", "score"), 0);
    cr_assert_eq(brolga__text_distance("score", "scor"), 1);
    cr_assert_eq(brolga__text_distance("", "abc"), 3);
    cr_assert_eq(brolga__text_distance("kitten", "sitting"), 3);
}

Test(load, a_full_text_is_cut_off)
{
    struct brolga__text text = {0};

    for (int i = 0; i < 1000; i++)
        brolga__text_add(&text, "%s", "0123456789");
    cr_assert_eq(text.used, sizeof text.at - 1);
    cr_assert_eq(strlen(text.at), sizeof text.at - 1);
}
