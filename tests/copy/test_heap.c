/*
 * Goal: whatever a task with a heap does with its values, and whenever it
 * fails, afterwards exactly what others hold is there, whole and with all it
 * needs; nothing else is left, no object, no pin, no block. What leaves a heap
 * by a move shares nothing; what does not leave after all stays the task's;
 * that also without memory.
 * Method: three tasks that are accounts only, with random values of random
 * types (graph.h), which are copied, moved, dropped, taken in and handed back
 * at random, until they fail or end. A copy of each value that lies elsewhere
 * says what it should be. BROLGA_SEED repeats a run.
 */
#include "alloc.h"
#include "graph.h"
#include "vheap.h"

#include <brolga/heap.h>
#include <criterion/criterion.h>

#include "copy/parts.h"

/* --- tasks -------------------------------------------------------------- */

static struct brolga__account *running;

static struct brolga__account *find_running(void)
{
    return running;
}

#define TASKS  3
#define VALUES 12

struct value {
    struct graph_type *type; /* NULL: there is none. */
    brolga_word word;
    brolga_word same; /* a copy, in no heap */
    bool is_foreign;  /* not in the heap of who has it */
};

static struct task {
    struct brolga__account account;
    struct value value[VALUES];
} task[TASKS];

static struct value left[VALUES * TASKS]; /* by tasks that ended well */
static unsigned left_count;

static void run_as(struct task *who)
{
    running = who == NULL ? NULL : &who->account;
}

static void task_begin(struct task *who)
{
    memset(who, 0, sizeof(*who));
    cr_assert_eq(brolga__vheap_create(&who->account.heap), BROLGA_OK);
}

static void task_end(struct task *who, bool failed)
{
    struct brolga__vheap *heap = who->account.heap;

    who->account.heap = NULL;
    run_as(NULL);
    brolga__vheap_end(heap, failed);
}

/* --- values ------------------------------------------------------------- */

static const brolga_type *type_of(struct graph *g, const struct value *value)
{
    return graph_parse(g, value->type);
}

static void unpin(brolga_word code, void *arg)
{
    graph_unpin((uintptr_t)code, arg);
}

/* A value as compiled code makes one; what it holds, the host says. */
static void value_make(struct graph *g, struct task *who, struct value *value)
{
    struct graph_type *t = graph_choose_type(g, 1 + choose(&g->choices, 5));
    const brolga_type *type = graph_parse(g, t);

    run_as(who);
    g->object_count = 0;
    value->word = graph_build(g, t, 4);
    value->type = t;
    value->is_foreign = false;
    for (unsigned i = 0; i < g->object_count; i++) {
        const struct graph_object *o = &g->object[i];

        cr_assert(brolga_heap_has((void *)(uintptr_t)o->value));
        if (o->type->def->kind == FN)
            cr_assert_eq(brolga_heap_hold((void *)(uintptr_t)o->value, unpin, g,
                                          graph_fields(g, o->value)[0]),
                         BROLGA_OK);
    }
    run_as(NULL);
    cr_assert_eq(brolga_copy_word(type, value->word, &value->same, NULL),
                 BROLGA_OK);
}

static void value_check(struct graph *g, const struct value *value)
{
    graph_compare(g, value->type, value->word, value->same);
}

static void value_drop(struct graph *g, struct value *value)
{
    const brolga_type *type = type_of(g, value);

    value_check(g, value);
    brolga_drop_word(type, value->word);
    brolga_drop_word(type, value->same);
    value->type = NULL;
}

/* --- what tasks do ------------------------------------------------------ */

static struct value *find_free(struct task *who)
{
    for (int i = 0; i < VALUES; i++)
        if (who->value[i].type == NULL)
            return &who->value[i];
    return NULL;
}

