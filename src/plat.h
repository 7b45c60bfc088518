/*
 * What a platform must supply: one plat_<os>.c implements all of this, and
 * only those files (and arch.h) may ask which system they are built for.
 */
#ifndef BROLGA_SRC_PLAT_H
#define BROLGA_SRC_PLAT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Monotonic time in nanoseconds. */
uint64_t brolga__plat_now_ns(void);

/* Processor time that the calling thread has used. */
uint64_t brolga__plat_thread_ns(void);

/* Processors that this process may run on, at least 1. */
unsigned brolga__plat_cpus(void);

/* Bytes of a page. */
size_t brolga__plat_page_bytes(void);

/*
 * Starts a thread of ours, on which no signal handler of the host runs: it is
 * born with all signals blocked but those that come of what a thread itself
 * does (SIGSEGV, SIGPIPE, ...) and the one of profilers. `attr` may be NULL.
 * False: there is none to be had.
 */
bool brolga__plat_thread_start(pthread_t *thread, const pthread_attr_t *attr,
                               void *(*main)(void *arg), void *arg);

/* Lets the calling thread, which is ours, hear of the end of children. */
void brolga__plat_thread_hear_children(void);

/* A number for the calling thread as debuggers show it. */
uint64_t brolga__plat_thread_id(void);

/* Gives the calling thread a name for debuggers, at most 15 bytes shown. */
void brolga__plat_thread_name(const char *name);

/* Lets other threads run that wait for the calling thread's processor. */
void brolga__plat_thread_yield(void);

/* The highest address of the calling thread's stack, and the lowest. */
void brolga__plat_thread_stack(uintptr_t *low, uintptr_t *high);

/*
 * Sleeps while `*word == value`, until a wake or the absolute monotonic
 * deadline (UINT64_MAX: none). May return early. Returns false only when the
 * deadline has passed.
 */
bool brolga__plat_wait(const _Atomic uint32_t *word, uint32_t value,
                       uint64_t deadline_ns);

/* Wakes at most `count` threads that sleep on `word`. */
void brolga__plat_wake(const _Atomic uint32_t *word, int count);

/* Reserves zeroed, readable and writable address space; pages get memory when
 * they are first touched. NULL if there is none. */
void *brolga__plat_reserve(size_t bytes);

/* Returns reserved space. */
void brolga__plat_unreserve(void *at, size_t bytes);

/* Makes pages of reserved space trap on any access, for ever. */
bool brolga__plat_guard(void *at, size_t bytes);

/* Does so with `bytes` at `at` and at every `step` bytes from there, `count` in
 * all. Returns how many it has done, the first ones. */
size_t brolga__plat_guards(void *at, size_t bytes, size_t step, size_t count);

/* Gives the memory of pages back; they read as zero when touched again. */
void brolga__plat_discard(void *at, size_t bytes);

/* The same for `bytes` at each of `count` addresses. */
void brolga__plat_discards(const uintptr_t *at, size_t bytes, size_t count);

/* The exported function at an address, for reports;
 * "" when unknown. Writes at most `bytes` bytes with the ending NUL. */
void brolga__plat_symbol(uintptr_t address, char *text, size_t bytes);

/* Where a loaded image lies: the span of all that is mapped of the file that
 * was opened as `path`. False if no such image is in memory. */
bool brolga__plat_image(const char *path, uintptr_t *low, uintptr_t *high);

/* A stream socket that does not block and is not inherited by programs that
 * this one starts; a connection of a listening one, the same way. Both return a
 * descriptor, or an errno as a negative number. */
int brolga__plat_socket(int domain);
int brolga__plat_accept(int listener);

/* Visits the functions that a file of machine code names, also those that it
 * shows nobody: where they begin, counted from the lowest byte that is mapped
 * of it, and how long they are. Visits none if it cannot be read. */
void brolga__plat_functions(const char *path,
                            void (*visit)(void *arg, const char *name,
                                          uintptr_t offset, size_t bytes),
                            void *arg);

