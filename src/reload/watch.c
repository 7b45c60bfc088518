/*
 * The watcher: which files have changed, and whether they are whole.
 *
 *            event, sweep                 all settled
 *    quiet -------------> burst --look--+--------------> told --> quiet
 *                           ^           |
 *                           +-- waits --+
 *
 * Directories are watched, not files: editors replace files, and a watch stays
 * with the file that was replaced. An event says only that something may have
 * changed, so any event leads to a look, after a quiet period; what has changed
 * is decided by the content's hash, never by times.
 *
 * A file is told once it is settled: not changed for a quiet period, or the
 * same in two looks that are a quiet period apart. An empty file, and one that
 * is gone, get more time: both are what saving often passes through. So does a
 * file that somebody has written into and not closed yet, since the rest may
 * come in pieces that are far apart. As long as one file of a burst is not
 * settled, the others wait with it, up to a limit, so that files that are saved
 * together are reloaded together.
 *
 * Not everything is told by events: writes through a mapping or on another
 * machine are not, nor is a path that leads elsewhere since a link in it was
 * set anew. So a slow sweep compares sizes and times with those of the last
 * look. When it finds what no event has told, it puts the directory's
 * notification up anew, and gives the file more time to settle, since nobody
 * would tell of its next piece either.
 */
#include "reload/watch.h"

#include "alloc.h"
#include "hash.h"
#include "plat.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* In quiet periods: how long an empty file, a missing one, one that nobody has
 * told of, and one that somebody writes into get. */
#define EMPTY_PERIODS   10
#define MISSING_PERIODS 4
#define UNHEARD_PERIODS 10
#define WRITER_PERIODS  20

/* What a look says of a file. */
enum verdict { SAME, WAITS, READY };

static void quiet_over(uv_timer_t *timer);

/* --- the burst ---------------------------------------------------------- */

/* Looks when it has been quiet for a while, or has been loud for too long. */
void brolga__watch_soon(struct brolga__watch *watch)
{
    uint64_t now = brolga__plat_now_ns();
    uint64_t delay = watch->quiet_ns;
    uint64_t latest;

    if (watch->burst_ns == 0)
        watch->burst_ns = now;
    latest = watch->burst_ns + watch->quiet_max_ns;
    if (now + delay > latest)
        delay = latest > now ? latest - now : watch->quiet_ns;
    uv_update_time(watch->loop);
    (void)uv_timer_start(&watch->quiet, quiet_over,
                         (delay + BROLGA_MS - 1) / BROLGA_MS, 0);
}

void brolga__watch_look(struct brolga__watch *watch)
{
    for (size_t i = 0; i < watch->files_count; i++)
        watch->files[i]->touched = true;
    brolga__watch_soon(watch);
}

/* --- reading ------------------------------------------------------------ */

bool brolga__watch_stat(struct brolga__watch *watch, const char *path,
                        uv_stat_t *stat, int *err)
{
    uv_fs_t request;

    *err = uv_fs_stat(watch->loop, &request, path, NULL);
    if (*err == 0)
        *stat = request.statbuf;
    uv_fs_req_cleanup(&request);
    return *err == 0;
}

/* The hash of a file's content; BROLGA_EIO if it cannot be read. */
static int hash_file(const char *path, uint64_t *out)
{
    FILE *file = fopen(path, "re");
    uint64_t hash = BROLGA__HASH_START;
    char chunk[8192];
    size_t got;
    int err = BROLGA_OK;

    if (file == NULL)
        return BROLGA_EIO;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        hash = brolga__hash_bytes(hash, chunk, got);
    if (ferror(file))
        err = BROLGA_EIO;
    (void)fclose(file);
    *out = hash;
    return err;
}

/* When it was changed last, in content or attributes: unlike the time of its
 * modification nobody can set that. */
static int64_t ctime_of(const uv_stat_t *stat)
{
    return (int64_t)stat->st_ctim.tv_sec * (int64_t)BROLGA_S +
           stat->st_ctim.tv_nsec;
}

static bool stat_differs(const struct brolga__watch_file *file,
                         const uv_stat_t *stat)
{
    return file->missing || file->bytes != stat->st_size ||
           file->ctime_ns != ctime_of(stat) || file->inode != stat->st_ino;
}

static void keep_stat(struct brolga__watch_file *file, const uv_stat_t *stat)
{
    file->missing = false;
    file->bytes = stat->st_size;
    file->ctime_ns = ctime_of(stat);
    file->inode = stat->st_ino;
}

