/*
 * Sites: modes, counts, and the list of those that were used.
 *
 * A site that checks watches whether that pays. A check was *in vain* if it has
 * replaced at least as many parts as it kept objects: it might as well have
 * copied everything. After 16 of those in a row the site copies, but for one
 * value in 65, which is checked to see whether things have changed.
 *
 * Counts and modes are relaxed: a mode orders nothing, and whoever demotes a
 * site publishes that by whatever tells others of the new code.
 *
 *   A  A reason's text: store_release in demote -> load_acquire in
 *      brolga__site_reason.
 *   B  A site's type as text, written once, when it is listed: store_release
 *      of `used` in brolga__site_list -> load_acquire in brolga__site_type.
 *   L  The list: lock.h, edge A.
 */
#include "copy/copy.h"

#include "lock.h"

#include <stdio.h>

#define VAIN_MAX  16
#define TRY_AGAIN 64

static struct {
    struct brolga__lock lock; /* guards the list, and no other lock */
    struct brolga_site *first;
} sites;

/* --- modes -------------------------------------------------------------- */

static enum brolga_mode mode_of(int32_t mode)
{
    return mode >= BROLGA_MOVE && mode <= BROLGA_COPY ? (enum brolga_mode)mode
                                                      : BROLGA_COPY;
}

enum brolga_mode brolga_site_mode(const struct brolga_site *site)
{
    return mode_of(brolga__load_relaxed(&site->mode));
}

enum brolga_mode brolga_site_demote(struct brolga_site *site,
                                    enum brolga_mode mode, const char *reason)
{
    int32_t was = brolga__load_relaxed(&site->mode);

    mode = mode_of((int32_t)mode);
    do { /* Ends: a mode changes twice at most. */
        if (mode_of(was) >= mode)
            return mode_of(was);
    } while (!brolga__cas_relaxed(&site->mode, &was, (int32_t)mode));
    if (reason != NULL)
        brolga__store_release(&site->reason, reason); /* A: site_reason */
    return mode;
}

const char *brolga__site_reason(const struct brolga_site *site)
{
    return brolga__load_acquire(&site->reason); /* A: demote */
}

const char *brolga__site_type(const struct brolga_site *site)
{
    /* B: site_list */
    return brolga__load_acquire(&site->used) != 0 ? site->type : NULL;
}

/* Whether a site that would check does so this time. */
static bool pays(struct brolga_site *site)
{
    int32_t vain = brolga__load_relaxed(&site->vain);

    if (vain < VAIN_MAX)
        return true;
    if (vain < VAIN_MAX + TRY_AGAIN) {
        brolga__store_relaxed(&site->vain, vain + 1);
        return false;
    }
    brolga__store_relaxed(&site->vain, VAIN_MAX);
    return true;
}

enum brolga_mode brolga__site_begin(struct brolga_site *site,
                                    const brolga_type *type,
                                    enum brolga_mode least)
{
    enum brolga_mode mode = least;

    if (site != NULL) {
        brolga__site_list(site, type);
        if (brolga_site_mode(site) > mode)
            mode = brolga_site_mode(site);
    }
    if (mode == BROLGA_CHECK &&
        (!type->model->exact_counts || (site != NULL && !pays(site))))
        return BROLGA_COPY;
    return mode;
}

/* --- counts ------------------------------------------------------------- */

/* The counts' places; in the order of struct brolga_site_stats. */
enum {
    MOVED,
    CHECKED,
    COPIED,
    KEPT,
    KEPT_BYTES,
    REPLACED,
    COPIED_BYTES,
    IN_VAIN,
    REFUSED,
    RETURNED
};

static inline void count(struct brolga_site *site, int what, uint64_t more)
{
    if (more > 0)
        (void)brolga__add_relaxed(&site->counts[what], more);
}

void brolga__site_sent(struct brolga_site *site, enum brolga_mode how)
{
    count(site, MOVED + (int)how - BROLGA_MOVE, 1);
}

