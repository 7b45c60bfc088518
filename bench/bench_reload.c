/*
 * Reloading: what a commit costs, how soon a saved file runs, and whether ten
 * thousand reloads leave anything behind.
 *
 *   commit_10k       brolga_txn_commit() with 10,000 slots in the table. The
 *                    next one waits until the version before has gone, so
 *                    that all of them find the same state.
 *   save_to_running  from rename() over a source file until a task has called
 *                    the new code. The compiler's share is a subject of its
 *                    own: no reload can be faster.
 *   reload_growth    resident memory after 10,000 reloads of two modules that
 *                    eight tasks call all the time, less that after the first
 *                    500; taken when all old code is gone. Beside it the most
 *                    versions and the most retired units that were ever alive,
 *                    and the time of one reload, waits at a cap included.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "bench.h"

#include <brolga/module.h>
#include <brolga/reload.h>

#include "atomic.h"
#include "reload/reload.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* No benchmark waits longer for anything. */
#define PATIENCE_S 60

#define TEXT_BYTES 64

BROLGA_IMPORT(left, int64_t, twice, (int64_t x), (x));
BROLGA_IMPORT(right, int64_t, add, (int64_t x), (x));
BROLGA_IMPORT(scorer, int64_t, score, (int64_t floor), (floor));

static BENCH_FUNCTION int64_t add_one(int64_t x)
{
    bench_hide(x);
    return x + 1;
}

static const void *code_of_add_one(void)
{
    return (const void *)(uintptr_t)add_one;
}

static void release_nothing(void *arg)
{
    (void)arg;
}

/* The reclaimer's news: something old is gone. Whoever waits for that looks at
 * the figures under the lock, so that no news comes unnoticed in between. */
static pthread_mutex_t news_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;

static void on_news(void *arg, const struct brolga_event *event)
{
    (void)arg;
    (void)event;
    (void)pthread_mutex_lock(&news_lock);
    (void)pthread_cond_broadcast(&news);
    (void)pthread_mutex_unlock(&news_lock);
}

static brolga *create(unsigned workers)
{
    brolga *rt;

    bench_must(brolga_create(
        &(struct brolga_opts){.workers = workers, .on_event = on_news}, &rt));
    return rt;
}

static struct brolga_got_stats stats_of(brolga *rt)
{
    struct brolga_got_stats stats;

    brolga_got_stats(brolga_runtime_got(rt), &stats);
    return stats;
}

static struct timespec patience_end(void)
{
    struct timespec end;

    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    return end;
}

/* Waits until at most `versions` versions and `retired` old units are alive. */
static void wait_until_left(brolga *rt, unsigned versions, unsigned retired)
{
    struct timespec end = patience_end();
    int err = 0;

    (void)pthread_mutex_lock(&news_lock);
    while (err == 0 && (stats_of(rt).versions_live > versions ||
                        stats_of(rt).units_retired > retired))
        err = pthread_cond_timedwait(&news, &news_lock, &end);
    (void)pthread_mutex_unlock(&news_lock);
    bench_check(err == 0, "old code to go in time");
}

/* --- commits ------------------------------------------------------------ */

#define SLOTS        10000
#define COMMIT_TURNS 51

struct commits {
    brolga *rt;
    unsigned defined; /* By one commit. */
    bool to_publish;  /* Until it is visible, not until the call returns. */
    const void **table, **copy;
};

static void define_slots(brolga_txn *txn, brolga_unit *unit, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char symbol[16];

        (void)snprintf(symbol, sizeof symbol, "s%u", i);
        bench_must(brolga_txn_define(txn, unit, "bench", symbol, "",
                                     code_of_add_one(), NULL));
    }
}

static double sample_commit(void *arg)
{
    struct commits *commits = arg;
    struct brolga_report report = {0};
    brolga_txn *txn;
    brolga_unit *unit;
    uint64_t begin;
    double ns;

    wait_until_left(commits->rt, 1, UINT32_MAX);
    bench_must(brolga_txn_begin(brolga_runtime_got(commits->rt), &txn));
    bench_must(
        brolga_txn_unit(txn,
                        &(struct brolga_unit_opts){.name = "slots",
                                                   .text = code_of_add_one(),
                                                   .text_bytes = TEXT_BYTES,
                                                   .policy = BROLGA_RECLAIM,
                                                   .release = release_nothing},
                        &unit));
    define_slots(txn, unit, commits->defined);
    begin = brolga_now_ns();
    bench_must(brolga_txn_commit(txn, &report));
    ns = bench_since(begin);
    return (commits->to_publish ? (double)report.commit_ns : ns) / 1000;
}

