/*
 * How editors and other tools save a file, as the system calls that they make:
 * each function leaves `text` in the file `name` of a directory. What takes
 * time in them (pauses in the middle of a write) is part of the manner.
 */
#ifndef BROLGA_TESTS_RELOAD_EDITORS_H
#define BROLGA_TESTS_RELOAD_EDITORS_H

#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A file that is saved. */
struct page {
    const char *dir;
    const char *name; /* Without the directory. */
    const char *text;
    uint64_t *random; /* State of the generator. */
};

/* splitmix64 */
static inline uint64_t draw(uint64_t *state, uint64_t below)
{
    uint64_t mix = *state += UINT64_C(0x9e3779b97f4a7c15);

    mix = (mix ^ mix >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mix = (mix ^ mix >> 27) * UINT64_C(0x94d049bb133111eb);
    return (mix ^ mix >> 31) % below;
}

static inline void linger(unsigned ms)
{
    (void)nanosleep(
        &(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000},
        NULL);
}

/* "dir/<before>name<after>" */
static inline char *beside(const struct page *page, const char *before,
                           const char *after, char path[512])
{
    (void)snprintf(path, 512, "%s/%s%s%s", page->dir, before, page->name,
                   after);
    return path;
}

static inline void must(int result, const char *what)
{
    cr_assert(result >= 0, "%s", what);
}

/* Writes in so many pieces, with pauses of up to so many ms between. */
static inline void pour(const struct page *page, int fd, unsigned pieces,
                        unsigned pause_ms)
{
    size_t bytes = strlen(page->text), done = 0;

    must(fd, "open");
    for (unsigned i = 1; i <= pieces; i++) {
        size_t until = bytes * i / pieces;

        cr_assert_eq(write(fd, page->text + done, until - done),
                     (ssize_t)(until - done));
        done = until;
        if (pause_ms > 0 && i < pieces)
            linger((unsigned)draw(page->random, pause_ms + 1));
    }
}

/* Puts the text into a file that is opened with `flags`. */
static inline void put(const struct page *page, const char *path, int flags,
                       unsigned pieces)
{
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);

    pour(page, fd, pieces, 0);
    must(close(fd), "close");
}

static inline void set_old_time(const char *path)
{
    struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

    must(utimensat(AT_FDCWD, path, times, 0), "utimensat");
}

/* --- editors ------------------------------------------------------------ */

/* Looks whether it may create files; moves the old one away, writes a new one,
 * and drops the old one. */
static inline void save_vim(const struct page *page)
{
    char path[512], backup[512], probe[512];

    (void)snprintf(probe, sizeof probe, "%s/4913", page->dir);
    must(close(open(probe, O_CREAT | O_WRONLY | O_EXCL, 0644)), "probe");
    must(unlink(probe), "probe");
    must(rename(beside(page, "", "", path), beside(page, "", "~", backup)),
         "vim");
    put(page, path, O_EXCL, 3);
    must(unlink(backup), "vim");
}

/* With backupcopy=yes: a copy beside, the same file written anew. */
static inline void save_vim_copy(const struct page *page)
{
    char path[512], backup[512];

    put(page, beside(page, "", "~", backup), O_TRUNC, 1);
    put(page, beside(page, "", "", path), O_TRUNC, 3);
    must(unlink(backup), "vim");
}

/* A lock that is a dangling link, a backup that stays. */
static inline void save_emacs(const struct page *page)
{
    char path[512], backup[512], lock[512];

    must(symlink("user@host.1:2", beside(page, ".#", "", lock)), "emacs");
    must(rename(beside(page, "", "", path), beside(page, "", "~", backup)),
         "emacs");
    put(page, path, O_TRUNC, 1);
    must(unlink(lock), "emacs");
}

/* In place, in one or several writes. */
static inline void save_code(const struct page *page)
{
    char path[512];

    put(page, beside(page, "", "", path), O_TRUNC,
        1 + (unsigned)draw(page->random, 4));
}