void brolga__site_copied(struct brolga_site *site, uint64_t bytes)
{
    count(site, COPIED_BYTES, bytes);
}

void brolga__site_refused(struct brolga_site *site)
{
    count(site, REFUSED, 1);
}

void brolga__site_returned(struct brolga_site *site)
{
    count(site, RETURNED, 1);
}

static void count_check(struct brolga_site *site,
                        const struct brolga_check_stats *stats)
{
    int32_t vain = brolga__load_relaxed(&site->vain);

    count(site, KEPT, stats->kept);
    count(site, KEPT_BYTES, stats->kept_bytes);
    count(site, REPLACED, stats->replaced);
    count(site, COPIED_BYTES, stats->copied_bytes);
    if (stats->replaced == 0 || stats->replaced < stats->kept) {
        if (vain != 0)
            brolga__store_relaxed(&site->vain, 0);
        return;
    }
    count(site, IN_VAIN, 1);
    if (vain < VAIN_MAX)
        brolga__store_relaxed(&site->vain, vain + 1);
}

int brolga__site_check(struct brolga_site *site, const brolga_type *type,
                       void *at, const struct brolga_copy_opts *opts)
{
    struct brolga_check_stats stats;
    int err = brolga_check_with(type, at, opts, &stats, NULL);

    if (err == BROLGA_OK && site != NULL)
        count_check(site, &stats);
    return err;
}

bool brolga__site_has_given_up(const struct brolga_site *site)
{
    return brolga__load_relaxed(&site->vain) >= VAIN_MAX;
}

void brolga_site_stats(const struct brolga_site *site,
                       struct brolga_site_stats *out)
{
    uint64_t now[RETURNED + 1];

    for (int i = 0; i <= RETURNED; i++)
        now[i] = brolga__load_relaxed(&site->counts[i]);
    *out = (struct brolga_site_stats){.moved = now[MOVED],
                                      .checked = now[CHECKED],
                                      .copied = now[COPIED],
                                      .kept = now[KEPT],
                                      .kept_bytes = now[KEPT_BYTES],
                                      .replaced = now[REPLACED],
                                      .copied_bytes = now[COPIED_BYTES],
                                      .in_vain = now[IN_VAIN],
                                      .refused = now[REFUSED],
                                      .returned = now[RETURNED]};
}

/* --- the list ----------------------------------------------------------- */

void brolga__site_list(struct brolga_site *site, const brolga_type *type)
{
    if (brolga__load_relaxed(&site->used) != 0) /* Whoever listed it is done, or
                                                   about to be. */
        return;
    brolga__lock_take(&sites.lock);
    if (brolga__load_relaxed(&site->used) == 0) { /* L */
        (void)snprintf(site->type, sizeof(site->type), "%s",
                       type != NULL ? brolga_type_name(type) : "words");
        site->next = sites.first;
        sites.first = site;
        brolga__store_release(&site->used, 1); /* B: site_type */
    }
    brolga__lock_leave(&sites.lock);
}

size_t brolga_sites_each(void (*visit)(void *arg,
                                       const struct brolga_site *site),
                         void *arg)
{
    size_t visited = 0;

    brolga__lock_take(&sites.lock);
    for (const struct brolga_site *s = sites.first; s != NULL; s = s->next) {
        visit(arg, s);
        visited++;
    }
    brolga__lock_leave(&sites.lock);
    return visited;
}

void brolga_sites_forget(const void *from, size_t bytes)
{
    struct brolga_site **at = &sites.first;

    brolga__lock_take(&sites.lock);
    while (*at != NULL) { /* Each turn forgets a site or goes on to another. */
        struct brolga_site *site = *at;

        if ((uintptr_t)site - (uintptr_t)from >= bytes) {
            at = &site->next;
            continue;
        }
        *at = site->next;
        brolga__store_relaxed(&site->used, 0); /* L */
    }
    brolga__lock_leave(&sites.lock);
}
