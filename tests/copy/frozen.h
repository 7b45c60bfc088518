/*
 * Random values, frozen, and random values that have frozen parts: what
 * graph.h does for copies. Driven by the same stream of choices.
 */
#ifndef BROLGA_TESTS_COPY_FROZEN_H
#define BROLGA_TESTS_COPY_FROZEN_H

#include "graph.h"

/* Fails unless the set has exactly the regions that a walk has met. */
static inline void frozen_check_leases(const struct graph_match *m,
                                       const struct brolga_leases *leases)
{
    brolga_region *region;
    unsigned count = 0;

    for (size_t at = 0; (region = brolga_leases_next(leases, &at)) != NULL;) {
        count++;
        if (!graph_has_met(m, region) || !brolga_leases_has(leases, region))
            graph_fail("a lease on a region that nothing points into");
    }
    if (count != m->met_count || count != leases->count)
        graph_fail("a region without a lease");
}

/* Fails unless `to` is `from`, frozen into the region. */
static inline void frozen_check(struct graph *g, struct graph_type *t,
                                brolga_word from, brolga_word to,
                                brolga_region *region)
{
    const struct graph_match *m = graph_match(g, t, from, to);
    int64_t count = g->model.frozen_is_zero ? 0 : BROLGA_FROZEN_COUNT;
    struct brolga_region_info info;

    if (m->count == 0) {
        if (m->met_count > 0 ? region != m->met[0] : region != NULL)
            graph_fail("not the region that the value points into");
        return;
    }
    brolga_region_look(region, &info);
    if (info.objects < m->count || info.leases != 1 ||
        info.others != m->met_count)
        graph_fail("a region's record is wrong");
    for (unsigned i = 0; i < m->count; i++) {
        if (*graph_count(g, m->pair[i].to) != count)
            graph_fail("a frozen count is wrong");
        if (brolga_region_of(graph_parse(g, m->pair[i].type), m->pair[i].to) !=
            region)
            graph_fail("a frozen object is not in its region");
    }
}

/* Freezes a random value, which may have frozen parts, and drops the source.
 * The frozen one joins those that may become parts; its lease is returned. */
static inline brolga_region *frozen_make(struct graph *g)
{
    struct graph_type *t = graph_choose_type(g, 1 + choose(&g->choices, 5));
    const brolga_type *type = graph_parse(g, t);
    struct brolga_copy_error error;
    brolga_region *region = NULL;
    brolga_word from, again, to = 0;
    uint64_t digest;

    g->object_count = 0;
    from = graph_build(g, t, 5);
    digest = graph_digest(g);
    if (t->def->kind == INT)
        return NULL;
    if (brolga_freeze(type, from, &to, &region, NULL, &error) != BROLGA_OK ||
        brolga_copy_word(type, from, &again, &error) != BROLGA_OK)
        graph_fail(error.text);
    if (graph_digest(g) != digest)
        graph_fail("the source has changed");
    frozen_check(g, t, from, to, region);
    brolga_drop_word(type, from);
    (void)graph_match(g, t, again, to); /* It outlives its source. */
    brolga_drop_word(type, again);
    brolga_drop_word(type, to); /* Does nothing. */
    /* What is Brolga's own memory is counted at the end of the round. */
    if (!g->is_ours && g->live != 0)
        graph_fail("objects are left");
    g->frozen[g->frozen_count++] = (struct graph_object){t, to};
    return region;
}

/* A random value with frozen parts: what copies and walks find in it. */
static inline void frozen_use(struct graph *g)
{
    struct graph_type *t = graph_choose_type(g, 1 + choose(&g->choices, 5));
    const brolga_type *type = graph_parse(g, t);
    struct brolga_leases copied = {0}, walked = {0};
    struct brolga_copy_error error;
    const struct graph_match *m;
    brolga_word from, to;
    uint64_t digest;

    g->object_count = 0;
    from = graph_build(g, t, 5);
    digest = graph_digest(g);
    if (brolga_copy_with(type, &from, &to,
                         &(struct brolga_copy_opts){.leases = &copied},
                         &error) != BROLGA_OK)
        graph_fail(error.text);
    if (brolga_leases_collect(&walked, type, from) != BROLGA_OK)
        graph_fail("no memory to walk");
    if (graph_digest(g) != digest)
        graph_fail("the source has changed");
    graph_compare(g, t, from, to);
    m = graph_match(g, t, from, to);
    frozen_check_leases(m, &copied);
    frozen_check_leases(m, &walked);
    brolga_drop_word(type, from);
    brolga_drop_word(type, to);
    brolga_leases_end(&walked);
    brolga_leases_end(&copied);
    /* What is Brolga's own memory is counted at the end of the round. */
    if (!g->is_ours && g->live != 0)
        graph_fail("objects are left");
}

/* A few regions that refer to each other, used, and ended in any order. */
static inline void frozen_round(struct graph *g)
{
    brolga_region *region[GRAPH_FROZEN];

    g->frozen_count = 0;
    for (unsigned i = 0; i < GRAPH_FROZEN; i++)
        region[i] = g->frozen_count < GRAPH_FROZEN ? frozen_make(g) : NULL;
    for (unsigned i = 0; i < 8; i++)
        frozen_use(g);
    g->frozen_count = 0;
    for (unsigned left = GRAPH_FROZEN; left > 0; left--) {
        unsigned i = choose(&g->choices, left);

        brolga_region_release(region[i]);
        region[i] = region[left - 1];
    }
    if (brolga_regions_list(NULL, 0) != 0)
        graph_fail("regions are left");
    for (unsigned i = 0; i < GRAPH_CODES; i++)
        if (g->code[i].closures != 0)
            graph_fail("pins are left");
}

#endif
