/* Code memory's records; nobody else's business: `code` has no door. */
#ifndef BROLGA_SRC_CODE_CODE_H
#define BROLGA_SRC_CODE_CODE_H

#include <brolga/code.h>

#include "got/got.h"
#include "lock.h"
#include "plat.h"

enum brolga__block_state {
    BROLGA__BLOCK_WRITTEN, /* By the host's compiler. */
    BROLGA__BLOCK_SEALED,  /* It can be run. */
    BROLGA__BLOCK_BROKEN,  /* It can be neither. */
    BROLGA__BLOCK_STAGED,  /* It is a unit's. */
    BROLGA__BLOCK_WAITING  /* It was freed; its addresses are not free yet. */
};

/* What a debugger knows of a block; in debugger.c. */
struct brolga__debugger_entry;

struct brolga__block {
    struct brolga_code_block public; /* First: hosts have its address. */
    struct brolga_code *code;
    enum brolga__block_state state;
    size_t first, pages; /* Those of the guard behind it are not counted. */

    /* Of a unit. */
    struct brolga__unit_end end; /* Its withdrawal. */
    void (*release)(void *arg);  /* The host's. */
    void *arg;
    struct brolga_code_function
        *functions; /* One piece of memory with texts. */
    size_t function_count;
    struct brolga__frames frames; /* section NULL: none. */
    size_t frames_bytes;
    struct brolga__debugger_entry *debugger;

    struct brolga_epoch_node node; /* Its last grace period. */
    struct brolga__block *next;    /* In quarantine. */
};

struct brolga_code {
    struct brolga_epoch *epoch;
    struct brolga__stacks *stacks; /* Whom to wake for a grace period. */
    struct brolga_code_opts opts;
    struct brolga__code_range range;
    size_t page;

    struct brolga__lock lock; /* A leaf, for what follows. */
    uint64_t *taken;          /* A bit a page: used, waiting, or a guard. */
    size_t pages, cursor;     /* Where the next search begins. */
    uint32_t blocks;
    size_t used_bytes, waiting_bytes;
    uint64_t allocated;
    size_t quarantined_bytes;
    struct brolga__block *quarantine, *quarantine_last; /* Oldest first. */
};

static inline struct brolga__block *
brolga__block_of(struct brolga_code_block *block)
{
    return brolga__container_of(block, struct brolga__block, public);
}

/* --- memory.c ----------------------------------------------------------- */

/* Ends a block of any state. */
void brolga__block_free(struct brolga__block *block);

/* --- frames.c ----------------------------------------------------------- */

/* Whether these bytes are frame descriptions in order, with their end: what
 * unwinders do not check. */
bool brolga__frames_valid(const void *section, size_t bytes);

/* Calls back with each description; false as soon as that is. */
bool brolga__frames_each(const void *section,
                         bool (*visit)(void *arg, const void *fde), void *arg);

/* --- debugger.c --------------------------------------------------------- */

/* Shows a block to debuggers, with an object file of the host's or, if that is
 * NULL, one that is made. BROLGA_OK or BROLGA_ENOMEM. */
int brolga__debugger_add(struct brolga__block *block, const void *object,
                         size_t bytes);
/* Nothing for a block that is not shown. */
void brolga__debugger_remove(struct brolga__block *block);
/* How many blocks are shown, of all code memories. */
size_t brolga__debugger_count(void);

/* --- profiler.c --------------------------------------------------------- */

/* Files of profilers are the process's; they are open as long as somebody has
 * asked for them. BROLGA_OK, BROLGA_EIO. */
int brolga__profiler_open(const struct brolga_code_opts *opts);
void brolga__profiler_close(const struct brolga_code_opts *opts);

/* Writes a block's functions down. BROLGA_OK or BROLGA_EIO. */
int brolga__profiler_add(const struct brolga__block *block, const char *name);

#endif
