/* What a site has to say for itself: to people, and as JSON. */
#include "copy/copy.h"

#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A text that grows in the caller's memory. */
struct out {
    char *text;
    size_t bytes;
    size_t used;
};

BROLGA_PRINTF(2, 3)
static void put(struct out *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    out->used = brolga__append(out->text, out->bytes, out->used, format, args);
    va_end(args);
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
    const char *type = brolga__site_type(site);
    struct brolga_site_stats s;

    if (bytes == 0)
        return;
    text[0] = '\0';
    brolga_site_stats(site, &s);
    put_place(&out, site);
    put(&out, "'%s' has the mode %s", or_else(site->name, ""),
        mode_name(brolga_site_mode(site)));
    if (type != NULL)
        put(&out, ", sends %s", type);
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

void brolga_site_json(const struct brolga_site *site, char *text, size_t bytes)
{
    struct brolga__json json = {.text = text, .bytes = bytes};
    struct brolga_site_stats s;

    brolga_site_stats(site, &s);
    brolga__json_begin(&json, '{');
    brolga__json_put_string(&json, "name", site->name);
    brolga__json_put_string(&json, "file", site->file);
    brolga__json_put_number(&json, "line", site->line);
    brolga__json_put_string(&json, "type", brolga__site_type(site));
    brolga__json_put_string(&json, "mode", mode_name(brolga_site_mode(site)));
    brolga__json_put_string(&json, "reason", brolga__site_reason(site));
    brolga__json_put_number(&json, "moved", s.moved);
    brolga__json_put_number(&json, "checked", s.checked);
    brolga__json_put_number(&json, "copied", s.copied);
    brolga__json_put_number(&json, "kept", s.kept);
    brolga__json_put_number(&json, "kept_bytes", s.kept_bytes);
    brolga__json_put_number(&json, "replaced", s.replaced);
    brolga__json_put_number(&json, "copied_bytes", s.copied_bytes);
    brolga__json_put_number(&json, "in_vain", s.in_vain);
    brolga__json_put_number(&json, "refused", s.refused);
    brolga__json_put_number(&json, "returned", s.returned);
    brolga__json_end(&json, '}');
    if (brolga__json_finish(&json) >= bytes && bytes > 0)
        text[0] = '\0'; /* Half an object is none. */
}
