/*
 * Goal: TCP over loopback and local sockets: listening, accepting, connecting,
 * with deadlines, cancellation and closing; and with zero workers.
 * Method: an echo server and several clients as tasks, megabytes of data that
 * tell where they belong.
 */
#include "tasks/io_world.h"

static brolga_io listening(uint16_t *port)
{
    brolga_io listener = 0;

    cr_assert_eq(brolga_tcp_listen("127.0.0.1", 0, &listener), BROLGA_OK);
    cr_assert_eq(brolga_tcp_port(listener, port), BROLGA_OK);
    cr_assert_neq(*port, 0);
    return listener;
}

/* --- echo --------------------------------------------------------------- */

#define CLIENTS 4
#define BYTES   ((size_t)2 << 20)

static brolga_word serve(void *arg)
{
    brolga_io stream = (brolga_io)(uintptr_t)arg;
    char block[16384];
    size_t count = 0;
    int err;

    do {
        err = brolga_io_read(stream, block, sizeof block, limit(), &count);
        if (err == BROLGA_OK)
            err = count > 0
                      ? brolga_io_write(stream, block, count, limit(), NULL)
                      : brolga_io_shutdown(stream, limit());
    } while (err == BROLGA_OK && count > 0);
    (void)brolga_io_close(stream);
    return err;
}

/* Serves each connection in a task of its own, until the listener is closed. */
static brolga_word echo(void *arg)
{
    brolga_io listener = *(brolga_io *)arg, stream = 0;
    int err;

    while ((err = brolga_io_accept(listener, limit(), &stream)) == BROLGA_OK) {
        err = brolga_spawn(brolga_runtime(), serve, (void *)(uintptr_t)stream,
                           NULL, NULL);
        if (err != BROLGA_OK)
            break;
    }
    return err;
}

struct client {
    brolga_io stream;
    uint16_t port;
    size_t from; /* Where in the pattern this one's bytes begin. */
    bool same;
};

static brolga_word send_pattern(void *arg)
{
    struct client *client = arg;
    unsigned char block[10000];
    int err = BROLGA_OK;

    for (size_t done = 0; done < BYTES && err == BROLGA_OK;) {
        size_t count =
            BYTES - done < sizeof block ? BYTES - done : sizeof block;

        for (size_t i = 0; i < count; i++)
            block[i] = pattern(client->from + done + i);
        err = brolga_io_write(client->stream, block, count, limit(), NULL);
        done += count;
    }
    return err == BROLGA_OK ? brolga_io_shutdown(client->stream, limit()) : err;
}

static bool receive_pattern(struct client *client)
{
    char block[30000];
    size_t done = 0, count = 0;

    client->same = true;
    do {
        if (brolga_io_read(client->stream, block, sizeof block, limit(),
                           &count) != BROLGA_OK)
            return false;
        if (!is_pattern(block, client->from + done, count))
            client->same = false;
        done += count;
    } while (count > 0);
    return done == BYTES;
}

static brolga_word converse(void *arg)
{
    struct client *client = arg;
    brolga_task *sender;
    brolga_word sent = BROLGA_EFAILED;
    bool all;
    int err =
        brolga_tcp_connect("127.0.0.1", client->port, limit(), &client->stream);

    if (err != BROLGA_OK)
        return err;
    err = brolga_spawn(brolga_runtime(), send_pattern, client, NULL, &sender);
    if (err != BROLGA_OK)
        return err;
    all = receive_pattern(client);
    err = brolga_join(sender, limit(), &sent, NULL);
    (void)brolga_io_close(client->stream);
    return err == BROLGA_OK && sent == BROLGA_OK && all ? 1 : 0;
}

