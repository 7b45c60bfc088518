/*
 * Goal: C8. A task that traps in a unit's code, or overflows its stack there,
 * fails alone, and its joiner is told what and where. Any other trap names the
 * task and goes on to the handler that was there before.
 * Method: units of machine code that trap, called by tasks of every kind; then
 * the same worker runs on. What ends a process is tried in a child process,
 * whose words and status are looked at. Builds with sanitizers have none of
 * this but the first test: these signals are theirs.
 */
#define _XOPEN_SOURCE 700 /* Signal stacks. */
#include "tasks/world.h"

#include "stacks.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct brolga_failure failed(brolga_task *task)
{
    struct brolga_failure failure = {.task = 0};

    cr_assert_eq(
        brolga_join(task, brolga_after_ns(WAIT_LIMIT_NS), NULL, &failure),
        BROLGA_EFAILED);
    return failure;
}

static brolga_word panic(void *arg)
{
    brolga_panic("%s", (const char *)arg);
}

Test(trap, c8_a_panic_has_no_address, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct brolga_failure failure = failed(spawned(panic, "why"));

    cr_assert_eq(failure.kind, BROLGA_FAILURE_PANIC);
    cr_assert_eq(failure.address, 0);
    cr_assert_str_eq(failure.function, "");
    cr_assert_str_eq(failure.message, "why");
}

#if !defined(BROLGA__ASAN) && !defined(BROLGA__TSAN)

/* --- units that trap ---------------------------------------------------- */

static void describe(void *arg, const void *address, char *text, size_t bytes)
{
    const struct jit_unit *code = arg;

    (void)snprintf(text, bytes, "score (scorer.c:%d)",
                   12 + (int)((uintptr_t)address - (uintptr_t)code->text));
}

/* Publishes m.<symbol>, whose unit names every place in it or none. */
static brolga_slot publish(const char *symbol, struct jit_unit *code,
                           bool described)
{
    struct brolga_unit_opts opts = jit_opts(code, symbol, BROLGA_RECLAIM);
    brolga_unit *unit;
    brolga_slot slot = 0;
    brolga_txn *txn;

    if (described)
        opts.describe = describe;
    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    cr_assert_eq(
        brolga_txn_define(txn, unit, "m", symbol, FN, code->text, &slot),
        BROLGA_OK);
    cr_assert_eq(brolga_txn_commit(txn, NULL), BROLGA_OK);
    return slot;
}

static brolga_slot published_bytes(struct jit_unit *code, const void *text,
                                   size_t bytes, bool described)
{
    cr_assert(jit_make(code, text, bytes, 0, 0, 0));
    return publish("trap", code, described);
}

#define published_code(code, text, described)                                  \
    published_bytes(code, text, sizeof(text), described)

static brolga_task *spawned_slot(brolga_slot slot,
                                 const struct brolga_spawn_opts *opts)
{
    brolga_task *task = NULL;

    cr_assert_eq(brolga_spawn_slot(rt, slot, NULL, opts, &task), BROLGA_OK);
    return task;
}

static const struct brolga_spawn_opts fiber = {.name = "fiber"};
static const struct brolga_spawn_opts thread = {.name = "thread",
                                                .thread = true};

static void open_one(void)
{
    world_open_with(&(struct brolga_opts){.workers = 1});
}

/* --- what a joiner is told ---------------------------------------------- */

static uintptr_t offset(const struct brolga_failure *failure,
                        const struct jit_unit *code)
{
    return failure->address - (uintptr_t)code->text;
}

Test(trap, c8_an_illegal_instruction_fails_the_task_alone, .timeout = 30,
     .init = open_one, .fini = world_close)
{
    static struct jit_unit code, good;
    brolga_slot slot = published_code(&code, jit_illegal_code, true);
    brolga_slot constant = published_constant("seven", &good, 7);
    struct brolga_failure failure = failed(spawned_slot(slot, &fiber));

    cr_assert_eq(failure.kind, BROLGA_FAILURE_TRAP);
    cr_assert_str_eq(failure.name, "fiber");
    cr_assert_str_eq(failure.message, "SIGILL at score (scorer.c:12)");
    cr_assert_str_eq(failure.function, "score (scorer.c:12)");
    cr_assert_eq(offset(&failure, &code), 0);
    cr_assert_eq(joined(spawned_slot(constant, NULL)), 7);
}

