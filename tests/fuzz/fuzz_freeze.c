/*
 * Goal: as the last tests of tests/copy/test_freeze.c, with the input instead
 * of chance; and running out of memory at any request leaves nothing behind.
 * Method: each byte of the input is one choice of tests/copy/frozen.h. The
 * first picks the preset and the kind of host, the second the request that
 * fails.
 */
#include "alloc.h"
#include "copy/frozen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* One freeze with the n-th request failing. */
static void fail_once(struct graph *g, uint64_t n)
{
    struct graph_type *t = graph_choose_type(g, 5);
    const brolga_type *type = graph_parse(g, t);
    brolga_region *region = NULL;
    brolga_word from, to = 0;
    uint64_t digest;
    int64_t live;
    int err;

    g->object_count = 0;
    from = graph_build(g, t, 4);
    digest = graph_digest(g);
    live = brolga__alloc_live();
    brolga__alloc_fail_nth(n);
    err = brolga_freeze(type, from, &to, &region, NULL, NULL);
    brolga__alloc_fail_nth(0);
    if (err == BROLGA_OK)
        brolga_region_release(region);
    else if (err != BROLGA_ENOMEM || to != 0 || region != NULL)
        graph_fail("a failure of memory is told as something else");
    if (brolga__alloc_live() != live || graph_digest(g) != digest)
        graph_fail("a failure left something behind");
    brolga_drop_word(type, from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct graph g;
    struct choices choices = {.byte = data, .bytes = bytes};
    int64_t live = brolga__alloc_live();
    uint32_t kind = choose(&choices, 4);
    uint64_t nth = 1 + choose(&choices, 30);
    struct brolga_model model = (kind & 1) != 0 ? brolga_model_cranelisp_later()
                                                : brolga_model_cranelisp();

    if (bytes == 0)
        return 0;
    model.frozen_is_zero = (kind & 2) != 0;
    graph_start(&g, model, choices);
    fail_once(&g, nth);
    for (int i = 0; i < 2; i++)
        frozen_round(&g);
    brolga_types_destroy(g.types);
    if (brolga__alloc_live() != live)
        graph_fail("memory is left");
    return 0;
}
