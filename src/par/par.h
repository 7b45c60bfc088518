/*
 * The parallel layer inside: spans, and what collections add to them.
 *
 *   span.c    numbers cut into spans, done by tasks
 *   elements.c the elements of a collection, lent or copied
 *   map.c, filter.c, reduce.c
 */
#ifndef BROLGA_SRC_PAR_PAR_H
#define BROLGA_SRC_PAR_PAR_H

#include <brolga/par.h>

#include "base.h"
#include "copy/parts.h"
#include "lock.h"
#include "tasks/tasks.h"

struct brolga__job;

/* Some of a job's numbers, in the hands of one task. */
struct brolga__span {
    struct brolga__job *job;
    size_t begin, end; /* What is left to do. */
    size_t at;         /* What is being done. */
    size_t chunk;
    uint64_t task; /* Who does it; 0: it has not begun. */
    bool done;     /* It has come to its end, good or bad. */
    bool has_env;
    brolga_word env;                 /* Its own, or lent to it. */
    struct brolga__partial *partial; /* reduce.c */
    struct brolga__span *next;       /* In one of the job's lists. */
};

/*
 * On the caller's frame, which waits. The lock guards what spans change; all
 * else is constant while they run.
 */
struct brolga__job {
    brolga *rt;
    size_t count;
    const struct brolga_par_opts *opts;
    int (*body)(struct brolga__span *span, size_t begin, size_t end);
    /* What the function has besides; NULL: a word. */
    brolga_word env;
    const brolga_type *env_type;

    brolga_scope *scope;
    _Atomic bool stop; /* A hint: begin nothing more. */
    struct brolga__lock lock;
    int err;          /* The first that a body returned. */
    size_t failed_at; /* The least index; `count`: none. */
    uint64_t failed_task;
    struct brolga__span *spare; /* Their `env` is free to be used. */
    struct brolga__span *ended; /* Those that have failed. */
};

/* Does a job. Afterwards `job->ended` and `job->spare` hold its spans, for
 * brolga__job_fini(). Returns as brolga_pfor(). */
int brolga__job_run(struct brolga__job *job,
                    struct brolga_par_failure *failure);
void brolga__job_fini(struct brolga__job *job);

/* --- elements (elements.c) ---------------------------------------------- */

/* For copies of what others may read meanwhile. */
static const struct brolga_copy_opts brolga__reading = {.reads_only = true};

/* The elements of a collection, in order, to be used by spans. */
struct brolga__elements {
    struct brolga__job job; /* The one that looks at them. */
    const brolga_type *type;
    const brolga_word *at;
    size_t count;
    brolga_word *gathered; /* Of a list; else NULL. */
    /* Of those that are not lent; 0: it is. NULL: all are. */
    brolga_word *copies;
    struct brolga_par_failure *failure;
};

/* Finds the elements, and copies those that cannot be lent. BROLGA_EINVAL for
 * what is no collection; else as brolga_pmap(). */
int brolga__elements_open(struct brolga__elements *elements, brolga *rt,
                          const brolga_type *type, brolga_word in,
                          const struct brolga_par_opts *opts,
                          struct brolga_par_failure *failure);
void brolga__elements_close(struct brolga__elements *elements);

static inline brolga_word brolga__element(const brolga_word *at,
                                          const brolga_word *copies, size_t i)
{
    return brolga__unlikely(copies != NULL && copies[i] != 0) ? copies[i]
                                                              : at[i];
}

/* A collection of a type, of `count` values, which become its; 0 of a list may
 * be a value. BROLGA_OK, or BROLGA_ENOMEM: then the values are as before. */
int brolga__collect(const brolga_type *type, const brolga_word *values,
                    size_t count, brolga_word *out);

/* What is called for an element. */
union brolga__code {
    const void *address;
    brolga_word (*fn)(brolga_word env, brolga_word element);
    brolga_word (*fn2)(brolga_word env, brolga_word left, brolga_word right);
};

/* A function for elements, whatever it takes. */
struct brolga__fn {
    void (*fn)(void);
    brolga_slot slot;
    brolga_word env;
    const brolga_type *env_type;
};

/* A job over the elements of a collection. */
struct brolga__over {
    struct brolga__job job;
    struct brolga__elements elements;
    union brolga__code code;
    brolga_slot slot;
};

/* Finds the code, keeps a slot's number, and opens the elements; then close it.
 * BROLGA_OK; BROLGA_EINVAL; BROLGA_ENOENT if the slot is not defined; or as
 * brolga__elements_open(). */
int brolga__over_open(struct brolga__over *over, brolga *rt,
                      const brolga_type *type, brolga_word in,
                      const struct brolga__fn *fn,
                      int (*body)(struct brolga__span *, size_t, size_t),
                      const struct brolga_par_opts *opts,
                      struct brolga_par_failure *failure);
void brolga__over_close(struct brolga__over *over);

/* Calls the body for all elements; as brolga__job_run(), without leftovers. */
int brolga__over_run(struct brolga__over *over,
                     struct brolga_par_failure *failure);

/* What is called for an element now: a slot's newest code. */
static inline union brolga__code
brolga__code_now(const struct brolga__over *over)
{
    union brolga__code code = over->code;

    if (over->slot != 0)
        code.address = brolga_view_self()->slots[over->slot];
    return code;
}

#endif
