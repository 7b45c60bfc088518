/*
 * Stalls: the report of holders.c as a text and as JSON, for whoever asks, and
 * unasked when something has been old for too long.
 *
 * What is told first comes in the order in which tasks are visited; so it is
 * collected, and written unit by unit. The report is about what stands in the
 * way, so a few hundred holders are enough; the rest is counted.
 */
#include "tasks/tasks.h"

#include "json.h"
#include "plat.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HOLDERS_MAX 256
#define OLDS_MAX    256

/* What is written about one old thing: units may be gone by then. */
struct old {
    uint64_t version, since_ns;
    size_t bytes;
    bool is_unit;
    char unit[64];
    const void *name; /* What holders say of their unit; only compared. */
};

struct stalls {
    uint32_t olds, olds_more, holders, holders_more;
    struct old old[OLDS_MAX];
    struct brolga_holder holder[HOLDERS_MAX];
};

/* --- collecting --------------------------------------------------------- */

static void put_old(void *arg, const struct brolga__old *from)
{
    struct stalls *stalls = arg;
    struct old *old = &stalls->old[stalls->olds];

    if (stalls->olds == OLDS_MAX) {
        stalls->olds_more++;
        return;
    }
    *old = (struct old){.version = from->version,
                        .since_ns = from->since_ns,
                        .bytes = from->bytes,
                        .is_unit = from->unit != NULL};
    if (old->is_unit) {
        old->name = from->unit->name;
        (void)snprintf(old->unit, sizeof old->unit, "%s", from->unit->name);
    }
    stalls->olds++;
}

static void put_holder(void *arg, const struct brolga_holder *holder)
{
    struct stalls *stalls = arg;

    if (stalls->holders == HOLDERS_MAX)
        stalls->holders_more++;
    else
        stalls->holder[stalls->holders++] = *holder;
}

/* NULL without memory. The caller frees it. */
static struct stalls *collect(struct brolga *rt)
{
    struct stalls *stalls = brolga__alloc_zero(sizeof *stalls);

    if (stalls != NULL)
        (void)brolga__holders_tell(
            rt, &(struct brolga__holders){put_old, put_holder, stalls});
    return stalls;
}

static bool is_of(const struct brolga_holder *holder, const struct old *old)
{
    return holder->version == old->version &&
           (old->is_unit ? holder->unit == old->name : holder->unit[0] == '\0');
}

/* --- as a text ---------------------------------------------------------- */

struct text {
    char *at;
    size_t bytes, used;
};

static void put(struct text *text, const char *format, ...) BROLGA_PRINTF(2, 3);

static void put(struct text *text, const char *format, ...)
{
    size_t room = text->used < text->bytes ? text->bytes - text->used : 0;
    va_list arguments;
    int count;

    va_start(arguments, format);
    count = vsnprintf(room > 0 ? text->at + text->used : NULL, room, format,
                      arguments);
    va_end(arguments);
    if (count > 0)
        text->used += (size_t)count;
}

static void put_time(struct text *text, uint64_t ns)
{
    if (ns < BROLGA_S)
        put(text, "%" PRIu64 " ms", ns / BROLGA_MS);
    else
        put(text, "%" PRIu64 ".%" PRIu64 " s", ns / BROLGA_S,
            ns / (BROLGA_S / 10) % 10);
}

static void put_task(struct text *text, const struct brolga_holder *holder,
                     uint64_t now_ns)
{
    put(text, "task %" PRIu64 " '%s': ", holder->task, holder->task_name);
    switch (holder->reason) {
    case BROLGA_HOLD_VIEW:
        put(text, "it stays in that version");
        break;
    case BROLGA_HOLD_RUNNING:
        put(text, "it runs, and has not come to a safepoint since");
        if (holder->function[0] != '\0')
            put(text, ": it is in %s", holder->function);
        break;
    case BROLGA_HOLD_CALLBACK:
        put(text, "%s", holder->what);
        break;
    case BROLGA_HOLD_BLOCKED:
    case BROLGA_HOLD_FRAME:
    default:
        put(text, "a frame of %s is on its stack",
            holder->function[0] != '\0' ? holder->function : "it");
    }
    if (holder->reason == BROLGA_HOLD_BLOCKED)
        put(text, ", in foreign code");
    else if (holder->parked_in != NULL)
        put(text, ", parked in %s", holder->parked_in);
    if (holder->reason != BROLGA_HOLD_RUNNING && holder->task_since_ns != 0 &&
        holder->task_since_ns < now_ns) {
        put(text, " for ");
        put_time(text, now_ns - holder->task_since_ns);
    }
}

