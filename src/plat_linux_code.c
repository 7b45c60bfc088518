/*
 * The part of plat.h that makers of machine code need, on Linux.
 *
 * A range is reserved without access. Pages get a memory file's memory, which
 * is mapped where they are written, and once that mapping is gone, where they
 * run: at no time can a page be changed by one address and run by another.
 * Where the system has no such file, they lie in private memory, which is made
 * to run in place.
 */
#define _GNU_SOURCE
#include "plat.h"

#include "base.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3: without it a policy may forbid to run. */
#endif

/* --- instruction caches ------------------------------------------------- */

static int membarrier(int command)
{
    return (int)syscall(SYS_membarrier, command, 0, 0);
}

static enum brolga__code_sync find_sync(void)
{
    int commands = membarrier(MEMBARRIER_CMD_QUERY);

    if (commands < 0)
        return BROLGA__SYNC_SAFEPOINTS;
    if ((commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) != 0 &&
        membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) == 0)
        return BROLGA__SYNC_CORES;
    /* Waits until each processor has been interrupted, or was switched. */
    return (commands & MEMBARRIER_CMD_GLOBAL) != 0 ? BROLGA__SYNC_SLOWLY
                                                   : BROLGA__SYNC_SAFEPOINTS;
}

enum brolga__code_sync brolga__plat_code_sync(void)
{
    static _Atomic int found; /* One more than what it is; 0: not asked yet. */

    if (found == 0)
        found = (int)find_sync() + 1;
    return (enum brolga__code_sync)(found - 1);
}

void brolga__plat_code_ready(void *at, size_t bytes)
{
    enum brolga__code_sync sync = brolga__plat_code_sync();

    __builtin___clear_cache(at, (char *)at + bytes);
    if (sync == BROLGA__SYNC_CORES)
        (void)membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE);
    else if (sync == BROLGA__SYNC_SLOWLY)
        (void)membarrier(MEMBARRIER_CMD_GLOBAL);
}

/* --- memory ------------------------------------------------------------- */

#define REACH     ((uintptr_t)INT32_MAX)
#define NEAR_STEP ((uintptr_t)32 << 20)

