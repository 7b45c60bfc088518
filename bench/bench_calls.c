/*
 * Calls: what it costs that every call may reach new code.
 *
 * All subjects call the same tiny function four million times, each call
 * waiting for the result of the one before. The program is linked with the
 * shared library, as modules are: the linker can then not shorten the way to
 * the view of the task.
 *
 * safepoint_poll has eight polls a turn of the loop, so that the loop itself
 * hardly counts.
 */
#include "bench.h"

#include <brolga/module.h>

#ifdef BENCH_URCU
#define _LGPL_SOURCE /* The inlined versions. */
#include <urcu/urcu-qsbr.h>
#endif

#define CALLS      UINT64_C(4000000)
#define POLLS      UINT64_C(4000000)
#define CELLS      64
#define CELL       7
#define TURNS      11
#define TEXT_BYTES 64

typedef int64_t (*function)(int64_t);

BROLGA_IMPORT(bench, int64_t, by_view, (int64_t x), (x));

/* What compiled code has in its text: a table at a fixed address. */
static const void *cells[CELLS];
static function table[CELLS];

static BENCH_FUNCTION int64_t add_one(int64_t x)
{
    bench_hide(x);
    return x + 1;
}

static inline function function_at(const void *const *cell)
{
    return (function)(uintptr_t)__atomic_load_n(cell, __ATOMIC_RELAXED);
}

/* --- ways to call ------------------------------------------------------- */

static BENCH_FUNCTION double direct(void *arg)
{
    uint64_t count = bench_count(CALLS), begin = brolga_now_ns();
    int64_t x = 0;

    (void)arg;
    for (uint64_t i = 0; i < count; i++)
        x = add_one(x);
    bench_hide(x);
    return bench_since(begin) / (double)count;
}

static BENCH_FUNCTION double through_table(void *arg)
{
    uint64_t count = bench_count(CALLS), begin = brolga_now_ns();
    const function *base = arg;
    int64_t x = 0;

    for (uint64_t i = 0; i < count; i++) {
        bench_hide(base);
        x = base[CELL](x);
    }
    bench_hide(x);
    return bench_since(begin) / (double)count;
}

static BENCH_FUNCTION double through_cell(void *arg)
{
    uint64_t count = bench_count(CALLS), begin = brolga_now_ns();
    int64_t x = 0;

    (void)arg;
    for (uint64_t i = 0; i < count; i++)
        x = function_at(&cells[CELL])(x);
    bench_hide(x);
    return bench_since(begin) / (double)count;
}

static BENCH_FUNCTION double through_view(void *arg)
{
    uint64_t count = bench_count(CALLS), begin = brolga_now_ns();
    int64_t x = 0;

    (void)arg;
    for (uint64_t i = 0; i < count; i++)
        x = by_view(x);
    bench_hide(x);
    return bench_since(begin) / (double)count;
}

/* As a JIT does it that keeps the view's address in a register. */
static BENCH_FUNCTION double through_held_view(void *arg)
{
    uint64_t count = bench_count(CALLS), begin = brolga_now_ns();
    const struct brolga_view *view = brolga_view_self();
    brolga_slot slot = BROLGA_SLOT(by_view);
    int64_t x = 0;

    (void)arg;
    for (uint64_t i = 0; i < count; i++) {
        bench_hide(view);
        x = function_at(&view->slots[slot])(x);
    }
    bench_hide(x);
    return bench_since(begin) / (double)count;
}

static void run_calls(void)
{
    const struct bench_subject floors[] = {
        {"floor: direct call", direct, NULL},
        {"floor: table[7]", through_table, table},
    };
    const struct bench_subject cell[] = {
        {"brolga", through_cell, NULL}, floors[0], floors[1]};
    const struct bench_subject view[] = {
        {"brolga", through_view, NULL},
        {"brolga: view in a register", through_held_view, NULL},
        floors[0],
        floors[1]};

    bench_run(&(struct bench_row){"call_direct", 1, "ns", TURNS}, &floors[0],
              1);
    bench_run(&(struct bench_row){"call_table", 1, "ns", TURNS}, &floors[1], 1);
    bench_run(&(struct bench_row){"call_slot", 1, "ns", TURNS}, cell,
              bench_lengthof(cell));
    bench_run(&(struct bench_row){"call_snapshot", 1, "ns", TURNS}, view,
              bench_lengthof(view));
}

