/*
 * All channels and broadcasts of typed elements, so that those of a type can be
 * found. They are spread over several lists by their addresses, for that is
 * rare, and making a channel for an answer is not.
 *
 *   L  The lists: spin.h, edge A.
 */
#include "chan/chan.h"

#define LISTS 64

static struct list {
    _Alignas(BROLGA__CACHE_LINE) struct brolga__spin lock;
    struct brolga__list head; /* zeroed: nobody was here yet */
} lists[LISTS];

static struct list *list_of(const struct brolga__listed *entry)
{
    return &lists[(uintptr_t)entry / BROLGA__CACHE_LINE % LISTS];
}

void brolga__list_enter(struct brolga__listed *entry, const brolga_type *type,
                        brolga_chan *chan)
{
    struct list *list = list_of(entry);

    entry->type = type;
    entry->chan = chan;
    brolga__list_init(&entry->link);
    if (type == NULL)
        return;
    brolga__spin_take(&list->lock);
    if (list->head.next == NULL)
        brolga__list_init(&list->head);
    brolga__list_push_back(&list->head, &entry->link);
    brolga__spin_leave(&list->lock);
}

void brolga__list_leave(struct brolga__listed *entry)
{
    struct list *list = list_of(entry);

    if (entry->type == NULL)
        return;
    brolga__spin_take(&list->lock);
    brolga__list_remove(&entry->link);
    brolga__spin_leave(&list->lock);
}

void brolga__list_change(struct brolga__listed *entry, const brolga_type *type)
{
    struct list *list = list_of(entry);

    brolga__spin_take(&list->lock);
    entry->type = type;
    brolga__spin_leave(&list->lock);
}

/* One more reference, if there is any: its last one may just be going. Relaxed:
 * who lets the last one go takes the list's lock after that. */
static bool hold(brolga_chan *chan)
{
    uint32_t refs = brolga__load_relaxed(&chan->refs);

    while (refs > 0)
        if (brolga__cas_relaxed(&chan->refs, &refs, refs + 1))
            return true;
    return false;
}

static void find_in(struct list *list, uint64_t fingerprint,
                    brolga_chan **first, size_t *broadcasts)
{
    for (struct brolga__list *node = list->head.next;
         node != NULL && node != &list->head; node = node->next) {
        struct brolga__listed *entry =
            brolga__container_of(node, struct brolga__listed, link);

        if (brolga_type_fingerprint(entry->type) != fingerprint)
            continue;
        if (entry->chan == NULL) {
            ++*broadcasts;
        } else if (hold(entry->chan)) {
            entry->chan->found = *first;
            *first = entry->chan;
        }
    }
}

brolga_chan *brolga__list_find(uint64_t fingerprint, size_t *broadcasts)
{
    brolga_chan *first = NULL;

    *broadcasts = 0;
    for (size_t i = 0; i < LISTS; i++) {
        brolga__spin_take(&lists[i].lock);
        find_in(&lists[i], fingerprint, &first, broadcasts);
        brolga__spin_leave(&lists[i].lock);
    }
    return first;
}
