/*
 * Builds: one compiler process a file, several at a time, on the event loop.
 *
 *   queued --pump--> running --exit--> told --handles closed--> freed
 *      |                |
 *      +----cancel------+-----------> (nobody is told)
 *
 * Everything that compilers write lies in one private directory: results under
 * names that are never used twice, and their temporary files, since they get
 * the directory as TMPDIR. So whatever becomes of a build, removing the
 * directory removes its traces.
 *
 * A compiler leads a process group of its own, so that canceling a build ends
 * the processes that the compiler has started too.
 *
 * What it prints goes to one pipe, both streams, in the order of writing. When
 * it has exited, its own children have been waited for by it, so that all they
 * wrote is in the pipe: it is drained then, without waiting for its end, which
 * a daemon started meanwhile (a compiler cache) could hold open for ever.
 */
#define _XOPEN_SOURCE 700 /* realpath */
#include "reload/command.h"

#include "alloc.h"
#include "list.h"
#include "plat.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

/* Of what a compiler prints, this much is kept. */
#define OUTPUT_MAX ((size_t)1 << 20)

/* The niceness of compilers that nobody waits for. */
#define LATER_NICE 10

struct brolga__builder {
    uv_loop_t *loop;
    uv_timer_t timer; /* Tells failures to start later, not in the call. */
    char *directory;
    struct brolga__command command;
    uint32_t jobs;
    uint32_t running;       /* Those that somebody waits for. */
    uint32_t running_later; /* The others. */
    uint64_t serial;        /* Of the last build. */
    struct brolga__list queue;
    struct brolga__list later; /* The queue of those that nobody waits for. */
    struct brolga__list started;
    bool ending;
    bool timer_closed;
    char chunk[65536]; /* What a pipe is read into. */
};

struct brolga__build {
    struct brolga__list link; /* In queue or started. */
    struct brolga__builder *builder;
    char *source;
    char *built;
    char *depfile;
    enum brolga__tier tier;
    bool later; /* Nobody waits for it: at a low priority, when others are
                   done. */
    brolga__build_fn done; /* NULL = canceled. */
    void *arg;
    bool queued;
    bool unstartable;
    bool exited;
    uint32_t handles; /* Open ones. */
    uv_process_t process;
    uv_pipe_t pipe;
    bool failed;
    char problem[256];
    char *output;
    size_t output_bytes;
    uint64_t start_ns;
};

/* --- the end of a build ------------------------------------------------- */

static void builder_free(struct brolga__builder *builder);
static void pump(struct brolga__builder *builder);
static void tell_unstartable(uv_timer_t *timer);

static void build_free(struct brolga__build *build)
{
    struct brolga__builder *builder = build->builder;

    brolga__list_remove(&build->link);
    brolga__free(build->source);
    brolga__free(build->built);
    brolga__free(build->depfile);
    brolga__free(build->output);
    brolga__free(build);
    builder_free(builder);
}

static void remove_files(const struct brolga__build *build)
{
    (void)unlink(build->built);
    (void)unlink(build->depfile);
}

static uint32_t *running_of(struct brolga__build *build)
{
    return build->later ? &build->builder->running_later
                        : &build->builder->running;
}

static void handle_closed(uv_handle_t *handle)
{
    struct brolga__build *build = handle->data;

    if (--build->handles == 0 && build->exited)
        build_free(build);
}

static void tell(struct brolga__build *build)
{
    struct brolga__words deps = {0};
    struct brolga__build_result result = {
        .ok = !build->failed,
        .problem = build->problem[0] == '\0' ? NULL : build->problem,
        .output = build->output == NULL ? "" : build->output,
        .output_bytes = build->output_bytes,
        .built = build->built,
        .took_ns = brolga__plat_now_ns() - build->start_ns,
    };

    result.deps_known =
        brolga__command_deps(&deps, build->depfile, build->source);
    result.deps = (const char *const *)deps.at;
    result.deps_count = deps.count;
    (void)unlink(build->depfile);
    build->done(build->arg, &result);
    brolga__words_free(&deps);
}

