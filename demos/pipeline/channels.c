/*
 * The channels: what type they have, and how much they hold.
 */
#include <brolga/module.h>

#include "messages.h"

BROLGA_MODULE(channels, .policy = BROLGA_RECLAIM);

static int open_chan(const brolga_type *type, const char *name, size_t capacity,
                     brolga_chan **out)
{
    struct brolga_chan_opts opts = {.name = name, .capacity = capacity};

    return brolga_chan_create(type, &opts, out);
}

/* Returns BROLGA_OK or an error; what is open then is for the caller to
 * release. */
BROLGA_EXPORT(int, open_channels, (void *arg))
{
    struct pipeline *pipe = arg;
    int err = open_chan(line_type, "lines", CHAN_LINES, &pipe->lines);

    if (err == BROLGA_OK)
        err = open_chan(line_type, "parsed", CHAN_LINES, &pipe->parsed);
    if (err == BROLGA_OK)
        err = open_chan(line_type, "scored", CHAN_LINES, &pipe->scored);
    if (err == BROLGA_OK)
        err = open_chan(top_type, "tops", 1, &pipe->tops);
    return err;
}
