/*
 * What a site has to say for itself: to people, and as JSON.
 *
 * The texts of a host go into JSON as they are, but for what JSON must escape;
 * they are taken to be UTF-8, as C files are.
 */
#include "copy/copy.h"

#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A text that grows in the caller's memory. */
struct out {
    char *text;
    size_t bytes;
    size_t used;
    bool is_cut; /* Something did not fit. */
};

BROLGA_PRINTF(2, 3)
static void put(struct out *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    out->used = brolga__append(out->text, out->bytes, out->used, format, args);
    va_end(args);
    if (out->used + 1 >= out->bytes)
        out->is_cut = true;
}

static const char *mode_name(enum brolga_mode mode)
{
    static const char *const names[] = {"copy", "move", "check", "copy"};

    return names[mode];
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

/* --- for people --------------------------------------------------------- */

static void put_place(struct out *out, const struct brolga_site *site)
{
    if (site->file != NULL && site->line != 0)
        put(out, "%s:%" PRIu32 ": ", site->file, site->line);
    else if (site->file != NULL)
        put(out, "%s: ", site->file);
}

/* What the host says, and what was found here. */
static void put_reasons(struct out *out, const struct brolga_site *site,
                        const struct brolga_site_stats *stats)
{
    const char *reason = brolga__site_reason(site);
    enum brolga_mode mode = brolga_site_mode(site);

    if (reason != NULL && mode != BROLGA_MOVE)
        put(out, "  no move: %s\n", reason);
    if (mode == BROLGA_CHECK && brolga__site_has_given_up(site))
        put(out, "  copies: what is checked is mostly shared\n");
    else if (mode == BROLGA_CHECK && stats->copied > stats->in_vain)
        put(out, "  has copied: counts that are not exact, a channel that "
                 "wants copies, or shared values\n");
    else if (mode == BROLGA_MOVE && stats->checked + stats->copied > 0)
        put(out, "  has not always moved: some channels want checks or "
                 "copies\n");
}

void brolga_site_explain(const struct brolga_site *site, char *text,
                         size_t bytes)
{
    struct out out = {.text = text, .bytes = bytes};
    struct brolga_site_stats s;

    if (bytes == 0)
        return;
    text[0] = '\0';
    brolga_site_stats(site, &s);
    put_place(&out, site);
    put(&out, "'%s' has the mode %s", or_else(site->name, ""),
        mode_name(brolga_site_mode(site)));
    if (brolga__load_relaxed(&site->used) != 0)
        put(&out, ", sends %s", site->type);
    put(&out,
        "\n  sent %" PRIu64 ": %" PRIu64 " moved, %" PRIu64 " checked, %" PRIu64
        " copied; refused %" PRIu64 ", handed back %" PRIu64 "\n",
        s.moved + s.checked + s.copied, s.moved, s.checked, s.copied, s.refused,
        s.returned);
    if (s.kept + s.replaced > 0)
        put(&out,
            "  checks kept %" PRIu64 " objects, %" PRIu64
            " bytes, and copied %" PRIu64 " shared parts\n",
            s.kept, s.kept_bytes, s.replaced);
    if (s.copied_bytes > 0)
        put(&out, "  copied %" PRIu64 " bytes\n", s.copied_bytes);
    put_reasons(&out, site, &s);
}

/* --- for programs ------------------------------------------------------- */

static void put_string(struct out *out, const char *key, const char *text)
{
    put(out, "\"%s\":\"", key);
    for (; text != NULL && *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            put(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            put(out, "\\u%04x", c);
        else
            put(out, "%c", c);
    }
    put(out, "\"");
}

static void put_count(struct out *out, const char *key, uint64_t count)
{
    put(out, ",\"%s\":%" PRIu64, key, count);
}

static void put_counts(struct out *out, const struct brolga_site_stats *s)
{
    put_count(out, "moved", s->moved);
    put_count(out, "checked", s->checked);
    put_count(out, "copied", s->copied);
    put_count(out, "kept", s->kept);
    put_count(out, "kept_bytes", s->kept_bytes);
    put_count(out, "replaced", s->replaced);
    put_count(out, "copied_bytes", s->copied_bytes);
    put_count(out, "in_vain", s->in_vain);
    put_count(out, "refused", s->refused);
    put_count(out, "returned", s->returned);
}

void brolga_site_json(const struct brolga_site *site, char *text, size_t bytes)
{
    struct out out = {.text = text, .bytes = bytes};
    struct brolga_site_stats stats;

    if (bytes == 0)
        return;
    text[0] = '\0';
    brolga_site_stats(site, &stats);
    put(&out, "{");
    put_string(&out, "name", site->name);
    put(&out, ",");
    put_string(&out, "file", site->file);
    put_count(&out, "line", site->line);
    put(&out, ",");
    put_string(&out, "type", site->type);
    put(&out, ",");
    put_string(&out, "mode", mode_name(brolga_site_mode(site)));
    put(&out, ",");
    put_string(&out, "reason", brolga__site_reason(site));
    put_counts(&out, &stats);
    put(&out, "}");
    if (out.is_cut)
        text[0] = '\0'; /* Half an object is none. */
}
