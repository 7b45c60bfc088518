#include "host.h"

#include "run.h"

#include <brolga/brolga.h>
#include <brolga/freeze.h>

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What was written to a callback's word can be read by any thread: the host
 * gives the same functions each time. */
static int64_t (*_Atomic alloc_now)(int64_t);
static int64_t (*_Atomic free_now)(int64_t);
static void (*_Atomic panic_now)(const char *, size_t);
static _Atomic uint64_t left_behind;
static _Atomic uint64_t reloads;

/* Relaxed throughout: who calls in has seen the entry point return. */
#define GET(word) atomic_load_explicit(&(word), memory_order_relaxed)
#define PUT(word, value)                                                       \
    atomic_store_explicit(&(word), value, memory_order_relaxed)

void host_meet(const struct cranelisp_host *host)
{
    PUT(alloc_now, host->alloc);
}

/* --- hooks -------------------------------------------------------------- */

/* The host will say what happened, but not to whom. */
static void panicked(const char *text, size_t bytes)
{
    brolga_task *self = brolga_self();

    (void)text;
    (void)bytes;
    if (self != NULL)
        fprintf(stderr, "tasks: the panic is in task %llu\n",
                (unsigned long long)brolga_task_id(self));
}

static void reloaded(enum cranelisp_reload what, const char *module,
                     size_t bytes)
{
    (void)module;
    (void)bytes;
    if (what == CRANELISP_RELOAD_DONE)
        (void)atomic_fetch_add_explicit(&reloads, 1, memory_order_relaxed);
}

/* A struct of an older host may end before the field. */
#define HAS(host, field)                                                       \
    ((host)->bytes >=                                                          \
         offsetof(struct cranelisp_host_v2, field) + sizeof((host)->field) &&  \
     (host)->field != NULL)

void host_meet_v2(const struct cranelisp_host_v2 *host)
{
    PUT(alloc_now, host->alloc);
    if (HAS(host, free))
        PUT(free_now, host->free);
    if (HAS(host, panic))
        PUT(panic_now, host->panic);
    if (HAS(host, on_panic))
        host->on_panic(panicked);
    if (HAS(host, on_reload))
        host->on_reload(reloaded);
    if (HAS(host, on_shutdown))
        host->on_shutdown(run_shut_down);
}

uint64_t host_reloads(void)
{
    return GET(reloads);
}

/* --- objects ------------------------------------------------------------ */

brolga_word host_alloc(int64_t payload_bytes, void *arg)
{
    (void)arg;
    return GET(alloc_now)(payload_bytes);
}

void host_free(brolga_word object, void *arg)
{
    int64_t (*give_back)(int64_t) = GET(free_now);

    (void)arg;
    if (give_back != NULL)
        (void)give_back(object);
    else
        (void)atomic_fetch_add_explicit(
            &left_behind, (uint64_t)fields(object)[-2], memory_order_relaxed);
}

uint64_t host_left_behind(void)
{
    return GET(left_behind);
}

static brolga_word pair(brolga_word tag, brolga_word value)
{
    brolga_word object = host_alloc(2 * sizeof(brolga_word), NULL);

    fields(object)[0] = tag;
    fields(object)[1] = value;
    return object;
}

/* What most calls return is made once: size, count, tag and value. These are
 * immortal; tasks may count them at a time, but nobody looks at the count. */
#define SMALL(value)                                                           \
    {                                                                          \
        32, BROLGA_FROZEN_COUNT, 0, value                                      \
    }
static brolga_word small[][4] = {SMALL(-1), SMALL(0), SMALL(1)};

brolga_word host_io(brolga_word value)
{
    if (value >= -1 && value <= 1)
        return (brolga_word)&small[value + 1][2];
    return pair(0, value);
}

brolga_word host_some(brolga_word value)
{
    return pair(1, value);
}

brolga_word host_vec(const brolga_word *words, size_t count)
{
    brolga_word vec = host_alloc(3 * sizeof(brolga_word), NULL), data = 0;

    if (count > 0) {
        data = host_alloc((int64_t)(count * sizeof *words), NULL);
        memcpy(fields(data), words, count * sizeof *words);
    }
    fields(vec)[0] = (brolga_word)count;
    fields(vec)[1] = (brolga_word)count;
    fields(vec)[2] = data;
    return vec;
}

brolga_word host_string(const char *text, size_t bytes)
{
    brolga_word string =
        host_alloc((int64_t)(sizeof(brolga_word) + bytes), NULL);

    fields(string)[0] = (brolga_word)bytes;
    memcpy(&fields(string)[1], text, bytes);
    return string;
}

/* --- refusing ----------------------------------------------------------- */

static _Atomic bool refused;

/* exit() is for one thread: others that come here wait for it to end them. */
static void first_only(void)
{
    while (atomic_exchange(&refused, true))
        (void)pause();
}

bool host_has_refused(void)
{
    return GET(refused);
}

void host_refuse(const char *format, ...)
{
    void (*report)(const char *, size_t) = GET(panic_now);
    char text[1024] = "tasks: ";
    size_t used = strlen(text);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text + used, sizeof text - used, format, args);
    va_end(args);
    if (report != NULL)
        report(text, strlen(text));
    first_only();
    fprintf(stderr, "panic: %s\n", text);
    exit(1);
}
