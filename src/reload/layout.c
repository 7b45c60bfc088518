/* Comparing layouts: see layout.h for what they are. */
#include "reload/layout.h"

#include <string.h>

/* One line of a layout; the fields end at a tab or a newline. */
struct line {
    const char *path, *offset, *kind, *name;
};

static size_t length(const char *field)
{
    return strcspn(field, "\t\n");
}

/* Reads the line at `*at` and goes on to the next one; false at the end. */
static bool next_line(const char **at, struct line *line)
{
    if (**at == '\0')
        return false;
    line->path = *at;
    line->offset = line->path + length(line->path) + 1;
    line->kind = line->offset + length(line->offset) + 1;
    line->name = line->kind + length(line->kind) + 1;
    *at = line->name + length(line->name) + 1;
    return true;
}

static bool same(const char *a, const char *b)
{
    size_t bytes = length(a);

    return bytes == length(b) && memcmp(a, b, bytes) == 0;
}

static bool begins(const char *field, const char *with)
{
    return strncmp(field, with, strlen(with)) == 0;
}

/* Whether each value of one enum is one of the other: "enum 4 A=0,B=1,". */
static bool has_values(const char *was, const char *is)
{
    size_t is_bytes = length(is);
    const char *value = strchr(was + 5, ' ');

    if (value == NULL || !begins(is, "enum ") ||
        strncmp(was, is, (size_t)(value - was) + 1) != 0)
        return false;
    value++;
    while (*value != '\t') { /* Each turn is a value, with its comma. */
        size_t bytes = strcspn(value, ",") + 1;
        bool found = false;

        for (size_t i = 6; !found && i + bytes <= is_bytes; i++)
            found = (is[i - 1] == ' ' || is[i - 1] == ',') &&
                    memcmp(is + i, value, bytes) == 0;
        if (!found)
            return false;
        value += bytes;
    }
    return true;
}

static bool same_kind(const struct line *was, const struct line *is)
{
    return same(was->kind, is->kind) ||
           (begins(was->kind, "enum ") && has_values(was->kind, is->kind));
}

static bool same_line(const struct line *was, const struct line *is)
{
    return same(was->path, is->path) && same(was->offset, is->offset) &&
           same_kind(was, is);
}

static bool find_path(const char *layout, const char *path, size_t bytes,
                      struct line *out)
{
    while (next_line(&layout, out))
        if (length(out->path) == bytes && memcmp(out->path, path, bytes) == 0)
            return true;
    return false;
}

/* A pointer to a struct of which nothing is known there: code that has only
 * that looks at nothing in it. */
static bool is_opaque(const struct line *line)
{
    return begins(line->kind, "ptr to a ");
}

/* Whether the path leads through such a pointer. */
static bool is_hidden(const char *layout, const char *path)
{
    size_t bytes = length(path);
    struct line line;

    for (size_t i = 1; i + 1 < bytes; i++)
        if (path[i] == '-' && path[i + 1] == '>' &&
            find_path(layout, path, i, &line) && is_opaque(&line))
            return true;
    return false;
}

/* Where a struct is met for the first time may depend on what is hidden. */
static bool same_pointer(const struct line *was, const struct line *is)
{
    return begins(was->kind, "ptr") && begins(is->kind, "ptr") &&
           (is_opaque(was) || is_opaque(is) ||
            begins(was->kind, "ptr to @") != begins(is->kind, "ptr to @"));
}

static bool agree(const struct line *was, const struct line *is)
{
    return same_line(was, is) ||
           (same(was->offset, is->offset) && same_pointer(was, is));
}

/* Whether the other layout has all lines of one, but for hidden ones. */
static bool has_all(const char *layout, const char *other)
{
    const char *at = layout;
    struct line line, found;

    while (next_line(&at, &line))
        if (!find_path(other, line.path, length(line.path), &found) &&
            !is_hidden(other, line.path))
            return false;
    return true;
}

bool brolga__layout_fits(const char *was, const char *is)
{
    const char *at = was;
    struct line old, new;

    if (strcmp(was, is) == 0)
        return true;
    while (next_line(&at, &old))
        if (find_path(is, old.path, length(old.path), &new) &&
            !agree(&old, &new))
            return false;
    return has_all(was, is) && has_all(is, was);
}

/* --- for people --------------------------------------------------------- */

/* The size alone says little: something in it will say more. */
static bool is_size_only(const struct line *line)
{
    return begins(line->kind, "struct ") || begins(line->kind, "union ");
}

static void add_path(struct brolga__text *text, const struct line *line)
{
    const char *path = line->path + (line->path[0] == '.');

    if (length(line->path) == 0)
        brolga__text_add(text, "it");
    else
        brolga__text_add(text, "'%.*s'", (int)length(path), path);
}

static void add_type(struct brolga__text *text, const struct line *line)
{
    brolga__text_add(text, "%.*s at %.*s", (int)length(line->name), line->name,
                     (int)length(line->offset), line->offset);
}

static void add_change(struct brolga__text *text, const struct line *was,
                       const struct line *is)
{
    add_path(text, was);
    brolga__text_add(text, " was ");
    add_type(text, was);
    brolga__text_add(text, ", is ");
    add_type(text, is);
    /* What differs may not be seen in the names. */
    if (same(was->name, is->name) && same(was->offset, is->offset))
        brolga__text_add(text, " (%.*s, %.*s)", (int)length(was->kind),
                         was->kind, (int)length(is->kind), is->kind);
}

static void add_lone(struct brolga__text *text, const struct line *line,
                     const char *what)
{
    add_path(text, line);
    brolga__text_add(text, ", ");
    add_type(text, line);
    brolga__text_add(text, ", is %s", what);
}

/* The first field that both have and that differs. */
static bool explain_change(struct brolga__text *text, const char *was,
                           const char *is, bool sizes)
{
    struct line old, new;

    while (next_line(&was, &old)) {
        if (!find_path(is, old.path, length(old.path), &new) ||
            agree(&old, &new) || is_size_only(&old) != sizes)
            continue;
        add_change(text, &old, &new);
        return true;
    }
    return false;
}

/* The first field of one that the other has not. */
static bool explain_lone(struct brolga__text *text, const char *layout,
                         const char *other, const char *what)
{
    struct line line, found;

    while (next_line(&layout, &line)) {
        if (find_path(other, line.path, length(line.path), &found) ||
            is_hidden(other, line.path))
            continue;
        add_lone(text, &line, what);
        return true;
    }
    return false;
}

void brolga__layout_explain(struct brolga__text *text, const char *was,
                            const char *is)
{
    if (!explain_lone(text, was, is, "gone") &&
        !explain_lone(text, is, was, "new") &&
        !explain_change(text, was, is, false) &&
        !explain_change(text, was, is, true))
        brolga__text_add(text, "its fields are in another order");
}