/* In place too, but cut off last: old text and new are in it for a moment. */
static inline void save_cut(const struct page *page)
{
    char path[512];
    int fd = open(beside(page, "", "", path), O_RDWR | O_CREAT, 0644);

    pour(page, fd, 2, 0);
    must(ftruncate(fd, (off_t)strlen(page->text)), "ftruncate");
    must(close(fd), "close");
}

/* As IDEs do with "safe write". */
static inline void save_ide(const struct page *page)
{
    char path[512], fresh[512], old[512];

    put(page, beside(page, "", "___tmp___", fresh), O_EXCL, 2);
    must(rename(beside(page, "", "", path), beside(page, "", "___old___", old)),
         "ide");
    must(rename(fresh, path), "ide");
    must(unlink(old), "ide");
}

/* --- tools -------------------------------------------------------------- */

static inline void save_sed(const struct page *page)
{
    char path[512], fresh[512];

    put(page, beside(page, "sed", "", fresh), O_EXCL, 1);
    must(rename(fresh, beside(page, "", "", path)), "sed");
}

/* As git checkout does: no rename, but a new file. */
static inline void save_git(const struct page *page)
{
    char path[512];

    must(unlink(beside(page, "", "", path)), "git");
    put(page, path, O_EXCL, 1);
}

static inline void save_cp(const struct page *page)
{
    char path[512];

    put(page, beside(page, "", "", path), O_TRUNC, 1);
    if (draw(page->random, 2) == 0)
        set_old_time(path); /* cp -p */
}

static inline void save_rsync(const struct page *page)
{
    char path[512], fresh[512];

    put(page, beside(page, ".", ".Ab1x", fresh), O_EXCL, 2);
    set_old_time(fresh);
    must(rename(fresh, beside(page, "", "", path)), "rsync");
}

/* Emptied, and written in slices that come slowly; the time is set last. */
static inline void save_slowly(const struct page *page)
{
    char path[512];
    int fd =
        open(beside(page, "", "", path), O_WRONLY | O_TRUNC | O_CREAT, 0644);

    linger((unsigned)draw(page->random, 30));
    pour(page, fd, 4, 60);
    must(close(fd), "close");
    set_old_time(path);
}

/* Gone for longer than a look takes, maybe for long enough to be told. */
static inline void save_after_a_gap(const struct page *page)
{
    char path[512];

    must(unlink(beside(page, "", "", path)), "unlink");
    linger((unsigned)draw(page->random, 120));
    put(page, path, O_EXCL, 2);
}

/* By another name of the same file: no event tells of it. */
static inline void save_unheard(const struct page *page)
{
    char path[512], other[512];

    (void)snprintf(other, sizeof other, "%s+%s", page->dir, page->name);
    must(link(beside(page, "", "", path), other), "link");
    put(page, other, O_TRUNC, 2);
    must(unlink(other), "unlink");
}

/* The name becomes a link, to a file in another directory. */
static inline void save_behind_a_link(const struct page *page)
{
    char path[512], target[512], fresh[512];

    (void)snprintf(target, sizeof target, "%s-%s", page->dir, page->name);
    put(page, target, O_TRUNC, 2);
    must(symlink(target, beside(page, ".", ".new", fresh)), "symlink");
    must(rename(fresh, beside(page, "", "", path)), "rename");
    if (draw(page->random, 2) == 0)
        return;
    linger((unsigned)draw(page->random, 40)); /* And then the target: */
    put(page, target, O_TRUNC, 1);
}

typedef void save_fn(const struct page *page);

static const struct manner {
    const char *name;
    save_fn *save;
} manners[] = {
    {"vim", save_vim},
    {"vim, backupcopy=yes", save_vim_copy},
    {"emacs", save_emacs},
    {"VS Code", save_code},
    {"in place, cut last", save_cut},
    {"IDE", save_ide},
    {"sed -i", save_sed},
    {"git checkout", save_git},
    {"cp", save_cp},
    {"rsync", save_rsync},
    {"slowly", save_slowly},
    {"after a gap", save_after_a_gap},
    {"by another name", save_unheard},
    {"behind a link", save_behind_a_link},
};

#define MANNERS (sizeof manners / sizeof manners[0])

#endif
