/*
 * Goal: C9 and C10 with sites. Values that share parts with what their senders
 * keep go to tasks that write to them, by moves, checks and copies, while the
 * sites are demoted: nobody sees another's writes, nothing is lost, and no
 * object is left. Under ThreadSanitizer every object that two tasks reach is a
 * race.
 * Method: senders keep a list each and send lists that take parts from it;
 * receivers compare a digest that came along in the list's first item, scribble
 * on the whole, and drop it or send it on. All ways to send are drawn at
 * random, with deadlines, cancels of nobody, and channels that close.
 */
#include "race/race.h"

#include "chan/values.h"

#include <sched.h>

#define SENDERS   4
#define RECEIVERS 3
#define SITES     3

static brolga *rt;
static brolga_chan *chan[3];
static struct brolga_site site[SITES];
static _Atomic bool stop;
static _Atomic uint64_t sent, received, handed_back;

static void open_channels(void)
{
    static const struct brolga_chan_opts opts[] = {
        {.capacity = 8},
        {.capacity = 0},
        {.unbounded = true, .bytes_max = 4096, .gives = BROLGA_CHECK},
    };

    for (int i = 0; i < 3; i++)
        race_ok(brolga_chan_create(values_type, &opts[i], &chan[i]));
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

    race_check(values_digest(list) == digest, "a value has changed on its way");
}

static void send_by_select(struct brolga_site *by, brolga_word *list,
                           int *result)
{
    struct brolga_arm arms[] = {
        {.chan = chan[0], .op = BROLGA_GIVE, .elem = list, .site = by},
        {.chan = chan[1], .op = BROLGA_GIVE, .elem = list, .site = by},
    };
    size_t chosen;

    *result = brolga_select(arms, 2, brolga_after_ns(BROLGA_MS), &chosen);
}

/* Sends it, or keeps it: then it is what it was. */
static void send_one(uint64_t *random, brolga_word list)
{
    struct brolga_site *by = &site[race_random(random) % SITES];
    brolga_chan *to = chan[race_random(random) % 3];
    int result;

    if (!values_is_unique(list)) /* To move it would be a mistake. */
        by = &site[1 + race_random(random) % 2];
    switch (race_random(random) % 4) {
    case 0:
        result = brolga_try_send_site(to, by, &list);
        break;
    case 1:
        send_by_select(by, &list, &result);
        break;
    case 2:
        result = brolga_send_site(to, by, &list, BROLGA_NOW);
        break;
    default:
        result = brolga_send_site(to, by, &list, brolga_after_ns(BROLGA_MS));
        break;
    }
    if (result == BROLGA_OK) {
        (void)brolga__add_relaxed(&sent, 1);
        return;
    }
    race_check(result == BROLGA_EAGAIN || result == BROLGA_ETIMEOUT ||
                   result == BROLGA_ECLOSED || result == BROLGA_ELIMIT,
               "%d", result);
    check_seal(list);
    brolga_drop_word(values_type, list);
    (void)brolga__add_relaxed(&handed_back, 1);
}

static brolga_word send_all(void *arg)
{
    uint64_t random = race_state((uint64_t)(uintptr_t)arg);
    brolga_word mine = values_build(race_random, &random, 0);
    uint64_t digest = values_digest(mine);

    while (!brolga__load_relaxed(&stop)) {
        send_one(&random,
                 seal(values_build(race_random, &random,
                                   race_random(&random) % 4 ? mine : 0)));
        race_check(values_digest(mine) == digest, "written by a receiver");
        if (race_random(&random) % 8 == 0) {
            brolga_drop_word(values_type, mine);
            mine = values_build(race_random, &random, 0);
            digest = values_digest(mine);
        }
    }
    brolga_drop_word(values_type, mine);
    return 0;
}

