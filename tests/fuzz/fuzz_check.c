/*
 * Goal: as tests/copy/test_check.c at random, with the input instead of chance:
 * a check keeps what is unique, replaces the rest, and changes nothing when it
 * is refused or runs out of memory, at whatever request.
 * Method: each byte of the input is one choice of tests/copy/checks.h. The
 * first picks the preset.
 */
#include "copy/checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct graph g;
    struct choices choices = {.byte = data, .bytes = bytes};
    int64_t live = brolga__alloc_live();
    struct brolga_model preset = choose(&choices, 2) != 0
                                     ? brolga_model_cranelisp_later()
                                     : brolga_model_cranelisp();

    if (bytes == 0)
        return 0;
    preset.exact_counts = true;
    graph_start(&g, preset, choices);
    checks_fail_round(&g);
    for (int i = 0; i < 3; i++) {
        checks_round(&g);
        checks_refusal_round(&g);
    }
    brolga_types_destroy(g.types);
    if (brolga__alloc_live() != live)
        graph_fail("memory is left");
    return 0;
}
