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
 * task's own stack, below the frame that has trapped. Nothing above is returned
 * to, but all of it stays: tasks in the scopes that are open, and deferred
 * handlers, may use what lies there. Where too little of the stack is left, as
 * after an overflow, end_task() runs on a second stack (second.c). Either way
 * it begins with the return from the signal, so that mask and signal stack are
 * as before, and is an ordinary function on an ordinary stack.
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
#include "text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What must be left of a stack for the task to end on it: for handlers. */
#define ROOM_BYTES     ((size_t)32 << 10)
/* A function may use so much below its stack pointer: the most of any ABI. */
#define RED_ZONE_BYTES 128

/* Why an overflow ends the process. */
#define NO_STACK ", without memory for a stack to end on"

/* What the handler leaves for end_task(), on the stack where the thread goes
 * on. */
struct note {
    brolga_task *task;
    struct brolga_unit *unit; /* Pinned. */
    uintptr_t pc;             /* In the unit. */
    struct brolga__trap trap; /* But for its context, which is gone. */
    uintptr_t lowest;         /* Word of the stack that may still be used. */
    bool overflow;
    bool blocked; /* It was in foreign code. */
};

/* --- the end of the task, as an ordinary function ----------------------- */

/* Adds to the message. */
BROLGA_PRINTF(2, 3)
static void append(struct brolga__why *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)brolga__append(why->message, sizeof why->message,
                         strlen(why->message), format, args);
    va_end(args);
}

/* The function as its unit names it, else the unit. */
static void append_place(struct brolga__why *why, const struct note *note)
{
    char text[sizeof((struct brolga_failure *)NULL)->function];

    brolga__unit_describe(note->unit, note->pc, text, sizeof text);
    why->function_at = (uint16_t)strlen(why->message);
    why->function_bytes = (uint16_t)strlen(text);
    if (text[0] != '\0')
        append(why, "%s", text);
    else
        append(why, "unit '%.80s'", note->unit->name);
}

static void write_down(brolga_task *task, const struct note *note)
{
    const struct brolga__trap *trap = &note->trap;
    struct brolga__why why = {.trapped_at = note->pc, .message = ""};

    append(&why, note->overflow ? "stack overflow in " : "%s at ", trap->name);
    append_place(&why, note);
    if (note->overflow)
        append(&why, " (%u KiB)", task->stack_bytes >> 10);
    else if (trap->pc != note->pc)
        append(&why, ", call of address 0x%llx", (unsigned long long)trap->pc);
    else if (trap->has_address)
        append(&why, ", address 0x%llx", (unsigned long long)trap->address);
    brolga__task_fail(task,
                      note->overflow ? BROLGA_FAILURE_STACK_OVERFLOW
                                     : BROLGA_FAILURE_TRAP,
                      &why);
}

static void claim_frames(brolga_task *task)
{
    if (brolga__load_relaxed(&task->blocked) != BROLGA__NOT_BLOCKED)
        brolga__block_claim(task);
}

/* The task goes on here after its trap. */
static void end_task(void *arg)
{
    const struct note note = *(const struct note *)arg;
    brolga_task *task = note.task;

    brolga__cpu_reset_fp();
    claim_frames(task);
    if (note.blocked)
        brolga__block_resume(task);
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

static void say(brolga_task *task, const struct brolga__trap *trap,
                const struct brolga_unit *unit, bool overflow, bool blocked,
                const char *why)
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
    put(&line, why);
    if (blocked)
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

static bool is_blocked(const brolga_task *task)
{
    return brolga__load_relaxed(&task->blocked) != BROLGA__NOT_BLOCKED;
}

/* Why the task does not fail alone, or NULL. */
static const char *obstacle(const brolga_task *task,
                            const struct brolga_unit *unit)
{
    if (unit == NULL)
        return ", outside the code of units";
    if (task->failed)
        return ", while the task was failing";
    if (task->kind == BROLGA__ATTACHED)
        return ", on a thread of the host";
    if (brolga__shielded())
        return ", in a function that Brolga called under a lock";
    return NULL;
}

/* Whether the task can end where it is. Not if this handler runs there, too,
 * which happens when another one, without a signal stack, has called it. */
static bool has_room(const brolga_task *task, const struct brolga__trap *trap)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    return trap->sp <= task->ctx.high &&
           trap->sp >= task->ctx.low + ROOM_BYTES &&
           (here < task->ctx.low || here >= task->ctx.high);
}

/* Frames end at the stack pointer, if it is one, and the guard is no memory. */
static uintptr_t lowest_word(const brolga_task *task,
                             const struct brolga__trap *trap, bool overflow)
{
    size_t page = brolga__plat_page_bytes();
    uintptr_t low = task->ctx.low, sp = trap->sp - RED_ZONE_BYTES;

    if (overflow && trap->address >= low)
        low += page;
    return sp > low && sp < task->ctx.high ? sp : low;
}

/* On the thread's emergency stack. */
static void end_elsewhere(void *arg)
{
    const struct note *note = arg;
    brolga_task *task = note->task;

    claim_frames(task);
    (void)brolga__second_stack_enter(task, note->lowest, end_task, arg);
    say(task, &note->trap, note->unit, note->overflow, note->blocked, NO_STACK);
    abort();
}

/* Has the thread go on below `high`. */
static void divert(brolga_task *task, struct brolga_unit *unit, uintptr_t pc,
                   struct brolga__trap *trap, uintptr_t high,
                   void (*entry)(void *note))
{
    uintptr_t at = (high - sizeof(struct note)) & ~(uintptr_t)15;
    struct note *note = (struct note *)at;

    brolga_unit_pin(unit);
    task->failed = true;
    note->task = task;
    note->unit = unit;
    note->pc = pc;
    note->trap = *trap;
    note->overflow = is_overflow(task, trap);
    note->blocked = is_blocked(task);
    note->lowest = lowest_word(task, trap, note->overflow);
    brolga__plat_trap_go_on(trap, at, entry, note);
}

static bool handle(brolga_task *task, struct brolga__trap *trap)
{
    uintptr_t pc = culprit(task, trap), emergency = brolga__emergency_stack();
    struct brolga_unit *unit = brolga__ranges_find(task->rt->got, pc);
    bool overflow = is_overflow(task, trap);
    const char *why = obstacle(task, unit);

    if (why == NULL && !overflow && has_room(task, trap)) {
        divert(task, unit, pc, trap, trap->sp - RED_ZONE_BYTES, end_task);
        return true;
    }
    if (why == NULL && emergency != 0) {
        divert(task, unit, pc, trap, emergency, end_elsewhere);
        return true;
    }
    say(task, trap, unit, overflow, is_blocked(task),
        why != NULL ? why : NO_STACK);
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
    if (offline) /* Not through the gate: nothing of the host's runs here. */
        brolga__epoch_appear(member);
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