static void echo_with(uint32_t workers, bool threads)
{
    struct brolga_spawn_opts opts = {.thread = threads};
    struct client clients[CLIENTS];
    brolga_task *server, *tasks[CLIENTS];
    brolga_io listener;
    uint16_t port = 0;

    io_open_with(&(struct brolga_opts){.workers = workers});
    listener = listening(&port);
    server = spawned(echo, &listener);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.port = port, .from = (size_t)i * 12345};
        tasks[i] = spawned_as(converse, &clients[i], &opts);
    }
    for (int i = 0; i < CLIENTS; i++) {
        cr_assert_eq(joined(tasks[i]), 1);
        cr_assert(clients[i].same);
    }
    cr_assert_eq(brolga_io_close(listener), BROLGA_OK);
    cr_assert_eq(joined(server), BROLGA_ECLOSED);
    io_close();
}

Test(io_socket, several_clients_get_back_megabytes_as_they_sent_them)
{
    echo_with(2, false);
}

Test(io_socket, one_worker_is_enough_for_all_of_them)
{
    echo_with(1, false);
}

Test(io_socket, tasks_on_threads_of_their_own_may_be_clients)
{
    echo_with(1, true);
}

static brolga_word make_listener(void *arg)
{
    return brolga_tcp_listen("127.0.0.1", 0, arg);
}

static brolga_word ask_port(void *arg)
{
    brolga_io listener = *(brolga_io *)arg;
    uint16_t port = 0;

    return brolga_tcp_port(listener, &port) == BROLGA_OK ? port : 0;
}

/* The test's thread drives: it cannot be attached, so tasks do all calls. */
static brolga_word driven(brolga_task_fn fn, void *arg)
{
    brolga_task *task = spawned(fn, arg);
    brolga_word result = -1;
    uint64_t end = limit();
    int err;

    do {
        (void)brolga_drive(rt, BROLGA_FOREVER);
        err = brolga_join(task, BROLGA_NOW, &result, NULL);
    } while (err == BROLGA_ETIMEOUT && brolga_now_ns() < end);
    cr_assert_eq(err, BROLGA_OK);
    return result;
}

Test(io_socket, a_host_that_drives_its_tasks_has_the_same)
{
    struct client client = {.from = 99};
    brolga_task *server;
    brolga_io listener = 0;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    cr_assert_eq(driven(make_listener, &listener), BROLGA_OK);
    client.port = (uint16_t)driven(ask_port, &listener);
    server = spawned(echo, &listener);
    cr_assert_eq(driven(converse, &client), 1);
    cr_assert(client.same);
    brolga_cancel(server);
    while (brolga_tasks_live(rt) > 0)
        (void)brolga_drive(rt, BROLGA_FOREVER);
    cr_assert_eq(joined(server), BROLGA_ECANCELED);
    world_close();
}

/* --- accepting and connecting ------------------------------------------- */

Test(io_socket, accept_ends_by_deadline_cancel_and_close)
{
    struct one_accept one = {.stream = 77, .deadline_ns = BROLGA_FOREVER};
    brolga_task *task;
    uint16_t port = 0;

    io_open();
    one.listener = listening(&port);
    cr_assert_eq(brolga_io_accept(one.listener, soon(), &one.stream),
                 BROLGA_ETIMEOUT);
    task = spawned(accept_one, &one);
    cr_assert(parks_in(task, "accept"));
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    task = spawned(accept_one, &one);
    cr_assert(parks_in(task, "accept"));
    cr_assert_eq(brolga_io_close(one.listener), BROLGA_OK);
    cr_assert_eq(joined(task), BROLGA_ECLOSED);
    cr_assert_eq(one.stream, 77);
    io_close();
}

Test(io_socket, a_connection_outlives_an_accept_that_was_canceled)
{
    struct one_accept one = {.deadline_ns = BROLGA_FOREVER};
    brolga_io client = 0;
    brolga_task *task;
    uint16_t port = 0;

    io_open();
    one.listener = listening(&port);
    task = spawned(accept_one, &one);
    cr_assert(parks_in(task, "accept"));
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    cr_assert_eq(brolga_tcp_connect("127.0.0.1", port, limit(), &client),
                 BROLGA_OK);
    cr_assert_eq(write_text(client, "patient"), BROLGA_OK);
    cr_assert_eq(brolga_io_accept(one.listener, limit(), &one.stream),
                 BROLGA_OK);
    cr_assert(reads(one.stream, "patient"));
    cr_assert_eq(brolga_io_close(client), BROLGA_OK);
    cr_assert(at_end(one.stream));
    cr_assert_eq(brolga_io_close(one.stream), BROLGA_OK);
    cr_assert_eq(brolga_io_close(one.listener), BROLGA_OK);
    io_close();
}

