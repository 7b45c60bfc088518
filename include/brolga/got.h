/*
 * GOT: slots, units, versions, and the transactions that publish them.
 *
 * A *slot* is identified by (module, symbol, signature) and has a number that
 * stays the same for as long as anything uses it. A *version* is an immutable
 * table from slot number to code address. A *unit* is one loaded blob of code.
 * A *transaction* stages units and definitions of any number of modules,
 * checks them, and publishes them all as the next version with one store.
 *
 * Compiled code calls in one of two ways, and a GOT serves both at once:
 *
 *   snapshot  load the task's view; call view->slots[slot].
 *   cells     call through a cell at a fixed address (struct brolga_cells):
 *             for compilers that embed the address. A commit stores each
 *             changed cell with release order, so that the old or the new
 *             function is called, never a mixture; but two calls may straddle
 *             a commit, unless it is one that waits for all tasks to stand at
 *             a safepoint (brolga_txn_commit_barrier()).
 */
#ifndef BROLGA_GOT_H
#define BROLGA_GOT_H

#include <brolga/arch.h>
#include <brolga/base.h>
#include <brolga/epoch.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct brolga_got brolga_got;
typedef struct brolga_unit brolga_unit;
typedef struct brolga_txn brolga_txn;
typedef struct brolga_cells brolga_cells;
typedef struct brolga_pin brolga_pin;

/** The number of a slot; 0 is no slot. */
typedef uint32_t brolga_slot;

/**
 * The head of a task's control block: what compiled code may read. The layout
 * is part of the ABI; a JIT keeps the address in a pinned register.
 */
struct brolga_view {
    const void *const *slots; /* Code addresses of the task's version. */
    uint64_t seen;            /* The round that the last safepoint saw. */
    const uint64_t *round;    /* The current round. */
};

/**
 * Whether the task must enter brolga_safepoint_slow(): two loads and a branch,
 * no store. True after a commit, when the task's time is up, or when the
 * reclaimer asks.
 */
static inline bool brolga_view_stale(const struct brolga_view *view)
{
    return __builtin_expect(__atomic_load_n(&view->seen, __ATOMIC_RELAXED) !=
                                __atomic_load_n(view->round, __ATOMIC_RELAXED),
                            0);
}

/** What becomes of a unit that no version uses any more. */
enum brolga_policy {
    BROLGA_KEEP,   /* Keep it for ever: data, literals may be pointed to. */
    BROLGA_RECLAIM /* Release it once it is proven that nothing runs in it. */
};

/** The answer to: may a definition with another signature use this slot? */
enum brolga_compat {
    BROLGA_COMPAT_FRESH, /* A new slot beside the old one (the default). */
    BROLGA_COMPAT_PATCH, /* The same slot: old callers call the new code. */
    BROLGA_COMPAT_REFUSE /* The transaction is refused. */
};

struct brolga_got_opts {
    /* Most slots at a time; 0 = 65,536. */
    uint32_t slots_max;
    /* Cap on live versions: commits beyond it are refused with
     * BROLGA_REFUSED_LIMIT until old ones are gone; 0 = 8, else at least 2. */
    uint32_t versions_max;
    /* Cap on the bytes of retired RECLAIM units; 0 = 64 MiB. */
    size_t retired_bytes_max;
    /* How many versions before the current one can be restored: their units
     * are kept for that, and count in no cap; 0 = none. */
    uint32_t history;
    /* One in so many commits is refused with BROLGA_REFUSED_STRESS, at some
     * point of it; 0 = none. `stress_seed` says which. */
    uint32_t stress_abort;
    uint64_t stress_seed;
    /* Compares signatures that are not equal; NULL = BROLGA_COMPAT_FRESH.
     * Called under a lock: it must not call Brolga. */
    enum brolga_compat (*compatible)(void *arg, const char *module,
                                     const char *symbol, const char *old_sig,
                                     const char *new_sig);
    void *arg;
};

