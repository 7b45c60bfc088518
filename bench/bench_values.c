/*
 * Values: what it costs to copy one to another task.
 *
 * A list, a tree and a vector of a million integers each, in the model of
 * Cranelisp. Beside them clones written by hand that allocate each node, and
 * memcpy() of as many bytes. Time is per element, of the second of two copies,
 * when the memory is warm; *_cold is after other memory has been through the
 * caches. The copy is dropped outside the time that is taken. drop_* is the way
 * back. sharing_overhead is how much longer a copy takes than one that is told
 * that nothing is shared.
 *
 * check_* is what it costs to find that a value is unique, beside a copy of it
 * and a drop of the original, which is what the receiver would get otherwise.
 * move_* is a send by a site and its receive, for values that two tasks pass to
 * each other: of one object, and of many.
 *
 * Nodes of the source lie in the order of the walk, as after a build in one
 * go; shuffled ones would measure the memory, not the copy.
 */
#include "bench.h"

#include <brolga/chan.h>
#include <brolga/copy.h>

#include <stdlib.h>
#include <string.h>
#ifdef BROLGA_MIMALLOC
#include <mimalloc.h>
#endif

#define ELEMENTS UINT64_C(1000000)
#define TURNS    7

/* Of the model: bytes in front of the fields. */
#define HEADER_BYTES 16

/* More than the caches hold, one would hope. */
#define COLD_BYTES (UINT64_C(64) << 20)

/* Deeper than any balanced tree. */
#define DEPTH_MAX 64

struct value {
    brolga_word word;
    const brolga_type *type;
    size_t bytes; /* All its objects, headers included. */
    uint64_t elements;
    uint64_t times; /* How often a check is repeated. */
    void *target;   /* Of memcpy. */
    void *source;   /* The same number of bytes, warm. */
    brolga_word (*clone)(brolga_word word);
    void (*clone_free)(brolga_word word);
};

static void *(*take)(size_t bytes) = malloc;
static void (*give)(void *block) = free;
static char *cold;

static struct brolga_model model;
static brolga_types *types;

static brolga_word *fields(brolga_word value)
{
    return (brolga_word *)(uintptr_t)value;
}

/* --- the hand-written host ---------------------------------------------- */

/* An object of the model, made by one of two allocators. */
static brolga_word node(size_t payload_bytes)
{
    brolga_word *header = take(payload_bytes + HEADER_BYTES);

    bench_check(header != NULL, "memory for a node");
    header[0] = (brolga_word)(payload_bytes + HEADER_BYTES);
    header[1] = 1;
    return (brolga_word)(uintptr_t)(header + 2);
}

static void node_free(brolga_word value)
{
    give(fields(value) - 2);
}

static bool is_node(brolga_word value)
{
    return value >= model.small_tags;
}

static brolga_word clone_list(brolga_word from)
{
    brolga_word first = 0, *to = &first;

    for (; is_node(from); from = fields(from)[2]) {
        *to = node(24);
        fields(*to)[0] = fields(from)[0];
        fields(*to)[1] = fields(from)[1];
        to = &fields(*to)[2];
    }
    *to = from;
    return first;
}

static void free_list(brolga_word list)
{
    while (is_node(list)) {
        brolga_word next = fields(list)[2];

        node_free(list);
        list = next;
    }
}

/* Field 1 is the left tree, 2 the item, 3 the right tree. */
static brolga_word clone_tree(brolga_word from)
{
    struct {
        brolga_word from, *to;
    } todo[DEPTH_MAX];
    unsigned depth = 0;
    brolga_word root = 0, *to = &root;

    for (;;) {
        while (is_node(from)) { /* Down to the left; the right waits. */
            *to = node(32);
            memcpy(fields(*to), fields(from), 24);
            todo[depth].from = fields(from)[3];
            todo[depth++].to = &fields(*to)[3];
            to = &fields(*to)[1];
            from = fields(from)[1];
        }
        *to = from;
        if (depth == 0)
            return root;
        depth--;
        from = todo[depth].from;
        to = todo[depth].to;
    }
}

