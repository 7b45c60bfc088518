/*
 * The GOT's door for other layers, and its records.
 *
 * Lock: `got->lock` guards slots, modules, units, the list of versions and the
 * cells. It is held for table-sized work, never while waiting for a task; of
 * the host's functions only `compatible` is called under it. The epoch's locks
 * nest inside it.
 */
#ifndef BROLGA_SRC_GOT_GOT_H
#define BROLGA_SRC_GOT_GOT_H

#include <brolga/got.h>

#include "arch.h"
#include "atomic.h"
#include "base.h"
#include "epoch/epoch.h"
#include "list.h"

#include <pthread.h>

/* One GOT as a task sees it: immutable once published. */
struct brolga__version {
    uint64_t number;
    uint64_t published_ns;
    /* Tasks that stay in this version across safepoints; see view.c. */
    _Atomic uint64_t holds;
    /* A round has begun since it was published: polls notice it. */
    _Atomic bool announced;
    uint64_t replaced_round; /* 0 while current; passed = nobody can enter. */
    uint64_t replaced_ns;
    struct brolga__list link; /* got->versions, oldest first. */
    uint32_t capacity;
    uint32_t used;       /* Entries from here on are all without code. */
    const void *slots[]; /* Index = slot number; [0] is never used. */
};

struct brolga__module;

/* A slot's identity and what the newest version maps it to. */
struct brolga__slot {
    brolga_slot number;
    struct brolga__module *module;
    char *symbol;
    char *signature;
    const void *code;          /* NULL: not defined. */
    struct brolga_unit *owner; /* Whose code it is. */
    bool removed;              /* Only units that imported it still use it. */
    uint64_t removed_at;       /* The version that has it no more. */
    uint32_t runners; /* Tasks that call it by number, again and again. */
    uint32_t refs;    /* See slot.c. */
    uint32_t past;    /* Of these, those of kept pasts. */
    uint32_t staged;  /* Scratch of check.c: definition + 1. */
    bool doomed;      /* Scratch of check.c: would be removed. */
    uint32_t cell;    /* Index in the module's cells, or NO_CELL. */
    struct brolga__slot
        *sibling;             /* The same symbol, other signature; a circle. */
    struct brolga__list link; /* module->slots */
};
#define BROLGA__NO_CELL UINT32_MAX

struct brolga_cells {
    struct brolga_got *got;
    const void **base;
    uint32_t count;
    bool owned;     /* `base` is ours to free. */
    uint8_t *taken; /* One byte a cell. */
};

struct brolga__module {
    char *name;
    struct brolga__list slots;
    struct brolga__list link; /* got->modules */
    struct brolga_cells *cells;
    uint32_t staged; /* Those who have entered it: transactions. */
};

/*
 * A unit's life:
 *
 *   STAGED --commit--> LIVE --its last slot goes--> RETIRED or KEPT
 *   RETIRED --no version maps it, no pin--> SUSPECT --stacks clean--> CLEAN
 *   CLEAN --registrations withdrawn--one more grace period--> released
 *   SUSPECT or CLEAN --pinned meanwhile--> RETIRED
 *   RETIRED or KEPT --a version is restored--> LIVE
 *
 * Moved by brolga__unit_set_state() only.
 */
enum brolga__unit_state {
    BROLGA__UNIT_STAGED,
    BROLGA__UNIT_LIVE,
    BROLGA__UNIT_RETIRED,
    BROLGA__UNIT_SUSPECT,
    BROLGA__UNIT_CLEAN,
    BROLGA__UNIT_KEPT,
    BROLGA__UNIT_GONE
};

/* What a pin is for, if it is not the host's own. */
enum brolga__pin {
    BROLGA__PIN_CLOSURE,
    BROLGA__PIN_CALLBACK, /* A function to be called: a task's that has not
                             begun, a handler, blocking work. */
    BROLGA__PINS_FOR
};

/* What a layer above, or the host, has for a unit until nobody can run in it
 * any more. */
struct brolga__unit_end {
    struct brolga__unit_end *next;
    void (*fn)(struct brolga__unit_end *end);
};

