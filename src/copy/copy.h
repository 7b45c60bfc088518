/*
 * The copy layer inside: what a type is once it is compiled, and how objects
 * are reached. The other files of this folder and nobody else include this;
 * what layers above may use is in parts.h.
 *
 *   text.c      characters to tokens, errors with line and column
 *   parse.c     tokens to expressions and definitions
 *   registry.c  arena, lists, a registry's life
 *   define.c    definitions: names to what they mean
 *   type.c      expressions to types
 *   layout.c    types to shapes, fingerprints
 *   model.c     the presets, and checks of what a host says
 *   memory.c    where objects come from and go to
 *   memo.c      shared objects of one copy
 *   copier.h    copy: copier.c, walk.c, rare.c, copy.c
 *   check.c     what is unique is kept, and only the rest is copied
 *   drop.c      drop
 *   path.c      searches: where a copy failed
 *   audit.c     searches: counts that are wrong
 *   site.c      sites: modes and counts; explain.c  what they say
 *   unique.c    walks over what nothing else refers to
 *   heap.c      values and the heaps of tasks
 *   region.h    freezing: map.c, region.c, leases.c, freeze.c, collect.c
 *
 * Shape programs. A type is compiled once into what copy and drop do for a
 * value of it: its shape says which loop, and a sum's constructors say how many
 * words to copy, and which of them lead on. The common shapes have loops of
 * their own: lists and binary trees of words or leaves, called *spine* and
 * *tree* here; and a Vec of words is one memcpy().
 */
#ifndef BROLGA_SRC_COPY_COPY_H
#define BROLGA_SRC_COPY_COPY_H

#include "alloc.h"
#include "atomic.h"
#include "base.h"
#include "copy/parts.h"

#include <brolga/copy.h>
#include <brolga/site.h>
#include <stdarg.h>

/* --- compiled types ----------------------------------------------------- */

enum brolga__shape {
    BROLGA__WORD,      /* a word that never is an address */
    BROLGA__STRUCT,    /* plain bytes, no word */
    BROLGA__STRING,    /* one object without references */
    BROLGA__VEC_WORDS, /* a header and data without references */
    BROLGA__VEC_REFS,  /* a header and data full of references */
    BROLGA__SPINE,     /* a sum that is a list, see `only` */
    BROLGA__TREE,      /* a sum that is a binary tree, see `only` */
    BROLGA__SUM,       /* small tags, or objects [tag][field]... */
    BROLGA__CLOSURE,   /* [code][capture]..., described by its code */
    BROLGA__HANDLE,    /* a word counted elsewhere */
    BROLGA__REFUSED,   /* cannot be copied; a drop forgets the reference */
    BROLGA__GENERATED, /* by functions of the host, else as `plain` says */
};

/* One field that may hold a reference: its number, from 1, is also that of its
 * word, for the tag is word 0. */
struct brolga__ref {
    const brolga_type *type;
    uint64_t small; /* words below are tags of the type: they lead nowhere */
    uint32_t field;
    bool is_last; /* of the constructor's references */
};

/*
 * One constructor of one type. Leaves first: ref[0 .. leaves) are copied on
 * the spot, ref[leaves .. refs) may lead further.
 */
struct brolga__ctor {
    const char *name;
    const brolga_type *type;         /* whose constructor it is */
    const brolga_type *const *types; /* of all fields, in order */
    uint32_t tag;
    uint32_t fields;
    uint32_t leaves;
    uint32_t refs;
    int64_t payload_bytes;
    struct brolga__ref *ref;
};

/* Where objects come from. */
enum brolga__source {
    BROLGA__FROM_US,        /* alloc.h */
    BROLGA__FROM_ALLOCATOR, /* the model's blocks */
    BROLGA__FROM_HOST,      /* the model's `alloc` */
};

/* How the objects of a registry are made and freed (memory.c). */
struct brolga__heap {
    const struct brolga_model *model;
    enum brolga__source source;
    enum brolga__source buffers; /* FROM_HOST: by the model's callbacks */
    bool frees;
    int32_t base_at;      /* where an object's block begins, from its value */
    int32_t header_bytes; /* from there to the first field */
};