static void free_tree(brolga_word tree)
{
    brolga_word todo[DEPTH_MAX];
    unsigned depth = 0;

    for (;;) {
        while (is_node(tree)) {
            brolga_word left = fields(tree)[1];

            todo[depth++] = fields(tree)[3];
            node_free(tree);
            tree = left;
        }
        if (depth == 0)
            return;
        tree = todo[--depth];
    }
}

static brolga_word clone_vec(brolga_word from)
{
    size_t bytes = (size_t)fields(from)[0] * 8;
    brolga_word to = node(24), data = node(bytes);

    memcpy(fields(data), fields(fields(from)[2]), bytes);
    fields(to)[0] = fields(to)[1] = fields(from)[0];
    fields(to)[2] = data;
    return to;
}

static void free_vec(brolga_word vec)
{
    node_free(fields(vec)[2]);
    node_free(vec);
}

/* --- sources ------------------------------------------------------------ */

static brolga_word make(int64_t payload_bytes)
{
    brolga_word value = model.alloc(payload_bytes, model.arg);

    bench_check(value != 0, "memory for a value");
    return value;
}

static brolga_word make_list(uint64_t count)
{
    brolga_word first = 0, *to = &first;

    for (uint64_t i = 0; i < count; i++) {
        *to = make(24);
        fields(*to)[0] = 1; /* Cons */
        fields(*to)[1] = (brolga_word)i;
        to = &fields(*to)[2];
    }
    *to = 0; /* Nil */
    return first;
}

/* A balanced tree, its nodes in the order in which a copy meets them. */
static brolga_word make_tree(uint64_t count)
{
    struct {
        uint64_t count;
        brolga_word *to;
    } todo[DEPTH_MAX];
    brolga_word root = 0;
    unsigned depth = 1;

    todo[0].count = count;
    todo[0].to = &root;
    while (depth > 0) {
        uint64_t left = todo[--depth].count;
        brolga_word *to = todo[depth].to;

        *to = 0; /* Tip */
        if (left == 0)
            continue;
        *to = make(32);
        fields(*to)[0] = 1; /* Fork */
        fields(*to)[2] = (brolga_word)left;
        todo[depth].count = (left - 1) / 2;
        todo[depth++].to = &fields(*to)[3];
        todo[depth].count = left - 1 - (left - 1) / 2;
        todo[depth++].to = &fields(*to)[1];
    }
    return root;
}

static brolga_word make_vec(uint64_t count)
{
    brolga_word vec = make(24), data = make((int64_t)count * 8);

    for (uint64_t i = 0; i < count; i++)
        fields(data)[i] = (brolga_word)i;
    fields(vec)[0] = fields(vec)[1] = (brolga_word)count;
    fields(vec)[2] = data;
    return vec;
}

/* --- samples ------------------------------------------------------------ */

static double per_element(const struct value *v, double ns)
{
    return ns / (double)v->elements;
}

static double time_copy(const struct value *v,
                        const struct brolga_copy_opts *opts)
{
    uint64_t begin = bench_cpu_ns();
    brolga_word copy;
    double ns;

    bench_must(brolga_copy_with(v->type, &v->word, &copy, opts, NULL));
    ns = bench_cpu_since(begin);
    brolga_drop_word(v->type, copy);
    return per_element(v, ns);
}

static double sample_copy(void *arg)
{
    (void)time_copy(arg, NULL);
    return time_copy(arg, NULL);
}

