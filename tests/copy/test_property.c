/*
 * Goal: for any type and any value of it, the copy is equal, disjoint from its
 * source, shared inside as the source is, with exact counts; the source is
 * untouched, and dropping everything leaves no object and no pin. A copy that
 * is refused leaves nothing, and says where the culprit is.
 * Method: random types, random graphs with sharing, and an oracle that knows
 * the layout only (graph.h). Functions as a compiler would generate them stand
 * in for Brolga's loops in some types; pauses come and stop copies; memory runs
 * out at every request. BROLGA_SEED repeats a run.
 */
#include "alloc.h"
#include "graph.h"

#include <criterion/criterion.h>

/* Of 80 values each; BROLGA_ROUNDS says otherwise. */
#define ROUNDS 100

static void rounds(struct brolga_model preset)
{
    static struct graph g;
    const char *text = getenv("BROLGA_ROUNDS");
    int count = text != NULL ? atoi(text) : ROUNDS;
    uint64_t seed = choices_seed();

    for (int i = 0; i < count; i++) {
        struct choices choices = choices_of(seed, i);

        graph_start(&g, preset, choices);
        for (int j = 0; j < 20; j++) {
            graph_round(&g);
            graph_refusal_round(&g);
            graph_pause_round(&g);
            graph_memory_round(&g);
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
