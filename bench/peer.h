/*
 * Peers: other programs that measure themselves when asked.
 *
 * A peer is any command that talks in lines over standard input and output.
 * First it says what it can measure, one line a subject and an empty line at
 * the end, fields separated by tabs:
 *
 *     row[.variant]  workers  count  subject
 *
 * `workers` lists those that the subject is for: 1, 2, or 1,2. `count` is how
 * many operations make a good sample. Then it answers requests until its input
 * ends; a request is a line
 *
 *     row[.variant] workers count
 *
 * and the answer one line with the figure, in the row's unit, or with
 * several figures where the row has them; or "- reason".
 *
 * A peer is stopped while others are measured, so that neither its idle
 * threads nor its garbage collector disturb them.
 */
#ifndef BROLGA_BENCH_PEER_H
#define BROLGA_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_FIGURES_MAX 2

struct bench_peer;

/** A subject that a peer measures. */
struct bench_asked {
    struct bench_peer *peer;
    char key[48]; /* row[.variant] */
    char name[64];
    bool workers[10]; /* Whether it is for that many. */
    uint64_t count;
    bool failed; /* It is not asked again. */
};

/** Start a peer and read what it can measure; a text to stderr if it fails. */
void bench_peer_add(const char *command);

/** End all peers. */
void bench_peer_end(void);

/** Up to `max` subjects that peers have for a row; returns how many. */
size_t bench_peer_subjects(const char *row, unsigned workers,
                           struct bench_asked **out, size_t max);

/**
 * Ask for one sample, with `fresh` in a process of its own. Returns the number
 * of figures; 0 if the peer cannot, and then a line on stderr has said why.
 */
unsigned bench_peer_ask(struct bench_asked *asked, unsigned workers,
                        uint64_t count, bool fresh,
                        double figure[BENCH_FIGURES_MAX]);

#endif
