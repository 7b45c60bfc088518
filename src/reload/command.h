/*
 * The compiler's command line, and what it says of headers. Private to
 * command.c and build.c.
 */
#ifndef BROLGA_SRC_RELOAD_COMMAND_H
#define BROLGA_SRC_RELOAD_COMMAND_H

#include "reload/reload.h"

/* Words, each allocated; at[count] is NULL. */
struct brolga__words {
    char **at;
    size_t count;
    bool failed; /* Out of memory: what is there is not complete. */
};

void brolga__words_free(struct brolga__words *words);

/* What all builds have in common. */
struct brolga__command {
    char *cc;
    char *cflags;
    char *include_dir;
    char *fast; /* The compiler of fast builds; NULL = the same, with -O0. */
};

struct brolga__command_files {
    const char *source;
    const char *built;
    const char *depfile;
};

/* BROLGA_OK or BROLGA_ENOMEM; the caller frees it in both cases. */
int brolga__command_copy(const struct brolga__build_opts *opts,
                         struct brolga__command *command);
void brolga__command_free(struct brolga__command *command);
void brolga__command_arguments(struct brolga__words *args,
                               const struct brolga__command *command,
                               enum brolga__tier tier,
                               const struct brolga__command_files *files);
/* Ours, with a directory for temporary files. */
void brolga__command_environment(struct brolga__words *env,
                                 const char *directory);
/* The headers that a build of `source` has read. False: it does not say. */
bool brolga__command_deps(struct brolga__words *deps, const char *depfile,
                          const char *source);

#endif
