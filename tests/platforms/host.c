/*
 * A host with a Brolga of its own, and the platform for such hosts, one program
 * for each name; test_host.sh looks at what they say and their status.
 *
 *   host DLL NAME [v2]
 */
#include "mock.h"

#include <brolga/brolga.h>

#include <sched.h>
#include <stdio.h>
#include <string.h>

static brolga *rt;

static void start(void)
{
    static const struct brolga_opts opts = {.workers = 2};

    CHECK(brolga_create(&opts, &rt) == BROLGA_OK);
    CHECK(brolga_attach_thread(rt, "prompt") == BROLGA_OK);
}

/* The host ends the runtime, and can: nothing of the platform's is left, once a
 * task that has given its result has ended, too. */
static void stop(void)
{
    uint64_t deadline_ns = brolga_after_ns(20 * BROLGA_S);
    int err;

    brolga_detach_thread();
    while ((err = brolga_destroy(rt)) == BROLGA_EBUSY &&
           brolga_now_ns() < deadline_ns)
        (void)sched_yield();
    CHECK(err == BROLGA_OK);
}

static word receive(word self)
{
    word io = call_1("recv-int", capture(self, 0));

    CHECK(brolga_runtime() == rt);
    return mock_io(at(io_value(io))[1]);
}

static word spawn(word chan)
{
    return io_value(
        call_1("spawn-int", closure_make((closure_code)receive, 1, &chan)));
}

static void count_spawned(void *arg, const struct brolga_task_info *task)
{
    if (strcmp(task->name, "spawn-int") == 0)
        ++*(int *)arg;
}

/* --- the programs ------------------------------------------------------- */

/* The platform's tasks are the host's: it sees them, and calls them by a
 * channel as its own. */
static void shared(void)
{
    word chan, task;
    int seen = 0;

    start();
    chan = io_value(call_1("chan-int", 0));
    task = spawn(chan);
    (void)brolga_tasks_each(rt, count_spawned, &seen);
    CHECK(seen == 1);
    (void)call_2("send-int", chan, 42);
    CHECK(io_value(call_1("await-int", task)) == 42);
    stop();
}

/* Nobody has said which runtime it is. */
static void unattached(void)
{
    (void)call_1("chan-int", 0);
}

static word receive_for_ever(word self)
{
    (void)call_1("recv-int", capture(self, 0));
    return mock_io(0);
}

/* What runs when the host says good-bye is ended, so that it can go on. */
static void good_bye(void)
{
    word chan;

    start();
    chan = io_value(call_1("chan-int", 0));
    (void)call_1("spawn-int",
                 closure_make((closure_code)receive_for_ever, 1, &chan));
    mock_on_shutdown();
    stop();
}

static const struct {
    const char *name;
    void (*run)(void);
} programs[] = {
    {"shared", shared}, {"unattached", unattached}, {"good-bye", good_bye}};

int main(int argc, char **argv)
{
    CHECK(argc > 2);
    (argc > 3 ? mock_load_v2 : mock_load)(argv[1]);
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (strcmp(argv[2], programs[i].name) == 0) {
            programs[i].run();
            return 0;
        }
    return 99;
}