static double sample_table(void *arg)
{
    struct commits *commits = arg;
    uint64_t begin = brolga_now_ns();

    memcpy(commits->copy, commits->table, SLOTS * sizeof(void *));
    bench_hide(commits);
    return bench_since(begin) / 1000;
}

static brolga_word poll_until_canceled(void *arg)
{
    (void)arg;
    while (!brolga_canceled())
        brolga_safepoint();
    return 0;
}

static void run_commits(unsigned workers, bool running)
{
    static const void *table[SLOTS], *copy[SLOTS];
    struct commits one = {NULL, 1, false, table, copy};
    struct commits visible = {NULL, 1, true, table, copy};
    struct commits all = {NULL, SLOTS, false, table, copy};
    const struct bench_subject subjects[] = {
        {"brolga", sample_commit, &one},
        {"brolga: until it is visible", sample_commit, &visible},
        {"brolga: all slots change", sample_commit, &all},
        {"floor: memcpy of the table", sample_table, &one},
    };
    brolga_task *task[16];

    one.rt = visible.rt = all.rt = create(workers);
    (void)sample_commit(&all); /* Defines all slots. */
    for (unsigned i = 0; running && i < workers; i++)
        bench_must(
            brolga_spawn(one.rt, poll_until_canceled, NULL, NULL, &task[i]));
    bench_run(&(struct bench_row){"commit_10k", workers, "us", COMMIT_TURNS},
              subjects, bench_lengthof(subjects));
    for (unsigned i = 0; running && i < workers; i++) {
        brolga_cancel(task[i]);
        bench_must(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL));
    }
    bench_must(brolga_destroy(one.rt));
}

/* --- from save to running ----------------------------------------------- */

#define SAVES 12

struct save {
    char folder[64];
    char *body;                  /* Of the module, without its first line. */
    _Atomic int64_t generation;  /* That the task saw last. */
    _Atomic uint64_t running_ns; /* When it saw it first. */
    _Atomic uint64_t build_ns;   /* Of the last build. */
};

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *body = calloc(1, 65536);

    bench_check(file != NULL && body != NULL, path);
    bench_check(fread(body, 1, 65535, file) > 0, path);
    (void)fclose(file);
    return body;
}

/* As an editor does it; returns when the file was in its place. */
static uint64_t save(const struct save *s, int generation)
{
    char path[96], temporary[96];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/scorer.c", s->folder);
    (void)snprintf(temporary, sizeof temporary, "%s/.scorer.tmp", s->folder);
    file = fopen(temporary, "w");
    bench_check(file != NULL, temporary);
    (void)fprintf(file, "#define GENERATION %d\n%s", generation, s->body);
    bench_check(fclose(file) == 0, temporary);
    bench_check(rename(temporary, path) == 0, path);
    return brolga_now_ns();
}

static void on_reload(void *arg, const struct brolga_reload_event *event)
{
    struct save *s = arg;

    if (event->kind == BROLGA_RELOAD_RELOADED)
        brolga__store_relaxed(&s->build_ns, event->build_ns);
    else if (event->kind == BROLGA_RELOAD_BUILD_FAILED ||
             event->kind == BROLGA_RELOAD_REFUSED)
        bench_check(false, event->text);
}

static brolga_word call_score(void *arg)
{
    struct save *s = arg;
    int64_t last = 0, now;

    while (!brolga_canceled()) {
        now = score(0);
        if (now != last) {
            brolga__store_relaxed(&s->running_ns, brolga_now_ns());
            brolga__store_release(&s->generation, now); /* wait_for_code */
            last = now;
        }
        (void)brolga_sleep_until(brolga_after_ns(50 * BROLGA_US));
    }
    return 0;
}

