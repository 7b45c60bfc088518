/*
 * Parcels, and the leases of tasks and threads.
 *
 * What a task has leases on hangs on its record (task->kept) as a parcel
 * without a value: the first one that it received, or a record that was made
 * for it. Those that came later are joined to the first. Where there is no
 * memory for that they are linked behind it, so that receiving never fails. All
 * of that is touched by the task alone, or whoever ends it.
 *
 * A thread outside of tasks has the same in its own storage. A task never looks
 * there, though it runs on a thread, but for a thread that has attached itself:
 * that may give away what it received before.
 */
#include "chan/parcel.h"

#include "alloc.h"

struct parcel {
    struct brolga__kept kept; /* first: a task's set is found by it */
    struct parcel *next;      /* of a set, more of it */
    struct brolga_leases leases;
    brolga_word word;
};

/* --- records ------------------------------------------------------------ */

static brolga_word parcel_word(const struct parcel *parcel)
{
    return (brolga_word)((uintptr_t)parcel | 1);
}

static struct parcel *parcel_at(brolga_word word)
{
    return (struct parcel *)((uintptr_t)word & ~(uintptr_t)1);
}

static void parcel_free(struct parcel *parcel)
{
    brolga_leases_end(&parcel->leases);
    brolga__free(parcel);
}

/* Ends the leases of a task or a thread. */
static void set_end(struct parcel *set)
{
    while (set != NULL) {
        struct parcel *next = set->next;

        parcel_free(set);
        set = next;
    }
}

static void end_of_task(struct brolga__kept *kept)
{
    set_end(brolga__container_of(kept, struct parcel, kept));
}

static struct parcel *parcel_create(brolga_word word)
{
    struct parcel *parcel = brolga__alloc_zero(sizeof(*parcel));

    if (parcel != NULL) {
        parcel->kept.end = end_of_task;
        parcel->word = word;
    }
    return parcel;
}

/* --- whose leases they are ---------------------------------------------- */

static _Thread_local struct parcel *thread_set;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static bool thread_has_key; /* Written once, before it is read: thread_once. */

static void end_of_thread(void *unused)
{
    struct parcel *set = thread_set;

    (void)unused;
    thread_set = NULL;
    set_end(set);
}

static void make_key(void)
{
    thread_has_key = pthread_key_create(&thread_key, end_of_thread) == 0;
}

/* Not inlined: a fiber may wake up on another thread. */
static __attribute__((noinline)) struct parcel *thread_get(void)
{
    return thread_set;
}

/* Without a key, or memory for it, what a thread has at its end stays. */
static __attribute__((noinline)) void thread_put(struct parcel *set)
{
    thread_set = set;
    (void)pthread_once(&thread_once, make_key);
    if (thread_has_key)
        (void)pthread_setspecific(thread_key, set);
}

/* The set of the calling task, or thread; NULL if it is empty. */
static struct parcel *set_get(void)
{
    const brolga_task *self = brolga__self();

    if (self == NULL)
        return thread_get();
    return self->kept == NULL
               ? NULL
               : brolga__container_of(self->kept, struct parcel, kept);
}

static void set_put(struct parcel *set)
{
    brolga_task *self = brolga__self();

    if (self != NULL)
        self->kept = set == NULL ? NULL : &set->kept;
    else
        thread_put(set);
}

/* What the thread of an attached task had before, and still has. */
static struct parcel *before_attached(void)
{
    const brolga_task *self = brolga__self();

    return self != NULL && brolga__load_relaxed(&self->kind) == BROLGA__ATTACHED
               ? thread_get()
               : NULL;
}

bool brolga__lease_any(void)
{
    const brolga_task *self = brolga__self();

    if (self == NULL)
        return thread_get() != NULL;
    return self->kept != NULL || before_attached() != NULL;
}

bool brolga__gives_slowly(void)
{
    const brolga_task *self = brolga__self();

    return (self != NULL && self->values.heap != NULL) || brolga__lease_any();
}

/* Adds a parcel's leases to the calling task's; the parcel is gone. */
static void set_join(struct parcel *more)
{
    struct parcel *set = set_get();

    if (set == NULL) {
        set_put(more);
    } else if (brolga_leases_move(&set->leases, &more->leases) == BROLGA_OK) {
        parcel_free(more);
    } else {
        more->next = set->next;
        set->next = more;
    }
}