/* How many threads the process has; 0 if that is not to be found out. */
uint32_t brolga__plat_threads(void);

/* Takes [low, low + bytes), if it is free, as inaccessible address space. */
bool brolga__plat_occupy(uintptr_t low, size_t bytes);
/* Makes a mapping inaccessible. */
bool brolga__plat_forbid(void *base, size_t bytes);

/* --- machine code ------------------------------------------------------- */

/* How other processors come to fetch new instructions. */
enum brolga__code_sync {
    BROLGA__SYNC_CORES,     /* They are interrupted. */
    BROLGA__SYNC_SLOWLY,    /* They have been, some milliseconds later. */
    BROLGA__SYNC_SAFEPOINTS /* Members do so at their next safepoint. */
};

/* Which of them there is here; the process is made ready for it. */
enum brolga__code_sync brolga__plat_code_sync(void);

/* Makes freshly written instructions visible to the calling thread's fetches
 * and, as brolga__plat_code_sync() says, to every other thread's. */
void brolga__plat_code_ready(void *at, size_t bytes);

/* Addresses that code will run at. Nothing can be read there but what has been
 * made to run. */
struct brolga__code_range {
    char *run;
    size_t bytes;
    int fd; /* Of memory that can be mapped in two places; -1: it cannot. */
};

/* Reserves a range, close to an address if there is room (NULL: anywhere).
 * `two_views`: what is written and what runs are mapped in two places. False,
 * with `*range` as it was: there is none, or the system does not let memory
 * that was written run. */
bool brolga__plat_code_reserve(struct brolga__code_range *range, size_t bytes,
                               const void *near, bool two_views);
void brolga__plat_code_unreserve(struct brolga__code_range *range);

/* Gives pages of a range zeroed memory, and returns where it can be written;
 * NULL: there is none. */
void *brolga__plat_code_write(struct brolga__code_range *range, size_t offset,
                              size_t bytes);

/* These pages are not written any more, and then they can be run and read.
 * False: there is no memory for that, and they can be neither. */
bool brolga__plat_code_run(struct brolga__code_range *range, size_t offset,
                           size_t bytes, void *write);

/* Gives the memory of pages back: nothing can be done with their addresses.
 * `write`: where they can be written still; NULL: nowhere. */
void brolga__plat_code_drop(struct brolga__code_range *range, size_t offset,
                            size_t bytes, void *write);

/* Tells the unwinder of this process of frame descriptions, a section
 * .eh_frame with its end; false: there is no unwinder. `fde` calls back with
 * each description, for unwinders that take them one by one. */
struct brolga__frames {
    const void *section;
    bool (*each)(const void *section, bool (*visit)(void *arg, const void *fde),
                 void *arg);
};
bool brolga__plat_frames_add(const struct brolga__frames *frames);
void brolga__plat_frames_remove(const struct brolga__frames *frames);

/* Where the handler of each signal lies, by its number; what is no address
 * means that there is none. And the name of a signal, as "SIGUSR1". */
#define BROLGA__SIGNALS 65
void brolga__plat_signal_handlers(uintptr_t handler[BROLGA__SIGNALS]);
void brolga__plat_signal_name(int signal, char *text, size_t bytes);

/* The number that files of machine code have for this processor. */
uint32_t brolga__plat_machine(void);

/* Writes an object file that names `count` functions of code in memory, for
 * debuggers, at most `bytes` bytes of it; returns how many it has. `frames`,
 * which may be NULL, is a section of frame descriptions in that code. */
struct brolga__code_name {
    const char *name;
    uintptr_t low;
    size_t bytes;
};
struct brolga__code_object {
    uintptr_t low; /* The code. */
    size_t bytes;
    const struct brolga__code_name *function;
    size_t count;
    const void *frames;
    size_t frames_bytes;
};
size_t brolga__plat_code_object(const struct brolga__code_object *object,
                                void *file, size_t bytes);

/* --- traps -------------------------------------------------------------- */