static void keep_output(struct brolga__build *build, const char *at,
                        size_t bytes)
{
    size_t room = OUTPUT_MAX - build->output_bytes;
    char *more;

    if (bytes > room)
        bytes = room;
    more = brolga__realloc(build->output, build->output_bytes + bytes + 1);
    if (more == NULL)
        return; /* The text is cut off; the result stands. */
    build->output = more;
    memcpy(more + build->output_bytes, at, bytes);
    build->output_bytes += bytes;
    more[build->output_bytes] = '\0';
}

/* Takes what is in the pipe now; ends because the writers have ended, or at
 * the limit of what is kept. */
static void drain(struct brolga__build *build)
{
    struct brolga__builder *builder = build->builder;
    uv_os_fd_t fd;
    ssize_t got;

    if (uv_fileno((uv_handle_t *)&build->pipe, &fd) != 0)
        return;
    while (build->output_bytes < OUTPUT_MAX &&
           ((got = read(fd, builder->chunk, sizeof builder->chunk)) > 0 ||
            (got < 0 && errno == EINTR)))
        if (got > 0)
            keep_output(build, builder->chunk, (size_t)got);
}

static void exited(uv_process_t *process, int64_t status, int killer)
{
    struct brolga__build *build = process->data;

    drain(build);
    build->exited = true;
    build->failed = status != 0 || killer != 0;
    if (killer != 0)
        (void)snprintf(build->problem, sizeof build->problem,
                       "the compiler was killed by signal %d", killer);
    (*running_of(build))--;
    if (build->done != NULL)
        tell(build);
    else
        remove_files(build);
    uv_close((uv_handle_t *)&build->process, handle_closed);
    uv_close((uv_handle_t *)&build->pipe, handle_closed);
    pump(build->builder);
}

/* --- the start of a build ----------------------------------------------- */

static void give_chunk(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct brolga__build *build = handle->data;

    (void)wanted;
    *buffer = uv_buf_init(build->builder->chunk, sizeof build->builder->chunk);
}

static void printed(uv_stream_t *pipe, ssize_t got, const uv_buf_t *buffer)
{
    struct brolga__build *build = pipe->data;

    if (got > 0)
        keep_output(build, buffer->base, (size_t)got);
    else if (got < 0)
        (void)uv_read_stop(pipe); /* The end of the file, or an error. */
}

static int spawn(struct brolga__build *build, char **args, char **env, int fd)
{
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = fd},
        {.flags = UV_INHERIT_FD, .data.fd = fd},
    };
    uv_process_options_t options = {
        .exit_cb = exited,
        .file = args[0],
        .args = args,
        .env = env,
        .flags = UV_PROCESS_DETACHED, /* A process group of its own. */
        .stdio_count = 3,
        .stdio = stdio,
    };

    return uv_spawn(build->builder->loop, &build->process, &options);
}

/* Opens the pipe and starts the process; the handles that are open then are
 * counted in any case. */
static int start_process(struct brolga__build *build, char **args, char **env)
{
    uv_file ends[2];
    int err = uv_pipe(ends, UV_NONBLOCK_PIPE, 0);

    if (err != 0)
        return err;
    (void)uv_pipe_init(build->builder->loop, &build->pipe, 0);
    build->pipe.data = build;
    build->process.data = build;
    build->handles = 2; /* uv_spawn() opens its handle even if it fails. */
    (void)uv_pipe_open(&build->pipe, ends[0]);
    err = spawn(build, args, env, ends[1]);
    (void)close(ends[1]);
    if (err == 0 && build->later) /* Before it has begun much. */
        (void)setpriority(PRIO_PGRP, (id_t)build->process.pid, LATER_NICE);
    /* It fails for pipes that are not open only; drain() reads in any case. */
    if (err == 0)
        (void)uv_read_start((uv_stream_t *)&build->pipe, give_chunk, printed);
    return err;
}