/* --- the look at one file ----------------------------------------------- */

/* Whether a file was changed a quiet period ago or before: the timer may come
 * a part of a millisecond early. Clocks that are set back make it look newer,
 * and then the second look decides. */
static bool is_old(const struct brolga__watch *watch, const uv_stat_t *stat)
{
    struct timespec now;
    int64_t now_ns;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    now_ns = (int64_t)now.tv_sec * (int64_t)BROLGA_S + now.tv_nsec;
    return now_ns - ctime_of(stat) >= (int64_t)(watch->quiet_ns - BROLGA_MS);
}

static bool is_settled(const struct brolga__watch *watch,
                       const struct brolga__watch_file *file,
                       const uv_stat_t *stat, uint64_t now)
{
    uint64_t seen_for = now - file->seen_ns;

    if (file->writer_ns != 0 &&
        now - file->writer_ns < WRITER_PERIODS * watch->quiet_ns)
        return false;
    if (stat->st_size == 0)
        return seen_for >= EMPTY_PERIODS * watch->quiet_ns;
    if (file->unheard)
        return seen_for >= UNHEARD_PERIODS * watch->quiet_ns;
    return seen_for >= watch->quiet_ns || is_old(watch, stat);
}

static enum verdict examine_missing(const struct brolga__watch *watch,
                                    struct brolga__watch_file *file,
                                    uint64_t now)
{
    if (!file->missing) {
        file->missing = true;
        file->seen_ns = now;
    }
    file->touched = false;
    if (!file->exists) {
        file->seen_ns = 0;
        return SAME;
    }
    return now - file->seen_ns >= MISSING_PERIODS * watch->quiet_ns ? READY
                                                                    : WAITS;
}

/* The content's hash, or the problem's, which counts as content. */
static uint64_t read_content(struct brolga__watch_file *file,
                             const uv_stat_t *stat, int stat_err)
{
    uint64_t hash;

    file->problem[0] = '\0';
    if (stat_err != 0)
        (void)snprintf(file->problem, sizeof file->problem, "%s",
                       uv_strerror(stat_err));
    else if ((stat->st_mode & S_IFMT) != S_IFREG)
        (void)snprintf(file->problem, sizeof file->problem,
                       "it is not a regular file");
    else if (hash_file(file->path, &hash) == BROLGA_OK)
        return hash;
    else
        (void)snprintf(file->problem, sizeof file->problem,
                       "permission denied, or an error of the disk");
    return ~brolga__hash_bytes(BROLGA__HASH_START, file->problem,
                               strlen(file->problem));
}

static enum verdict examine(struct brolga__watch *watch,
                            struct brolga__watch_file *file, uint64_t now)
{
    uv_stat_t stat = {0};
    bool differs;
    uint64_t hash;
    int err;

    if (watch->dirs[file->dir]->gone)
        return SAME; /* It is told of the directory. */
    if (!brolga__watch_stat(watch, file->path, &stat, &err) &&
        (err == UV_ENOENT || err == UV_ENOTDIR))
        return examine_missing(watch, file, now);
    differs = stat_differs(file, &stat);
    if (!differs && !file->touched && file->seen_ns == 0 && file->told)
        return SAME;
    file->touched = false;
    if (differs)
        brolga__dirs_follow(watch, file);
    hash = read_content(file, &stat, err);
    keep_stat(file, &stat);
    if (file->told && file->exists && hash == file->hash) {
        file->unheard = false;
        file->seen_ns = 0;
        return SAME;
    }
    if (file->seen_ns == 0 || file->seen_hash != hash || differs) {
        file->seen_hash = hash;
        file->seen_ns = now;
    }
    return is_settled(watch, file, &stat, now) ? READY : WAITS;
}

/* --- telling ------------------------------------------------------------ */

static enum brolga__watch_what what_of(const struct brolga__watch_file *file)
{
    if (file->missing)
        return BROLGA__WATCH_REMOVED;
    if (file->problem[0] != '\0')
        return BROLGA__WATCH_UNREADABLE;
    if (!file->told)
        return BROLGA__WATCH_ADDED;
    if (!file->exists && file->hash == file->seen_hash)
        return BROLGA__WATCH_BACK;
    return BROLGA__WATCH_CHANGED;
}

static void tell_file(struct brolga__watch *watch,
                      struct brolga__watch_file *file)
{
    enum brolga__watch_what what = what_of(file);

