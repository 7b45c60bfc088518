/*
 * The topic "par": one function for many elements, in parallel.
 *
 * Cheap: a million words, three times each and one more, into new memory; what
 * counts is how the elements are cut up, and whether the call of the function
 * can be inlined. The caller is a task, as rayon's is one of the pool's.
 * Heavy: a chain of multiplications of about 20 us an element, which no
 * compiler can shorten; what counts is that nobody is idle. Time per element.
 */
#include "bench.h"

#include <brolga/brolga.h>

#include <stdlib.h>

#define TURNS       9
#define CHEAP       1000000 /* Elements of a collection. */
#define HEAVY       2000
#define HEAVY_STEPS 13000 /* About 20 us. */

struct job {
    brolga *rt;
    const brolga_type *type;
    brolga_word in;
    const uint64_t *word;
    uint64_t *out;
    uint64_t count;
    unsigned times;
    const struct brolga_par_fn *each;
    double took; /* ns an element. */
};

/* Runs a sample as a task, which sets `took`. */
static double in_task(struct job *job, brolga_task_fn sample)
{
    brolga_task *task;

    bench_must(brolga_spawn(job->rt, sample, job, NULL, &task));
    bench_must(brolga_join(task, BROLGA_FOREVER, NULL, NULL));
    return job->took;
}

/* --- cheap -------------------------------------------------------------- */

static BENCH_FUNCTION brolga_word cheap(brolga_word env, brolga_word element)
{
    return 3 * element + env;
}

static void cheap_many(brolga_word env, const brolga_word *in, brolga_word *out,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = 3 * in[i] + env;
}

static brolga_word map_all(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    for (unsigned i = 0; i < job->times; i++) {
        brolga_word out;

        bench_must(brolga_pmap(job->rt, job->type, job->in, job->each,
                               job->type, &out, NULL, NULL));
        brolga_drop_word(job->type, out);
    }
    job->took = bench_since(begin) / (double)(job->count * job->times);
    return 0;
}

static double map(struct job *job, const struct brolga_par_fn *each)
{
    job->each = each;
    return in_task(job, map_all);
}

static double sample_cheap(void *arg)
{
    return map(arg, &(struct brolga_par_fn){.fn = cheap, .env = 1});
}

static double sample_cheap_many(void *arg)
{
    return map(arg, &(struct brolga_par_fn){
                        .fn = cheap, .many = cheap_many, .env = 1});
}

static int cheap_chunk(void *arg, size_t begin, size_t end)
{
    const struct job *job = arg;

    for (size_t i = begin; i < end; i++)
        job->out[i] = 3 * job->word[i] + 1;
    return BROLGA_OK;
}

static brolga_word cut_all(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    for (unsigned i = 0; i < job->times; i++) {
        job->out = malloc(job->count * sizeof *job->out);
        bench_check(job->out != NULL, "memory");
        bench_must(
            brolga_pfor(job->rt, job->count, cheap_chunk, job, NULL, NULL));
        free(job->out);
    }
    job->took = bench_since(begin) / (double)(job->count * job->times);
    return 0;
}

static double sample_cheap_chunks(void *arg)
{
    return in_task(arg, cut_all);
}

static double floor_cheap(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    for (unsigned i = 0; i < job->times; i++) {
        job->out = malloc(job->count * sizeof *job->out);
        bench_check(job->out != NULL, "memory");
        (void)cheap_chunk(job, 0, job->count);
        bench_hide(job->out);
        free(job->out);
    }
    return bench_since(begin) / (double)(job->count * job->times);
}

/* --- heavy -------------------------------------------------------------- */

static BENCH_FUNCTION brolga_word heavy(brolga_word env, brolga_word element)
{
    uint64_t x = (uint64_t)element;

    (void)env;
    for (unsigned i = 0; i < HEAVY_STEPS; i++)
        x = (x ^ x >> 31) * UINT64_C(6364136223846793005);
    return (brolga_word)x;
}

static double sample_heavy(void *arg)
{
    return map(arg, &(struct brolga_par_fn){.fn = heavy});
}

static double serial(const struct job *job)
{
    uint64_t begin = brolga_now_ns();
    brolga_word sum = 0;

    for (uint64_t i = 0; i < job->count; i++)
        sum += heavy(0, (brolga_word)i);
    bench_hide(sum);
    return bench_since(begin) / (double)job->count;
}

static double floor_serial(void *arg)
{
    return serial(arg);
}

static double floor_half(void *arg)
{
    return serial(arg) / 2;
}

/* --- rows --------------------------------------------------------------- */

static struct job job_of(brolga *rt, const brolga_type *type, uint64_t count,
                         unsigned times)
{
    struct brolga_model model = brolga_model_cranelisp();
    uint64_t *word = malloc(count * sizeof *word);
    brolga_word vec = model.alloc(24, NULL);
    brolga_word data = model.alloc((int64_t)count * 8, NULL);
    brolga_word *field = (brolga_word *)(uintptr_t)vec;

    bench_check(word != NULL && vec != 0 && data != 0, "memory");
    field[0] = field[1] = (brolga_word)count;
    field[2] = data;
    for (uint64_t i = 0; i < count; i++) {
        word[i] = i;
        ((brolga_word *)(uintptr_t)data)[i] = (brolga_word)i;
    }
    return (struct job){.rt = rt,
                        .type = type,
                        .in = vec,
                        .word = word,
                        .count = count,
                        .times = times};
}

static void end(struct job *job)
{
    brolga_drop_word(job->type, job->in);
    free((void *)job->word);
}

static void run_rows(unsigned workers, const brolga_type *type)
{
    brolga *rt;
    struct job few, many;

    bench_must(brolga_create(&(struct brolga_opts){.workers = workers}, &rt));
    many = job_of(rt, type, bench_count(CHEAP), 20);
    few = job_of(rt, type, bench_count(HEAVY), 1);
    const struct bench_subject cheap_ones[] = {
        {"brolga: a function an element", sample_cheap, &many},
        {"brolga: a function for many", sample_cheap_many, &many},
        {"brolga: pfor", sample_cheap_chunks, &many},
        {"floor: a loop on one thread", floor_cheap, &many},
    };
    const struct bench_subject heavy_ones[] = {
        {"brolga", sample_heavy, &few},
        {workers == 1 ? "floor: a loop" : "floor: half of a loop",
         workers == 1 ? floor_serial : floor_half, &few},
    };

    bench_run(&(struct bench_row){"pmap_cheap", workers, "ns", TURNS},
              cheap_ones, bench_lengthof(cheap_ones));
    bench_run(&(struct bench_row){"pmap_heavy", workers, "ns", TURNS},
              heavy_ones, bench_lengthof(heavy_ones));
    end(&many);
    end(&few);
    bench_must(brolga_destroy(rt));
}

int main(int argc, char **argv)
{
    struct brolga_model model = brolga_model_cranelisp();
    const brolga_type *type;
    brolga_types *types;

    bench_begin(argc, argv, "par");
    bench_must(brolga_types_create(&model, &types));
    bench_must(brolga_type_parse(types, "(Vec Int)", &type, NULL));
    for (unsigned workers = 1; workers <= 2; workers++)
        run_rows(workers, type);
    brolga_types_destroy(types);
    return 0;
}
