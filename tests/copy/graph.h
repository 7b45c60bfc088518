/*
 * Random types and random values of them, and an oracle that compares a copy
 * with its source. Knows nothing of the layer's inside: it has its own small
 * table of types and reads objects by the layout alone. Driven by a stream of
 * bytes, so that a seed or a fuzzer's input can steer it.
 */
#ifndef BROLGA_TESTS_COPY_GRAPH_H
#define BROLGA_TESTS_COPY_GRAPH_H

#include "alloc.h"

#include <brolga/copy.h>
#include <brolga/freeze.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

BROLGA_NORETURN static inline void graph_fail(const char *what)
{
    fprintf(stderr, "graph: %s\n", what);
    abort();
}

/* --- choices ------------------------------------------------------------ */

struct choices {
    const uint8_t *byte; /* NULL: pseudo-random from `state` */
    size_t bytes;
    uint64_t state;
};

static inline uint32_t choose(struct choices *c, uint32_t below)
{
    uint32_t word;

    if (c->byte != NULL) {
        if (c->bytes == 0)
            return 0;
        word = *c->byte++;
        c->bytes--;
        return word % below;
    }
    c->state ^= c->state << 13;
    c->state ^= c->state >> 7;
    c->state ^= c->state << 17;
    return (uint32_t)(c->state >> 33) % below;
}

/* For runs by chance: BROLGA_SEED, or the time; printed. */
static inline uint64_t choices_seed(void)
{
    const char *text = getenv("BROLGA_SEED");
    uint64_t number = text != NULL ? strtoull(text, NULL, 0) : brolga_now_ns();

    fprintf(stderr, "seed: BROLGA_SEED=%llu\n", (unsigned long long)number);
    return number | 1;
}

/* The choices of a round. */
static inline struct choices choices_of(uint64_t seed, int round)
{
    struct choices choices = {.state = seed + (uint64_t)round * 2};

    for (int i = 0; i < 8; i++) /* Similar seeds start alike. */
        (void)choose(&choices, 2);
    return choices;
}

/* --- types -------------------------------------------------------------- */

enum graph_kind { INT, STRING, VEC, SUM, FN };

/* A field's type in terms of the type that it is in. */
enum graph_field { NONE, OF_INT, OF_A, OF_B, OF_SELF, OF_LIST_OF_SELF };

struct graph_ctor {
    unsigned fields;
    enum graph_field field[3];
};

struct graph_def {
    const char *name;
    enum graph_kind kind;
    unsigned params;
    unsigned ctors;
    struct graph_ctor ctor[3];
};

static const struct graph_def graph_defs[] = {
    {"Int", INT, 0, 0, {{0}}},
    {"String", STRING, 0, 0, {{0}}},
    {"Vec", VEC, 1, 0, {{0}}},
    {"List", SUM, 1, 2, {{0}, {2, {OF_A, OF_SELF}}}},
    {"Option", SUM, 1, 2, {{0}, {1, {OF_A}}}},
    {"Tree", SUM, 1, 2, {{0}, {3, {OF_SELF, OF_A, OF_SELF}}}},
    {"Pair", SUM, 2, 1, {{2, {OF_A, OF_B}}}},
    {"Rose", SUM, 1, 1, {{2, {OF_A, OF_LIST_OF_SELF}}}},
    {"Either", SUM, 2, 3, {{1, {OF_A}}, {2, {OF_INT, OF_B}}, {0}}},
    {"Colour", SUM, 0, 3, {{0}, {0}, {0}}},
    {"Fn", FN, 0, 0, {{0}}},
};

#define GRAPH_DEFS     (sizeof(graph_defs) / sizeof(graph_defs[0]))
#define GRAPH_LIST     3
#define GRAPH_FN       10
#define GRAPH_TYPES    512
#define GRAPH_OBJECTS  512
#define GRAPH_CAPTURES 2
#define GRAPH_CODES    3
#define GRAPH_FROZEN   8

static const char graph_text[] =
    "(deftype (Tree a) Tip (Fork [:(Tree a) l :a v :(Tree a) r]))"
    "(deftype (Pair a b) (Pair [:a x :b y]))"
    "(deftype (Rose a) (Rose [:a item :(List (Rose a)) kids]))"
    "(deftype (Either a b) (Left [:a x]) (Right [:Int n :b y]) Neither)"
    "(deftype Colour Red Green Blue)";

