/*
 * Frozen values: what it costs to freeze one, to send it, and to count
 * references to it as compiled code does.
 *
 * freeze_list_1e6 is per element, beside the copy that a send would make, and
 * memcpy() of the bytes. send_frozen_* is a send and a receive by one thread,
 * for a value of 10 elements and for one of a million: the same pointer and a
 * lease cross either way. Floor: a word that is no value. count_* is one
 * increment and one decrement of each of a thousand objects, per pair, by two
 * threads at once on the same objects.
 */
#include "values.h"

#include <brolga/chan.h>
#include <brolga/lease.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ELEMENTS UINT64_C(1000000)
#define MESSAGES UINT64_C(200000)
#define PAIRS    UINT64_C(20000000)
#define OBJECTS  1000
#define TURNS    7

static brolga_types *types;
static const brolga_type *list_type;

/* --- freezing ----------------------------------------------------------- */

struct source {
    brolga_word list;
    uint64_t elements;
    void *from, *to; /* As many bytes. */
};

static double sample_freeze(void *arg)
{
    const struct source *source = arg;
    brolga_region *region;
    brolga_word frozen;
    uint64_t begin = brolga_now_ns();
    double ns;

    bench_must(
        brolga_freeze(list_type, source->list, &frozen, &region, NULL, NULL));
    ns = bench_since(begin);
    brolga_region_release(region);
    return ns / (double)source->elements;
}

static double sample_release(void *arg)
{
    const struct source *source = arg;
    brolga_region *region;
    brolga_word frozen;
    uint64_t begin;

    bench_must(
        brolga_freeze(list_type, source->list, &frozen, &region, NULL, NULL));
    begin = brolga_now_ns();
    brolga_region_release(region);
    return bench_since(begin) / (double)source->elements;
}

static double sample_copy(void *arg)
{
    const struct source *source = arg;
    uint64_t begin = brolga_now_ns();
    brolga_word copy;
    double ns;

    bench_must(brolga_copy_word(list_type, source->list, &copy, NULL));
    ns = bench_since(begin);
    brolga_drop_word(list_type, copy);
    return ns / (double)source->elements;
}

static double sample_drop(void *arg)
{
    const struct source *source = arg;
    brolga_word copy;
    uint64_t begin;

    bench_must(brolga_copy_word(list_type, source->list, &copy, NULL));
    begin = brolga_now_ns();
    brolga_drop_word(list_type, copy);
    return bench_since(begin) / (double)source->elements;
}

static double sample_memcpy(void *arg)
{
    const struct source *source = arg;
    uint64_t begin = brolga_now_ns();

    memcpy(source->to, source->from, source->elements * 40);
    bench_hide(arg);
    return bench_since(begin) / (double)source->elements;
}

static void run_freeze(void)
{
    uint64_t count = bench_count(ELEMENTS);
    struct source source = {.list = make_list(count),
                            .elements = count,
                            .from = malloc(count * 40),
                            .to = malloc(count * 40)};
    const struct bench_subject freezes[] = {
        {"brolga", sample_freeze, &source},
        {"brolga: a copy", sample_copy, &source},
        {"floor: memcpy of the bytes", sample_memcpy, &source},
    };
    const struct bench_subject releases[] = {
        {"brolga", sample_release, &source},
        {"brolga: drop of a copy", sample_drop, &source},
    };

    bench_check(source.from != NULL && source.to != NULL, "memory for bytes");
    memset(source.from, 1, count * 40);
    memset(source.to, 2, count * 40);
    bench_run(&(struct bench_row){"freeze_list_1e6", 0, "ns", TURNS}, freezes,
              bench_lengthof(freezes));
    bench_run(&(struct bench_row){"release_list_1e6", 0, "ns", TURNS}, releases,
              bench_lengthof(releases));
    brolga_drop_word(list_type, source.list);
    free(source.from);
    free(source.to);
}

/* --- sending ------------------------------------------------------------ */

struct crossing {
    brolga_chan *chan;
    brolga_word word;
};

static double sample_send(void *arg)
{
    struct crossing *crossing = arg;
    uint64_t count = bench_count(MESSAGES), begin = brolga_now_ns();
    brolga_word word;

    for (uint64_t i = 0; i < count; i++) {
        bench_must(brolga_try_send(crossing->chan, &crossing->word));
        bench_must(brolga_try_recv(crossing->chan, &word));
    }
    return bench_since(begin) / (double)count;
}

/* The same of a value that is copied, and dropped by its receiver. */
static double sample_send_copy(void *arg)
{
    struct crossing *crossing = arg;
    uint64_t count = bench_count(MESSAGES), begin = brolga_now_ns();
    brolga_word word;

    for (uint64_t i = 0; i < count; i++) {
        bench_must(brolga_try_send(crossing->chan, &crossing->word));
        bench_must(brolga_try_recv(crossing->chan, &word));
        brolga_drop_word(list_type, word);
    }
    return bench_since(begin) / (double)count;
}

