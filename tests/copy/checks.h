/*
 * Checks of random values some parts of which something else refers to, too:
 * graph.h with two values that share objects.
 */
#ifndef BROLGA_TESTS_COPY_CHECKS_H
#define BROLGA_TESTS_COPY_CHECKS_H

#include "alloc.h"
#include "copy/graph.h"

/* Two values: the one that is checked, and one that stays. */
struct checks {
    struct graph *g;
    struct graph_type *type, *other_type;
    const brolga_type *parsed, *other_parsed;
    brolga_word word, other;
    brolga_word twin; /* a copy of `word`, made before */
};

static inline void checks_start(struct checks *c, struct graph *g)
{
    c->g = g;
    c->type = graph_choose_type(g, 1 + choose(&g->choices, 5));
    c->other_type = choose(&g->choices, 2) != 0
                        ? c->type
                        : graph_choose_type(g, 1 + choose(&g->choices, 5));
    c->parsed = graph_parse(g, c->type);
    c->other_parsed = graph_parse(g, c->other_type);
    g->object_count = 0;
    c->word = c->other = 0;
    if (choose(&g->choices, 4) != 0)
        c->other = graph_build(g, c->other_type, 4);
    c->word = graph_build(g, c->type, 4);
    if (brolga_copy_word(c->parsed, c->word, &c->twin, NULL) != BROLGA_OK)
        graph_fail("no copy");
}

/* Drops everything; nothing may be left. */
static inline void checks_stop(struct checks *c)
{
    brolga_drop_word(c->parsed, c->twin);
    brolga_drop_word(c->parsed, c->word);
    if (c->other != 0)
        brolga_drop_word(c->other_parsed, c->other);
    if (c->g->live != 0)
        graph_fail("objects are left after a check");
    for (unsigned i = 0; i < GRAPH_CODES; i++)
        if (c->g->code[i].closures != 0)
            graph_fail("pins are left after a check");
}

/* What the value that stays reaches: each object once. */
static inline void checks_reach(const struct checks *c, struct graph_match *m)
{
    m->g = c->g;
    m->count = 0;
    if (c->other == 0 || !graph_is_object(c->other_type, c->other))
        return;
    m->pair[m->count++] =
        (struct graph_pair){c->other_type, c->other, c->other, 1};
    for (unsigned i = 0; i < m->count; i++) {
        struct graph_refs r;

        graph_parts(c->g, m->pair[i].type, m->pair[i].to, &r);
        for (unsigned j = 0; j < r.count; j++) {
            unsigned k = 0;

            if (!graph_is_object(r.type[j], *r.slot[j]))
                continue;
            while (k < m->count && m->pair[k].to != *r.slot[j])
                k++;
            if (k == m->count)
                m->pair[m->count++] =
                    (struct graph_pair){r.type[j], *r.slot[j], *r.slot[j], 0};
            m->pair[k].refs++;
        }
    }
}

/* Whether an object is among those that the value that stays reaches. */
static inline bool checks_has(const struct graph_match *m, brolga_word v)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->pair[i].to == v)
            return true;
    return false;
}

/* Walks the checked value: none of it may be the other's, whose counts are now
 * the references that are left. */
static inline void checks_disjoint(const struct checks *c)
{
    static struct graph_match other, mine;
    struct checks as_other = *c;

    checks_reach(c, &other);
    for (unsigned i = 0; i < other.count; i++)
        if (*graph_count(c->g, other.pair[i].to) != other.pair[i].refs)
            graph_fail("the value that stays has a wrong count");
    as_other.other = c->word;
    as_other.other_type = c->type;
    checks_reach(&as_other, &mine);
    for (unsigned i = 0; i < mine.count; i++)
        if (checks_has(&other, mine.pair[i].to))
            graph_fail("a checked value shares an object with one that stays");
}

/* A check must succeed, and be right. */
static inline void checks_round(struct graph *g)
{
    struct brolga_copy_error error = {0};
    struct brolga_check_stats stats;
    struct checks c;
    uint64_t made;

    checks_start(&c, g);
    if (brolga_check_word(c.parsed, c.word, &c.word, &stats, &error) !=
        BROLGA_OK)
        graph_fail(error.text);
    graph_compare_how(g, c.type, c.twin, c.word, stats.kept > 0);
    checks_disjoint(&c);
    /* Now all of it is unique or shared inside: once more keeps the former. */
    made = stats.replaced;
    if (brolga_check_word(c.parsed, c.word, &c.word, &stats, &error) !=
        BROLGA_OK)
        graph_fail(error.text);
    if (made == 0 && stats.replaced != 0)
        graph_fail("a unique value has become shared");
    graph_compare_how(g, c.type, c.twin, c.word, stats.kept > 0);
    checks_stop(&c);
}

/* A check that may fail, for the n-th request does: then nothing has changed.
 * True once it has succeeded. */
static inline bool checks_fail_once(struct checks *c, uint64_t n)
{
    uint64_t digest = graph_digest(c->g);
    int64_t live = brolga__alloc_live();
    brolga_word was = c->word;
    int err;

    brolga__alloc_fail_nth(n);
    err = brolga_check_word(c->parsed, c->word, &c->word, NULL, NULL);
    brolga__alloc_fail_nth(0);
    if (err == BROLGA_OK)
        return true;
    if (err != BROLGA_ENOMEM || c->word != was)
        graph_fail("a failure of memory is told as something else");
    if (brolga__alloc_live() != live || graph_digest(c->g) != digest)
        graph_fail("a check that failed has left something behind");
    return false;
}

static inline void checks_fail_round(struct graph *g)
{
    struct checks c;
    uint64_t n = 1;

    checks_start(&c, g);
    while (!checks_fail_once(&c, n)) /* Ends: requests are finite. */
        n++;
    graph_compare_how(g, c.type, c.twin, c.word, true);
    checks_disjoint(&c);
    checks_stop(&c);
}

/* One code is unknown: if a closure of it is there, nothing changes. */
static inline void checks_refusal_round(struct graph *g)
{
    struct brolga_copy_error error = {.code = BROLGA_OK};
    struct graph_code *code = &g->code[choose(&g->choices, GRAPH_CODES)];
    struct checks c;
    brolga_word was;
    uint64_t digest;
    int64_t live;
    int err;

    checks_start(&c, g);
    was = c.word;
    digest = graph_digest(g);
    live = g->live;
    code->is_unknown = true;
    err = brolga_check_word(c.parsed, c.word, &c.word, NULL, &error);
    code->is_unknown = false;
    if (err != BROLGA_OK) {
        if (err != BROLGA_EUNSENDABLE || error.text[0] == '\0' ||
            c.word != was || g->live != live || graph_digest(g) != digest)
            graph_fail("a check that was refused has left something behind");
    }
    checks_stop(&c);
}

#endif
