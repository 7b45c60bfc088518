/*
 * Sites: places in a host's code that hand values over, and how they do it.
 *
 * A compiler that knows that a value is not used again, and that nothing else
 * reaches it, need not have it copied. What it knows it writes into a record in
 * static storage, one for each place:
 *
 *     static struct brolga_site site = {
 *         .name = "results", .file = "work.cl", .line = 12,
 *         .mode = BROLGA_CHECK, .reason = "'xs' may be shared: L9"};
 *
 * and sends with brolga_send_site(), in chan.h. Such a send takes the value in
 * every mode, so that the mode can change while the code runs: a reload that
 * weakens what the compiler knew *demotes* the site. Each site counts what it
 * has done, and explains itself.
 *
 * docs/values.md is the chapter on all this.
 */
#ifndef BROLGA_SITE_H
#define BROLGA_SITE_H

#include <brolga/base.h>
#include <brolga/copy.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a value goes to another task. A greater number costs more, and asks less
 * of the host. */
enum brolga_mode {
    BROLGA_MODE_DEFAULT = 0, /* of a site: COPY; of a channel: MOVE */
    BROLGA_MOVE = 1,  /* as it is: the host knows that nothing else reaches it,
                         but for frozen parts */
    BROLGA_CHECK = 2, /* brolga_check(): the host knows that nothing uses it any
                         more, and that counts are exact */
    BROLGA_COPY = 3 /* a copy; the original is dropped when it has been sent */
};

/* Things that threads share: _Atomic is no part of C++, the layout is one. */
#ifdef __cplusplus
typedef uint64_t brolga_shared_count;
typedef const char *brolga_shared_text;
#else
typedef _Atomic uint64_t brolga_shared_count;
typedef const char *_Atomic brolga_shared_text;
#endif

/** What a site has done so far. */
struct brolga_site_stats {
    uint64_t moved;        /* values sent, by how they were */
    uint64_t checked;      /* ... */
    uint64_t copied;       /* ... */
    uint64_t kept;         /* objects that checks have kept, ... */
    uint64_t kept_bytes;   /* ... their bytes, ... */
    uint64_t replaced;     /* ... and shared parts that they have copied */
    uint64_t copied_bytes; /* by checks and copies */
    uint64_t in_vain;      /* checks that replaced no less than they kept */
    uint64_t refused;      /* values that could not cross */
    uint64_t returned;     /* values handed back: closed, canceled, too late, or
                            another arm of a select was done */
};

/**
 * A place that hands values over. In static storage, zeroed but for the first
 * fields, which the host sets.
 */
struct brolga_site {
    const char *name; /* for reports; the texts may be NULL */
    const char *file;
    uint32_t line;             /* 0: not known */
    brolga_shared_int mode;    /* enum brolga_mode */
    brolga_shared_text reason; /* why it is no move: "'xs' used again: L15" */

    /* Brolga's own. */
    brolga_shared_int used; /* It is listed. */
    brolga_shared_int vain; /* checks in a row that were in vain */
    struct brolga_site *next;
    char type[64]; /* that it sent first */
    brolga_shared_count counts[10];
};

/**
 * A site's mode: BROLGA_MOVE, BROLGA_CHECK or BROLGA_COPY.
 *
 * Threads:  any.
 */
BROLGA_API enum brolga_mode brolga_site_mode(const struct brolga_site *site);

/**
 * Change the mode to one that asks less of the host; nothing happens if that
 * would not be less. Sends that begin later go by it: a host that demotes sites
 * before it commits new code knows that no task which runs that code sends in
 * the old mode.
 *
 * Owns:     `reason` must live as long as the site; NULL leaves it as it is.
 * Threads:  any.
 * Returns:  the mode from now on.
 */
BROLGA_API enum brolga_mode brolga_site_demote(struct brolga_site *site,
                                               enum brolga_mode mode,
                                               const char *reason);

/**
 * What a site has done, as of about now.
 *
 * Threads:  any.
 */
BROLGA_API void brolga_site_stats(const struct brolga_site *site,
                                  struct brolga_site_stats *out);

/**
 * Explain a site to a person: what it sends, how often each way, and why it
 * does not move. Several lines.
 *
 * Owns:     up to `bytes` bytes are written to `text`, the ending NUL included.
 * Threads:  any.
 */
BROLGA_API void brolga_site_explain(const struct brolga_site *site, char *text,
                                    size_t bytes);

/**
 * The same for programs: one JSON object, in one line. 1,024 bytes do unless
 * the host's texts are long; a text that does not fit is "".
 *
 * Owns:     up to `bytes` bytes are written to `text`, the ending NUL included.
 * Threads:  any.
 */
BROLGA_API void brolga_site_json(const struct brolga_site *site, char *text,
                                 size_t bytes);

/**
 * Visit every site that has been used and not been forgotten.
 *
 * Threads:  any; `visit` is called on the caller, under a lock that a site's
 *           first use waits for: it must not send by sites, nor forget any.
 * Returns:  the number of sites visited.
 */
BROLGA_API size_t brolga_sites_each(
    void (*visit)(void *arg, const struct brolga_site *site), void *arg);

/**
 * Forget the sites that lie in a range of memory, because it is about to be
 * unmapped. Files loaded by `reload.h` are forgotten by themselves; a host that
 * releases units of its own calls this in their `release`.
 *
 * Threads:  any, when no task can run code that uses the sites.
 */
BROLGA_API void brolga_sites_forget(const void *from, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
