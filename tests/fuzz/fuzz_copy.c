/*
 * Goal: as tests/copy/test_property.c, with the input instead of chance; and
 * running out of memory at any request leaves nothing behind.
 * Method: each byte of the input is one choice of tests/copy/graph.h. The first
 * picks the preset.
 */
#include "alloc.h"
#include "copy/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct graph g;
    struct choices choices = {.byte = data, .bytes = bytes};
    int64_t live = brolga__alloc_live();
    bool later = choose(&choices, 2) != 0;

    if (bytes == 0)
        return 0;
    graph_start(
        &g, later ? brolga_model_cranelisp_later() : brolga_model_cranelisp(),
        choices);
    graph_memory_round(&g);
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