struct graph_type {
    const struct graph_def *def;
    struct graph_type *a, *b;
    const brolga_type *compiled; /* NULL: not needed yet */
    struct graph *g;
    char text[256];
};

struct graph_code {
    unsigned captures;
    struct graph_type *type[GRAPH_CAPTURES];
    const brolga_type *capture[GRAPH_CAPTURES];
    int64_t closures; /* that exist: pins less unpins */
    bool is_unknown;  /* the host denies knowing it */
};

/* An object that the test made. */
struct graph_object {
    struct graph_type *type;
    brolga_word value;
};

struct graph {
    struct brolga_model model; /* as the registry has it */
    struct brolga_model preset;
    brolga_types *types;
    struct choices choices;
    struct graph_type type[GRAPH_TYPES];
    unsigned type_count;
    struct graph_code code[GRAPH_CODES];
    struct graph_object object[GRAPH_OBJECTS];
    unsigned object_count;
    bool is_ours; /* objects are the preset's own */
    int64_t live;
    /* Frozen values, which may become parts of new ones. */
    struct graph_object frozen[GRAPH_FROZEN];
    unsigned frozen_count;
};

static inline struct graph_type *graph_intern(struct graph *g, size_t def,
                                              struct graph_type *a,
                                              struct graph_type *b)
{
    struct graph_type *t = g->type;

    for (; t < g->type + g->type_count; t++)
        if (t->def == &graph_defs[def] && t->a == a && t->b == b)
            return t;
    if (g->type_count == GRAPH_TYPES)
        graph_fail("too many types");
    g->type_count++;
    *t = (struct graph_type){.def = &graph_defs[def], .a = a, .b = b};
    if (t->def->kind == FN)
        snprintf(t->text, sizeof(t->text), "(Fn [Int] Int)");
    else if (t->def->params == 0)
        snprintf(t->text, sizeof(t->text), "%s", t->def->name);
    else
        snprintf(t->text, sizeof(t->text), "(%s %.100s%s%.100s)", t->def->name,
                 a->text, b ? " " : "", b ? b->text : "");
    return t;
}

/* A type built from the bottom up: `steps` definitions on top of a word. */
static inline struct graph_type *graph_choose_type(struct graph *g,
                                                   unsigned steps)
{
    struct graph_type *a = &g->type[0], *b = &g->type[0];

    for (; steps > 0; steps--) {
        size_t def = choose(&g->choices, GRAPH_DEFS);
        unsigned params = graph_defs[def].params;

        if (params == 0) {
            b = graph_intern(g, def, NULL, NULL);
            continue;
        }
        if (strlen(a->text) + strlen(b->text) > 90)
            break;
        a = graph_intern(g, def, a, params > 1 ? b : NULL);
    }
    return choose(&g->choices, 8) == 0 ? b : a;
}

static inline struct graph_type *
graph_field_type(struct graph *g, struct graph_type *t, enum graph_field field)
{
    switch (field) {
    case OF_A:
        return t->a;
    case OF_B:
        return t->b;
    case OF_SELF:
        return t;
    case OF_LIST_OF_SELF:
        return graph_intern(g, GRAPH_LIST, t, NULL);
    default:
        return &g->type[0];
    }
}

static inline void graph_generate(struct graph *g, struct graph_type *t);

static inline const brolga_type *graph_parse(struct graph *g,
                                             struct graph_type *t)
{
    struct brolga_type_error error = {0};
    const brolga_type *type = NULL;

    if (t->compiled != NULL)
        return t->compiled;
    if (brolga_type_parse(g->types, t->text, &type, &error) != BROLGA_OK) {
        fprintf(stderr, "%s: %s\n", t->text, error.text);
        graph_fail("a type was refused");
    }
    t->compiled = type;
    t->g = g;
    if (t->def->kind == SUM && choose(&g->choices, 3) == 0)
        graph_generate(g, t);
    return type;
}

/* --- the host ----------------------------------------------------------- */

