/*
 * Goal: state that a module declares survives reloads; with another layout it
 * is migrated, by the shortest chain there is, or the reload is refused with
 * the difference; hooks are called around reloads and may veto them; whatever
 * fails leaves no trace.
 * Method: as test_session.c. A module counts its calls in a state, whose type
 * the tests change. Many reloads, and want of memory, are of contents that are
 * compiled once, by a script.
 */
#define _GNU_SOURCE
#include "stage.h"

#include "alloc.h"
#include "wait_until.h"

#define HEAD                                                                   \
    "#include <brolga/module.h>\n"                                             \
    "#include <stdio.h>\n"                                                     \
    "BROLGA_MODULE(counter, .policy = BROLGA_RECLAIM);\n"

/* Adds to the count, and returns it and something of its own. */
#define TICK(extra)                                                            \
    "BROLGA_EXPORT(int64_t, tick, (int64_t n))\n"                              \
    "{\n"                                                                      \
    "    c->count += (int)n;\n"                                                \
    "    return c->count" extra ";\n"                                          \
    "}\n"

#define V1      "struct c { int count; };\n"
#define STATE   "BROLGA_STATE(struct c, c) = {.count = 10};\n"
#define V1_HAVE HEAD V1 STATE

#define V2                                                                     \
    "struct c_v1 { int count; };\n"                                            \
    "struct c { long count; int limit; };\n"
#define V2_STATE "BROLGA_STATE(struct c, c) = {.limit = 7};\n"
#define V1_TO_V2                                                               \
    "BROLGA_MIGRATE(c, struct c_v1, from, struct c, to)\n"                     \
    "{\n"                                                                      \
    "    to->count = from->count;\n"                                           \
    "    return BROLGA_OK;\n"                                                  \
    "}\n"
#define V2_TO_V1                                                               \
    "BROLGA_MIGRATE(c, struct c, from, struct c_v1, to)\n"                     \
    "{\n"                                                                      \
    "    to->count = (int)from->count;\n"                                      \
    "    return BROLGA_OK;\n"                                                  \
    "}\n"
#define V2_HAVE HEAD V2 V2_STATE V1_TO_V2

/* From v1 on, though v2 may never have run. */
#define V3_HAVE                                                                \
    HEAD "struct c_v1 { int count; };\n"                                       \
         "struct c_v2 { long count; int limit; };\n"                           \
         "struct c { char name[4]; long count; };\n"                           \
         "BROLGA_STATE(struct c, c) = {.name = \"abc\"};\n"                    \
         "BROLGA_MIGRATE(c, struct c_v1, from, struct c_v2, to)\n"             \
         "{\n"                                                                 \
         "    to->count = from->count + 1000;\n"                               \
         "    return BROLGA_OK;\n"                                             \
         "}\n"                                                                 \
         "BROLGA_MIGRATE(c, struct c_v2, from, struct c, to)\n"                \
         "{\n"                                                                 \
         "    to->count = from->count + 10000;\n"                              \
         "    return BROLGA_OK;\n"                                             \
         "}\n"

static struct stage *begun(const char *text,
                           const struct brolga_reload_opts *opts)
{
    struct stage *stage = set_stage();

    stage->history = 8;
    save(stage, "counter.c", text);
    open_session(stage, opts);
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    await(stage, BROLGA_RELOAD_RELOADED, NULL);
    return stage;
}

static int64_t tick(struct stage *stage, int64_t n)
{
    return ask(stage, "counter", "tick", n);
}

static struct record *reloaded(struct stage *stage, const char *text)
{
    save(stage, "counter.c", text);
    return await(stage, BROLGA_RELOAD_RELOADED, NULL);
}

static void refused(struct stage *stage, const char *text, const char *what)
{
    uint64_t before = brolga_got_version(brolga_runtime_got(stage->rt));
    struct record *record;

    save(stage, "counter.c", text);
    record = await(stage, BROLGA_RELOAD_REFUSED, NULL);
    cr_assert_not_null(strstr(record->text, what), "%s", record->text);
    cr_assert_eq(brolga_got_version(brolga_runtime_got(stage->rt)), before);
}

static inline int back(struct stage *stage, struct brolga_report *report)
{
    return brolga_reload_rollback(stage->session, 0, report);
}

Test(state, survives_a_reload)
{
    struct stage *stage = begun(V1_HAVE TICK(""), NULL);

    cr_assert_eq(tick(stage, 1), 11);
    reloaded(stage, V1_HAVE TICK(" * 2"));
    cr_assert_eq(tick(stage, 1), 24);
    strike_stage(stage);
}