struct brolga_unit {
    struct brolga_got *got;
    char *name;
    uintptr_t low, high; /* Text: [low, high). */
    enum brolga_policy policy;
    void (*release)(void *arg);
    void (*describe)(void *arg, const void *address, char *text, size_t bytes);
    void *arg;
    struct brolga__unit_end *ends; /* got->lock */
    struct brolga_pin *named;      /* Pins with a reason. got->lock */

    enum brolga__unit_state state;
    struct brolga__list link; /* txn->units, or got->live, retired or kept. */
    struct brolga__list all;  /* got->units */
    struct brolga__slot **imports;
    uint32_t import_count, import_capacity;
    uint32_t owned_slots;  /* Whose owner it is, removed ones too. */
    uint32_t live_slots;   /* Of these, the ones that are not removed. */
    uint32_t doomed_slots; /* Scratch of check.c: those a commit takes away. */
    uint32_t past;         /* Entries of kept pasts that lead to it. */
    bool leaves;           /* Scratch of a barrier: out of force after it. */

    uint64_t first_version, last_version;
    uint64_t retired_ns;
    uint64_t dead_stamp; /* Clean watermarks are at least this; reclaim.c. */
    uint64_t pins_at_death;
    uint64_t final_round; /* Of one that is withdrawn. */
    bool withdrawn;       /* CLEAN, and its ends have been called. */
    uint32_t suspect;     /* Its index in the set, while it is a suspect. */

    /* In got->ranges; written under got->lock, `ranges_next` read without. */
    struct brolga_unit *_Atomic ranges_next;
    struct brolga_unit *ranges_prev;

    /* Low half: pins now. High half: pins ever made, modulo 2^32. One word, so
     * that the reclaimer reads both at one moment. */
    _Atomic uint64_t pins;
    /* Of these, those for a purpose that we know; for reports. */
    _Atomic uint32_t pins_for[BROLGA__PINS_FOR];
};
#define BROLGA__PIN_MADE  (UINT64_C(1) << 32)
#define BROLGA__PINS_MASK (BROLGA__PIN_MADE - 1)

struct brolga__range {
    uintptr_t low, high;
    uint64_t dead_stamp;
};

/* What stacks are searched for: immutable, freed through the epoch. */
struct brolga__suspects {
    struct brolga_epoch_node node;
    uint64_t generation; /* Grows with each set that is published. */
    uint64_t stamp;      /* A stack clean of all these has this watermark. */
    uintptr_t low, high; /* Around all ranges: a quick no. */
    uint32_t count;
    bool overlap; /* Two ranges share an address: a host staged code twice. */
    struct brolga__range range[]; /* By address. */
};

/* What searches of one stack have found: each suspect once, with the first
 * address in it. */
#define BROLGA__FOUND_MAX 6
struct brolga__found {
    uint32_t count;
    bool more; /* There were others: the stack counts as holding all. */
    uint32_t suspect[BROLGA__FOUND_MAX];
    uintptr_t address[BROLGA__FOUND_MAX]; /* The first word that holds it. */
};

/* What is to be done in a task. */
struct brolga__errand {
    const char *name;
    brolga_word (*fn)(void *arg);
    void (*at_end)(void *arg); /* However it comes; it must not park. */
    void *arg;
    uint64_t timeout_ns;
    bool past_gate;
    bool still;
};

/* How the reclaimer asks the layer above for stacks. */
struct brolga__stacks {
    /*
     * Looks at every stack whose watermark is below `set->stamp`, as far as it
     * can now. Calls the two reporters below for what it finds.
     */
    void (*look)(void *arg, const struct brolga__suspects *set);
    /* After a version has been adopted by all or a unit released. */
    void (*event)(void *arg, const char *unit, uint64_t version,
                  uint64_t after_ns);
    /* There is something to reclaim: wake the reclaimer. */
    void (*notify)(void *arg);
    /* The calling thread will wait for all members to stand, or does so no
     * more: it is not to be one that runs. */
    void (*wait_begin)(void *arg);
    void (*wait_end)(void *arg);
    /* Says in the report who does not stand at the gate. */
    void (*blame)(void *arg, struct brolga_report *report);
    /* All stand: looks for a task that will go on in a unit that `leaves`, and
     * says in the report who it is. */
    bool (*stays)(void *arg, struct brolga_report *report);
    /*
     * Calls fn(fn_arg) in a task of its own and waits for its end, between
     * wait_begin() and wait_end(). `past_gate`: it runs though the gate is
     * closed; `still`: it stays in the version that it begins in. BROLGA_OK;
     * EFAILED and a message; ETIMEOUT: it has been canceled, and runs on;
     * others: it was not called.
     */
    int (*run)(void *arg, const struct brolga__errand *errand, char *message,
               size_t bytes);
    void *arg;
};

