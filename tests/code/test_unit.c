/*
 * Goal: a unit made of a block is one like any other, gives the block back when
 * it is freed, and names its functions; what does not fit is refused and leaves
 * the block the caller's; debuggers and profilers are told of it as asked.
 * Method: the GOT's world with its pretended stack; what was told is read back:
 * the list for debuggers, the object files in it, the files of profilers.
 */
#include "code/frames.h"

#include <elf.h>
#include <stdlib.h>
#include <sys/stat.h>

static void open_default(void)
{
    code_open(NULL);
}

static const struct brolga_code_function functions[] = {
    {"score", 0, 16, "scorer.lisp", 12}, {"rank\nlast", 16, 32, NULL, 0}};

static struct brolga_code_unit_opts named_opts(void)
{
    return (struct brolga_code_unit_opts){.name = "scorer",
                                          .policy = BROLGA_RECLAIM,
                                          .functions = functions,
                                          .function_count = 2};
}

/* --- life --------------------------------------------------------------- */

static int released;

static void count_release(void *arg)
{
    /* The code is still there: a host may look at it. */
    cr_assert(readable(arg));
    released++;
}

Test(unit, c5_its_block_goes_back_when_nothing_holds_it, .init = open_default,
     .fini = code_close)
{
    struct brolga_code_block *block = sealed(1);
    struct brolga_code_unit_opts opts = named_opts();
    const void *run = block->run;
    struct jit_unit *other = made(2);
    brolga_txn *txn = begun();

    opts.release = count_release;
    opts.arg = (void *)run;
    (void)defined(txn, code_staged(txn, block, &opts), "m", "f", INT_FN);
    committed(txn);
    stack.words[3] = (uintptr_t)run + 5; /* A frame. */
    txn = begun();
    (void)defined(txn, staged(txn, other), "m", "f", INT_FN);
    committed(txn);
    reclaim_all();
    cr_assert_eq(released, 0);
    cr_assert_eq(jit_call(run, NULL), 1);
    stack.words[3] = 0;
    reclaim_all();
    cr_assert_eq(released, 1);
    cr_assert_not(readable(run));
}

Test(unit, it_names_its_functions, .init = open_default, .fini = code_close)
{
    struct brolga_code_block *block = sealed(1);
    struct brolga_code_unit_opts opts = named_opts();
    uintptr_t run = (uintptr_t)block->run;
    brolga_txn *txn = begun();
    brolga_unit *unit = code_staged(txn, block, &opts);
    char text[64];

    brolga__unit_describe(unit, run + 15, text, sizeof text);
    cr_assert_str_eq(text, "score (scorer.lisp:12)");
    brolga__unit_describe(unit, run + 16, text, sizeof text);
    cr_assert_str_eq(text, "rank\nlast");
    brolga__unit_describe(unit, run + 48, text, sizeof text);
    cr_assert_str_eq(text, "");
    brolga_txn_abort(txn);
}

Test(unit, what_does_not_fit_is_refused, .init = open_default,
     .fini = code_close)
{
    struct brolga_code_function wrong[] = {{"f", 0, 1, NULL, 0},
                                           {"g", 1, SIZE_MAX, NULL, 0}};
    struct brolga_code_unit_opts opts = named_opts();
    struct brolga_code_block *block = allocated(1);
    brolga_unit *unit = NULL;
    brolga_txn *txn = begun();

    cr_assert_eq(brolga_code_unit(txn, block, &opts, &unit), BROLGA_ESTATE);
    cr_assert_eq(brolga_code_seal(block), BROLGA_OK);
    opts.functions = wrong;
    cr_assert_eq(brolga_code_unit(txn, block, &opts, &unit), BROLGA_EINVAL);
    wrong[1] = (struct brolga_code_function){"g", block->bytes + 1, 0, NULL, 0};
    cr_assert_eq(brolga_code_unit(txn, block, &opts, &unit), BROLGA_EINVAL);
    wrong[1] = (struct brolga_code_function){NULL, 0, 1, NULL, 0};
    cr_assert_eq(brolga_code_unit(txn, block, &opts, &unit), BROLGA_EINVAL);
    wrong[1] = (struct brolga_code_function){"g", block->bytes, 0, NULL, 0};
    cr_assert_eq(brolga_code_unit(txn, block, &opts, &unit), BROLGA_OK);
    cr_assert_eq(brolga_code_unit(txn, block, &opts, &unit), BROLGA_ESTATE);
    brolga_txn_abort(txn);
}

/* --- debuggers ---------------------------------------------------------- */