static uint64_t wait_for_code(struct save *s, int64_t generation)
{
    uint64_t end = brolga_after_ns(PATIENCE_S * BROLGA_S);

    while (brolga__load_acquire(&s->generation) != generation) {
        bench_check(brolga_now_ns() < end, "the new code to run");
        (void)usleep(200);
    }
    return brolga__load_relaxed(&s->running_ns);
}

static void measure_saves(struct save *s)
{
    const struct bench_row row = {"save_to_running", 2, "ms", SAVES};
    struct bench_samples total = {0}, build = {0}, rest = {0};

    for (unsigned i = 0; i < bench_turns(SAVES); i++) {
        uint64_t saved, running, took;

        /* Not while the session still tidies up after the last one. */
        (void)usleep(100000);
        saved = save(s, (int)i + 2);
        running = wait_for_code(s, (int64_t)i + 2);
        took = brolga__load_relaxed(&s->build_ns);
        bench_add(&total, (double)(running - saved) / 1e6);
        bench_add(&build, (double)took / 1e6);
        bench_add(&rest, ((double)(running - saved) - (double)took) / 1e6);
    }
    bench_print(&row, "brolga", &total);
    bench_print(&row, "floor: the compiler alone", &build);
    bench_print(&row, "brolga without the compiler", &rest);
}

static void run_saves(void)
{
    struct save s = {.folder = "/tmp/brolga-bench-XXXXXX"};
    const char *paths[1] = {s.folder};
    struct brolga_reload_opts opts = {.paths = paths,
                                      .paths_count = 1,
                                      .include_dir = BENCH_INCLUDE,
                                      .on_event = on_reload,
                                      .arg = &s};
    brolga *rt = create(2);
    brolga_reload *session;
    brolga_task *task;
    char path[96];

    bench_check(mkdtemp(s.folder) != NULL, "a temporary directory");
    s.body = read_file(BENCH_SCORER);
    (void)save(&s, 1);
    bench_must(brolga_reload_create(rt, &opts, &session));
    bench_must(brolga_reload_load(session, NULL));
    bench_must(
        brolga_reload_find(session, "scorer", "score", &BROLGA_SLOT(score)));
    bench_must(brolga_reload_start(session));
    bench_must(brolga_spawn(rt, call_score, &s, NULL, &task));
    (void)wait_for_code(&s, 1);
    measure_saves(&s);
    brolga_cancel(task);
    bench_must(brolga_join(task, BROLGA_FOREVER, NULL, NULL));
    brolga_reload_destroy(session);
    bench_must(brolga_destroy(rt));
    (void)snprintf(path, sizeof path, "%s/scorer.c", s.folder);
    (void)unlink(path);
    (void)rmdir(s.folder);
    free(s.body);
}

/* --- ten thousand reloads ----------------------------------------------- */

#define RELOADS UINT64_C(10000)
#define WARM_UP UINT64_C(500)
#define CALLERS 8
#define GROWS   5

/* Two modules in the making. */
struct pair {
    brolga *rt;
    struct brolga__outlet *outlet;
    char folder[64];
    char *built[2]; /* What the compiler made of them, */
    size_t built_bytes[2];
    uint64_t number; /* Files written so far. */
};

/* Resident memory, exactly: the figure in statm is off by some pages for each
 * processor. Negative where the system does not tell. */
static double resident_kib(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    double kib = -1;

    if (file == NULL)
        return kib;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Rss: %lf kB", &kib) == 1)
            break;
    (void)fclose(file);
    return kib;
}

static brolga_word call_both(void *arg)
{
    int64_t x = 0;

    (void)arg;
    while (!brolga_canceled()) {
        for (unsigned i = 0; i < 64; i++) {
            x = twice(x);
            x = add(x);
        }
        brolga_safepoint();
    }
    return x;
}

/* --- as a JIT makes them: machine code in a mapping of its own ---------- */

static void unmap(void *text)
{
    (void)munmap(text, (size_t)sysconf(_SC_PAGESIZE));
}

