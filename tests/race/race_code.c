/*
 * Goal: C5 for code memory: units of generated code are published again and
 * again in a range that has room for a few dozen, while tasks call them, park
 * in them and hand them over; nobody ever runs what was freed, nor what lies at
 * a used address by now; mappings and memory do not grow.
 * Method: each unit says its own number, which lies in its code; a caller
 * checks that it is one that its view may have. Freed pages trap. Half of the
 * turns have a quarantine, so that a late use meets a trap; the others use
 * addresses again as soon as they may, so that it meets a wrong number.
 */
#include "race/race.h"
#include "wait_until.h"

#include "alloc.h"
#include "jit.h"

#include <brolga/code.h>
#include <brolga/task.h>

#include <sched.h>

#define CALLERS 5
#define PAGES   96

static brolga *rt;
static brolga_code *code;
static brolga_slot say, enter;
static _Atomic bool stop;
static _Atomic uint64_t published; /* The newest number. */
static _Atomic int64_t units;      /* That have not been released. */

/* --- units -------------------------------------------------------------- */

static void gone(void *arg)
{
    (void)arg;
    (void)brolga__sub_acq_rel(&units, 1);
}

static struct brolga_code_block *taken(void)
{
    struct brolga_code_block *block;
    unsigned looks = 0;

    /* All room may be waiting for its grace period. */
    while (brolga_code_alloc(code, 1, &block) != BROLGA_OK)
        wait_pause(0, &looks);
    return block;
}

static struct brolga_code_block *written(const void *from, size_t bytes,
                                         size_t value_at, uint64_t value)
{
    struct brolga_code_block *block = taken();

    memcpy(block->write, from, bytes);
    memcpy((char *)block->write + value_at, &value, sizeof value);
    race_ok(brolga_code_seal(block));
    return block;
}

static void stage(brolga_txn *txn, struct brolga_code_block *block,
                  const char *symbol)
{
    struct brolga_code_unit_opts opts = {
        .name = symbol, .policy = BROLGA_RECLAIM, .release = gone};
    brolga_unit *unit;

    race_ok(brolga_code_unit(txn, block, &opts, &unit));
    (void)brolga__add_relaxed(&units, 1);
    race_ok(
        brolga_txn_define(txn, unit, "code", symbol, "f", block->run, NULL));
}

/* One transaction in eight is taken back. */
static bool publish(uint64_t number, bool take_back)
{
    struct brolga_report report;
    brolga_txn *txn;
    int err;

    race_ok(brolga_txn_begin(brolga_runtime_got(rt), &txn));
    stage(txn,
          written(jit_constant_code, sizeof jit_constant_code,
                  JIT_CONSTANT_VALUE_AT, number),
          "say");
    stage(txn,
          written(jit_caller_code, sizeof jit_caller_code, JIT_CALLER_VALUE_AT,
                  number),
          "enter");
    if (take_back) {
        brolga_txn_abort(txn);
        return false;
    }
    brolga__store_release(&published, number);
    err = brolga_txn_commit(txn, &report);
    race_check(err == BROLGA_OK || report.refusal == BROLGA_REFUSED_LIMIT, "%s",
               report.text);
    return err == BROLGA_OK;
}

/* --- callers ------------------------------------------------------------ */

struct caller {
    uint64_t random;
    uint64_t calls, last;
};

static const void *code_of(brolga_slot slot)
{
    return brolga_view_self()->slots[slot];
}

/* Numbers only grow, for views do. */
static void check_number(struct caller *caller, uint64_t number)
{
    race_check(number >= caller->last &&
                   number <= brolga__load_acquire(&published),
               "%llu after %llu", (unsigned long long)number,
               (unsigned long long)caller->last);
    caller->last = number;
}

/* Called from a frame of generated code. */
static brolga_word inside(void *arg)
{
    struct caller *caller = arg;

    switch (race_random(&caller->random) % 8) {
    case 0:
        (void)brolga_sleep_until(
            brolga_after_ns(race_random(&caller->random) % 200000));
        break;
    case 1:
    case 2:
        brolga_yield();
        break;
    case 3:
        brolga_block_begin();
        sched_yield();
        brolga_block_end();
        break;
    default:
        break;
    }
    return 0;
}