/* Takes leases on all regions of a set. */
static int add_all(struct brolga_leases *to, const struct parcel *set)
{
    brolga_region *region;

    for (; set != NULL; set = set->next)
        for (size_t at = 0;
             (region = brolga_leases_next(&set->leases, &at)) != NULL;)
            if (brolga_leases_add(to, region) != BROLGA_OK)
                return BROLGA_ENOMEM;
    return BROLGA_OK;
}

/* --- messages ----------------------------------------------------------- */

int brolga__parcel_copy(const brolga_type *type, const void *elem,
                        brolga_word *out, bool may_pause, uint64_t *bytes)
{
    struct brolga_leases leases = {.count = 0};
    struct parcel *parcel;
    brolga_word word;
    int err;

    err = brolga__copy_in_task(type, elem, &word, &leases, may_pause, bytes);
    if (err != BROLGA_OK)
        return err;
    if (brolga__unlikely(leases.count > 0)) {
        parcel = parcel_create(word);
        if (parcel == NULL) {
            brolga_drop_word(type, word);
            brolga_leases_end(&leases);
            return BROLGA_ENOMEM;
        }
        parcel->leases = leases;
        word = parcel_word(parcel);
    }
    *out = word;
    return BROLGA_OK;
}

int brolga__parcel_wrap(brolga_word word, brolga_word *out)
{
    struct parcel *parcel = parcel_create(word);

    if (parcel == NULL)
        return BROLGA_ENOMEM;
    if (add_all(&parcel->leases, set_get()) != BROLGA_OK ||
        add_all(&parcel->leases, before_attached()) != BROLGA_OK) {
        parcel_free(parcel);
        return BROLGA_ENOMEM;
    }
    *out = parcel_word(parcel);
    return BROLGA_OK;
}

void brolga__parcel_unwrap(brolga_word word)
{
    parcel_free(parcel_at(word));
}

brolga_word brolga__parcel_value(brolga_word word)
{
    return parcel_at(word)->word;
}

void brolga__parcel_replace(brolga_word word, brolga_word value)
{
    parcel_at(word)->word = value;
}

void brolga__parcel_drop_with(const brolga_type *type, brolga_word word,
                              int (*pause)(void *arg))
{
    struct parcel *parcel;

    if (!brolga__is_parcel(word) || !brolga_type_can_freeze(type)) {
        brolga_drop_with(type, &word, pause, NULL);
        return;
    }
    parcel = parcel_at(word);
    brolga_drop_with(type, &parcel->word, pause, NULL);
    parcel_free(parcel);
}

brolga_word brolga__parcel_open(brolga_word word)
{
    struct parcel *parcel = parcel_at(word);

    word = parcel->word;
    set_join(parcel);
    return word;
}

/* --- the public calls --------------------------------------------------- */

int brolga_lease_keep(brolga_region *region)
{
    struct parcel *set = set_get();
    int err;

    if (region == NULL)
        return BROLGA_OK;
    if (set == NULL) {
        set = parcel_create(0);
        if (set == NULL)
            return BROLGA_ENOMEM;
        set_put(set);
    }
    /* The first one needs no memory, so that no set is left empty. */
    err = brolga_leases_add(&set->leases, region);
    if (err == BROLGA_OK)
        brolga_region_release(region);
    return err;
}

int brolga_lease_compact(const struct brolga_root *roots, size_t count)
{
    struct parcel *was = set_get();
    struct parcel *set = parcel_create(0);
    int err = set == NULL ? BROLGA_ENOMEM : BROLGA_OK;

    for (size_t i = 0; i < count && err == BROLGA_OK; i++)
        if (brolga_type_can_freeze(roots[i].type))
            err = brolga_leases_collect(&set->leases, roots[i].type,
                                        roots[i].word);
    if (err != BROLGA_OK) {
        set_end(set);
        return err;
    }
    if (set->leases.count == 0) {
        parcel_free(set);
        set = NULL;
    }
    set_put(set);
    set_end(was);
    return BROLGA_OK;
}

/* Whether a region is also in a part of the set before this one. */
static bool is_before(const struct parcel *set, const struct parcel *part,
                      const brolga_region *region)
{
    for (; set != part; set = set->next)
        if (brolga_leases_has(&set->leases, region))
            return true;
    return false;
}

size_t brolga_lease_count(void)
{
    const struct parcel *set = set_get();
    const brolga_region *region;
    size_t count = 0;

    for (const struct parcel *part = set; part != NULL; part = part->next)
        for (size_t at = 0;
             (region = brolga_leases_next(&part->leases, &at)) != NULL;)
            count += !is_before(set, part, region);
    return count;
}
