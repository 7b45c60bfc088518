/*
 * Chains: how what has one layout gets to another, by the migrations that the
 * modules define.
 *
 * One thread uses a chain at a time.
 */
#ifndef BROLGA_SRC_RELOAD_CHAIN_H
#define BROLGA_SRC_RELOAD_CHAIN_H

#include "reload/layout.h"

#define BROLGA__CHAIN_MAX 16

/* What a value looks like in memory. Without a layout, the name of the type,
 * which may be NULL, and its size must do. */
struct brolga__shape {
    const char *layout, *type;
    size_t bytes;
};

/* Whether what has one shape can be used as if it had the other. */
bool brolga__shape_fits(struct brolga__shape was, struct brolga__shape is);

/* Adds what is different. */
void brolga__shape_explain(struct brolga__text *text, struct brolga__shape was,
                           struct brolga__shape is);

/* Adds what to do if there is no chain for `name`, which is of `type` now. */
void brolga__chain_advise(struct brolga__text *text, const char *name,
                          const char *type);

struct brolga__chain {
    unsigned steps; /* 0: there is none. */
    const struct brolga__migration *step[BROLGA__CHAIN_MAX];
    void *between[BROLGA__CHAIN_MAX]; /* What each step but the last fills. */
};

/* The shortest chain for `name`, of migrations of two images, each of which may
 * be NULL. They must outlive it. */
struct brolga__chain brolga__chain_find(struct brolga__shape from,
                                        struct brolga__shape to,
                                        const char *name,
                                        const struct brolga__image *was,
                                        const struct brolga__image *will);

/* Makes room for what is between. BROLGA_OK or BROLGA_ENOMEM; in any case
 * brolga__chain_end() frees it. */
int brolga__chain_begin(struct brolga__chain *chain);
void brolga__chain_end(struct brolga__chain *chain);

/* Takes all steps. Returns the one that failed, or NULL. */
const struct brolga__migration *
brolga__chain_run(const struct brolga__chain *chain, const void *from,
                  void *to);

#endif
