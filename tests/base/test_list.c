/*
 * Goal: the list keeps its order and its links through every operation.
 * Method: small lists by hand; then many operations on three lists, checked
 * against arrays that do the same slowly.
 */
#include <criterion/criterion.h>

#include "base.h"
#include "list.h"

struct item {
    int value;
    struct brolga__list link;
};

static int value_of(struct brolga__list *node)
{
    return brolga__container_of(node, struct item, link)->value;
}

static size_t length(struct brolga__list *head)
{
    size_t count = 0;

    brolga__list_each (node, head) {
        cr_assert_eq(node->next->prev, node);
        cr_assert_eq(node->prev->next, node);
        count++;
    }
    return count;
}

Test(list, keeps_the_order_of_pushes)
{
    struct brolga__list head;
    struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};

    brolga__list_init(&head);
    cr_assert(brolga__list_empty(&head));
    cr_assert_null(brolga__list_pop_front(&head));
    brolga__list_push_back(&head, &items[1].link);
    brolga__list_push_back(&head, &items[2].link);
    brolga__list_push_front(&head, &items[0].link);
    cr_assert_eq(length(&head), 3);
    for (int i = 1; i <= 3; i++)
        cr_assert_eq(value_of(brolga__list_pop_front(&head)), i);
    cr_assert(brolga__list_empty(&head));
}

Test(list, removal_is_harmless_twice)
{
    struct brolga__list head;
    struct item items[3];

    brolga__list_init(&head);
    for (int i = 0; i < 3; i++)
        brolga__list_push_back(&head, &items[i].link);
    brolga__list_remove(&items[1].link);
    brolga__list_remove(&items[1].link);
    cr_assert_eq(length(&head), 2);
    cr_assert(brolga__list_empty(&items[1].link));
    cr_assert_eq(head.next, &items[0].link);
    cr_assert_eq(head.prev, &items[2].link);
}

Test(list, inserts_after_a_node)
{
    struct brolga__list head;
    struct item first = {.value = 1}, second = {.value = 2};

    brolga__list_init(&head);
    brolga__list_push_back(&head, &first.link);
    brolga__list_insert_after(&first.link, &second.link);
    cr_assert_eq(value_of(head.prev), 2);
    cr_assert_eq(length(&head), 2);
}

#define ITEMS 40
#define LISTS 3

/* What the lists should be: item numbers in order. */
static int model[LISTS][ITEMS];
static int model_length[LISTS];

static void model_remove(int item)
{
    for (int l = 0; l < LISTS; l++)
        for (int i = 0; i < model_length[l]; i++)
            if (model[l][i] == item) {
                model_length[l]--;
                memmove(&model[l][i], &model[l][i + 1],
                        (size_t)(model_length[l] - i) * sizeof model[l][0]);
            }
}

static void model_insert(int list, int item, bool front)
{
    int at = front ? 0 : model_length[list];

    memmove(&model[list][at + 1], &model[list][at],
            (size_t)(model_length[list] - at) * sizeof model[list][0]);
    model[list][at] = item;
    model_length[list]++;
}

static void compare(struct brolga__list *heads)
{
    for (int l = 0; l < LISTS; l++) {
        int i = 0;

        cr_assert_eq(length(&heads[l]), (size_t)model_length[l]);
        brolga__list_each (node, &heads[l])
            cr_assert_eq(value_of(node), model[l][i++]);
    }
}

Test(list, agrees_with_arrays_over_many_operations)
{
    struct brolga__list heads[LISTS];
    struct item items[ITEMS];
    uint32_t seed = 1;

    for (int l = 0; l < LISTS; l++) {
        brolga__list_init(&heads[l]);
        model_length[l] = 0;
    }
    for (int i = 0; i < ITEMS; i++) {
        items[i].value = i;
        brolga__list_init(&items[i].link);
    }
    for (int step = 0; step < 20000; step++) {
        int item = (int)((seed = seed * 1664525u + 1013904223u) >> 16) % ITEMS;
        int list = (int)(seed >> 8 & 0xff) % LISTS;

        brolga__list_remove(&items[item].link);
        model_remove(item);
        if (seed >> 4 & 1) {
            bool front = (seed >> 5 & 1) != 0;

            if (front)
                brolga__list_push_front(&heads[list], &items[item].link);
            else
                brolga__list_push_back(&heads[list], &items[item].link);
            model_insert(list, item, front);
        }
        if (step % 100 == 0)
            compare(heads);
    }
    compare(heads);
}