/* Written while the type is made, then constant. */
struct brolga_type {
    /* What copy and drop read. */
    enum brolga__shape shape;
    bool leaf;        /* a value is one object that leads nowhere */
    bool has_nullary; /* small tags are values */
    uint32_t ctor_count;
    const struct brolga__ctor *const *ctors; /* by tag */
    /* SPINE, TREE: the only constructor with fields. One of them, or two, are
     * of the type itself, and the others are leaves or words. */
    const struct brolga__ctor *only;
    const struct brolga_model *model;
    const struct brolga__heap *heap;
    const brolga_type *element;
    /* GENERATED: the functions, and the type as it would be without. */
    const struct brolga_generated *generated;
    const brolga_type *plain;
    void (*retain)(brolga_word word, void *arg);
    void (*release)(brolga_word word, void *arg);
    void *handle_arg;
    const char *refusal;
    size_t bytes;
    size_t align;

    /* Identity. */
    const char *name;
    size_t name_bytes;
    uint64_t fingerprint;
    const struct brolga__definition *definition;
    const brolga_type **args;
    uint32_t arg_count;

    /* The registry's lists. */
    brolga_type *next_in_bucket;
    brolga_type *older;   /* all types, newest first */
    brolga_type *pending; /* made by this parse; walked by a fingerprint */
    uint64_t mark;
};

/* --- definitions -------------------------------------------------------- */

/*
 * A type expression in postfix order: operands first. "(Option a)" is VAR 0,
 * APPLY Option 1. So evaluating it is one loop with a stack.
 */
struct brolga__op {
    struct brolga__op *next;
    const char *name; /* APPLY: of the definition; VAR: NULL */
    const struct brolga__definition *definition;
    uint32_t count; /* APPLY: operands; VAR: number of the parameter */
    size_t offset;  /* in the text, for errors */
};

/* Operands of one expression, at most: the stack of its evaluation. */
#define BROLGA__OPS_MAX 256

struct brolga__field_def {
    struct brolga__field_def *next;
    struct brolga__op *ops;
};

struct brolga__ctor_def {
    struct brolga__ctor_def *next;
    const char *name;
    struct brolga__field_def *fields;
    uint32_t field_count;
};

enum brolga__kind {
    BROLGA__KIND_WORD,
    BROLGA__KIND_STRING,
    BROLGA__KIND_VEC,
    BROLGA__KIND_FN, /* any number of operands, the last is the result */
    BROLGA__KIND_SUM,
    BROLGA__KIND_STRUCT,
    BROLGA__KIND_HANDLE,
    BROLGA__KIND_REFUSED,
};

struct brolga__definition {
    struct brolga__definition *next; /* in its bucket, or in a parse */
    const char *name;
    enum brolga__kind kind;
    uint32_t params;
    struct brolga__ctor_def *ctors;
    uint32_t ctor_count;
    brolga_type *type; /* structs and handles: their only type */
    size_t offset;     /* in the text, for errors */
};

/* --- the registry (registry.c, define.c) -------------------------------- */

#define BROLGA__BUCKETS 256

struct brolga_types {
    struct brolga_model model;
    struct brolga__heap heap;
    struct brolga__chunk *chunks; /* the arena, newest first */
    struct brolga__definition *definitions[BROLGA__BUCKETS];
    brolga_type *buckets[BROLGA__BUCKETS];
    brolga_type *newest;
    uint64_t mark;
};

/* Zeroed memory that lives as long as the registry, or NULL. */
void *brolga__types_alloc(brolga_types *types, size_t bytes);
/* A copy of `bytes` bytes of text in the arena, ended by NUL, or NULL. */
const char *brolga__types_text(brolga_types *types, const char *text,
                               size_t bytes);
struct brolga__definition *brolga__types_find(const brolga_types *types,
                                              const char *name);
