/* The platform contract of plat.h on Linux. */
#define _GNU_SOURCE
#include "plat.h"

#include "base.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13: a guard without a mapping. */
#endif

uint64_t brolga__plat_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * BROLGA_S + (uint64_t)now.tv_nsec;
}

unsigned brolga__plat_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    return 1;
}

size_t brolga__plat_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
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

bool brolga__plat_guard(void *at, size_t bytes)
{
    if (madvise(at, bytes, MADV_GUARD_INSTALL) == 0)
        return true;
    return mprotect(at, bytes, PROT_NONE) == 0;
}

void brolga__plat_discard(void *at, size_t bytes)
{
    (void)madvise(at, bytes, MADV_DONTNEED);
}

void brolga__plat_code_ready(void *at, size_t bytes)
{
    static _Atomic int registered;

    __builtin___clear_cache(at, (char *)at + bytes);
    /*
     * Every other core must refetch, too. SYNC_CORE needs a registration once
     * per process; a kernel without it gets the slower GLOBAL barrier, and
     * one without either relies on the context switch that a wake implies.
     */
    if (registered == 0) {
        long ok =
            syscall(SYS_membarrier,
                    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);

        registered = ok == 0 ? 1 : -1;
    }
    if (registered > 0)
        (void)syscall(SYS_membarrier,
                      MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
    else
        (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

void brolga__plat_symbol(uintptr_t address, char *text, size_t bytes)
{
    Dl_info info;

    text[0] = '\0';
    if (dladdr((void *)address, &info) != 0 && info.dli_sname != NULL)
        (void)snprintf(text, bytes, "%s", info.dli_sname);
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
