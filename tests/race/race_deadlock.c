/*
 * Goal: a deadlock is reported if and only if there is one, and those are told
 * who are in it, and nobody else.
 *
 * Method: rounds, each a random program in a runtime whose host acts on no task
 * while it runs. A program is a chain of stages, tasks in one scope, that hand
 * words on over channels from a source to a sink; besides there are tasks that
 * sleep, open scopes, spawn and join, run jobs, or are in foreign code. Such a
 * program ends by construction, and must not be reported. In every second one
 * a knot is planted: one task opens a scope of tasks that wait for one another,
 * each on a channel of its own that only its neighbours would come to; the
 * others of the program wait for that task, in the end. The tasks of the knot
 * must be told, once each, and all others must do what they would have done
 * without.
 *
 *   race_deadlock [--seconds S] [--seed N]
 */
#include <brolga/brolga.h>

#include "alloc.h"
#include "atomic.h"
#include "race.h"
#include "tasks/pool.h"

enum { STAGES_MAX = 6, WORDS_MAX = 40, NOISE_MAX = 8, KNOT_MAX = 5 };

struct program {
    uint64_t random;
    int stages, words, noise, knot; /* knot: 0: none */
    brolga_chan *chan[STAGES_MAX + 1];
    brolga_chan *ring[KNOT_MAX];
    brolga_chan *untied; /* Gets a word when the knot's scope has failed. */
    _Atomic uint64_t sum, told, ended;
    uint64_t reports_before;
    bool as_threads;
};

struct part {
    struct program *program;
    int number;
    uint64_t random;
};

static brolga *rt;
static _Atomic uint64_t reports, knots, programs;

static uint64_t below(uint64_t *random, uint64_t limit)
{
    return race_random(random) % limit;
}

static void on_event(void *arg, const struct brolga_event *event)
{
    (void)arg;
    if (event->kind == BROLGA_EVENT_DEADLOCK)
        (void)brolga__add_relaxed(&reports, 1);
}

/* --- what tasks do besides ---------------------------------------------- */

static void job(void *arg)
{
    (void)arg;
}

static brolga_word nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn_and_join(void)
{
    brolga_task *task;

    race_ok(brolga_spawn(rt, nothing, NULL, NULL, &task));
    race_ok(brolga_join(task, BROLGA_FOREVER, NULL, NULL));
}

static void open_and_join(void)
{
    brolga_scope *scope;

    race_ok(brolga_scope_open(NULL, &scope));
    for (int i = 0; i < 3; i++)
        race_ok(brolga_spawn(rt, nothing, NULL, NULL, NULL));
    race_ok(brolga_scope_join(scope, NULL));
}

/* Anything that ends by itself. */
static void dawdle(uint64_t *random)
{
    switch (below(random, 9)) {
    case 0:
        race_ok(brolga_sleep_until(brolga_now_ns() + below(random, 300000)));
        break;
    case 1:
        spawn_and_join();
        break;
    case 2:
        open_and_join();
        break;
    case 3:
        race_ok(brolga__pool_run("job", job, NULL, BROLGA_FOREVER));
        break;
    case 4:
        brolga_block_begin();
        brolga_block_end();
        break;
    case 5:
        brolga_yield();
        break;
    default:
        break;
    }
}

static brolga_word make_noise(void *arg)
{
    struct part *part = arg;

    for (int i = 0; i < 5; i++)
        dawdle(&part->random);
    return 0;
}

/* --- the stages --------------------------------------------------------- */

static brolga_word source(void *arg)
{
    struct part *part = arg;
    struct program *program = part->program;

    for (int i = 1; i <= program->words; i++) {
        dawdle(&part->random);
        race_ok(brolga_send_word(program->chan[0], i, BROLGA_FOREVER));
    }
    return 0;
}