void brolga__types_add(brolga_types *types, struct brolga__definition *def);

brolga_type *brolga__types_find_type(const brolga_types *types,
                                     const struct brolga__definition *def,
                                     const brolga_type *const *args,
                                     uint32_t count);
void brolga__types_add_type(brolga_types *types, brolga_type *type);

/* How full the registry is. Rolling back forgets the types and the memory
 * since then; definitions are the caller's to restore. */
struct brolga__mark {
    struct brolga__chunk *chunk;
    size_t used;
    brolga_type *newest;
};

struct brolga__mark brolga__types_mark(const brolga_types *types);
void brolga__types_roll_back(brolga_types *types, struct brolga__mark mark);

/* --- text to definitions (text.c, parse.c) ------------------------------ */

enum brolga__token {
    BROLGA__END,
    BROLGA__OPEN,
    BROLGA__CLOSE,
    BROLGA__OPEN_BRACKET,
    BROLGA__CLOSE_BRACKET,
    BROLGA__COLON,
    BROLGA__SYMBOL,
    BROLGA__DOC, /* "Text", which says nothing to us. */
};

struct brolga__parser {
    brolga_types *types;
    const char *text;
    size_t next; /* where the token after this one may start */
    enum brolga__token token;
    size_t offset; /* of this token */
    size_t bytes;  /* of this token */
    struct brolga_type_error *error;
};

void brolga__parser_init(struct brolga__parser *p, brolga_types *types,
                         const char *text, struct brolga_type_error *error);
void brolga__parser_advance(struct brolga__parser *p);
bool brolga__parser_is(const struct brolga__parser *p, const char *symbol);
/* Fills the error, if one is wanted, and returns `code`. */
int brolga__parser_fail(struct brolga__parser *p, int code, size_t offset,
                        const char *format, ...) BROLGA_PRINTF(4, 5);
/* What the current token says, for messages. */
const char *brolga__parser_show(const struct brolga__parser *p, char text[48]);

/* Parameters of a definition, at most. */
#define BROLGA__PARAMS_MAX 16

struct brolga__params {
    const char *name[BROLGA__PARAMS_MAX];
    uint32_t count;
};

/* One type expression; names are resolved later. */
int brolga__parse_type(struct brolga__parser *p,
                       const struct brolga__params *params,
                       struct brolga__op **out);
/* All deftype forms of the text, linked by `next`; names not resolved. */
int brolga__parse_forms(struct brolga__parser *p,
                        struct brolga__definition **out);

/* Finds the definitions that an expression names (define.c). */
int brolga__types_resolve(struct brolga__parser *p, struct brolga__op *ops,
                          bool is_field);

/* --- types to shapes (layout.c) ----------------------------------------- */

/* Compiles the types linked by `pending`; their constructors' field types are
 * known. Returns BROLGA_OK or BROLGA_ENOMEM. */
int brolga__layout_compile(brolga_types *types, brolga_type *pending);
/* Fills in the shape of a struct or handle. */
void brolga__layout_single(brolga_types *types, brolga_type *type);

/* --- models (model.c) --------------------------------------------------- */

bool brolga__model_is_valid(const struct brolga_model *model);

/* The presets' callbacks (memory.c). */
brolga_word brolga__alloc_to_fields(int64_t payload_bytes, void *arg);
void brolga__free_from_fields(brolga_word value, void *arg);
brolga_word brolga__alloc_to_header(int64_t payload_bytes, void *arg);
void brolga__free_from_header(brolga_word value, void *arg);
void *brolga__alloc_buffer(int64_t bytes, void *arg);
void brolga__free_buffer(void *buffer, void *arg);

/* --- objects ------------------------------------------------------------ */

/* Where an object begins, from its value: its header is all words in front of
 * the fields. */
static inline int32_t brolga__base_at(const struct brolga_model *m)
{
    int32_t low = m->count_at < m->fields_at ? m->count_at : m->fields_at;

    return m->has_size && m->size_at < low ? m->size_at : low;
}