/* A copy of add_one(), which refers to nothing outside of itself. */
static void stage_mapped(brolga_txn *txn, const char *module,
                         const char *symbol, brolga_slot *slot)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    char *text = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    brolga_unit *unit;

    bench_check(text != MAP_FAILED, "memory for code");
    memcpy(text, code_of_add_one(), TEXT_BYTES);
    bench_check(mprotect(text, bytes, PROT_READ | PROT_EXEC) == 0,
                "memory for code");
    __builtin___clear_cache(text, text + TEXT_BYTES);
    bench_must(
        brolga_txn_unit(txn,
                        &(struct brolga_unit_opts){.name = module,
                                                   .text = text,
                                                   .text_bytes = bytes,
                                                   .policy = BROLGA_RECLAIM,
                                                   .release = unmap,
                                                   .arg = text},
                        &unit));
    bench_must(brolga_txn_define(txn, unit, module, symbol, "", text, slot));
}

static void stage_mappings(struct pair *pair, brolga_txn *txn)
{
    (void)pair;
    stage_mapped(txn, "left", "twice", &BROLGA_SLOT(twice));
    stage_mapped(txn, "right", "add", &BROLGA_SLOT(add));
}

/* --- as the session loads them: shared objects -------------------------- */

static void read_built(struct pair *pair)
{
    static const char *const paths[2] = {BENCH_LEFT, BENCH_RIGHT};

    for (unsigned i = 0; i < 2; i++) {
        FILE *file = fopen(paths[i], "r");

        pair->built[i] = malloc(1 << 20);
        bench_check(file != NULL && pair->built[i] != NULL, paths[i]);
        pair->built_bytes[i] = fread(pair->built[i], 1, 1 << 20, file);
        (void)fclose(file);
    }
}

static struct brolga__image *load(struct pair *pair, unsigned which)
{
    struct brolga__text why = {0};
    struct brolga__image *image;
    char path[96];
    FILE *file;
    int line = 0;

    (void)snprintf(path, sizeof path, "%s/%llu.so", pair->folder,
                   (unsigned long long)pair->number++);
    file = fopen(path, "w");
    bench_check(file != NULL, path);
    bench_check(fwrite(pair->built[which], 1, pair->built_bytes[which], file) ==
                    pair->built_bytes[which],
                path);
    bench_check(fclose(file) == 0, path);
    if (brolga__image_load(path, path, false, pair->outlet, &image, &why,
                           &line) != BROLGA_OK)
        bench_check(false, why.at);
    return image;
}

static void stage_image(brolga_txn *txn, struct brolga__image *image)
{
    brolga_unit *unit;

    bench_must(brolga_txn_unit(
        txn,
        &(struct brolga_unit_opts){.name = image->module,
                                   .text = (const void *)image->low,
                                   .text_bytes = image->high - image->low,
                                   .policy = image->policy,
                                   .release = brolga__image_close,
                                   .arg = image},
        &unit));
    for (size_t i = 0; i < image->exports_count; i++) {
        struct brolga__symbol *symbol = &image->exports[i];

        bench_must(brolga_txn_define(txn, unit, image->module, symbol->name,
                                     symbol->signature, symbol->code,
                                     symbol->record));
    }
    for (size_t i = 0; i < image->imports_count; i++) {
        struct brolga__symbol *symbol = &image->imports[i];

        bench_must(brolga_txn_import(txn, unit, symbol->module, symbol->name,
                                     symbol->signature, NULL, symbol->record));
    }
}

static void stage_images(struct pair *pair, brolga_txn *txn)
{
    struct brolga__image *left = load(pair, 0), *right = load(pair, 1);

    stage_image(txn, left);
    stage_image(txn, right);
    BROLGA_SLOT(twice) = *left->exports[0].record;
    BROLGA_SLOT(add) = *right->exports[0].record;
}

/* --- and what is measured of both --------------------------------------- */

typedef void (*stage_fn)(struct pair *pair, brolga_txn *txn);

/* At a cap a host waits, and goes on collecting changes meanwhile. */
static void wait_for_room(brolga_txn *txn)
{
    struct timespec end = patience_end();
    struct brolga_report report;
    int err = 0;

    (void)pthread_mutex_lock(&news_lock);
    while (err == 0 && brolga_txn_check(txn, &report) != BROLGA_OK) {
        bench_check(report.refusal == BROLGA_REFUSED_LIMIT, report.text);
        err = pthread_cond_timedwait(&news, &news_lock, &end);
    }
    (void)pthread_mutex_unlock(&news_lock);
    bench_check(err == 0, "old code to go in time");
}

struct growth {
    struct bench_samples kib, versions, steady, units, us;
};