Test(state, is_migrated_when_its_layout_changes)
{
    struct stage *stage = begun(V1_HAVE TICK(""), NULL);
    struct record *record;

    cr_assert_eq(tick(stage, 1), 11);
    record = reloaded(stage, V2_HAVE TICK(" + 100 * c->limit"));
    cr_assert_not_null(strstr(record->text, "state 'c' migrated"), "%s",
                       record->text);
    cr_assert_eq(tick(stage, 1), 712); /* The rest as the initialiser says. */
    strike_stage(stage);
}

Test(state, finds_its_way_over_a_version_that_never_ran)
{
    struct stage *stage = begun(V1_HAVE TICK(""), NULL);

    cr_assert_eq(tick(stage, 1), 11);
    refused(stage, HEAD V2 V2_STATE TICK(""), "another layout");
    reloaded(stage, V3_HAVE TICK(" + c->name[1]"));
    cr_assert_eq(tick(stage, 0), 11011 + 'b');
    strike_stage(stage);
}

#ifdef BROLGA_TEST_LAYOUTS /* Without libdw only names and sizes count. */
Test(state, another_layout_without_a_migration_is_refused_with_the_difference)
{
    struct stage *stage = begun(V1_HAVE TICK(""), NULL);

    refused(stage, HEAD "struct c { long count; };\n" STATE TICK(""),
            "state 'c' has another layout: 'count' was int at 0, is long int "
            "at 0");
    refused(stage, HEAD "struct c { int count, more; };\n" STATE TICK(""),
            "'more', int at 4, is new");
    refused(stage, HEAD "struct c { int count, less; };\n" STATE TICK(""),
            "BROLGA_MIGRATE(c, old_type, from, struct c, to)");
    cr_assert_eq(tick(stage, 1), 11); /* The last good one runs on. */
    reloaded(stage, V1_HAVE TICK(" + 1"));
    cr_assert_eq(tick(stage, 1), 13);
    strike_stage(stage);
}

/* What pointers lead to is memory that was made by the old code. */
Test(state, what_it_points_to_belongs_to_it)
{
#define LIST(field)                                                            \
    HEAD "struct node { struct node *next; " field " key; };\n"                \
         "struct c { struct node *first; int count; };\n"                      \
         "BROLGA_STATE(struct c, c);\n" TICK("")
    struct stage *stage = begun(LIST("int"), NULL);

    refused(stage, LIST("long"), "'first->key' was int at 8, is long int at 8");
    reloaded(stage, LIST("signed"));
    strike_stage(stage);
}

Test(state, an_enum_may_get_more_values_but_not_others)
{
#define COLORS(values)                                                         \
    HEAD "enum color {" values "};\n"                                          \
         "struct c { int count; enum color color; };\n"                        \
         "BROLGA_STATE(struct c, c);\n" TICK("")
    struct stage *stage = begun(COLORS("RED, GREEN"), NULL);

    reloaded(stage, COLORS("RED, GREEN, BLUE"));
    refused(stage, COLORS("GREEN, RED, BLUE"), "'color' was enum color");
    strike_stage(stage);
}

#endif

Test(state, a_declaration_that_is_put_back_finds_it_again)
{
    struct stage *stage = begun(V1_HAVE TICK(""), NULL);

    cr_assert_eq(tick(stage, 5), 15);
    reloaded(stage,
             HEAD "static struct { int count; } mine, *c = &mine;\n" TICK(""));
    cr_assert_eq(tick(stage, 1), 1);
    reloaded(stage, V1_HAVE TICK(""));
    cr_assert_eq(tick(stage, 1), 16);
    strike_stage(stage);
}

#ifdef BROLGA_TEST_LAYOUTS
Test(state, goes_back_with_a_reload_that_is_taken_back)
{
    struct stage *stage = begun(V1_HAVE TICK(""), NULL);
    struct brolga_report report;

    cr_assert_eq(tick(stage, 1), 11);
    reloaded(stage, V2_HAVE V2_TO_V1 TICK(" * 1"));
    cr_assert_eq(tick(stage, 1), 12);
    cr_assert_eq(back(stage, &report), BROLGA_OK, "%s", report.text);
    cr_assert_eq(tick(stage, 1), 13); /* By the way back, which v2 knows. */
    reloaded(stage, V2_HAVE TICK(" * 2"));
    cr_assert_eq(tick(stage, 1), 28);
    /* No way back: nothing is lost silently. */
    cr_assert_eq(back(stage, &report), BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_STATE);
    cr_assert_not_null(strstr(report.text, "state 'c' has another layout"));
    cr_assert_eq(tick(stage, 1), 30);
    strike_stage(stage);
}