/* The word that lies `offset` bytes from where the value points. */
static inline brolga_word *brolga__word_at(brolga_word value, int64_t offset)
{
    return (brolga_word *)(uintptr_t)(value + offset);
}

static inline brolga_word *brolga__fields(const struct brolga_model *model,
                                          brolga_word value)
{
    return brolga__word_at(value, model->fields_at);
}

static inline _Atomic int64_t *brolga__count(const struct brolga_model *model,
                                             brolga_word value)
{
    return (_Atomic int64_t *)brolga__word_at(value, model->count_at);
}

/* Bare tags, and the 0 that stands for a reference not yet made. */
static inline bool brolga__is_small(const struct brolga_model *model,
                                    brolga_word value)
{
    return (uint64_t)value < (uint64_t)model->small_tags;
}

/* Where the elements of a Vec lie, given its data word. */
static inline brolga_word *brolga__elements(const struct brolga_model *model,
                                            brolga_word data)
{
    return model->buffer_alloc != NULL ? brolga__word_at(data, 0)
                                       : brolga__fields(model, data);
}

/* Whether an object with this count is frozen. */
static inline bool brolga__is_frozen(const struct brolga_model *model,
                                     int64_t count)
{
    return count >= BROLGA_FROZEN_MIN || (count == 0 && model->frozen_is_zero);
}

/* What the callbacks for closures are given. */
static inline void *brolga__closure_arg(const struct brolga_model *model)
{
    return model->closure_arg != NULL ? model->closure_arg : model->arg;
}

static inline uintptr_t brolga__code(const struct brolga_model *model,
                                     brolga_word closure)
{
    return (uintptr_t)*brolga__word_at(closure, (int64_t)model->fields_at +
                                                    model->closure_code);
}

static inline brolga_word *brolga__captures(const struct brolga_model *model,
                                            brolga_word closure)
{
    return brolga__word_at(closure,
                           (int64_t)model->fields_at + model->closure_captures);
}

/* Whether a capture may hold a reference. */
static inline bool brolga__may_refer(const brolga_type *type)
{
    return type->shape != BROLGA__WORD;
}

/*
 * Whether an object's words can be those of a value of `type`. Checks of the
 * head only; both the copier and the search for a culprit go by them. All
 * return NULL, or what is wrong.
 */
static inline const char *brolga__check_string(const struct brolga_model *model,
                                               brolga_word value)
{
    uint64_t bytes = (uint64_t)brolga__fields(model, value)[0];

    return bytes > INT64_MAX / 2 ? "a String of impossible length" : NULL;
}

const char *brolga__check_vec(const struct brolga_model *model,
                              brolga_word value);
/* Also fetches the description. `*code` tells unsendable from invalid. */
const char *brolga__check_closure(const struct brolga_model *model,
                                  brolga_word value,
                                  struct brolga_closure_info *info, int *code);

struct brolga__vheap;

/* --- memory (memory.c) -------------------------------------------------- */

/* What one copy or drop has made and freed, counted when it ends. */
struct brolga__tally {
    bool is_ours;               /* from alloc.h, and nothing is going to fail */
    struct brolga__vheap *mine; /* the caller's heap, or NULL */
    int64_t blocks;
    uint64_t made_bytes;
    uint64_t freed_bytes;
};

void brolga__heap_init(struct brolga__heap *heap,
                       const struct brolga_model *model);

void brolga__tally_begin(struct brolga__tally *tally,
                         const struct brolga__heap *heap);
void brolga__tally_end(const struct brolga__tally *tally);

/* An object from wherever the model says, or 0. */
brolga_word brolga__object_make(const struct brolga__heap *heap,
                                int64_t payload_bytes);
void brolga__object_free(const struct brolga__heap *heap, brolga_word value);

/* Data of a Vec without a header, for models with buffers; or NULL. */
void *brolga__buffer_make(const struct brolga__heap *heap, int64_t bytes);
void brolga__buffer_free(const struct brolga__heap *heap, brolga_word data);

