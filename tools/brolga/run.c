/*
 * The life of one run: check the paths, build and load, run main, wait, stop.
 *
 * Main is a task; this thread waits for its end, for a signal, or for the time
 * limit. Then main is canceled if it still runs, and the other tasks get a
 * moment to end as well. Tasks that do not end keep the runtime alive, hence
 * the process is left around them.
 *
 * Deadlocks of the program are told, and nobody is made to fail: who looks at
 * them finds them as they were. For that every thread of the command is
 * accounted for. This one acts on tasks at the end only, and is a bystander; so
 * is the session's; the one that joins main (wake.c) is known by that. A thread
 * that the program itself has started may act on its tasks: with one there is
 * no report.
 */
#include "tool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long tasks may take to end once they have been asked to. */
#define GRACE_NS (1 * BROLGA_S)

/** What the main task calls. */
struct program {
    brolga_slot slot;
    int argc;
    char **argv;
};

struct run {
    const struct options *options;
    struct out out;
    struct news news;
    struct holders holders;
    struct wake wake;
    struct ctl ctl;
    struct text include_dir;
    struct program program;
    brolga *rt;
    brolga_reload *session;
    brolga_task *task;
    uint64_t until_ns; /* When --for runs out. */
};

/* --- before anything is built ------------------------------------------- */

static bool check_path(const char *path)
{
    size_t length = strlen(path);
    struct stat info;

    if (stat(path, &info) != 0) {
        fprintf(stderr, "brolga: cannot run %s: %s\n", path, strerror(errno));
        return false;
    }
    if (S_ISDIR(info.st_mode) ||
        (length > 2 && strcmp(path + length - 2, ".c") == 0))
        return true;
    fprintf(stderr,
            "brolga: %s is neither a directory nor a .c file\n"
            "        arguments of the program come after --\n",
            path);
    return false;
}

static bool check_paths(const struct options *options)
{
    for (size_t i = 0; i < options->paths_count; i++) {
        if (!check_path(options->paths[i]))
            return false;
    }
    return true;
}

/* --- starting ----------------------------------------------------------- */

/* Each reload that can be taken back is two versions if it is built twice. */
static uint32_t history_of(const struct options *options)
{
    return options->tiered ? 2 * options->history : options->history;
}

static int create_runtime(struct run *run)
{
    struct brolga_opts opts = {.workers = run->options->workers,
                               .deadlocks = BROLGA_DEADLOCKS_AUTO_REPORT,
                               .stall_ns = BROLGA_FOREVER, /* holders.c */
                               .stress = run->options->stress,
                               .got.history = history_of(run->options),
                               .on_event = news_on_runtime,
                               .arg = &run->news};
    int err = brolga_create(&opts, &run->rt);

    run->news.rt = run->rt; /* Looked at once news_started() was called. */
    return err;
}

static int create_session(struct run *run)
{
    const struct options *options = run->options;
    struct brolga_reload_opts opts = {
        .paths = options->paths,
        .paths_count = options->paths_count,
        .cc = options->cc,
        .cflags = options->cflags,
        .tiered = options->tiered,
        .fast = options->fast,
        .include_dir = headers_find(&run->include_dir),
        .quiet_ms = options->quiet_ms,
        .policy = options->reclaim ? BROLGA_RELOAD_RECLAIM_ALL
                                   : BROLGA_RELOAD_AS_DECLARED,
        .bystander = true,
        .allow_stale = options->allow_stale,
        .rollback_percent = options->rollback_percent,
        .rollback_window_ms = options->rollback_window_ms,
        .no_watch = options->no_watch,
        .on_event = news_on_reload,
        .arg = &run->news};

    return brolga_reload_create(run->rt, &opts, &run->session);
}