Test(trap, c8_a_thread_task_fails_alone, .timeout = 30, .init = open_one,
     .fini = world_close)
{
    static struct jit_unit code;
    brolga_slot slot = published_code(&code, jit_illegal_code, true);

    for (int i = 0; i < 3; i++) {
        struct brolga_failure failure = failed(spawned_slot(slot, &thread));

        cr_assert_eq(failure.kind, BROLGA_FAILURE_TRAP);
        cr_assert_str_eq(failure.message, "SIGILL at score (scorer.c:12)");
    }
}

Test(trap, c8_a_store_to_null_tells_the_address, .timeout = 30,
     .init = open_one, .fini = world_close)
{
    static struct jit_unit code;
    brolga_slot slot = published_code(&code, jit_store_code, false);
    struct brolga_failure failure = failed(spawned_slot(slot, &fiber));

    cr_assert_str_eq(failure.message, "SIGSEGV at unit 'trap', address 0x0");
    cr_assert_str_eq(failure.function, "");
    cr_assert_gt(offset(&failure, &code), 0);
    cr_assert_lt(offset(&failure, &code), code.bytes);
}

Test(trap, c8_a_call_of_null_is_its_callers, .timeout = 30, .init = open_one,
     .fini = world_close)
{
    static struct jit_unit code;
    brolga_slot slot = published_code(&code, jit_call_code, false);
    struct brolga_failure failure = failed(spawned_slot(slot, &fiber));

    cr_assert_eq(failure.kind, BROLGA_FAILURE_TRAP);
    cr_assert_str_eq(failure.message,
                     "SIGSEGV at unit 'trap', call of address 0x0");
    cr_assert_gt(offset(&failure, &code), 0);
    cr_assert_lt(offset(&failure, &code), code.bytes);
}

#ifdef JIT_X86_TRAPS
Test(trap, c8_a_division_by_zero_fails_the_task_alone, .timeout = 30,
     .init = open_one, .fini = world_close)
{
    static struct jit_unit code;
    brolga_slot slot = published_code(&code, jit_divide_code, true);

    cr_assert_str_eq(failed(spawned_slot(slot, &fiber)).message,
                     "SIGFPE at score (scorer.c:18)");
    cr_assert_str_eq(failed(spawned_slot(slot, &thread)).message,
                     "SIGFPE at score (scorer.c:18)");
}
#endif

/* The default, and one that is asked for. */
Test(trap, c8_a_stack_overflow_fails_the_task_alone, .timeout = 30,
     .init = open_one, .fini = world_close)
{
    struct brolga_spawn_opts small = {.stack_bytes = 64 << 10};
    struct brolga_spawn_opts own = {.stack_bytes = 512 << 10, .thread = true};
    static struct jit_unit code, good;
    brolga_slot slot = published_code(&code, jit_recursion_code, true);
    brolga_slot constant = published_constant("seven", &good, 7);
    struct brolga_failure failure = failed(spawned_slot(slot, &fiber));

    cr_assert_eq(failure.kind, BROLGA_FAILURE_STACK_OVERFLOW);
    cr_assert_eq(strncmp(failure.message, "stack overflow in score (", 25), 0,
                 "%s\n", failure.message);
    cr_assert_not_null(strstr(failure.message, ") (256 KiB)"));
    failure = failed(spawned_slot(slot, &small));
    cr_assert_not_null(strstr(failure.message, ") (64 KiB)"));
    failure = failed(spawned_slot(slot, &own));
    cr_assert_eq(failure.kind, BROLGA_FAILURE_STACK_OVERFLOW, "%s\n",
                 failure.message);
    cr_assert_not_null(strstr(failure.message, ") (512 KiB)"));
    cr_assert_eq(joined(spawned_slot(constant, NULL)), 7);
}

/* --- the rest goes on --------------------------------------------------- */