static brolga_word stage(void *arg)
{
    struct part *part = arg;
    struct program *program = part->program;

    for (int i = 0; i < program->words; i++) {
        brolga_word word;

        race_ok(brolga_recv_word(program->chan[part->number], &word,
                                 BROLGA_FOREVER));
        dawdle(&part->random);
        race_ok(brolga_send_word(program->chan[part->number + 1], word,
                                 BROLGA_FOREVER));
    }
    return 0;
}

/* Waits for the knot, too: if there is one, everybody does in the end. */
static brolga_word sink(void *arg)
{
    struct part *part = arg;
    struct program *program = part->program;
    brolga_word word;

    for (int i = 0; i < program->words; i++) {
        if (i == program->words / 2 && program->knot > 0)
            race_ok(brolga_recv_word(program->untied, &word, BROLGA_FOREVER));
        race_ok(brolga_recv_word(program->chan[program->stages], &word,
                                 BROLGA_FOREVER));
        (void)brolga__add_relaxed(&program->sum, (uint64_t)word);
    }
    return 0;
}

/* --- the knot ----------------------------------------------------------- */

static brolga_word in_knot(void *arg)
{
    struct part *part = arg;
    struct program *program = part->program;
    brolga_chan *mine = program->ring[part->number];
    brolga_chan *next = program->ring[(part->number + 1) % program->knot];
    brolga_word word;
    int err;

    dawdle(&part->random);
    err = below(&part->random, 2) == 0
              ? brolga_recv_word(mine, &word, BROLGA_FOREVER)
              : brolga_send_word(mine, 1, BROLGA_FOREVER);
    if (err == BROLGA_OK)
        err = brolga_send_word(next, 1, BROLGA_FOREVER);
    race_check(err == BROLGA_EDEADLOCK, "%s", brolga_error_name(err));
    race_check(brolga_cancel_reason() == BROLGA_EDEADLOCK, "%s", "reason");
    (void)brolga__add_relaxed(&program->told, 1);
    return 0;
}

static brolga_word tie_knot(void *arg)
{
    struct part *part = arg;
    struct program *program = part->program;
    struct part parts[KNOT_MAX];
    struct brolga_scope_report report;
    brolga_scope *scope;
    char text[256];

    dawdle(&part->random);
    race_ok(brolga_scope_open(NULL, &scope));
    for (int i = 0; i < program->knot; i++) {
        struct brolga_spawn_opts opts = {
            .name = "knot", .thread = program->as_threads && i == 0};

        parts[i] = (struct part){program, i, race_random(&part->random)};
        race_ok(brolga_spawn(rt, in_knot, &parts[i], &opts, NULL));
    }
    race_check(brolga_scope_join(scope, &report) == BROLGA_EDEADLOCK, "%s",
               "the scope does not fail");
    race_check(report.canceled == (uint64_t)program->knot, "%llu told",
               (unsigned long long)report.canceled);
    race_check(brolga_deadlock_text(rt, text, sizeof text) > 0, "%s", "text");
    race_check(brolga_cancel_reason() == BROLGA_OK, "%s", "its opener is told");
    race_ok(brolga_send_word(program->untied, 1, BROLGA_FOREVER));
    return 0;
}

/* --- a program ---------------------------------------------------------- */

static void spawn_part(struct program *program, brolga_task_fn fn, int number)
{
    struct part *part =
        brolga_self() == NULL ? NULL : brolga__alloc(sizeof *part);

    race_check(part != NULL, "%s", "memory");
    *part = (struct part){program, number, race_random(&program->random)};
    race_ok(brolga_defer(brolga__free, part));
    race_ok(brolga_spawn(
        rt, fn, part,
        &(struct brolga_spawn_opts){.name = "part",
                                    .thread = below(&program->random, 16) == 0},
        NULL));
}

