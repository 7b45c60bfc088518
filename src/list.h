/*
 * Intrusive circular doubly linked list. A node that is in no list points to
 * itself. Not thread-safe: the owner's lock guards it.
 */
#ifndef BROLGA_SRC_LIST_H
#define BROLGA_SRC_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct brolga__list {
    struct brolga__list *next;
    struct brolga__list *prev;
};

static inline void brolga__list_init(struct brolga__list *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool brolga__list_empty(const struct brolga__list *head)
{
    return head->next == head;
}

static inline void brolga__list_insert_after(struct brolga__list *at,
                                             struct brolga__list *node)
{
    node->prev = at;
    node->next = at->next;
    at->next->prev = node;
    at->next = node;
}

static inline void brolga__list_push_back(struct brolga__list *head,
                                          struct brolga__list *node)
{
    brolga__list_insert_after(head->prev, node);
}

static inline void brolga__list_push_front(struct brolga__list *head,
                                           struct brolga__list *node)
{
    brolga__list_insert_after(head, node);
}

/* Unlinks the node and leaves it in no list; harmless when it is in none. */
static inline void brolga__list_remove(struct brolga__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    brolga__list_init(node);
}

/* The first node, unlinked; NULL if there is none. */
static inline struct brolga__list *
brolga__list_pop_front(struct brolga__list *head)
{
    struct brolga__list *node = head->next;

    if (node == head)
        return NULL;
    brolga__list_remove(node);
    return node;
}

#define brolga__list_each(node, head)                                          \
    for (struct brolga__list *node = (head)->next; node != (head);             \
         node = node->next)

#endif
