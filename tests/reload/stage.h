/*
 * What the reload tests share: a directory of its own for each test, ways to
 * save files as editors do, a record of events that can be waited for, and a
 * session over the directory.
 *
 * Waiting is for an event, with a deadline; nothing sleeps and hopes. Tests
 * have no .timeout: Criterion leaks its timers when tests end in another
 * order, and the leak checker fails the program for it.
 */
#ifndef BROLGA_TESTS_RELOAD_STAGE_H
#define BROLGA_TESTS_RELOAD_STAGE_H

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE before the first header: dl_iterate_phdr"
#endif

#include <criterion/criterion.h>

#include <brolga/reload.h>

#include <dirent.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Longer than any compiler takes on a busy machine. */
#define PATIENCE_S 60

#define RECORDS_MAX 512

/* One event, copied. */
struct record {
    enum brolga_reload_event_kind kind;
    char module[64];
    char file[256];
    uint32_t line;
    enum brolga_refusal refusal;
    char text[2048];
    char output[2048];
    char modules[256]; /* "name:why name:why" */
    uint64_t version;
    uint64_t build_ns;
    uint64_t saved_ns;
};

struct stage {
    char dir[128];
    uint32_t versions_max; /* For the runtime; 0 = as usual. */
    uint32_t history;
    brolga *rt;
    brolga_reload *session;
    struct brolga_report report;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct record records[RECORDS_MAX];
    size_t count;
    size_t seen;     /* Records that a wait has passed. */
    size_t released; /* Units that the runtime has released. */
};

/* --- files -------------------------------------------------------------- */

static inline void path_in(const struct stage *stage, const char *name,
                           char path[512])
{
    (void)snprintf(path, 512, "%s/%s", stage->dir, name);
}

static inline void write_at(const char *path, int flags, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

/* As vim does by default: a new file takes the name over. */
static inline void save(const struct stage *stage, const char *name,
                        const char *text)
{
    char path[512], aside[512];

    path_in(stage, name, path);
    path_in(stage, ".aside", aside);
    write_at(aside, O_TRUNC, text);
    cr_assert_eq(rename(aside, path), 0);
}

/* As a shell does: the same file, emptied and written. */
static inline void overwrite(const struct stage *stage, const char *name,
                             const char *text)
{
    char path[512];

    path_in(stage, name, path);
    write_at(path, O_TRUNC, text);
}

static inline void append(const struct stage *stage, const char *name,
                          const char *text)
{
    char path[512];

    path_in(stage, name, path);
    write_at(path, O_APPEND, text);
}

static inline void drop(const struct stage *stage, const char *name)
{
    char path[512];

    path_in(stage, name, path);
    cr_assert_eq(unlink(path), 0);
}

static inline size_t count_files(const char *dir)
{
    DIR *at = opendir(dir);
    size_t count = 0;

    if (at == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(at)) != NULL;)
        count += entry->d_name[0] != '.';
    (void)closedir(at);
    return count;
}

