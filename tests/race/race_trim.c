/*
 * Goal: whoever takes unused memory from the stacks of parked tasks takes
 * nothing that is used, and loses no wake-up: tasks find their frames as they
 * have left them, and all end.
 *
 * Method: tasks go down to a random depth, filling each frame with words of
 * their own. On the way back some frames park, for a short time or until
 * another one wakes them, and all check their words. Meanwhile a thread trims
 * all the time. Some tasks end, and others get their
 * stacks.
 *
 *   race_trim [--seconds S] [--seed N]
 *
 * With BROLGA_HARD=1 in the environment, and a debug build, the scheduler takes
 * its rare paths often.
 */
#include "race/race.h"

#include <brolga/brolga.h>

#include "tasks/tasks.h"
#include "wait_until.h"

#include <pthread.h>

enum { TASKS = 64, WORDS = 100, DEPTH = 150 };

static brolga *rt;
static _Atomic bool stop;
static brolga_task *_Atomic board[TASKS];
static _Atomic uint64_t rounds, timeouts, wakes;
static uint64_t trims;

struct diver {
    uint64_t random;
    uint32_t number;
};

static uint64_t below(struct diver *self, uint64_t limit)
{
    return race_random(&self->random) % limit;
}

static void wake_someone(struct diver *self)
{
    brolga_task *task = brolga__load_acquire(&board[below(self, TASKS)]);

    if (task != NULL)
        brolga__unpark(task);
}

static void rest(struct diver *self)
{
    int err;

    wake_someone(self);
    err = brolga__park("race", brolga_after_ns(below(self, 1000) * BROLGA_US));
    (void)brolga__add_relaxed(err == BROLGA_OK ? &wakes : &timeouts, 1);
}

__attribute__((noinline)) static void dive(struct diver *self, uint64_t depth)
{
    volatile uint64_t words[WORDS];
    uint64_t mine = race_random(&self->random);

    for (uint64_t i = 0; i < WORDS; i++)
        words[i] = mine ^ i;
    if (depth > 0)
        dive(self, depth - 1);
    if (below(self, 40) == 0)
        rest(self);
    for (uint64_t i = 0; i < WORDS; i++)
        race_check(words[i] == (mine ^ i), "word %u at depth %u", (unsigned)i,
                   (unsigned)depth);
}

/* Dives some times, and then has another one go on with a stack of its own. */
static brolga_word work(void *arg)
{
    struct diver self = {.number = (uint32_t)(uintptr_t)arg};

    self.random = race_state(self.number) + brolga_task_id(brolga_self());
    brolga__store_release(&board[self.number], brolga_self());
    for (uint64_t n = 1 + below(&self, 5); n > 0; n--) {
        dive(&self, below(&self, DEPTH));
        (void)brolga__add_relaxed(&rounds, 1);
    }
    if (!race_over())
        race_ok(brolga_spawn(rt, work, arg, NULL, NULL));
    return 0;
}

/* Each time as if a second had passed since the last. */
static void *trim_all_the_time(void *arg)
{
    uint64_t later_ns = brolga_after_ns(BROLGA_S);

    (void)arg;
    for (; !brolga__load_relaxed(&stop); later_ns += BROLGA_S) {
        (void)brolga__trim(rt, later_ns);
        trims++;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct brolga_opts opts = {.workers = 3, .stack_bytes = 512 << 10};
    unsigned looks = 0;
    pthread_t trimmer;

    race_begin(argc, argv);
    race_ok(brolga_create(&opts, &rt));
    race_check(pthread_create(&trimmer, NULL, trim_all_the_time, NULL) == 0,
               "no thread");
    for (uintptr_t i = 0; i < TASKS; i++)
        race_ok(brolga_spawn(rt, work, (void *)i, NULL, NULL));
    while (brolga_tasks_live(rt) > 0)
        (void)wait_pause(BROLGA_FOREVER, &looks);
    brolga__store_relaxed(&stop, true);
    race_check(pthread_join(trimmer, NULL) == 0, "no end");
    race_ok(brolga_destroy(rt));
    printf("%llu rounds, %llu wakes, %llu timeouts, %llu trims\n",
           (unsigned long long)brolga__load_relaxed(&rounds),
           (unsigned long long)brolga__load_relaxed(&wakes),
           (unsigned long long)brolga__load_relaxed(&timeouts),
           (unsigned long long)trims);
    race_check(trims > 0 && brolga__load_relaxed(&wakes) > 0 &&
                   brolga__load_relaxed(&timeouts) > 0,
               "no progress");
    return 0;
}