/* Receives from all channels until they are closed and drained. */
static brolga_word receive_all(void *arg)
{
    uint64_t random = race_state(1000 + (uint64_t)(uintptr_t)arg);
    brolga_word list[3];
    struct brolga_arm arms[3];
    unsigned open = 3;

    for (int i = 0; i < 3; i++)
        arms[i] = (struct brolga_arm){
            .chan = chan[i], .op = BROLGA_RECV, .elem = &list[i]};
    while (open > 0) {
        size_t chosen;
        int result = brolga_select(arms, 3, BROLGA_FOREVER, &chosen);

        if (result == BROLGA_ECLOSED) {
            arms[chosen].chan = NULL;
            open--;
            continue;
        }
        race_check(result == BROLGA_OK, "%d", result);
        (void)brolga__add_relaxed(&received, 1);
        check_seal(list[chosen]);
        values_scribble(list[chosen]);
        brolga_drop_word(values_type, list[chosen]);
        if (race_random(&random) % 64 == 0)
            brolga_yield();
    }
    return 0;
}

/* What a host does that demotes before it commits: here at any time. */
static void demote_now_and_then(void)
{
    char text[512];
    int demotions = 0;

    while (!race_over()) {
        if (brolga__load_relaxed(&sent) > (uint64_t)(demotions + 1) * 2000) {
            (void)brolga_site_demote(
                &site[demotions % SITES],
                demotions < SITES ? BROLGA_CHECK : BROLGA_COPY, "reloaded");
            demotions++;
        }
        for (int i = 0; i < SITES; i++)
            brolga_site_explain(&site[i], text, sizeof(text));
        (void)sched_yield();
    }
}

static uint64_t sent_by_sites(void)
{
    uint64_t all = 0;

    for (int i = 0; i < SITES; i++) {
        struct brolga_site_stats stats;

        brolga_site_stats(&site[i], &stats);
        all += stats.moved + stats.checked + stats.copied;
        race_check(stats.refused == 0, "%d", i);
    }
    return all;
}

int main(int argc, char **argv)
{
    brolga_task *sender[SENDERS], *receiver[RECEIVERS];

    race_begin(argc, argv);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    race_ok(values_open());
    open_channels();
    for (int i = 0; i < SITES; i++)
        site[i] = (struct brolga_site){.name = "s", .mode = BROLGA_MOVE + i};
    for (uintptr_t i = 0; i < RECEIVERS; i++)
        race_ok(brolga_spawn(rt, receive_all, (void *)i, NULL, &receiver[i]));
    for (uintptr_t i = 0; i < SENDERS; i++)
        race_ok(brolga_spawn(rt, send_all, (void *)i,
                             &(struct brolga_spawn_opts){.thread = i == 0},
                             &sender[i]));
    demote_now_and_then();
    race_ok(brolga_chan_close(chan[0], BROLGA_OK, "early"));
    brolga__store_relaxed(&stop, true);
    for (int i = 0; i < SENDERS; i++)
        race_ok(brolga_join(sender[i], BROLGA_FOREVER, NULL, NULL));
    for (int i = 1; i < 3; i++)
        race_ok(brolga_chan_close(chan[i], BROLGA_OK, "done"));
    for (int i = 0; i < RECEIVERS; i++)
        race_ok(brolga_join(receiver[i], BROLGA_FOREVER, NULL, NULL));
    for (int i = 0; i < 3; i++)
        brolga_chan_release(chan[i]);
    race_check(sent > 100 && sent == received, "%llu sent, %llu received",
               (unsigned long long)sent, (unsigned long long)received);
    race_check(sent_by_sites() == sent, "the sites say something else%s", "");
    race_check(values_live == 0, "%lld objects are left",
               (long long)values_live);
    brolga_sites_forget(site, sizeof(site));
    race_ok(brolga_destroy(rt));
    brolga_types_destroy(values_types);
    printf("%llu values, %llu handed back\n", (unsigned long long)sent,
           (unsigned long long)handed_back);
    return 0;
}
