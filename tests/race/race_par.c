/*
 * Goal: parallel collections in one another and side by side, with failures,
 * deadlines, parks and cancels at random, give what a loop would give or an
 * error, name an element that did fail, and leave no object, no count and no
 * environment behind.
 *
 * Method: parties map, filter and reduce random vectors, of which random
 * elements share objects; the functions yield, sleep, nest and panic by the
 * element's number. The heap counts.
 */
#include "race.h"

#include "atomic.h"

#include <brolga/brolga.h>

#define PARTIES      4
#define ELEMENTS_MAX 3000

static brolga *rt;
static struct brolga_model preset, model;
static brolga_types *types;
static const brolga_type *ints, *boxes, *box;
static _Atomic int64_t live;
static _Atomic uint64_t calls, failures, timeouts;

static brolga_word count_alloc(int64_t bytes, void *arg)
{
    (void)arg;
    (void)brolga__add_relaxed(&live, 1);
    return preset.alloc(bytes, NULL);
}

static void count_free(brolga_word value, void *arg)
{
    (void)arg;
    (void)brolga__sub_release(&live, 1);
    preset.free(value, NULL);
}

static brolga_word *fields(brolga_word value)
{
    return (brolga_word *)(uintptr_t)value;
}

/* --- a collection and what it should come to ---------------------------- */

struct trial {
    uint64_t random;
    size_t count;
    size_t fails_at; /* From there on; count: nowhere. */
    bool parks, nests;
    brolga_word common; /* In some elements, or 0. */
    brolga_word in;
};

static brolga_word some(brolga_word value)
{
    brolga_word object = model.alloc(16, NULL);

    fields(object)[0] = 1;
    fields(object)[1] = value;
    return object;
}

static brolga_word vec_of_boxes(struct trial *trial)
{
    brolga_word vec = model.alloc(24, NULL);
    brolga_word data =
        trial->count == 0 ? 0 : model.alloc((int64_t)trial->count * 8, NULL);

    for (size_t i = 0; i < trial->count; i++) {
        if (trial->common != 0 && race_random(&trial->random) % 8 == 0) {
            fields(trial->common)[-1]++;
            fields(data)[i] = trial->common;
        } else {
            fields(data)[i] = some((brolga_word)i);
        }
    }
    fields(vec)[0] = fields(vec)[1] = (brolga_word)trial->count;
    fields(vec)[2] = data;
    return vec;
}

static void set_up(struct trial *trial)
{
    trial->count = race_random(&trial->random) % ELEMENTS_MAX;
    trial->fails_at = trial->count;
    if (trial->count > 0 && race_random(&trial->random) % 4 == 0)
        trial->fails_at = race_random(&trial->random) % trial->count;
    trial->parks = race_random(&trial->random) % 4 == 0;
    trial->nests = race_random(&trial->random) % 4 == 0;
    trial->common = race_random(&trial->random) % 2 == 0 ? some(-1) : 0;
    trial->in = vec_of_boxes(trial);
}

static void tear_down(struct trial *trial)
{
    brolga_drop_word(boxes, trial->in);
    if (trial->common != 0) {
        race_check(fields(trial->common)[-1] == 1, "%lld references are left",
                   (long long)fields(trial->common)[-1]);
        brolga_drop_word(box, trial->common);
    }
}

/* --- functions ---------------------------------------------------------- */

static int count_some(void *arg, size_t begin, size_t end)
{
    (void)brolga__add_relaxed((_Atomic uint64_t *)arg, end - begin);
    return BROLGA_OK;
}

/* Takes a reference and gives it back, as compiled code does, without care. */
static void touch(brolga_word element)
{
    fields(element)[-1]++;
    fields(element)[-1]--;
}

static void disturb(const struct trial *trial, brolga_word number)
{
    if (trial->parks && number % 64 == 0)
        (void)brolga_sleep_until(brolga_after_ns(BROLGA_US));
    if (trial->parks && number % 16 == 0)
        brolga_yield();
    if (trial->nests && number % 512 == 0) {
        _Atomic uint64_t sum = 0;

        if (brolga_pfor(rt, 700, count_some, (void *)&sum, NULL, NULL) ==
            BROLGA_OK)
            race_check(brolga__load_relaxed(&sum) == 700, "some are missing");
    }
}

static brolga_word unbox(brolga_word env, brolga_word element)
{
    const struct trial *trial = *(struct trial **)(uintptr_t)env;
    brolga_word number = fields(element)[1];

    touch(element);
    disturb(trial, number);
    if (number >= 0 && (size_t)number >= trial->fails_at)
        brolga_panic("%lld", (long long)number);
    return number;
}

static brolga_word rebox(brolga_word env, brolga_word element)
{
    brolga_word number = unbox(env, element);

    if (number % 2 != 0)
        return some(number);
    fields(element)[-1]++;
    return element;
}

static brolga_word is_odd(brolga_word env, brolga_word element)
{
    return unbox(env, element) % 2 != 0;
}

/* Sums are told from elements, which may fail, by their size. */
#define SUM ((brolga_word)1 << 40)

static brolga_word add(brolga_word env, brolga_word left, brolga_word right)
{
    brolga_word number = fields(right)[1];

    touch(left);
    if (number < SUM / 2)
        return some(fields(left)[1] + unbox(env, right));
    return some(fields(left)[1] + number - SUM);
}

/* --- checks ------------------------------------------------------------- */

static brolga_word in_at(const struct trial *trial, size_t i)
{
    return fields(fields(fields(trial->in)[2])[i])[1];
}

