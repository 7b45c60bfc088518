/*
 * Debuggers: a list of object files in memory, by the interface of GDB that all
 * of them have. A debugger finds the two names below, which must be these, and
 * stops the process whenever the function is called, to read the list. It looks
 * at the one entry that is named only, so each entry takes a call of its own.
 *
 * They are static, so that a program may have others of the same names, such as
 * those of LLVM: a debugger looks at each file's own.
 */
#include "code/code.h"

#include "alloc.h"

#include <string.h>

/* --- what a debugger looks for ------------------------------------------ */

enum { ACTION_NONE, ACTION_ADDED, ACTION_REMOVED };

struct brolga__debugger_entry {
    struct brolga__debugger_entry *next, *prev;
    const void *object;
    uint64_t bytes;
    char copy[];
};

__attribute__((used)) static struct {
    uint32_t version;
    uint32_t action;
    struct brolga__debugger_entry *relevant, *first;
} __jit_debug_descriptor = {.version = 1};

__attribute__((used, noinline)) static void __jit_debug_register_code(void)
{
    __asm__ __volatile__("" : : "r"(&__jit_debug_descriptor) : "memory");
}

/* --- the list ----------------------------------------------------------- */

/* A debugger may take milliseconds with the list. Leaf. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

static void tell(struct brolga__debugger_entry *entry, uint32_t action)
{
    __jit_debug_descriptor.relevant = entry;
    __jit_debug_descriptor.action = action;
    __jit_debug_register_code();
    __jit_debug_descriptor.relevant = NULL;
    __jit_debug_descriptor.action = ACTION_NONE;
}

static void add(struct brolga__debugger_entry *entry)
{
    (void)pthread_mutex_lock(&list_lock);
    entry->next = __jit_debug_descriptor.first;
    if (entry->next != NULL)
        entry->next->prev = entry;
    __jit_debug_descriptor.first = entry;
    tell(entry, ACTION_ADDED);
    (void)pthread_mutex_unlock(&list_lock);
}

static void remove_entry(struct brolga__debugger_entry *entry)
{
    (void)pthread_mutex_lock(&list_lock);
    if (entry->next != NULL)
        entry->next->prev = entry->prev;
    if (entry->prev != NULL)
        entry->prev->next = entry->next;
    else
        __jit_debug_descriptor.first = entry->next;
    tell(entry, ACTION_REMOVED);
    (void)pthread_mutex_unlock(&list_lock);
}

/* --- object files ------------------------------------------------------- */

static struct brolga__debugger_entry *new_entry(size_t bytes)
{
    struct brolga__debugger_entry *entry =
        brolga__alloc_zero(sizeof *entry + bytes);

    if (entry != NULL) {
        entry->object = entry->copy;
        entry->bytes = bytes;
    }
    return entry;
}

static struct brolga__debugger_entry *
make_entry(const struct brolga__block *block, struct brolga__code_name *names)
{
    struct brolga__code_object object = {.low = (uintptr_t)block->public.run,
                                         .bytes = block->public.bytes,
                                         .function = names,
                                         .count = block->function_count,
                                         .frames = block->frames.section,
                                         .frames_bytes = block->frames_bytes};
    struct brolga__debugger_entry *entry;

    for (size_t i = 0; i < block->function_count; i++)
        names[i] = (struct brolga__code_name){
            block->functions[i].name, object.low + block->functions[i].offset,
            block->functions[i].bytes};
    entry = new_entry(brolga__plat_code_object(&object, NULL, 0));
    if (entry != NULL)
        (void)brolga__plat_code_object(&object, entry->copy, entry->bytes);
    return entry;
}

static struct brolga__debugger_entry *
entry_of_names(const struct brolga__block *block)
{
    struct brolga__code_name *names =
        brolga__alloc((block->function_count + 1) * sizeof *names);
    struct brolga__debugger_entry *entry = NULL;

    if (names != NULL)
        entry = make_entry(block, names);
    brolga__free(names);
    return entry;
}

static struct brolga__debugger_entry *entry_of_object(const void *object,
                                                      size_t bytes)
{
    struct brolga__debugger_entry *entry = new_entry(bytes);

    if (entry != NULL)
        memcpy(entry->copy, object, bytes);
    return entry;
}

int brolga__debugger_add(struct brolga__block *block, const void *object,
                         size_t bytes)
{
    block->debugger =
        object != NULL ? entry_of_object(object, bytes) : entry_of_names(block);
    if (block->debugger == NULL)
        return BROLGA_ENOMEM;
    add(block->debugger);
    return BROLGA_OK;
}

void brolga__debugger_remove(struct brolga__block *block)
{
    if (block->debugger == NULL)
        return;
    remove_entry(block->debugger);
    brolga__free(block->debugger);
    block->debugger = NULL;
}

size_t brolga__debugger_count(void)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&list_lock);
    for (const struct brolga__debugger_entry *at = __jit_debug_descriptor.first;
         at != NULL; at = at->next)
        count++;
    (void)pthread_mutex_unlock(&list_lock);
    return count;
}