#endif

Test(state, without_debug_information_names_and_sizes_decide)
{
    struct brolga_reload_opts opts = {.cflags = "-g0"};
    struct stage *stage = begun(V1_HAVE TICK(""), &opts);

    cr_assert_eq(tick(stage, 1), 11);
    reloaded(stage, V1_HAVE TICK(" + 1"));
    refused(stage, HEAD "struct c { long count; };\n" STATE TICK(""),
            "it was struct c, 4 bytes, and is struct c, 8 bytes");
    reloaded(stage, V2_HAVE TICK(" + 2"));
    cr_assert_eq(tick(stage, 1), 14);
    strike_stage(stage);
}

Test(state, must_not_begin_inside_a_module_that_may_go)
{
    struct stage *stage = begun(V1_HAVE TICK(""), NULL);

    refused(stage,
            HEAD "struct c { int count; };\n" STATE
                 "BROLGA_STATE(const char *, name) = \"literal\";\n" TICK(
                     "+ (int)**name"),
            "begins with a pointer into the module");
    strike_stage(stage);
}

#ifdef BROLGA_TEST_LAYOUTS
/* --- types of functions -------------------------------------------------- */

/* Two modules that share a struct, each with its own copy of it. */
#define LINE(field) "struct line { " field " length; };\n"
#define MEASURE(field)                                                         \
    "#include <brolga/module.h>\n" LINE(                                       \
        field) "BROLGA_MODULE(measure, .policy = BROLGA_RECLAIM);\n"           \
               "BROLGA_EXPORT(int64_t, length, (const struct line *line))\n"   \
               "{\n"                                                           \
               "    return line->length;\n"                                    \
               "}\n"
#define PARSER(field)                                                          \
    "#include <brolga/module.h>\n" LINE(                                       \
        field) "BROLGA_MODULE(parser, .policy = BROLGA_RECLAIM);\n"            \
               "BROLGA_IMPORT(measure, int64_t, length, (const struct line "   \
               "*l), (l));\n"                                                  \
               "BROLGA_EXPORT(int64_t, parse, (int64_t n))\n"                  \
               "{\n"                                                           \
               "    struct line line = {.length = (short)n};\n"                \
               "    return length(&line);\n"                                   \
               "}\n"

static struct stage *two_files(const char *measure, const char *parser,
                               const struct brolga_reload_opts *opts)
{
    struct stage *stage = set_stage();

    save(stage, "measure.c", measure);
    save(stage, "parser.c", parser);
    open_session(stage, opts);
    return stage;
}

Test(state, a_changed_struct_of_a_signature_is_refused_until_both_have_it)
{
    struct stage *stage = two_files(MEASURE("int"), PARSER("int"), NULL);

    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    cr_assert_eq(ask(stage, "parser", "parse", 3), 3);
    save(stage, "measure.c", MEASURE("long"));
    await(stage, BROLGA_RELOAD_REFUSED,
          "a type of 'measure.length' has changed");
    cr_assert_eq(ask(stage, "parser", "parse", 4), 4);
    save(stage, "parser.c", PARSER("long"));
    await(stage, BROLGA_RELOAD_RELOADED, "measure:changed parser:changed");
    cr_assert_eq(ask(stage, "parser", "parse", 5), 5);
    strike_stage(stage);
}

Test(state, stale_callers_are_not_allowed_another_layout)
{
    struct brolga_reload_opts opts = {.allow_stale = true};
    struct stage *stage = two_files(MEASURE("int"), PARSER("int"), &opts);

    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    save(stage, "measure.c", MEASURE("long"));
    await(stage, BROLGA_RELOAD_REFUSED,
          "'parameter 1->length' was int at 0, is long");
    strike_stage(stage);
}

Test(state, layouts_that_differ_from_the_start_are_told)
{
    struct stage *stage = two_files(MEASURE("short"), PARSER("int"), NULL);

    cr_assert_eq(load(stage), BROLGA_EREFUSED);
    cr_assert_not_null(strstr(stage->report.text,
                              "'measure.length' is imported with types of "
                              "another layout"),
                       "%s", stage->report.text);
    strike_stage(stage);
}