static char *reserve_at(uintptr_t wish, size_t bytes)
{
    void *at = mmap((void *)wish, bytes, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

static uintptr_t distance(uintptr_t a, uintptr_t b)
{
    return a > b ? a - b : b - a;
}

/* Whether each of the two reaches all of the other. */
static bool reaches(uintptr_t near, uintptr_t low, size_t bytes)
{
    return distance(near, low) < REACH && distance(near, low + bytes) < REACH;
}

/* A place that the system gives although it was wished for somewhere else may
 * be close enough, too. */
static char *reserve_near(uintptr_t near, size_t bytes)
{
    for (uintptr_t away = NEAR_STEP; away < REACH; away += NEAR_STEP) {
        for (int below = 0; below < 2; below++) {
            uintptr_t wish = below == 0 ? near + away : near - away - bytes;
            char *at = reserve_at(wish & ~(NEAR_STEP - 1), bytes);

            if (at != NULL && reaches(near, (uintptr_t)at, bytes))
                return at;
            if (at != NULL)
                (void)munmap(at, bytes);
        }
    }
    return NULL;
}

static int memory_file(size_t bytes)
{
    int fd = memfd_create("brolga-code", MFD_CLOEXEC | MFD_EXEC);

    if (fd < 0) /* It may be older than that flag. */
        fd = memfd_create("brolga-code", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* Whether a page can be written, and then run. */
static bool works(struct brolga__code_range *range)
{
    size_t page = brolga__plat_page_bytes();
    void *write = brolga__plat_code_write(range, 0, page);
    bool runs;

    if (write == NULL)
        return false;
    runs = brolga__plat_code_run(range, 0, page, write);
    brolga__plat_code_drop(range, 0, page, NULL);
    return runs;
}

bool brolga__plat_code_reserve(struct brolga__code_range *range, size_t bytes,
                               const void *near, bool two_views)
{
    struct brolga__code_range made = {.bytes = bytes, .fd = -1};

    made.run = near == NULL ? reserve_at(0, bytes)
                            : reserve_near((uintptr_t)near, bytes);
    if (made.run == NULL)
        return false;
    if (two_views)
        made.fd = memory_file(bytes);
    if ((!two_views || made.fd >= 0) && works(&made)) {
        *range = made;
        return true;
    }
    brolga__plat_code_unreserve(&made);
    return false;
}

void brolga__plat_code_unreserve(struct brolga__code_range *range)
{
    (void)munmap(range->run, range->bytes);
    if (range->fd >= 0)
        (void)close(range->fd);
}

/* Memory first: without it, a write to the mapping would be a trap. */
static void *write_file(struct brolga__code_range *range, size_t offset,
                        size_t bytes)
{
    void *write;

    if (fallocate(range->fd, 0, (off_t)offset, (off_t)bytes) != 0)
        return NULL;
    write = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, range->fd,
                 (off_t)offset);
    if (write != MAP_FAILED)
        return write;
    brolga__plat_code_drop(range, offset, bytes, NULL);
    return NULL;
}

void *brolga__plat_code_write(struct brolga__code_range *range, size_t offset,
                              size_t bytes)
{
    char *at = range->run + offset;

    if (range->fd >= 0)
        return write_file(range, offset, bytes);
    return mprotect(at, bytes, PROT_READ | PROT_WRITE) == 0 ? at : NULL;
}

bool brolga__plat_code_run(struct brolga__code_range *range, size_t offset,
                           size_t bytes, void *write)
{
    char *at = range->run + offset;

    if (range->fd < 0)
        return mprotect(at, bytes, PROT_READ | PROT_EXEC) == 0;
    (void)munmap(write, bytes);
    return mmap(at, bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED,
                range->fd, (off_t)offset) != MAP_FAILED;
}

void brolga__plat_code_drop(struct brolga__code_range *range, size_t offset,
                            size_t bytes, void *write)
{
    char *at = range->run + offset;

    if (range->fd >= 0 && write != NULL)
        (void)munmap(write, bytes);
    (void)mmap(at, bytes, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (range->fd >= 0)
        (void)fallocate(range->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        (off_t)offset, (off_t)bytes);
}

/* --- the unwinder ------------------------------------------------------- */

typedef void unwinder_fn(void *frames);

static unwinder_fn *find_function(void *library, const char *name)
{
    union {
        void *address;
        unwinder_fn *fn;
    } cast = {dlsym(library, name)};

    return cast.fn;
}

/* The one that the program has; else the one that the C library would load as
 * soon as it wants to unwind. */
static unwinder_fn *find_unwinder(const char *name)
{
    static void *_Atomic library;
    unwinder_fn *fn = find_function(RTLD_DEFAULT, name);

    if (fn != NULL)
        return fn;
    if (library == NULL) /* A second one is the same one. */
        library = dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
    return library == NULL ? NULL : find_function(library, name);
}

static const char *file_of(unwinder_fn *fn)
{
    union {
        unwinder_fn *fn;
        void *address;
    } cast = {fn};
    Dl_info info;

    return dladdr(cast.address, &info) != 0 ? info.dli_fname : "";
}

/* libgcc takes a whole section; libunwind of LLVM, which has the same names,
 * takes each description by itself. */
static bool takes_each(unwinder_fn *fn)
{
    unwinder_fn *mark = find_function(RTLD_DEFAULT, "__unw_add_dynamic_fde");

    return mark != NULL && strcmp(file_of(mark), file_of(fn)) == 0;
}

static bool call_with(void *arg, const void *fde)
{
    unwinder_fn **fn = arg;

    (*fn)((void *)fde);
    return true;
}

static bool tell_unwinder(const struct brolga__frames *frames, const char *name)
{
    unwinder_fn *fn = find_unwinder(name);

    if (fn == NULL)
        return false;
    if (takes_each(fn))
        return frames->each(frames->section, call_with, &fn);
    fn((void *)frames->section);
    return true;
}

bool brolga__plat_frames_add(const struct brolga__frames *frames)
{
    return tell_unwinder(frames, "__register_frame");
}

void brolga__plat_frames_remove(const struct brolga__frames *frames)
{
    (void)tell_unwinder(frames, "__deregister_frame");
}

/* --- signals ------------------------------------------------------------ */

static uintptr_t handler_of(const struct sigaction *action)
{
    union {
        void (*handler)(int);
        void (*action)(int, siginfo_t *, void *);
        uintptr_t address;
    } cast;

    if ((action->sa_flags & SA_SIGINFO) != 0)
        cast.action = action->sa_sigaction;
    else
        cast.handler = action->sa_handler;
    return cast.address;
}

void brolga__plat_signal_handlers(uintptr_t handler[BROLGA__SIGNALS])
{
    for (int number = 0; number < BROLGA__SIGNALS; number++) {
        struct sigaction action;

        handler[number] =
            sigaction(number, NULL, &action) == 0 ? handler_of(&action) : 0;
    }
}

void brolga__plat_signal_name(int signal, char *text, size_t bytes)
{
    const char *name = sigabbrev_np(signal);

    if (name != NULL)
        (void)snprintf(text, bytes, "SIG%s", name);
    else
        (void)snprintf(text, bytes, "signal %d", signal);
}

/* --- object files ------------------------------------------------------- */

uint32_t brolga__plat_machine(void)
{
#if defined(__x86_64__)
    return EM_X86_64;
#elif defined(__aarch64__)
    return EM_AARCH64;
#else
    return EM_NONE;
#endif
}

enum { S_NONE, S_TEXT, S_FRAMES, S_SYMBOLS, S_NAMES, S_SECTIONS };

static const char section_names[] = "\0.text\0.eh_frame\0.symtab\0.strtab";
enum { N_TEXT = 1, N_FRAMES = 7, N_SYMBOLS = 17, N_NAMES = 25 };

/* A file that is written as far as there is room. */
struct writer {
    char *file;
    size_t bytes, used;
};

static size_t put(struct writer *w, const void *from, size_t bytes)
{
    size_t at = w->used;

    if (at + bytes <= w->bytes && bytes > 0)
        memcpy(w->file + at, from, bytes);
    w->used += bytes;
    return at;
}

static void align(struct writer *w)
{
    static const char zeros[8];

    (void)put(w, zeros, brolga__round_up(w->used, 8) - w->used);
}

static void put_symbols(struct writer *w,
                        const struct brolga__code_object *object)
{
    Elf64_Sym symbol = {0};
    Elf64_Word name = sizeof section_names;

    (void)put(w, &symbol, sizeof symbol);
    for (size_t i = 0; i < object->count; i++) {
        const struct brolga__code_name *function = &object->function[i];

        symbol = (Elf64_Sym){.st_name = name,
                             .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                             .st_shndx = S_TEXT,
                             .st_value = function->low - object->low,
                             .st_size = function->bytes};
        (void)put(w, &symbol, sizeof symbol);
        name += (Elf64_Word)strlen(function->name) + 1;
    }
}

static Elf64_Shdr section(Elf64_Word name, Elf64_Word type, size_t at,
                          size_t bytes)
{
    return (Elf64_Shdr){.sh_name = name,
                        .sh_type = type,
                        .sh_offset = at,
                        .sh_size = bytes,
                        .sh_addralign = 8};
}

/* Frame descriptions say where code is by where they are themselves: so their
 * section has the address that they lie at. */
static void put_body(struct writer *w, const struct brolga__code_object *object,
                     Elf64_Shdr *part)
{
    size_t at;

    part[S_TEXT] = section(N_TEXT, SHT_NOBITS, w->used, object->bytes);
    part[S_TEXT].sh_addr = object->low;
    part[S_TEXT].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
    at = put(w, object->frames, object->frames_bytes);
    part[S_FRAMES] =
        section(N_FRAMES, object->frames_bytes > 0 ? SHT_PROGBITS : SHT_NULL,
                at, object->frames_bytes);
    part[S_FRAMES].sh_addr = (uintptr_t)object->frames;
    part[S_FRAMES].sh_flags = SHF_ALLOC;
    align(w);
    at = w->used;
    put_symbols(w, object);
    part[S_SYMBOLS] = section(N_SYMBOLS, SHT_SYMTAB, at, w->used - at);
    part[S_SYMBOLS].sh_link = S_NAMES;
    part[S_SYMBOLS].sh_info = 1; /* The first that is not local. */
    part[S_SYMBOLS].sh_entsize = sizeof(Elf64_Sym);
    at = put(w, section_names, sizeof section_names);
    for (size_t i = 0; i < object->count; i++)
        (void)put(w, object->function[i].name,
                  strlen(object->function[i].name) + 1);
    part[S_NAMES] = section(N_NAMES, SHT_STRTAB, at, w->used - at);
}

size_t brolga__plat_code_object(const struct brolga__code_object *object,
                                void *file, size_t bytes)
{
    struct writer w = {file, bytes, 0};
    Elf64_Shdr part[S_SECTIONS] = {{0}};
    Elf64_Ehdr head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
                                   ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                       .e_type = ET_REL,
                       .e_machine = (Elf64_Half)brolga__plat_machine(),
                       .e_version = EV_CURRENT,
                       .e_ehsize = sizeof head,
                       .e_shentsize = sizeof part[0],
                       .e_shnum = S_SECTIONS,
                       .e_shstrndx = S_NAMES};

    (void)put(&w, &head, sizeof head);
    put_body(&w, object, part);
    align(&w);
    head.e_shoff = w.used;
    (void)put(&w, part, sizeof part);
    if (w.used <= bytes)
        memcpy(file, &head, sizeof head);
    return w.used;
}