/* Makes an object of a block: header words are set, fields are not. */
static inline brolga_word brolga__object_init(const struct brolga__heap *heap,
                                              void *block, size_t bytes)
{
    brolga_word value = (brolga_word)(uintptr_t)block - heap->base_at;

    if (heap->model->has_size)
        *brolga__word_at(value, heap->model->size_at) = (brolga_word)bytes;
    *brolga__word_at(value, heap->model->count_at) = 1;
    return value;
}

/* The same as the two above, where most objects are ours. */
static inline brolga_word brolga__tally_make(struct brolga__tally *tally,
                                             const struct brolga__heap *heap,
                                             int64_t payload_bytes)
{
    size_t bytes = (size_t)(payload_bytes + heap->header_bytes);
    void *block;

    if (brolga__unlikely(!tally->is_ours)) {
        tally->made_bytes += bytes; /* For those who ask how much was copied. */
        return brolga__object_make(heap, payload_bytes);
    }
    block = brolga__value_take_from(tally->mine, bytes);
    if (brolga__unlikely(block == NULL))
        return 0;
    tally->blocks++;
    tally->made_bytes += bytes;
    return brolga__object_init(heap, block, bytes);
}

/* Adds what a loop counted for itself. */
static inline void brolga__tally_add(struct brolga__tally *tally,
                                     const struct brolga__tally *of_loop)
{
    tally->blocks += of_loop->blocks;
    tally->made_bytes += of_loop->made_bytes;
    tally->freed_bytes += of_loop->freed_bytes;
}

static inline void brolga__tally_free(struct brolga__tally *tally,
                                      const struct brolga__heap *heap,
                                      brolga_word value)
{
    if (brolga__unlikely(!tally->is_ours)) {
        brolga__object_free(heap, value);
        return;
    }
    tally->blocks--;
    tally->freed_bytes +=
        (uint64_t)*brolga__word_at(value, heap->model->size_at);
    brolga__value_give_from(tally->mine, brolga__word_at(value, heap->base_at));
}

/* --- shared objects of one copy (memo.c) -------------------------------- */

/*
 * An object with a count above 1 that the copy has met. With plain counts the
 * source's count word holds -(index + 1) meanwhile; with atomic counts, or
 * when the source must not be touched, a hash table finds the entry.
 */
struct brolga__shared {
    brolga_word source;
    brolga_word copy;
    int64_t count; /* the source's, to be restored */
    int64_t refs;  /* references to the copy so far */
};

#define BROLGA__MEMO_INLINE 16

struct brolga__memo {
    const struct brolga_model *model;
    struct brolga__shared *entry;
    uint32_t count;
    uint32_t capacity;
    uint32_t *slot; /* hashed: index + 1 of an entry, 0 = empty */
    uint32_t slots; /* a power of two; 0: counts are marked instead */
    bool hashed;
    bool keeps_counts;   /* Those of the copies are right as they are. */
    uint64_t made_bytes; /* by all copies that went by it */
    struct brolga__shared first[BROLGA__MEMO_INLINE];
};

void brolga__memo_init(struct brolga__memo *memo,
                       const struct brolga_model *model, bool hashed);
/* The entry of `source`, whose count word reads `count`, or NULL. */
struct brolga__shared *brolga__memo_find(struct brolga__memo *memo,
                                         brolga_word source, int64_t count);
/* Returns BROLGA_OK or BROLGA_ENOMEM. */
int brolga__memo_add(struct brolga__memo *memo, brolga_word source,
                     int64_t count, brolga_word copy);
/* Restores the sources' counts and writes those of the copies. */
void brolga__memo_settle(struct brolga__memo *memo);
void brolga__memo_free(struct brolga__memo *memo);

/* --- copies of parts (copy.c) ------------------------------------------- */

/*
 * Replaces the word in a slot by a copy. The memo is the caller's, who settles
 * it after the last copy that goes by it. Of the options only the pauses count.
 * On failure the slot holds what was made of the copy, to be dropped once the
 * memo is settled.
 */