/* Whether the error is one that the trial explains. */
static void check_error(const struct trial *trial, int err,
                        const struct brolga_par_failure *failure,
                        bool has_deadline)
{
    if (err == BROLGA_ETIMEOUT) {
        race_check(has_deadline, "there was no deadline");
        (void)brolga__add_relaxed(&timeouts, 1);
        return;
    }
    race_check(err == BROLGA_EFAILED, "%s", brolga_error_name(err));
    race_check(failure->index < trial->count, "element %zu of %zu",
               failure->index, trial->count);
    race_check(failure->index >= trial->fails_at, "element %zu did not fail",
               failure->index);
    race_check((size_t)atoll(failure->failure.message) == failure->index,
               "'%s' is not of element %zu", failure->failure.message,
               failure->index);
    (void)brolga__add_relaxed(&failures, 1);
}

static void check_map(const struct trial *trial, brolga_word out, bool boxed)
{
    race_check(fields(out)[0] == (brolga_word)trial->count, "the length");
    for (size_t i = 0; i < trial->count; i++) {
        brolga_word is = fields(fields(out)[2])[i];

        race_check((boxed ? fields(is)[1] : is) == in_at(trial, i),
                   "element %zu", i);
    }
}

static void check_filter(const struct trial *trial, brolga_word out)
{
    size_t n = 0;

    for (size_t i = 0; i < trial->count; i++)
        if (in_at(trial, i) % 2 != 0) {
            race_check(fields(fields(out)[2])[n] ==
                           fields(fields(trial->in)[2])[i],
                       "element %zu", i);
            n++;
        }
    race_check(fields(out)[0] == (brolga_word)n, "the length");
}

static void check_sum(const struct trial *trial, brolga_word out)
{
    brolga_word sum = 0;

    for (size_t i = 0; i < trial->count; i++)
        sum += in_at(trial, i);
    race_check(fields(out)[1] == SUM + sum, "the sum");
}

/* Whether an element is there that fails: not one that is in many places. */
static bool may_fail(const struct trial *trial)
{
    for (size_t i = trial->fails_at; i < trial->count; i++)
        if (in_at(trial, i) == (brolga_word)i)
            return true;
    return false;
}

static void try_one(struct trial *trial)
{
    brolga_word env = (brolga_word)(uintptr_t)&trial, out, zero;
    struct brolga_par_fn one = {.env = env};
    struct brolga_par_fn2 two = {.fn = add, .env = env};
    struct brolga_par_opts opts = {.chunk = race_random(&trial->random) % 3};
    struct brolga_par_failure failure;
    bool hurried = race_random(&trial->random) % 8 == 0;
    unsigned what;
    int err;

    set_up(trial);
    if (hurried)
        opts.deadline_ns =
            brolga_after_ns(race_random(&trial->random) % (200 * BROLGA_US));
    what = (unsigned)(race_random(&trial->random) % 4);
    switch (what) {
    case 0:
    case 1:
        one.fn = what == 0 ? unbox : rebox;
        err = brolga_pmap(rt, boxes, trial->in, &one, what == 0 ? ints : boxes,
                          &out, &opts, &failure);
        if (err == BROLGA_OK) {
            check_map(trial, out, what == 1);
            brolga_drop_word(what == 0 ? ints : boxes, out);
        }
        break;
    case 2:
        one.fn = is_odd;
        err = brolga_pfilter(rt, boxes, trial->in, &one, &out, &opts, &failure);
        if (err == BROLGA_OK) {
            check_filter(trial, out);
            brolga_drop_word(boxes, out);
        }
        break;
    default:
        zero = some(SUM);
        err = brolga_preduce(rt, boxes, trial->in, &two, zero, &out, &opts,
                             &failure);
        if (err == BROLGA_OK) {
            check_sum(trial, out);
            brolga_drop_word(box, out);
        }
        brolga_drop_word(box, zero);
        break;
    }
    if (err != BROLGA_OK)
        check_error(trial, err, &failure, hurried);
    else
        race_check(!may_fail(trial), "nothing failed");
    tear_down(trial);
    (void)brolga__add_relaxed(&calls, 1);
}

static brolga_word party(void *arg)
{
    struct trial trial = {.random = race_state((unsigned)(uintptr_t)arg)};

    while (!race_over())
        try_one(&trial);
    return 0;
}

int main(int argc, char **argv)
{
    brolga_task *task[PARTIES];

    race_begin(argc, argv);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 3}, &rt));
    model = preset = brolga_model_cranelisp();
    model.alloc = count_alloc;
    model.free = count_free;
    race_ok(brolga_types_create(&model, &types));
    race_ok(brolga_type_parse(types, "(Vec Int)", &ints, NULL));
    race_ok(brolga_type_parse(types, "(Vec (Option Int))", &boxes, NULL));
    race_ok(brolga_type_parse(types, "(Option Int)", &box, NULL));
    for (uintptr_t i = 0; i < PARTIES; i++)
        race_ok(brolga_spawn(rt, party, (void *)i, NULL, &task[i]));
    for (int i = 0; i < PARTIES; i++) {
        struct brolga_failure failure = {.message = ""};
        int err = brolga_join(task[i], BROLGA_FOREVER, NULL, &failure);

        race_check(err == BROLGA_OK, "%s", failure.message);
    }
    race_ok(brolga_destroy(rt));
    brolga_types_destroy(types);
    race_check(brolga__load_relaxed(&live) == 0, "%lld objects are left",
               (long long)live);
    printf("%llu calls, %llu failures, %llu timeouts\n",
           (unsigned long long)calls, (unsigned long long)failures,
           (unsigned long long)timeouts);
    return 0;
}