/* What a send by copy does. */
static void copy_out(struct graph *g, struct value *value)
{
    struct brolga__vheap *heap = brolga__value_heap_set(NULL);
    brolga_word copy = 0;

    cr_assert_eq(brolga_copy_word(type_of(g, value), value->word, &copy, NULL),
                 BROLGA_OK);
    (void)brolga__value_heap_set(heap);
    brolga_drop_word(type_of(g, value), value->word);
    value->word = copy;
}

/* What a send by move does, without memory now and then. */
static void move_out(struct graph *g, struct value *value)
{
    int err;

    if (choose(&g->choices, 4) == 0)
        brolga__alloc_fail_nth(1);
    err = brolga__heap_keep(type_of(g, value), value->word, NULL, NULL);
    brolga__alloc_fail_nth(0);
    if (err == BROLGA_EBUSY || err == BROLGA_ENOMEM)
        copy_out(g, value);
    else
        cr_assert_eq(err, BROLGA_OK);
}

/* A send fails. What the task had got back from others before is its own again
 * then. */
static void come_back(struct graph *g, struct value *value)
{
    if (brolga__heap_keep(type_of(g, value), value->word, NULL, NULL) !=
        BROLGA_OK)
        return;
    brolga__heap_unkeep(type_of(g, value), value->word);
    if (brolga_heap_has((void *)(uintptr_t)value->word))
        value->is_foreign = false;
}

static void send(struct graph *g, struct task *from, struct value *value)
{
    struct task *to = &task[choose(&g->choices, TASKS)];
    struct value *place = find_free(to);

    if (place == NULL) {
        come_back(g, value);
        return;
    }
    if (choose(&g->choices, 3) == 0)
        copy_out(g, value);
    else
        move_out(g, value);
    *place = *value;
    place->is_foreign = true;
    if (place != value)
        value->type = NULL;
    (void)from;
}

/* A value that was received becomes the task's own; without memory it stays. */
static void adopt(struct graph *g, struct value *value)
{
    int err;

    if (choose(&g->choices, 4) == 0)
        brolga__alloc_fail_nth(1 + choose(&g->choices, 10));
    err = brolga_heap_adopt(type_of(g, value), &value->word, NULL, NULL);
    brolga__alloc_fail_nth(0);
    if (err == BROLGA_OK)
        value->is_foreign = false;
    else
        cr_assert_eq(err, BROLGA_ENOMEM);
}

static void copy_for_itself(struct graph *g, struct task *who,
                            struct value *value)
{
    struct value *place = find_free(who);
    brolga_word copy = 0;

    if (place == NULL)
        return;
    cr_assert_eq(brolga_copy_word(type_of(g, value), value->word, &copy, NULL),
                 BROLGA_OK);
    run_as(NULL);
    *place = *value;
    place->word = copy;
    place->is_foreign = false;
    cr_assert_eq(
        brolga_copy_word(type_of(g, value), value->word, &place->same, NULL),
        BROLGA_OK);
}

/* A failure: what it had received is the host's to drop, and its own are gone.
 * A good end: all are. */
static void end(struct graph *g, struct task *who)
{
    bool failed = choose(&g->choices, 3) != 0;

    task_end(who, failed);
    for (int i = 0; i < VALUES; i++) {
        struct value *value = &who->value[i];

        if (value->type == NULL)
            continue;
        if (failed && !value->is_foreign)
            brolga_drop_word(type_of(g, value), value->same);
        else if (choose(&g->choices, 2) == 0 || left_count == VALUES)
            value_drop(g, value);
        else
            left[left_count++] = *value;
    }
    task_begin(who);
}

static void step(struct graph *g)
{
    struct task *who = &task[choose(&g->choices, TASKS)];
    struct value *value = &who->value[choose(&g->choices, VALUES)];

    run_as(who);
    if (value->type == NULL) {
        value_make(g, who, value);
        return;
    }
    value_check(g, value);
    switch (choose(&g->choices, 8)) {
    case 0:
    case 1:
    case 2:
        send(g, who, value);
        break;
    case 3:
        adopt(g, value);
        break;
    case 4:
        copy_for_itself(g, who, value);
        break;
    case 5:
    case 6:
        value_drop(g, value);
        break;
    default:
        if (choose(&g->choices, 4) == 0)
            end(g, who);
        break;
    }
    run_as(NULL);
}

