/*
 * Goal: C7. Refused and aborted transactions leave no trace, also in a storm.
 * Method: one thread mixes good commits with transactions that must be refused
 * (unknown import, wrong signature, duplicate, a change that live units do not
 * accept) or that it aborts, while tasks call. After each bad one the version,
 * the number of slots and of units are what they were, and every unit that it
 * staged has been released.
 */
#include "race/reloads.h"

#define TASKS 4

static brolga_slot shown;
static _Atomic bool stop;

static brolga_word run(void *arg)
{
    uint64_t *calls = arg;
    brolga_word last = 0;

    while (!brolga__load_relaxed(&stop)) {
        brolga_word now = jit_call(brolga_view_self()->slots[shown], NULL);

        race_check(now >= last, "%lld after %lld", (long long)now,
                   (long long)last);
        last = now;
        if (++*calls % 64 == 0)
            brolga_yield();
        else
            brolga_safepoint();
    }
    return 0;
}

static struct storm_unit *stage(brolga_txn *txn, const char *signature,
                                brolga_word number, brolga_unit **unit)
{
    return storm_stage(txn, "shown", "number", signature, false, number, unit);
}

/* A live unit that imports shown.number, so that it must keep its signature. */
static void commit_importer(brolga_got *got)
{
    brolga_unit *unit;
    brolga_slot slot;
    brolga_txn *txn;

    race_ok(brolga_txn_begin(got, &txn));
    storm_stage(txn, "importer", "f", "int()", false, 0, &unit);
    race_ok(brolga_txn_import(txn, unit, "shown", "number", "int()", "here:1",
                              &slot));
    race_check(slot == shown, "another slot");
    race_check(storm_commit(txn), "importer");
}

static enum brolga_refusal spoil(brolga_txn *txn, unsigned kind,
                                 brolga_word number)
{
    brolga_unit *unit;
    brolga_slot slot;

    switch (kind) {
    case 0:
        stage(txn, "int()", number, &unit);
        race_ok(brolga_txn_import(txn, unit, "shown", "nowhere", "int()",
                                  "there:2", &slot));
        return BROLGA_REFUSED_IMPORT;
    case 1:
        stage(txn, "int()", number, &unit);
        race_ok(brolga_txn_import(txn, unit, "importer", "f", "float()",
                                  "there:3", &slot));
        return BROLGA_REFUSED_SIGNATURE;
    case 2:
        stage(txn, "int()", number, NULL);
        stage(txn, "int()", number, NULL);
        return BROLGA_REFUSED_DUPLICATE;
    case 3:
        stage(txn, "long()", number, NULL);
        return BROLGA_REFUSED_IMPORTERS;
    case 4:
        storm_stage(txn, "shown", "other", "int()", false, number, NULL);
        race_ok(brolga_txn_replace(txn, "shown"));
        return BROLGA_REFUSED_IMPORTERS;
    default:
        stage(txn, "int()", number, NULL);
        stage(txn, "short()", number, NULL);
        return BROLGA_REFUSED_NOT; /* To be aborted. */
    }
}

static void bad_one(brolga_got *got, uint64_t *random, brolga_word number)
{
    struct brolga_got_stats before, after;
    struct brolga_report report;
    enum brolga_refusal expected;
    uint64_t made = brolga__load_relaxed(&storm_made), released;
    brolga_txn *txn;

    brolga_got_stats(got, &before);
    race_ok(brolga_txn_begin(got, &txn));
    expected = spoil(txn, (unsigned)(race_random(random) % 6), number);
    made = brolga__load_relaxed(&storm_made) - made;
    released = storm_released();
    if (expected == BROLGA_REFUSED_NOT) {
        brolga_txn_abort(txn);
    } else {
        race_check(brolga_txn_commit(txn, &report) == BROLGA_EREFUSED,
                   "not refused");
        race_check(report.refusal == expected, "refused for %d: %s",
                   (int)report.refusal, report.text);
        race_check(report.text[0] != '\0', "no text");
    }
    /* The reclaimer may have released older ones meanwhile, never fewer. */
    race_check(storm_released() >= released + made, "staged units are left");
    brolga_got_stats(got, &after);
    race_check(after.version == before.version, "a new version");
    race_check(after.slots == before.slots, "%u slots, not %u", after.slots,
               before.slots);
    race_check(after.units_live == before.units_live, "a unit more");
}

static bool good_one(brolga_got *got, brolga_word number)
{
    brolga_txn *txn;

    race_ok(brolga_txn_begin(got, &txn));
    stage(txn, "int()", number, NULL);
    return storm_commit(txn);
}

int main(int argc, char **argv)
{
    uint64_t calls[TASKS] = {0}, bad = 0, random;
    brolga_word number = 1;
    brolga_task *task[TASKS];
    brolga_got *got;
    brolga *rt;

    race_begin(argc, argv);
    random = race_state(0);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    got = brolga_runtime_got(rt);
    race_check(good_one(got, 1), "first commit");
    shown = storm_slot(got, "shown", "number");
    commit_importer(got);
    for (unsigned i = 0; i < TASKS; i++)
        race_ok(brolga_spawn(rt, run, &calls[i], NULL, &task[i]));
    while (!race_over()) {
        bad_one(got, &random, number);
        bad++;
        if (race_random(&random) % 4 == 0 && good_one(got, number + 1))
            number++;
    }
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < TASKS; i++) {
        race_ok(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL));
        race_check(calls[i] > 0, "task %u never called", i);
    }
    storm_settle(rt, 2);
    race_check(number > 1 && bad > 3, "no progress");
    race_ok(brolga_destroy(rt));
    printf("%llu refused or aborted, %lld versions\n", (unsigned long long)bad,
           (long long)number);
    return 0;
}