/* Says what kept the program from being built; the events said the rest. */
static bool load(struct run *run)
{
    struct brolga_report report = {0};
    int err = brolga_reload_load(run->session, &report);

    wake_wait(&run->wake, BROLGA_NOW); /* What has come meanwhile. */
    if (err == BROLGA_OK && run->wake.signal == 0)
        return true;
    if (run->wake.signal != 0)
        out_say(&run->out, "not started: asked to stop");
    else if (err == BROLGA_ENOENT)
        out_say(&run->out, "there is no .c file in %s", run->options->paths[0]);
    else if (err == BROLGA_EBUILD || err == BROLGA_EREFUSED)
        out_say(&run->out, "not started; correct the above and run it again");
    else
        out_say(&run->out, "not started: %s", brolga_strerror(err));
    return false;
}

/* --- finding main ------------------------------------------------------- */

/** The files that export main, for a message. */
struct mains {
    brolga_got *got;
    struct text files;
};

static void visit_module(void *arg, const struct brolga_reload_module *module)
{
    struct mains *mains = arg;
    brolga_slot slot;

    if (module->name && brolga_got_find(mains->got, module->name, "main", NULL,
                                        &slot) == BROLGA_OK)
        text_printf(&mains->files, "%s%s", mains->files.bytes ? ", " : "",
                    module->file);
}

static bool find_main(struct run *run)
{
    struct mains mains = {.got = brolga_runtime_got(run->rt)};
    int err =
        brolga_reload_find(run->session, NULL, "main", &run->program.slot);

    if (err == BROLGA_OK)
        return true;
    brolga_reload_each(run->session, visit_module, &mains);
    if (mains.files.bytes == 0)
        out_say(&run->out, "no file exports main; add to one of them\n"
                           "        BROLGA_MAIN(argc, argv) { ... }");
    else
        out_say(&run->out,
                "more than one file exports main: %s\n"
                "        keep one, or name the files to run",
                mains.files.data);
    text_free(&mains.files);
    return false;
}

/* --- running main ------------------------------------------------------- */

/* The bottom of the main task. It lies in the command, so that the task's
 * stack holds code of a module only where the program's own calls put it. */
static brolga_word call_main(void *arg)
{
    const struct program *program = arg;
    int (*entry)(int, char **) =
        (int (*)(int, char **))(uintptr_t)brolga_view_self()
            ->slots[program->slot];

    return entry(program->argc, program->argv);
}

/* argv as C has it: the first path that was named, the arguments, NULL. */
static bool make_arguments(struct run *run)
{
    const struct options *options = run->options;
    size_t count = (size_t)options->arguments_count + 1;
    char **argv = calloc(count + 1, sizeof(*argv));

    if (!argv)
        return false;
    argv[0] = (char *)(uintptr_t)options->paths[0];
    if (options->arguments_count > 0)
        memcpy(argv + 1, options->arguments, (count - 1) * sizeof(*argv));
    run->program.argc = (int)count;
    run->program.argv = argv;
    return true;
}

static bool start_main(struct run *run)
{
    struct brolga_spawn_opts opts = {.name = "main"};

    return make_arguments(run) &&
           brolga_spawn(run->rt, call_main, &run->program, &opts, &run->task) ==
               BROLGA_OK &&
           wake_watch_task(&run->wake, run->rt, run->task);
}

/* --- saying what was started -------------------------------------------- */

static void count_module(void *arg, const struct brolga_reload_module *module)
{
    size_t *count = arg;

    *count += module->name != NULL;
}

static void put_paths(struct text *text, const struct options *options)
{
    for (size_t i = 0; i < options->paths_count && i < 3; i++)
        text_printf(text, "%s%s", i ? ", " : "", options->paths[i]);
    if (options->paths_count > 3)
        text_printf(text, " and %zu more", options->paths_count - 3);
}