/** Why a transaction was refused. */
enum brolga_refusal {
    BROLGA_REFUSED_NOT,       /* It was not. */
    BROLGA_REFUSED_DUPLICATE, /* A symbol is defined twice in it. */
    BROLGA_REFUSED_IMPORT,    /* An import names a symbol that is missing. */
    BROLGA_REFUSED_SIGNATURE, /* An import has another signature. */
    BROLGA_REFUSED_IMPORTERS, /* A slot would change or go that live units
                                  import: rebuild these with it. */
    BROLGA_REFUSED_COMPAT,    /* The host's callback said so. */
    BROLGA_REFUSED_LIMIT,     /* Too many slots, live versions or bytes. */
    BROLGA_REFUSED_MEMORY,    /* Out of memory. */
    BROLGA_REFUSED_BARRIER,   /* A task did not come to a safepoint in time. */
    BROLGA_REFUSED_HISTORY,   /* The version to restore is not kept. */
    BROLGA_REFUSED_LOAD,      /* A built file cannot be loaded, or is no module
                                 (reload.h). */
    BROLGA_REFUSED_HEADER,    /* Another user of a changed header is not in
                                 order (reload.h). */
    BROLGA_REFUSED_VETO,      /* A before hook said no. */
    BROLGA_REFUSED_HOOK,      /* A hook has failed, or not ended in time. */
    BROLGA_REFUSED_STATE,     /* State has another layout, and there is no
                                 migration (reload.h). */
    BROLGA_REFUSED_MESSAGES,  /* Messages have another type, and cannot be
                                 converted (retype.h). */
    BROLGA_REFUSED_STRESS     /* For no reason, as a stress switch demands: try
                                 again. */
};

/** What does not fit with what, for programs; cut where it is too long. Empty
 * where it does not apply. */
struct brolga_conflict {
    char importer[48];  /* A unit's name; "" for a task that runs the slot. */
    char where[64];     /* The import's place, if it was said. */
    char module[48];    /* What is imported, or defined twice. */
    char symbol[64];    /* */
    char signature[96]; /* */
    char defined[96];   /* The signature that it has instead. */
};
#define BROLGA_CONFLICTS_MAX 8

/** What a commit did, or why it did not. */
struct brolga_report {
    enum brolga_refusal refusal;
    uint64_t version;   /* Published, or still current. */
    uint64_t commit_ns; /* Time spent in the commit. */
    char text[1024];    /* For a person; "" on success. */
    /* Of a barrier: how long it took until all stood, tries that failed
     * included, and how long they stood in the last one. */
    uint64_t waited_ns, stood_ns;
    /* For BROLGA_REFUSED_BARRIER, of the first that did not come: its number
     * (0: no task), its name, and the function on its stack that keeps it in
     * its version, if that is why. */
    uint64_t task;
    char task_name[32];
    char function[64];
    /* For BROLGA_REFUSED_VETO and _HOOK: whose hook. */
    char hook[48];
    /* After a commit: what has failed in an after hook; "" if nothing has. */
    char after[256];
    /* How many do not fit, and the first of them. */
    uint32_t conflicts;
    struct brolga_conflict conflict[BROLGA_CONFLICTS_MAX];
};

/** A word for a refusal: "importers", "signature", ...; "" for none. */
BROLGA_API const char *brolga_refusal_name(enum brolga_refusal refusal);

/**
 * Write a report as a JSON object: refusal (a word, or null), version, text,
 * and those of commit_ns, waited_ns, stood_ns, task, task_name, function, hook,
 * after and conflicts that are not empty. Valid UTF-8 if what it was made from
 * is.
 *
 * Threads:  any.
 * Returns:  the length of the whole, which may not have fitted; `text` ends
 *           with a NUL if `bytes` is not 0.
 */
BROLGA_API size_t brolga_report_json(const struct brolga_report *report,
                                     char *text, size_t bytes);

