/* The platform contract of plat.h on Linux. */
#define _GNU_SOURCE
#include "plat.h"

#include "atomic.h"
#include "base.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13: a guard without a mapping. */
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef PIDFD_SELF_THREAD
#define PIDFD_SELF_THREAD (-10000) /* Recent Linux: no descriptor is needed. */
#endif

uint64_t brolga__plat_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * BROLGA_S + (uint64_t)now.tv_nsec;
}

uint64_t brolga__plat_thread_ns(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * BROLGA_S + (uint64_t)used.tv_nsec;
}

unsigned brolga__plat_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    return 1;
}

/* One number that the kernel keeps, where a listing would be read piece by
 * piece. It is the 18th word after the program's name, which is in brackets. */
uint32_t brolga__plat_threads(void)
{
    char line[1024];
    unsigned count = 0;
    const char *word;
    ssize_t bytes;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    bytes = read(fd, line, sizeof line - 1);
    (void)close(fd);
    line[bytes > 0 ? bytes : 0] = '\0';
    word = strrchr(line, ')');
    for (int i = 0; i < 18 && word != NULL; i++)
        word = strchr(word + 1, ' ');
    return word != NULL && sscanf(word, "%u", &count) == 1 ? count : 0;
}

size_t brolga__plat_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* By which a thread is asked where it is; unhandled it is ignored. */
#define SAMPLE_SIGNAL SIGURG

/* Those for a thread that it has itself caused, that of profilers, which is to
 * hit the thread that uses the processor, and ours. Nobody could take them for
 * it: blocked, the first ones end the process, or are lost. */
static const int own_signals[] = {
    SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGTRAP,       SIGABRT,
    SIGSYS,  SIGPIPE, SIGXFSZ, SIGPROF, SAMPLE_SIGNAL,
};

bool brolga__plat_thread_start(pthread_t *thread, const pthread_attr_t *attr,
                               void *(*main)(void *arg), void *arg)
{
    sigset_t others, before;
    int err;

    (void)sigfillset(&others);
    for (size_t i = 0; i < sizeof own_signals / sizeof *own_signals; i++)
        (void)sigdelset(&others, own_signals[i]);
    /* A thread inherits its mask: so it never has another one. */
    (void)pthread_sigmask(SIG_BLOCK, &others, &before);
    err = pthread_create(thread, attr, main, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0;
}

void brolga__plat_thread_hear_children(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

uint64_t brolga__plat_thread_id(void)
{
    return (uint64_t)syscall(SYS_gettid);
}

void brolga__plat_thread_name(const char *name)
{
    char shown[16];

    (void)snprintf(shown, sizeof shown, "%s", name);
    (void)pthread_setname_np(pthread_self(), shown);
}

void brolga__plat_thread_yield(void)
{
    (void)sched_yield();
}

void brolga__plat_thread_stack(uintptr_t *low, uintptr_t *high)
{
    pthread_attr_t attr;
    void *at = NULL;
    size_t bytes = 0;

    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        (void)pthread_attr_getstack(&attr, &at, &bytes);
        (void)pthread_attr_destroy(&attr);
    }
    brolga__assert(at != NULL);
    *low = (uintptr_t)at;
    *high = (uintptr_t)at + bytes;
}

bool brolga__plat_wait(const _Atomic uint32_t *word, uint32_t value,
                       uint64_t deadline_ns)
{
    struct timespec at, *limit = NULL;

    if (deadline_ns != BROLGA_FOREVER) {
        at.tv_sec = (time_t)(deadline_ns / BROLGA_S);
        at.tv_nsec = (long)(deadline_ns % BROLGA_S);
        limit = &at;
    }
    /* WAIT_BITSET takes an absolute time of the monotonic clock. */
    if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, limit, NULL,
                FUTEX_BITSET_MATCH_ANY) != 0)
        return errno != ETIMEDOUT;
    return true;
}