Test(trap, c8_siblings_run_on, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    struct gate parked = {0}, running = {0};
    static struct jit_unit code, around;
    brolga_slot slot = published_code(&code, jit_store_code, true);
    brolga_slot outer = published_caller("outer", &around, 0);
    struct jit_call park = {gate_park, &parked}, run = {gate_run, &running};
    brolga_task *first, *second;

    cr_assert_eq(brolga_spawn_slot(rt, outer, &park, NULL, &first), BROLGA_OK);
    cr_assert_eq(brolga_spawn_slot(rt, outer, &run, NULL, &second), BROLGA_OK);
    cr_assert(gate_reached(&parked) && gate_reached(&running));
    for (int i = 0; i < 100; i++)
        (void)failed(spawned_slot(slot, i % 2 == 0 ? &fiber : &thread));
    gate_open_for(&parked, first);
    gate_open(&running);
    cr_assert_eq(joined(first), 0);
    cr_assert_eq(joined(second), 0);
}

/* They trap and overflow in turn; records and stacks are used again, and the
 * units' pins are gone. */
Test(trap, c8_many_failures_leave_nothing_behind, .timeout = 240,
     .init = open_one, .fini = world_close)
{
    static struct brolga_spawn_opts opts[] = {
        {.stack_bytes = 64 << 10}, {.stack_bytes = 64 << 10, .thread = true}};
    static struct jit_unit code[2], next[2];
    brolga_slot slots[2];
    int64_t blocks = 0;
    size_t bytes = 0;
    int open = 0;

    cr_assert(jit_make_plain(&code[0], jit_illegal_code) &&
              jit_make_plain(&code[1], jit_recursion_code));
    slots[0] = publish("illegal", &code[0], true);
    slots[1] = publish("recursion", &code[1], true);
    for (int i = 0; i < 100000; i++) {
        (void)failed(spawned_slot(slots[i % 2], &opts[i % 25 < 2]));
        if (i == 1000) {
            blocks = brolga__alloc_live();
            bytes = resident_bytes();
            open = descriptors();
        }
    }
    cr_assert_eq(brolga__alloc_live(), blocks);
    cr_assert(wait_until(stacks_in_use(rt, opts[0].stack_bytes) == 0));
    cr_assert_eq(descriptors(), open);
    cr_assert_lt(resident_bytes(), bytes + (8 << 20));
    (void)published_constant("illegal", &next[0], 1);
    (void)published_constant("recursion", &next[1], 2);
    cr_assert(released(&code[0]) && released(&code[1]));
}

Test(trap, c8_a_unit_that_has_trapped_is_reclaimed, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    static struct jit_unit code, next;
    brolga_slot slot = published_code(&code, jit_illegal_code, true);

    for (int i = 0; i < 100; i++)
        (void)failed(spawned_slot(slot, i % 2 == 0 ? &fiber : &thread));
    cr_assert_eq(published_constant("trap", &next, 5), slot);
    cr_assert(released(&code));
    cr_assert_eq(joined(spawned_slot(slot, NULL)), 5);
}

struct old {
    struct gate gate;
    brolga_slot slot;
};

static brolga_word call_old(void *arg)
{
    struct old *old = arg;
    const void *code = brolga_view_self()->slots[old->slot];

    (void)gate_park(&old->gate);
    return jit_call(code, NULL);
}

/* Retired code is a unit's as long as a stack holds it. */
Test(trap, c8_replaced_code_fails_alone_too, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    static struct jit_unit code, next;
    struct old old = {.slot = published_code(&code, jit_illegal_code, true)};
    brolga_task *task = spawned(call_old, &old);

    cr_assert(gate_reached(&old.gate));
    (void)published_constant("trap", &next, 5);
    cr_assert(wait_until(stats().versions_live == 1));
    gate_open_for(&old.gate, task);
    cr_assert_str_eq(failed(task).message, "SIGILL at score (scorer.c:12)");
    cr_assert(released(&code));
}

#ifdef JIT_X86_TRAPS
static brolga_word divide_inexactly(void *arg)
{
    volatile double one = 1, three = 3;
    char from[64] = "abc", to[64];

    (void)arg;
    memmove(to, from, sizeof to);
    return one / three < 1 && strcmp(to, "abc") == 0;
}

/* What the code has done to the processor's modes dies with the task. */
Test(trap, c8_the_processor_is_left_as_it_should_be, .timeout = 30,
     .init = open_one, .fini = world_close)
{
    static struct jit_unit code;
    brolga_slot slot = published_code(&code, jit_messy_code, false);

    for (int i = 0; i < 10; i++) {
        cr_assert_str_eq(failed(spawned_slot(slot, NULL)).message,
                         "SIGILL at unit 'trap'");
        cr_assert_eq(joined(spawned(divide_inexactly, NULL)), 1);
    }
}
#endif

