/*
 * What peers in C++ share: the list, the requests and the answers of
 * bench/peer.h.
 */
#ifndef BROLGA_BENCH_PEER_HPP
#define BROLGA_BENCH_PEER_HPP

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

/* Tasks that are started before they are waited for. */
constexpr uint64_t batch = 1000;

struct subject {
    const char *key;
    const char *workers;
    uint64_t count;
    const char *name;
    /* Takes one sample, in nanoseconds an operation. */
    double (*sample)(unsigned workers, uint64_t count);
};

inline void must(bool ok, const char *what)
{
    if (ok)
        return;
    std::fprintf(stderr, "peer: failed: %s\n", what);
    std::exit(1);
}

class stopwatch
{
    using clock = std::chrono::steady_clock;
    clock::time_point begin = clock::now();

  public:
    double per(uint64_t count) const
    {
        std::chrono::duration<double, std::nano> ns = clock::now() - begin;

        return ns.count() / static_cast<double>(count);
    }
};

/* The largest n for which fib(n) forks at most so many times, and how often it
 * does. */
inline unsigned fib_size(uint64_t forks, uint64_t &exactly)
{
    uint64_t these = 0, next = 1;
    unsigned n = 1;

    while (next <= forks) {
        uint64_t sum = these + next + 1;

        these = next;
        next = sum;
        n++;
    }
    exactly = these;
    return n;
}

/* Answers until the input ends. */
inline int serve(const std::vector<subject> &subjects)
{
    char key[48];
    unsigned workers;
    unsigned long long count;

    for (const subject &s : subjects)
        std::printf("%s\t%s\t%llu\t%s\n", s.key, s.workers,
                    static_cast<unsigned long long>(s.count), s.name);
    std::printf("\n");
    std::fflush(stdout);
    while (std::scanf("%47s %u %llu", key, &workers, &count) == 3) {
        bool known = false;

        for (const subject &s : subjects)
            if (key == std::string(s.key)) {
                std::printf("%.3f\n", s.sample(workers, count));
                known = true;
            }
        if (!known)
            std::printf("- no such subject\n");
        std::fflush(stdout);
    }
    return 0;
}

#endif
