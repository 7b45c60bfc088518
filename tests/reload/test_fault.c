/*
 * Goal: C7 for sessions. What fails on the way from a save to a commit, in the
 * compiler, in the loader, in the checks or for want of memory, leaves version,
 * slots, units, images, descriptors and memory as they were.
 * Method: each way to fail, three times over, since the first time may leave
 * what is used again; and the initial load, of which the n-th request for
 * memory fails. The compiler is a script that compiles each content once.
 */
#define _GNU_SOURCE
#include "stage.h"

#include "alloc.h"
#include "wait_until.h"

#define HEAD "#include <brolga/module.h>\n"
#define GOOD                                                                   \
    HEAD "BROLGA_MODULE(one, .policy = BROLGA_RECLAIM);\n"                     \
         "BROLGA_EXPORT(int64_t, get, (int64_t n))\n"                          \
         "{\n    return n + 1;\n}\n"
#define CHANGED                                                                \
    HEAD "BROLGA_MODULE(one, .policy = BROLGA_RECLAIM);\n"                     \
         "BROLGA_EXPORT(int64_t, get, (int64_t n))\n"                          \
         "{\n    return n + 2;\n}\n"
#define USER                                                                   \
    HEAD "BROLGA_MODULE(user, .policy = BROLGA_RECLAIM);\n"                    \
         "BROLGA_IMPORT(one, int64_t, get, (int64_t value), (value));\n"       \
         "BROLGA_EXPORT(int64_t, twice, (int64_t n))\n"                        \
         "{\n    return 2 * get(n);\n}\n"

static char script[512];
static char tmp[64];

static struct stage *set_fault_stage(void)
{
    struct stage *stage = set_stage();

    (void)snprintf(tmp, sizeof tmp, "/tmp/brolga-fault-XXXXXX");
    cr_assert_not_null(mkdtemp(tmp));
    (void)setenv("TMPDIR", tmp, 1);
    write_compiler(stage, script);
    save(stage, "one.c", GOOD);
    save(stage, "user.c", USER);
    return stage;
}

static void strike_fault_stage(struct stage *stage)
{
    strike_stage(stage);
    cr_assert_eq(count_images(tmp), 0);
    cr_assert_eq(count_files(tmp), 0);
    cr_assert_eq(rmdir(tmp), 0);
    (void)unsetenv("TMPDIR");
}

/* --- saves that fail ---------------------------------------------------- */

struct state {
    struct brolga_got_stats got;
    size_t images, descriptors;
    int64_t blocks;
};

static struct state state_of(struct stage *stage)
{
    struct state state = {.images = count_images(tmp),
                          .descriptors = count_files("/proc/self/fd"),
                          .blocks = brolga__alloc_live()};

    brolga_got_stats(brolga_runtime_got(stage->rt), &state.got);
    return state;
}

/* Releases come later, and so may the end of a compiler's pipes. */
static bool is_as_before(struct stage *stage, const struct state *before)
{
    struct state now = state_of(stage);

    return now.got.version == before->got.version &&
           now.got.slots == before->got.slots &&
           now.got.units_live == before->got.units_live &&
           now.got.units_retired == before->got.units_retired &&
           now.images == before->images &&
           now.descriptors <= before->descriptors &&
           now.blocks <= before->blocks;
}