    file->exists = !file->missing;
    if (file->exists)
        file->hash = file->seen_hash; /* A removed file keeps its last one. */
    file->told = true;
    file->unheard = false;
    file->seen_ns = 0;
    watch->opts.on_file(watch->opts.arg, file, what);
}

/* Reads every file; returns whether one of them is not settled yet. */
static bool examine_all(struct brolga__watch *watch, uint64_t now)
{
    bool waits = false;

    for (size_t i = 0; i < watch->files_count; i++) {
        struct brolga__watch_file *file = watch->files[i];
        enum verdict verdict = examine(watch, file, now);

        file->ready = verdict == READY;
        waits |= verdict == WAITS;
    }
    return waits;
}

/* One look at everything; `at_once` takes files as they are. */
static void look(struct brolga__watch *watch, bool at_once)
{
    uint64_t now = brolga__plat_now_ns();
    uint64_t noticed = watch->burst_ns;
    bool waits = examine_all(watch, now);

    if (waits && !at_once && now < watch->burst_ns + watch->quiet_max_ns) {
        brolga__watch_soon(watch);
        return;
    }
    for (size_t i = 0; i < watch->files_count; i++)
        if (watch->files[i]->ready ||
            (at_once && watch->files[i]->seen_ns != 0))
            tell_file(watch, watch->files[i]);
    if (waits && !at_once)
        brolga__watch_soon(watch);
    else
        watch->burst_ns = 0;
    watch->opts.on_batch(watch->opts.arg, noticed);
}

static void quiet_over(uv_timer_t *timer)
{
    struct brolga__watch *watch = timer->data;

    (void)brolga__dirs_check(watch);
    look(watch, false);
}

/* --- the sweep ---------------------------------------------------------- */

/* Whether a file is not as the last look left it. */
static bool has_moved_on(struct brolga__watch *watch,
                         struct brolga__watch_file *file)
{
    uv_stat_t stat;
    int err;

    if (watch->dirs[file->dir]->gone)
        return false;
    if (!brolga__watch_stat(watch, file->path, &stat, &err))
        return !file->missing && (err == UV_ENOENT || err == UV_ENOTDIR);
    return stat_differs(file, &stat);
}

static void sweep(uv_timer_t *timer)
{
    struct brolga__watch *watch = timer->data;
    bool found;

    if (watch->burst_ns != 0)
        return; /* A look is due anyway. */
    found = brolga__dirs_check(watch);
    for (size_t i = 0; i < watch->files_count; i++) {
        struct brolga__watch_file *file = watch->files[i];

        if (!file->touched && !has_moved_on(watch, file))
            continue;
        if (!file->touched) { /* Its directory did not tell. */
            watch->dirs[file->dir]->suspect = true;
            file->unheard = true;
        }
        file->touched = true;
        found = true;
    }
    if (found)
        brolga__watch_soon(watch);
}

/* --- what there is to watch --------------------------------------------- */

bool brolga__watch_grow(void *array, size_t count)
{
    void **at, *more;

    memcpy(&at, array, sizeof at);
    more = brolga__realloc(at, (count + 1) * sizeof *at);
    if (more == NULL)
        return false;
    memcpy(array, &more, sizeof more);
    return true;
}

/* Few files: a search each is cheap beside the reading of a directory. */
static struct brolga__watch_file *find_file(struct brolga__watch *watch,
                                            const char *path)
{
    for (size_t i = 0; i < watch->files_count; i++)
        if (strcmp(watch->files[i]->path, path) == 0)
            return watch->files[i];
    return NULL;
}

/* Takes a header's content as known: a build has read it. */
static void read_now(struct brolga__watch *watch,
                     struct brolga__watch_file *file)
{
    uv_stat_t stat = {0};
    int err;

    if (!brolga__watch_stat(watch, file->path, &stat, &err) && err == UV_ENOENT)
        return;
    file->hash = read_content(file, &stat, err);
    keep_stat(file, &stat);
    file->exists = true;
    file->told = true;
}

int brolga__watch_file(struct brolga__watch *watch, const char *path,
                       enum brolga__watch_kind kind,
                       struct brolga__watch_file **out)
{
    struct brolga__watch_file *file = find_file(watch, path);