/* The build cannot start: it will be told when the loop comes round. */
static void set_unstartable(struct brolga__build *build, int err,
                            const char *cc)
{
    struct brolga__builder *builder = build->builder;

    build->unstartable = true;
    build->failed = true;
    (void)snprintf(build->problem, sizeof build->problem,
                   "cannot run '%s': %s; name a compiler with CC or the "
                   "options of the session",
                   cc, uv_strerror(err));
    (void)uv_timer_start(&builder->timer, tell_unstartable, 0, 0);
}

static void add_arguments(struct brolga__words *args,
                          const struct brolga__build *build)
{
    const struct brolga__command_files files = {.source = build->source,
                                                .built = build->built,
                                                .depfile = build->depfile};

    brolga__command_arguments(args, &build->builder->command, build->tier,
                              &files);
}

static void start(struct brolga__build *build)
{
    struct brolga__words args = {0}, env = {0};
    int err = UV_ENOMEM;

    build->queued = false;
    build->start_ns = brolga__plat_now_ns();
    brolga__list_remove(&build->link);
    brolga__list_push_back(&build->builder->started, &build->link);
    add_arguments(&args, build);
    brolga__command_environment(&env, build->builder->directory);
    if (!args.failed && !env.failed)
        err = start_process(build, args.at, env.at);
    if (err == 0)
        (*running_of(build))++;
    else
        set_unstartable(build, err, args.count == 0 ? "" : args.at[0]);
    brolga__words_free(&args);
    brolga__words_free(&env);
}

static void start_first(struct brolga__list *queue)
{
    start(brolga__container_of(queue->next, struct brolga__build, link));
}

/* Starts what waits, as far as there is room. What nobody waits for takes no
 * room from what somebody does. */
static void pump(struct brolga__builder *builder)
{
    while (builder->running < builder->jobs &&
           !brolga__list_empty(&builder->queue))
        start_first(&builder->queue);
    while (builder->running + builder->running_later < builder->jobs &&
           !brolga__list_empty(&builder->later))
        start_first(&builder->later);
}

/* Tells one that could not start, and frees it. */
static void end_unstartable(struct brolga__build *build)
{
    build->exited = true;
    if (build->done != NULL)
        tell(build);
    if (build->handles == 0) {
        build_free(build);
        return;
    }
    uv_close((uv_handle_t *)&build->process, handle_closed);
    uv_close((uv_handle_t *)&build->pipe, handle_closed);
}

static void tell_unstartable(uv_timer_t *timer)
{
    struct brolga__builder *builder = timer->data;
    struct brolga__list *next = builder->started.next;

    /* A callback may start builds, which go to the end of the list, but it
     * removes none other than by marking it. */
    while (next != &builder->started) {
        struct brolga__build *build =
            brolga__container_of(next, struct brolga__build, link);

        next = next->next;
        if (build->unstartable && !build->exited)
            end_unstartable(build);
    }
}

/* --- public to the layer ------------------------------------------------ */

static struct brolga__build *new_build(struct brolga__builder *builder,
                                       const char *source)
{
    struct brolga__build *build = brolga__alloc_zero(sizeof *build);
    const char *base = brolga__text_base(source);
    char path[PATH_MAX];
    int stem = (int)strcspn(base, ".");

    if (build == NULL)
        return NULL;
    build->builder = builder;
    brolga__list_init(&build->link);
    build->source = brolga__strdup(source);
    (void)snprintf(path, sizeof path, "%s/%.*s.v%llu.so", builder->directory,
                   stem, base, (unsigned long long)++builder->serial);
    build->built = brolga__strdup(path);
    (void)snprintf(path, sizeof path, "%s/%llu.d", builder->directory,
                   (unsigned long long)builder->serial);
    build->depfile = brolga__strdup(path);
    if (build->source != NULL && build->built != NULL && build->depfile != NULL)
        return build;
    build_free(build);
    return NULL;
}

int brolga__build_start(struct brolga__builder *builder, const char *source,
                        enum brolga__tier tier, bool later,
                        brolga__build_fn done, void *arg,
                        struct brolga__build **out)
{
    struct brolga__build *build = new_build(builder, source);

