/*
 * Goal: for any type and any value of it, the copy is equal, disjoint from its
 * source, shared inside as the source is, with exact counts; the source is
 * untouched, and dropping everything leaves no object and no pin. A copy that
 * is refused leaves nothing, and says where the culprit is.
 * Method: random types, random graphs with sharing, and an oracle that knows
 * the layout only (graph.h). BROLGA_SEED repeats a run.
 */
#include "alloc.h"
#include "graph.h"

#include <criterion/criterion.h>

#define ROUNDS 300

static uint64_t seed(void)
{
    const char *text = getenv("BROLGA_SEED");
    uint64_t number = text != NULL ? strtoull(text, NULL, 0) : brolga_now_ns();

    fprintf(stderr, "seed: BROLGA_SEED=%llu\n", (unsigned long long)number);
    return number | 1;
}

static void rounds(struct brolga_model preset)
{
    static struct graph g;
    uint64_t state = seed();

    for (int i = 0; i < ROUNDS; i++) {
        struct choices choices = {.state = state + (uint64_t)i * 2};

        for (int j = 0; j < 8; j++) /* Similar seeds start alike. */
            (void)choose(&choices, 2);
        graph_start(&g, preset, choices);
        for (int j = 0; j < 20; j++) {
            graph_round(&g);
            graph_refusal_round(&g);
            graph_pause_round(&g);
        }
        brolga_types_destroy(g.types);
        cr_assert_eq(brolga__alloc_live(), 0);
    }
}

Test(property, copies_are_right_in_the_first_preset)
{
    rounds(brolga_model_cranelisp());
}

Test(property, copies_are_right_in_the_later_preset)
{
    rounds(brolga_model_cranelisp_later());
}