/**
 * Create a GOT whose readers are the members of `epoch`.
 *
 * Owns:     `*out` belongs to the caller; `epoch` must outlive it.
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_got_create(brolga_epoch *epoch, const struct brolga_got_opts *opts,
                  brolga_got **out);

/**
 * Release every unit, kept ones too, and free the GOT.
 *
 * Threads:  one, when no task and no transaction is left.
 */
BROLGA_API void brolga_got_destroy(brolga_got *got);

/** The number of the current version; the first, empty one is 1. */
BROLGA_API uint64_t brolga_got_version(brolga_got *got);

/**
 * Find a slot that the current version defines.
 *
 * `signature` may be NULL: any one, if there is only one.
 *
 * Threads:  any.
 * Blocks:   for a short lock shared with transactions.
 * Returns:  BROLGA_OK, or BROLGA_ENOENT.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_got_find(brolga_got *got, const char *module, const char *symbol,
                const char *signature, brolga_slot *out);

/** How much is alive now. */
struct brolga_got_stats {
    uint64_t version;         /* The current one. */
    uint32_t versions_live;   /* Including the current one. */
    uint32_t slots;           /* In use. */
    uint32_t units_live;      /* That the current version uses. */
    uint32_t units_retired;   /* Waiting to be reclaimed. */
    uint32_t units_kept;      /* Out of use but KEEP. */
    size_t retired_bytes;     /* Text bytes of the retired ones. */
    uint64_t oldest_version;  /* That can be restored; or the current one. */
    uint64_t commits;         /* Since creation. */
    uint64_t units_reclaimed; /* Since creation. */
};
BROLGA_API void brolga_got_stats(brolga_got *got, struct brolga_got_stats *out);

/** A caller of code that is not in force any more: see
 * brolga_txn_allow_stale(). */
struct brolga_stale {
    const char *importer; /* The unit's name; NULL: tasks, by number. */
    uint32_t tasks;       /* That call the slot again and again. */
    const char *module, *symbol, *signature; /* What they call. */
    uint64_t since_version;                  /* That has it no more. */
};

/**
 * Visit every import of a slot that has been changed or removed, of units that
 * live, or are being reclaimed, and the tasks that run one. When the last of a
 * slot's importers is gone, so is the slot.
 *
 * Threads:  any; `visit` must not call Brolga.
 * Blocks:   for a lock shared with commits.
 * Returns:  how many there were.
 */
BROLGA_API size_t brolga_got_stale(brolga_got *got,
                                   void (*visit)(void *arg,
                                                 const struct brolga_stale *),
                                   void *arg);

/* --- transactions ------------------------------------------------------- */

/**
 * Begin a transaction. Several may be prepared at the same time; commits
 * happen one after the other.
 *
 * Owns:     `*out` ends with brolga_txn_commit() or brolga_txn_abort().
 * Threads:  a transaction is used by one thread at a time.
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int brolga_txn_begin(brolga_got *got,
                                                 brolga_txn **out);

struct brolga_unit_opts {
    const char *name; /* For reports; copied. */
    const void *text; /* The code: what a stack may hold. */
    size_t text_bytes;
    enum brolga_policy policy;
    void (*release)(void *arg); /* Frees it; called once, by the reclaimer or
                                   an abort; must not call brolga_holders(). */
    /* Names the function at an address in the text for reports ("score",
     * "score (scorer.c:12)"); may be NULL. It must not call Brolga. */
    void (*describe)(void *arg, const void *address, char *text, size_t bytes);
    void *arg;
};

