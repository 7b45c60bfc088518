/*
 * The copy layer's door for layers above: what collections are made of.
 *
 * The other functions of the layer are public, in brolga/copy.h.
 */
#ifndef BROLGA_SRC_COPY_PARTS_H
#define BROLGA_SRC_COPY_PARTS_H

#include <brolga/copy.h>

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

/*
 * Whether every object of a value is referred to once, as its count says, or is
 * frozen: then one task may use it as its own while all others rest. Reads
 * only. False also if that cannot be told.
 */
bool brolga__is_unique(const brolga_type *type, brolga_word word);

/* One reference more to a value. Not atomic unless the model is. */
void brolga__retain(const brolga_type *type, brolga_word word);

bool brolga__is_closure(const brolga_type *type);
/* The code that a closure calls. */
const void *brolga__closure_code(const brolga_type *type, brolga_word closure);

#endif
