#include "chans.h"

#include "host.h"
#include "run.h"

#include <stdio.h>

static const struct element *element_of(const struct cell *cell)
{
    return element_at(cell->row);
}

int64_t chan_capacity(int64_t capacity)
{
    if (capacity < 0)
        host_refuse("chan: a capacity of %lld; it is the number of values that "
                    "may wait, or 0: a send then waits for a receiver",
                    (long long)capacity);
    return capacity;
}

brolga_word chan_make(unsigned row, int64_t capacity)
{
    const struct element *element = element_at(row);
    struct brolga_chan_opts opts = {.name = NULL};
    struct cell *cell;
    char name[32];

    (void)run_enter();
    (void)snprintf(name, sizeof name, "chan-%s", element->suffix);
    opts.name = name;
    opts.unbounded = capacity < 0;
    opts.capacity = capacity < 0 ? 0 : (size_t)capacity;
    cell = cell_make(CELL_CHAN, row);
    run_check(brolga_chan_create(element->inside, &opts, &cell->chan), name);
    return cell_value(cell);
}

/* --- send and receive --------------------------------------------------- */

/* What cannot be copied is a mistake in the program, or in its types. */
static void refuse(const struct cell *cell, brolga_word value, int err)
{
    struct brolga_copy_error why;

    (void)brolga_send_why(cell->chan, NULL, &value, &why);
    host_refuse("send-%s: %s: %s%s%s", element_of(cell)->suffix,
                brolga_strerror(err), why.path, why.path[0] != '\0' ? ": " : "",
                why.text);
}

static enum chan_sent sent(const struct cell *cell, brolga_word value, int err)
{
    if (err == BROLGA_OK)
        return CHAN_SENT;
    if (err == BROLGA_EUNSENDABLE || err == BROLGA_EINVAL)
        refuse(cell, value, err);
    run_check(err, "send");
    return err == BROLGA_EAGAIN ? CHAN_FULL : CHAN_CLOSED;
}

enum chan_sent chan_send(brolga_word chan, brolga_word value)
{
    struct cell *cell = cell_of(chan, CELL_CHAN, "send");

    (void)run_enter();
    return sent(cell, value,
                brolga_send_word(cell->chan, value, BROLGA_FOREVER));
}

enum chan_sent chan_try_send(brolga_word chan, brolga_word value)
{
    struct cell *cell = cell_of(chan, CELL_CHAN, "try-send");

    (void)run_enter();
    return sent(cell, value, brolga_try_send(cell->chan, &value));
}

static brolga_word received(const struct cell *cell, brolga_word word, int err)
{
    if (err == BROLGA_OK)
        return host_some(element_pass(element_of(cell), word));
    run_check(err, "recv");
    return 0;
}

brolga_word chan_recv(brolga_word chan, uint64_t deadline_ns)
{
    struct cell *cell = cell_of(chan, CELL_CHAN, "recv");
    brolga_word word = 0;
    int err;

    (void)run_enter();
    err = brolga_recv_word(cell->chan, &word, deadline_ns);
    return received(cell, word, err);
}

brolga_word chan_try_recv(brolga_word chan)
{
    struct cell *cell = cell_of(chan, CELL_CHAN, "try-recv");
    brolga_word word = 0;
    int err;

    (void)run_enter();
    err = brolga_try_recv(cell->chan, &word);
    return received(cell, word, err);
}

brolga_word chan_close(brolga_word chan)
{
    struct cell *cell = cell_of(chan, CELL_CHAN, "close");

    (void)run_enter();
    return brolga_chan_close(cell->chan, BROLGA_OK, NULL) == BROLGA_OK;
}

/* --- select ------------------------------------------------------------- */

/* Fills the arms in, all of which receive into one word. */
static const struct cell *arm_all(struct brolga_arm *arms,
                                  const brolga_word *chans, size_t count,
                                  brolga_word *into)
{
    const struct cell *cell = NULL;

    for (size_t i = 0; i < count; i++) {
        cell = cell_of(chans[i], CELL_CHAN, "select");
        arms[i] = (struct brolga_arm){
            .chan = cell->chan, .op = BROLGA_RECV, .elem = into};
    }
    return cell;
}

bool chan_select(brolga_word chans, uint64_t deadline_ns, brolga_word *value,
                 size_t *index)
{
    struct brolga_arm arms[BROLGA_SELECT_MAX];
    size_t count = (size_t)fields(chans)[0], left = count;
    const struct cell *cell;
    brolga_word word = 0;
    int err = BROLGA_ECLOSED;

    (void)run_enter();
    if (count > BROLGA_SELECT_MAX)
        host_refuse("select: %zu channels, but no more than %d can be waited "
                    "for at once",
                    count, BROLGA_SELECT_MAX);
    cell = arm_all(arms, fields(fields(chans)[2]), count, &word);
    while (left > 0) { /* Each turn but the last one closes an arm. */
        err = brolga_select(arms, count, deadline_ns, index);
        if (err != BROLGA_ECLOSED)
            break;
        arms[*index].chan = NULL;
        left--;
    }
    run_check(err, "select");
    if (err == BROLGA_OK)
        *value = element_pass(element_of(cell), word);
    return err == BROLGA_OK;
}

/* --- looking on --------------------------------------------------------- */

brolga_word chan_stats(brolga_word chan)
{
    struct cell *cell = cell_of(chan, CELL_CHAN, "chan-stats");
    struct brolga_chan_stats stats;

    (void)run_enter();
    brolga_chan_stats(cell->chan, &stats);
    brolga_word words[] = {
        (brolga_word)stats.depth,
        stats.capacity == SIZE_MAX ? -1 : (brolga_word)stats.capacity,
        (brolga_word)stats.sent,
        (brolga_word)stats.received,
        (brolga_word)stats.dropped,
        (brolga_word)stats.senders_waiting,
        (brolga_word)stats.receivers_waiting,
        stats.closed};
    return host_vec(words, sizeof words / sizeof *words);
}