static void say_started(struct run *run)
{
    const struct options *options = run->options;
    uint32_t threads = brolga_workers(run->rt);
    struct text paths = {0}, json = {0};
    size_t modules = 0;

    brolga_reload_each(run->session, count_module, &modules);
    put_paths(&paths, options);
    out_say(&run->out, "%zu module%s, %u worker%s; %s %s", modules,
            modules == 1 ? "" : "s", threads, threads == 1 ? "" : "s",
            options->no_watch ? "not watching" : "watching", paths.data);
    json_open(&json, "started");
    json_number(&json, "modules", modules);
    json_number(&json, "workers", threads);
    json_string(&json, "watching", options->no_watch ? NULL : paths.data);
    json_string(&json, "ctl", run->ctl.path.data);
    out_json(&run->out, &json);
    text_free(&paths);
}

static bool start(struct run *run)
{
    const struct options *options = run->options;
    int err = create_runtime(run);

    if (err == BROLGA_OK)
        err = create_session(run);
    if (err != BROLGA_OK) {
        out_say(&run->out, "not started: %s", brolga_strerror(err));
        return false;
    }
    if (!load(run) || !find_main(run))
        return false;
    run->ctl.session = run->session;
    run->ctl.got = brolga_runtime_got(run->rt);
    run->ctl.rt = run->rt;
    if (!options->no_ctl && ctl_open(&run->ctl, &run->out))
        run->wake.fd = run->ctl.fd;
    say_started(run);
    news_started(&run->news);
    err = brolga_reload_start(run->session);
    if (err != BROLGA_OK || !start_main(run)) {
        out_say(&run->out, "not started: no thread or no memory to be had");
        return false;
    }
    brolga_bystander_enter(run->rt);
    return true;
}

/* --- waiting ------------------------------------------------------------ */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Waits for something to happen, and tells what is due meanwhile. */
static void wait_once(struct run *run, uint64_t deadline_ns)
{
    uint64_t now = brolga_now_ns();

    deadline_ns = earlier(deadline_ns, news_tick(&run->news, now));
    deadline_ns =
        earlier(deadline_ns, holders_tick(&run->holders, run->rt, now));
    wake_wait(&run->wake, deadline_ns);
    /* What comes of it is told as an event. */
    for (; run->wake.back > 0; run->wake.back--)
        (void)brolga_reload_rollback(run->session, 0, NULL);
    if (run->wake.fd_ready)
        ctl_serve(&run->ctl);
}

/* Until main ends, a signal comes, or --for runs out. */
static void wait_for_end(struct run *run)
{
    while (!run->wake.ended && run->wake.signal == 0 &&
           brolga_now_ns() < run->until_ns)
        wait_once(run, run->until_ns);
}

static void cancel_main(struct run *run)
{
    uint64_t until = brolga_after_ns(GRACE_NS);

    brolga_cancel(run->task);
    while (!run->wake.ended && !run->wake.insist && brolga_now_ns() < until)
        wait_once(run, until);
}

/* --- the end ------------------------------------------------------------ */

/** How a run came out, for the last line. */
struct outcome {
    const char *reason; /* For programs. */
    int status;
    struct text text; /* For people; may be empty. */
};

static struct outcome main_failed(struct run *run)
{
    struct outcome outcome = {.reason = "failed", .status = EXIT_FAILED};
    const struct brolga_failure *failure = &run->wake.failure;

    out_style(&run->out, &outcome.text, STYLE_BAD, "main failed");
    text_printf(&outcome.text, ": %s",
                failure->message[0] ? failure->message
                                    : brolga_strerror(run->wake.join_err));
    return outcome;
}

static struct outcome stopped(struct run *run, const char *reason, int status,
                              const char *why)
{
    struct outcome outcome = {.reason = reason, .status = status};

    text_put(&outcome.text, why);
    if (run->wake.ended)
        text_put(&outcome.text, "; main has ended");
    else if (run->wake.insist)
        text_put(&outcome.text, " twice; leaving main where it is");
    else
        text_put(&outcome.text, "; main did not end within a second after it "
                                "was canceled");
    return outcome;
}

