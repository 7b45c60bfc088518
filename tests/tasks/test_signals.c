/*
 * Goal: the host's signal handlers run on the host's threads only.
 *
 * Method: while threads of every kind of ours are there, signals go to the
 * process and the test's thread does not take them. Those that none of ours has
 * taken wait until it does. The handler notes which thread it is on.
 */
#include "tasks/world.h"

#include "plat.h"
#include "tasks/pool.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 64
#define SIGNALS     50

/* --- the host's threads ------------------------------------------------- */

/* Those that the process has had before the runtime. */
static uint64_t hosts[THREADS_MAX];
static int host_count;

static void note_hosts(void)
{
    DIR *folder = opendir("/proc/self/task");
    const struct dirent *entry;

    hosts[0] = brolga__plat_thread_id();
    host_count = 1;
    while (folder != NULL && (entry = readdir(folder)) != NULL &&
           host_count < THREADS_MAX)
        hosts[host_count++] = strtoull(entry->d_name, NULL, 10);
    if (folder != NULL)
        (void)closedir(folder);
}

static bool is_host(uint64_t thread)
{
    for (int i = 0; i < host_count; i++)
        if (hosts[i] == thread)
            return true;
    return false;
}

/* --- the handler -------------------------------------------------------- */

static _Atomic uint32_t handled;
static _Atomic uint32_t strayed;

static void on_signal(int number)
{
    (void)number;
    if (!is_host(brolga__plat_thread_id()))
        (void)brolga__add_relaxed(&strayed, 1);
    (void)brolga__add_release(&handled, 1);
}

static void mask(int how, int number)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, number);
    (void)pthread_sigmask(how, &set, NULL);
}

static bool is_blocked(int number)
{
    sigset_t set;

    (void)pthread_sigmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, number) == 1;
}

/* Sends a signal that this thread takes last. */
static bool one_signal(int number)
{
    uint32_t before = brolga__load_acquire(&handled);

    mask(SIG_BLOCK, number);
    (void)kill(getpid(), number);
    for (int i = 0; i < 20; i++)
        (void)sched_yield();
    mask(SIG_UNBLOCK, number);
    return wait_until(brolga__load_acquire(&handled) > before);
}

/* --- threads of ours ---------------------------------------------------- */

static brolga_word sleep_long(void *arg)
{
    (void)arg;
    return brolga_sleep_until(brolga_after_ns(1000 * BROLGA_S));
}

static void job(void *arg)
{
    (void)gate_spin(arg);
}

static brolga_word wait_for_job(void *arg)
{
    return brolga__pool_run("job", job, arg, BROLGA_FOREVER);
}

struct crowd {
    struct gate gates[4];
    brolga_task *tasks[5];
};

/* A worker that runs and one that rests, one in foreign code and who runs the
 * other tasks meanwhile, a task's own thread, the pool, the timers and the
 * reclaimer. */
static void gather(struct crowd *crowd)
{
    struct brolga_spawn_opts own = {.thread = true};

    crowd->tasks[0] = spawned(sleep_long, NULL);
    crowd->tasks[1] = spawned(wait_for_job, &crowd->gates[0]);
    crowd->tasks[2] = spawned_as(gate_spin, &crowd->gates[1], &own);
    crowd->tasks[3] = spawned(gate_block, &crowd->gates[2]);
    cr_assert(wait_until(is_parked(crowd->tasks[0])));
    crowd->tasks[4] = spawned(gate_run, &crowd->gates[3]);
    for (int i = 0; i < 4; i++)
        cr_assert(gate_reached(&crowd->gates[i]));
}

static void dismiss(struct crowd *crowd)
{
    brolga_cancel(crowd->tasks[0]);
    for (int i = 0; i < 4; i++)
        gate_open(&crowd->gates[i]);
    for (int i = 0; i < 5; i++)
        (void)joined(crowd->tasks[i]);
}

Test(signals, of_the_host_come_to_no_thread_of_ours, .timeout = 120)
{
    static const int numbers[] = {SIGUSR1, SIGINT, SIGTERM};
    struct sigaction action = {.sa_handler = on_signal}, before[3];
    struct crowd crowd = {.gates = {{0}}};

    note_hosts();
    for (int i = 0; i < 3; i++)
        (void)sigaction(numbers[i], &action, &before[i]);
    world_open();
    gather(&crowd);
    for (int i = 0; i < SIGNALS; i++)
        cr_assert(one_signal(numbers[i % 3]));
    cr_assert_eq(brolga__load_acquire(&strayed), 0);
    dismiss(&crowd);
    world_close();
    for (int i = 0; i < 3; i++)
        (void)sigaction(numbers[i], &before[i], NULL);
}

/* --- what stays --------------------------------------------------------- */

/* Of the thread that a task runs on. */
struct seen {
    bool usr1, chld, segv, pipe, prof;
};

static brolga_word see(void *arg)
{
    struct seen *seen = arg;

    seen->usr1 = is_blocked(SIGUSR1);
    seen->chld = is_blocked(SIGCHLD);
    seen->segv = is_blocked(SIGSEGV);
    seen->pipe = is_blocked(SIGPIPE);
    seen->prof = is_blocked(SIGPROF);
    return 0;
}

static void check(const struct seen *seen)
{
    cr_assert(seen->usr1);
    cr_assert(seen->chld);
    cr_assert_not(seen->segv);
    cr_assert_not(seen->pipe);
    cr_assert_not(seen->prof);
}

Test(signals, that_a_thread_causes_itself_come_to_it, .timeout = 60)
{
    struct seen fiber = {0}, thread = {0};

    world_open();
    (void)joined(spawned(see, &fiber));
    (void)joined(
        spawned_as(see, &thread, &(struct brolga_spawn_opts){.thread = true}));
    check(&fiber);
    check(&thread);
    world_close();
}

Test(signals, of_who_creates_threads_stay_as_they_are, .timeout = 60)
{
    struct seen seen = {0};

    mask(SIG_BLOCK, SIGUSR2);
    world_open();
    (void)joined(
        spawned_as(see, &seen, &(struct brolga_spawn_opts){.thread = true}));
    cr_assert(is_blocked(SIGUSR2));
    cr_assert_not(is_blocked(SIGUSR1));
    cr_assert_not(is_blocked(SIGCHLD));
    mask(SIG_UNBLOCK, SIGUSR2);
    world_close();
}
