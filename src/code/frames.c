/*
 * Frames: the shape of a section .eh_frame. Unwinders trust it: libgcc reads on
 * until it finds the end, and takes what is no description for one. So what a
 * host's compiler has made is looked through before they are told of it.
 *
 * A section is a sequence of entries: 4 bytes of length, not counting these,
 * then 4 bytes that are 0 in a common entry and, in the description of a
 * function, say how far back its common entry begins. Length 0 ends it.
 */
#include "code/code.h"

#include <string.h>

static uint32_t word_at(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* The entry behind this one. */
static const char *next_entry(const char *entry)
{
    return entry + sizeof(uint32_t) + word_at(entry);
}

static bool is_end(const char *entry)
{
    return word_at(entry) == 0;
}

static bool is_common(const char *entry)
{
    return word_at(entry + sizeof(uint32_t)) == 0;
}

/* Whether there is an entry, or the end, within the bytes. Lengths of 64 bits
 * are for sections of gigabytes. */
static bool fits(const char *entry, const char *end)
{
    size_t left = (size_t)(end - entry);
    uint32_t length;

    if (left < sizeof length)
        return false;
    length = word_at(entry);
    return length == 0 ||
           (length >= 2 * sizeof length && length <= left - sizeof length &&
            length < UINT32_MAX);
}

/* Whether a common entry begins at `wanted`, in front of `entry`. */
static bool has_common(const char *section, const char *entry,
                       const char *wanted)
{
    for (const char *at = section; at < entry; at = next_entry(at))
        if (at == wanted)
            return is_common(at);
    return false;
}

static const char *common_of(const char *entry)
{
    const char *back = entry + sizeof(uint32_t);

    return back - (int32_t)word_at(back);
}

bool brolga__frames_valid(const void *section, size_t bytes)
{
    const char *at = section, *end = at + bytes;
    const char *common = NULL; /* The last one that was checked. */
    size_t functions = 0;

    for (; fits(at, end); at = next_entry(at)) {
        if (is_end(at))
            return functions > 0;
        if (is_common(at))
            continue;
        if (common_of(at) != common && !has_common(section, at, common_of(at)))
            return false;
        common = common_of(at);
        functions++;
    }
    return false;
}

bool brolga__frames_each(const void *section,
                         bool (*visit)(void *arg, const void *fde), void *arg)
{
    for (const char *at = section; !is_end(at); at = next_entry(at))
        if (!is_common(at) && !visit(arg, at))
            return false;
    return true;
}
