/*
 * oneTBB: tasks without stacks of their own, and a queue between threads.
 */
#include "peer.hpp"

#include <tbb/concurrent_queue.h>
#include <tbb/global_control.h>
#include <tbb/parallel_invoke.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

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

int main()
{
    return serve({
        {"spawn_join", "1,2", 300000, "TBB task_group", spawn_join},
        {"forkjoin_fib27", "1,2", 317810, "TBB task_group",
         fork_join<fib_group>},
        {"forkjoin_fib27.invoke", "1,2", 317810, "TBB parallel_invoke",
         fork_join<fib_invoke>},
        {"spsc_1024", "2", 100000, "TBB concurrent_bounded_queue, threads",
         queue<1>},
        {"mpmc44_1024", "2", 50000, "TBB concurrent_bounded_queue, threads",
         queue<4>},
    });
}