/* Empties and removes a directory without subdirectories. */
static inline void remove_dir(const char *dir)
{
    DIR *at = opendir(dir);
    char path[512];

    if (at == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(at)) != NULL;) {
        (void)snprintf(path, sizeof path, "%.200s/%.250s", dir, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(at);
    (void)rmdir(dir);
}

/* --- events ------------------------------------------------------------- */

static inline void copy_text(char *to, size_t bytes, const char *from)
{
    (void)snprintf(to, bytes, "%s", from == NULL ? "" : from);
}

static inline void copy_event(struct record *to,
                              const struct brolga_reload_event *event)
{
    size_t used = 0;

    to->kind = event->kind;
    to->line = event->line;
    to->refusal = event->refusal;
    to->version = event->version;
    to->build_ns = event->build_ns;
    to->saved_ns = event->saved_ns;
    copy_text(to->module, sizeof to->module, event->module);
    copy_text(to->file, sizeof to->file, event->file);
    copy_text(to->text, sizeof to->text, event->text);
    copy_text(to->output, sizeof to->output, event->output);
    to->modules[0] = '\0';
    for (size_t i = 0; i < event->modules_count && used < 200; i++) {
        const struct brolga_reload_module *module = &event->modules[i];

        used += (size_t)snprintf(to->modules + used, sizeof to->modules - used,
                                 "%s%.20s:%s", i == 0 ? "" : " ",
                                 module->name == NULL ? "-" : module->name,
                                 brolga_reload_why_name(module->why));
    }
}

static inline void on_event(void *arg, const struct brolga_reload_event *event)
{
    struct stage *stage = arg;

    (void)pthread_mutex_lock(&stage->lock);
    if (stage->count < RECORDS_MAX)
        copy_event(&stage->records[stage->count++], event);
    (void)pthread_cond_broadcast(&stage->more);
    (void)pthread_mutex_unlock(&stage->lock);
}

static inline void show_records(const struct stage *stage)
{
    for (size_t i = 0; i < stage->count; i++)
        fprintf(stderr, "  %2zu%c %s %s %s:%u v%llu [%s] %s\n", i,
                i < stage->seen ? ' ' : '*',
                brolga_reload_event_name(stage->records[i].kind),
                stage->records[i].module, stage->records[i].file,
                stage->records[i].line,
                (unsigned long long)stage->records[i].version,
                stage->records[i].modules, stage->records[i].text);
}

/* Waits for the next event of a kind whose file, text, output or modules hold
 * `what` (NULL: any). Events before it count as seen. */
static inline struct record *
await(struct stage *stage, enum brolga_reload_event_kind kind, const char *what)
{
    struct timespec until;
    struct record *found = NULL;
    int err = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&stage->lock);
    while (found == NULL && err == 0) {
        while (found == NULL && stage->seen < stage->count) {
            struct record *record = &stage->records[stage->seen++];

            if (record->kind == kind &&
                (what == NULL || strstr(record->text, what) != NULL ||
                 strstr(record->file, what) != NULL ||
                 strstr(record->output, what) != NULL ||
                 strstr(record->modules, what) != NULL))
                found = record;
        }
        if (found == NULL)
            err = pthread_cond_timedwait(&stage->more, &stage->lock, &until);
    }
    if (found == NULL)
        show_records(stage);
    (void)pthread_mutex_unlock(&stage->lock);
    cr_assert(found != NULL, "no %s with '%s'", brolga_reload_event_name(kind),
              what == NULL ? "" : what);
    return found;
}

static inline void on_runtime_event(void *arg, const struct brolga_event *event)
{
    struct stage *stage = arg;

    (void)pthread_mutex_lock(&stage->lock);
    stage->released += event->kind == BROLGA_EVENT_RELEASED;
    (void)pthread_cond_broadcast(&stage->more);
    (void)pthread_mutex_unlock(&stage->lock);
}

/* Waits until the runtime has released so many units in all. */
static inline void await_released(struct stage *stage, size_t count)
{
    struct timespec until;
    int err = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&stage->lock);
    while (stage->released < count && err == 0)
        err = pthread_cond_timedwait(&stage->more, &stage->lock, &until);
    (void)pthread_mutex_unlock(&stage->lock);
    cr_assert_eq(err, 0, "units released: %zu", stage->released);
    /* The event may come before the release function has returned; a step of
     * our own that finds nothing to do comes after it. */
    while (brolga_reclaim_step(stage->rt)) {
        cr_assert_lt(time(NULL), until.tv_sec + PATIENCE_S);
        (void)sched_yield();
    }
}

/* How many events of a kind there have been. */
static inline size_t count_events(struct stage *stage,
                                  enum brolga_reload_event_kind kind)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&stage->lock);
    for (size_t i = 0; i < stage->count; i++)
        count += stage->records[i].kind == kind;
    (void)pthread_mutex_unlock(&stage->lock);
    return count;
}

struct image_count {
    const char *part;
    size_t count;
};

static inline int count_image(struct dl_phdr_info *info, size_t bytes,
                              void *arg)
{
    struct image_count *images = arg;

    (void)bytes;
    images->count += strstr(info->dlpi_name, images->part) != NULL;
    return 0;
}

/* How many images whose names hold `part` are in memory. */
static inline size_t count_images(const char *part)
{
    struct image_count images = {.part = part};

    (void)dl_iterate_phdr(count_image, &images);
    return images.count;
}

/* --- the stage ---------------------------------------------------------- */

static inline struct stage *set_stage(void)
{
    struct stage *stage = calloc(1, sizeof *stage);

    cr_assert_not_null(stage);
    (void)pthread_mutex_init(&stage->lock, NULL);
    (void)pthread_cond_init(&stage->more, NULL);
    (void)snprintf(stage->dir, sizeof stage->dir, "/tmp/brolga-test-XXXXXX");
    cr_assert_not_null(mkdtemp(stage->dir));
    return stage;
}