/* --- where it happens --------------------------------------------------- */

static brolga_word block_and_call(void *code)
{
    brolga_block_begin();
    (void)jit_call(code, NULL);
    brolga_block_end();
    return 0;
}

Test(trap, c8_between_block_begin_and_end, .timeout = 60, .init = open_one,
     .fini = world_close)
{
    static struct jit_unit code;

    (void)published_code(&code, jit_store_code, false);
    for (int i = 0; i < 20; i++) {
        cr_assert_str_eq(failed(spawned(block_and_call, code.text)).message,
                         "SIGSEGV at unit 'trap', address 0x0");
        cr_assert_str_eq(
            failed(spawned_as(block_and_call, code.text, &thread)).message,
            "SIGSEGV at unit 'trap', address 0x0");
    }
    /* The worker has not been lost. */
    cr_assert_eq(joined(spawned(gate_run, &(struct gate){.open = 1})), 0);
}

Test(trap, c8_on_a_driving_thread, .timeout = 30, .fini = world_close)
{
    static struct jit_unit code;
    brolga_task *task;
    stack_t now;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    task = spawned_slot(published_code(&code, jit_recursion_code, true), NULL);
    (void)brolga_drive(rt, BROLGA_FOREVER);
    cr_assert_eq(failed(task).kind, BROLGA_FAILURE_STACK_OVERFLOW);
    cr_assert_eq(sigaltstack(NULL, &now), 0);
    cr_assert((now.ss_flags & SS_DISABLE) != 0);
}

/* --- signals of the process --------------------------------------------- */

static void (*handler_of(int number))(int)
{
    struct sigaction now;

    cr_assert_eq(sigaction(number, NULL, &now), 0);
    return now.sa_handler;
}

static void another(int number)
{
    (void)number;
}

Test(trap, handlers_go_with_the_last_runtime, .timeout = 30)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    void (*before[4])(int);
    brolga *one, *two;

    (void)signal(SIGFPE, another);
    for (int i = 0; i < 4; i++)
        before[i] = handler_of(numbers[i]);
    cr_assert_eq(
        brolga_create(&(struct brolga_opts){.workers = 1, .no_traps = true},
                      &one),
        BROLGA_OK);
    cr_assert_eq(handler_of(SIGSEGV), before[0]);
    cr_assert_eq(brolga_destroy(one), BROLGA_OK);
    cr_assert_eq(brolga_create(NULL, &one), BROLGA_OK);
    cr_assert_eq(brolga_create(NULL, &two), BROLGA_OK);
    cr_assert_eq(brolga_destroy(one), BROLGA_OK);
    for (int i = 0; i < 4; i++)
        cr_assert_neq(handler_of(numbers[i]), before[i]);
    cr_assert_eq(brolga_destroy(two), BROLGA_OK);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(handler_of(numbers[i]), before[i]);
}

static struct sigaction in_front;

static void pass_to_front(int number, siginfo_t *info, void *context)
{
    in_front.sa_sigaction(number, info, context);
}

/* A handler that came later and calls ours: ours must not be put in front of
 * it again, or the two would call each other for ever. Once it has gone, ours
 * takes its place. */