/* Who only passes a pointer on need not know what it leads to. */
Test(state, what_is_opaque_to_one_fits)
{
#define OPAQUE                                                                 \
    "#include <brolga/module.h>\n"                                             \
    "BROLGA_MODULE(parser, .policy = BROLGA_RECLAIM);\n"                       \
    "struct line;\n"                                                           \
    "BROLGA_IMPORT(measure, int64_t, length, (const struct line *l), (l));\n"  \
    "BROLGA_EXPORT(int64_t, parse, (int64_t n))\n"                             \
    "{\n"                                                                      \
    "    return length((void *)&n);\n"                                         \
    "}\n"
    struct stage *stage = two_files(MEASURE("int"), OPAQUE, NULL);

    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(ask(stage, "parser", "parse", 3), 3);
    strike_stage(stage);
}

#endif

/* --- migrations that fail ------------------------------------------------ */

static void fails_to_migrate(const char *body, const char *what)
{
    struct stage *stage = begun(V1_HAVE TICK(""), NULL);
    char text[2048];

    (void)snprintf(text, sizeof text,
                   HEAD V2 V2_STATE
                   "BROLGA_MIGRATE(c, struct c_v1, from, struct c, to)\n"
                   "{\n    to->count = from->count;\n    %s\n}\n" TICK(""),
                   body);
    cr_assert_eq(tick(stage, 1), 11);
    refused(stage, text, what);
    cr_assert_eq(tick(stage, 1), 12);
    reloaded(stage, V2_HAVE TICK(""));
    cr_assert_eq(tick(stage, 1), 13);
    await_released(stage, 1); /* The others can be gone back to. */
    strike_stage(stage);
}

Test(state, c7_a_migration_that_says_no_leaves_no_trace)
{
    fails_to_migrate("return -1;", "the migration of state 'c' from struct "
                                   "c_v1 to struct c failed");
}

Test(state, c7_a_migration_that_panics_leaves_no_trace)
{
    fails_to_migrate("brolga_panic(\"odd count %d\", from->count);",
                     "odd count 11");
}

static _Atomic bool spinning;

static brolga_word spin(void *arg)
{
    (void)arg;
    while (spinning)
        (void)sched_yield();
    return 0;
}

Test(state, c7_who_does_not_come_to_a_safepoint_is_named)
{
    struct brolga_reload_opts opts = {.state_deadline_ms = 50};
    struct stage *stage = begun(V1_HAVE TICK(""), &opts);
    struct brolga_spawn_opts spawn_opts = {.name = "stubborn"};
    brolga_task *task;

    cr_assert_eq(tick(stage, 1), 11);
    spinning = true;
    cr_assert_eq(brolga_spawn(stage->rt, spin, NULL, &spawn_opts, &task),
                 BROLGA_OK);
    refused(stage, V2_HAVE TICK(""), "'stubborn' has not come to a safepoint");
    reloaded(stage, V1_HAVE TICK(" + 0")); /* That needs no barrier. */
    spinning = false;
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
    reloaded(stage, V2_HAVE TICK(" + 1"));
    cr_assert_eq(tick(stage, 1), 13);
    strike_stage(stage);
}

/* --- hooks --------------------------------------------------------------- */

#define HOOKS                                                                  \
    "BROLGA_BEFORE_RELOAD(why, bytes)\n"                                       \
    "{\n"                                                                      \
    "    if (c->count > 100)\n"                                                \
    "        return snprintf(why, bytes, \"%d are open\", c->count);\n"        \
    "    c->count += 1;\n"                                                     \
    "    return BROLGA_OK;\n"                                                  \
    "}\n"                                                                      \
    "BROLGA_AFTER_RELOAD()\n"                                                  \
    "{\n"                                                                      \
    "    c->count += 10;\n"                                                    \
    "}\n"                                                                      \
    "BROLGA_RELOAD_CALLED_OFF()\n"                                             \
    "{\n"                                                                      \
    "    c->count -= 1;\n"                                                     \
    "}\n"

Test(state, hooks_are_called_around_a_reload)
{
    struct stage *stage = begun(V1_HAVE HOOKS TICK(""), NULL);

    cr_assert_eq(tick(stage, 0), 10); /* The first load is no reload. */
    reloaded(stage, V1_HAVE HOOKS TICK(" + 0"));
    cr_assert_eq(tick(stage, 0), 21);
    strike_stage(stage);
}

Test(state, a_hook_may_veto)
{
    struct stage *stage = begun(V1_HAVE HOOKS TICK(""), NULL);

    cr_assert_eq(tick(stage, 100), 110);
    refused(stage, V1_HAVE HOOKS TICK(" + 0"), "counter objects: 110 are open");
    cr_assert_eq(tick(stage, -100), 10);
    reloaded(stage, V1_HAVE HOOKS TICK(" + 00"));
    cr_assert_eq(tick(stage, 0), 21);
    strike_stage(stage);
}

