/*
 * The copy layer's door for layers above: what collections are made of, copies
 * that are charged to somebody, audits, what sites do, and what leaves heaps.
 *
 * The other functions of the layer are public.
 */
#ifndef BROLGA_SRC_COPY_PARTS_H
#define BROLGA_SRC_COPY_PARTS_H

#include "atomic.h"
#include "base.h"

#include <brolga/copy.h>
#include <brolga/site.h>

/* --- copies and their failures (walk.c, path.c) ------------------------- */

/* brolga_copy_with() that says how many bytes the copy's objects have. */
int brolga__copy_sized(const brolga_type *type, const void *from, void *to,
                       const struct brolga_copy_opts *opts, uint64_t *bytes,
                       struct brolga_copy_error *error);

/* Why a copy of this word would fail, or a check; BROLGA_OK if it would not,
 * but for want of memory. */
int brolga__copy_why(const brolga_type *type, brolga_word word, bool keeps,
                     struct brolga_copy_error *error);

/* --- audits (audit.c) --------------------------------------------------- */

/* What BROLGA_DEBUG_RC asks for. */
enum brolga__debug_rc {
    BROLGA__RC_UNKNOWN, /* nobody has looked yet */
    BROLGA__RC_OFF,
    BROLGA__RC_FAIL, /* the operation fails */
    BROLGA__RC_ABORT /* the program ends */
};

extern _Atomic int32_t brolga__rc_wanted;

/* Compares counts with references; `alone`: nothing else may refer to any part.
 * The slow path of the next two. BROLGA_OK or BROLGA_EINVAL. */
int brolga__audit(const brolga_type *type, brolga_word word, bool alone,
                  struct brolga_copy_error *error);

static inline bool brolga__audits(void)
{
    return brolga__unlikely(brolga__load_relaxed(&brolga__rc_wanted) !=
                            BROLGA__RC_OFF);
}

/* --- sites (site.c) ----------------------------------------------------- */

/*
 * How a value of a type, which is not plain, goes this time: as the site says,
 * or NULL, but no less than `least`. Lists the site. CHECK and COPY are then
 * the caller's to do, by brolga__site_check() and by a copy.
 */
enum brolga_mode brolga__site_begin(struct brolga_site *site,
                                    const brolga_type *type,
                                    enum brolga_mode least);

/* brolga_check_with() that the site, if there is one, learns from. */
int brolga__site_check(struct brolga_site *site, const brolga_type *type,
                       void *at, const struct brolga_copy_opts *opts);

/* What has become of a value. */
void brolga__site_sent(struct brolga_site *site, enum brolga_mode how);
void brolga__site_copied(struct brolga_site *site, uint64_t bytes);
void brolga__site_refused(struct brolga_site *site);
void brolga__site_returned(struct brolga_site *site);

/* Lists a site that is used for the first time; `type` NULL: plain words. */
void brolga__site_list(struct brolga_site *site, const brolga_type *type);

/* Whether the site moves without further ado. */
static inline bool brolga__site_moves(const struct brolga_site *site)
{
    return brolga__load_relaxed(&site->mode) == BROLGA_MOVE &&
           brolga__load_relaxed(&site->used) != 0 && !brolga__audits();
}

/* --- collections (parts.c) ---------------------------------------------- */

/* What a type of collection is. A list is a sum of an empty constructor, with
 * tag 0, and one of two fields: the element, and the type itself. */
enum brolga__collection {
    BROLGA__NO_COLLECTION,
    BROLGA__A_VEC,
    BROLGA__A_LIST
};

enum brolga__collection brolga__collection_of(const brolga_type *type);

/* The type of a collection's elements. */
const brolga_type *brolga__element_of(const brolga_type *type);

/* Whether counts tell what is unique: exact_counts of the model. */
bool brolga__counts_exactly(const brolga_type *type);

/* Whether a host's count operations on the same object at the same time, by
 * several threads, are safe for any value of the type. */
bool brolga__counts_anywhere(const brolga_type *type);

/* The elements of a Vec, where they lie. */
brolga_word *brolga__vec_elements(const brolga_type *type, brolga_word vec,
                                  size_t *count);

/* A Vec with `count` elements to be filled in; 0: no memory. What may refer to
 * something is 0 until then, so that the Vec can be dropped. */
brolga_word brolga__vec_make(const brolga_type *type, size_t count,
                             brolga_word **elements);

/* Whether a word is a node of a list, and not its end. */
bool brolga__list_is_node(const brolga_type *type, brolga_word list);
/* The fields of a node, to read or write. */
brolga_word *brolga__list_head(const brolga_type *type, brolga_word node);
brolga_word *brolga__list_tail(const brolga_type *type, brolga_word node);
/* A node with that head, at the end of a list; 0: no memory. */
brolga_word brolga__list_make(const brolga_type *type, brolga_word head);

/* Whether there can be one reference more: not to handles that cannot be
 * copied, nor to what nobody knows. */
bool brolga__can_retain(const brolga_type *type);
/* One reference more to a value. Not atomic unless the model is. */
void brolga__retain(const brolga_type *type, brolga_word word);

bool brolga__is_closure(const brolga_type *type);
/* The code that a closure calls. */
const void *brolga__closure_code(const brolga_type *type, brolga_word closure);

/* --- uniqueness and heaps (unique.c, heap.c) ---------------------------- */

/*
 * Whether every object of a value is referred to once, as its count says, or is
 * frozen: then one task may use it as its own while all others rest. Reads
 * only. False also if that cannot be told.
 */
bool brolga__is_unique(const brolga_type *type, brolga_word word);

/* brolga_heap_keep() with pauses. EBUSY: a part may be shared. */
int brolga__heap_keep(const brolga_type *type, brolga_word word,
                      int (*pause)(void *arg), void *arg);
/* The value that was kept stays the caller's. */
void brolga__heap_unkeep(const brolga_type *type, brolga_word word);

#endif