static inline brolga_word graph_alloc(int64_t bytes, void *arg)
{
    struct graph *g = arg;
    brolga_word value = g->preset.alloc(bytes, NULL);

    g->live += value != 0;
    return value;
}

static inline void graph_free(brolga_word value, void *arg)
{
    struct graph *g = arg;

    g->live--;
    g->preset.free(value, NULL);
}

/* Objects that there are, or at least how their number changes. */
static inline int64_t graph_live(const struct graph *g)
{
    return g->is_ours ? brolga__alloc_live() : g->live;
}

static inline int graph_info(uintptr_t code, struct brolga_closure_info *out,
                             void *arg)
{
    struct graph_code *c = (struct graph_code *)code;

    (void)arg;
    if (c->is_unknown)
        return BROLGA_ENOENT;
    *out = (struct brolga_closure_info){"f", c->captures, c->capture};
    return BROLGA_OK;
}

static inline void graph_pin(uintptr_t code, void *arg)
{
    (void)arg;
    ((struct graph_code *)code)->closures++;
}

static inline void graph_unpin(uintptr_t code, void *arg)
{
    (void)arg;
    ((struct graph_code *)code)->closures--;
}

static inline void graph_add_codes(struct graph *g)
{
    for (unsigned i = 0; i < GRAPH_CODES; i++) {
        g->code[i].captures = i;
        for (unsigned j = 0; j < i; j++) {
            g->code[i].type[j] = graph_choose_type(g, 3);
            g->code[i].capture[j] = graph_parse(g, g->code[i].type[j]);
        }
    }
}

/* `g` is zeroed but for what steers it, and whose memory it is. */
static inline void graph_open(struct graph *g, struct brolga_model preset)
{
    g->preset = preset;
    g->model = preset;
    if (!g->is_ours) {
        g->model.alloc = graph_alloc;
        g->model.free = graph_free;
    }
    g->model.closure_info = graph_info;
    g->model.closure_pin = graph_pin;
    g->model.closure_unpin = graph_unpin;
    g->model.arg = g;
    if (brolga_types_create(&g->model, &g->types) != BROLGA_OK ||
        brolga_types_define(g->types, graph_text, NULL) != BROLGA_OK)
        graph_fail("no registry");
    (void)graph_intern(g, 0, NULL, NULL);
    graph_add_codes(g);
}

static inline void graph_start(struct graph *g, struct brolga_model preset,
                               struct choices choices)
{
    memset(g, 0, sizeof(*g));
    g->choices = choices;
    g->is_ours = choose(&g->choices, 2) != 0;
    graph_open(g, preset);
}

/* The same with the preset's own memory. */
static inline void graph_start_ours(struct graph *g, struct brolga_model preset,
                                    struct choices choices)
{
    memset(g, 0, sizeof(*g));
    g->choices = choices;
    g->is_ours = true;
    graph_open(g, preset);
}

static inline brolga_word *graph_fields(const struct graph *g, brolga_word v)
{
    return (brolga_word *)(uintptr_t)(v + g->preset.fields_at);
}

static inline brolga_word *graph_count(const struct graph *g, brolga_word v)
{
    return (brolga_word *)(uintptr_t)(v + g->preset.count_at);
}

static inline brolga_word *graph_items(const struct graph *g, brolga_word v)
{
    brolga_word data = graph_fields(g, v)[2];

    return g->preset.buffer_alloc ? (brolga_word *)(uintptr_t)data
                                  : graph_fields(g, data);
}

/* --- the references of an object ---------------------------------------- */

struct graph_refs {
    unsigned count;
    brolga_word *slot[16];
    struct graph_type *type[16];
};

static inline void graph_add_ref(struct graph_refs *r, brolga_word *slot,
                                 struct graph_type *type)
{
    r->slot[r->count] = slot;
    r->type[r->count++] = type;
}

static inline struct graph_code *graph_code_of(const struct graph *g,
                                               brolga_word v)
{
    return (struct graph_code *)(uintptr_t)graph_fields(g, v)[0];
}

static inline bool graph_is_object(const struct graph_type *t, brolga_word v)
{
    if (t->def->kind == INT)
        return false;
    return t->def->kind != SUM || (uint64_t)v >= 1024;
}