/* A compiler for tests with many builds: it copies what it has compiled before.
 * Its path is written to `script`. */
static inline void write_compiler(const struct stage *stage, char script[512])
{
    static const char text[] =
        "#!/bin/sh\n"
        "out= dep= src= last=\n"
        "for a in \"$@\"; do\n"
        "  case $last in -o) out=$a;; -MF) dep=$a;; esac\n"
        "  case $a in *.c) src=$a;; esac\n"
        "  last=$a\n"
        "done\n"
        "key=$(dirname \"$0\")/.$(cksum <\"$src\" | tr ' ' -)\n"
        "if [ ! -f \"$key.so\" ]; then\n"
        "  cc \"$@\" || exit 1\n"
        "  cp \"$out\" \"$key.so\" && cp \"$dep\" \"$key.d\"\n"
        "  exit\n"
        "fi\n"
        "cp \"$key.so\" \"$out\" && cp \"$key.d\" \"$dep\"\n";

    path_in(stage, ".cc", script);
    write_at(script, O_TRUNC, text);
    cr_assert_eq(chmod(script, 0755), 0);
}

static inline const char *test_cflags(void)
{
    return getenv("BROLGA_TEST_CFLAGS");
}

/* A session over the directory; `opts` may hold what differs from this. */
static inline void open_session(struct stage *stage,
                                const struct brolga_reload_opts *special)
{
    struct brolga_opts rt_opts = {.workers = 2,
                                  .got.versions_max = stage->versions_max,
                                  .got.history = stage->history,
                                  .on_event = on_runtime_event,
                                  .arg = stage};
    struct brolga_reload_opts opts = {0};
    const char *path = stage->dir;

    if (special != NULL)
        opts = *special;
    if (opts.paths == NULL) {
        opts.paths = &path;
        opts.paths_count = 1;
    }
    if (opts.include_dir == NULL)
        opts.include_dir = BROLGA_TEST_INCLUDE;
    if (opts.cflags == NULL)
        opts.cflags = test_cflags();
    if (opts.cc == NULL)
        opts.cc = "cc -O0"; /* -O2 follows and wins: this tests the split. */
    if (opts.on_event == NULL)
        opts.on_event = on_event;
    opts.arg = stage;
    cr_assert_eq(brolga_create(&rt_opts, &stage->rt), BROLGA_OK);
    cr_assert_eq(brolga_reload_create(stage->rt, &opts, &stage->session),
                 BROLGA_OK);
}

static inline int load(struct stage *stage)
{
    return brolga_reload_load(stage->session, &stage->report);
}

/* Loads what must be in order, and starts to watch. */
static inline void run_session(struct stage *stage)
{
    open_session(stage, NULL);
    cr_assert_eq(load(stage), BROLGA_OK, "%s", stage->report.text);
    cr_assert_eq(brolga_reload_start(stage->session), BROLGA_OK);
}

static inline void strike_stage(struct stage *stage)
{
    if (stage->session != NULL)
        brolga_reload_destroy(stage->session);
    if (stage->rt != NULL)
        cr_assert_eq(brolga_destroy(stage->rt), BROLGA_OK);
    remove_dir(stage->dir);
    (void)pthread_cond_destroy(&stage->more);
    (void)pthread_mutex_destroy(&stage->lock);
    free(stage);
}

/* --- calling modules ---------------------------------------------------- */

struct call {
    brolga_slot slot;
    int64_t argument;
};

static inline brolga_word call_in_task(void *arg)
{
    const struct call *call = arg;
    const void *code = brolga_view_self()->slots[call->slot];

    return ((int64_t(*)(int64_t))(uintptr_t)code)(call->argument);
}

/* What int64_t symbol(int64_t) of a module returns now, in a new task. */
static inline int64_t ask(struct stage *stage, const char *module,
                          const char *symbol, int64_t argument)
{
    struct call call = {.argument = argument};
    brolga_word result = -1;
    brolga_task *task;

    cr_assert_eq(brolga_reload_find(stage->session, module, symbol, &call.slot),
                 BROLGA_OK);
    cr_assert_eq(brolga_spawn(stage->rt, call_in_task, &call, NULL, &task),
                 BROLGA_OK);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, &result, NULL), BROLGA_OK);
    return result;
}

#endif