/* All in one scope; whoever is told but the knot's tasks fails a check. */
static brolga_word run_program(void *arg)
{
    struct program *program = arg;
    brolga_scope *scope;

    race_ok(brolga_scope_open(NULL, &scope));
    spawn_part(program, source, 0);
    for (int i = 0; i < program->stages; i++)
        spawn_part(program, stage, i);
    spawn_part(program, sink, 0);
    if (program->knot > 0)
        spawn_part(program, tie_knot, 0);
    for (int i = 0; i < program->noise; i++)
        spawn_part(program, make_noise, 0);
    race_ok(brolga_scope_join(scope, NULL));
    return 1;
}

static brolga_chan *channel(const char *name, size_t capacity)
{
    struct brolga_chan_opts opts = {.name = name, .capacity = capacity};
    brolga_chan *chan = NULL;

    race_ok(brolga_chan_create(NULL, &opts, &chan));
    return chan;
}

static void make(struct program *program)
{
    uint64_t *random = &program->random;

    program->stages = (int)below(random, STAGES_MAX);
    program->words = 1 + (int)below(random, WORDS_MAX);
    program->noise = (int)below(random, NOISE_MAX);
    program->knot = below(random, 2) ? 1 + (int)below(random, KNOT_MAX) : 0;
    program->as_threads = below(random, 4) == 0;
    for (int i = 0; i <= program->stages; i++)
        program->chan[i] = channel("stage", below(random, 4));
    for (int i = 0; i < program->knot; i++)
        program->ring[i] = channel("ring", 0);
    program->untied = channel("untied", below(random, 2));
    program->reports_before = brolga__load_relaxed(&reports);
}

static void unmake(struct program *program)
{
    for (int i = 0; i <= program->stages; i++)
        brolga_chan_release(program->chan[i]);
    for (int i = 0; i < program->knot; i++)
        brolga_chan_release(program->ring[i]);
    brolga_chan_release(program->untied);
}

static void check(struct program *program)
{
    uint64_t words = (uint64_t)program->words;

    race_check(brolga__load_relaxed(&program->sum) == words * (words + 1) / 2,
               "%s", "the sum is wrong");
    race_check(brolga__load_relaxed(&program->told) == (uint64_t)program->knot,
               "%llu of %d told",
               (unsigned long long)brolga__load_relaxed(&program->told),
               program->knot);
    (void)brolga__add_relaxed(&programs, 1);
    (void)brolga__add_relaxed(&knots, program->knot > 0);
}

static void run_one(uint64_t *random)
{
    struct program program = {.random = race_random(random)};
    brolga_word result = 0;
    brolga_task *task;

    make(&program);
    race_ok(brolga_spawn(rt, run_program, &program, NULL, &task));
    race_ok(brolga_join(task, BROLGA_FOREVER, &result, NULL));
    race_check(result == 1, "%s", "the program has failed");
    check(&program);
    unmake(&program);
}

int main(int argc, char **argv)
{
    uint64_t random;

    race_begin(argc, argv);
    random = race_state(1);
    while (!race_over()) {
        struct brolga_opts opts = {.workers = 1 + (uint32_t)below(&random, 4),
                                   .deadlocks = BROLGA_DEADLOCKS_FAIL,
                                   .on_event = on_event};

        race_ok(brolga_create(&opts, &rt));
        for (int i = 0; i < 20 && !race_over(); i++)
            run_one(&random);
        race_check(brolga_destroy(rt) == BROLGA_OK, "%s", "tasks are left");
    }
    /* Each was reported once: destruction has ended the reporter. */
    race_check(brolga__load_relaxed(&reports) == brolga__load_relaxed(&knots),
               "%llu reports of %llu deadlocks",
               (unsigned long long)brolga__load_relaxed(&reports),
               (unsigned long long)brolga__load_relaxed(&knots));
    race_check(brolga__load_relaxed(&knots) > 0, "%s", "no deadlock at all");
    printf("%llu programs, %llu with a deadlock\n",
           (unsigned long long)brolga__load_relaxed(&programs),
           (unsigned long long)brolga__load_relaxed(&knots));
    return 0;
}