Test(unit, debuggers_are_shown_it_until_it_is_withdrawn)
{
    struct brolga_code_opts memory = {.debugger = true};
    struct brolga_code_unit_opts opts = named_opts();
    struct brolga_code_block *block;
    brolga_txn *txn;
    brolga_unit *unit = NULL;
    int64_t live;
    int err = BROLGA_ENOMEM;

    code_open(&memory);
    block = sealed(1);
    txn = begun();
    live = brolga__alloc_live();
    for (uint64_t n = 1; err != BROLGA_OK; n++) {
        cr_assert_eq(brolga__debugger_count(), 0);
        cr_assert_eq(brolga__alloc_live(), live);
        brolga__alloc_fail_nth(n);
        err = brolga_code_unit(txn, block, &opts, &unit);
    }
    brolga__alloc_fail_nth(0);
    opts.object = functions; /* Any bytes. */
    opts.object_bytes = 7;
    (void)code_staged(txn, sealed(2), &opts);
    (void)code_staged(txn, sealed(3), &opts);
    cr_assert_eq(brolga__debugger_count(), 3);
    brolga_txn_abort(txn);
    cr_assert_eq(brolga__debugger_count(), 0);
    code_close();
}

static const Elf64_Shdr *section_of(const char *file, unsigned index)
{
    const Elf64_Ehdr *head = (const void *)file;

    cr_assert_lt(index, head->e_shnum);
    return (const Elf64_Shdr *)(const void *)(file + head->e_shoff) + index;
}

Test(unit, the_object_for_debuggers_names_functions_where_they_are)
{
    static const struct brolga__code_name names[] = {{"one", 0x10010, 16},
                                                     {"two", 0x10040, 8}};
    static const char frames[12] = "frames";
    struct brolga__code_object object = {.low = 0x10000,
                                         .bytes = 0x1000,
                                         .function = names,
                                         .count = 2,
                                         .frames = frames,
                                         .frames_bytes = sizeof frames};
    size_t bytes = brolga__plat_code_object(&object, NULL, 0);
    char *file = malloc(bytes + 1);
    const Elf64_Shdr *symbols, *texts;
    const Elf64_Sym *symbol;

    file[bytes] = 'x'; /* Not a byte too many. */
    cr_assert_eq(brolga__plat_code_object(&object, file, bytes), bytes);
    cr_assert_eq(file[bytes], 'x');
    cr_assert_eq(memcmp(file, ELFMAG, SELFMAG), 0);
    cr_assert_eq(section_of(file, 1)->sh_addr, 0x10000);
    cr_assert_eq(section_of(file, 1)->sh_size, 0x1000);
    cr_assert_eq(section_of(file, 2)->sh_addr, (uintptr_t)frames);
    cr_assert_eq(memcmp(file + section_of(file, 2)->sh_offset, frames, 12), 0);
    symbols = section_of(file, 3);
    texts = section_of(file, 4);
    cr_assert_eq(symbols->sh_size, 3 * sizeof *symbol);
    symbol = (const void *)(file + symbols->sh_offset);
    cr_assert_eq(symbol[2].st_value, 0x40);
    cr_assert_eq(symbol[2].st_size, 8);
    cr_assert_str_eq(file + texts->sh_offset + symbol[2].st_name, "two");
    cr_assert_str_eq(file + texts->sh_offset + symbol[1].st_name, "one");
    cr_assert_str_eq(file + texts->sh_offset + section_of(file, 2)->sh_name,
                     ".eh_frame");
    free(file);
}

/* --- profilers ---------------------------------------------------------- */

static size_t read_all(const char *path, char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    size_t got_bytes;

    cr_assert_not_null(file, "%s\n", path);
    got_bytes = fread(bytes, 1, room - 1, file);
    bytes[got_bytes] = '\0';
    fclose(file);
    return got_bytes;
}

/* A block of which a unit was staged with its functions, and aborted. */
static uintptr_t told(const struct brolga_code_unit_opts *opts)
{
    struct brolga_code_block *block = sealed(1);
    uintptr_t run = (uintptr_t)block->run;
    brolga_txn *txn = begun();

    (void)code_staged(txn, block, opts);
    brolga_txn_abort(txn);
    return run;
}