static void open_crossing(struct crossing *crossing, const brolga_type *type,
                          brolga_word word)
{
    struct brolga_chan_opts opts = {.capacity = 4};

    bench_must(brolga_chan_create(type, &opts, &crossing->chan));
    crossing->word = word;
}

static brolga_word freeze_list(uint64_t count)
{
    brolga_word list = make_list(count), frozen;
    brolga_region *region;

    bench_must(brolga_freeze(list_type, list, &frozen, &region, NULL, NULL));
    bench_must(brolga_lease_keep(region));
    brolga_drop_word(list_type, list);
    return frozen;
}

static void run_send(void)
{
    struct crossing ten, large, copied, plain;
    const struct bench_subject sends[] = {
        {"brolga: 10 elements", sample_send, &ten},
        {"brolga: 1e6 elements", sample_send, &large},
        {"brolga: a copy of 10 elements", sample_send_copy, &copied},
        {"floor: a plain word", sample_send, &plain},
    };

    open_crossing(&ten, list_type, freeze_list(10));
    open_crossing(&large, list_type, freeze_list(bench_count(ELEMENTS)));
    open_crossing(&copied, list_type, make_list(10));
    open_crossing(&plain, NULL, 1);
    bench_run(&(struct bench_row){"send_frozen", 0, "ns", TURNS}, sends,
              bench_lengthof(sends));
    brolga_drop_word(list_type, copied.word);
    brolga_chan_release(ten.chan);
    brolga_chan_release(large.chan);
    brolga_chan_release(copied.chan);
    brolga_chan_release(plain.chan);
    bench_must(brolga_lease_compact(NULL, 0));
}

/* --- counting ----------------------------------------------------------- */

/* How a host's code counts: as it is, by testing for 0, atomically. */
enum counting { PLAIN, TESTED, ATOMIC };

struct counter {
    brolga_word *word[OBJECTS]; /* Their counts. */
    enum counting how;
    uint64_t pairs;
};

/* What compiled code does when it passes a reference on, and ends it. */
static inline void count_pair(brolga_word *word, enum counting how)
{
    if (how == ATOMIC) {
        (void)__atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
        if (__atomic_fetch_sub(word, 1, __ATOMIC_ACQ_REL) == 1)
            abort();
        return;
    }
    if (how == PLAIN || *(volatile brolga_word *)word != 0)
        *(volatile brolga_word *)word = *(volatile brolga_word *)word + 1;
    if (how == PLAIN || *(volatile brolga_word *)word != 0) {
        brolga_word count = *(volatile brolga_word *)word - 1;

        if (count == 0)
            abort();
        *(volatile brolga_word *)word = count;
    }
}

static void *run_counter(void *arg)
{
    const struct counter *c = arg;

    for (uint64_t done = 0; done < c->pairs; done += OBJECTS)
        for (size_t i = 0; i < OBJECTS; i++)
            count_pair(c->word[i], c->how);
    return NULL;
}

static double sample_count(void *arg)
{
    struct counter *c = arg;
    uint64_t begin = brolga_now_ns();
    pthread_t thread;

    c->pairs = bench_count(PAIRS);
    bench_check(pthread_create(&thread, NULL, run_counter, c) == 0, "thread");
    (void)run_counter(c);
    bench_check(pthread_join(thread, NULL) == 0, "join");
    return bench_since(begin) / (double)c->pairs;
}

/* One thread, nobody else. */
static double sample_count_alone(void *arg)
{
    struct counter *c = arg;
    uint64_t begin = brolga_now_ns();

    c->pairs = bench_count(PAIRS);
    (void)run_counter(c);
    return bench_since(begin) / (double)c->pairs;
}

/* The counts of a list's objects, to be changed in this way. */
static void open_counter(struct counter *counter, brolga_word list,
                         enum counting how)
{
    counter->how = how;
    for (size_t i = 0; i < OBJECTS; i++, list = fields(list)[2]) {
        counter->word[i] = fields(list) + model.count_at / 8;
        if (how == TESTED)
            *counter->word[i] = 0;
    }
}

static void run_count(void)
{
    static struct counter plain, tested, atomic;
    const struct bench_subject counts[] = {
        {"brolga: plain counts", sample_count, &plain},
        {"brolga: counts of 0, tested", sample_count, &tested},
        {"atomic counts", sample_count, &atomic},
        {"floor: plain counts, one thread", sample_count_alone, &plain},
    };

    open_counter(&plain, freeze_list(OBJECTS), PLAIN);
    open_counter(&tested, freeze_list(OBJECTS), TESTED);
    open_counter(&atomic, freeze_list(OBJECTS), ATOMIC);
    bench_run(&(struct bench_row){"count_frozen_2", 0, "ns", TURNS}, counts,
              bench_lengthof(counts));
    bench_must(brolga_lease_compact(NULL, 0));
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "frozen");
    model = brolga_model_cranelisp();
    bench_must(brolga_types_create(&model, &types));
    bench_must(brolga_type_parse(types, "(List Int)", &list_type, NULL));
    run_freeze();
    run_send();
    run_count();
    brolga_types_destroy(types);
    return 0;
}
