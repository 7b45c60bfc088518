/*
 * The stress switches of a runtime, as far as they are the tasks' business:
 * reloads by the number of safepoints, and scans all the time.
 *
 * With `reload` each poll takes the slow path: a task's view points to a round
 * that it never sees. What is counted there has the reclaimer reload: a session
 * (reload/) that has said so loads the same code again; without one a version
 * with the same entries is committed.
 */
#include "tasks/tasks.h"

#include "stress.h"

#include <stdio.h>
#include <stdlib.h>

/* Not a round that there will be. */
static const uint64_t no_round = UINT64_MAX;

int brolga__stress_open(struct brolga *rt)
{
    const char *text = getenv("BROLGA_STRESS");
    struct brolga_stress *stress = &rt->opts.stress;

    (void)pthread_mutex_init(&rt->stress.lock, NULL);
    if (text != NULL && text[0] != '\0' &&
        brolga_stress_parse(text, stress) != BROLGA_OK) {
        fprintf(stderr,
                "brolga: BROLGA_STRESS is to be like "
                "reload=1000,abort=7,scan=1,quarantine=256,seed=1, not '%s'\n",
                text);
        (void)pthread_mutex_destroy(&rt->stress.lock);
        return BROLGA_EINVAL;
    }
    if (stress->abort != 0) {
        rt->opts.got.stress_abort = stress->abort;
        rt->opts.got.stress_seed = stress->seed;
    }
    if (stress->quarantine != 0)
        brolga__quarantine_open(stress->quarantine);
    return BROLGA_OK;
}

void brolga__stress_close(struct brolga *rt)
{
    (void)pthread_mutex_destroy(&rt->stress.lock);
}

const uint64_t *brolga__stress_round(struct brolga *rt)
{
    return rt->opts.stress.reload != 0
               ? &no_round
               : (const uint64_t *)(const void *)&rt->epoch->round;
}

void brolga__stress_count(struct brolga *rt)
{
    uint64_t count = brolga__add_relaxed(&rt->stress.safepoints, 1) + 1;

    if (count % rt->opts.stress.reload != 0)
        return;
    brolga__store_relaxed(&rt->stress.wanted, true);
    brolga__reclaimer_notify(rt);
}

void brolga__stress_reloader(struct brolga *rt, void (*reload)(void *arg),
                             void *arg)
{
    (void)pthread_mutex_lock(&rt->stress.lock);
    rt->stress.reload = reload;
    rt->stress.arg = arg;
    (void)pthread_mutex_unlock(&rt->stress.lock);
}

/* The same entries again. Where there is no room the next one will do. */
static void reload_alone(struct brolga *rt)
{
    brolga_txn *txn;

    if (brolga_txn_begin(rt->got, &txn) == BROLGA_OK)
        (void)brolga_txn_commit(txn, NULL);
}

bool brolga__stress_step(struct brolga *rt)
{
    if (brolga__load_relaxed(&rt->stress.wanted)) {
        brolga__store_relaxed(&rt->stress.wanted, false);
        (void)pthread_mutex_lock(&rt->stress.lock);
        if (rt->stress.reload != NULL)
            rt->stress.reload(rt->stress.arg);
        else
            reload_alone(rt);
        (void)pthread_mutex_unlock(&rt->stress.lock);
    }
    if (rt->opts.stress.scan)
        (void)brolga__epoch_begin_round(rt->epoch);
    return rt->opts.stress.scan;
}