struct brolga_got {
    /* Written by commits, read by every adoption. */
    _Alignas(BROLGA__CACHE_LINE) struct brolga__version *_Atomic current;
    /* Watermarks are drawn from it; grows when a unit becomes suspect. */
    _Atomic uint64_t stamp;
    /* What stacks are searched for now; NULL: nothing. */
    struct brolga__suspects *_Atomic suspects;
    /* Around the text of every unit there ever was: a quick no. */
    _Atomic uintptr_t lowest, highest;
    /* The units whose code may run: a list to read without a lock. */
    struct brolga_unit *_Atomic ranges;

    _Alignas(BROLGA__CACHE_LINE) pthread_mutex_t lock;
    struct brolga_epoch *epoch;
    struct brolga_got_opts opts;
    struct brolga__stacks stacks;

    struct brolga__slot **slots; /* By number. */
    uint32_t slot_capacity;
    uint32_t slot_end; /* All numbers in use are below it. */
    uint32_t slots_used;
    brolga_slot *free_slots; /* A stack of recycled numbers. */
    uint32_t free_count, free_capacity;
    struct brolga__list modules;
    struct brolga__slot_index *index; /* (module, symbol) -> slots; slot.c */

    struct brolga__list versions; /* All live ones, oldest first. */
    uint32_t version_count;
    struct brolga__version *spare[4]; /* Tables to use again. */
    uint64_t adopted; /* The newest version that all tasks have adopted. */

    struct brolga__list live, retired, kept; /* Units. */
    struct brolga__list units;               /* All of them, staged ones too. */
    _Atomic uint64_t units_made;             /* How many there ever were. */
    size_t retired_bytes;
    uint64_t commits, reclaimed, generation;
    uint64_t dice;             /* For opts.stress_abort. */
    struct brolga__list pasts; /* The last commits, oldest first; past.c */
    uint32_t past_count;

    pthread_mutex_t barrier_lock; /* One barrier at a time; reclaim_lock and
                                     `lock` nest in it. */
    pthread_mutex_t reclaim_lock; /* One reclaimer; `lock` nests in it. */
    bool *held; /* Scratch of one step: which suspects a stack holds. */
    uint32_t held_capacity;
    uint64_t unseen; /* Scratch of one step: the lowest watermark of a stack
                        that was not seen. */
    uint64_t unseen_count; /* How many there are. */
    uint64_t next_look_ns;      /* At stacks, for who does so sparingly. */
    _Atomic uint64_t oldest_ns; /* Since when something is old. */
};

/* --- what other layers do behind the gate (hooks.c) ---------------------- */

/*
 * Called by the committer, with no lock held, while all stand, and nobody is
 * left in code that the commit takes out of force: it waits for those, too.
 */
struct brolga__behind {
    /* Before any migration. BROLGA_OK, or BROLGA_EREFUSED and the report. */
    int (*prepare)(void *arg, struct brolga_report *report);
    /* The version has been published, and nobody is in it yet. */
    void (*published)(void *arg);
};

/* brolga_txn_hook() with that for the same `arg`, which stays as long. Then the
 * transaction can be committed by a barrier only. */
int brolga__txn_hook_behind(struct brolga_txn *txn,
                            const struct brolga_hooks *hooks,
                            const struct brolga__behind *behind);

/* --- views (view.c) ----------------------------------------------------- */

/* The calling thread's view is set by brolga__view_set_self(), arch.h. */

/* Moves a view to the current version. Returns whether it moved. */
bool brolga__view_adopt(struct brolga_got *got, struct brolga_view *view,
                        struct brolga__version **version);

/* Keeps a version that a task stays in while others move on. To be called
 * before the task's member announces the round that replaced it. */
void brolga__version_hold(struct brolga__version *version);
void brolga__version_unhold(struct brolga__version *version);

/* --- versions (version.c) ----------------------------------------------- */

struct brolga__version *brolga__version_take(struct brolga_got *got,
                                             uint32_t slots);