Test(io_socket, refusals_are_told_apart)
{
    brolga_io listener, other = 77;
    uint16_t port = 0;

    io_open();
    listener = listening(&port);
    cr_assert_eq(brolga_tcp_listen("127.0.0.1", port, &other), BROLGA_EBUSY);
    cr_assert_str_eq(brolga_io_error(), "address already in use");
    cr_assert_eq(brolga_tcp_listen("localhost", 0, &other), BROLGA_EINVAL);
    cr_assert_eq(brolga_io_close(listener), BROLGA_OK);
    cr_assert_eq(brolga_tcp_connect("127.0.0.1", port, limit(), &other),
                 BROLGA_EREFUSED);
    cr_assert_str_eq(brolga_io_error(), "connection refused");
    cr_assert_eq(brolga_tcp_connect("nowhere", port, limit(), &other),
                 BROLGA_EINVAL);
    cr_assert_eq(other, 77);
    /* The port is free again at once. */
    cr_assert_eq(brolga_tcp_listen("127.0.0.1", port, &listener), BROLGA_OK);
    cr_assert_eq(brolga_io_close(listener), BROLGA_OK);
    io_close();
}

Test(io_socket, a_local_socket_is_a_path_while_it_listens)
{
    brolga_io listener = 0, client = 0, server = 0, other = 77;
    uint16_t port = 77;

    io_open();
    cr_assert_eq(brolga_pipe_connect(in_folder("s"), &other), BROLGA_ENOENT);
    cr_assert_eq(brolga_pipe_listen(in_folder("s"), &listener), BROLGA_OK);
    cr_assert_eq(brolga_pipe_listen(in_folder("s"), &other), BROLGA_EBUSY);
    cr_assert_eq(brolga_pipe_listen("", &other), BROLGA_EINVAL);
    cr_assert_eq(brolga_tcp_port(listener, &port), BROLGA_EINVAL);
    cr_assert_eq(brolga_pipe_connect(in_folder("s"), &client), BROLGA_OK);
    cr_assert_eq(brolga_io_accept(listener, limit(), &server), BROLGA_OK);
    cr_assert_eq(write_text(server, "local"), BROLGA_OK);
    cr_assert(reads(client, "local"));
    cr_assert_eq(brolga_io_close(listener), BROLGA_OK);
    cr_assert_neq(access(in_folder("s"), F_OK), 0);
    cr_assert_eq(write_text(client, "goes on"), BROLGA_OK);
    cr_assert(reads(server, "goes on"));
    cr_assert_eq(brolga_io_close(client), BROLGA_OK);
    cr_assert_eq(brolga_io_close(server), BROLGA_OK);
    cr_assert_eq(other, 77);
    io_close();
}

Test(io_socket, want_of_memory_at_any_point_leaves_nothing)
{
    bool failed = true;
    uint16_t port = 0;
    brolga_io listener;

    io_open();
    listener = listening(&port);
    for (uint64_t nth = 1; failed; nth++) {
        brolga_io client = 0;
        int err;

        brolga__alloc_fail_nth(nth);
        err = brolga_tcp_connect("127.0.0.1", port, BROLGA_FOREVER, &client);
        brolga__alloc_fail_nth(0);
        failed = err != BROLGA_OK;
        cr_assert(!failed || err == BROLGA_ENOMEM);
        cr_assert(nth > 1 || failed);
        if (!failed)
            cr_assert_eq(brolga_io_close(client), BROLGA_OK);
    }
    cr_assert_eq(brolga_io_close(listener), BROLGA_OK);
    io_close();
}