/**
 * Stage a unit.
 *
 * Owns:     the blob belongs to Brolga from here on: `release` is called when
 *           the transaction is aborted or refused, or the unit is reclaimed.
 *           On failure it stays the caller's. `*out` is valid until then.
 * Returns:  BROLGA_OK, BROLGA_EINVAL (no text, or the transaction restores a
 *           version), BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_txn_unit(brolga_txn *txn, const struct brolga_unit_opts *opts,
                brolga_unit **out);

/**
 * Have fn(arg) called once nobody can run the unit's code any more, and before
 * its last grace period begins: to withdraw what was entered for it elsewhere,
 * such as in a library's tables. Called once, by the reclaimer, or by an abort,
 * before `release`; the last one that was set is the first one to be called.
 * It must not call brolga_holders().
 *
 * Threads:  any that can tell that the unit stays meanwhile: it has staged it,
 *           or pinned it.
 * Blocks:   for a short lock.
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_unit_on_withdraw(brolga_unit *unit, void (*fn)(void *arg), void *arg);

/**
 * State that the transaction defines the whole of a module: what it does not
 * define again is removed. Without this, other symbols stay as they are.
 */
BROLGA_API BROLGA_NODISCARD int brolga_txn_replace(brolga_txn *txn,
                                                   const char *module);

/**
 * The number of the slot that (module, symbol, signature) has, or will have
 * with this transaction: for compilers, whose code has it before there is a
 * unit that could define or import it. The number is the symbol's until the
 * transaction ends, and beyond if it is defined or imported by then. (A host
 * whose callback lets definitions patch slots asks after it has staged those.)
 *
 * Returns:  BROLGA_OK, BROLGA_EINVAL, BROLGA_ENOMEM, BROLGA_ELIMIT.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_txn_slot(brolga_txn *txn, const char *module, const char *symbol,
                const char *signature, brolga_slot *out);

/**
 * Stage a definition: the code of (module, symbol, signature).
 *
 * `code` must lie in the unit's text. `out` may be NULL; the slot's number is
 * final, but it means nothing if the transaction is not committed.
 *
 * Returns:  BROLGA_OK, BROLGA_EINVAL, BROLGA_ENOMEM, BROLGA_ELIMIT.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_txn_define(brolga_txn *txn, brolga_unit *unit, const char *module,
                  const char *symbol, const char *signature, const void *code,
                  brolga_slot *out);

/**
 * Stage an import: the unit's code calls (module, symbol, signature) through
 * `*out`. It must be defined when the transaction commits, by it or before.
 * Stage definitions first: a host's callback may make one of them patch a slot.
 *
 * `where` says where the import stands ("wordcount.c:7"), for refusals; it may
 * be NULL and is copied.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_txn_import(brolga_txn *txn, brolga_unit *unit, const char *module,
                  const char *symbol, const char *signature, const char *where,
                  brolga_slot *out);

/**
 * Accept callers that keep an old implementation: a changed or removed slot
 * that live units still import is not a reason to refuse.
 */
BROLGA_API void brolga_txn_allow_stale(brolga_txn *txn);

/**
 * Stage the restoration of an older version: every slot that has changed since
 * then gets back what it had, and what was new goes. It is published as a new
 * version like any other transaction, and can be taken back like any other.
 *
 * How far one can go back is `history` of struct brolga_got_opts. What must be
 * done is found out when the transaction is checked, as things are then. It is
 * refused with BROLGA_REFUSED_HISTORY if the version is not kept any more, and
 * with BROLGA_REFUSED_IMPORTERS if tasks run a slot that would go.
 *
 * Nothing but hooks can be staged in the same transaction. Units that define
 * nothing are not brought back.
 *
 * Returns:  BROLGA_OK, or BROLGA_EINVAL: something else is staged.
 */
BROLGA_API BROLGA_NODISCARD int brolga_txn_restore(brolga_txn *txn,
                                                   uint64_t version);

/**
 * Restore an older version: brolga_txn_begin(), _restore() and _commit().
 *
 * Threads:  any. `report` may be NULL.
 * Blocks:   as brolga_txn_commit().
 * Returns:  BROLGA_OK, BROLGA_EREFUSED, BROLGA_ENOMEM.
 */
BROLGA_API int brolga_got_rollback(brolga_got *got, uint64_t version,
                                   struct brolga_report *report);