Test(trap, c8_a_handler_in_front_of_ours_may_pass_traps_on, .timeout = 30)
{
    struct sigaction action = {.sa_sigaction = pass_to_front,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    static struct jit_unit code[2];
    struct sigaction now;

    open_one();
    cr_assert_eq(sigaction(SIGSEGV, &action, &in_front), 0);
    world_close();
    open_one();
    (void)failed(
        spawned_slot(published_code(&code[0], jit_store_code, false), NULL));
    world_close();
    cr_assert_eq(sigaction(SIGSEGV, NULL, &now), 0);
    cr_assert_eq(now.sa_sigaction, pass_to_front);
    (void)signal(SIGSEGV, SIG_DFL);
    open_one();
    (void)failed(
        spawned_slot(published_code(&code[1], jit_store_code, false), NULL));
    world_close();
    cr_assert_eq(handler_of(SIGSEGV), SIG_DFL);
}

/* --- what ends the process, in a child ---------------------------------- */

static char words[4096]; /* What the child wrote to standard error. */

static void say(const char *text)
{
    cr_assert_eq(write(STDERR_FILENO, text, strlen(text)),
                 (ssize_t)strlen(text));
}

/* Runs `body` in a child process; returns its status. */
static int in_child(void (*body)(void))
{
    size_t bytes = 0;
    ssize_t some;
    int ends[2], status;
    pid_t child;

    cr_assert_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        /* Not the test's own. */
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGILL, SIG_DFL);
        (void)alarm(20);
        (void)dup2(ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    cr_assert_gt(child, 0);
    (void)close(ends[1]);
    while ((some = read(ends[0], words + bytes, sizeof words - 1 - bytes)) > 0)
        bytes += (size_t)some;
    words[bytes] = '\0';
    (void)close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

static bool heard(const char *text)
{
    return strstr(words, text) != NULL;
}

static bool died_of(int status, int number)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == number;
}

static void run_to_the_end(brolga_task_fn fn, void *arg)
{
    (void)brolga_join(
        spawned_as(fn, arg, &(struct brolga_spawn_opts){.name = "culprit"}),
        BROLGA_FOREVER, NULL, NULL);
}

static brolga_word store_to_null(void *arg)
{
    volatile int *volatile none = NULL;

    (void)arg;
    *none = 1;
    return 0;
}

static void store_outside(void)
{
    open_one();
    run_to_the_end(store_to_null, NULL);
}

Test(trap, c8_a_trap_outside_units_names_the_task_and_kills, .timeout = 30)
{
    cr_assert(died_of(in_child(store_outside), SIGSEGV));
    cr_assert(heard("brolga: task 1 'culprit': SIGSEGV at 0x"), "%s", words);
    cr_assert(heard(", address 0x0, outside the code of units\n"), "%s", words);
}

/* A unit's frame below does not make it the unit's. */
static brolga_word call_published(void *arg)
{
    struct jit_call call = {store_to_null, NULL};

    return call_slot_here(*(brolga_slot *)arg, &call);
}

static void store_called_by_a_unit(void)
{
    static struct jit_unit code;
    brolga_slot slot;

    open_one();
    slot = published_caller("outer", &code, 0);
    run_to_the_end(call_published, &slot);
}

Test(trap, c8_a_function_that_a_unit_calls_is_not_the_units, .timeout = 30)
{
    cr_assert(died_of(in_child(store_called_by_a_unit), SIGSEGV));
    cr_assert(heard("'culprit': SIGSEGV at 0x"), "%s", words);
    cr_assert(heard(", outside the code of units\n"), "%s", words);
}

static brolga_word recurse(void *arg)
{
    volatile char bytes[1000];

    bytes[0] = 1;
    return arg == NULL ? bytes[0] : recurse(arg) + bytes[0];
}

static void overflow_outside(void)
{
    open_one();
    run_to_the_end(recurse, words);
}

Test(trap, c8_an_overflow_outside_units_names_the_task_and_kills, .timeout = 30)
{
    cr_assert(died_of(in_child(overflow_outside), SIGSEGV));
    cr_assert(heard("'culprit': stack overflow at 0x"), "%s", words);
    cr_assert(heard(", outside the code of units\n"), "%s", words);
}

static void exit_42(int number, siginfo_t *info, void *context)
{
    (void)context;
    say(number == SIGSEGV && info->si_addr == NULL ? "chained\n" : "what?\n");
    _exit(42);
}

static void store_with_a_handler(void)
{
    struct sigaction action = {.sa_sigaction = exit_42, .sa_flags = SA_SIGINFO};

    (void)sigaction(SIGSEGV, &action, NULL);
    store_outside();
}

Test(trap, c8_the_handler_before_ours_gets_the_trap, .timeout = 30)
{
    int status = in_child(store_with_a_handler);

    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    cr_assert(heard("'culprit': SIGSEGV at 0x"), "%s", words);
    cr_assert(heard("units\nchained\n"), "%s", words);
}

static brolga_word raise_signal(void *arg)
{
    (void)raise(*(int *)arg);
    return 0;
}

static void on_sent(int number)
{
    say(number == SIGFPE ? "sent\n" : "what?\n");
}

static void send_signals(void)
{
    int handled = SIGFPE, ignored = SIGBUS, deadly = SIGILL;

    (void)signal(handled, on_sent);
    (void)signal(ignored, SIG_IGN);
    open_one();
    run_to_the_end(raise_signal, &handled);
    run_to_the_end(raise_signal, &ignored);
    say("alive\n");
    run_to_the_end(raise_signal, &deadly);
}

Test(trap, a_signal_that_is_sent_is_no_trap, .timeout = 30)
{
    cr_assert(died_of(in_child(send_signals), SIGILL));
    cr_assert(heard("sent\nalive\n") && !heard("brolga"), "%s", words);
}

static void trap_without_traps(void)
{
    static struct jit_unit code;

    world_open_with(&(struct brolga_opts){.workers = 1, .no_traps = true});
    (void)brolga_join(
        spawned_slot(published_code(&code, jit_illegal_code, true), NULL),
        BROLGA_FOREVER, NULL, NULL);
}

/* Another runtime wants traps: the handlers are there. */
static void trap_without_traps_beside_others(void)
{
    open_one();
    trap_without_traps();
}

Test(trap, no_traps_leaves_signals_alone, .timeout = 30)
{
    cr_assert(died_of(in_child(trap_without_traps), SIGILL));
    cr_assert(!heard("brolga"), "%s", words);
    cr_assert(died_of(in_child(trap_without_traps_beside_others), SIGILL));
    cr_assert(!heard("brolga"), "%s", words);
}

static void trap_attached(void)
{
    static struct jit_unit code;

    open_one();
    (void)published_code(&code, jit_illegal_code, true);
    if (brolga_attach_thread(rt, "guest") == BROLGA_OK)
        (void)jit_call(code.text, NULL);
}

Test(trap, a_thread_of_the_host_cannot_fail_alone, .timeout = 30)
{
    cr_assert(died_of(in_child(trap_attached), SIGILL));
    cr_assert(heard("'guest': SIGILL at 0x"), "%s", words);
    cr_assert(heard(", in unit 'trap', on a thread of the host\n"), "%s",
              words);
}

static const void *trapping;

static enum brolga_compat compatible(void *arg, const char *module,
                                     const char *symbol, const char *before,
                                     const char *after)
{
    (void)arg, (void)module, (void)symbol, (void)before, (void)after;
    (void)jit_call(trapping, NULL);
    return BROLGA_COMPAT_REFUSE;
}

static brolga_word change_signature(void *arg)
{
    struct jit_unit *code = arg;
    struct brolga_unit_opts opts = jit_opts(code, "next", BROLGA_RECLAIM);
    brolga_unit *unit;
    brolga_txn *txn;

    return brolga_txn_begin(brolga_runtime_got(rt), &txn) == BROLGA_OK &&
           brolga_txn_unit(txn, &opts, &unit) == BROLGA_OK &&
           brolga_txn_define(txn, unit, "m", "trap", "(Fn [Int] Int)",
                             code->text, NULL) == BROLGA_OK;
}

static void trap_under_a_lock(void)
{
    struct brolga_opts opts = {.workers = 1, .got.compatible = compatible};
    static struct jit_unit code, next;

    world_open_with(&opts);
    (void)published_code(&code, jit_illegal_code, true);
    trapping = code.text;
    if (jit_make_constant(&next, 0))
        run_to_the_end(change_signature, &next);
}

Test(trap, c8_a_lock_of_brolga_is_not_left_behind, .timeout = 30)
{
    cr_assert(died_of(in_child(trap_under_a_lock), SIGILL));
    cr_assert(heard("'culprit': SIGILL at 0x"), "%s", words);
    cr_assert(heard(", in a function that Brolga called under a lock\n"), "%s",
              words);
}

static void trap_again(void *arg, const void *address, char *text, size_t bytes)
{
    const struct jit_unit *code = arg;

    (void)address, (void)text, (void)bytes;
    (void)jit_call(code->text, NULL);
}

/* Its handlers run on what its own stack has left, or on a second stack. */
struct twice {
    const void *first, *second;
};

static void trap_in_handler(void *code)
{
    (void)jit_call(code, NULL);
}

static brolga_word trap_twice(void *arg)
{
    struct twice *twice = arg;

    if (brolga_defer(trap_in_handler, (void *)(uintptr_t)twice->second) !=
        BROLGA_OK)
        return 0;
    return jit_call(twice->first, NULL);
}

static void run_twice(bool overflow, bool again)
{
    static struct jit_unit code[2];
    struct twice twice;

    open_one();
    if (!jit_make_plain(&code[0], jit_illegal_code) ||
        !jit_make_plain(&code[1], jit_recursion_code))
        return;
    (void)publish("illegal", &code[0], true);
    (void)publish("recursion", &code[1], true);
    twice.first = code[overflow].text;
    twice.second = code[again].text;
    run_to_the_end(trap_twice, &twice);
}

static void trap_and_trap(void)
{
    run_twice(false, false);
}

static void trap_and_overflow(void)
{
    run_twice(false, true);
}

static void overflow_and_trap(void)
{
    run_twice(true, false);
}

static void overflow_and_overflow(void)
{
    run_twice(true, true);
}

Test(trap, a_second_trap_in_a_handler_kills, .timeout = 60)
{
    cr_assert(died_of(in_child(trap_and_trap), SIGILL));
    cr_assert(heard("'culprit': SIGILL at 0x"), "%s", words);
    cr_assert(heard(", while the task was failing\n"), "%s", words);
    cr_assert(died_of(in_child(overflow_and_trap), SIGILL));
    cr_assert(heard("'culprit': SIGILL at 0x"), "%s", words);
    cr_assert(heard(", while the task was failing\n"), "%s", words);
    cr_assert(died_of(in_child(trap_and_overflow), SIGSEGV));
    cr_assert(heard("'culprit': stack overflow at 0x"), "%s", words);
    cr_assert(heard(", while the task was failing\n"), "%s", words);
    cr_assert(died_of(in_child(overflow_and_overflow), SIGSEGV));
    cr_assert(heard("'culprit': stack overflow at 0x"), "%s", words);
    cr_assert(heard(", while the task was failing\n"), "%s", words);
}

static brolga_word overflow_without_memory(void *code)
{
    brolga__alloc_fail_nth(1);
    return jit_call(code, NULL);
}

/* One stack of this size fills a chunk: a second one needs another. */
static void overflow_a_large_stack(void)
{
    struct brolga_spawn_opts large = {.name = "culprit",
                                      .stack_bytes = 64 << 20};
    static struct jit_unit code;

    open_one();
    (void)published_code(&code, jit_recursion_code, true);
    (void)brolga_join(spawned_as(overflow_without_memory, code.text, &large),
                      BROLGA_FOREVER, NULL, NULL);
}

Test(trap, an_overflow_without_memory_for_a_stack_kills, .timeout = 60)
{
    cr_assert(died_of(in_child(overflow_a_large_stack), SIGABRT));
    cr_assert(heard("'culprit': stack overflow at 0x"), "%s", words);
    cr_assert(heard(", in unit 'trap', without memory for a stack to end on\n"),
              "%s", words);
}

static void trap_while_failing(void)
{
    static struct jit_unit code;
    struct brolga_unit_opts opts;
    brolga_unit *unit;
    brolga_slot slot;
    brolga_txn *txn;

    open_one();
    if (!jit_make_plain(&code, jit_illegal_code))
        return;
    opts = jit_opts(&code, "trap", BROLGA_KEEP);
    opts.describe = trap_again;
    if (brolga_txn_begin(brolga_runtime_got(rt), &txn) == BROLGA_OK &&
        brolga_txn_unit(txn, &opts, &unit) == BROLGA_OK &&
        brolga_txn_define(txn, unit, "m", "trap", FN, code.text, &slot) ==
            BROLGA_OK &&
        brolga_txn_commit(txn, NULL) == BROLGA_OK)
        (void)brolga_join(spawned_slot(slot, NULL), BROLGA_FOREVER, NULL, NULL);
}

Test(trap, a_trap_while_failing_does_not_go_round, .timeout = 30)
{
    cr_assert(died_of(in_child(trap_while_failing), SIGILL));
    cr_assert(heard(", while the task was failing\n"), "%s", words);
}

#endif