static brolga_word call_often(void *arg)
{
    struct caller *caller = arg;
    struct jit_call call = {inside, caller};

    while (!brolga__load_relaxed(&stop)) {
        uint64_t number = (uint64_t)jit_call(code_of(enter), &call);

        check_number(caller, number);
        check_number(caller, (uint64_t)jit_call(code_of(say), NULL));
        caller->calls++;
        brolga_safepoint();
    }
    return 0;
}

/* --- the storm ---------------------------------------------------------- */

static unsigned count_mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    unsigned count = 0;
    int byte;

    race_check(file != NULL, "no list of mappings");
    while ((byte = fgetc(file)) != EOF)
        count += byte == '\n';
    fclose(file);
    return count;
}

static uint64_t storm(void)
{
    uint64_t random = race_state(1000), number = 1, done = 0;
    unsigned most = 0, early = 0;

    while (!race_over()) {
        if (!publish(number + 1, race_random(&random) % 8 == 0))
            sched_yield();
        number++;
        done++;
        if (done % 256 == 0) {
            unsigned now = count_mappings();

            if (done <= 1024)
                early = now > early ? now : early;
            most = now > most ? now : most;
        }
    }
    /* Two mappings a block, and the blocks are those of the range. */
    race_check(most <= early + 2 * PAGES, "%u mappings, %u at first", most,
               early);
    return done;
}

static void settle(void)
{
    uint64_t deadline = brolga_after_ns(20 * BROLGA_S);
    struct brolga_code_stats stats;

    do {
        (void)brolga_reclaim_step(rt);
        brolga_code_stats(code, &stats);
        race_check(brolga_now_ns() < deadline, "%u blocks are left",
                   stats.blocks);
    } while (stats.blocks > 2);
    race_check(brolga__load_acquire(&units) == 2, "%lld units",
               (long long)units);
}

static uint64_t turn(size_t quarantine_pages)
{
    struct brolga_code_opts opts = {
        .reserve_bytes = PAGES * brolga__plat_page_bytes(),
        .quarantine_bytes = quarantine_pages * brolga__plat_page_bytes()};
    struct caller caller[CALLERS];
    brolga_task *task[CALLERS];
    uint64_t done;

    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    race_ok(brolga_code_create(brolga_runtime_got(rt), &opts, &code));
    brolga__store_relaxed(&stop, false);
    race_check(publish(1, false), "the first commit");
    race_ok(brolga_got_find(brolga_runtime_got(rt), "code", "say", NULL, &say));
    race_ok(
        brolga_got_find(brolga_runtime_got(rt), "code", "enter", NULL, &enter));
    for (unsigned i = 0; i < CALLERS; i++) {
        caller[i] = (struct caller){.random = race_state(i)};
        race_ok(brolga_spawn(rt, call_often, &caller[i],
                             &(struct brolga_spawn_opts){.thread = i == 0},
                             &task[i]));
    }
    done = storm();
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < CALLERS; i++) {
        race_ok(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL));
        race_check(caller[i].calls > 0, "caller %u", i);
    }
    settle();
    race_ok(brolga_destroy(rt));
    race_check(brolga__load_acquire(&units) == 0, "%lld units",
               (long long)units);
    race_ok(brolga_code_destroy(code));
    return done;
}

int main(int argc, char **argv)
{
    uint64_t end_ns, half_ns, first, second;

    race_begin(argc, argv);
    end_ns = race.end_ns;
    half_ns = (end_ns - brolga_now_ns()) / 2;
    race.end_ns -= half_ns;
    first = turn(0);
    race.end_ns = end_ns;
    second = turn(PAGES / 4);
    race_check(first > 3 && second > 3, "%llu and %llu commits",
               (unsigned long long)first, (unsigned long long)second);
    printf("%llu transactions, %llu with quarantine\n",
           (unsigned long long)first, (unsigned long long)second);
    return 0;
}
