/*
 * Goal: as tests/copy/test_property.c, with the input instead of chance; and
 * running out of memory at any request leaves nothing behind.
 * Method: each byte of the input is one choice of tests/copy/graph.h. The first
 * picks the preset, the second the request that fails.
 */
#include "alloc.h"
#include "copy/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* One copy with the n-th request failing. */
static void fail_once(struct graph *g, uint64_t n)
{
    struct graph_type *t = graph_choose_type(g, 5);
    const brolga_type *type = graph_parse(g, t);
    brolga_word from, to = 0;
    uint64_t digest;
    int64_t live;
    int err;

    g->object_count = 0;
    from = graph_build(g, t, 4);
    digest = graph_digest(g);
    live = brolga__alloc_live();
    brolga__alloc_fail_nth(n);
    err = brolga_copy_word(type, from, &to, NULL);
    brolga__alloc_fail_nth(0);
    if (err == BROLGA_OK)
        brolga_drop_word(type, to);
    else if (err != BROLGA_ENOMEM || to != 0)
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
    bool later = choose(&choices, 2) != 0;
    uint64_t nth = 1 + choose(&choices, 60);

    if (bytes == 0)
        return 0;
    graph_start(
        &g, later ? brolga_model_cranelisp_later() : brolga_model_cranelisp(),
        choices);
    fail_once(&g, nth);
    for (int i = 0; i < 4; i++) {
        graph_round(&g);
        graph_refusal_round(&g);
        graph_pause_round(&g);
    }
    brolga_types_destroy(g.types);
    if (brolga__alloc_live() != live)
        graph_fail("memory is left");
    return 0;
}