/* Every part of an object that has a type, scalars too. */
static inline void graph_parts(struct graph *g, struct graph_type *t,
                               brolga_word v, struct graph_refs *r)
{
    brolga_word *field = graph_fields(g, v);

    r->count = 0;
    if (t->def->kind == VEC)
        for (brolga_word i = 0; i < field[0]; i++)
            graph_add_ref(r, &graph_items(g, v)[i], t->a);
    if (t->def->kind == SUM) {
        const struct graph_ctor *ctor = &t->def->ctor[field[0]];

        for (unsigned i = 0; i < ctor->fields; i++)
            graph_add_ref(r, &field[i + 1],
                          graph_field_type(g, t, ctor->field[i]));
    }
    if (t->def->kind == FN) {
        struct graph_code *code = graph_code_of(g, v);

        for (unsigned i = 0; i < code->captures; i++)
            graph_add_ref(r, &field[g->preset.closure_captures / 8 + i],
                          code->type[i]);
    }
}

/* --- generated functions ------------------------------------------------ */

/* Clears the references from `first` on. */
static inline int graph_give_up(const struct graph_refs *r, unsigned first)
{
    for (unsigned i = first; i < r->count; i++)
        if (graph_is_object(r->type[i], *r->slot[i]))
            *r->slot[i] = 0;
    return BROLGA_ENOMEM;
}

/*
 * What a compiler might generate: copies objects of one type as long as the
 * last field is one that nobody else refers to; hands everything else over.
 */
static inline int graph_copy(brolga_copier *copier, brolga_word from,
                             brolga_word *to, void *arg)
{
    struct graph_type *t = arg;
    struct graph *g = t->g;

    for (;;) {
        const struct graph_ctor *ctor = &t->def->ctor[graph_fields(g, from)[0]];
        size_t bytes = (1 + ctor->fields) * 8;
        brolga_word made = brolga_copier_make(copier, (int64_t)bytes);
        struct graph_refs r;

        *to = made;
        if (made == 0)
            return BROLGA_ENOMEM;
        memcpy(graph_fields(g, made), graph_fields(g, from), bytes);
        graph_parts(g, t, made, &r);
        to = NULL;
        for (unsigned i = 0; i < r.count; i++) {
            if (!graph_is_object(r.type[i], *r.slot[i]))
                continue;
            if (i + 1 == r.count && r.type[i] == t &&
                *graph_count(g, *r.slot[i]) == 1 &&
                !brolga_copier_is_due(copier)) {
                to = r.slot[i];
                from = *to;
            } else if (brolga_copier_later(copier, r.type[i]->compiled,
                                           r.slot[i]) != BROLGA_OK) {
                return graph_give_up(&r, i + 1);
            }
        }
        if (to == NULL)
            return BROLGA_OK;
        *to = 0;
    }
}

static inline void graph_drop(brolga_dropper *dropper, brolga_word dead,
                              void *arg)
{
    struct graph_type *t = arg;
    struct graph_refs r;

    while (dead != 0) {
        brolga_word next = 0;

        graph_parts(t->g, t, dead, &r);
        for (unsigned i = 0; i < r.count; i++) {
            brolga_word word = *r.slot[i];

            if (i + 1 == r.count && r.type[i] == t && graph_is_object(t, word))
                next = brolga_dropper_is_last(dropper, word) ? word : 0;
            else
                brolga_dropper_word(dropper, r.type[i]->compiled, word);
        }
        brolga_dropper_free(dropper, dead);
        dead = next;
    }
}

static inline void graph_generate(struct graph *g, struct graph_type *t)
{
    static const char *const no_functions[] = {"Option", "Either", "Pair"};
    struct brolga_generated by = {graph_copy, graph_drop, t};
    int err;

    for (unsigned i = 0; i < t->def->ctors; i++)
        for (unsigned j = 0; j < t->def->ctor[i].fields; j++)
            (void)graph_parse(g,
                              graph_field_type(g, t, t->def->ctor[i].field[j]));
    if (choose(&g->choices, 4) == 0)
        by.drop = NULL;
    else if (choose(&g->choices, 4) == 0)
        by.copy = NULL;
    err = brolga_type_generated(g->types, t->compiled, &by);
    if (err == BROLGA_EINVAL) /* A leaf: some of these are. */
        for (unsigned i = 0; i < 3 && err != BROLGA_OK; i++)
            err = strcmp(t->def->name, no_functions[i]) == 0 ? BROLGA_OK : err;
    if (err != BROLGA_OK && t->def->params > 0)
        graph_fail("functions were refused");
}

