/*
 * The registry: the arena of its definitions and types, the lists in which
 * they are found, and its life.
 *
 * Definitions and types live until the registry ends. A call that fails rolls
 * everything back: the arena to its mark, and the lists, which grow at their
 * heads only, to what they were.
 *
 * Invariant: outside a call every type in a bucket is compiled.
 */
#include "copy/copy.h"

#include "alloc.h"
#include "hash.h"

#include <string.h>

#define CHUNK_BYTES 4000

struct brolga__chunk {
    struct brolga__chunk *older;
    size_t used;
    size_t bytes;
    _Alignas(16) unsigned char data[];
};

/* --- the arena ---------------------------------------------------------- */

void *brolga__types_alloc(brolga_types *types, size_t bytes)
{
    struct brolga__chunk *chunk = types->chunks;
    void *block;

    bytes = brolga__round_up(bytes, 16);
    if (chunk == NULL || chunk->bytes - chunk->used < bytes) {
        size_t data = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;

        chunk = brolga__alloc(sizeof(*chunk) + data);
        if (chunk == NULL)
            return NULL;
        chunk->older = types->chunks;
        chunk->used = 0;
        chunk->bytes = data;
        types->chunks = chunk;
    }
    block = chunk->data + chunk->used;
    chunk->used += bytes;
    memset(block, 0, bytes);
    return block;
}

const char *brolga__types_text(brolga_types *types, const char *text,
                               size_t bytes)
{
    char *copy = brolga__types_alloc(types, bytes + 1);

    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}

struct brolga__mark brolga__types_mark(const brolga_types *types)
{
    return (struct brolga__mark){.chunk = types->chunks,
                                 .used =
                                     types->chunks ? types->chunks->used : 0,
                                 .newest = types->newest};
}

/* --- lists -------------------------------------------------------------- */

static uint32_t name_bucket(const char *name)
{
    uint64_t hash = brolga__hash_bytes(BROLGA__HASH_START, name, strlen(name));

    return (uint32_t)(hash % BROLGA__BUCKETS);
}

struct brolga__definition *brolga__types_find(const brolga_types *types,
                                              const char *name)
{
    struct brolga__definition *def = types->definitions[name_bucket(name)];

    while (def != NULL && strcmp(def->name, name) != 0)
        def = def->next;
    return def;
}

void brolga__types_add(brolga_types *types, struct brolga__definition *def)
{
    uint32_t bucket = name_bucket(def->name);

    def->next = types->definitions[bucket];
    types->definitions[bucket] = def;
}

static uint32_t type_bucket(const struct brolga__definition *def,
                            const brolga_type *const *args, uint32_t count)
{
    uint64_t hash = brolga__hash_bytes(BROLGA__HASH_START, &def, sizeof(def));

    if (count > 0)
        hash =
            brolga__hash_bytes(hash, args, count * sizeof(const brolga_type *));
    return (uint32_t)((hash ^ hash >> 32) % BROLGA__BUCKETS);
}

brolga_type *brolga__types_find_type(const brolga_types *types,
                                     const struct brolga__definition *def,
                                     const brolga_type *const *args,
                                     uint32_t count)
{
    brolga_type *type = types->buckets[type_bucket(def, args, count)];

    for (; type != NULL; type = type->next_in_bucket)
        if (type->definition == def && type->arg_count == count &&
            (count == 0 || memcmp(type->args, args,
                                  count * sizeof(const brolga_type *)) == 0))
            return type;
    return NULL;
}

void brolga__types_add_type(brolga_types *types, brolga_type *type)
{
    brolga_type **bucket = &types->buckets[type_bucket(
        type->definition, (const brolga_type *const *)type->args,
        type->arg_count)];

    type->next_in_bucket = *bucket;
    *bucket = type;
    type->older = types->newest;
    types->newest = type;
}

void brolga__types_roll_back(brolga_types *types, struct brolga__mark mark)
{
    while (types->newest != mark.newest) {
        brolga_type *type = types->newest;

        types->buckets[type_bucket(type->definition,
                                   (const brolga_type *const *)type->args,
                                   type->arg_count)] = type->next_in_bucket;
        types->newest = type->older;
    }
    while (types->chunks != mark.chunk) {
        struct brolga__chunk *chunk = types->chunks;

        types->chunks = chunk->older;
        brolga__free(chunk);
    }
    if (types->chunks != NULL)
        types->chunks->used = mark.used;
}

/* --- a registry's life -------------------------------------------------- */

static const char prelude[] =
    "(deftype (Option a) None (Some [:a val]))"
    "(deftype (List a) Nil (Cons [:a head :(List a) tail]))";

static const char io_prelude[] = "(deftype (IO a) (IOVal [:a ioval]))";

static int add_builtin(brolga_types *types, const char *name,
                       enum brolga__kind kind, uint32_t params)
{
    struct brolga__definition *def = brolga__types_alloc(types, sizeof(*def));

    if (def == NULL)
        return BROLGA_ENOMEM;
    def->name = name;
    def->kind = kind;
    def->params = params;
    brolga__types_add(types, def);
    return BROLGA_OK;
}

static int add_prelude(brolga_types *types)
{
    static const struct {
        const char *name;
        enum brolga__kind kind;
        uint32_t params;
    } builtin[] = {
        {"Int", BROLGA__KIND_WORD, 0},     {"Bool", BROLGA__KIND_WORD, 0},
        {"Float", BROLGA__KIND_WORD, 0},   {"String", BROLGA__KIND_STRING, 0},
        {"Bytes", BROLGA__KIND_STRING, 0}, {"Vec", BROLGA__KIND_VEC, 1},
        {"Fn", BROLGA__KIND_FN, 0},
    };
    int err = BROLGA_OK;

    for (size_t i = 0; err == BROLGA_OK && i < brolga__lengthof(builtin); i++)
        err = add_builtin(types, builtin[i].name, builtin[i].kind,
                          builtin[i].params);
    if (err == BROLGA_OK)
        err = brolga_types_define(types, prelude, NULL);
    if (err == BROLGA_OK && types->model.io_is_value)
        err = brolga_types_define(types, io_prelude, NULL);
    else if (err == BROLGA_OK)
        err = add_builtin(types, "IO", BROLGA__KIND_REFUSED, 1);
    return err;
}

int brolga_types_create(const struct brolga_model *model, brolga_types **out)
{
    brolga_types *types;
    int err;

    if (!brolga__model_is_valid(model))
        return BROLGA_EINVAL;
    types = brolga__alloc_zero(sizeof(*types));
    if (types == NULL)
        return BROLGA_ENOMEM;
    types->model = *model;
    brolga__heap_init(&types->heap, &types->model);
    err = add_prelude(types);
    if (err != BROLGA_OK) {
        brolga_types_destroy(types);
        return err;
    }
    *out = types;
    return BROLGA_OK;
}

void brolga_types_destroy(brolga_types *types)
{
    if (types == NULL)
        return;
    brolga__types_roll_back(types, (struct brolga__mark){.chunk = NULL});
    brolga__free(types);
}
