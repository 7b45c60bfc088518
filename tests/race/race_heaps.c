/*
 * Goal: tasks with heaps fail, or end well, while others use and drop what
 * moved out of them, also what went through several hands: values are whole,
 * nothing is lost, no object, block or handle is left. Under ThreadSanitizer a
 * block that is given back, or used again, too early is a race; so is one under
 * AddressSanitizer that is read after that.
 * Method: makers build lists that share parts, keep some, send some by sites of
 * all modes or by plain gives, and then panic or end; each is followed by
 * another one. Receivers, half of them with heaps of their own, compare a
 * digest, write to the whole, and drop it, send it on, or take it in; they fail
 * now and then, too, with what they took in.
 */
#include "race/race.h"

#include "alloc.h"
#include "chan/values.h"
#include "units.h"

#include <brolga/brolga.h>
#include <brolga/heap.h>
#include <sched.h>

#define MAKERS 3
#define TAKERS 3
#define SITES  3

static brolga *rt;
static brolga_chan *chan[2];
static struct brolga_site site[SITES];
static _Atomic bool stop;
static _Atomic uint64_t sent, received, failed, results, seeds;

/* Objects are counted by alloc.h alone: those that go with a heap are told
 * nobody else. */
static int heap_values_open(void)
{
    struct brolga_model model = values_preset = brolga_model_cranelisp();
    int err;

    model.exact_counts = true;
    err = brolga_types_create(&model, &values_types);
    return err != BROLGA_OK
               ? err
               : brolga_type_parse(values_types, "(List (Option Int))",
                                   &values_type, NULL);
}

/* A list whose first item is the digest of what follows. */
static brolga_word seal(brolga_word list)
{
    return values_cons(values_some((brolga_word)values_digest(list)), list);
}

static void check_seal(brolga_word sealed)
{
    brolga_word list = values_fields(sealed)[2];
    uint64_t digest = (uint64_t)values_fields(values_fields(sealed)[1])[1];

    race_check(values_digest(list) == digest, "a value has changed%s", "");
}

/* --- makers ------------------------------------------------------------- */

/* *is_mine: the value stays the sender's in any case. */
static int send_one(uint64_t *random, brolga_word *list, bool *is_mine)
{
    struct brolga_site *by = &site[race_random(random) % SITES];
    brolga_chan *to = chan[race_random(random) % 2];
    uint64_t how = race_random(random) % 4;

    *is_mine = how == 1;
    switch (how) {
    case 0:
        return brolga_try_send_site(to, by, list);
    case 1:
        return brolga_send(to, list, brolga_after_ns(BROLGA_MS));
    case 2:
        return brolga_try_give(to, list);
    default:
        return brolga_send_site(to, by, list, brolga_after_ns(BROLGA_MS));
    }
}

/* A value for others; what stays here is dropped if that is asked for. */
static void offer_one(uint64_t *random, brolga_word mine, bool drops)
{
    brolga_word other = race_random(random) % 4 == 0 ? mine : 0;
    brolga_word list = seal(values_build(race_random, random, other));
    bool is_mine;
    int err;

    check_seal(list);
    err = send_one(random, &list, &is_mine);
    race_check(err == BROLGA_OK || err == BROLGA_EAGAIN ||
                   err == BROLGA_ETIMEOUT || err == BROLGA_ECLOSED,
               "%d", err);
    if (err == BROLGA_OK)
        (void)brolga__add_relaxed(&sent, 1);
    if (err == BROLGA_OK && !is_mine)
        return;
    check_seal(list);
    if (drops || race_random(random) % 2 == 0)
        brolga_drop_word(values_type, list);
}

static brolga_word make_one(void *arg)
{
    uint64_t random = race_state(1 + brolga__add_relaxed(&seeds, 1));
    uint64_t turns = race_random(&random) % 64;
    brolga_word mine = seal(values_build(race_random, &random, 0));
    bool ends_well = race_random(&random) % 4 == 0;

    (void)arg;
    for (uint64_t i = 0; i < turns; i++) {
        offer_one(&random, values_fields(mine)[2], ends_well);
        check_seal(mine);
    }
    if (!ends_well)
        brolga_panic("%d", (int)turns);
    return mine;
}

/* Makers one after the other. */
static brolga_word make_all(void *arg)
{
    struct brolga_spawn_opts opts = {.heap = true, .thread = arg != NULL};

    while (!brolga__load_relaxed(&stop)) {
        brolga_word result = 0;
        brolga_task *task;
        int err;

        race_ok(brolga_spawn(rt, make_one, NULL, &opts, &task));
        err = brolga_join(task, BROLGA_FOREVER, &result, NULL);
        if (err == BROLGA_EFAILED) {
            (void)brolga__add_relaxed(&failed, 1);
            continue;
        }
        race_ok(err);
        check_seal(result);
        brolga_drop_word(values_type, result);
        (void)brolga__add_relaxed(&results, 1);
    }
    return 0;
}

