/*
 * Closures: which functions they are made from, and how they keep code.
 *
 * The functions of one unit that were entered together are one block of memory:
 * a *bundle*, which hangs on the unit and goes with it. The lock guards changes
 * of the table; it is held for work of the size of a bundle, and is a leaf.
 */
#include "closures/closures.h"

#include "alloc.h"

#include <string.h>

struct brolga_closures {
    struct brolga__lock lock;
    struct brolga__closure_hash hash;
    size_t units; /* bundles */
    uint64_t entered;
};

/* In one block behind it: the entries, types of captures, names. */
struct bundle {
    struct brolga__unit_end end; /* in the unit's list */
    brolga_closures *closures;
    size_t count;
    struct brolga__closure_entry entry[];
};

/* --- a table's life ----------------------------------------------------- */

int brolga_closures_create(brolga_closures **out)
{
    brolga_closures *closures = brolga__alloc_zero(sizeof(*closures));

    if (closures == NULL)
        return BROLGA_ENOMEM;
    if (brolga__closure_hash_init(&closures->hash) != BROLGA_OK) {
        brolga__free(closures);
        return BROLGA_ENOMEM;
    }
    *out = closures;
    return BROLGA_OK;
}

void brolga_closures_destroy(brolga_closures *closures)
{
    if (closures == NULL)
        return;
    brolga__assert(closures->units == 0);
    brolga__closure_hash_fini(&closures->hash);
    brolga__free(closures);
}

/* --- bundles ------------------------------------------------------------ */

/* The unit is about to be freed, and there are no closures of it. */
static void end_bundle(struct brolga__unit_end *end)
{
    struct bundle *bundle = brolga__container_of(end, struct bundle, end);
    brolga_closures *closures = bundle->closures;

    brolga__lock_take(&closures->lock);
    for (size_t i = 0; i < bundle->count; i++)
        brolga__closure_hash_remove(&closures->hash, &bundle->entry[i]);
    closures->units--;
    brolga__lock_leave(&closures->lock);
    brolga__free(bundle);
}

static const char *name_of(const struct brolga_closure *closure)
{
    return closure->name != NULL ? closure->name : "unnamed";
}

/* A bundle with room for everything, all zero; or NULL. *types and *text are
 * where the types and the names go. */
static struct bundle *bundle_create(const struct brolga_closure *closure,
                                    size_t count, const brolga_type ***types,
                                    char **text)
{
    size_t captures = 0, bytes = 0;
    struct bundle *bundle;

    if (count > UINT32_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        captures += closure[i].captures;
        bytes += strlen(name_of(&closure[i])) + 1;
    }
    bundle =
        brolga__alloc_zero(sizeof(*bundle) + count * sizeof(bundle->entry[0]) +
                           captures * sizeof(brolga_type *) + bytes);
    if (bundle != NULL) {
        *types = (const brolga_type **)(void *)&bundle->entry[count];
        *text = (char *)(*types + captures);
    }
    return bundle;
}

/* The type of a capture; NULL if it is not known. */
static int capture_type(const struct brolga_closure *closure, size_t i,
                        brolga_types *types, const brolga_type **out,
                        struct brolga_type_error *error)
{
    const char *text;

    *out = closure->types != NULL ? closure->types[i] : NULL;
    text = closure->texts != NULL ? closure->texts[i] : NULL;
    if (*out != NULL || text == NULL)
        return BROLGA_OK;
    if (types == NULL)
        return BROLGA_EINVAL;
    return brolga_type_parse(types, text, out, error);
}

static bool is_valid(const brolga_unit *unit,
                     const struct brolga_closure *closure)
{
    uintptr_t code = (uintptr_t)closure->code;

    return code >= unit->low && code < unit->high &&
           closure->captures <= BROLGA_CAPTURES_MAX;
}

static int fill_bundle(struct bundle *bundle, brolga_unit *unit,
                       brolga_types *registry,
                       const struct brolga_closure *closure, size_t count,
                       const brolga_type **types, char *text,
                       struct brolga_type_error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct brolga__closure_entry *entry = &bundle->entry[i];
        size_t bytes = strlen(name_of(&closure[i])) + 1;

        entry->code = (uintptr_t)closure[i].code;
        entry->unit = unit;
        entry->info.name = memcpy(text, name_of(&closure[i]), bytes);
        entry->info.captures = closure[i].captures;
        entry->info.types = types;
        for (size_t j = 0; j < closure[i].captures; j++) {
            int err = capture_type(&closure[i], j, registry, types++, error);

            if (err != BROLGA_OK)
                return err;
        }
        text += bytes;
    }
    bundle->count = count;
    return BROLGA_OK;
}

