/*
 * Map: results are written where they will stay (a Vec), or spliced at the end
 * (a List), and are not copied.
 */
#include "par/par.h"

#include "alloc.h"

struct map {
    struct brolga__over over;
    void (*many)(brolga_word env, const brolga_word *in, brolga_word *out,
                 size_t count);
    brolga_word *result; /* 0 where there is none yet. */
};

/* How many in a row are lent, from `begin`. */
static size_t lent(const brolga_word *copies, size_t begin, size_t end)
{
    size_t next = begin;

    if (copies == NULL)
        return end - begin;
    while (next < end && copies[next] == 0)
        next++;
    return next - begin;
}

/* Those in a row that are lent, then one that is not, and so on. */
static void map_many(struct map *map, struct brolga__span *span, size_t begin,
                     size_t end)
{
    const brolga_word *at = map->over.elements.at,
                      *copies = map->over.elements.copies;

    while (begin < end) {
        size_t row = lent(copies, begin, end);

        span->at = begin;
        if (row > 0)
            map->many(span->env, at + begin, map->result + begin, row);
        begin += row;
        if (begin < end) {
            map->many(span->env, copies + begin, map->result + begin, 1);
            begin++;
        }
    }
}

static int map_some(struct brolga__span *span, size_t begin, size_t end)
{
    struct map *map = brolga__container_of(span->job, struct map, over.job);
    union brolga__code code = brolga__code_now(&map->over);
    /* In registers: the function may change whatever it can reach. */
    const brolga_word *at = map->over.elements.at,
                      *copies = map->over.elements.copies;
    brolga_word *result = map->result;
    brolga_word env = span->env;

    if (map->many != NULL) {
        map_many(map, span, begin, end);
        return BROLGA_OK;
    }
    for (size_t i = begin; i < end; i++) {
        span->at = i;
        result[i] = code.fn(env, brolga__element(at, copies, i));
    }
    return BROLGA_OK;
}

/* Where results go, and what they will be part of. */
static int make_room(struct map *map, const brolga_type *to, brolga_word *vec)
{
    size_t count = map->over.elements.count;

    if (brolga__collection_of(to) == BROLGA__A_VEC) {
        *vec = brolga__vec_make(to, count, &map->result);
        return *vec != 0 ? BROLGA_OK : BROLGA_ENOMEM;
    }
    map->result = brolga__alloc_zero((count + 1) * sizeof(brolga_word));
    return map->result != NULL ? BROLGA_OK : BROLGA_ENOMEM;
}

static int finish_list(struct map *map, const brolga_type *to, int err,
                       brolga_word *out)
{
    size_t count = map->over.elements.count;

    if (err == BROLGA_OK)
        err = brolga__collect(to, map->result, count, out);
    for (size_t i = 0; err != BROLGA_OK && i < count; i++)
        if (map->result[i] != 0)
            brolga_drop_word(brolga__element_of(to), map->result[i]);
    brolga__free(map->result);
    return err;
}

static int run_map(struct map *map, const brolga_type *to, brolga_word *out,
                   struct brolga_par_failure *failure)
{
    brolga_word vec = 0;
    int err = make_room(map, to, &vec);

    if (err != BROLGA_OK)
        return err;
    err = brolga__over_run(&map->over, failure);
    if (brolga__collection_of(to) != BROLGA__A_VEC)
        return finish_list(map, to, err, out);
    if (err != BROLGA_OK)
        brolga_drop_word(to, vec); /* With those that are there. */
    else
        *out = vec;
    return err;
}

int brolga_pmap(brolga *rt, const brolga_type *from, brolga_word in,
                const struct brolga_par_fn *fn, const brolga_type *to,
                brolga_word *out, const struct brolga_par_opts *opts,
                struct brolga_par_failure *failure)
{
    struct map map = {.many = fn->many};
    const struct brolga__fn code = {(void (*)(void))fn->fn, fn->slot, fn->env,
                                    fn->env_type};
    int err;

    if (brolga__collection_of(to) == BROLGA__NO_COLLECTION)
        return BROLGA_EINVAL;
    err = brolga__over_open(&map.over, rt, from, in, &code, map_some, opts,
                            failure);
    if (err != BROLGA_OK)
        return err;
    err = run_map(&map, to, out, failure);
    brolga__over_close(&map.over);
    return err;
}
