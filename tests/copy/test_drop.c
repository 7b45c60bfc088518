/*
 * Goal: a drop gives up one reference, frees exactly what is unreachable then,
 * needs no memory, and in a model with atomic counts may race with others.
 * Method: values built by hand whose objects are counted; threads that copy
 * and drop one shared value, for ThreadSanitizer to watch.
 */
#include "host.h"

#include <pthread.h>

static void shared_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(List String)");
    brolga_word tail = host_cons(h, host_string(h, "kept"), 0);
    brolga_word a = host_cons(h, host_string(h, "a"), tail);
    brolga_word b = host_cons(h, host_string(h, "b"), host_share(h, tail));

    brolga_drop_word(type, a);
    cr_assert_eq(h->live, 4);
    cr_assert_eq(*host_count(h, tail), 1);
    brolga_drop_word(type, b);
    cr_assert_eq(h->live, 0);
}

Test(drop, what_others_refer_to_stays)
{
    host_each_preset(shared_body);
}

static void element_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(Vec (Option String))");
    const brolga_word items[] = {0, host_some(h, host_string(h, "x")), 0};
    brolga_word vec = host_vec(h, 3, 8, items), copy = 0;

    cr_assert_eq(brolga_copy(type, &vec, &copy, NULL), BROLGA_OK);
    brolga_drop(type, &vec);
    cr_assert_eq(host_items(h, copy)[0], 0);
    cr_assert_neq(host_items(h, copy)[1], 0);
    brolga_drop(type, &copy);
}

Test(drop, elements_are_dropped_in_place)
{
    host_each_preset(element_body);
}

static void no_memory_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(List (List String))");
    brolga_word list = 0;

    for (int i = 0; i < 1000; i++)
        list = host_cons(h, host_cons(h, host_string(h, "x"), 0), list);
    brolga__alloc_fail_nth(1);
    brolga_drop_word(type, list);
    cr_assert_eq(h->live, 0);
    /* The failure is still to come: nothing has been asked for. */
    cr_assert_null(brolga__alloc(1));
}

Test(drop, no_memory_is_needed)
{
    host_each_preset(no_memory_body);
}

Test(drop, the_data_of_a_vec_is_counted_by_itself_in_the_first_preset)
{
    struct host h;
    const brolga_type *type;
    brolga_word vec, other, data;

    host_start(&h, brolga_model_cranelisp());
    type = host_type(&h, "(Vec String)");
    vec = host_vec(&h, 1, 1, (brolga_word[]){host_string(&h, "x")});
    data = host_share(&h, host_fields(&h, vec)[2]);
    other = HOST_OBJECT(&h, 1, 1, data);
    brolga_drop_word(type, vec);
    cr_assert_eq(h.live, 3);
    brolga_drop_word(type, other);
    host_stop(&h);
}

Test(drop, a_model_without_free_leaves_memory_to_the_host)
{
    struct brolga_model model = brolga_model_cranelisp();
    brolga_types *types;
    const brolga_type *type;
    brolga_word list;
    struct host h;

    host_start(&h, model);
    model.free = NULL;
    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_OK);
    cr_assert_eq(brolga_type_parse(types, "(List String)", &type, NULL),
                 BROLGA_OK);
    list = host_cons(&h, host_string(&h, "x"), 0);
    brolga_drop_word(type, list);
    cr_assert_eq(h.live, 2);
    host_free(host_fields(&h, list)[1], &h);
    host_free(list, &h);
    brolga_types_destroy(types);
    host_stop(&h);
}

/* --- several threads ---------------------------------------------------- */

#define THREADS 3
#define TURNS   200

struct holder {
    const brolga_type *type;
    brolga_word value; /* this thread's reference */
    pthread_t thread;
    bool failed;
};

/* Copies the shared value and drops the copies, then its own reference. */
static void *hold(void *arg)
{
    struct holder *me = arg;

    for (int i = 0; i < TURNS; i++) {
        brolga_word copy;

        if (brolga_copy_word(me->type, me->value, &copy, NULL) != BROLGA_OK) {
            me->failed = true;
            continue;
        }
        brolga_drop_word(me->type, copy);
    }
    brolga_drop_word(me->type, me->value);
    return NULL;
}

Test(drop, shared_values_with_atomic_counts_may_be_used_by_many_threads)
{
    /* The preset as it is: the host of the tests counts without atomics. */
    struct brolga_model model = brolga_model_cranelisp_later();
    struct holder holder[THREADS];
    const brolga_type *type;
    brolga_types *types;
    struct host h;
    brolga_word list = 0;

    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_OK);
    cr_assert_eq(brolga_type_parse(types, "(List String)", &type, NULL),
                 BROLGA_OK);
    h.preset = model;
    for (int i = 0; i < 50; i++) {
        brolga_word s = model.alloc(8, NULL), cons = model.alloc(24, NULL);

        *host_fields(&h, s) = 0;
        memcpy(host_fields(&h, cons), (brolga_word[]){1, s, list}, 24);
        list = cons;
    }
    *host_count(&h, list) = THREADS;
    for (int i = 0; i < THREADS; i++) {
        holder[i] = (struct holder){.type = type, .value = list};
        cr_assert_eq(pthread_create(&holder[i].thread, NULL, hold, &holder[i]),
                     0);
    }
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_join(holder[i].thread, NULL), 0);
        cr_assert_not(holder[i].failed);
    }
    brolga_types_destroy(types);
    cr_assert_eq(brolga__alloc_live(), 0);
}