void brolga__version_put(struct brolga_got *got,
                         struct brolga__version *version);
/* What a call through a slot without code reaches. */
const void *brolga__version_missing(void);
/* Whether a version in [first, last] is alive. */
bool brolga__version_any(struct brolga_got *got, uint64_t first, uint64_t last);
/* Whether a task stays in some version, the current one too. */
bool brolga__versions_held(struct brolga_got *got);
/* Frees the versions that nobody can name; returns whether some are left. */
bool brolga__versions_reclaim(struct brolga_got *got);

/* --- slots (slot.c); all under got->lock -------------------------------- */

int brolga__slots_init(struct brolga_got *got);
void brolga__slots_destroy(struct brolga_got *got);
struct brolga__module *brolga__module_find(struct brolga_got *got,
                                           const char *name);
int brolga__module_get(struct brolga_got *got, const char *name,
                       struct brolga__module **out);
/* Frees a module that nothing refers to. */
void brolga__module_prune(struct brolga__module *module);
/* The slot of exactly this identity, or NULL. */
struct brolga__slot *brolga__slot_exact(struct brolga_got *got,
                                        struct brolga__module *module,
                                        const char *symbol,
                                        const char *signature);
/* Some slot of a symbol, or NULL; the others are its siblings. */
struct brolga__slot *brolga__slot_any(struct brolga_got *got,
                                      struct brolga__module *module,
                                      const char *symbol);
/* Finds or makes a slot and takes a reference. */
int brolga__slot_ref(struct brolga_got *got, struct brolga__module *module,
                     const char *symbol, const char *signature,
                     struct brolga__slot **out);
/* A task will call the slot by its number until it leaves: the number, and the
 * code behind it, stay. BROLGA_ENOENT unless the slot is defined now. Both take
 * got->lock themselves. */
int brolga__slot_enter(struct brolga_got *got, brolga_slot number);
void brolga__slot_leave(struct brolga_got *got, brolga_slot number);
/* The code behind it goes, or nobody can call it: it leads nowhere. */
void brolga__slot_disown(struct brolga_got *got, struct brolga__slot *slot);
/* Drops a reference; the last one recycles the number. */
void brolga__slot_unref(struct brolga_got *got, struct brolga__slot *slot);

/* --- cells (cells.c); under got->lock ----------------------------------- */

/* The slot's cell, if it has one, leads to no code any more. */
void brolga__cell_clear(struct brolga__slot *slot);

/* --- units (unit.c) ----------------------------------------------------- */

void brolga__unit_set_state(struct brolga_unit *unit,
                            enum brolga__unit_state state);
int brolga__unit_create(struct brolga_got *got,
                        const struct brolga_unit_opts *opts,
                        struct brolga_unit **out);
/* Takes over one reference to the slot. */
int brolga__unit_add_import(struct brolga_unit *unit,
                            struct brolga__slot *slot);
bool brolga__unit_imports(const struct brolga_unit *unit,
                          const struct brolga__slot *slot);
/* Unlinks a unit and gives up all it refers to; under got->lock. */
void brolga__unit_unlink(struct brolga_unit *unit);
/* Has `end->fn` called before the unit's last grace period, or by an abort,
 * the newest first; takes got->lock. */
void brolga__unit_at_end(struct brolga_unit *unit,
                         struct brolga__unit_end *end);
/* Calls its ends; takes got->lock for the list only. */
void brolga__unit_withdraw(struct brolga_unit *unit);
/* Calls its ends and its release, and frees the record; under no lock. */
void brolga__unit_free(struct brolga_unit *unit);
/* The newest version maps nothing to it any more; under got->lock. */
void brolga__unit_retire(struct brolga_unit *unit, uint64_t last_version);
/* It is mapped again; nothing for one that is live. Under got->lock. */
void brolga__unit_revive(struct brolga_unit *unit);
/* The reason of one of its named pins, the newest first; false behind the last
 * one. The unit cannot go away meanwhile. */
bool brolga__unit_pin_reason(struct brolga_unit *unit, size_t index, char *text,
                             size_t bytes);
/* Names the function at an address of its text, or writes "". The unit cannot
 * go away meanwhile. */
void brolga__unit_describe(const struct brolga_unit *unit, uintptr_t address,
                           char *text, size_t bytes);