/* --- building ----------------------------------------------------------- */

static inline brolga_word graph_remember(struct graph *g, struct graph_type *t,
                                         brolga_word v)
{
    g->object[g->object_count++] = (struct graph_object){t, v};
    return v;
}

static inline bool graph_is_frozen(const struct graph *g,
                                   const struct graph_type *t, brolga_word v)
{
    int64_t count;

    if (!graph_is_object(t, v))
        return false;
    count = *graph_count(g, v);
    return count >= BROLGA_FROZEN_MIN ||
           (count == 0 && g->model.frozen_is_zero);
}

/* A frozen value, counted as the host's code does; 0 if none fits. */
static inline brolga_word graph_reuse_frozen(struct graph *g,
                                             const struct graph_type *t)
{
    unsigned start;

    if (g->frozen_count == 0 || choose(&g->choices, 3) != 0)
        return 0;
    start = choose(&g->choices, g->frozen_count);
    for (unsigned i = 0; i < g->frozen_count; i++) {
        struct graph_object *o = &g->frozen[(start + i) % g->frozen_count];

        if (o->type == t && graph_is_frozen(g, t, o->value)) {
            *graph_count(g, o->value) += !g->model.frozen_is_zero;
            return o->value;
        }
    }
    return 0;
}

/* An object made before, with one more reference; 0 if none fits. */
static inline brolga_word graph_reuse(struct graph *g,
                                      const struct graph_type *t)
{
    unsigned start;
    brolga_word frozen = graph_reuse_frozen(g, t);

    if (frozen != 0)
        return frozen;
    if (g->object_count == 0 || choose(&g->choices, 3) != 0)
        return 0;
    start = choose(&g->choices, g->object_count);
    for (unsigned i = 0; i < g->object_count; i++) {
        struct graph_object *o = &g->object[(start + i) % g->object_count];

        if (o->type == t) {
            ++*graph_count(g, o->value);
            return o->value;
        }
    }
    return 0;
}

static inline brolga_word graph_new(struct graph *g, struct graph_type *t,
                                    const brolga_word *word, size_t words)
{
    brolga_word v = graph_alloc((int64_t)words * 8, g);

    memcpy(graph_fields(g, v), word, words * 8);
    return graph_remember(g, t, v);
}

/* The constructor to use: a small one when the value should end soon. */
static inline unsigned
graph_choose_ctor(struct graph *g, const struct graph_def *def, unsigned depth)
{
    if (depth == 0)
        for (unsigned i = 0; i < def->ctors; i++)
            if (def->ctor[i].fields == 0)
                return i;
    return choose(&g->choices, def->ctors);
}

static inline brolga_word graph_string(struct graph *g, struct graph_type *t)
{
    static const char text[] = "a brolga is a crane that dances";
    brolga_word word[6] = {0};

    word[0] = choose(&g->choices, 32);
    memcpy(&word[1], text, (size_t)word[0]);
    return graph_new(g, t, word, 1 + ((size_t)word[0] + 7) / 8);
}

/*
 * A random value. Recurses to `depth`, a small number, and a little further
 * through types that have no way to end at once.
 */
