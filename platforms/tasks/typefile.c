/*
 * Forms are cut out here, to tell `deftype` from others and to learn names;
 * what is in it is for Brolga's parser. All definitions are made first, in one
 * go, so that they may refer to each other.
 *
 * What is not a definition is blanked in a copy of the text, so that places of
 * errors stay what they are.
 */
#include "typefile.h"

#include "elements.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX       ((size_t)1 << 20)
#define NAME_MAX_BYTES 64
#define TYPE_MAX_BYTES 200

struct file {
    const char *path;
    char *text; /* As it stands there. */
    char *defs; /* The definitions alone. */
};

/* A form: from its parenthesis to behind the other one. */
struct form {
    const char *begin, *end;
};

/* --- telling ------------------------------------------------------------ */

static void tell(const struct file *file, const char *at, const char *text)
{
    unsigned line = 1, column = 1;

    for (const char *p = file->text; p < at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    fprintf(stderr, "tasks: %s:%u:%u: %s; types of this file are not there\n",
            file->path, line, column, text);
}

/* What elements_add() has returned for the form at `at`. */
static bool tell_add(const struct file *file, const char *at, int err,
                     const char *suffix, const struct brolga_type_error *error)
{
    char text[256];

    if (err == BROLGA_OK)
        return true;
    if (err == BROLGA_EEXIST)
        (void)snprintf(text, sizeof text,
                       "there are functions for '%s' already: choose another "
                       "suffix, by (family suffix Type)",
                       suffix);
    else if (err == BROLGA_ELIMIT && error->text[0] == '\0')
        (void)snprintf(text, sizeof text,
                       "too many types: %d are the most, and each deftype "
                       "takes four",
                       ELEMENTS_MAX - ELEMENTS_BUILT_IN);
    else
        (void)snprintf(text, sizeof text, "%s",
                       error->text[0] != '\0' ? error->text
                                              : brolga_strerror(err));
    tell(file, at, text);
    return false;
}

/* --- the text ----------------------------------------------------------- */

/* Skips blanks, commas and comments. */
static const char *skip(const char *p)
{
    for (;;) { /* Ends at the text's NUL. */
        if (*p == ';')
            p += strcspn(p, "\n");
        else if (isspace((unsigned char)*p) || *p == ',')
            p++;
        else
            return p;
    }
}

/* The end of a symbol, which may be empty. */
static const char *symbol_end(const char *p)
{
    return p + strcspn(p, " \t\r\n,;()[]:\"");
}

/* The last character of a text in quotes; at its end, that of all. */
static const char *quote_end(const char *p)
{
    while (p[1] != '\0' && p[1] != '"')
        p += p[1] == '\\' && p[2] != '\0' ? 2 : 1;
    return p[1] == '"' ? p + 1 : p;
}

/* Behind the form that begins here, or NULL: it has no end. */
static const char *form_end(const char *p)
{
    unsigned depth = 0;

    for (; *p != '\0'; p++) {
        if (*p == ';')
            p += strcspn(p, "\n") - 1;
        else if (*p == '"')
            p = quote_end(p);
        else if (*p == '(')
            depth++;
        else if (*p == ')' && --depth == 0)
            return p + 1;
    }
    return NULL;
}

static bool form_is(const struct form *form, const char *word)
{
    const char *p = skip(form->begin + 1);
    size_t bytes = strlen(word);

    return (size_t)(symbol_end(p) - p) == bytes && memcmp(p, word, bytes) == 0;
}

/* What a module of a program has besides: it may be our file as it is. */
static bool is_passed_over(const struct form *form)
{
    static const char *const heads[] = {
        "platform", "import", "export",   "mod",      "defn",
        "defn-",    "impl",   "deftrait", "defmacro", "defmacro-",
        "def",      "def-",   "const",    "const-",   "families"};

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (form_is(form, heads[i]))
            return true;
    return false;
}

/* The next form; false at the end, and after a mistake, which is told. */
static bool next_form(const struct file *file, const char **p,
                      struct form *form, bool *good)
{
    *p = skip(*p);
    if (**p == '\0')
        return false;
    form->begin = *p;
    form->end = **p == '(' ? form_end(*p) : NULL;
    *good =
        form->end != NULL && (form_is(form, "deftype") ||
                              form_is(form, "family") || is_passed_over(form));
    if (*good) {
        *p = form->end;
        return true;
    }
    if (**p == '(' && form->end == NULL)
        tell(file, form->begin, "this form has no end: a ')' is missing");
    else
        tell(file, form->begin,
             "expected (deftype ...) or (family suffix Type)");
    return false;
}

/* --- names -------------------------------------------------------------- */

/* RenderJob: render-job. */
static bool suffix_of(const char *name, size_t bytes, char *suffix)
{
    size_t to = 0;

    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)name[i];
        bool edge = i > 0 && isupper(c) && !isupper((unsigned char)name[i - 1]);

        if (to + 3 > NAME_MAX_BYTES)
            return false;
        if (edge && name[i - 1] != '-')
            suffix[to++] = '-';
        suffix[to++] = (char)tolower(c);
    }
    suffix[to] = '\0';
    return to > 0;
}