/* The most that was ever alive, and how often more than two versions were. */
struct most {
    uint32_t versions, units;
    uint64_t reloads, crowded;
};

static void reload(struct pair *pair, stage_fn stage, struct most *most)
{
    struct brolga_got_stats stats;
    brolga_txn *txn;

    bench_must(brolga_txn_begin(brolga_runtime_got(pair->rt), &txn));
    stage(pair, txn);
    wait_for_room(txn);
    bench_must(brolga_txn_commit(txn, NULL));
    stats = stats_of(pair->rt);
    most->reloads++;
    most->crowded += stats.versions_live > 2;
    if (stats.versions_live > most->versions)
        most->versions = stats.versions_live;
    if (stats.units_retired > most->units)
        most->units = stats.units_retired;
}

static void reload_often(struct pair *pair, stage_fn stage, uint64_t count,
                         struct most *most)
{
    for (uint64_t i = 0; i < count; i++)
        reload(pair, stage, most);
}

static void grow(struct pair *pair, stage_fn stage, struct growth *growth)
{
    brolga_task *task[CALLERS];
    uint64_t count = bench_count(RELOADS), begin;
    struct most warm = {0}, most = {0};
    double before;

    pair->rt = create(2);
    reload(pair, stage, &warm);
    for (unsigned i = 0; i < CALLERS; i++)
        bench_must(brolga_spawn(pair->rt, call_both, NULL, NULL, &task[i]));
    reload_often(pair, stage, WARM_UP, &warm);
    wait_until_left(pair->rt, 1, 0);
    before = resident_kib();
    begin = brolga_now_ns();
    reload_often(pair, stage, count, &most);
    bench_add(&growth->versions, most.versions);
    bench_add(&growth->steady,
              100.0 * (double)most.crowded / (double)most.reloads);
    bench_add(&growth->units, most.units);
    bench_add(&growth->us, bench_since(begin) / 1000 / (double)count);
    wait_until_left(pair->rt, 1, 0);
    bench_add(&growth->kib, resident_kib() - before);
    for (unsigned i = 0; i < CALLERS; i++) {
        brolga_cancel(task[i]);
        bench_must(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL));
    }
    bench_must(brolga_destroy(pair->rt));
}

static void print_growth(const char *subject, struct growth *growth)
{
    bench_print(&(struct bench_row){"reload_growth", 2, "KiB", GROWS}, subject,
                &growth->kib);
    bench_print(&(struct bench_row){"reload_versions", 2, "most", GROWS},
                subject, &growth->versions);
    bench_print(&(struct bench_row){"reload_crowded", 2, "%", GROWS}, subject,
                &growth->steady);
    bench_print(&(struct bench_row){"reload_retired", 2, "most", GROWS},
                subject, &growth->units);
    bench_print(&(struct bench_row){"reload_time", 2, "us", GROWS}, subject,
                &growth->us);
}

static void run_growth(void)
{
    struct pair pair = {.folder = "/tmp/brolga-bench-XXXXXX"};
    struct growth mapped = {0}, shared = {0};

    if (resident_kib() < 0) {
        fprintf(stderr, "bench_reload: no reload_growth: "
                        "there is no /proc/self/smaps_rollup\n");
        return;
    }
    bench_check(mkdtemp(pair.folder) != NULL, "a temporary directory");
    bench_must(brolga__outlet_create(release_nothing, NULL, &pair.outlet));
    read_built(&pair);
    for (unsigned i = 0; i < bench_turns(GROWS); i++)
        grow(&pair, stage_mappings, &mapped);
    for (unsigned i = 0; i < bench_turns(GROWS); i++)
        grow(&pair, stage_images, &shared);
    print_growth("brolga", &mapped);
    print_growth("brolga: shared objects", &shared);
    bench_check(brolga__outlet_take(pair.outlet) == NULL,
                "every shared object was unloaded");
    brolga__outlet_close(pair.outlet);
    (void)rmdir(pair.folder);
    free(pair.built[0]);
    free(pair.built[1]);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "reload");
    if (bench_wants("commit_10k")) {
        run_commits(16, false);
        run_commits(2, true);
    }
    if (bench_wants("save_to_running"))
        run_saves();
    if (bench_wants("reload_growth"))
        run_growth();
    return 0;
}