void brolga__plat_wake(const _Atomic uint32_t *word, int count)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

void *brolga__plat_reserve(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

void brolga__plat_unreserve(void *at, size_t bytes)
{
    (void)munmap(at, bytes);
}

/* Whether a success of madvise() means that it was done: an emulator of user
 * mode may pass over advice that it does not know, where a kernel refuses. */
static bool advice_is_honest(void *at, size_t bytes)
{
    static _Atomic int honest; /* 0: not asked yet. */

    if (honest == 0)
        honest = madvise(at, bytes, INT_MAX) != 0 ? 1 : -1;
    return honest > 0;
}

bool brolga__plat_guard(void *at, size_t bytes)
{
    if (advice_is_honest(at, bytes) &&
        madvise(at, bytes, MADV_GUARD_INSTALL) == 0)
        return true;
    return mprotect(at, bytes, PROT_NONE) == 0;
}

/* Ranges that one system call is told of. */
#define RANGES_MAX 64

/* Advice for many ranges in one system call, if there is one for that: for how
 * many of them, the first ones, it was taken. */
static size_t advise_at_once(const struct iovec *range, size_t count,
                             int advice)
{
    static _Atomic bool refused;
    size_t done = 0;
    long bytes;

    if (count < 2 || refused ||
        !advice_is_honest(range[0].iov_base, range[0].iov_len))
        return 0;
    bytes = syscall(SYS_process_madvise, PIDFD_SELF_THREAD, range, count,
                    advice, 0);
    if (bytes < 0)
        refused = true;
    for (; done < count && bytes >= (long)range[done].iov_len; done++)
        bytes -= (long)range[done].iov_len;
    return done;
}

static size_t guard_at_once(char *at, size_t bytes, size_t step, size_t count)
{
    struct iovec range[RANGES_MAX];

    if (count > RANGES_MAX)
        count = RANGES_MAX;
    for (size_t i = 0; i < count; i++)
        range[i] = (struct iovec){at + i * step, bytes};
    return advise_at_once(range, count, MADV_GUARD_INSTALL);
}

size_t brolga__plat_guards(void *at, size_t bytes, size_t step, size_t count)
{
    size_t done = 0;

    while (done < count) {
        char *next = (char *)at + done * step;
        size_t more = guard_at_once(next, bytes, step, count - done);

        if (more == 0 && !brolga__plat_guard(next, bytes))
            break;
        done += more > 0 ? more : 1;
    }
    return done;
}

void brolga__plat_discard(void *at, size_t bytes)
{
    (void)madvise(at, bytes, MADV_DONTNEED);
}

static size_t discard_at_once(const uintptr_t *at, size_t bytes, size_t count)
{
    struct iovec range[RANGES_MAX];

    if (count > RANGES_MAX)
        count = RANGES_MAX;
    for (size_t i = 0; i < count; i++)
        range[i] = (struct iovec){(void *)at[i], bytes};
    return advise_at_once(range, count, MADV_DONTNEED);
}

void brolga__plat_discards(const uintptr_t *at, size_t bytes, size_t count)
{
    size_t done = 0;

    while (done < count) {
        size_t more = discard_at_once(at + done, bytes, count - done);

        if (more == 0)
            brolga__plat_discard((void *)at[done], bytes);
        done += more > 0 ? more : 1;
    }
}

void brolga__plat_symbol(uintptr_t address, char *text, size_t bytes)
{
    Dl_info info;

    text[0] = '\0';
    if (dladdr((void *)address, &info) != 0 && info.dli_sname != NULL)
        (void)snprintf(text, bytes, "%s", info.dli_sname);
}

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

bool brolga__plat_occupy(uintptr_t low, size_t bytes)
{
    void *at =
        mmap((void *)low, bytes, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
             -1, 0);

    if (at == MAP_FAILED)
        return false;
    if (at == (void *)low)
        return true;
    (void)munmap(at, bytes); /* A kernel that takes it for a hint. */
    return false;
}

bool brolga__plat_forbid(void *base, size_t bytes)
{
    return mprotect(base, bytes, PROT_NONE) == 0;
}

struct image_search {
    const char *path;
    uintptr_t low;
    uintptr_t high;
};

static int visit_image(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct image_search *search = arg;

    (void)bytes;
    if (info->dlpi_name == NULL || strcmp(info->dlpi_name, search->path) != 0)
        return 0;
    search->low = UINTPTR_MAX;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        if (info->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        if (at < search->low)
            search->low = at;
        if (at + info->dlpi_phdr[i].p_memsz > search->high)
            search->high = at + info->dlpi_phdr[i].p_memsz;
    }
    return 1;
}

bool brolga__plat_image(const char *path, uintptr_t *low, uintptr_t *high)
{
    struct image_search search = {.path = path};

    if (dl_iterate_phdr(visit_image, &search) == 0)
        return false;
    *low = search.low;
    *high = search.high;
    return true;
}

typedef ElfW(Ehdr) elf_head;
typedef ElfW(Phdr) elf_segment;
typedef ElfW(Shdr) elf_section;
typedef ElfW(Sym) elf_symbol;

/* A file that is mapped for reading. */
struct elf_file {
    const char *at;
    size_t bytes;
};

/* The part of the file from `offset`; NULL unless all of it is there, and
 * aligned if it is more than text. */
static const void *elf_part(const struct elf_file *file, size_t offset,
                            size_t count, size_t each)
{
    if (offset > file->bytes || count > (file->bytes - offset) / each ||
        (each > 1 && offset % sizeof(void *) != 0))
        return NULL;
    return file->at + offset;
}

static uintptr_t elf_lowest(const struct elf_file *file, const elf_head *head)
{
    const elf_segment *parts =
        elf_part(file, head->e_phoff, head->e_phnum, sizeof *parts);
    uintptr_t low = UINTPTR_MAX;

    for (size_t i = 0; parts != NULL && i < head->e_phnum; i++)
        if (parts[i].p_type == PT_LOAD && parts[i].p_vaddr < low)
            low = parts[i].p_vaddr;
    return low;
}

static void visit_symbols(const struct elf_file *file,
                          const elf_section *symbols, const elf_section *names,
                          uintptr_t lowest,
                          void (*visit)(void *arg, const char *name,
                                        uintptr_t offset, size_t bytes),
                          void *arg)
{
    size_t count = symbols->sh_size / sizeof(elf_symbol);
    const elf_symbol *symbol =
        elf_part(file, symbols->sh_offset, count, sizeof *symbol);
    const char *text = elf_part(file, names->sh_offset, names->sh_size, 1);

    if (symbol == NULL || text == NULL || names->sh_size == 0 ||
        text[names->sh_size - 1] != '\0')
        return;
    for (size_t i = 0; i < count; i++)
        if ((symbol[i].st_info & 0xf) == STT_FUNC && symbol[i].st_size > 0 &&
            symbol[i].st_name < names->sh_size && symbol[i].st_value >= lowest)
            visit(arg, text + symbol[i].st_name, symbol[i].st_value - lowest,
                  symbol[i].st_size);
}

static void visit_elf(const struct elf_file *file,
                      void (*visit)(void *arg, const char *name,
                                    uintptr_t offset, size_t bytes),
                      void *arg)
{
    const elf_head *head = elf_part(file, 0, 1, sizeof *head);
    const elf_section *parts;

    if (head == NULL || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
        return;
    parts = elf_part(file, head->e_shoff, head->e_shnum, sizeof *parts);
    for (size_t i = 0; parts != NULL && i < head->e_shnum; i++)
        if (parts[i].sh_type == SHT_SYMTAB && parts[i].sh_link < head->e_shnum)
            visit_symbols(file, &parts[i], &parts[parts[i].sh_link],
                          elf_lowest(file, head), visit, arg);
}

void brolga__plat_functions(const char *path,
                            void (*visit)(void *arg, const char *name,
                                          uintptr_t offset, size_t bytes),
                            void *arg)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    struct elf_file file;
    void *at;

    if (fd < 0)
        return;
    if (fstat(fd, &stat) == 0 && stat.st_size > 0) {
        file.bytes = (size_t)stat.st_size;
        at = mmap(NULL, file.bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at != MAP_FAILED) {
            file.at = at;
            visit_elf(&file, visit, arg);
            (void)munmap(at, file.bytes);
        }
    }
    (void)close(fd);
}

/* --- traps -------------------------------------------------------------- */

static const struct {
    int number;
    const char *name;
    bool has_address;
} trap_signals[] = {{SIGSEGV, "SIGSEGV", true},
                    {SIGBUS, "SIGBUS", true},
                    {SIGFPE, "SIGFPE", false},
                    {SIGILL, "SIGILL", false}};

#define TRAP_SIGNALS brolga__lengthof(trap_signals)

/* Written before our handler is in place, by install() only. */
static brolga__trap_fn *trap_handle;
static struct sigaction trap_before[TRAP_SIGNALS];

static size_t trap_index(int number)
{
    size_t i = 0;

    while (i < TRAP_SIGNALS - 1 && trap_signals[i].number != number)
        i++;
    return i;
}

#if defined(__x86_64__)
static uintptr_t context_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static uintptr_t context_sp(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

uintptr_t brolga__plat_trap_caller(const struct brolga__trap *trap)
{
    return *(const uintptr_t *)trap->sp;
}

/* As if called: a return address of zero lies on top of the stack. */
static void context_call(ucontext_t *context, uintptr_t sp,
                         void (*entry)(void *arg), void *arg)
{
    greg_t *registers = context->uc_mcontext.gregs;
    uintptr_t *top = (uintptr_t *)(sp & ~(uintptr_t)15) - 1;
    const greg_t step = 0x100, backwards = 0x400, aligned = 0x40000;

    *top = 0;
    registers[REG_RSP] = (greg_t)top;
    registers[REG_RBP] = 0;
    registers[REG_RIP] = (greg_t)entry;
    registers[REG_RDI] = (greg_t)arg;
    registers[REG_EFL] &= ~(step | backwards | aligned);
}
#elif defined(__aarch64__)
static uintptr_t context_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.pc;
}

static uintptr_t context_sp(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.sp;
}

uintptr_t brolga__plat_trap_caller(const struct brolga__trap *trap)
{
    const ucontext_t *context = trap->context;

    return (uintptr_t)context->uc_mcontext.regs[30];
}

static void context_call(ucontext_t *context, uintptr_t sp,
                         void (*entry)(void *arg), void *arg)
{
    context->uc_mcontext.sp = sp & ~(uintptr_t)15;
    context->uc_mcontext.regs[29] = 0;
    context->uc_mcontext.regs[30] = 0;
    context->uc_mcontext.regs[0] = (uintptr_t)arg;
    context->uc_mcontext.pc = (uintptr_t)entry;
}
#endif

void brolga__plat_trap_go_on(struct brolga__trap *trap, uintptr_t sp,
                             void (*entry)(void *arg), void *arg)
{
    context_call(trap->context, sp, entry, arg);
}

/* The default action ends the process: when the instruction is tried again, or
 * when the signal that was sent comes again. */
static void trap_by_default(int number, bool sent)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
    if (sent)
        (void)raise(number);
}