static inline brolga_word graph_build(struct graph *g, struct graph_type *t,
                                      unsigned depth)
{
    unsigned down = depth == 0 ? 0 : depth - 1;
    brolga_word word[4 + GRAPH_CAPTURES] = {0}, v;

    if (t->def->kind == INT)
        return (brolga_word)choose(&g->choices, 4000) - 1000;
    v = graph_reuse(g, t);
    if (v != 0)
        return v;
    if (g->object_count > GRAPH_OBJECTS - 100)
        down = depth = 0;
    switch (t->def->kind) {
    case STRING:
        return graph_string(g, t);
    case VEC: {
        brolga_word length = depth == 0 ? 0 : choose(&g->choices, 4);
        brolga_word capacity = length + choose(&g->choices, 3), item[4];

        for (brolga_word i = 0; i < length; i++)
            item[i] = graph_build(g, t->a, down);
        word[0] = length;
        word[1] = capacity;
        if (capacity > 0)
            word[2] = g->preset.buffer_alloc
                          ? (brolga_word)(uintptr_t)g->preset.buffer_alloc(
                                capacity * 8, NULL)
                          : graph_alloc(capacity * 8, g);
        v = graph_new(g, t, word, 3);
        if (length > 0)
            memcpy(graph_items(g, v), item, (size_t)length * 8);
        return v;
    }
    case FN: {
        struct graph_code *code =
            &g->code[depth == 0 ? 0 : choose(&g->choices, GRAPH_CODES)];
        size_t first = (size_t)g->preset.closure_captures / 8;

        word[0] = (brolga_word)(uintptr_t)code;
        for (unsigned i = 0; i < code->captures; i++)
            word[first + i] = graph_build(g, code->type[i], down);
        code->closures++;
        return graph_new(g, t, word, first + code->captures);
    }
    default: {
        unsigned tag = graph_choose_ctor(g, t->def, depth);
        const struct graph_ctor *ctor = &t->def->ctor[tag];

        if (ctor->fields == 0)
            return tag;
        word[0] = tag;
        for (unsigned i = 0; i < ctor->fields; i++)
            word[i + 1] =
                graph_build(g, graph_field_type(g, t, ctor->field[i]), down);
        return graph_new(g, t, word, 1 + ctor->fields);
    }
    }
}

/* --- the oracle --------------------------------------------------------- */

struct graph_pair {
    struct graph_type *type;
    brolga_word from, to;
    int64_t refs; /* to `to`, from within the copy */
};

struct graph_match {
    struct graph *g;
    struct graph_pair pair[GRAPH_OBJECTS];
    unsigned count;
    /* Regions of frozen objects that were passed on. */
    brolga_region *met[GRAPH_FROZEN];
    unsigned met_count;
    bool keeps; /* Vecs that were not copied have kept their capacity. */
};

static inline bool graph_has_met(const struct graph_match *m,
                                 const brolga_region *region)
{
    for (unsigned i = 0; i < m->met_count; i++)
        if (m->met[i] == region)
            return true;
    return false;
}

/* Notes that a frozen object is part of both. */
static inline void graph_note_frozen(struct graph_match *m,
                                     struct graph_type *t, brolga_word from,
                                     brolga_word to)
{
    brolga_region *region = brolga_region_of(graph_parse(m->g, t), from);

    if (from != to)
        graph_fail("a frozen object is not passed on");
    if (region != NULL && !graph_has_met(m, region))
        m->met[m->met_count++] = region;
}

/* Notes that `from` became `to`; fails if that contradicts what is known. */
static inline void graph_note(struct graph_match *m, struct graph_type *t,
                              brolga_word from, brolga_word to)
{
    if (!graph_is_object(t, from)) {
        if (from != to)
            graph_fail("a word differs");
        return;
    }
    if (graph_is_frozen(m->g, t, from)) {
        graph_note_frozen(m, t, from, to);
        return;
    }
    for (unsigned i = 0; i < m->count; i++) {
        if ((m->pair[i].from == from) != (m->pair[i].to == to))
            graph_fail("sharing differs");
        if (m->pair[i].from == to || from == to)
            graph_fail("the copy shares an object with its source");
        if (m->pair[i].from == from) {
            m->pair[i].refs++;
            return;
        }
    }
    if (m->count == GRAPH_OBJECTS)
        graph_fail("too many objects");
    m->pair[m->count++] = (struct graph_pair){t, from, to, 1};
}