/* A trap of the calling thread: SIGSEGV, SIGBUS, SIGFPE or SIGILL. */
struct brolga__trap {
    const char *name;  /* "SIGSEGV" */
    uintptr_t pc;      /* Of the instruction. */
    uintptr_t sp;      /* The stack pointer. */
    uintptr_t address; /* That it wanted to use; for the first two. */
    bool has_address;
    void *context; /* The system's. */
};

/* Handles a trap, on the thread's signal stack if it has one, and may use only
 * what a signal handler may. False: it is for the handler before us. */
typedef bool brolga__trap_fn(struct brolga__trap *trap);

/* Has `handle` called for traps, in front of the handlers that are there now.
 * Not for signals that somebody sends. */
void brolga__plat_traps_install(brolga__trap_fn *handle);

/* Puts the handlers back that were there; where others have come in front of
 * ours since, it stays, and passes every trap on. */
void brolga__plat_traps_remove(void);

/* Once the handler returns true, the thread goes on in entry(arg) on the stack
 * below `sp`, with its signal mask as before the trap. */
void brolga__plat_trap_go_on(struct brolga__trap *trap, uintptr_t sp,
                             void (*entry)(void *arg), void *arg);

/* Where a call that has just led to `pc` came from. The words at `trap->sp`
 * must be readable. */
uintptr_t brolga__plat_trap_caller(const struct brolga__trap *trap);

/* Gives the calling thread [low, high) for its signal handlers. False, with
 * nothing changed, if it has something already. */
bool brolga__plat_signal_stack_set(uintptr_t low, uintptr_t high);
void brolga__plat_signal_stack_unset(void);

/* Writes to standard error; a signal handler may. */
void brolga__plat_say(const char *text, size_t bytes);

/* The name of the image that an address lies in, "" for the program, and where
 * it begins; NULL if unknown. A signal handler may. */
const char *brolga__plat_image_at(uintptr_t address, uintptr_t *base);

/* --- changes of files --------------------------------------------------- */

enum brolga__change {
    BROLGA__CHANGE_OTHER,   /* It has come, gone, or got other attributes. */
    BROLGA__CHANGE_WRITTEN, /* Somebody writes into it, and has it open. */
    BROLGA__CHANGE_CLOSED,  /* One who has had it open for writing closes it. */
    BROLGA__CHANGE_SELF,    /* The directory itself has moved or gone: watch it
                               anew. */
    BROLGA__CHANGE_LOST     /* Of any directory (-1): changes were not told. */
};

/* `directory` is what brolga__plat_notify_add() has returned, `name` that of a
 * file in it; NULL for the last two. */
typedef void brolga__change_fn(void *arg, int directory,
                               enum brolga__change change, const char *name);

/* A descriptor to poll for reading: changes of the directories that are added
 * to it. A negative number of errno if there is none to be had. */
int brolga__plat_notify_open(void);

/* A number for the directory, or a negative one of errno. Paths that lead to
 * the same directory get the same number. */
int brolga__plat_notify_add(int fd, const char *path);
void brolga__plat_notify_remove(int fd, int directory);

/* Tells all that has happened until now, without waiting. `tell` may add. */
void brolga__plat_notify_read(int fd, brolga__change_fn *tell, void *arg);

/*
 * Has `look(arg, pc, sp)` called by a thread of this process, in a signal
 * handler, with where it is, and waits for that until the deadline. False, and
 * it is not called: the thread sleeps in the system, blocks the signal, or has
 * gone; or the host has a handler of its own for it. `thread` is what
 * brolga__plat_thread_id() returned there.
 */
bool brolga__plat_sample(uint64_t thread,
                         void (*look)(void *arg, uintptr_t pc, uintptr_t sp),
                         void *arg, uint64_t deadline_ns);

/* --- compilers ---------------------------------------------------------- */

/* What a compiler needs besides -shared to leave a module's references to the
 * running program open; ends with NULL. */
const char *const *brolga__plat_module_flags(void);

#endif
