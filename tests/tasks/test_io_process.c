/*
 * Goal: children get their arguments, environment, folder and pipes; their end
 * is told once they have ended, to all who ask; a signal reaches them only.
 * Method: sh and cat as children.
 */
#include "tasks/io_world.h"

#include <signal.h>

static struct brolga_exit ended(brolga_io process)
{
    struct brolga_exit end = {-1, -1};
    int err = brolga_process_wait(process, limit(), &end);

    cr_assert_eq(err, BROLGA_OK, "%s\n", brolga_error_name(err));
    return end;
}

/* A shell that runs a line. */
static brolga_io shell(const char *line, enum brolga_stdio out,
                       brolga_io pipes[3])
{
    const char *const argv[] = {"sh", "-c", line, NULL};
    struct brolga_process_opts opts = {
        .argv = argv, .stdio = {BROLGA_STDIO_NULL, out, BROLGA_STDIO_INHERIT}};
    brolga_io process = 0;
    int err = brolga_process_spawn(&opts, &process, pipes);

    cr_assert_eq(err, BROLGA_OK, "%s: %s\n", brolga_error_name(err),
                 brolga_io_error());
    return process;
}

static brolga_io cat(brolga_io pipes[3])
{
    static const char *const argv[] = {"cat", NULL};
    struct brolga_process_opts opts = {
        .argv = argv,
        .stdio = {BROLGA_STDIO_PIPE, BROLGA_STDIO_PIPE, BROLGA_STDIO_INHERIT}};
    brolga_io process = 0;

    cr_assert_eq(brolga_process_spawn(&opts, &process, pipes), BROLGA_OK);
    return process;
}

static void closed(brolga_io io)
{
    cr_assert_eq(brolga_io_close(io), BROLGA_OK);
}

/* Writes megabytes, in a task, while the test reads. */
struct feed {
    brolga_io stream;
    char *block;
    size_t bytes;
};

static brolga_word feed(void *arg)
{
    struct feed *from = arg;
    int err =
        brolga_io_write(from->stream, from->block, from->bytes, limit(), NULL);

    return err == BROLGA_OK ? brolga_io_close(from->stream) : err;
}

Test(io_process, what_goes_through_cat_comes_back)
{
    enum { BYTES = 3 << 20 };
    brolga_io pipes[3] = {77, 77, 77}, process;
    struct feed from = {.bytes = BYTES};
    struct brolga_exit end;
    brolga_task *task;
    char *back;

    io_open();
    process = cat(pipes);
    cr_assert_eq(pipes[2], 0);
    from.stream = pipes[0];
    from.block = pattern_block(BYTES);
    back = brolga__alloc(BYTES);
    task = spawned(feed, &from);
    cr_assert_eq(read_exactly(pipes[1], back, BYTES), BROLGA_OK);
    cr_assert(is_pattern(back, 0, BYTES));
    cr_assert(at_end(pipes[1]));
    cr_assert_eq(joined(task), BROLGA_OK);
    end = ended(process);
    cr_assert_eq(end.code, 0);
    cr_assert_eq(end.signal, 0);
    brolga__free(from.block);
    brolga__free(back);
    closed(pipes[1]);
    closed(process);
    io_close();
}

Test(io_process, exit_codes_and_signals_are_told_as_often_as_asked)
{
    brolga_io process;

    io_open();
    process = shell("exit 7", BROLGA_STDIO_NULL, NULL);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(ended(process).code, 7);
        cr_assert_eq(ended(process).signal, 0);
    }
    cr_assert_eq(brolga_process_kill(process, SIGKILL), BROLGA_ENOENT);
    closed(process);
    process = shell("kill -TERM $$", BROLGA_STDIO_NULL, NULL);
    cr_assert_eq(ended(process).signal, SIGTERM);
    closed(process);
    io_close();
}

Test(io_process, a_child_is_killed_by_its_handle)
{
    brolga_io pipes[3], process;

    io_open();
    process = cat(pipes);
    cr_assert_eq(write_text(pipes[0], "alive"), BROLGA_OK);
    cr_assert(reads(pipes[1], "alive"));
    cr_assert_eq(brolga_process_kill(process, SIGKILL), BROLGA_OK);
    cr_assert_eq(ended(process).signal, SIGKILL);
    cr_assert(at_end(pipes[1]));
    cr_assert_eq(write_text(pipes[0], "x"), BROLGA_EIO);
    closed(pipes[0]);
    closed(pipes[1]);
    closed(process);
    io_close();
}

Test(io_process, environment_and_folder_are_as_asked)
{
    const char *const argv[] = {"/bin/sh", "-c", "echo $WHO in; pwd", NULL};
    const char *const env[] = {"WHO=brolga", NULL};
    struct brolga_process_opts opts = {
        .argv = argv,
        .env = env,
        .stdio = {BROLGA_STDIO_NULL, BROLGA_STDIO_PIPE, BROLGA_STDIO_NULL}};
    brolga_io pipes[3], process = 0;

    io_open();
    opts.cwd = folder;
    cr_assert_eq(brolga_process_spawn(&opts, &process, pipes), BROLGA_OK);
    cr_assert(reads(pipes[1], "brolga in\n"));
    cr_assert(reads(pipes[1], folder));
    cr_assert(reads(pipes[1], "\n"));
    cr_assert(at_end(pipes[1]));
    cr_assert_eq(ended(process).code, 0);
    closed(pipes[1]);
    closed(process);
    io_close();
}

