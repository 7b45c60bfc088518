/*
 * Goal: C5 and C6. A RECLAIM unit is released as soon as the last frame has
 * left it, and not before; a task that is parked deep inside old code keeps
 * exactly that unit, and is named.
 * Method: tasks call into a unit and do there whatever a frame can do: yield,
 * sleep, block in foreign code, reach safepoints, call deeper, and make a
 * closure (a pin) that is called and dropped later, from a stack that has been
 * found clean meanwhile. A released unit traps on every use, so that an early
 * release is a crash. Sitters park in one unit while many others come and go,
 * and check that theirs is alive, named with the right task, and gone soon
 * after they have left.
 */
#include "race/reloads.h"
#include "wait_until.h"

#define TASKS   6
#define SITTERS 2

static brolga *rt;
static brolga_got *got;
static brolga_slot enter; /* Calls back, from a frame in its unit. */
static _Atomic bool stop;
static _Atomic uint64_t sat;

/* The closure that a frame leaves behind: code that is pinned. */
struct closure {
    const void *code;
    brolga_unit *unit;
};

struct party {
    uint64_t random;
    uint64_t visits;
    int depth;
    struct closure closure;
};

static brolga_word inside(void *arg);

static brolga_word call_unit(const void *code, struct party *party)
{
    struct jit_call call = {inside, party};

    return jit_call(code, &call);
}

static void make_closure(struct party *party)
{
    /* The frame below us is in the unit of our view or an older one; the pin
     * is for the one that the view names now, which cannot go meanwhile. */
    const void *code = brolga_view_self()->slots[enter];

    if (party->closure.unit != NULL)
        return;
    party->closure.unit = brolga_got_pin_address(got, code);
    party->closure.code = code;
    race_check(party->closure.unit != NULL, "no unit at %p", code);
}

/* Calls the closure, and drops it while it runs. */
static brolga_word drop_and_run(void *arg)
{
    struct party *party = arg;

    brolga_unit_unpin(party->closure.unit);
    party->closure.unit = NULL;
    brolga_safepoint();
    if (race_random(&party->random) % 2 == 0)
        brolga_yield();
    return 0;
}

static void run_closure(struct party *party)
{
    struct jit_call call = {drop_and_run, party};

    if (party->closure.unit != NULL)
        (void)jit_call(party->closure.code, &call);
}

static void act(struct party *party)
{
    switch (race_random(&party->random) % 12) {
    case 0:
    case 1:
        brolga_yield();
        break;
    case 2:
        (void)brolga_sleep_until(
            brolga_after_ns(race_random(&party->random) % 300000));
        break;
    case 3:
        brolga_block_begin();
        sched_yield();
        brolga_block_end();
        break;
    case 4:
    case 5:
        if (party->depth < 5) {
            party->depth++;
            (void)call_unit(brolga_view_self()->slots[enter], party);
            party->depth--;
        }
        break;
    case 6:
        make_closure(party);
        break;
    case 7:
        run_closure(party);
        break;
    default:
        brolga_safepoint();
    }
}

static brolga_word inside(void *arg)
{
    struct party *party = arg;
    unsigned acts = (unsigned)(race_random(&party->random) % 4);

    party->visits++;
    for (unsigned i = 0; i < acts; i++)
        act(party);
    return 0;
}

static brolga_word visit(void *arg)
{
    struct party *party = arg;

    while (!brolga__load_relaxed(&stop)) {
        (void)call_unit(brolga_view_self()->slots[enter], party);
        act(party);
    }
    run_closure(party);
    return (brolga_word)party->visits;
}

/* --- sitters ------------------------------------------------------------ */

struct sitter {
    uint64_t random;
    struct storm_unit *unit; /* Whose code we sit in. */
    uint64_t task;
    bool named, wrongly;
};

static struct storm_unit *_Atomic newest;

static void find_self(void *arg, const struct brolga_holder *holder)
{
    struct sitter *sitter = arg;

    if (holder->task != sitter->task)
        return;
    if (strcmp(holder->unit, sitter->unit->name) == 0)
        sitter->named |= holder->reason == BROLGA_HOLD_FRAME ||
                         holder->reason == BROLGA_HOLD_RUNNING;
    else if (holder->reason == BROLGA_HOLD_FRAME)
        sitter->wrongly = true;
}

/* A search is conservative: a word that an earlier call has left in a hole of
 * our frames may name a unit that we do not hold. It is gone after this. */
__attribute__((noinline)) static void overwrite_stack(void)
{
    volatile char bytes[8 << 10];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 0;
}

