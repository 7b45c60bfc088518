/*
 * Texts for people: building them, and reading those of compilers.
 */
#include "reload/reload.h"

#include "text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void brolga__text_add(struct brolga__text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text->used =
        brolga__append(text->at, sizeof text->at, text->used, format, args);
    va_end(args);
}

const char *brolga__text_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* The number in "<file>:<number>:" if the text at `at` begins so; else 0. */
static uint32_t line_at(const char *at, size_t bytes, const char *file,
                        size_t file_bytes)
{
    uint32_t line = 0;
    size_t i = file_bytes + 1;

    if (bytes <= file_bytes || memcmp(at, file, file_bytes) != 0 ||
        at[file_bytes] != ':')
        return 0;
    for (; i < bytes && at[i] >= '0' && at[i] <= '9' && line < 100000000; i++)
        line = line * 10 + (uint32_t)(at[i] - '0');
    return i < bytes && at[i] == ':' ? line : 0;
}

static bool contains(const char *at, size_t bytes, const char *word)
{
    size_t word_bytes = strlen(word);

    for (size_t i = 0; i + word_bytes <= bytes; i++)
        if (memcmp(at + i, word, word_bytes) == 0)
            return true;
    return false;
}

uint32_t brolga__text_error_line(const char *output, size_t bytes,
                                 const char *file)
{
    size_t file_bytes = strlen(file);
    uint32_t first = 0;

    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(output + at, '\n', bytes - at);
        size_t length = end == NULL ? bytes - at : (size_t)(end - output) - at;
        uint32_t line = line_at(output + at, length, file, file_bytes);

        if (line != 0 && contains(output + at, length, "error"))
            return line;
        if (first == 0)
            first = line;
        at += length + 1;
    }
    return first;
}

/* Names longer than this are not compared: nobody mistypes them so. */
#define NAME_MAX_COMPARED 48

unsigned brolga__text_distance(const char *a, const char *b)
{
    unsigned row[NAME_MAX_COMPARED + 1];
    size_t a_bytes = strlen(a), b_bytes = strlen(b);

    if (a_bytes > NAME_MAX_COMPARED || b_bytes > NAME_MAX_COMPARED)
        return NAME_MAX_COMPARED;
    for (size_t j = 0; j <= b_bytes; j++)
        row[j] = (unsigned)j;
    /* Levenshtein's table, of which one row is kept. */
    for (size_t i = 1; i <= a_bytes; i++) {
        unsigned corner = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_bytes; j++) {
            unsigned best = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_bytes];
}

const char *brolga_reload_event_name(enum brolga_reload_event_kind kind)
{
    switch (kind) {
    case BROLGA_RELOAD_BUILDING:
        return "building";
    case BROLGA_RELOAD_BUILD_FAILED:
        return "build-failed";
    case BROLGA_RELOAD_BUILD_WARNED:
        return "build-warned";
    case BROLGA_RELOAD_REFUSED:
        return "refused";
    case BROLGA_RELOAD_RELOADED:
        return "reloaded";
    case BROLGA_RELOAD_LOCKED:
        return "locked";
    case BROLGA_RELOAD_UNLOCKED:
        return "unlocked";
    case BROLGA_RELOAD_FILE_ADDED:
        return "file-added";
    case BROLGA_RELOAD_FILE_REMOVED:
        return "file-removed";
    case BROLGA_RELOAD_UNLOAD_REFUSED:
        return "unload-refused";
    case BROLGA_RELOAD_WATCH_PROBLEM:
        return "watch-problem";
    case BROLGA_RELOAD_ROLLED_BACK:
        return "rolled-back";
    case BROLGA_RELOAD_STALE:
        return "stale";
    case BROLGA_RELOAD_STALE_ENDED:
        return "stale-ended";
    case BROLGA_RELOAD_NOT_OPTIMISED:
        return "not-optimised";
    }
    return "unknown";
}

const char *brolga_reload_why_name(enum brolga_reload_why why)
{
    switch (why) {
    case BROLGA_RELOAD_NEW:
        return "new";
    case BROLGA_RELOAD_CHANGED:
        return "changed";
    case BROLGA_RELOAD_REBUILT:
        return "rebuilt";
    case BROLGA_RELOAD_RESTORED:
        return "restored";
    case BROLGA_RELOAD_OPTIMISED:
        return "optimised";
    case BROLGA_RELOAD_AGAIN:
        return "again";
    }
    return "unknown";
}

const char *brolga_reload_state_name(enum brolga_reload_state_what what)
{
    switch (what) {
    case BROLGA_RELOAD_STATE_NEW:
        return "new";
    case BROLGA_RELOAD_STATE_KEPT:
        return "kept";
    case BROLGA_RELOAD_STATE_MIGRATED:
        return "migrated";
    case BROLGA_RELOAD_MESSAGES_CHANGED:
        return "messages";
    }
    return "unknown";
}