static const struct {
    const char *name, *text;
    enum brolga_reload_event_kind kind;
} failing[] = {
    {"does not compile", "int x = ;\n", BROLGA_RELOAD_BUILD_FAILED},
    {"has no module", HEAD "int x;\n", BROLGA_RELOAD_REFUSED},
    {"cannot be opened",
     HEAD "BROLGA_MODULE(one);\nint nowhere(void);\n"
          "BROLGA_EXPORT(int64_t, get, (int64_t n))\n"
          "{\n    return n + nowhere();\n}\n",
     BROLGA_RELOAD_REFUSED},
    {"has a constructor, and no module",
     HEAD "__attribute__((constructor)) static void run(void)\n"
          "{\n    static volatile int x;\n    x++;\n}\n",
     BROLGA_RELOAD_REFUSED},
    {"imports what is not there",
     GOOD "BROLGA_IMPORT(two, int64_t, f, (int64_t n), (n));\n"
          "int64_t g(void);\nint64_t g(void)\n{\n    return f(1);\n}\n",
     BROLGA_RELOAD_REFUSED},
    {"exports no more what is imported",
     HEAD "BROLGA_MODULE(one);\n"
          "BROLGA_EXPORT(int64_t, other, (int64_t n))\n"
          "{\n    return n;\n}\n",
     BROLGA_RELOAD_REFUSED},
    {"exports it with another signature",
     HEAD "BROLGA_MODULE(one);\n"
          "BROLGA_EXPORT(long, get, (long n))\n"
          "{\n    return n;\n}\n",
     BROLGA_RELOAD_REFUSED},
    {"exports it twice",
     HEAD "BROLGA_MODULE(one);\n"
          "BROLGA_EXPORT(int64_t, get, (int64_t n))\n"
          "{\n    return n;\n}\n"
          "static struct brolga_module_export again = {\n"
          "    .name = \"get\", .result = \"int64_t\","
          " .params = \"(int64_t n)\", .file = __FILE__, .line = 9};\n"
          "__attribute__((constructor)) static void push(void)\n"
          "{\n    again.code = brolga_module_lists.exports->code;\n"
          "    again.next = brolga_module_lists.exports;\n"
          "    brolga_module_lists.exports = &again;\n}\n",
     BROLGA_RELOAD_REFUSED},
    {"has the name of another",
     HEAD "BROLGA_MODULE(user);\n"
          "BROLGA_EXPORT(int64_t, get, (int64_t n))\n"
          "{\n    return n;\n}\n",
     BROLGA_RELOAD_REFUSED},
    {"exports a main that is none",
     GOOD "BROLGA_EXPORT(void, main, (void))\n{\n}\n", BROLGA_RELOAD_REFUSED},
};

static void fail_and_mend(struct stage *stage, size_t i)
{
    save(stage, "one.c", failing[i].text);
    await(stage, failing[i].kind, "one.c");
    await(stage, BROLGA_RELOAD_LOCKED, NULL);
    save(stage, "one.c", GOOD);
    await(stage, BROLGA_RELOAD_UNLOCKED, "one.c");
}

Test(fault, c7_saves_that_fail_leave_no_trace)
{
    struct stage *stage = set_fault_stage();
    struct brolga_reload_opts opts = {.cc = script};

    open_session(stage, &opts);
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    await(stage, BROLGA_RELOAD_RELOADED, NULL);
    for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
        struct state before;

        fail_and_mend(stage, i);
        before = state_of(stage);
        for (int again = 0; again < 2; again++) {
            fail_and_mend(stage, i);
            cr_assert(wait_until(is_as_before(stage, &before)), "%s",
                      failing[i].name);
        }
        cr_assert_eq(ask(stage, "user", "twice", 20), 42);
    }
    strike_fault_stage(stage);
}

/* --- want of memory ----------------------------------------------------- */

/* What runs is whole: both modules, one, or none. */
static void check_what_runs(struct stage *stage, int err)
{
    brolga_slot slot;
    bool one =
        brolga_reload_find(stage->session, "one", "get", &slot) == BROLGA_OK;
    bool user =
        brolga_reload_find(stage->session, "user", "twice", &slot) == BROLGA_OK;

    if (err == BROLGA_OK)
        cr_assert(one && user);
    else
        cr_assert_neq(stage->report.text[0], '\0');
    cr_assert(one || !user); /* It imports from it. */
    if (user)
        cr_assert_eq(ask(stage, "user", "twice", 20), 42);
}