static void put_others(struct text *text, const struct brolga_holder *holder)
{
    const char *what = "pin";

    if (holder->what[0] != '\0') {
        put(text, "%s", holder->what);
        return;
    }
    if (holder->reason == BROLGA_HOLD_CALLER && holder->caller[0] != '\0') {
        put(text, "%s, which can still call it", holder->caller);
        return;
    }
    if (holder->reason == BROLGA_HOLD_CALLER)
        what = "task that calls it by number";
    else if (holder->reason == BROLGA_HOLD_CLOSURE)
        what = "closure";
    else if (holder->reason == BROLGA_HOLD_CALLBACK)
        what = "callback";
    put(text, "%" PRIu64 " %s%s", holder->pins, what,
        holder->pins == 1 || holder->reason == BROLGA_HOLD_CALLER ? "" : "s");
    if (holder->reason == BROLGA_HOLD_PIN)
        put(text, " of the host's");
}

static void put_old_text(struct text *text, const struct old *old,
                         uint64_t now_ns)
{
    put(text, "v%" PRIu64 " %s, %zu bytes, old for ", old->version,
        old->is_unit ? old->unit : "(its table)", old->bytes);
    put_time(text, now_ns - old->since_ns);
}

static void put_holders(struct text *text, const struct stalls *stalls,
                        const struct old *old, uint64_t now_ns)
{
    bool any = false;

    for (uint32_t i = 0; i < stalls->holders; i++) {
        const struct brolga_holder *holder = &stalls->holder[i];

        if (!is_of(holder, old))
            continue;
        put(text, any ? "\n    and by " : ", held\n    by ");
        any = true;
        if (holder->task != 0)
            put_task(text, holder, now_ns);
        else
            put_others(text, holder);
    }
    put(text, any ? "\n" : ", about to go\n");
}

static size_t write_text(const struct stalls *stalls, char *at, size_t bytes)
{
    struct text text = {at, bytes, 0};
    uint64_t now_ns = brolga__plat_now_ns();

    for (uint32_t i = 0; i < stalls->olds; i++) {
        put_old_text(&text, &stalls->old[i], now_ns);
        put_holders(&text, stalls, &stalls->old[i], now_ns);
    }
    if (stalls->olds_more + stalls->holders_more > 0)
        put(&text, "and %u more that are old, and %u more that hold them\n",
            stalls->olds_more, stalls->holders_more);
    if (bytes > 0 && text.used == 0)
        at[0] = '\0';
    return text.used;
}

/* --- as JSON ------------------------------------------------------------ */

static void json_holder(struct brolga__json *json,
                        const struct brolga_holder *holder, uint64_t now_ns)
{
    brolga__json_begin(json, '{');
    brolga__json_put_string(json, "reason", brolga_hold_name(holder->reason));
    brolga__json_may_number(json, "task", holder->task);
    brolga__json_may_string(json, "task_name", holder->task_name);
    brolga__json_may_string(json, "function", holder->function);
    brolga__json_may_string(json, "parked_in", holder->parked_in);
    brolga__json_may_string(json, "caller", holder->caller);
    brolga__json_may_string(json, "what", holder->what);
    brolga__json_may_number(json, "count", holder->pins);
    if (holder->task_since_ns != 0 && holder->task_since_ns < now_ns)
        brolga__json_may_number(json, "since_ns",
                                now_ns - holder->task_since_ns);
    brolga__json_end(json, '}');
}

