/*
 * Heaps of tasks: what it costs to make objects in one, to lose them all, and
 * to move a value out.
 *
 * Each subject is a task, with a heap or without: then its objects are common,
 * mimalloc's where the library was built with it. heap_alloc_* makes objects of
 * 40 bytes through the model's `alloc` and frees them through its `free`, per
 * pair: a thousand at a time, and a million. heap_copy_1e6 and heap_drop_1e6
 * are a copy of a list of a million by the task for itself, and the drop of it,
 * per element. heap_fail_1e6 is a failure of a task that has a list of a
 * million, from the panic to the end of the join, in microseconds; without a
 * heap, a deferred handler drops the list. heap_move_* is a give, a receive and
 * a drop by the receiver, per element, of lists of a thousand and of vectors of
 * 100,000 words; with a heap, also if the send copies.
 */
#include "values.h"

#include <brolga/chan.h>
#include <brolga/heap.h>
#include <brolga/scope.h>

#include <stdlib.h>
#include <string.h>

#define ELEMENTS UINT64_C(1000000)
#define TURNS    7

static brolga_types *types;
static const brolga_type *list_type, *vec_type;
static brolga *rt;
static brolga_word source; /* A list, in no heap. */

static brolga_word make_vec(uint64_t count)
{
    brolga_word vec = model.alloc(24, model.arg);
    brolga_word data = model.alloc((int64_t)count * 8, model.arg);

    bench_check(vec != 0 && data != 0, "memory for a value");
    memset(fields(data), 0, count * 8);
    fields(vec)[0] = fields(vec)[1] = (brolga_word)count;
    fields(vec)[2] = data;
    return vec;
}

/* What a subject does in its task. */
struct job {
    bool heap;
    bool vec;       /* of so many words, instead of a list */
    bool copies;    /* A move that is a copy. */
    uint64_t count; /* objects at a time */
    uint64_t times;
    double ns; /* that it took */
    uint64_t since_ns;
    brolga_word word;
};

static void run_job(struct job *job, brolga_task_fn fn, int end)
{
    struct brolga_spawn_opts opts = {.heap = job->heap};
    brolga_task *task;

    bench_must(brolga_spawn(rt, fn, job, &opts, &task));
    bench_check(brolga_join(task, BROLGA_FOREVER, NULL, NULL) == end,
                "the end that was meant");
}

static double per_object(const struct job *job)
{
    return job->ns / (double)(job->count * job->times);
}

/* --- objects ------------------------------------------------------------ */

static brolga_word make_and_free(void *arg)
{
    struct job *job = arg;
    brolga_word *object = malloc(job->count * sizeof *object);
    uint64_t begin = 0;

    bench_check(object != NULL, "memory");
    for (uint64_t turn = 0; turn <= job->times; turn++) {
        if (turn == 1) /* The first one warms up. */
            begin = bench_cpu_ns();
        for (uint64_t i = 0; i < job->count; i++)
            object[i] = model.alloc(24, model.arg);
        for (uint64_t i = 0; i < job->count; i++)
            model.free(object[i], model.arg);
    }
    job->ns = bench_cpu_since(begin);
    free(object);
    return 0;
}

static double sample_alloc(void *arg)
{
    struct job *job = arg;

    run_job(job, make_and_free, BROLGA_OK);
    return per_object(job);
}

static brolga_word copy_and_drop(void *arg)
{
    struct job *job = arg;
    brolga_word copy;
    uint64_t begin;

    for (uint64_t turn = 0; turn <= job->times; turn++) {
        begin = bench_cpu_ns();
        bench_must(brolga_copy_word(list_type, source, &copy, NULL));
        if (!job->copies)
            begin = bench_cpu_ns();
        else if (turn == job->times)
            job->ns = bench_cpu_since(begin);
        brolga_drop_word(list_type, copy);
        if (!job->copies)
            job->ns = bench_cpu_since(begin);
    }
    job->ns *= (double)job->times; /* One turn was taken. */
    return 0;
}

static double sample_copy(void *arg)
{
    struct job *job = arg;

    run_job(job, copy_and_drop, BROLGA_OK);
    return per_object(job);
}

/* --- failures ----------------------------------------------------------- */