/* brolga_unit_pin() and _unpin() with a purpose. */
void brolga__unit_pin_for(struct brolga_unit *unit, enum brolga__pin purpose);
void brolga__unit_unpin_for(struct brolga_unit *unit, enum brolga__pin purpose);
/* For one that is pinned already. */
void brolga__unit_pin_is_for(struct brolga_unit *unit,
                             enum brolga__pin purpose);

/* --- ranges (ranges.c) -------------------------------------------------- */

/* The unit's code may run from now on, or cannot any more; under got->lock.
 * What is removed is freed after a grace period only. */
void brolga__ranges_add(struct brolga_unit *unit);
void brolga__ranges_remove(struct brolga_unit *unit);
/* The unit that an address lies in, or NULL: live, kept, or retired and not
 * yet proven clean. Takes no lock and calls nothing, so that a signal handler
 * may use it. The caller is an online member of the epoch; the unit's record is
 * valid until it quiesces, and longer if it pins the unit before. */
struct brolga_unit *brolga__ranges_find(struct brolga_got *got,
                                        uintptr_t address);
/* The same, and pins it: brolga_got_pin_address() without a lock. The caller's
 * member is online. */
struct brolga_unit *brolga__ranges_pin(struct brolga_got *got,
                                       uintptr_t address);

/* --- suspects (suspects.c) ---------------------------------------------- */

/* Publishes the set of units in state SUSPECT; under got->lock. */
int brolga__suspects_publish(struct brolga_got *got);

/* The set to search stacks for, or NULL. The caller is an online member of the
 * epoch, or the reclaimer; the set is valid until it quiesces. */
static inline const struct brolga__suspects *
brolga__suspects_current(struct brolga_got *got)
{
    return brolga__load_acquire(&got->suspects); /* G: publish */
}

/* The ranges of all units that there are, staged ones too, as a set to search
 * for; its generation is got->units_made at that time. NULL: no memory. */
struct brolga__suspects *brolga__suspects_all(struct brolga_got *got);

/* Searches the words of [low, high) and adds the suspects that they lie in. */
void brolga__suspects_scan(const struct brolga__suspects *set, uintptr_t low,
                           uintptr_t high, struct brolga__found *found);

/* --- the reclaimer (reclaim.c) ------------------------------------------ */

/* One bounded step. Returns whether something waits to be reclaimed. */
bool brolga__got_reclaim(struct brolga_got *got);
/* The same for who takes many: looks at stacks only as often as is cheap. */
bool brolga__got_reclaim_sparingly(struct brolga_got *got);

/* A stack holds what was found on it. Called by look(). */
void brolga__reclaim_held(struct brolga_got *got,
                          const struct brolga__suspects *set,
                          const struct brolga__found *found);

/* A stack with this watermark could not be looked at now. By look(). */
void brolga__reclaim_unseen(struct brolga_got *got, uint64_t watermark);

/* A fresh watermark for a stack without frames of units. */
static inline uint64_t brolga__got_stamp(struct brolga_got *got)
{
    return brolga__load_acquire(&got->stamp); /* H: add in reclaim.c */
}

/* Keeps the reclaimer out, so that no unit goes away; for reports. */
void brolga__reclaim_pause(struct brolga_got *got);
void brolga__reclaim_resume(struct brolga_got *got);

/* Visits the retired RECLAIM units that are not there for history's sake,
 * under got->lock. */
void brolga__units_retired_each(struct brolga_got *got,
                                void (*visit)(void *arg,
                                              struct brolga_unit *unit,
                                              bool version_alive),
                                void *arg);
/* Visits the versions that were replaced and map none of those units, under
 * got->lock. */
void brolga__versions_old_each(struct brolga_got *got,
                               void (*visit)(void *arg,
                                             const struct brolga__version *old),
                               void *arg);
/* Visits the units that can call into one through a slot that is gone, and
 * says how many tasks call one by number; under got->lock. */
uint32_t brolga__unit_callers(struct brolga_unit *unit,
                              void (*visit)(void *arg,
                                            const struct brolga_unit *caller),
                              void *arg);
/* Since when there is something old; UINT64_MAX: there is nothing. As of the
 * last step of the reclaimer. */
uint64_t brolga__got_oldest_ns(struct brolga_got *got);

#endif