/* Ends all; then there is nothing. */
static void finish(struct graph *g)
{
    for (int i = 0; i < TASKS; i++) {
        task_end(&task[i], false);
        for (int j = 0; j < VALUES; j++)
            if (task[i].value[j].type != NULL)
                value_drop(g, &task[i].value[j]);
    }
    while (left_count > 0)
        value_drop(g, &left[--left_count]);
    for (unsigned i = 0; i < GRAPH_CODES; i++)
        cr_assert_eq(g->code[i].closures, 0);
    brolga_types_destroy(g->types);
    cr_assert_eq(brolga__units_taken(), 0);
    cr_assert_eq(brolga__alloc_live(), 0);
}

static void rounds(struct brolga_model preset)
{
    static struct graph g;
    const char *text = getenv("BROLGA_ROUNDS");
    int count = text != NULL ? atoi(text) : 60;
    uint64_t seed = choices_seed();

    brolga__account_by(find_running);
    for (int i = 0; i < count; i++) {
        graph_start_ours(&g, preset, choices_of(seed, i));
        for (int j = 0; j < TASKS; j++)
            task_begin(&task[j]);
        for (int j = 0; j < 400 && g.type_count < GRAPH_TYPES - 40; j++)
            step(&g);
        finish(&g);
    }
    brolga__account_by(NULL);
}

/* --- without memory for the walk ---------------------------------------- */

/* A tree of which as many branches wait in a walk as it is deep. */
static brolga_word deep_tree(const struct brolga_model *model, int depth)
{
    brolga_word tree = 0;

    for (int i = 0; i < depth; i++) {
        brolga_word leaf = model->alloc(32, model->arg), fork;

        memcpy((void *)(uintptr_t)leaf, (brolga_word[]){1, 0, i, 0}, 32);
        fork = model->alloc(32, model->arg);
        memcpy((void *)(uintptr_t)fork, (brolga_word[]){1, leaf, i, tree}, 32);
        tree = fork;
    }
    return tree;
}

Test(heap, a_walk_without_memory_marks_nothing)
{
    struct brolga_model model = brolga_model_cranelisp();
    const brolga_type *type = NULL;
    brolga_types *types;
    int refused = 0;

    brolga__account_by(find_running);
    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_OK);
    cr_assert_eq(brolga_types_define(types, graph_text, NULL), BROLGA_OK);
    cr_assert_eq(brolga_type_parse(types, "(Tree Int)", &type, NULL),
                 BROLGA_OK);
    for (uint64_t nth = 1;; nth++) { /* Ends: it needs memory few times. */
        int64_t live = brolga__alloc_live();
        brolga_word tree;
        int err;

        task_begin(&task[0]);
        run_as(&task[0]);
        tree = deep_tree(&model, 500);
        brolga__alloc_fail_nth(nth);
        err = brolga__heap_keep(type, tree, NULL, NULL);
        brolga__alloc_fail_nth(0);
        task_end(&task[0], true);
        if (err == BROLGA_OK) {
            cr_assert_eq(brolga__alloc_live(), live + 1000);
            brolga_drop_word(type, tree);
        }
        cr_assert_eq(brolga__alloc_live(), live);
        cr_assert_eq(brolga__units_taken(), 0);
        if (err == BROLGA_OK)
            break;
        cr_assert_eq(err, BROLGA_ENOMEM);
        refused++;
    }
    cr_assert_gt(refused, 2);
    brolga_types_destroy(types);
    brolga__account_by(NULL);
}

Test(heap, what_others_hold_outlives_a_failure_in_the_first_preset)
{
    rounds(brolga_model_cranelisp());
}

Test(heap, what_others_hold_outlives_a_failure_in_the_later_preset)
{
    rounds(brolga_model_cranelisp_later());
}