static void drop_list(void *arg)
{
    struct job *job = arg;

    brolga_drop_word(list_type, job->word);
}

static brolga_word make_and_panic(void *arg)
{
    struct job *job = arg;

    job->word = make_list(job->count);
    if (!job->heap)
        bench_must(brolga_defer(drop_list, job));
    job->since_ns = brolga_now_ns();
    brolga_panic("bench");
}

static double sample_failure(void *arg)
{
    struct job *job = arg;

    run_job(job, make_and_panic, BROLGA_EFAILED);
    return bench_since(job->since_ns) / 1e3;
}

/* --- moves -------------------------------------------------------------- */

static brolga_word give_and_take(void *arg)
{
    struct job *job = arg;
    const brolga_type *type = job->vec ? vec_type : list_type;
    struct brolga_chan_opts opts = {.capacity = 1};
    brolga_word value, got;
    brolga_chan *chan;
    uint64_t begin;

    opts.gives = job->copies ? BROLGA_COPY : BROLGA_MOVE;
    bench_must(brolga_chan_create(type, &opts, &chan));
    job->ns = 0;
    for (uint64_t turn = 0; turn <= job->times; turn++) {
        value = (job->vec ? make_vec : make_list)(job->count);
        begin = bench_cpu_ns();
        bench_must(brolga_give(chan, &value, BROLGA_FOREVER));
        bench_must(brolga_recv(chan, &got, BROLGA_FOREVER));
        brolga_drop_word(type, got);
        if (turn > 0)
            job->ns += bench_cpu_since(begin);
    }
    brolga_chan_release(chan);
    return 0;
}

static double sample_move(void *arg)
{
    struct job *job = arg;

    run_job(job, give_and_take, BROLGA_OK);
    return per_object(job);
}

/* --- rows --------------------------------------------------------------- */

static void run_pair(const char *row, const char *unit,
                     double (*sample)(void *arg), struct job job)
{
    struct job common = job, heap = job;
    const struct bench_subject subjects[] = {
        {"brolga: heap", sample, &heap},
        {"brolga: common memory", sample, &common},
    };

    heap.heap = true;
    bench_run(&(struct bench_row){row, 1, unit, TURNS}, subjects,
              bench_lengthof(subjects));
}

static void run_move(const char *row, uint64_t count, bool vec)
{
    struct job job = {
        .count = count, .times = bench_count(100000) / count + 1, .vec = vec};
    struct job heap = job, copy = job, common = job;
    const struct bench_subject subjects[] = {
        {"brolga: out of a heap", sample_move, &heap},
        {"brolga: out of a heap, copied", sample_move, &copy},
        {"brolga: common memory", sample_move, &common},
    };

    heap.heap = copy.heap = copy.copies = true;
    bench_run(&(struct bench_row){row, 1, "ns", TURNS}, subjects,
              bench_lengthof(subjects));
}

int main(int argc, char **argv)
{
    struct brolga_opts opts = {.workers = 1};
    uint64_t many;

    bench_begin(argc, argv, "heaps");
    many = bench_count(ELEMENTS);
    model = brolga_model_cranelisp();
    bench_must(brolga_types_create(&model, &types));
    bench_must(brolga_type_parse(types, "(List Int)", &list_type, NULL));
    bench_must(brolga_type_parse(types, "(Vec Int)", &vec_type, NULL));
    bench_must(brolga_create(&opts, &rt));
    source = make_list(many);
    run_pair("heap_alloc_1e3", "ns", sample_alloc,
             (struct job){.count = 1000, .times = bench_count(2000)});
    run_pair("heap_alloc_1e6", "ns", sample_alloc,
             (struct job){.count = many, .times = 2});
    run_pair("heap_copy_1e6", "ns", sample_copy,
             (struct job){.count = many, .times = 2, .copies = true});
    run_pair("heap_drop_1e6", "ns", sample_copy,
             (struct job){.count = many, .times = 2});
    run_pair("heap_fail_1e6", "us", sample_failure,
             (struct job){.count = many});
    run_move("heap_move_1e3", 1000, false);
    run_move("heap_move_vec", 100000, true);
    brolga_drop_word(list_type, source);
    bench_must(brolga_destroy(rt));
    brolga_types_destroy(types);
    return 0;
}