Test(io_process, what_cannot_be_started_leaves_nothing)
{
    const char *const argv[] = {"/nonexistent/program", NULL};
    const char *const none[] = {NULL};
    struct brolga_process_opts opts = {
        .argv = argv,
        .stdio = {BROLGA_STDIO_PIPE, BROLGA_STDIO_PIPE, BROLGA_STDIO_PIPE}};
    brolga_io pipes[3] = {77, 77, 77}, process = 77;

    io_open();
    cr_assert_eq(brolga_process_spawn(&opts, &process, pipes), BROLGA_ENOENT);
    cr_assert_str_eq(brolga_io_error(), "no such file or directory");
    cr_assert_eq(brolga_process_spawn(&opts, &process, NULL), BROLGA_EINVAL);
    opts.argv = none;
    cr_assert_eq(brolga_process_spawn(&opts, &process, pipes), BROLGA_EINVAL);
    cr_assert_eq(process, 77);
    cr_assert_eq(pipes[0], 77);
    io_close();
}

/* --- waiting ------------------------------------------------------------ */

struct one_wait {
    brolga_io process;
    struct brolga_exit end;
};

static brolga_word wait_one(void *arg)
{
    struct one_wait *one = arg;

    return brolga_process_wait(one->process, BROLGA_FOREVER, &one->end);
}

Test(io_process, waiting_ends_by_deadline_cancel_and_close)
{
    struct one_wait one = {.end = {77, 77}};
    brolga_io pipes[3];
    brolga_task *task;

    io_open();
    one.process = cat(pipes);
    cr_assert_eq(brolga_process_wait(one.process, soon(), &one.end),
                 BROLGA_ETIMEOUT);
    task = spawned(wait_one, &one);
    cr_assert(parks_in(task, "process wait"));
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    task = spawned(wait_one, &one);
    cr_assert(parks_in(task, "process wait"));
    closed(one.process);
    cr_assert_eq(joined(task), BROLGA_ECLOSED);
    cr_assert_eq(one.end.code, 77);
    /* The child runs on, and ends when its input does. */
    cr_assert_eq(write_text(pipes[0], "still here"), BROLGA_OK);
    cr_assert(reads(pipes[1], "still here"));
    closed(pipes[0]);
    cr_assert(at_end(pipes[1]));
    closed(pipes[1]);
    io_close();
}

Test(io_process, all_who_wait_are_told_of_the_end)
{
    enum { WAITERS = 5 };
    struct one_wait ones[WAITERS];
    brolga_task *tasks[WAITERS];
    brolga_io pipes[3], process;

    io_open();
    process = cat(pipes);
    for (int i = 0; i < WAITERS; i++) {
        ones[i] = (struct one_wait){process, {77, 77}};
        tasks[i] = spawned(wait_one, &ones[i]);
        cr_assert(parks_in(tasks[i], "process wait"));
    }
    closed(pipes[0]);
    for (int i = 0; i < WAITERS; i++) {
        cr_assert_eq(joined(tasks[i]), BROLGA_OK);
        cr_assert_eq(ones[i].end.code, 0);
        cr_assert_eq(ones[i].end.signal, 0);
    }
    closed(pipes[1]);
    closed(process);
    io_close();
}

Test(io_process, a_runtime_goes_while_a_child_runs)
{
    brolga_io pipes[3];

    io_open();
    (void)cat(pipes);
    (void)cat(pipes);
    io_close(); /* Its pipes go too, so that cat ends by itself. */
}

Test(io_process, many_children_at_once)
{
    enum { CHILDREN = 12 };
    brolga_io processes[CHILDREN], pipes[CHILDREN][3];

    io_open();
    for (int i = 0; i < CHILDREN; i++)
        processes[i] = cat(pipes[i]);
    for (int i = 0; i < CHILDREN; i++)
        cr_assert_eq(write_text(pipes[i][0], "to you"), BROLGA_OK);
    /* None has inherited another's pipe: each sees the end of its own. */
    for (int i = 0; i < CHILDREN; i++) {
        closed(pipes[i][0]);
        cr_assert(reads(pipes[i][1], "to you"));
        cr_assert(at_end(pipes[i][1]));
        cr_assert_eq(ended(processes[i]).code, 0);
        closed(pipes[i][1]);
        closed(processes[i]);
    }
    io_close();
}

Test(io_process, a_child_has_no_signal_blocked)
{
    static const char none[] = "SigBlk:\t0000000000000000\n";
    brolga_io pipes[3], process;
    char line[sizeof none] = "";

    io_open();
    process =
        shell("exec grep SigBlk /proc/self/status", BROLGA_STDIO_PIPE, pipes);
    cr_assert_eq(read_exactly(pipes[1], line, sizeof none - 1), BROLGA_OK);
    cr_assert_str_eq(line, none);
    cr_assert_eq(ended(process).code, 0);
    closed(pipes[1]);
    closed(process);
    io_close();
}