/**
 * What a host has done around a commit. Each function may be NULL. They are
 * called in tasks of their own, with no lock of Brolga held, and may do what
 * tasks do, but must not commit nor wait for who commits.
 *
 * If one of the first two fails, by a panic or a trap too, or has not ended in
 * time, the transaction is refused.
 */
struct brolga_hooks {
    const char *name; /* For reports; copied. NULL: "host". */
    /* In the version that is current, once the transaction has been checked.
     * BROLGA_OK: go on. Anything else is a veto, for the reason that was
     * written to `why`. */
    int (*before)(void *arg, char *why, size_t bytes);
    /* Just before the transaction is published, in the version that it will
     * make, which nobody else is in: the staged code can be called, and, by its
     * address, the old. In brolga_txn_commit_barrier() nobody else runs
     * meanwhile; otherwise everybody does. Returns as `before`. */
    int (*migrate)(void *arg, char *why, size_t bytes);
    /* In the new version, once it is published. */
    void (*after)(void *arg);
    /* `before` has agreed, or there is none, and the transaction was refused
     * all the same. In the version that is current. */
    void (*called_off)(void *arg);
    /* Nobody will use `arg` any more; on any thread, and exactly once. */
    void (*release)(void *arg);
    /* For each call; 0 = 1 s. One that has not ended by then is canceled, and
     * left behind: code and `arg` stay until it has. */
    uint64_t timeout_ns;
    void *arg;
};

/**
 * Stage hooks. `before` is called in the reverse order of staging, the others
 * in this order: stage those of what others import first.
 *
 * Owns:     `arg` is Brolga's until `release`; on failure it stays the
 *           caller's. The code of the hooks must be in units, or stay.
 * Returns:  BROLGA_OK, BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_txn_hook(brolga_txn *txn, const struct brolga_hooks *hooks);

/**
 * Check without committing: what brolga_txn_commit() would say now. Calls no
 * hook.
 *
 * Returns:  BROLGA_OK, or BROLGA_EREFUSED with the report filled in.
 */
BROLGA_API int brolga_txn_check(brolga_txn *txn, struct brolga_report *report);

/**
 * Check, then publish everything as the next version with one release store.
 *
 * Costs O(slots), whatever the number of tasks; stops no thread.
 *
 * Owns:     ends the transaction in every case. After a refusal nothing has
 *           changed, and the staged units have been released; if `migrate` of a
 *           hook was called, they are when no stack holds them any more.
 * Threads:  any; commits are serialised. `report` may be NULL.
 * Blocks:   for another commit only, never for a task; and for its own hooks.
 * Returns:  BROLGA_OK, BROLGA_EREFUSED.
 */
BROLGA_API int brolga_txn_commit(brolga_txn *txn, struct brolga_report *report);

/**
 * The same while nobody runs: the new version becomes visible, in cells too,
 * when every task is at a safepoint, and none goes on before it is. So between
 * two of its safepoints a task calls one version only, through cells as well
 * (C1 and C2), and once the call returns, no task calls an older one.
 *
 * A task that adopts at top safepoints only stands at those. Tasks that are
 * parked, in foreign code, or not started need not be woken; they go on when
 * the commit is over. Threads that are neither attached nor members of the
 * epoch are not stopped: they must not call through cells meanwhile.
 *
 * Tasks are stopped for 1 ms at the most; if somebody has not come by then,
 * all go on, and it is tried again, for longer each time, until the deadline.
 *
 * Owns:     as brolga_txn_commit().
 * Threads:  any but a member of the epoch that is online, if that is no task; a
 *           task is at a safepoint meanwhile. Not from a callback.
 * Blocks:   until all stand, or the deadline; others' barriers come first.
 * Returns:  as brolga_txn_commit(); BROLGA_ETIMEOUT with nothing changed, and
 *           the report says who did not come.
 */
BROLGA_API int brolga_txn_commit_barrier(brolga_txn *txn, uint64_t deadline_ns,
                                         struct brolga_report *report);