static bool add_one(const struct file *file, const char *at, const char *suffix,
                    const char *text)
{
    struct brolga_type_error error = {.text = ""};

    return tell_add(file, at, elements_add(suffix, text, &error), suffix,
                    &error);
}

/* The type of a deftype, and collections of it. */
static bool add_type(const struct file *file, const struct form *form)
{
    static const char *const kinds[][2] = {{"", "%s"},
                                           {"vec-", "(Vec %s)"},
                                           {"option-", "(Option %s)"},
                                           {"list-", "(List %s)"}};
    const char *name = skip(skip(form->begin + 1) + strlen("deftype"));
    size_t bytes = (size_t)(symbol_end(name) - name);
    char own[NAME_MAX_BYTES], suffix[2 * NAME_MAX_BYTES], text[TYPE_MAX_BYTES];

    if (*name == '(') /* It has parameters: which, a `family` says. */
        return true;
    if (!suffix_of(name, bytes, own)) {
        tell(file, name, "this name is too long for a suffix");
        return false;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *open = strchr(kinds[i][1], '%');

        (void)snprintf(suffix, sizeof suffix, "%s%s", kinds[i][0], own);
        (void)snprintf(text, sizeof text, "%.*s%.*s%s",
                       (int)(open - kinds[i][1]), kinds[i][1], (int)bytes, name,
                       open + 2);
        if (!add_one(file, name, suffix, text))
            return false;
    }
    return true;
}

/* (family suffix Type) */
static bool add_family(const struct file *file, const struct form *form)
{
    const char *name = skip(skip(form->begin + 1) + strlen("family"));
    const char *name_end = symbol_end(name), *type = skip(name_end);
    size_t bytes = (size_t)(form->end - 1 - type);
    char suffix[NAME_MAX_BYTES], text[TYPE_MAX_BYTES];

    if (name_end == name || (size_t)(name_end - name) >= sizeof suffix ||
        type >= form->end - 1 || bytes >= sizeof text) {
        tell(file, form->begin,
             "expected (family suffix Type), such as (family tree-int (Tree "
             "Int))");
        return false;
    }
    (void)snprintf(suffix, sizeof suffix, "%.*s", (int)(name_end - name), name);
    (void)snprintf(text, sizeof text, "%.*s", (int)bytes, type);
    return add_one(file, type, suffix, text);
}

/* --- the file ----------------------------------------------------------- */

/* Definitions stay, all else becomes blank. */
static bool cut(struct file *file)
{
    const char *p = file->text;
    struct form form;
    bool good = true;

    while (next_form(file, &p, &form, &good))
        if (!form_is(&form, "deftype"))
            for (const char *q = form.begin; q < form.end; q++)
                if (*q != '\n')
                    file->defs[q - file->text] = ' ';
    return good;
}

static bool define(const struct file *file)
{
    struct brolga_type_error error;

    if (*skip(file->defs) == '\0')
        return true;
    if (elements_define(file->defs, &error) == BROLGA_OK)
        return true;
    tell(file, file->text + error.offset, error.text);
    return false;
}

static void add_all(const struct file *file)
{
    const char *p = file->text;
    struct form form;
    bool good = true;

    while (good && next_form(file, &p, &form, &good))
        if (form_is(&form, "deftype"))
            good = add_type(file, &form);
        else if (form_is(&form, "family"))
            good = add_family(file, &form);
}

/* All of a file; NULL: it was told why not. */
static char *slurp(FILE *stream, const char *path)
{
    char *text = malloc(FILE_MAX + 1);
    size_t bytes = text != NULL ? fread(text, 1, FILE_MAX, stream) : 0;

    if (text == NULL || ferror(stream) || !feof(stream)) {
        fprintf(stderr, "tasks: %s: cannot be read, or is too large\n", path);
        free(text);
        return NULL;
    }
    text[bytes] = '\0';
    return text;
}

void typefile_read(void)
{
    const char *named = getenv("CRANELISP_TASKS_TYPES");
    struct file file = {.path = named != NULL && *named != '\0'
                                    ? named
                                    : "platforms/tasks.types"};
    FILE *stream = fopen(file.path, "re");

    if (stream == NULL) {
        if (file.path == named)
            fprintf(stderr, "tasks: %s: %s (CRANELISP_TASKS_TYPES names it)\n",
                    file.path, strerror(errno));
        return;
    }
    file.text = slurp(stream, file.path);
    (void)fclose(stream);
    file.defs = file.text != NULL ? strdup(file.text) : NULL;
    if (file.defs != NULL && cut(&file) && define(&file))
        add_all(&file);
    free(file.text);
    free(file.defs);
}
