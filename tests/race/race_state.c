/*
 * Goal: a state that is migrated while tasks write to it loses no write, gets
 * none twice, and is never seen half migrated; a migration that fails, panics,
 * or does not come about leaves it as it was (C7).
 * Method: each version's code says which copy of the state is its own. Tasks
 * count in that one, with plain loads and stores, each in a place of its own,
 * and keep count themselves. Barrier commits copy the state to the next
 * version's, in another order, and spoil the old copy afterwards. In the end
 * both counts must agree. Under ThreadSanitizer it shows that the gate orders
 * all this.
 */
#include "race/reloads.h"

#define TASKS  6
#define COPIES 4096

struct state {
    bool reversed;
    uint64_t count[TASKS];
};

static struct state *copies[COPIES];
static brolga_slot which;
static brolga_word current = 1;
static _Atomic bool stop;
static uint64_t migrations, failures, panics, vetoes, timeouts;

static uint64_t *place(struct state *state, unsigned task)
{
    return &state->count[state->reversed ? TASKS - 1 - task : task];
}

/* --- tasks --------------------------------------------------------------- */

struct counter {
    unsigned task;
    uint64_t count, random;
};

static void count_some(struct counter *counter)
{
    brolga_word number =
        jit_call(brolga_view_self()->slots[which], NULL) % COPIES;
    uint64_t *at = place(copies[number], counter->task);

    for (uint64_t n = race_random(&counter->random) % 4; n > 0; n--) {
        race_check(*at == counter->count, "%llu, not %llu",
                   (unsigned long long)*at, (unsigned long long)counter->count);
        *at += 1;
        counter->count += 1;
    }
}

static brolga_word run(void *arg)
{
    struct counter *counter = arg;

    while (!brolga__load_relaxed(&stop)) {
        count_some(counter);
        storm_safepoint(&counter->random);
    }
    return 0;
}

/* --- migrations ---------------------------------------------------------- */

enum fate { GOES_WELL, SAYS_NO, PANICS, IS_VETOED };

struct migration {
    struct state *from, *to;
    enum fate fate;
};

static int before(void *arg, char *why, size_t bytes)
{
    const struct migration *migration = arg;

    (void)why;
    (void)bytes;
    return migration->fate == IS_VETOED;
}

static int migrate(void *arg, char *why, size_t bytes)
{
    struct migration *migration = arg;

    (void)why;
    (void)bytes;
    for (unsigned i = 0; i < TASKS; i++) {
        *place(migration->to, i) = *place(migration->from, i);
        if (i == TASKS / 2 && migration->fate == SAYS_NO)
            return -1;
        if (i == TASKS / 2 && migration->fate == PANICS)
            brolga_panic("halfway");
    }
    return BROLGA_OK;
}

/* Nobody has it any more: whoever counts in it is found out. */
static void after(void *arg)
{
    const struct migration *migration = arg;

    memset(migration->from->count, 0x55, sizeof migration->from->count);
}

static enum fate any_fate(uint64_t *random)
{
    switch (race_random(random) % 12) {
    case 0:
        return SAYS_NO;
    case 1:
        return PANICS;
    case 2:
        return IS_VETOED;
    default:
        return GOES_WELL;
    }
}

static void check_refusal(const struct brolga_report *report, enum fate fate)
{
    switch (report->refusal) {
    case BROLGA_REFUSED_BARRIER:
        timeouts++;
        break;
    case BROLGA_REFUSED_VETO:
        race_check(fate == IS_VETOED, "%s", report->text);
        vetoes++;
        break;
    case BROLGA_REFUSED_HOOK:
        race_check(fate == SAYS_NO || fate == PANICS, "%s", report->text);
        panics += fate == PANICS;
        failures += fate == SAYS_NO;
        break;
    default:
        race_check(report->refusal == BROLGA_REFUSED_LIMIT, "%s", report->text);
    }
}

static void commit(brolga_got *got, uint64_t *random)
{
    brolga_word next = current + 1;
    struct migration migration = {.from = copies[current % COPIES],
                                  .to = calloc(1, sizeof(struct state)),
                                  .fate = any_fate(random)};
    const struct brolga_hooks hooks = {.before = before,
                                       .migrate = migrate,
                                       .after = after,
                                       .timeout_ns = 60 * BROLGA_S,
                                       .arg = &migration};
    uint64_t deadline_ns = race_random(random) % 6 == 0
                               ? brolga_after_ns(race_random(random) % 300000)
                               : brolga_after_ns(20 * BROLGA_S);
    struct brolga_report report;
    brolga_txn *txn;

    race_check(migration.to != NULL, "%s", "no memory");
    migration.to->reversed = next % 2 == 0;
    copies[next % COPIES] = migration.to; /* No code leads to it yet. */
    race_ok(brolga_txn_begin(got, &txn));
    storm_stage(txn, "state", "which", "int()", false, next, NULL);
    race_ok(brolga_txn_hook(txn, &hooks));
    if (brolga_txn_commit_barrier(txn, deadline_ns, &report) == BROLGA_OK) {
        race_check(report.after[0] == '\0', "%s", report.after);
        free(migration.from);
        current = next;
        migrations++;
        return;
    }
    check_refusal(&report, migration.fate);
    copies[next % COPIES] = NULL;
    free(migration.to);
}

static void begin(brolga_got *got)
{
    brolga_txn *txn;

    copies[current] = calloc(1, sizeof(struct state));
    race_check(copies[current] != NULL, "%s", "no memory");
    race_ok(brolga_txn_begin(got, &txn));
    storm_stage(txn, "state", "which", "int()", false, current, NULL);
    race_check(storm_commit(txn), "state");
    which = storm_slot(got, "state", "which");
}

int main(int argc, char **argv)
{
    struct counter counter[TASKS];
    brolga_task *task[TASKS];
    uint64_t random, sum = 0;
    brolga_got *got;
    brolga *rt;

    race_begin(argc, argv);
    random = race_state(2000);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    got = brolga_runtime_got(rt);
    begin(got);
    for (unsigned i = 0; i < TASKS; i++) {
        struct brolga_spawn_opts opts = {.thread = i == 1};

        counter[i] = (struct counter){.task = i, .random = race_state(i)};
        race_ok(brolga_spawn(rt, run, &counter[i], &opts, &task[i]));
    }
    while (!race_over())
        commit(got, &random);
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < TASKS; i++) {
        race_ok(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL));
        race_check(*place(copies[current % COPIES], i) == counter[i].count,
                   "task %u: %llu of %llu", i,
                   (unsigned long long)*place(copies[current % COPIES], i),
                   (unsigned long long)counter[i].count);
        sum += counter[i].count;
    }
    storm_settle(rt, 1);
    race_check(sum > 0 && migrations > 3, "%llu counted, %llu migrations",
               (unsigned long long)sum, (unsigned long long)migrations);
    race_ok(brolga_destroy(rt));
    free(copies[current % COPIES]);
    printf("%llu counted; %llu migrations, %llu failed, %llu panics, %llu "
           "vetoes, %llu timeouts\n",
           (unsigned long long)sum, (unsigned long long)migrations,
           (unsigned long long)failures, (unsigned long long)panics,
           (unsigned long long)vetoes, (unsigned long long)timeouts);
    return 0;
}
