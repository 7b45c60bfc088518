/*
 * A storm of reloads for race tests: units of real machine code that trap when
 * they are used after their release, and a transaction that redefines a set of
 * slots with fresh units.
 *
 * Released units stay mapped but inaccessible in a quarantine of a fixed size,
 * so that an early release is a crash even when the allocator would have mapped
 * something else there.
 */
#ifndef BROLGA_TESTS_RACE_RELOADS_H
#define BROLGA_TESTS_RACE_RELOADS_H

#include "jit.h"
#include "race/race.h"

#include <brolga/task.h>

#include <pthread.h>

#define QUARANTINE 512

/* One unit, owned by itself: freed when it leaves the quarantine. */
struct storm_unit {
    struct jit_unit jit;
    brolga_word value;
    char name[48];
};

static struct {
    pthread_mutex_t lock;
    struct storm_unit *unit[QUARANTINE];
    uint64_t released;
} quarantine = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Atomic uint64_t storm_made;

/* The release of a storm's unit. */
static inline void storm_release(void *arg)
{
    struct storm_unit *unit = arg, *oldest;

    jit_trap(&unit->jit);
    race_check(jit_releases(&unit->jit) == 1, "%s released twice", unit->name);
    pthread_mutex_lock(&quarantine.lock);
    oldest = quarantine.unit[quarantine.released % QUARANTINE];
    quarantine.unit[quarantine.released++ % QUARANTINE] = unit;
    pthread_mutex_unlock(&quarantine.lock);
    if (oldest != NULL) {
        (void)munmap(oldest->jit.text, oldest->jit.bytes);
        free(oldest);
    }
}

static inline uint64_t storm_released(void)
{
    uint64_t released;

    pthread_mutex_lock(&quarantine.lock);
    released = quarantine.released;
    pthread_mutex_unlock(&quarantine.lock);
    return released;
}

static inline struct storm_unit *storm_unit_new(void)
{
    struct storm_unit *unit = calloc(1, sizeof *unit);

    race_check(unit != NULL, "out of memory");
    return unit;
}

/* Stages a unit, whose code is there, that defines module.symbol. */
static inline void storm_stage_unit(brolga_txn *txn, struct storm_unit *unit,
                                    const char *module, const char *symbol,
                                    const char *signature, brolga_word value,
                                    brolga_unit **staged)
{
    struct brolga_unit_opts opts;
    brolga_unit *handle;
    brolga_slot slot;

    unit->value = value;
    snprintf(unit->name, sizeof unit->name, "%.16s#%lld", module,
             (long long)value);
    opts = jit_opts(&unit->jit, unit->name, BROLGA_RECLAIM);
    opts.release = storm_release;
    opts.arg = unit;
    race_ok(brolga_txn_unit(txn, &opts, &handle));
    race_ok(brolga_txn_define(txn, handle, module, symbol, signature,
                              unit->jit.text, &slot));
    brolga__add_relaxed(&storm_made, 1);
    if (staged != NULL)
        *staged = handle;
}

/* Stages a unit that defines module.symbol; `calls` makes it a caller. */
static inline struct storm_unit *
storm_stage(brolga_txn *txn, const char *module, const char *symbol,
            const char *signature, bool calls, brolga_word value,
            brolga_unit **staged)
{
    struct storm_unit *unit = storm_unit_new();

    race_check(calls ? jit_make_caller(&unit->jit, 0)
                     : jit_make_constant(&unit->jit, value),
               "no page for code");
    storm_stage_unit(txn, unit, module, symbol, signature, value, staged);
    return unit;
}

/* Commits; a cap on live versions, or a stress switch, is not a failure of the
 * test. */
static inline bool storm_commit(brolga_txn *txn)
{
    struct brolga_report report;
    int err = brolga_txn_commit(txn, &report);

    race_check(err == BROLGA_OK || report.refusal == BROLGA_REFUSED_LIMIT ||
                   report.refusal == BROLGA_REFUSED_STRESS,
               "%s", report.text);
    return err == BROLGA_OK;
}

static inline brolga_slot storm_slot(brolga_got *got, const char *module,
                                     const char *symbol)
{
    brolga_slot slot;

    race_ok(brolga_got_find(got, module, symbol, NULL, &slot));
    return slot;
}

/* A safepoint of some kind, mostly a plain one. */
static inline void storm_safepoint(uint64_t *random)
{
    switch (race_random(random) % 16) {
    case 0:
        brolga_yield();
        break;
    case 1:
        (void)brolga_sleep_until(brolga_after_ns(race_random(random) % 100000));
        break;
    case 2:
        brolga_block_begin();
        brolga_block_end();
        break;
    default:
        brolga_safepoint();
    }
}

/* Everything old must go once nobody uses it: waits for that, and checks. */
static inline void storm_settle(brolga *rt, uint32_t units_live)
{
    uint64_t deadline = brolga_after_ns(20 * BROLGA_S);
    uint64_t made = brolga__load_relaxed(&storm_made);
    struct brolga_got_stats stats;

    do {
        (void)brolga_reclaim_step(rt);
        brolga_got_stats(brolga_runtime_got(rt), &stats);
        race_check(brolga_now_ns() < deadline,
                   "%u versions, %u retired units are left; %llu of %llu "
                   "units are released",
                   stats.versions_live, stats.units_retired,
                   (unsigned long long)storm_released(),
                   (unsigned long long)made);
    } while (stats.versions_live > 1 || stats.units_retired > 0 ||
             storm_released() + units_live < made);
    race_check(stats.units_live == units_live, "%u units live",
               stats.units_live);
    race_check(storm_released() + units_live == made, "released too often");
}

#endif