static inline void graph_match_pair(struct graph_match *m,
                                    const struct graph_pair *p)
{
    struct graph_refs a, b;
    brolga_word *x = graph_fields(m->g, p->from);
    brolga_word *y = graph_fields(m->g, p->to);

    if (x[0] != y[0])
        graph_fail("a tag, a length or a code address differs");
    if (p->type->def->kind == STRING && memcmp(x + 1, y + 1, (size_t)x[0]))
        graph_fail("a text differs");
    if (p->type->def->kind == VEC && !m->keeps && y[1] != y[0])
        graph_fail("a capacity is not trimmed");
    graph_parts(m->g, p->type, p->from, &a);
    graph_parts(m->g, p->type, p->to, &b);
    for (unsigned i = 0; i < a.count; i++)
        graph_note(m, a.type[i], *a.slot[i], *b.slot[i]);
}

/* Fails unless `to` has the shape of a right copy of `from`, or of what a check
 * made of it. */
static inline struct graph_match *graph_match_how(struct graph *g,
                                                  struct graph_type *t,
                                                  brolga_word from,
                                                  brolga_word to, bool keeps)
{
    static struct graph_match m;

    m.g = g;
    m.count = m.met_count = 0;
    m.keeps = keeps;
    graph_note(&m, t, from, to);
    for (unsigned i = 0; i < m.count; i++)
        graph_match_pair(&m,
                         &(struct graph_pair){m.pair[i].type, m.pair[i].from,
                                              m.pair[i].to, 0});
    return &m;
}

static inline struct graph_match *graph_match(struct graph *g,
                                              struct graph_type *t,
                                              brolga_word from, brolga_word to)
{
    return graph_match_how(g, t, from, to, false);
}

/* Fails unless `to` is equal to `from`, and has nothing in common with it or
 * with whoever holds a reference to a part of it. */
static inline void graph_compare_how(struct graph *g, struct graph_type *t,
                                     brolga_word from, brolga_word to,
                                     bool keeps)
{
    const struct graph_match *m = graph_match_how(g, t, from, to, keeps);

    for (unsigned i = 0; i < m->count; i++)
        if (*graph_count(g, m->pair[i].to) != m->pair[i].refs)
            graph_fail("a count is not the number of references");
}

/* Fails unless `to` is a right copy of `from`. */
static inline void graph_compare(struct graph *g, struct graph_type *t,
                                 brolga_word from, brolga_word to)
{
    graph_compare_how(g, t, from, to, false);
}

/* A number that any change of the source's objects changes. */
static inline uint64_t graph_digest(struct graph *g)
{
    uint64_t digest = 1;

    for (unsigned i = 0; i < g->object_count; i++) {
        const struct graph_object *o = &g->object[i];
        struct graph_refs r;

        graph_parts(g, o->type, o->value, &r);
        digest = digest * 31 + (uint64_t)*graph_count(g, o->value);
        digest = digest * 31 + (uint64_t)graph_fields(g, o->value)[0];
        if (o->type->def->kind == VEC)
            digest = digest * 31 + (uint64_t)graph_fields(g, o->value)[1];
        for (unsigned j = 0; j < r.count; j++)
            digest = digest * 31 + (uint64_t)*r.slot[j];
    }
    return digest;
}

/* Pauses until the copy is stopped; -1: it is not. */
static inline int graph_pause(void *arg)
{
    int *left = arg;

    return *left >= 0 && (*left)-- == 0 ? BROLGA_ECANCELED : BROLGA_OK;
}

/* A copy with pauses at odd places, perhaps stopped in one of them. */
static inline void graph_pause_round(struct graph *g)
{
    struct graph_type *t = graph_choose_type(g, 6);
    const brolga_type *type = graph_parse(g, t);
    int left = (int)choose(&g->choices, 8) - 1;
    struct brolga_copy_opts opts = {.pause = graph_pause,
                                    .arg = &left,
                                    .pause_bytes =
                                        1 + choose(&g->choices, 100)};
    brolga_word from, to = 0;
    uint64_t digest;
    int64_t live;
    int err;

    g->object_count = 0;
    from = graph_build(g, t, 5);
    digest = graph_digest(g);
    live = graph_live(g);
    err = brolga_copy_with(type, &from, &to, &opts, NULL);
    if (graph_digest(g) != digest)
        graph_fail("the source has changed");
    if (err == BROLGA_OK) {
        graph_compare(g, t, from, to);
        brolga_drop_word(type, to);
    } else if (err != BROLGA_ECANCELED || to != 0 || left != -1) {
        graph_fail("a copy was stopped by nobody");
    }
    if (graph_live(g) != live)
        graph_fail("a copy with pauses has left something behind");
    brolga_drop_word(type, from);
}