/* --- takers ------------------------------------------------------------- */

/* Returns false if the task is to fail: then `list` is in its heap, or gone. */
static bool use_one(uint64_t *random, brolga_word list, bool has_heap)
{
    check_seal(list);
    values_scribble(list);
    switch (race_random(random) % 8) {
    case 0: /* On to others, as it is. */
        values_fields(values_fields(list)[1])[1] =
            (brolga_word)values_digest(values_fields(list)[2]);
        if (brolga_try_give(chan[1], &list) == BROLGA_OK) {
            (void)brolga__add_relaxed(&sent, 1);
            return true;
        }
        break;
    case 1:
        race_ok(brolga_heap_adopt(values_type, &list, NULL, NULL));
        values_scribble(list);
        if (has_heap)
            return race_random(random) % 2 == 0;
        break;
    default:
        break;
    }
    brolga_drop_word(values_type, list);
    return true;
}

struct taker {
    bool heap;
    bool done;
};

static brolga_word take_all(void *arg)
{
    struct taker *taker = arg;
    uint64_t random = race_state(1000 + brolga__add_relaxed(&seeds, 1));
    brolga_word list[2];
    struct brolga_arm arms[2];
    unsigned open = 2;

    for (int i = 0; i < 2; i++)
        arms[i] = (struct brolga_arm){
            .chan = chan[i], .op = BROLGA_RECV, .elem = &list[i]};
    while (open > 0) {
        size_t chosen;
        int err = brolga_select(arms, 2, BROLGA_FOREVER, &chosen);

        if (err == BROLGA_ECLOSED) {
            arms[chosen].chan = NULL;
            open--;
            continue;
        }
        race_ok(err);
        (void)brolga__add_relaxed(&received, 1);
        if (!use_one(&random, list[chosen], taker->heap))
            brolga_panic("%d", (int)chosen);
    }
    taker->done = true;
    /* What it took in goes with it. */
    brolga_panic("done");
}

/* Takers one after the other, until one has seen the end. */
static brolga_word take_on(void *arg)
{
    struct taker taker = {.heap = arg != NULL};
    struct brolga_spawn_opts opts = {.heap = taker.heap};

    while (!taker.done) {
        brolga_task *task;

        race_ok(brolga_spawn(rt, take_all, &taker, &opts, &task));
        race_check(brolga_join(task, BROLGA_FOREVER, NULL, NULL) ==
                       BROLGA_EFAILED,
                   "it should fail%s", "");
    }
    return 0;
}

/* --- the whole ---------------------------------------------------------- */

int main(int argc, char **argv)
{
    brolga_task *maker[MAKERS], *taker[TAKERS];

    race_begin(argc, argv);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    race_ok(heap_values_open());
    for (int i = 0; i < 2; i++)
        race_ok(brolga_chan_create(
            values_type, &(struct brolga_chan_opts){.capacity = (size_t)i * 16},
            &chan[i]));
    for (int i = 0; i < SITES; i++)
        site[i] = (struct brolga_site){.name = "s", .mode = BROLGA_MOVE + i};
    for (uintptr_t i = 0; i < TAKERS; i++)
        race_ok(brolga_spawn(rt, take_on, (void *)(i % 2), NULL, &taker[i]));
    for (uintptr_t i = 0; i < MAKERS; i++)
        race_ok(brolga_spawn(rt, make_all, (void *)(i % 2), NULL, &maker[i]));
    while (!race_over())
        (void)sched_yield();
    brolga__store_relaxed(&stop, true);
    for (int i = 0; i < MAKERS; i++)
        race_ok(brolga_join(maker[i], BROLGA_FOREVER, NULL, NULL));
    for (int i = 0; i < 2; i++)
        race_ok(brolga_chan_close(chan[i], BROLGA_OK, "done"));
    for (int i = 0; i < TAKERS; i++)
        race_ok(brolga_join(taker[i], BROLGA_FOREVER, NULL, NULL));
    for (int i = 0; i < 2; i++)
        brolga_chan_release(chan[i]);
    race_check(sent == received, "%llu sent, %llu received",
               (unsigned long long)sent, (unsigned long long)received);
    race_check(sent > 100 && failed > 10 && results > 0,
               "%llu sent, %llu failed", (unsigned long long)sent,
               (unsigned long long)failed);
    brolga_sites_forget(site, sizeof(site));
    race_ok(brolga_destroy(rt));
    brolga_types_destroy(values_types);
    race_check(brolga__units_taken() == 0, "%zu units are left",
               brolga__units_taken());
    race_check(brolga__alloc_live() == 0, "%lld blocks are left",
               (long long)brolga__alloc_live());
    printf("%llu values, %llu failures, %llu results\n",
           (unsigned long long)sent, (unsigned long long)failed,
           (unsigned long long)results);
    return 0;
}