Test(state, a_hook_hears_that_it_was_called_off)
{
    struct stage *stage = begun(V1_HAVE HOOKS TICK(""), NULL);

    refused(stage,
            HEAD V2 V2_STATE
            "BROLGA_MIGRATE(c, struct c_v1, from, struct c, to)\n"
            "{\n    return to->limit - from->count;\n}\n" TICK(""),
            "failed");
    cr_assert_eq(tick(stage, 0), 10);
    strike_stage(stage);
}

Test(state, an_after_hook_that_fails_is_told)
{
    struct stage *stage = begun(V1_HAVE TICK(""), NULL);
    struct record *record = reloaded(
        stage, V1_HAVE "BROLGA_AFTER_RELOAD()\n"
                       "{\n    brolga_panic(\"no file\");\n}\n" TICK(" + 0"));

    cr_assert_not_null(strstr(record->text, "but after of counter: no file"),
                       "%s", record->text);
    strike_stage(stage);
}

/* --- many of them -------------------------------------------------------- */

#ifdef BROLGA_TEST_LAYOUTS
static struct stage *begun_cached(const char *text, char script[512])
{
    struct stage *stage = set_stage();

    write_compiler(stage, script);
    save(stage, "counter.c", text);
    return stage;
}

/* Sanitizers make each of them slow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MANY 100
#else
#define MANY 1000
#endif

static int64_t env_number(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : strtoll(text, NULL, 10);
}

Test(state, survives_many_reloads_with_and_without_migrations)
{
    static const char *const texts[] = {
        V1_HAVE TICK(" * 1"), V1_HAVE TICK(" * 2"),
        V2_HAVE V2_TO_V1 TICK(" * 3"), V2_HAVE V2_TO_V1 TICK(" * 4")};
    int64_t count = env_number("BROLGA_TEST_RELOADS", MANY), sum = 10;
    char script[512];
    struct brolga_reload_opts opts = {
        .cc = script, .quiet_ms = 1, .no_watch = true};
    struct stage *stage = begun_cached(texts[0], script);

    open_session(stage, &opts);
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    for (int64_t i = 1; i <= count; i++) {
        size_t which = (size_t)(i % 2 + (i / 50 % 2) * 2);

        /* From v2 to v1 the migration is the running build's. */
        stage->count = stage->seen = 0;
        save(stage, "counter.c", texts[which]);
        brolga_reload_look(stage->session);
        await(stage, BROLGA_RELOAD_RELOADED, NULL);
        sum += i;
        cr_assert_eq(tick(stage, i), sum * (int64_t)(which + 1), "reload %d",
                     (int)i);
    }
    strike_stage(stage);
}

/* --- want of memory ------------------------------------------------------ */

/* Whether a request has failed; then what ran before runs on, or all is as if
 * none had. */
static void starve(struct stage *stage, uint64_t n)
{
    int64_t before = tick(stage, 0);

    stage->count = stage->seen = 0;
    brolga__alloc_fail_nth(n);
    save(stage, "counter.c", V2_HAVE V2_TO_V1 TICK(" * 1"));
    brolga_reload_look(stage->session);
    cr_assert(wait_until(count_events(stage, BROLGA_RELOAD_RELOADED) +
                             count_events(stage, BROLGA_RELOAD_BUILD_FAILED) +
                             count_events(stage, BROLGA_RELOAD_REFUSED) >
                         0));
    brolga__alloc_fail_nth(0);
    cr_assert_eq(tick(stage, 0), before, "request %d", (int)n);
    if (count_events(stage, BROLGA_RELOAD_RELOADED) == 0)
        await(stage, BROLGA_RELOAD_LOCKED, NULL);
    stage->count = stage->seen = 0;
    save(stage, "counter.c", V1_HAVE TICK(" * 1"));
    brolga_reload_look(stage->session);
    cr_assert(wait_until(count_events(stage, BROLGA_RELOAD_RELOADED) +
                             count_events(stage, BROLGA_RELOAD_UNLOCKED) >
                         0));
    cr_assert_eq(tick(stage, 1), before + 1, "request %d", (int)n);
}

Test(state, c7_want_of_memory_loses_nothing)
{
    char script[512];
    struct brolga_reload_opts opts = {
        .cc = script, .quiet_ms = 1, .no_watch = true};
    struct stage *stage = begun_cached(V1_HAVE TICK(" * 1"), script);

    open_session(stage, &opts);
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    for (uint64_t n = 1; n < 400; n += 1 + n / 20)
        starve(stage, n);
    strike_stage(stage);
}
#endif