static void load_starved(struct stage *stage, uint64_t n)
{
    struct brolga_reload_opts opts = {.cc = script};
    size_t descriptors = count_files("/proc/self/fd");
    int64_t blocks = brolga__alloc_live();
    int err;

    open_session(stage, &opts);
    brolga__alloc_fail_nth(n);
    err = load(stage);
    brolga__alloc_fail_nth(0);
    check_what_runs(stage, err);
    brolga_reload_destroy(stage->session);
    cr_assert_eq(brolga_destroy(stage->rt), BROLGA_OK);
    stage->session = NULL;
    stage->rt = NULL;
    stage->count = stage->seen = 0;
    if (n == 0) /* The first; some descriptors are opened once. */
        return;
    cr_assert_eq(brolga__alloc_live(), blocks, "request %d", (int)n);
    cr_assert_eq(count_images(tmp), 0, "request %d", (int)n);
    cr_assert_eq(count_files(tmp), 0, "request %d", (int)n);
    cr_assert_eq(count_files("/proc/self/fd"), descriptors, "request %d",
                 (int)n);
}

Test(fault, c7_want_of_memory_in_a_load_leaves_no_trace)
{
    struct stage *stage = set_fault_stage();

    load_starved(stage, 0);
    for (uint64_t n = 1; n < 160; n += 1 + n / 40)
        load_starved(stage, n);
    strike_fault_stage(stage);
}

/* How many events there have been by which a save comes to its end. */
static size_t count_ends(struct stage *stage)
{
    return count_events(stage, BROLGA_RELOAD_RELOADED) +
           count_events(stage, BROLGA_RELOAD_LOCKED) +
           count_events(stage, BROLGA_RELOAD_REFUSED);
}

static void forget_events(struct stage *stage)
{
    (void)pthread_mutex_lock(&stage->lock);
    stage->count = stage->seen = 0;
    (void)pthread_mutex_unlock(&stage->lock);
}

/* A save during which the n-th request fails, and one during which none does:
 * the first may be refused with a reason, the second runs. Returns whether the
 * first ran too. */
static bool save_starved(struct stage *stage, uint64_t n)
{
    bool reloaded;

    forget_events(stage);
    brolga__alloc_fail_nth(n);
    save(stage, "one.c", CHANGED);
    cr_assert(wait_until(count_ends(stage) > 0), "request %d: lost", (int)n);
    brolga__alloc_fail_nth(0);
    reloaded = count_events(stage, BROLGA_RELOAD_RELOADED) > 0;
    cr_assert_eq(ask(stage, "user", "twice", 20), reloaded ? 44 : 42,
                 "request %d", (int)n);
    save(stage, "one.c", GOOD);
    /* The last event of this save, lest the next one takes it for its own. */
    if (reloaded)
        cr_assert(wait_until(count_events(stage, BROLGA_RELOAD_RELOADED) > 1));
    else /* The same save is as good as any now. */
        cr_assert(wait_until(count_events(stage, BROLGA_RELOAD_UNLOCKED) > 0),
                  "request %d", (int)n);
    cr_assert(wait_until(ask(stage, "user", "twice", 20) == 42));
    return reloaded;
}

Test(fault, c7_want_of_memory_in_a_reload_leaves_no_trace)
{
    struct stage *stage = set_fault_stage();
    struct brolga_reload_opts opts = {.cc = script};
    struct state before;
    size_t failed = 0;

    open_session(stage, &opts);
    cr_assert_eq(load(stage), BROLGA_OK);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
    cr_assert(save_starved(stage, 0));
    cr_assert(save_starved(stage, 0));
    before = state_of(stage);
    for (uint64_t n = 1; n < 160; n += 1 + n / 24) {
        failed += !save_starved(stage, n);
        cr_assert(wait_until(state_of(stage).blocks <= before.blocks &&
                             state_of(stage).images <= before.images &&
                             state_of(stage).descriptors <= before.descriptors),
                  "request %d: %lld blocks, not %lld", (int)n,
                  (long long)state_of(stage).blocks, (long long)before.blocks);
    }
    cr_log_info("%zu reloads failed\n", failed);
    cr_assert_gt(failed, 0);
    strike_fault_stage(stage);
}