int brolga__copy_slot(const brolga_type *type, brolga_word *slot,
                      const struct brolga_copy_opts *pauses,
                      struct brolga__memo *memo);

/* --- where a copy failed (path.c) --------------------------------------- */

/* Fills `error`, if one is wanted, after a copy of this word has failed; or a
 * check, which `keeps` what is unique. */
void brolga__copy_explain(const brolga_type *type, brolga_word word, int code,
                          bool keeps, struct brolga_copy_error *error);

/* --- audits (audit.c) --------------------------------------------------- */

/* Before a copy or a check of a word, which is no plain one. */
static inline int brolga__audit_copy(const brolga_type *type, brolga_word word,
                                     struct brolga_copy_error *error)
{
    return brolga__audits() ? brolga__audit(type, word, false, error)
                            : BROLGA_OK;
}

/* --- searches (path.c) -------------------------------------------------- */

/* One object or word on the way of a search. */
struct brolga__step {
    const brolga_type *type;
    const struct brolga__ctor *ctor; /* of a sum */
    struct brolga_closure_info info; /* of a closure */
    brolga_word value;
    uint64_t next;    /* the reference to visit next */
    uint64_t total;   /* references */
    uint64_t repeats; /* further steps like this one */
    bool is_shared;   /* reached through an object that others refer to */
};

/*
 * A walk, depth-first, that stops at the first culprit. What that is depends on
 * what is looked for: a part that cannot cross; an object with a wrong count;
 * or a given object.
 */
struct brolga__search {
    const struct brolga_model *model;
    struct brolga__step *step;
    uint32_t depth;
    uint32_t capacity;
    struct brolga__memo seen; /* `refs`: how often, in an audit */
    struct brolga_copy_error *error;
    bool keeps;         /* Only what is shared will be copied. */
    bool audits;        /* Counts are compared with references. */
    brolga_word wanted; /* An object to be found, or 0. */
    brolga_word found;  /* The object whose count is wrong. */
};

void brolga__search_begin(struct brolga__search *s, const brolga_type *type,
                          struct brolga_copy_error *error);
/* BROLGA_OK, the culprit's code, or BROLGA_ENOMEM. */
int brolga__search_run(struct brolga__search *s, const brolga_type *type,
                       brolga_word word);
/* The way to where the search has stopped. */
void brolga__search_path(const struct brolga__search *s, char *path,
                         size_t bytes);
void brolga__search_end(struct brolga__search *s);

/* --- uniqueness (unique.c) ---------------------------------------------- */

/* A walk over a value that ends at the first object that something else may
 * refer to. */
struct brolga__uniques {
    struct brolga__vheap *heap; /* whose objects are marked; NULL: none */
    bool kept;                  /* how: brolga__vheap_keep() */
    int (*pause)(void *arg);    /* NULL: none */
    void *pause_arg;
    uint64_t turns_max;
    uint64_t turns; /* that it took, without the one that ended it */
};

/* BROLGA_OK: all are unique, or frozen, as far as it went; BROLGA_EBUSY;
 * BROLGA_ENOMEM; or what the pause returned. */
int brolga__uniques_walk(const brolga_type *type, brolga_word word,
                         struct brolga__uniques *how);

/* --- heaps of tasks (heap.c) -------------------------------------------- */

/* Writes down what a copy in a heap has retained: the handle in a slot, the
 * code of a closure. Returns BROLGA_OK or BROLGA_ENOMEM. */
int brolga__heap_hold_handle(struct brolga__vheap *heap,
                             const brolga_type *type, const brolga_word *slot);
int brolga__heap_hold_code(struct brolga__vheap *heap,
                           const struct brolga_model *model,
                           brolga_word closure);

/* --- sites (site.c) ----------------------------------------------------- */

const char *brolga__site_reason(const struct brolga_site *site);

/* What it sent first; NULL if it has not been used yet. */
const char *brolga__site_type(const struct brolga_site *site);

/* Whether it copies what it should check. */
bool brolga__site_has_given_up(const struct brolga_site *site);

#endif