Test(unit, the_map_of_perf_has_a_line_for_each_function)
{
    struct brolga_code_opts memory = {.perf_map = true};
    struct brolga_code_unit_opts opts = named_opts();
    char path[64], text[4096], line[256];
    brolga_code *second;
    uintptr_t first, other;

    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    unlink(path);
    code_open(&memory);
    cr_assert_eq(brolga_code_create(got, &memory, &second), BROLGA_OK);
    cr_assert_eq(brolga_code_destroy(second), BROLGA_OK);
    first = told(&opts);
    opts = (struct brolga_code_unit_opts){.name = "whole"};
    other = told(&opts);
    (void)read_all(path, text, sizeof text);
    snprintf(line, sizeof line,
             "%zx 10 score\n%zx 20 rank?last\n%zx %zx whole\n", (size_t)first,
             (size_t)first + 16, (size_t)other, brolga__plat_page_bytes());
    cr_assert_str_eq(text, line);
    unlink(path);
    code_close();
}

/* A record of the dump, as perf reads it. */
struct load {
    uint32_t kind, bytes;
    uint64_t time_ns;
    uint32_t pid, tid;
    uint64_t vma, address, code_bytes, number;
};

static uint64_t dumped_ns; /* The last one's time. */

/* The record's bytes; they lie as they come, without alignment. */
static size_t check_load(const char *at, uintptr_t address, const char *name,
                         size_t bytes, uint64_t number)
{
    struct load load;
    const char *text = at + sizeof load;

    memcpy(&load, at, sizeof load);
    cr_assert_eq(load.kind, 0);
    cr_assert_eq(load.pid, (uint32_t)getpid());
    cr_assert_eq(load.address, address);
    cr_assert_eq(load.vma, address);
    cr_assert_eq(load.code_bytes, bytes);
    cr_assert_eq(load.number, number);
    cr_assert_str_eq(text, name);
    cr_assert_eq(load.bytes, sizeof load + strlen(name) + 1 + bytes);
    cr_assert_eq(memcmp(text + strlen(name) + 1, jit_constant_code,
                        JIT_CONSTANT_VALUE_AT),
                 0);
    cr_assert_geq(load.time_ns, dumped_ns);
    dumped_ns = load.time_ns;
    return load.bytes;
}

Test(unit, the_dump_for_perf_has_the_code_with_its_time)
{
    struct brolga_code_opts memory = {.jitdump = true};
    struct brolga_code_function function = {"f", 0, sizeof jit_constant_code,
                                            NULL, 0};
    struct brolga_code_unit_opts opts = {.functions = &function,
                                         .function_count = 1};
    static char bytes[4096];
    char folder[] = "/tmp/brolga-dump-XXXXXX", path[128];
    uintptr_t first, second;
    const char *at = bytes + 40;
    uint32_t head[10], end[2];
    size_t used;

    cr_assert_not_null(mkdtemp(folder));
    setenv("JITDUMPDIR", folder, 1);
    snprintf(path, sizeof path, "%s/jit-%ld.dump", folder, (long)getpid());
    code_open(&memory);
    first = told(&opts);
    second = told(&opts);
    code_close();
    used = read_all(path, bytes, sizeof bytes);
    memcpy(head, bytes, sizeof head);
    cr_assert_eq(head[0], 0x4a695444);
    cr_assert_eq(head[1], 1);
    cr_assert_eq(head[2], 40);
    cr_assert_eq(head[3], brolga__plat_machine());
    cr_assert_eq(head[5], (uint32_t)getpid());
    at += check_load(at, first, "f", function.bytes, 0);
    at += check_load(at, second, "f", function.bytes, 1);
    memcpy(end, at, sizeof end);
    cr_assert_eq(end[0], 3);
    cr_assert_eq(at + 16, bytes + used);
    unlink(path);
    rmdir(folder);
}

Test(unit, files_that_cannot_be_written_are_refused_at_once)
{
    struct brolga_code_opts memory = {.jitdump = true, .perf_map = true};
    char path[64];
    int64_t live;

    world_open();
    live = brolga__alloc_live();
    setenv("JITDUMPDIR", "/nowhere/at/all", 1);
    cr_assert_eq(brolga_code_create(got, &memory, &code), BROLGA_EIO);
    cr_assert_eq(brolga__alloc_live(), live);
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    unlink(path);
    cr_assert_eq(symlink("/tmp/brolga-not-ours", path), 0);
    memory.jitdump = false;
    cr_assert_eq(brolga_code_create(got, &memory, &code), BROLGA_EIO);
    cr_assert_neq(access("/tmp/brolga-not-ours", F_OK), 0);
    unlink(path);
    cr_assert_eq(brolga_code_create(got, &memory, &code), BROLGA_OK);
    code_close();
    unlink(path);
}
