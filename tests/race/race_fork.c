/*
 * Goal: in a tree of forks each node is called once, and its value is that of
 * its subtree, whoever calls it, and whatever tasks do between a fork and its
 * join; a failure or a cancel somewhere leaves nothing behind (C8).
 *
 * Method: random trees, made again from their seeds by who checks the sum. A
 * node forks up to four others, does something random (yields, sleeps, blocks,
 * spawns and joins, passes a word through a channel, opens and joins a scope,
 * or nothing), and joins them. Some trees have a node that panics, and some
 * roots are canceled: they must fail, or not, but end.
 */
#include "race/race.h"

#include <brolga/brolga.h>
#include <brolga/fork.h>

#include "alloc.h"

#define FANOUT 4
#define DEPTH  7

static brolga *rt;
static brolga_chan *chan;

/* What a root has in common with its nodes. */
struct tree {
    uint64_t seed;
    bool panics;
    _Atomic uint64_t calls;
};

struct node {
    struct tree *tree;
    uint64_t random;
    unsigned depth;
};

static struct node child_of(const struct node *node, unsigned i)
{
    uint64_t state = node->random + i * UINT64_C(0x632be59bd9b4e019);

    return (struct node){node->tree, race_random(&state), node->depth + 1};
}

static unsigned children_of(const struct node *node)
{
    return node->depth == DEPTH ? 0 : (unsigned)(node->random >> 7) % FANOUT;
}

/* The sum of a subtree's values, without forks; as deep as the tree. */
static uint64_t sum_of(const struct node *node, uint64_t *nodes)
{
    uint64_t sum = node->random;

    ++*nodes;
    for (unsigned i = 0; i < children_of(node); i++) {
        struct node child = child_of(node, i);

        sum += sum_of(&child, nodes);
    }
    return sum;
}

/* --- what a node does --------------------------------------------------- */

static brolga_word echo(void *arg)
{
    brolga_yield();
    return (brolga_word)(intptr_t)arg;
}

static void spawn_and_join(void)
{
    brolga_task *task;
    brolga_word word = 0;

    if (brolga_spawn(rt, echo, (void *)5, NULL, &task) != BROLGA_OK)
        return;
    if (brolga_join(task, BROLGA_FOREVER, &word, NULL) != BROLGA_OK)
        brolga_detach(task);
    else
        race_check(word == 5, "%lld", (long long)word);
}

static void pass_word(void)
{
    brolga_word word = 0;
    int err = brolga_send_word(chan, 1, BROLGA_FOREVER);

    if (err == BROLGA_OK)
        err = brolga_recv_word(chan, &word, BROLGA_FOREVER);
    race_check(err != BROLGA_OK || word == 1, "%lld", (long long)word);
}

static void open_scope(void)
{
    brolga_scope *scope;

    if (brolga_scope_open(NULL, &scope) != BROLGA_OK)
        return;
    race_ok(brolga_spawn(rt, echo, NULL, NULL, NULL));
    race_check(brolga_scope_join(scope, NULL) != BROLGA_ESTATE, "%s", "");
}

static void do_something(const struct node *node)
{
    switch ((node->random >> 20) % 24) {
    case 0:
    case 1:
        brolga_yield();
        break;
    case 2:
        (void)brolga_sleep_until(brolga_after_ns(20 * BROLGA_US));
        break;
    case 3:
        brolga_block_begin();
        brolga_block_end();
        break;
    case 4:
    case 5:
        spawn_and_join();
        break;
    case 6:
        pass_word();
        break;
    case 7:
        open_scope();
        break;
    case 8:
        if (node->tree->panics && node->depth > 3)
            brolga_panic("planted");
        break;
    default:
        brolga_safepoint();
        break;
    }
}

static brolga_word visit(void *arg)
{
    struct node *node = arg, child[FANOUT];
    struct brolga_fork fork[FANOUT];
    unsigned count = children_of(node);
    uint64_t sum = node->random;

    (void)atomic_fetch_add(&node->tree->calls, 1);
    for (unsigned i = 0; i < count; i++) {
        child[i] = child_of(node, i);
        brolga_fork(&fork[i], visit, &child[i]);
        if (i == count / 2)
            do_something(node);
    }
    for (unsigned i = count; i-- > 0;)
        sum += (uint64_t)brolga_fork_join(&fork[i]);
    return (brolga_word)sum;
}

/* --- roots -------------------------------------------------------------- */

static brolga_word grow(void *arg)
{
    struct tree *tree = arg;
    struct node root = {tree, tree->seed, 0};

    return visit(&root);
}

struct planted {
    struct tree tree;
    brolga_task *task;
    bool canceled;
};

#define ROOTS 8

static void plant(struct planted *planted, uint64_t *random,
                  const struct brolga_spawn_opts *opts)
{
    uint64_t what = race_random(random);

    planted->tree =
        (struct tree){.seed = race_random(random), .panics = what % 5 == 0};
    planted->canceled = what % 7 == 0;
    race_ok(brolga_spawn(rt, grow, &planted->tree, opts, &planted->task));
}

static void harvest(struct planted *planted, uint64_t *trees, uint64_t *nodes)
{
    struct node root = {&planted->tree, planted->tree.seed, 0};
    struct brolga_failure failure;
    uint64_t expected, here = 0;
    brolga_word sum = 0;
    int err;

    if (planted->canceled)
        brolga_cancel(planted->task);
    err = brolga_join(planted->task, BROLGA_FOREVER, &sum, &failure);
    expected = sum_of(&root, &here);
    if (err == BROLGA_EFAILED) {
        race_check(planted->tree.panics, "%s", failure.message);
        return;
    }
    race_check(err == BROLGA_OK, "%d", err);
    race_check((uint64_t)sum == expected, "tree %llu",
               (unsigned long long)planted->tree.seed);
    race_check(planted->tree.calls == here, "%llu calls, %llu nodes",
               (unsigned long long)planted->tree.calls,
               (unsigned long long)here);
    *trees += 1;
    *nodes += here;
}

static void play(uint64_t *random, uint64_t *trees, uint64_t *nodes)
{
    static struct planted planted[ROOTS];
    struct brolga_spawn_opts thread = {.thread = true};

    race_ok(brolga_create(
        &(struct brolga_opts){.workers = 1 + race_random(random) % 4}, &rt));
    race_ok(brolga_chan_create(
        NULL, &(struct brolga_chan_opts){.capacity = 1000}, &chan));
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < ROOTS; i++)
            plant(&planted[i], random,
                  race_random(random) % 9 == 0 ? &thread : NULL);
        for (int i = 0; i < ROOTS; i++)
            harvest(&planted[i], trees, nodes);
    }
    while (brolga_tasks_live(rt) > 0)
        brolga_drive(rt, BROLGA_NOW); /* Those that nobody joined. */
    brolga_chan_release(chan);
    race_ok(brolga_destroy(rt));
}

int main(int argc, char **argv)
{
    uint64_t random, trees = 0, nodes = 0;

    race_begin(argc, argv);
    random = race_state(1);
    do
        play(&random, &trees, &nodes);
    while (!race_over());
    race_check(brolga__alloc_live() == 0, "%lld blocks",
               (long long)brolga__alloc_live());
    printf("%llu trees, %llu nodes\n", (unsigned long long)trees,
           (unsigned long long)nodes);
    return 0;
}
