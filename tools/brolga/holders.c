/*
 * Naming what keeps old code: its holders are told once it has been held for a
 * second, then at doubling intervals while that lasts; and its end is told.
 */
#include "tool.h"

#include <string.h>

#define FIRST_NS (1 * BROLGA_S)
#define LOOK_NS  (250 * BROLGA_MS) /* While something is held. */
#define REST_NS  (1 * BROLGA_S)    /* While nothing is. */

void holders_init(struct holders *holders, struct out *out)
{
    *holders = (struct holders){.out = out};
    pthread_mutex_init(&holders->lock, NULL);
}

/* --- looking ------------------------------------------------------------ */

static bool is_unit(const struct held *held, const char *unit, uint64_t version)
{
    return held->version == version &&
           strncmp(held->unit, unit, sizeof(held->unit) - 1) == 0;
}

static struct held *find(struct held *list, size_t count, const char *unit,
                         uint64_t version)
{
    for (size_t i = 0; i < count; i++) {
        if (is_unit(&list[i], unit, version))
            return &list[i];
    }
    return NULL;
}

/* Called with locks of the runtime held, hence takes none of ours: the
 * reclaimer reports to us with such locks held, too. */
static void visit(void *arg, const struct brolga_holder *holder)
{
    struct holders *holders = arg;
    struct held *held =
        find(holders->seen, holders->seen_count, holder->unit, holder->version);

    if (!held) {
        if (holders->seen_count == HELD_MAX)
            return;
        held = &holders->seen[holders->seen_count++];
        *held = (struct held){.version = holder->version,
                              .since_ns = holder->since_ns,
                              .bytes = holder->bytes,
                              .due_ns = holder->since_ns + FIRST_NS};
        snprintf(held->unit, sizeof(held->unit), "%s", holder->unit);
    }
    if (held->count < HELD_NAMED) {
        held->named[held->count] = *holder;
        held->named[held->count].unit = NULL; /* Not ours to keep. */
    }
    held->count++;
}

/* Brings what was seen together with what was told before. Units that nobody
 * holds any more are forgotten, unless they were told: those stay until they
 * are released, so that their end can be told too. The end of a version without
 * units is told as its adoption. */
static void merge(struct holders *holders)
{
    for (size_t i = 0; i < holders->count; i++) {
        const struct held *old = &holders->held[i];
        struct held *seen =
            find(holders->seen, holders->seen_count, old->unit, old->version);

        if (seen) {
            seen->told = old->told;
            seen->due_ns = old->due_ns;
        } else if (old->told && old->unit[0] &&
                   holders->seen_count < HELD_MAX) {
            holders->seen[holders->seen_count] = *old;
            holders->seen[holders->seen_count++].count = 0;
        }
    }
    memcpy(holders->held, holders->seen,
           holders->seen_count * sizeof(holders->seen[0]));
    holders->count = holders->seen_count;
}

/* --- telling ------------------------------------------------------------ */

static void put_task_reason(struct text *text,
                            const struct brolga_holder *holder)
{
    const char *function =
        holder->function[0] ? holder->function : "this module";

    text_printf(text, " by task %llu '%s': ", (unsigned long long)holder->task,
                holder->task_name);
    if (holder->reason == BROLGA_HOLD_VIEW)
        text_put(text, "it still calls through that version");
    else if (holder->reason == BROLGA_HOLD_RUNNING && holder->function[0])
        text_printf(text, "it has not reached a safepoint since: it is in %s",
                    function);
    else if (holder->reason == BROLGA_HOLD_RUNNING)
        text_put(text, "it has not reached a safepoint since");
    else if (holder->what[0])
        text_put(text, holder->what);
    else
        text_printf(text, "a frame of %s is on its stack%s", function,
                    holder->reason == BROLGA_HOLD_BLOCKED
                        ? ", in a blocking call"
                        : "");
    if (holder->parked_in)
        text_printf(text, "; parked in %s", holder->parked_in);
}

static void put_reason(struct text *text, const struct brolga_holder *holder)
{
    unsigned long long pins = holder->pins;
    const char *s = pins == 1 ? "" : "s";

    if (holder->task != 0)
        put_task_reason(text, holder);
    else if (holder->what[0])
        text_printf(text, " by %s", holder->what);
    else if (holder->reason == BROLGA_HOLD_CLOSURE)
        text_printf(text, " by %llu closure%s", pins, s);
    else if (holder->reason == BROLGA_HOLD_CALLBACK)
        text_printf(text, " by %llu function%s that will be called", pins, s);
    else if (holder->reason == BROLGA_HOLD_CALLER && holder->caller[0])
        text_printf(text, " by %s, which can still call it", holder->caller);
    else if (holder->reason == BROLGA_HOLD_CALLER)
        text_printf(text, " by %llu task%s that call%s it again and again",
                    pins, s, pins == 1 ? "s" : "");
    else
        text_printf(text, " by %llu pin%s of the program's own", pins, s);
}