    if (file != NULL) {
        *out = file;
        return BROLGA_OK;
    }
    file = brolga__alloc_zero(sizeof *file);
    if (file == NULL || (file->path = brolga__strdup(path)) == NULL ||
        brolga__dirs_add_of(watch, path, &file->dir) != BROLGA_OK ||
        !brolga__watch_grow(&watch->files, watch->files_count)) {
        if (file != NULL)
            brolga__free(file->path);
        brolga__free(file);
        return BROLGA_ENOMEM;
    }
    file->kind = kind;
    file->missing = true; /* Nobody has looked yet. */
    watch->files[watch->files_count++] = file;
    *out = file;
    return BROLGA_OK;
}

int brolga__watch_header(struct brolga__watch *watch, const char *path,
                         struct brolga__watch_file **out)
{
    int err = brolga__watch_file(watch, path, BROLGA__WATCH_HEADER, out);

    if (err == BROLGA_OK && !(*out)->told)
        read_now(watch, *out);
    return err;
}

bool brolga__watch_is_there(const struct brolga__watch *watch,
                            const struct brolga__watch_file *file)
{
    return !watch->dirs[file->dir]->gone;
}

/* The same content is not enough: it may have been another, or away with its
 * directory, and be back. */
bool brolga__watch_is_fresh(struct brolga__watch *watch,
                            const struct brolga__watch_file *file,
                            uint64_t since_ns)
{
    uint64_t hash;

    if (!file->told || !file->exists || file->problem[0] != '\0')
        return true; /* Nothing was told that could be out of date. */
    brolga__dirs_hear(watch);
    return file->heard_ns < since_ns && brolga__watch_is_there(watch, file) &&
           hash_file(file->path, &hash) == BROLGA_OK && hash == file->hash;
}

int brolga__watch_scan(struct brolga__watch *watch)
{
    watch->missed = false;
    (void)brolga__dirs_check(watch);
    look(watch, true);
    return watch->missed ? BROLGA_ENOMEM : BROLGA_OK;
}

/* --- life --------------------------------------------------------------- */

int brolga__watch_create(struct uv_loop_s *loop,
                         const struct brolga__watch_opts *opts,
                         struct brolga__watch **out)
{
    struct brolga__watch *watch = brolga__alloc_zero(sizeof *watch);

    if (watch == NULL)
        return BROLGA_ENOMEM;
    watch->loop = loop;
    watch->opts = *opts;
    watch->quiet_ns = opts->quiet_ms * BROLGA_MS;
    watch->quiet_max_ns = opts->quiet_max_ms * BROLGA_MS;
    (void)uv_timer_init(loop, &watch->quiet); /* These cannot fail. */
    (void)uv_timer_init(loop, &watch->sweep);
    watch->open_handles = 2;
    watch->quiet.data = watch;
    watch->sweep.data = watch;
    watch->notify = brolga__plat_notify_open();
    if (watch->notify >= 0 &&
        uv_poll_init(loop, &watch->poll, watch->notify) != 0) {
        (void)close(watch->notify);
        watch->notify = UV_ENOMEM; /* The sweep is left. */
    }
    watch->poll.data = watch;
    watch->open_handles += watch->notify >= 0;
    *out = watch;
    return BROLGA_OK;
}

void brolga__watch_start(struct brolga__watch *watch)
{
    watch->started = true;
    brolga__dirs_start(watch);
    (void)uv_timer_start(&watch->sweep, sweep, watch->opts.sweep_ms,
                         watch->opts.sweep_ms);
    brolga__watch_look(watch); /* No event told of saves until now. */
}

void brolga__watch_stop(struct brolga__watch *watch)
{
    watch->started = false;
    brolga__dirs_stop(watch);
    (void)uv_timer_stop(&watch->sweep);
    (void)uv_timer_stop(&watch->quiet);
    watch->burst_ns = 0;
}

static void handle_closed(uv_handle_t *handle)
{
    struct brolga__watch *watch = handle->data;

    if (--watch->open_handles != 0)
        return;
    if (watch->notify >= 0)
        (void)close(watch->notify);
    brolga__dirs_free(watch);
    for (size_t i = 0; i < watch->files_count; i++) {
        brolga__free(watch->files[i]->path);
        brolga__free(watch->files[i]->target);
        brolga__free(watch->files[i]);
    }
    brolga__free(watch->files);
    brolga__free(watch);
}

void brolga__watch_destroy(struct brolga__watch *watch)
{
    brolga__watch_stop(watch);
    uv_close((uv_handle_t *)&watch->quiet, handle_closed);
    uv_close((uv_handle_t *)&watch->sweep, handle_closed);
    if (watch->notify >= 0)
        uv_close((uv_handle_t *)&watch->poll, handle_closed);
}
