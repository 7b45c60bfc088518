/*
 * What watch.c and dirs.c share: the watcher. Private to these two.
 */
#ifndef BROLGA_SRC_RELOAD_WATCH_H
#define BROLGA_SRC_RELOAD_WATCH_H

#include "reload/reload.h"

#include <uv.h>

/* A directory; watched as long as the watcher is started. */
struct dir {
    char *path;
    int id;       /* Of the notification; negative: there is none. */
    bool listed;  /* Its *.c and *.h are taken as they come. */
    bool suspect; /* The notification may be dead: put it up anew. */
    bool gone;
    bool told_problem;
    uint64_t device;
    uint64_t inode;
};

struct brolga__watch {
    uv_loop_t *loop;
    bool missed; /* There was no memory for a file. */
    struct brolga__watch_opts opts;
    uint64_t quiet_ns;
    uint64_t quiet_max_ns;
    uv_timer_t quiet;
    uv_timer_t sweep;
    uv_poll_t poll; /* Of `notify`, if that is there. */
    uint32_t open_handles;
    int notify; /* The descriptor, or the reason why there is none. */
    bool started;
    uint64_t burst_ns; /* When the burst began; 0 = quiet. */
    struct dir **dirs;
    size_t dirs_count;
    struct brolga__watch_file **files;
    size_t files_count;
};

/* --- watch.c ------------------------------------------------------------ */

/* A look follows, when it has been quiet for a while. */
void brolga__watch_soon(struct brolga__watch *watch);
bool brolga__watch_stat(struct brolga__watch *watch, const char *path,
                        uv_stat_t *stat, int *err);
/* Room for one more pointer in the array of `count` that `array` points to. */
bool brolga__watch_grow(void *array, size_t count);

/* --- dirs.c ------------------------------------------------------------- */

/* Takes the directory of a path, as a path. */
int brolga__dirs_add_of(struct brolga__watch *watch, const char *path,
                        uint32_t *out);
/* Sees which directories are there, and what is new in them. Returns whether
 * there was something. */
bool brolga__dirs_check(struct brolga__watch *watch);
/* If the file is a link: events of what it leads to are its own. */
void brolga__dirs_follow(struct brolga__watch *watch,
                         struct brolga__watch_file *file);
/* Takes the events that have come, without waiting. */
void brolga__dirs_hear(struct brolga__watch *watch);
void brolga__dirs_start(struct brolga__watch *watch);
void brolga__dirs_stop(struct brolga__watch *watch);
void brolga__dirs_free(struct brolga__watch *watch);

#endif