static double sample_cold(void *arg)
{
    (void)time_copy(arg, NULL);
    for (size_t i = 0; i < COLD_BYTES; i += 64)
        cold[i]++;
    return time_copy(arg, NULL);
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* In percent; the best of several, for the difference is small. */
static double sample_overhead(void *arg)
{
    const struct brolga_copy_opts tree = {.is_tree = true};
    double with = time_copy(arg, NULL), without = time_copy(arg, &tree);

    for (int i = 0; i < 5; i++) {
        with = smaller(with, time_copy(arg, NULL));
        without = smaller(without, time_copy(arg, &tree));
    }
    return (with / without - 1) * 100;
}

static double sample_drop(void *arg)
{
    struct value *v = arg;
    uint64_t begin;
    brolga_word copy;

    bench_must(brolga_copy_word(v->type, v->word, &copy, NULL));
    begin = bench_cpu_ns();
    brolga_drop_word(v->type, copy);
    return per_element(v, bench_cpu_since(begin));
}

static double time_clone(const struct value *v)
{
    uint64_t begin = bench_cpu_ns();
    brolga_word copy = v->clone(v->word);
    double ns = bench_cpu_since(begin);

    v->clone_free(copy);
    return per_element(v, ns);
}

static double sample_clone(void *arg)
{
    (void)time_clone(arg);
    return time_clone(arg);
}

static double sample_clone_free(void *arg)
{
    struct value *v = arg;
    brolga_word copy = v->clone(v->word);
    uint64_t begin = bench_cpu_ns();

    v->clone_free(copy);
    return per_element(v, bench_cpu_since(begin));
}

#ifdef BROLGA_MIMALLOC
static double with_mimalloc(double (*sample)(void *arg), void *arg)
{
    double figure;

    take = mi_malloc;
    give = mi_free;
    figure = sample(arg);
    take = malloc;
    give = free;
    return figure;
}

static double sample_mimalloc(void *arg)
{
    return with_mimalloc(sample_clone, arg);
}

static double sample_mimalloc_free(void *arg)
{
    return with_mimalloc(sample_clone_free, arg);
}
#endif

static double sample_memcpy(void *arg)
{
    struct value *v = arg;
    uint64_t begin = bench_cpu_ns();

    memcpy(v->target, v->source, v->bytes);
    bench_hide(v);
    return per_element(v, bench_cpu_since(begin));
}

/* What the receiver gets, each way; the original is given up in both. */
static double sample_copied(void *arg)
{
    struct value *v = arg;
    uint64_t begin;
    brolga_word mine, copy;
    double ns;

    bench_must(brolga_copy_word(v->type, v->word, &mine, NULL));
    begin = bench_cpu_ns();
    for (uint64_t i = 0; i < v->times; i++) {
        bench_must(brolga_copy_word(v->type, mine, &copy, NULL));
        brolga_drop_word(v->type, mine);
        mine = copy;
    }
    ns = bench_cpu_since(begin);
    brolga_drop_word(v->type, mine);
    return per_element(v, ns / (double)v->times);
}

static double sample_checked(void *arg)
{
    struct value *v = arg;
    struct brolga_check_stats stats;
    uint64_t begin;
    brolga_word mine;
    double ns;

    bench_must(brolga_copy_word(v->type, v->word, &mine, NULL));
    begin = bench_cpu_ns();
    for (uint64_t i = 0; i < v->times; i++)
        bench_must(brolga_check_word(v->type, mine, &mine, &stats, NULL));
    ns = bench_cpu_since(begin);
    bench_check(stats.kept == v->elements, "a check that keeps");
    brolga_drop_word(v->type, mine);
    return per_element(v, ns / (double)v->times);
}

/* --- rows --------------------------------------------------------------- */

static void run_rows(struct value *v, const char *copy_row,
                     const char *drop_row, const char *hand)
{
    const struct bench_subject copies[] = {
        {"brolga", sample_copy, v},
        {hand, sample_clone, v},
#ifdef BROLGA_MIMALLOC
        {"mimalloc a node, by hand", sample_mimalloc, v},
#endif
        {"floor: memcpy of the bytes", sample_memcpy, v},
    };
    const struct bench_subject drops[] = {
        {"brolga", sample_drop, v},
        {hand, sample_clone_free, v},
#ifdef BROLGA_MIMALLOC
        {"mimalloc a node, by hand", sample_mimalloc_free, v},
#endif
    };

    bench_run(&(struct bench_row){copy_row, 0, "ns", TURNS}, copies,
              bench_lengthof(copies));
    bench_run(&(struct bench_row){drop_row, 0, "ns", TURNS}, drops,
              bench_lengthof(drops));
}

static void open_value(struct value *v, const char *type, brolga_word word,
                       size_t bytes)
{
    v->elements = bench_count(ELEMENTS);
    v->word = word;
    v->bytes = bytes;
    v->target = malloc(bytes);
    v->source = malloc(bytes);
    bench_check(v->target != NULL && v->source != NULL, "memory for bytes");
    memset(v->target, 1, bytes);
    memset(v->source, 2, bytes);
    bench_must(brolga_type_parse(types, type, &v->type, NULL));
}

static void close_value(struct value *v)
{
    brolga_drop_word(v->type, v->word);
    free(v->target);
    free(v->source);
}

/* Of values without sharing: what it costs to look for it. */
static void run_extra_rows(struct value *v, const char *cold_row,
                           const char *overhead_of)
{
    const struct bench_subject cold_copy[] = {{"brolga", sample_cold, v}};
    const struct bench_subject overhead[] = {{overhead_of, sample_overhead, v}};

    bench_run(&(struct bench_row){cold_row, 0, "ns", TURNS}, cold_copy, 1);
    bench_run(&(struct bench_row){"sharing_overhead", 0, "%", TURNS}, overhead,
              1);
}

/* --- checks ------------------------------------------------------------- */

static void run_check(const char *row, const char *type, brolga_word word,
                      uint64_t elements, uint64_t times)
{
    struct value v = {.word = word, .elements = elements, .times = times};
    const struct bench_subject subjects[] = {
        {"brolga", sample_checked, &v},
        {"brolga: copy and drop", sample_copied, &v},
    };

    bench_must(brolga_type_parse(types, type, &v.type, NULL));
    bench_run(&(struct bench_row){row, 0, "ns", TURNS}, subjects,
              bench_lengthof(subjects));
    brolga_drop_word(v.type, word);
}

static void run_checks(void)
{
    uint64_t many = bench_count(ELEMENTS);

    run_check("check_small", "(List Int)", make_list(1), 1,
              bench_count(1000000));
    run_check("check_vs_copy", "(List Int)", make_list(1000), 1000,
              bench_count(10000));
    run_check("check_tree", "(Tree Int)", make_tree(1000), 1000,
              bench_count(10000));
    run_check("check_list_1e6", "(List Int)", make_list(many), many, 2);
    run_check("check_tree_1e6", "(Tree Int)", make_tree(many), many, 2);
}

/* --- moves -------------------------------------------------------------- */

/* Values that go round: one task sends them, the other one sends them back. */
#define ROUND 64

struct round {
    brolga *rt;
    brolga_chan *there, *back;
    uint64_t count;
    uint64_t elements;
};

static struct brolga_site here = {.name = "there", .mode = BROLGA_MOVE};
static struct brolga_site yonder = {.name = "back", .mode = BROLGA_MOVE};

static brolga_word send_back(void *arg)
{
    struct round *round = arg;
    brolga_word word;

    while (brolga_recv(round->there, &word, BROLGA_FOREVER) == BROLGA_OK)
        bench_must(
            brolga_send_site(round->back, &yonder, &word, BROLGA_FOREVER));
    return 0;
}

static brolga_word send_round(void *arg)
{
    struct round *round = arg;
    brolga_word word;

    for (uint64_t i = 0; i < round->count; i += 2) {
        bench_must(brolga_recv(round->back, &word, BROLGA_FOREVER));
        bench_must(
            brolga_send_site(round->there, &here, &word, BROLGA_FOREVER));
    }
    return brolga_chan_close(round->there, BROLGA_OK, NULL);
}

static brolga_chan *open_round(const brolga_type *type)
{
    struct brolga_chan_opts opts = {.capacity = ROUND};
    brolga_chan *chan;

    bench_must(brolga_chan_create(type, &opts, &chan));
    return chan;
}

/* One operation is a send and the receive of what was sent. */
static double sample_round(void *arg)
{
    struct round *round = arg;
    const brolga_type *type;
    brolga_task *task[2];
    uint64_t begin;

    bench_must(brolga_type_parse(types, "(List Int)", &type, NULL));
    round->there = open_round(type);
    round->back = open_round(type);
    for (unsigned i = 0; i < ROUND; i++) {
        brolga_word list = make_list(round->elements);

        bench_must(brolga_try_give(round->back, &list));
    }
    begin = brolga_now_ns();
    bench_must(brolga_spawn(round->rt, send_back, round, NULL, &task[0]));
    bench_must(brolga_spawn(round->rt, send_round, round, NULL, &task[1]));
    for (unsigned i = 0; i < 2; i++)
        bench_must(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL));
    begin = brolga_now_ns() - begin;
    brolga_chan_release(round->there);
    brolga_chan_release(round->back);
    return (double)begin / (double)round->count;
}

