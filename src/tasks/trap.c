/*
 * Traps: a task whose code divides by zero, or overflows its stack, fails alone
 * (C8).
 *
 * The handler decides; it takes no lock and calls nothing that does. A trap is
 * the task's own if its instruction lies in the text of a unit, for then no
 * lock of Brolga or the C library is held by what was interrupted. An
 * exception is a unit's function that Brolga calls under a lock: such calls
 * raise a shield. A call of a null pointer is its caller's. Everything else is
 * told, and passed on to the handler that was there before: also an overflow
 * in a function of Brolga or of the C library, though a unit has called it.
 *
 * The handler then changes where the thread goes on: in end_task(), on the
 * task's own stack, which begins anew. Nothing on it is returned to. That
 * happens with the return from the signal, so that mask and signal stack are
 * as before, and end_task() is an ordinary function on an ordinary stack.
 *
 * Finding the unit is a read under the epoch. The thread is an online member,
 * but for a task in foreign code, which goes online for it. The unit is pinned
 * before, so that end_task() can ask it what to call the place.
 *
 * Sanitizers have handlers of their own; in such builds ours do nothing.
 */
#include "tasks/tasks.h"

#include "arch.h"
#include "plat.h"
#include "shield.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* For the handler and those that it is passed on to; reports of the host may
 * want a stack of some size. Memory is used as it is touched. */
#define SIGNAL_STACK_BYTES ((size_t)64 << 10)

/* What the handler leaves at the base of the task's stack for end_task(). */
struct note {
    brolga_task *task;
    struct brolga_unit *unit; /* Pinned. */
    uintptr_t pc;             /* In the unit. */
    struct brolga__trap trap; /* But for its context, which is gone. */
    bool overflow;
};

/* --- the end of the task, as an ordinary function ----------------------- */

/* Adds to the task's message. */
BROLGA_PRINTF(2, 3)
static void append(brolga_task *task, const char *format, ...)
{
    size_t at = strlen(task->message);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(task->message + at, sizeof task->message - at, format,
                    args);
    va_end(args);
}

/* The function as its unit names it, else the unit. */
static void append_place(brolga_task *task, const struct note *note)
{
    char text[sizeof((struct brolga_failure *)NULL)->function];

    brolga__unit_describe(note->unit, note->pc, text, sizeof text);
    task->function_at = (uint16_t)strlen(task->message);
    task->function_bytes = (uint16_t)strlen(text);
    if (text[0] != '\0')
        append(task, "%s", text);
    else
        append(task, "unit '%.80s'", note->unit->name);
}

static void write_down(brolga_task *task, const struct note *note)
{
    const struct brolga__trap *trap = &note->trap;

    task->failed_by =
        note->overflow ? BROLGA_FAILURE_STACK_OVERFLOW : BROLGA_FAILURE_TRAP;
    task->trapped_at = note->pc;
    append(task, note->overflow ? "stack overflow in " : "%s at ", trap->name);
    append_place(task, note);
    if (note->overflow)
        append(task, " (%zu KiB)", task->stack_bytes >> 10);
    else if (trap->pc != note->pc)
        append(task, ", call of address 0x%llx", (unsigned long long)trap->pc);
    else if (trap->has_address)
        append(task, ", address 0x%llx", (unsigned long long)trap->address);
}

/* The task goes on here after its trap, on an empty stack. */
static void end_task(void *arg)
{
    const struct note note = *(const struct note *)arg;
    brolga_task *task = note.task;

    brolga__cpu_reset_fp();
    if (brolga__load_relaxed(&task->blocked) != BROLGA__NOT_BLOCKED)
        brolga_block_end();
    write_down(task, &note);
    brolga_unit_unpin(note.unit);
    brolga__task_finish(task);
    brolga__task_leave(task);
}

/* --- the report, from inside the signal handler ------------------------- */

/* Text of a bounded length; what does not fit is left out. */
struct line {
    char text[512];
    size_t bytes;
};

static void put(struct line *line, const char *text)
{
    while (*text != '\0' && line->bytes < sizeof line->text - 1)
        line->text[line->bytes++] = *text++;
}

