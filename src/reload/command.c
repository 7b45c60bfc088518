/*
 * The compiler's command line, and what the compiler says of headers.
 *
 * There are two tiers. A full build is what the user has asked for. A fast one
 * is of the same compiler with -O0 behind all other flags, or of another one,
 * which gets the same flags.
 */
#include "reload/command.h"

#include "alloc.h"
#include "plat.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPS_MAX ((size_t)1 << 20)

extern char **environ;

/* --- words -------------------------------------------------------------- */

static void words_add_bytes(struct brolga__words *words, const char *at,
                            size_t bytes)
{
    char **more =
        brolga__realloc(words->at, (words->count + 2) * sizeof *words->at);
    char *word = more == NULL ? NULL : brolga__alloc(bytes + 1);

    if (more != NULL)
        words->at = more;
    if (word == NULL) {
        words->failed = true;
        return;
    }
    memcpy(word, at, bytes);
    word[bytes] = '\0';
    words->at[words->count++] = word;
    words->at[words->count] = NULL;
}

static void words_add(struct brolga__words *words, const char *word)
{
    words_add_bytes(words, word, strlen(word));
}

static void words_split(struct brolga__words *words, const char *text)
{
    /* Each turn consumes a word. */
    while (text != NULL && *(text += strspn(text, " \t\n")) != '\0') {
        size_t bytes = strcspn(text, " \t\n");

        words_add_bytes(words, text, bytes);
        text += bytes;
    }
}

void brolga__words_free(struct brolga__words *words)
{
    for (size_t i = 0; i < words->count; i++)
        brolga__free(words->at[i]);
    brolga__free(words->at);
    *words = (struct brolga__words){0};
}

/* --- the command -------------------------------------------------------- */

static int copy_option(const char *text, char **out)
{
    if (text == NULL)
        return BROLGA_OK;
    *out = brolga__strdup(text);
    return *out == NULL ? BROLGA_ENOMEM : BROLGA_OK;
}

static bool is_blank(const char *text)
{
    return text == NULL || text[strspn(text, " \t\n")] == '\0';
}

static const char *default_cc(void)
{
    const char *cc = getenv("CC");

    return is_blank(cc) ? "cc" : cc;
}

int brolga__command_copy(const struct brolga__build_opts *opts,
                         struct brolga__command *command)
{
    const char *cc = opts->cc == NULL ? default_cc() : opts->cc;

    if (copy_option(cc, &command->cc) != BROLGA_OK ||
        copy_option(opts->cflags, &command->cflags) != BROLGA_OK ||
        copy_option(opts->include_dir, &command->include_dir) != BROLGA_OK)
        return BROLGA_ENOMEM;
    return is_blank(opts->fast) ? BROLGA_OK
                                : copy_option(opts->fast, &command->fast);
}

void brolga__command_free(struct brolga__command *command)
{
    brolga__free(command->cc);
    brolga__free(command->cflags);
    brolga__free(command->include_dir);
    brolga__free(command->fast);
}

static void add_dep_flags(struct brolga__words *words, const char *depfile)
{
    words_add(words, "-MMD");
    words_add(words, "-MT");
    words_add(words, "x");
    words_add(words, "-MF");
    words_add(words, depfile);
}

void brolga__command_arguments(struct brolga__words *words,
                               const struct brolga__command *command,
                               enum brolga__tier tier,
                               const struct brolga__command_files *files)
{
    static const char *const fixed[] = {
        "-std=c11", "-g", "-O2", "-fPIC", "-shared", "-fno-omit-frame-pointer"};
    bool fast = tier == BROLGA__TIER_FAST;
    const char *cc =
        fast && command->fast != NULL ? command->fast : command->cc;
    const char *const *flag = brolga__plat_module_flags();

    words_split(words, cc);
    for (size_t i = 0; i < brolga__lengthof(fixed); i++)
        words_add(words, fixed[i]);
    for (; *flag != NULL; flag++)
        words_add(words, *flag);
    if (command->include_dir != NULL) {
        /* As a system directory: its headers neither warn nor are watched. */
        words_add(words, "-isystem");
        words_add(words, command->include_dir);
    }
    add_dep_flags(words, files->depfile);
    words_add(words, "-o");
    words_add(words, files->built);
    words_add(words, files->source);
    /* Last, so that libraries among them follow what needs them. */
    words_split(words, command->cflags);
    if (fast && command->fast == NULL)
        words_add(words, "-O0");
}

void brolga__command_environment(struct brolga__words *words,
                                 const char *directory)
{
    char text[PATH_MAX + 16];

    for (char **at = environ; *at != NULL; at++)
        if (strncmp(*at, "TMPDIR=", 7) != 0)
            words_add(words, *at);
    (void)snprintf(text, sizeof text, "TMPDIR=%s", directory);
    words_add(words, text);
}

/* --- headers ------------------------------------------------------------ */

/* Reads a whole small file; NULL if it cannot be read. */
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t bytes;

    if (file == NULL)
        return NULL;
    text = brolga__alloc(DEPS_MAX + 1);
    if (text != NULL) {
        bytes = fread(text, 1, DEPS_MAX, file);
        text[bytes] = '\0';
    }
    (void)fclose(file);
    return text;
}

/* Takes one file name of a make rule from `*at`, unescaped in place. */
static char *take_dep(char **at)
{
    char *from = *at, *to, *start;

    while (*from == ' ' || *from == '\n' ||
           (from[0] == '\\' && from[1] == '\n'))
        from += from[0] == '\\' ? 2 : 1;
    start = to = from;
    for (; *from != '\0' && *from != ' ' && *from != '\n'; from++) {
        if (from[0] == '\\' && from[1] == '\n')
            break;
        if ((from[0] == '\\' && (from[1] == ' ' || from[1] == '#')) ||
            (from[0] == '$' && from[1] == '$'))
            from++;
        *to++ = *from;
    }
    *at = *from == '\0' ? from : from + 1;
    *to = '\0';
    return start;
}

/* Of a make rule "x: source header header". */
bool brolga__command_deps(struct brolga__words *deps, const char *depfile,
                          const char *source)
{
    char *text = read_text(depfile);
    char *at = text == NULL ? NULL : strchr(text, ':');
    bool known = text != NULL;

    if (at != NULL)
        at++;
    /* Each turn consumes a name; the last one is empty. */
    while (at != NULL) {
        char *dep = take_dep(&at);

        if (*dep == '\0')
            break;
        if (strcmp(dep, source) != 0)
            words_add(deps, dep);
    }
    brolga__free(text);
    return known;
}