static void run_moves(const char *row, uint32_t workers)
{
    struct brolga_opts opts = {.workers = workers};
    struct round small = {.count = bench_count(4000000), .elements = 1};
    struct round large = {.count = small.count, .elements = bench_count(10000)};
    const struct bench_subject subjects[] = {
        {"brolga", sample_round, &small},
        {"brolga: 10,000 objects", sample_round, &large},
    };

    bench_must(brolga_create(&opts, &small.rt));
    large.rt = small.rt;
    bench_run(&(struct bench_row){row, workers, "ns", TURNS}, subjects,
              bench_lengthof(subjects));
    bench_must(brolga_destroy(small.rt));
}

static void run_list(void)
{
    uint64_t count = bench_count(ELEMENTS);
    struct value v = {.clone = clone_list, .clone_free = free_list};

    open_value(&v, "(List Int)", make_list(count), count * 40);
    run_rows(&v, "copy_list_1e6", "drop_list_1e6", "malloc a node, by hand");
    run_extra_rows(&v, "copy_list_cold", "brolga: list");
    close_value(&v);
}

static void run_tree(void)
{
    uint64_t count = bench_count(ELEMENTS);
    struct value v = {.clone = clone_tree, .clone_free = free_tree};

    open_value(&v, "(Tree Int)", make_tree(count), count * 48);
    run_rows(&v, "copy_tree_1e6", "drop_tree_1e6", "malloc a node, by hand");
    run_extra_rows(&v, "copy_tree_cold", "brolga: tree");
    close_value(&v);
}

static void run_vec(void)
{
    uint64_t count = bench_count(ELEMENTS);
    struct value v = {.clone = clone_vec, .clone_free = free_vec};

    open_value(&v, "(Vec Int)", make_vec(count), count * 8);
    run_rows(&v, "copy_vec_1e6", "drop_vec_1e6", "malloc and memcpy");
    close_value(&v);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "values");
    model = brolga_model_cranelisp();
    model.exact_counts = true;
    cold = calloc(1, COLD_BYTES);
    bench_check(cold != NULL, "memory for the caches");
    bench_must(brolga_types_create(&model, &types));
    bench_must(brolga_types_define(types,
                                   "(deftype (Tree a) Tip (Fork [:(Tree a) "
                                   "left :a item :(Tree a) right]))",
                                   NULL));
    run_list();
    run_tree();
    run_vec();
    run_checks();
    run_moves("move_same", 1);
    run_moves("move_cross", 2);
    brolga_types_destroy(types);
    free(cold);
    return 0;
}