/* --- polls -------------------------------------------------------------- */

#define EIGHT(poll)                                                            \
    do {                                                                       \
        poll;                                                                  \
        poll;                                                                  \
        poll;                                                                  \
        poll;                                                                  \
        poll;                                                                  \
        poll;                                                                  \
        poll;                                                                  \
        poll;                                                                  \
    } while (0)

static BENCH_FUNCTION double poll_safepoint(void *arg)
{
    uint64_t count = bench_count(POLLS), begin = brolga_now_ns();

    (void)arg;
    for (uint64_t i = 0; i < count; i += 8)
        EIGHT(brolga_safepoint());
    return bench_since(begin) / (double)count;
}

static inline void poll_view(const struct brolga_view *view)
{
    bench_hide(view);
    if (brolga_view_stale(view))
        brolga_safepoint_slow();
}

static BENCH_FUNCTION double poll_held_view(void *arg)
{
    uint64_t count = bench_count(POLLS), begin = brolga_now_ns();
    const struct brolga_view *view = brolga_view_self();

    (void)arg;
    for (uint64_t i = 0; i < count; i += 8)
        EIGHT(poll_view(view));
    return bench_since(begin) / (double)count;
}

static inline void poll_flag(const uint32_t *flag)
{
    if (__builtin_expect(__atomic_load_n(flag, __ATOMIC_RELAXED) != 0, 0))
        bench_check(false, "nobody sets the flag");
    bench_hide(flag);
}

static BENCH_FUNCTION double poll_one_flag(void *arg)
{
    uint64_t count = bench_count(POLLS), begin = brolga_now_ns();

    for (uint64_t i = 0; i < count; i += 8)
        EIGHT(poll_flag(arg));
    return bench_since(begin) / (double)count;
}

#ifdef BENCH_URCU
static BENCH_FUNCTION double poll_urcu(void *arg)
{
    uint64_t count = bench_count(POLLS), begin;

    (void)arg;
    urcu_qsbr_register_thread();
    begin = brolga_now_ns();
    for (uint64_t i = 0; i < count; i += 8)
        EIGHT(urcu_qsbr_quiescent_state());
    begin = (uint64_t)bench_since(begin);
    urcu_qsbr_unregister_thread();
    return (double)begin / (double)count;
}
#endif

static void run_polls(void)
{
    static uint32_t flag;
    const struct bench_subject subjects[] = {
        {"brolga", poll_safepoint, NULL},
        {"brolga: view in a register", poll_held_view, NULL},
#ifdef BENCH_URCU
        {"liburcu QSBR", poll_urcu, NULL},
#endif
        {"floor: load and branch", poll_one_flag, &flag},
    };

    bench_run(&(struct bench_row){"safepoint_poll", 1, "ns", TURNS}, subjects,
              bench_lengthof(subjects));
}

/* --- the world ---------------------------------------------------------- */

static void define(brolga *rt)
{
    brolga_got *got = brolga_runtime_got(rt);
    const void *code = (const void *)(uintptr_t)add_one;
    brolga_cells *attached;
    brolga_txn *txn;
    brolga_unit *unit;

    bench_must(brolga_cells_attach(got, "bench", cells, CELLS, &attached));
    bench_must(brolga_txn_begin(got, &txn));
    bench_must(brolga_txn_unit(
        txn,
        &(struct brolga_unit_opts){
            .name = "add_one", .text = code, .text_bytes = TEXT_BYTES},
        &unit));
    bench_must(brolga_txn_define(txn, unit, "bench", "by_view", "", code,
                                 &BROLGA_SLOT(by_view)));
    bench_must(brolga_cells_bind(attached, BROLGA_SLOT(by_view), CELL));
    bench_must(brolga_txn_commit(txn, NULL));
    for (unsigned i = 0; i < CELLS; i++)
        table[i] = add_one;
}

/* The main thread is the task, so that no other one interrupts it. */
int main(int argc, char **argv)
{
    brolga *rt;

    bench_begin(argc, argv, "calls");
    bench_must(brolga_create(&(struct brolga_opts){.workers = 1}, &rt));
    define(rt);
    bench_must(brolga_attach_thread(rt, "bench"));
    run_calls();
    run_polls();
    brolga_detach_thread();
    bench_must(brolga_destroy(rt));
    return 0;
}
