/*
 * A word of `done` for each element lets the caller do what is left, when it
 * has been canceled in the middle.
 *
 * A reduction that is broken off is done again, by the caller alone.
 */
#include "par.h"

#include "closures.h"
#include "host.h"
#include "run.h"

#include <stdlib.h>

/* A map, or a filter, whose results are 0 or 1. */
struct map {
    const struct element *from, *to;
    brolga_word closure;
    const brolga_word *in;
    brolga_word *out;
    bool *done;
};

static void *claim(size_t count, size_t bytes)
{
    void *block = calloc(count > 0 ? count : 1, bytes);

    if (block == NULL)
        host_refuse("no memory for %zu elements", count);
    return block;
}

static int map_some(void *arg, size_t begin, size_t end)
{
    struct map *map = arg;

    for (size_t i = begin; i < end; i++) {
        brolga_word word;

        if (map->done[i])
            continue;
        word = call1(map->closure, element_out(map->from, map->in[i]));
        map->out[i] = element_out(map->to, word);
        map->done[i] = true;
    }
    return BROLGA_OK;
}

static void map_all(struct map *map, size_t count, const char *what)
{
    brolga *rt = run_enter();
    int err;

    closure_pin(map->closure);
    map->out = claim(count, sizeof *map->out);
    map->done = claim(count, sizeof *map->done);
    err = brolga_pfor(rt, count, map_some, map, NULL, NULL);
    run_check(err, what);
    if (err != BROLGA_OK)
        (void)map_some(map, 0, count);
    free(map->done);
}

static size_t length(brolga_word vec)
{
    return (size_t)fields(vec)[0];
}

static const brolga_word *words(brolga_word vec)
{
    return fields(fields(vec)[2]);
}

brolga_word par_map(unsigned from, unsigned to, brolga_word closure,
                    brolga_word vec)
{
    struct map map = {.from = element_at(from),
                      .to = element_at(to),
                      .closure = closure,
                      .in = words(vec)};
    brolga_word result;

    map_all(&map, length(vec), "pmap");
    result = host_vec(map.out, length(vec));
    free(map.out);
    return result;
}

brolga_word par_filter(unsigned row, brolga_word closure, brolga_word vec)
{
    struct map map = {.from = element_at(row),
                      .to = element_at(ELEMENT_bool),
                      .closure = closure,
                      .in = words(vec)};
    brolga_word result;
    size_t kept = 0;

    map_all(&map, length(vec), "pfilter");
    for (size_t i = 0; i < length(vec); i++)
        if (map.out[i] != 0)
            map.out[kept++] = element_out(map.from, map.in[i]);
    result = host_vec(map.out, kept);
    free(map.out);
    return result;
}

/* --- reduce ------------------------------------------------------------- */

struct reduce {
    const struct element *element;
    brolga_word closure;
};

/* Partial results are inside: whoever has one drops it. */
static brolga_word reduce_two(brolga_word env, brolga_word left,
                              brolga_word right)
{
    const struct reduce *reduce = (const struct reduce *)env;
    const struct element *element = reduce->element;

    return element_in(element,
                      call2(reduce->closure, element_out(element, left),
                            element_out(element, right)));
}

static brolga_word reduce_alone(const struct reduce *reduce,
                                brolga_word identity, brolga_word vec)
{
    brolga_word value = element_in(reduce->element, identity);

    for (size_t i = 0; i < length(vec); i++) {
        brolga_word next =
            reduce_two((brolga_word)reduce, value, words(vec)[i]);

        element_drop(reduce->element, value);
        value = next;
    }
    return value;
}

brolga_word par_reduce(unsigned row, brolga_word closure, brolga_word identity,
                       brolga_word vec)
{
    static const struct brolga_par_opts opts = {.unique = true}; /* As read. */
    struct reduce reduce = {element_at(row), closure};
    struct brolga_par_fn2 fn = {.fn = reduce_two, .env = (brolga_word)&reduce};
    brolga *rt = run_enter();
    brolga_word value;
    int err;

    closure_pin(closure);
    err = brolga_preduce(rt, reduce.element->vec_inside, vec, &fn, identity,
                         &value, &opts, NULL);
    run_check(err, "preduce");
    if (err != BROLGA_OK)
        value = reduce_alone(&reduce, identity, vec);
    return element_pass(reduce.element, value);
}