static void tell_person(struct holders *holders, const struct held *held,
                        const struct brolga_holder *holder, uint64_t now_ns)
{
    struct text text = {0}, version = {0};

    text_printf(&version, "v%-3llu", (unsigned long long)held->version);
    out_style(holders->out, &text, STYLE_HELD, version.data);
    text_free(&version);
    text_printf(&text, "%s held ", held->unit[0] ? held->unit : "itself");
    text_duration(&text, now_ns - held->since_ns);
    put_reason(&text, holder);
    out_line(holders->out, &text);
}

static void tell_program(struct holders *holders, const struct held *held,
                         const struct brolga_holder *holder, uint64_t now_ns)
{
    struct text text = {0};

    json_open(&text, "held");
    json_number(&text, "version", held->version);
    json_string(&text, "unit", held->unit[0] ? held->unit : NULL);
    json_number(&text, "bytes", held->bytes);
    json_number(&text, "held_ns", now_ns - held->since_ns);
    json_number(&text, "holders", held->count);
    json_string(&text, "reason", brolga_hold_name(holder->reason));
    if (holder->task == 0) {
        json_number(&text, "pins", holder->pins);
        json_string(&text, "caller", holder->caller[0] ? holder->caller : NULL);
        json_string(&text, "what", holder->what[0] ? holder->what : NULL);
    } else {
        json_number(&text, "task", holder->task);
        json_string(&text, "task_name", holder->task_name);
        json_string(&text, "function", holder->function);
        json_string(&text, "parked_in", holder->parked_in);
    }
    out_json(holders->out, &text);
}

static void tell_more(struct holders *holders, size_t more)
{
    struct text text = {0};

    text_printf(&text, "    and by %zu more", more);
    out_line(holders->out, &text);
}

static void tell(struct holders *holders, struct held *held, uint64_t now_ns)
{
    for (size_t i = 0; i < held->count && i < HELD_NAMED; i++) {
        tell_person(holders, held, &held->named[i], now_ns);
        tell_program(holders, held, &held->named[i], now_ns);
    }
    if (held->count > HELD_NAMED)
        tell_more(holders, held->count - HELD_NAMED);
    held->told = true;
    held->due_ns = held->since_ns + 2 * (now_ns - held->since_ns);
}

static uint64_t tell_due(struct holders *holders, uint64_t now_ns)
{
    uint64_t next = now_ns + LOOK_NS;

    for (size_t i = 0; i < holders->count; i++) {
        struct held *held = &holders->held[i];

        if (held->count > 0 && held->due_ns <= now_ns)
            tell(holders, held, now_ns);
        if (held->due_ns > now_ns && held->due_ns < next)
            next = held->due_ns;
    }
    return next;
}

uint64_t holders_tick(struct holders *holders, brolga *rt, uint64_t now_ns)
{
    struct brolga_got_stats stats;
    uint64_t next;

    brolga_got_stats(brolga_runtime_got(rt), &stats);
    if (stats.units_retired == 0 && stats.versions_live == 1)
        return now_ns + REST_NS;
    holders->seen_count = 0;
    brolga_holders(rt, visit, holders);
    pthread_mutex_lock(&holders->lock);
    merge(holders);
    next = tell_due(holders, now_ns);
    pthread_mutex_unlock(&holders->lock);
    return next;
}

/* Forgets the unit. Returns whether somebody was told that it is held. */
static bool forget(struct holders *holders, const struct brolga_event *event)
{
    struct held *held;
    bool told = false;

    pthread_mutex_lock(&holders->lock);
    held = find(holders->held, holders->count, event->unit, event->version);
    if (held) {
        told = held->told;
        *held = holders->held[--holders->count];
    }
    pthread_mutex_unlock(&holders->lock);
    return told;
}

void holders_released(struct holders *holders, const struct brolga_event *event)
{
    struct text text = {0};

    if (!forget(holders, event) && !holders->out->verbose)
        return;
    text_printf(&text, "v%-3llu%s released after ",
                (unsigned long long)event->version, event->unit);
    text_duration(&text, event->after_ns);
    out_line(holders->out, &text);
}