static void json_old(struct brolga__json *json, const struct stalls *stalls,
                     const struct old *old, uint64_t now_ns)
{
    brolga__json_begin(json, '{');
    brolga__json_put_number(json, "version", old->version);
    if (old->is_unit)
        brolga__json_put_string(json, "unit", old->unit);
    brolga__json_put_number(json, "bytes", old->bytes);
    brolga__json_put_number(json, "age_ns", now_ns - old->since_ns);
    brolga__json_key(json, "holders");
    brolga__json_begin(json, '[');
    for (uint32_t i = 0; i < stalls->holders; i++)
        if (is_of(&stalls->holder[i], old))
            json_holder(json, &stalls->holder[i], now_ns);
    brolga__json_end(json, ']');
    brolga__json_end(json, '}');
}

static size_t write_json(struct brolga *rt, const struct stalls *stalls,
                         char *at, size_t bytes)
{
    struct brolga__json json = {.text = at, .bytes = bytes};
    uint64_t now_ns = brolga__plat_now_ns();

    brolga__json_begin(&json, '{');
    brolga__json_put_number(&json, "version", brolga_got_version(rt->got));
    brolga__json_key(&json, "old");
    brolga__json_begin(&json, '[');
    for (uint32_t i = 0; i < stalls->olds; i++)
        json_old(&json, stalls, &stalls->old[i], now_ns);
    brolga__json_end(&json, ']');
    brolga__json_may_number(&json, "old_more", stalls->olds_more);
    brolga__json_may_number(&json, "holders_more", stalls->holders_more);
    brolga__json_end(&json, '}');
    return brolga__json_finish(&json);
}

/* --- for who asks ------------------------------------------------------- */

size_t brolga_stalls_text(brolga *rt, char *text, size_t bytes)
{
    struct stalls *stalls = collect(rt);
    size_t used = 0;

    if (stalls != NULL)
        used = write_text(stalls, text, bytes);
    else if (bytes > 0)
        text[0] = '\0';
    brolga__free(stalls);
    return used;
}

size_t brolga_stalls_json(brolga *rt, char *text, size_t bytes)
{
    static const struct stalls none;
    struct stalls *stalls = collect(rt);
    size_t used = write_json(rt, stalls != NULL ? stalls : &none, text, bytes);

    brolga__free(stalls);
    return used;
}

/* --- unasked ------------------------------------------------------------ */

/* Longer reports are cut. */
#define TEXT_BYTES (32 << 10)

static void deliver(struct brolga *rt, const struct stalls *stalls, char *text,
                    char *json, uint64_t after_ns)
{
    struct brolga_event event = {.kind = BROLGA_EVENT_STALLED,
                                 .version = stalls->old[0].version,
                                 .unit = stalls->old[0].unit,
                                 .after_ns = after_ns,
                                 .text = text,
                                 .json = json};

    (void)write_text(stalls, text, TEXT_BYTES);
    (void)write_json(rt, stalls, json, TEXT_BYTES);
    if (rt->opts.on_event != NULL)
        rt->opts.on_event(rt->opts.arg, &event);
    else
        fprintf(stderr, "brolga: old code is held:\n%s", text);
}

static void report(struct brolga *rt, uint64_t after_ns)
{
    struct stalls *stalls = collect(rt);
    char *texts = brolga__alloc(2 * TEXT_BYTES);

    if (stalls != NULL && texts != NULL && stalls->olds > 0)
        deliver(rt, stalls, texts, texts + TEXT_BYTES, after_ns);
    brolga__free(texts);
    brolga__free(stalls);
}

uint64_t brolga__stalls_look(struct brolga *rt, uint64_t now_ns)
{
    uint64_t since_ns = brolga__got_oldest_ns(rt->got);

    if (since_ns == UINT64_MAX || rt->opts.stall_ns == BROLGA_FOREVER)
        return BROLGA_FOREVER;
    if (since_ns != rt->stalled_since_ns) { /* What was the oldest has gone. */
        rt->stalled_since_ns = since_ns;
        rt->stall_due_ns = since_ns + rt->opts.stall_ns;
    }
    if (now_ns < rt->stall_due_ns)
        return rt->stall_due_ns;
    rt->stall_due_ns = now_ns + (now_ns - since_ns);
    report(rt, now_ns - since_ns);
    return rt->stall_due_ns;
}
