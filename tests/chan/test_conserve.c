/*
 * Goal: whatever is sent, in whatever way, and whatever fails, no object is
 * lost, freed twice, or reached by two owners; counts stay exact (C9, C10).
 * Method: values that share parts with each other; random steps of build, drop,
 * send by each mode, offer, withdraw, receive and close, also with requests for
 * memory that fail. After each step the counts of all that the test holds are
 * compared with its own references: what the channels hold must have none in
 * them. BROLGA_SEED repeats a run.
 */
#include "chan/values.h"

#include "alloc.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCALS   6
#define CHANNELS 4
#define QUEUE    64
#define OBJECTS  2048
#define STEPS    40000

/* What must come out of a channel, in its order. */
struct pipe {
    brolga_chan *chan;
    uint64_t digest[QUEUE];
    size_t count;
};

static struct {
    uint64_t random;
    brolga_word local[LOCALS]; /* 0: none */
    struct pipe pipe[CHANNELS];
    struct brolga_site site[3]; /* by mode - 1 */
    unsigned sent, refused, failed;
} now;

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 11;
}

static size_t below(size_t count)
{
    return (size_t)(draw(&now.random) % count);
}

/* --- the oracle --------------------------------------------------------- */

static struct {
    brolga_word value[OBJECTS];
    int64_t refs[OBJECTS];
    size_t count;
} seen;

/* One more reference; true if that is the first. */
static bool note(brolga_word value)
{
    for (size_t i = 0; i < seen.count; i++)
        if (seen.value[i] == value) {
            seen.refs[i]++;
            return false;
        }
    cr_assert_lt(seen.count, OBJECTS);
    seen.value[seen.count] = value;
    seen.refs[seen.count++] = 1;
    return true;
}

static void check_counts(void)
{
    seen.count = 0;
    for (size_t i = 0; i < LOCALS; i++) {
        brolga_word list = now.local[i];

        for (; list != 0 && note(list); list = values_fields(list)[2])
            if (values_fields(list)[1] != 0)
                (void)note(values_fields(list)[1]);
    }
    for (size_t i = 0; i < seen.count; i++)
        cr_assert_eq(*values_count(seen.value[i]), seen.refs[i]);
}

/* --- steps -------------------------------------------------------------- */

static void build(brolga_word *local)
{
    if (*local == 0)
        *local = values_build(draw, &now.random, now.local[below(LOCALS)]);
}

static void drop(brolga_word *local)
{
    brolga_drop_word(values_type, *local);
    *local = 0;
}

/* A second reference to a whole value. */
static void share(brolga_word *local)
{
    if (*local == 0)
        *local = values_share(now.local[below(LOCALS)]);
}

static void push(struct pipe *pipe, uint64_t digest)
{
    cr_assert_lt(pipe->count, QUEUE);
    pipe->digest[pipe->count++] = digest;
    now.sent++;
}

/* The value is the channel's, or it is still ours and what it was. */
static void sent(struct pipe *pipe, brolga_word *local, uint64_t digest,
                 int result)
{
    if (result == BROLGA_OK) {
        push(pipe, digest);
        *local = 0;
        return;
    }
    cr_assert(result == BROLGA_EAGAIN || result == BROLGA_ECLOSED ||
              result == BROLGA_ENOMEM);
    cr_assert_eq(values_digest(*local), digest);
    now.refused += result != BROLGA_ENOMEM;
    now.failed += result == BROLGA_ENOMEM;
}

static struct brolga_site *choose_site(brolga_word list)
{
    /* To move what is not unique would be the host's mistake. */
    return &now.site[values_is_unique(list) ? below(3) : 1 + below(2)];
}

static void send(struct pipe *pipe, brolga_word *local)
{
    uint64_t digest = values_digest(*local);

    if (*local == 0 || pipe->count == QUEUE)
        return;
    if (below(4) == 0)
        brolga__alloc_fail_nth(1 + below(6));
    if (below(3) == 0) {
        if (brolga_try_send(pipe->chan, local) == BROLGA_OK)
            push(pipe, digest);
    } else {
        sent(pipe, local, digest,
             brolga_try_send_site(pipe->chan, choose_site(*local), local));
    }
    brolga__alloc_fail_nth(0);
}

static void not_woken(void *arg)
{
    (void)arg;
}