/* Sits until many other units have been released, then asks who holds ours:
 * its own task must be named, for this unit and no other. */
static brolga_word sit(void *arg)
{
    struct sitter *sitter = arg;
    uint64_t until = storm_released() + 20 + race_random(&sitter->random) % 50;
    uint64_t deadline = brolga_after_ns(20 * BROLGA_S);
    int wrongs = 0;

    sitter->task = brolga_task_id(brolga_self());
    sitter->named = sitter->wrongly = false;
    while (storm_released() < until && !brolga__load_relaxed(&stop)) {
        (void)brolga_sleep_until(brolga_after_ns(2 * BROLGA_MS));
        race_check(brolga_now_ns() < deadline, "nothing is released");
    }
    race_check(jit_releases(&sitter->unit->jit) == 0, "released under us");
    /* What nothing has replaced, and will, is nobody's burden. */
    if (brolga__load_relaxed(&stop) ||
        brolga__load_acquire(&newest) == sitter->unit)
        return 0;
    while (!sitter->named && brolga_now_ns() < deadline) {
        (void)brolga_holders(rt, find_self, sitter);
        race_check(!sitter->wrongly || ++wrongs < 4, "we hold only %s",
                   sitter->unit->name);
        if (sitter->wrongly)
            sitter->wrongly = sitter->named = false;
        overwrite_stack();
        (void)brolga_sleep_until(brolga_after_ns(BROLGA_MS));
    }
    race_check(sitter->named, "task %llu in %s is not named",
               (unsigned long long)sitter->task, sitter->unit->name);
    brolga__add_relaxed(&sat, 1);
    return 0;
}

/* Enters by the address of the newest unit: it is pinned until we are in. */
static brolga_word sit_again(void *arg)
{
    struct sitter *sitter = arg;
    struct jit_call call = {sit, sitter};

    while (!brolga__load_relaxed(&stop)) {
        const void *code = brolga_view_self()->slots[enter];
        struct storm_unit *unit = brolga__load_acquire(&newest);

        if (code == unit->jit.text) {
            sitter->unit = unit;
            overwrite_stack(); /* The holes of the frames to come. */
            (void)jit_call(code, &call);
        }
        brolga_yield();
    }
    return 0;
}

/* --- the storm ---------------------------------------------------------- */

static bool commit_next(brolga_word number)
{
    struct storm_unit *unit;
    brolga_txn *txn;

    race_ok(brolga_txn_begin(got, &txn));
    unit = storm_stage(txn, "code", "enter", "int(call)", true, number, NULL);
    /* Its record lives as long as the quarantine: read before release. */
    if (!storm_commit(txn))
        return false;
    brolga__store_release(&newest, unit);
    return true;
}

static brolga_word storm(void)
{
    uint64_t random = race_state(1000);
    brolga_word number = 1;

    while (!race_over()) {
        if (commit_next(number + 1))
            number++;
        else
            sched_yield();
        if (race_random(&random) % 8 == 0)
            wait_pause(0, &(unsigned){1000});
    }
    return number;
}

int main(int argc, char **argv)
{
    struct party party[TASKS];
    struct sitter sitter[SITTERS];
    brolga_task *task[TASKS + SITTERS];
    brolga_word visits, total = 0, commits;

    race_begin(argc, argv);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    got = brolga_runtime_got(rt);
    race_check(commit_next(1), "first commit");
    enter = storm_slot(got, "code", "enter");
    for (unsigned i = 0; i < TASKS; i++) {
        party[i] = (struct party){.random = race_state(i)};
        race_ok(brolga_spawn(rt, visit, &party[i],
                             &(struct brolga_spawn_opts){.thread = i == 0},
                             &task[i]));
    }
    for (unsigned i = 0; i < SITTERS; i++) {
        sitter[i] = (struct sitter){.random = race_state(100 + i)};
        race_ok(
            brolga_spawn(rt, sit_again, &sitter[i], NULL, &task[TASKS + i]));
    }
    commits = storm();
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < TASKS + SITTERS; i++) {
        race_ok(brolga_join(task[i], BROLGA_FOREVER, &visits, NULL));
        total += visits;
    }
    storm_settle(rt, 1);
    race_check(total > 0 && commits > 3, "%lld visits, %lld commits",
               (long long)total, (long long)commits);
    race_ok(brolga_destroy(rt));
    printf("%lld visits, %lld versions, %llu sittings\n", (long long)total,
           (long long)commits, (unsigned long long)sat);
    return 0;
}