static struct outcome outcome_of(struct run *run, bool timed_out)
{
    const struct wake *wake = &run->wake;

    if (wake->ended && wake->join_err != BROLGA_OK)
        return main_failed(run);
    if (wake->signal != 0)
        return stopped(run, "signal", EXIT_SIGNALED + wake->signal,
                       wake->signal == SIGPIPE ? "nobody reads the output"
                                               : "asked to stop");
    if (timed_out)
        return stopped(run, "time", 0, "the time of --for is over");
    return (struct outcome){.reason = "returned",
                            .status = (int)(wake->result & 255)};
}

static void say_ended(struct run *run, struct outcome *outcome)
{
    struct text json = {0};

    json_open(&json, "ended");
    json_string(&json, "reason", outcome->reason);
    json_number(&json, "status", (uint64_t)outcome->status);
    json_string(&json, "text", outcome->text.data);
    out_json(&run->out, &json);
    if (outcome->text.bytes > 0)
        out_say(&run->out, "%s", outcome->text.data);
    text_free(&outcome->text);
}

/* Tasks that main left behind may still end by themselves; there is no call
 * that waits for all of them, hence the looking. */
static bool wait_for_tasks(struct run *run)
{
    static const struct timespec moment = {.tv_nsec = 2000000};
    uint64_t until = brolga_after_ns(GRACE_NS);

    while (brolga_tasks_live(run->rt) > 0) {
        if (brolga_now_ns() >= until || run->wake.insist)
            return false;
        nanosleep(&moment, NULL);
        wake_wait(&run->wake, BROLGA_NOW);
    }
    return true;
}

/* With tasks alive the session can end, for the code belongs to the runtime;
 * but the runtime cannot, nor can the functions run that exit() calls: both
 * would pull the ground from under the tasks. */
static void leave(struct run *run, int status)
{
    uint32_t tasks = brolga_tasks_live(run->rt);

    ctl_close(&run->ctl);
    brolga_reload_destroy(run->session);
    if (run->out.verbose)
        out_say(&run->out, "%u task%s did not end", tasks,
                tasks == 1 ? "" : "s");
    fflush(NULL);
    _exit(status);
}

static void tear_down(struct run *run)
{
    ctl_close(&run->ctl);
    if (run->session)
        brolga_reload_destroy(run->session);
    if (run->rt)
        (void)brolga_destroy(run->rt);
    free(run->program.argv);
    text_free(&run->include_dir);
}

static int run_to_end(struct run *run)
{
    struct outcome outcome;
    bool timed_out;

    if (run->options->for_ns > 0)
        run->until_ns = brolga_after_ns(run->options->for_ns);
    wait_for_end(run);
    timed_out = !run->wake.ended && run->wake.signal == 0;
    if (!run->wake.ended)
        cancel_main(run);
    outcome = outcome_of(run, timed_out);
    news_mute(&run->news);
    brolga_reload_stop(run->session);
    if (!run->wake.ended || !wait_for_tasks(run)) {
        say_ended(run, &outcome);
        leave(run, outcome.status);
    }
    say_ended(run, &outcome);
    return outcome.status;
}

int run(const struct options *options)
{
    struct run run = {
        .options = options, .ctl = {.fd = -1}, .until_ns = BROLGA_FOREVER};
    int status = EXIT_START;

    if (!check_paths(options) || !out_open(&run.out, options))
        return EXIT_START;
    holders_init(&run.holders, &run.out);
    news_init(&run.news, &run.out, &run.holders);
    if (!wake_init(&run.wake)) {
        out_say(&run.out, "not started: %s", strerror(errno));
        goto end;
    }
    run.news.nudge = wake_nudge;
    run.news.nudge_arg = &run.wake;
    if (start(&run))
        status = run_to_end(&run);
    else if (run.wake.signal != 0)
        status = EXIT_SIGNALED + run.wake.signal;
    tear_down(&run);
end:
    out_close(&run.out);
    return status;
}
