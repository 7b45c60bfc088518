/*
 * Goal: frozen objects may be counted by many threads at once, without atomics,
 * as a host's compiled code does; none is freed by that; and a region lives as
 * long as somebody who was sent it may read it, and no longer (C9, C10).
 *
 * Method: tasks freeze values of random length and send them round; whoever
 * receives one checks it, counts references to its objects up and down for a
 * while, keeps it or sends it on, as it is or as part of a new value. At the
 * end everything is given up: no region and no object is left.
 *
 * Under ThreadSanitizer nothing is counted: counts like these are races, by the
 * letter. They are harmless since a count is one aligned word, of which no
 * processor stores half, and since nothing depends on its value as long as that
 * is a frozen one (src/copy/freeze.c); but no tool could tell.
 *
 *   race_frozen [--seconds S] [--seed N]
 */
#include <brolga/chan.h>
#include <brolga/lease.h>

#include "alloc.h"
#include "atomic.h"
#include "race.h"

#include <sched.h>

#if defined(__SANITIZE_THREAD__)
#define COUNTS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COUNTS 0
#endif
#endif
#ifndef COUNTS
#define COUNTS 1
#endif

enum { TASKS = 8, KEPT = 8, LENGTH = 50 };

struct party {
    uint64_t random;
    uint64_t received, counted, made;
    brolga_word kept[KEPT];
    brolga_task *task;
};

static brolga *rt;
static struct brolga_model model;
static brolga_types *types;
static const brolga_type *type;
static brolga_chan *chan;
static struct party parties[TASKS];
static _Atomic bool stop;

static uint32_t below(struct party *self, uint32_t limit)
{
    return (uint32_t)(race_random(&self->random) >> 33) % limit;
}

static brolga_word *fields(brolga_word value)
{
    return (brolga_word *)(uintptr_t)value;
}

static brolga_word cons(brolga_word head, brolga_word tail)
{
    brolga_word value = model.alloc(24, model.arg);

    race_check(value != 0, "%s", "no memory");
    fields(value)[0] = 1;
    fields(value)[1] = head;
    fields(value)[2] = tail;
    return value;
}

/* A list counts down to 0, whoever has made which part of it. */
static void check(brolga_word list)
{
    brolga_word expected = fields(list)[1];

    for (; list != 0; list = fields(list)[2], expected--)
        race_check(fields(list)[1] == expected, "%lld in place of %lld",
                   (long long)fields(list)[1], (long long)expected);
    race_check(expected == -1, "%s", "a list was cut");
}

/* As compiled code does, which knows nothing of frozen objects: load, add one,
 * store; load, subtract one, free if that is 0, else store. */
static void count(struct party *self, brolga_word list)
{
#if COUNTS
    for (int i = 0; i < 200; i++)
        for (brolga_word at = list; at != 0; at = fields(at)[2]) {
            volatile brolga_word *word = &fields(at)[-1];

            *word = *word + 1;
            race_check(*word - 1 > BROLGA_FROZEN_MIN, "count %lld",
                       (long long)*word);
            *word = *word - 1;
            self->counted++;
        }
#else
    self->counted += list != 0;
#endif
}

static brolga_word make_frozen(struct party *self)
{
    brolga_word list = 0, frozen;
    brolga_region *region;

    for (uint32_t i = 0, n = 1 + below(self, LENGTH); i < n; i++)
        list = cons(i, list);
    race_ok(brolga_freeze(type, list, &frozen, &region, NULL, NULL));
    race_ok(brolga_lease_keep(region));
    brolga_drop_word(type, list);
    self->made++;
    return frozen;
}

static void compact(struct party *self)
{
    struct brolga_root root[KEPT];

    for (size_t i = 0; i < KEPT; i++)
        root[i] = (struct brolga_root){type, self->kept[i]};
    race_ok(brolga_lease_compact(root, KEPT));
}

/* Sends a value, which stays the caller's unless it could be given. */
static bool send_on(struct party *self, brolga_word *list)
{
    bool gives = below(self, 4) == 0;
    int err = gives ? brolga_try_give(chan, list) : brolga_try_send(chan, list);

    race_check(err == BROLGA_OK || err == BROLGA_EAGAIN, "result %d", err);
    return gives && err == BROLGA_OK;
}

/* A new value in front of an old one: the old one's reference moves into it. */
static brolga_word longer(brolga_word list)
{
    return list == 0 ? cons(0, 0) : cons(fields(list)[1] + 1, list);
}

static void use(struct party *self, brolga_word list)
{
    size_t i = below(self, KEPT);

    check(list);
    if (brolga_region_of(type, list) != NULL && below(self, 16) == 0)
        count(self, list);
    if (below(self, 3) == 0 && fields(list)[1] < 4 * LENGTH)
        list = longer(list);
    if (below(self, 2) == 0 && send_on(self, &list))
        return;
    brolga_drop_word(type, self->kept[i]);
    self->kept[i] = list;
    if (below(self, 8) == 0)
        compact(self);
}

static brolga_word run_party(void *arg)
{
    struct party *self = arg;
    brolga_word list;

    while (!brolga__load_relaxed(&stop) || self->received == 0) {
        if (below(self, 8) == 0)
            use(self, make_frozen(self));
        if (brolga_try_recv(chan, &list) == BROLGA_OK) {
            self->received++;
            use(self, list);
        }
        brolga_yield();
    }
    for (size_t i = 0; i < KEPT; i++)
        brolga_drop_word(type, self->kept[i]);
    return 0;
}

int main(int argc, char **argv)
{
    struct brolga_chan_opts opts = {.capacity = 64};
    uint64_t received = 0, counted = 0, made = 0, most = 0;

    race_begin(argc, argv);
    model = brolga_model_cranelisp();
    race_ok(brolga_types_create(&model, &types));
    race_ok(brolga_type_parse(types, "(List Int)", &type, NULL));
    race_ok(brolga_chan_create(type, &opts, &chan));
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    for (unsigned i = 0; i < TASKS; i++) {
        struct brolga_spawn_opts how = {.thread = i < 2};

        parties[i].random = race_state(i);
        race_ok(
            brolga_spawn(rt, run_party, &parties[i], &how, &parties[i].task));
    }
    while (!race_over()) {
        uint64_t now = brolga_regions_list(NULL, 0);

        most = now > most ? now : most;
        (void)sched_yield();
    }
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < TASKS; i++) {
        race_ok(brolga_join(parties[i].task, BROLGA_FOREVER, NULL, NULL));
        received += parties[i].received;
        counted += parties[i].counted;
        made += parties[i].made;
    }
    brolga_chan_release(chan);
    race_check(brolga_regions_list(NULL, 0) == 0, "%s", "regions are left");
    race_ok(brolga_destroy(rt));
    brolga_types_destroy(types);
    race_check(brolga__alloc_live() == 0, "%lld blocks are left",
               (long long)brolga__alloc_live());
    race_check(counted > 0, "%s", "nothing was counted");
    printf(
        "%llu regions, at most %llu at a time; %llu received, %llu counted\n",
        (unsigned long long)made, (unsigned long long)most,
        (unsigned long long)received, (unsigned long long)counted);
    return 0;
}