static void put_number(struct line *line, uint64_t number, unsigned base)
{
    char digits[24];
    size_t at = sizeof digits - 1;

    digits[at] = '\0';
    do { /* At most 20 digits. */
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    put(line, digits + at);
}

static void put_address(struct line *line, uintptr_t address)
{
    put(line, "0x");
    put_number(line, address, 16);
}

/* The instruction, as debuggers want it: in which file, how far from its
 * beginning. */
static void put_place(struct line *line, uintptr_t pc)
{
    uintptr_t base = 0;
    const char *image = brolga__plat_image_at(pc, &base);

    put(line, " at ");
    put_address(line, pc);
    if (image == NULL)
        return;
    put(line, " (");
    put(line, image[0] != '\0' ? image : "the program");
    put(line, "+");
    put_address(line, pc - base);
    put(line, ")");
}

/* Why the task does not fail alone. */
static const char *reason(const brolga_task *task,
                          const struct brolga_unit *unit)
{
    if (unit == NULL)
        return ", outside the code of units";
    if (task->failed)
        return ", while the task was failing";
    if (task->kind == BROLGA__ATTACHED)
        return ", on a thread of the host";
    return ", in a function that Brolga called under a lock";
}

static void say(brolga_task *task, const struct brolga__trap *trap,
                const struct brolga_unit *unit, bool overflow)
{
    struct line line = {.bytes = 0};
    char name[32];
    uint64_t id;

    put(&line, "brolga: task ");
    put_number(&line, task->number, 10);
    put(&line, " '");
    (void)brolga__identity(task, &id, name);
    put(&line, name);
    put(&line, "': ");
    put(&line, overflow ? "stack overflow" : trap->name);
    put_place(&line, trap->pc);
    if (trap->has_address) {
        put(&line, ", address ");
        put_address(&line, trap->address);
    }
    if (unit != NULL) {
        put(&line, ", in unit '");
        put(&line, unit->name);
        put(&line, "'");
    }
    put(&line, reason(task, unit));
    if (brolga__load_relaxed(&task->blocked) != BROLGA__NOT_BLOCKED)
        put(&line, ", between brolga_block_begin() and _end()");
    line.text[line.bytes++] = '\n';
    brolga__plat_say(line.text, line.bytes);
}

/* --- the decision ------------------------------------------------------- */

/* The guard of a fiber ends where its stack begins; that of a thread may be
 * counted in. Neither has a page there that one may use and still trap on. */
static bool is_overflow(const brolga_task *task,
                        const struct brolga__trap *trap)
{
    size_t page = brolga__plat_page_bytes();

    return trap->has_address && trap->address >= task->ctx.low - page &&
           trap->address < task->ctx.low + page;
}

/* The address in the code that is to blame. */
static uintptr_t culprit(const brolga_task *task,
                         const struct brolga__trap *trap)
{
    size_t page = brolga__plat_page_bytes();

    if (trap->pc < page && trap->sp >= task->ctx.low + page &&
        trap->sp < task->ctx.high)
        return brolga__plat_trap_caller(trap);
    return trap->pc;
}

static bool may_fail_alone(const brolga_task *task)
{
    return task->kind != BROLGA__ATTACHED && !task->failed &&
           !brolga__shielded();
}

/* Has the thread go on in end_task(). */
static void divert(brolga_task *task, struct brolga_unit *unit, uintptr_t pc,
                   struct brolga__trap *trap)
{
    /* The words on top stay zero, for unwinders (ctx_init). */
    uintptr_t at =
        (task->stack.high - 64 - sizeof(struct note)) & ~(uintptr_t)15;
    struct note *note = (struct note *)at;

    brolga_unit_pin(unit);
    task->failed = true;
    note->task = task;
    note->unit = unit;
    note->pc = pc;
    note->trap = *trap;
    note->overflow = is_overflow(task, trap);
    brolga__plat_trap_go_on(trap, at, end_task, note);
}

static bool handle(brolga_task *task, struct brolga__trap *trap)
{
    uintptr_t pc = culprit(task, trap);
    struct brolga_unit *unit = brolga__ranges_find(task->rt->got, pc);

    if (unit != NULL && may_fail_alone(task)) {
        divert(task, unit, pc, trap);
        return true;
    }
    say(task, trap, unit, is_overflow(task, trap));
    return false;
}

/* In the signal handler. */
static bool on_trap(struct brolga__trap *trap)
{
    brolga_task *task = brolga__self();
    struct brolga_epoch_member *member;
    bool offline, handled;

    if (task == NULL || !task->rt->traps)
        return false;
    member = brolga__member_of(task);
    offline = brolga__load_relaxed(&member->seen) == 0; /* ours alone */
    if (offline)
        brolga_epoch_online(member);
    handled = handle(task, trap);
    if (offline)
        brolga_epoch_offline(member);
    return handled;
}

/* --- who wants it ------------------------------------------------------- */

/* Guards the count and the installation; leaf. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned runtimes;

#if defined(BROLGA__ASAN) || defined(BROLGA__TSAN)
static const bool possible = false;
#else
static const bool possible = true;
#endif

void brolga__traps_open(struct brolga *rt)
{
    rt->traps = possible && !rt->opts.no_traps;
    if (!rt->traps)
        return;
    (void)pthread_mutex_lock(&lock);
    if (runtimes++ == 0)
        brolga__plat_traps_install(on_trap);
    (void)pthread_mutex_unlock(&lock);
}

void brolga__traps_close(struct brolga *rt)
{
    if (!rt->traps)
        return;
    (void)pthread_mutex_lock(&lock);
    if (--runtimes == 0)
        brolga__plat_traps_remove();
    (void)pthread_mutex_unlock(&lock);
}

void brolga__signal_stack_enter(struct brolga *rt,
                                struct brolga__signal_stack *out)
{
    out->given = false;
    if (!rt->traps || brolga__stack_take(&rt->stacks, SIGNAL_STACK_BYTES,
                                         &out->stack) != BROLGA_OK)
        return;
    out->given = brolga__plat_signal_stack_set(out->stack.low, out->stack.high);
    if (!out->given)
        brolga__stack_put(&rt->stacks, &out->stack);
}

void brolga__signal_stack_leave(struct brolga *rt,
                                const struct brolga__signal_stack *stack)
{
    if (!stack->given)
        return;
    brolga__plat_signal_stack_unset();
    brolga__stack_put(&rt->stacks, &stack->stack);
}