/* Enters a bundle's functions in the table: all or none; the lock is held. */
static int enter(brolga_closures *closures, struct bundle *bundle)
{
    struct brolga__closure_hash *hash = &closures->hash;
    size_t i = 0;
    int err = brolga__closure_hash_reserve(hash, bundle->count);

    for (; i < bundle->count && err == BROLGA_OK; i++) {
        if (brolga__closure_hash_find(hash, bundle->entry[i].code) != NULL)
            break;
        brolga__closure_hash_put(hash, &bundle->entry[i]);
    }
    if (i == bundle->count || err != BROLGA_OK) {
        closures->units += err == BROLGA_OK;
        closures->entered += err == BROLGA_OK ? bundle->count : 0;
        return err;
    }
    while (i-- > 0)
        brolga__closure_hash_remove(hash, &bundle->entry[i]);
    return BROLGA_EEXIST;
}

int brolga_closures_add(brolga_closures *closures, brolga_unit *unit,
                        brolga_types *types,
                        const struct brolga_closure *closure, size_t count,
                        struct brolga_type_error *error)
{
    const brolga_type **capture;
    struct bundle *bundle;
    char *text;
    int err;

    for (size_t i = 0; i < count; i++)
        if (!is_valid(unit, &closure[i]))
            return BROLGA_EINVAL;
    bundle = bundle_create(closure, count, &capture, &text);
    if (bundle == NULL)
        return BROLGA_ENOMEM;
    bundle->closures = closures;
    bundle->end.fn = end_bundle;
    err =
        fill_bundle(bundle, unit, types, closure, count, capture, text, error);
    if (err == BROLGA_OK) {
        brolga__lock_take(&closures->lock);
        err = enter(closures, bundle);
        brolga__lock_leave(&closures->lock);
    }
    if (err != BROLGA_OK) {
        brolga__free(bundle);
        return err;
    }
    brolga__unit_at_end(unit, &bundle->end);
    return BROLGA_OK;
}

/* --- what a model asks -------------------------------------------------- */

static const struct brolga__closure_entry *find(brolga_closures *closures,
                                                const void *code)
{
    return brolga__closure_hash_find(&closures->hash, (uintptr_t)code);
}

int brolga_closures_find(brolga_closures *closures, const void *code,
                         struct brolga_closure_info *out)
{
    const struct brolga__closure_entry *entry = find(closures, code);

    if (entry == NULL)
        return BROLGA_ENOENT;
    *out = entry->info;
    return BROLGA_OK;
}

int brolga_closures_pin(brolga_closures *closures, const void *code)
{
    const struct brolga__closure_entry *entry = find(closures, code);

    if (entry == NULL)
        return BROLGA_ENOENT;
    brolga__unit_pin_for(entry->unit, BROLGA__PIN_CLOSURE);
    return BROLGA_OK;
}

int brolga_closures_unpin(brolga_closures *closures, const void *code)
{
    const struct brolga__closure_entry *entry = find(closures, code);

    if (entry == NULL)
        return BROLGA_ENOENT;
    brolga__unit_unpin_for(entry->unit, BROLGA__PIN_CLOSURE);
    return BROLGA_OK;
}

static int model_info(uintptr_t code, struct brolga_closure_info *out,
                      void *arg)
{
    return brolga_closures_find(arg, (const void *)code, out);
}

/* A closure is pinned only after it was described. */
static void model_pin(uintptr_t code, void *arg)
{
    int err = brolga_closures_pin(arg, (const void *)code);

    brolga__assert(err == BROLGA_OK);
}

/* The entry is there, unless the GOT was destroyed before the value: then there
 * is no unit to unpin. */
static void model_unpin(uintptr_t code, void *arg)
{
    (void)brolga_closures_unpin(arg, (const void *)code);
}

void brolga_closures_model(brolga_closures *closures,
                           struct brolga_model *model)
{
    model->closure_info = model_info;
    model->closure_pin = model_pin;
    model->closure_unpin = model_unpin;
    model->closure_arg = closures;
}

/* --- looking ------------------------------------------------------------ */

void brolga_closures_stats(brolga_closures *closures,
                           struct brolga_closures_stats *out)
{
    brolga__lock_take(&closures->lock);
    *out = (struct brolga_closures_stats){
        .functions = closures->hash.live,
        .units = closures->units,
        .slots = brolga__load_relaxed(&closures->hash.table)->slots,
        .entered = closures->entered};
    brolga__lock_leave(&closures->lock);
}