/* What would have happened without us. */
static void trap_pass_on(int number, siginfo_t *info, void *context, bool sent)
{
    const struct sigaction *before = &trap_before[trap_index(number)];

    if ((before->sa_flags & SA_SIGINFO) != 0)
        before->sa_sigaction(number, info, context);
    else if (before->sa_handler == SIG_DFL)
        trap_by_default(number, sent);
    else if (before->sa_handler != SIG_IGN)
        before->sa_handler(number);
    else if (!sent) /* A trap cannot be ignored. */
        trap_by_default(number, sent);
}

/* Whether the signal tells of what the thread was doing; the others come from
 * kill(), raise() and their like, or tell of memory that nobody was using. */
static bool is_trap(int number, const siginfo_t *info)
{
    return info->si_code > 0 &&
           !(number == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

static void on_trap(int number, siginfo_t *info, void *context)
{
    size_t i = trap_index(number);
    bool sent = !is_trap(number, info);
    struct brolga__trap trap = {.name = trap_signals[i].name,
                                .pc = context_pc(context),
                                .sp = context_sp(context),
                                .has_address = trap_signals[i].has_address &&
                                               info->si_code != SI_KERNEL,
                                .context = context};
    int saved = errno;

    if (trap.has_address)
        trap.address = (uintptr_t)info->si_addr;
    if (sent || !trap_handle(&trap))
        trap_pass_on(number, info, context, sent);
    errno = saved;
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 &&
           action->sa_sigaction == on_trap;
}

static bool is_handled(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

/* Ours is still behind another's handler. Put in front of that again it would
 * be its own predecessor, so it stays where it is until that one has gone. */
static bool trap_left_behind[TRAP_SIGNALS];

void brolga__plat_traps_install(brolga__trap_fn *handle)
{
    trap_handle = handle;
    for (size_t i = 0; i < TRAP_SIGNALS; i++) {
        struct sigaction action = {.sa_sigaction = on_trap,
                                   .sa_flags = SA_SIGINFO | SA_ONSTACK};
        struct sigaction now;

        (void)sigaction(trap_signals[i].number, NULL, &now);
        if (trap_left_behind[i] && is_handled(&now))
            continue;
        trap_left_behind[i] = false;
        (void)sigemptyset(&action.sa_mask);
        /* Known before the first signal may need it. */
        trap_before[i] = now;
        (void)sigaction(trap_signals[i].number, &action, NULL);
    }
}

void brolga__plat_traps_remove(void)
{
    for (size_t i = 0; i < TRAP_SIGNALS; i++) {
        struct sigaction now;

        (void)sigaction(trap_signals[i].number, NULL, &now);
        if (is_ours(&now))
            (void)sigaction(trap_signals[i].number, &trap_before[i], NULL);
        else if (is_handled(&now))
            trap_left_behind[i] = true;
    }
}

bool brolga__plat_signal_stack_set(uintptr_t low, uintptr_t high)
{
    stack_t ours = {.ss_sp = (void *)low, .ss_size = high - low}, now;

    return sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE) != 0 &&
           sigaltstack(&ours, NULL) == 0;
}

void brolga__plat_signal_stack_unset(void)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    (void)sigaltstack(&none, NULL);
}

void brolga__plat_say(const char *text, size_t bytes)
{
    ssize_t done = write(STDERR_FILENO, text, bytes);

    (void)done; /* There is nobody else to tell. */
}

const char *brolga__plat_image_at(uintptr_t address, uintptr_t *base)
{
#ifdef DLFO_STRUCT_HAS_EH_DBASE /* glibc 2.35: a search without locks. */
    struct dl_find_object found;

    if (_dl_find_object((void *)address, &found) == 0) {
        *base = (uintptr_t)found.dlfo_link_map->l_addr;
        return found.dlfo_link_map->l_name;
    }
#else
    (void)address;
    (void)base;
#endif
    return NULL;
}

/* --- samples ------------------------------------------------------------ */

enum { SAMPLE_NONE, SAMPLE_WANTED, SAMPLE_TAKEN, SAMPLE_DONE };

/*
 * One request at a time. A handler that comes late, when nobody waits for it
 * any more, finds that nothing is wanted, or answers the next request if that
 * is for its thread, too.
 *
 *   A  What is wanted is seen by the handler: release store of the state ->
 *      its CAS; and what it has done, by who asked: release store -> load.
 */
static struct {
    pthread_mutex_t lock;
    _Atomic uint32_t state;
    pid_t thread;
    void (*look)(void *arg, uintptr_t pc, uintptr_t sp);
    void *arg;
} sample = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_sample(int number, siginfo_t *info, void *context)
{
    uint32_t wanted = SAMPLE_WANTED;
    int saved = errno;

    (void)number;
    (void)info;
    if (brolga__cas_acq_rel(&sample.state, &wanted, SAMPLE_TAKEN)) { /* A */
        if (sample.thread == (pid_t)syscall(SYS_gettid)) {
            sample.look(sample.arg, context_pc(context), context_sp(context));
            brolga__store_release(&sample.state, SAMPLE_DONE); /* A */
        } else { /* One that was asked before. */
            brolga__store_release(&sample.state, SAMPLE_WANTED); /* A */
        }
        brolga__plat_wake(&sample.state, 1);
    }
    errno = saved;
}

/* Whether the signal is ours to use. */
static bool sample_ready(void)
{
    struct sigaction now,
        action = {.sa_sigaction = on_sample,
                  .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    if (sigaction(SAMPLE_SIGNAL, NULL, &now) != 0)
        return false;
    if ((now.sa_flags & SA_SIGINFO) != 0)
        return now.sa_sigaction == on_sample;
    if (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN)
        return false;
    (void)sigemptyset(&action.sa_mask);
    return sigaction(SAMPLE_SIGNAL, &action, NULL) == 0;
}

/* The state of a thread is the word after its name, which is in brackets. */
static bool uses_processor(pid_t thread)
{
    char path[64], line[512];
    const char *end;
    ssize_t bytes;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bytes = read(fd, line, sizeof line - 1);
    (void)close(fd);
    line[bytes > 0 ? bytes : 0] = '\0';
    end = strrchr(line, ')');
    return end != NULL && end[1] == ' ' && end[2] == 'R';
}

/* Waits for the answer, and if it does not come, takes the question back. */
static bool sample_await(uint64_t deadline_ns)
{
    uint32_t state;

    while ((state = brolga__load_acquire(&sample.state)) != SAMPLE_DONE) {
        uint32_t wanted = SAMPLE_WANTED;

        if (brolga__plat_wait(&sample.state, state, deadline_ns) ||
            state == SAMPLE_TAKEN) /* It is being given: nearly there. */
            continue;
        if (brolga__cas_acq_rel(&sample.state, &wanted, SAMPLE_NONE)) /* A */
            return false;
    }
    brolga__store_relaxed(&sample.state, SAMPLE_NONE); /* Under the lock. */
    return true;
}

bool brolga__plat_sample(uint64_t thread,
                         void (*look)(void *arg, uintptr_t pc, uintptr_t sp),
                         void *arg, uint64_t deadline_ns)
{
    bool looked = false;

    (void)pthread_mutex_lock(&sample.lock);
    if (uses_processor((pid_t)thread) && sample_ready()) {
        sample.thread = (pid_t)thread;
        sample.look = look;
        sample.arg = arg;
        brolga__store_release(&sample.state, SAMPLE_WANTED); /* A */
        if (syscall(SYS_tgkill, getpid(), (pid_t)thread, SAMPLE_SIGNAL) == 0)
            looked = sample_await(deadline_ns);
        else
            brolga__store_relaxed(&sample.state, SAMPLE_NONE);
    }
    (void)pthread_mutex_unlock(&sample.lock);
    return looked;
}

/* --- compilers ---------------------------------------------------------- */

const char *const *brolga__plat_module_flags(void)
{
    static const char *const none[] = {NULL};

    return none;
}

int brolga__plat_socket(int domain)
{
    int fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd >= 0 ? fd : -errno;
}

int brolga__plat_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    return fd >= 0 ? fd : -errno;
}