    if (build == NULL)
        return BROLGA_ENOMEM;
    build->done = done;
    build->arg = arg;
    build->queued = true;
    build->tier = tier;
    build->later = later;
    brolga__list_push_back(later ? &builder->later : &builder->queue,
                           &build->link);
    *out = build;
    pump(builder);
    return BROLGA_OK;
}

static void kill_group(struct brolga__build *build, int signal)
{
    if (!build->exited && !build->unstartable)
        (void)uv_kill(-uv_process_get_pid(&build->process), signal);
}

void brolga__build_cancel(struct brolga__build *build)
{
    build->done = NULL;
    if (build->queued)
        build_free(build);
    else
        kill_group(build, SIGKILL);
}

/* The private directory; its name is absolute and free of links, as the
 * system will show it for what is loaded from there. */
static char *make_directory(void)
{
    const char *parent = getenv("TMPDIR");
    char path[PATH_MAX], real[PATH_MAX];

    if (parent == NULL || *parent == '\0')
        parent = "/tmp";
    if (snprintf(path, sizeof path, "%s/brolga-XXXXXX", parent) >=
        (int)sizeof path)
        return NULL;
    if (mkdtemp(path) == NULL || realpath(path, real) == NULL)
        return NULL;
    return brolga__strdup(real);
}

/* Removes the directory and what killed compilers have left in it. Files that
 * are kept for debuggers stay, and then so does the directory. */
static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    char file[PATH_MAX];

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        size_t bytes = strlen(entry->d_name);

        if (bytes > 3 && strcmp(entry->d_name + bytes - 3, ".so") == 0)
            continue;
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        (void)unlink(file);
    }
    if (directory != NULL)
        (void)closedir(directory);
    (void)rmdir(path);
}

/* Frees a builder that has ended, once nothing of it is left. */
static void builder_free(struct brolga__builder *builder)
{
    if (!builder->ending || !builder->timer_closed ||
        !brolga__list_empty(&builder->started))
        return;
    if (builder->directory != NULL)
        remove_directory(builder->directory);
    brolga__free(builder->directory);
    brolga__command_free(&builder->command);
    brolga__free(builder);
}

int brolga__builder_create(struct uv_loop_s *loop,
                           const struct brolga__build_opts *opts,
                           struct brolga__builder **out)
{
    struct brolga__builder *builder = brolga__alloc_zero(sizeof *builder);
    int err = BROLGA_ENOMEM;

    if (builder == NULL)
        return BROLGA_ENOMEM;
    builder->loop = loop;
    builder->jobs = opts->jobs == 0 ? brolga__plat_cpus() : opts->jobs;
    brolga__list_init(&builder->queue);
    brolga__list_init(&builder->later);
    brolga__list_init(&builder->started);
    builder->ending = true;
    builder->timer_closed = true; /* Until all is in order. */
    if (brolga__command_copy(opts, &builder->command) != BROLGA_OK)
        goto fail;
    err = BROLGA_EIO;
    builder->directory = make_directory();
    if (builder->directory == NULL)
        goto fail;
    (void)uv_timer_init(loop, &builder->timer); /* Cannot fail. */
    builder->timer.data = builder;
    builder->ending = false;
    builder->timer_closed = false;
    *out = builder;
    return BROLGA_OK;
fail:
    builder_free(builder);
    return err;
}

static void timer_closed(uv_handle_t *handle)
{
    struct brolga__builder *builder = handle->data;

    builder->timer_closed = true;
    builder_free(builder);
}

static void cancel_queue(struct brolga__list *queue)
{
    while (!brolga__list_empty(queue))
        brolga__build_cancel(
            brolga__container_of(queue->next, struct brolga__build, link));
}

void brolga__builder_destroy(struct brolga__builder *builder)
{
    builder->ending = true;
    cancel_queue(&builder->queue);
    cancel_queue(&builder->later);
    brolga__list_each (node, &builder->started) {
        struct brolga__build *build =
            brolga__container_of(node, struct brolga__build, link);

        build->done = NULL;
        kill_group(build, SIGKILL);
    }
    tell_unstartable(&builder->timer);
    uv_close((uv_handle_t *)&builder->timer, timer_closed);
}
