/*
 * What objects of a heap hold that has to be given back when they end with it:
 * pins of code, handles. A hash table by the object's address; an object may be
 * in it several times.
 */
#ifndef BROLGA_SRC_HOLDS_H
#define BROLGA_SRC_HOLDS_H

#include <brolga/base.h>

struct brolga__hold {
    struct brolga__hold *next; /* in its bucket */
    const void *object;
    void (*release)(brolga_word word, void *arg);
    void *arg;
    brolga_word word;
};

/* Zeroed it is empty. For one thread at a time. */
struct brolga__holds_of {
    struct brolga__hold **bucket;
    uint32_t buckets; /* a power of two, or 0 */
    uint32_t count;
};

/* Writes something down. Returns BROLGA_OK or BROLGA_ENOMEM. */
int brolga__holds_add(struct brolga__holds_of *holds,
                      const struct brolga__hold *hold);

/* Forgets what an object held. */
void brolga__holds_forget(struct brolga__holds_of *holds, const void *object);

/* Frees the table; gives back what `ends` says, if it is not NULL. */
void brolga__holds_end(struct brolga__holds_of *holds,
                       bool (*ends)(const void *object));

#endif