static void receive(struct pipe *pipe, brolga_word *local)
{
    int result;

    if (*local != 0)
        return;
    result = brolga_try_recv(pipe->chan, local);
    if (pipe->count == 0) {
        cr_assert_neq(result, BROLGA_OK);
        return;
    }
    cr_assert_eq(result, BROLGA_OK);
    cr_assert_eq(values_digest(*local), pipe->digest[0]);
    memmove(pipe->digest, pipe->digest + 1,
            --pipe->count * sizeof(pipe->digest[0]));
    check_counts();
    values_scribble(*local); /* Nobody else may see that. */
}

/* Waits in a channel for a while; then it was taken, or is withdrawn. */
static void offer(struct pipe *pipe, brolga_word *local, brolga_word *other)
{
    struct brolga_waiter waiter = {.wake = not_woken};
    uint64_t digest = values_digest(*local);
    int result;

    if (*local == 0 || *other != 0 || pipe->count == QUEUE)
        return;
    result =
        brolga_chan_offer_site(pipe->chan, &waiter, choose_site(*local), local);
    if (result == BROLGA_EAGAIN) {
        bool taken =
            below(2) == 0 && brolga_try_recv(pipe->chan, other) == BROLGA_OK;

        if (taken && pipe->count == 0) { /* A rendezvous. */
            cr_assert_eq(values_digest(*other), digest);
            cr_assert_eq(brolga_chan_withdraw(&waiter), BROLGA_OK);
            *local = 0;
            return;
        }
        if (taken) {
            cr_assert_eq(values_digest(*other), pipe->digest[0]);
            memmove(pipe->digest, pipe->digest + 1,
                    --pipe->count * sizeof(pipe->digest[0]));
        }
        result = brolga_chan_withdraw(&waiter);
        if (result == BROLGA_ECANCELED)
            result = BROLGA_EAGAIN;
    }
    sent(pipe, local, digest, result);
}

static void reopen(struct pipe *pipe)
{
    struct brolga_chan_opts opts = {.capacity = below(4),
                                    .gives = (enum brolga_mode)below(4)};

    if (opts.capacity == 3) {
        opts.capacity = 0;
        opts.unbounded = true;
    }
    if (pipe->chan != NULL && below(2) == 0)
        (void)brolga_chan_close(pipe->chan, BROLGA_OK, NULL);
    brolga_chan_release(pipe->chan); /* What is in it is dropped. */
    pipe->count = 0;
    cr_assert_eq(brolga_chan_create(values_type, &opts, &pipe->chan),
                 BROLGA_OK);
}

static void step(void)
{
    struct pipe *pipe = &now.pipe[below(CHANNELS)];
    brolga_word *local = &now.local[below(LOCALS)];

    switch (below(16)) {
    case 0:
        drop(local);
        break;
    case 1:
        share(local);
        break;
    case 2:
        if (below(8) == 0)
            reopen(pipe);
        break;
    case 3:
        if (below(8) == 0)
            (void)brolga_chan_close(pipe->chan, BROLGA_OK, NULL);
        break;
    case 4:
    case 5:
        offer(pipe, local, &now.local[below(LOCALS)]);
        break;
    case 6:
    case 7:
    case 8:
        build(local);
        break;
    case 9:
    case 10:
    case 11:
        receive(pipe, local);
        break;
    default:
        send(pipe, local);
        break;
    }
    check_counts();
}

Test(conserve, nothing_is_lost_or_shared, .timeout = 120)
{
    const char *text = getenv("BROLGA_SEED");
    int64_t live;

    now.random = (text ? strtoull(text, NULL, 0) : brolga_now_ns()) | 1;
    fprintf(stderr, "seed: BROLGA_SEED=%llu\n", (unsigned long long)now.random);
    live = brolga__alloc_live();
    cr_assert_eq(values_open(), BROLGA_OK);
    for (int i = 0; i < 3; i++)
        now.site[i] = (struct brolga_site){.mode = BROLGA_MOVE + i};
    for (int i = 0; i < CHANNELS; i++)
        reopen(&now.pipe[i]);
    for (int i = 0; i < STEPS; i++)
        step();
    cr_assert_gt(now.sent, STEPS / 100);
    cr_assert_gt(now.refused, 10);
    cr_assert_gt(now.failed, 10);
    for (int i = 0; i < LOCALS; i++)
        drop(&now.local[i]);
    for (int i = 0; i < CHANNELS; i++)
        brolga_chan_release(now.pipe[i].chan);
    cr_assert_eq(brolga__load_relaxed(&values_live), 0);
    brolga_sites_forget(now.site, sizeof(now.site));
    brolga_types_destroy(values_types);
    cr_assert_eq(brolga__alloc_live(), live);
}