/* A copy that runs out of memory at its first request, its second, and so on,
 * until there are enough. */
static inline void graph_memory_round(struct graph *g)
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
    for (uint64_t n = 1;; n++) {
        brolga__alloc_fail_nth(n);
        err = brolga_copy_word(type, from, &to, NULL);
        brolga__alloc_fail_nth(0);
        if (err == BROLGA_OK)
            break;
        if (err != BROLGA_ENOMEM || to != 0)
            graph_fail("a failure of memory is told as something else");
        if (brolga__alloc_live() != live || graph_digest(g) != digest)
            graph_fail("a failure left something behind");
    }
    graph_compare(g, t, from, to);
    brolga_drop_word(type, to);
    brolga_drop_word(type, from);
}

/* One type, one value, copies, drops; aborts if anything is wrong. */
static inline void graph_round(struct graph *g)
{
    struct graph_type *t = graph_choose_type(g, 1 + choose(&g->choices, 5));
    const brolga_type *type = graph_parse(g, t);
    struct brolga_copy_error error;
    brolga_word from, to, again;
    uint64_t digest;
    int64_t live;

    live = graph_live(g);
    g->object_count = 0;
    from = graph_build(g, t, 5);
    digest = graph_digest(g);
    if (brolga_copy_word(type, from, &to, &error) != BROLGA_OK ||
        brolga_copy_word(type, to, &again, &error) != BROLGA_OK)
        graph_fail(error.text);
    if (graph_digest(g) != digest)
        graph_fail("the source has changed");
    graph_compare(g, t, from, to);
    brolga_drop_word(type, from);
    graph_compare(g, t, to, again);
    brolga_drop_word(type, to);
    brolga_drop_word(type, again);
    if (graph_live(g) != live)
        graph_fail("objects are left");
    for (unsigned i = 0; i < GRAPH_CODES; i++)
        if (g->code[i].closures != 0)
            graph_fail("pins are left");
}

/* Whether a closure of this code is in the value built last. */
static inline bool graph_has_closure(const struct graph *g,
                                     const struct graph_code *code)
{
    for (unsigned i = 0; i < g->object_count; i++)
        if (g->object[i].type->def->kind == FN &&
            graph_code_of(g, g->object[i].value) == code)
            return true;
    return false;
}

/* One value whose closures of one code cannot cross; if there are any, the
 * copy must fail and leave no trace but a message. */
static inline void graph_refusal_round(struct graph *g)
{
    struct graph_type *t = graph_choose_type(g, 6);
    const brolga_type *type = graph_parse(g, t);
    struct graph_code *code = &g->code[choose(&g->choices, GRAPH_CODES)];
    struct brolga_copy_error error = {.code = BROLGA_OK};
    int64_t live, closures[GRAPH_CODES];
    brolga_word from, to = 0;
    uint64_t digest;
    int err;

    g->object_count = 0;
    from = graph_build(g, t, 5);
    digest = graph_digest(g);
    live = graph_live(g);
    for (unsigned i = 0; i < GRAPH_CODES; i++)
        closures[i] = g->code[i].closures;
    code->is_unknown = true;
    err = brolga_copy_word(type, from, &to, &error);
    code->is_unknown = false;
    if ((err == BROLGA_EUNSENDABLE) != graph_has_closure(g, code))
        graph_fail("an unknown closure has crossed, or a known one has not");
    if (err == BROLGA_OK)
        brolga_drop_word(type, to);
    else if (to != 0 || error.code != err || error.text[0] == '\0' ||
             (error.path[0] == '\0') !=
                 (t->def->kind == FN && graph_code_of(g, from) == code))
        graph_fail("a refusal without a place or a reason");
    if (graph_live(g) != live || graph_digest(g) != digest)
        graph_fail("a refused copy has left something behind");
    for (unsigned i = 0; i < GRAPH_CODES; i++)
        if (g->code[i].closures != closures[i])
            graph_fail("a refused copy has left pins behind");
    brolga_drop_word(type, from);
}

#endif