/** End a transaction without a trace; staged units are released. */
BROLGA_API void brolga_txn_abort(brolga_txn *txn);

/* --- pins --------------------------------------------------------------- */

/**
 * Keep a unit alive for another reason than versions and stacks: a closure, a
 * callback, a timer that holds an address in it.
 *
 * Threads:  any that may run the unit's code or holds another pin, so that the
 *           unit cannot go away during the call.
 */
BROLGA_API void brolga_unit_pin(brolga_unit *unit);

/** Drop one pin. Threads: any. */
BROLGA_API void brolga_unit_unpin(brolga_unit *unit);

/**
 * Pin the unit whose text holds an address.
 *
 * Threads:  as brolga_unit_pin().
 * Blocks:   for a short lock.
 * Returns:  the unit, pinned, or NULL if the address is in no unit.
 */
BROLGA_API brolga_unit *brolga_got_pin_address(brolga_got *got,
                                               const void *address);

/**
 * Pin a unit and say what for: "callback 'on_line' of libparse", "timer". Who
 * asks what keeps the unit reads it (brolga_holders()).
 *
 * What keeps code by itself needs no pin: frames on the stacks of tasks,
 * functions of tasks that have not started, blocking work, cleanup handlers
 * (brolga_defer()), closures of a table, handlers of signals. What nobody else
 * can know does: callbacks that a library keeps, timers of a host's loop,
 * destructors of thread-specific data, functions that run on threads that are
 * not attached.
 *
 * Owns:     `*out` ends with brolga_pin_destroy(), before the GOT is
 *           destroyed. The reason is copied.
 * Threads:  as brolga_unit_pin().
 * Blocks:   for a short lock.
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_pin_create(brolga_unit *unit, const char *reason, brolga_pin **out);

/**
 * The same for the unit whose text holds an address.
 *
 * Threads:  as brolga_unit_pin().
 * Blocks:   for a short lock.
 * Returns:  BROLGA_OK, BROLGA_ENOMEM; BROLGA_ENOENT: the address is in no unit,
 *           and needs no pin.
 */
BROLGA_API BROLGA_NODISCARD int brolga_pin_code(brolga_got *got,
                                                const void *code,
                                                const char *reason,
                                                brolga_pin **out);

/** End a pin; NULL is ignored. Threads: any. Blocks: for a short lock. */
BROLGA_API void brolga_pin_destroy(brolga_pin *pin);

/* --- cells: calls through a table at a fixed address -------------------- */

/**
 * Give a module a table of cells. Every slot that is defined in the module
 * from then on gets a cell that mirrors the current version.
 *
 * `base` is a table that the host owns and keeps for as long as the GOT lives,
 * or NULL for one that Brolga allocates.
 *
 * Owns:     `*out` belongs to the GOT and lives as long.
 * Returns:  BROLGA_OK, BROLGA_EEXIST, BROLGA_ENOMEM, BROLGA_EINVAL.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_cells_attach(brolga_got *got, const char *module, const void **base,
                    uint32_t count, brolga_cells **out);

/** The table's address, as compiled code embeds it. Threads: any. */
BROLGA_API const void *const *brolga_cells_base(const brolga_cells *cells);

/**
 * Bind a staged or defined slot to a cell that the host chose; without this,
 * the lowest free cell is taken at commit.
 *
 * Returns:  BROLGA_OK, BROLGA_EINVAL (out of range, not the module's slot),
 *           BROLGA_EEXIST (the cell or the slot is bound otherwise).
 */
BROLGA_API BROLGA_NODISCARD int
brolga_cells_bind(brolga_cells *cells, brolga_slot slot, uint32_t index);

/**
 * The cell of a slot.
 *
 * Returns:  BROLGA_OK, or BROLGA_ENOENT while it has none.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_cells_index(brolga_cells *cells, brolga_slot slot, uint32_t *out);

#ifdef __cplusplus
}
#endif
#endif
