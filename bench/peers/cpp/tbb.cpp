/*
 * oneTBB: tasks without stacks of their own, and a queue between threads.
 */
#include "peer.hpp"

#include <tbb/concurrent_queue.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_invoke.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <memory>
#include <thread>

/* Runs fn() in an arena of so many threads, the caller among them. */
template <typename Fn> static double run(unsigned workers, const Fn &fn)
{
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                              workers);
    tbb::task_arena arena(static_cast<int>(workers));

    return arena.execute(fn);
}

static double spawn_join(unsigned workers, uint64_t count)
{
    return run(workers, [=] {
        stopwatch watch;

        for (uint64_t done = 0; done < count; done += batch) {
            tbb::task_group group;

            for (uint64_t i = 0; i < batch; i++)
                group.run([] {});
            group.wait();
        }
        return watch.per(count);
    });
}

static uint64_t fib_group(unsigned n)
{
    if (n < 2)
        return n;

    tbb::task_group group;
    uint64_t one, two;

    group.run([&, n] { one = fib_group(n - 1); });
    two = fib_group(n - 2);
    group.wait();
    return one + two;
}

static uint64_t fib_invoke(unsigned n)
{
    uint64_t one, two;

    if (n < 2)
        return n;
    tbb::parallel_invoke([&, n] { one = fib_invoke(n - 1); },
                         [&, n] { two = fib_invoke(n - 2); });
    return one + two;
}

template <uint64_t (*Fib)(unsigned)>
static double fork_join(unsigned workers, uint64_t count)
{
    uint64_t forks;
    unsigned n = fib_size(count, forks);

    return run(workers, [=] {
        stopwatch watch;

        must(Fib(n) > forks / 2, "the sum");
        return watch.per(forks);
    });
}

template <unsigned Parties> static double queue(unsigned, uint64_t count)
{
    tbb::concurrent_bounded_queue<uint64_t> words;
    std::vector<std::thread> threads;
    stopwatch watch;

    words.set_capacity(1024);
    for (unsigned p = 0; p < Parties; p++) {
        threads.emplace_back([&] {
            for (uint64_t i = 0; i < count / Parties; i++)
                words.push(i);
        });
        threads.emplace_back([&] {
            uint64_t word;

            for (uint64_t i = 0; i < count / Parties; i++)
                words.pop(word);
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    return watch.per(count);
}

template <typename Fn>
static double map(unsigned workers, uint64_t size, uint64_t count, const Fn &fn)
{
    std::vector<uint64_t> words(size);

    for (uint64_t i = 0; i < size; i++)
        words[i] = i + 1;
    return run(workers, [&] {
        stopwatch watch;

        for (uint64_t done = 0; done < count; done += size) {
            std::unique_ptr<uint64_t[]> out(new uint64_t[size]);

            tbb::parallel_for(tbb::blocked_range<uint64_t>(0, size),
                              [&](const tbb::blocked_range<uint64_t> &range) {
                                  for (uint64_t i = range.begin();
                                       i != range.end(); i++)
                                      out[i] = fn(words[i]);
                              });
            must(out[0] != 0, "the first");
        }
        return watch.per(count);
    });
}

static double map_cheap(unsigned workers, uint64_t count)
{
    return map(workers, count < 1000000 ? count : 1000000, count,
               [](uint64_t x) { return 3 * x + 1; });
}

static double map_heavy(unsigned workers, uint64_t count)
{
    return map(workers, count, count, [](uint64_t x) {
        for (unsigned i = 0; i < 13000; i++)
            x = (x ^ x >> 31) * UINT64_C(6364136223846793005);
        return x;
    });
}

int main()
{
    return serve({
        {"spawn_join", "1,2", 300000, "TBB task_group", spawn_join},
        {"forkjoin_fib27", "1,2", 317810, "TBB task_group",
         fork_join<fib_group>},
        {"forkjoin_fib27.invoke", "1,2", 317810, "TBB parallel_invoke",
         fork_join<fib_invoke>},
        {"pmap_cheap", "1,2", 20000000, "TBB parallel_for", map_cheap},
        {"pmap_heavy", "1,2", 2000, "TBB parallel_for", map_heavy},
        {"spsc_1024", "2", 100000, "TBB concurrent_bounded_queue, threads",
         queue<1>},
        {"mpmc44_1024", "2", 50000, "TBB concurrent_bounded_queue, threads",
         queue<4>},
    });
}
