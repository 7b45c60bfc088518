/*
 * What the modules of the pipeline agree on: the channels, and the state of
 * each task. What goes through the channels is in messages.h.
 *
 *     reader -lines-> parsers -parsed-> scorer -scored-> table -tops-> show
 *
 * Each arrow is a channel of bounded capacity, so that a slow task slows down
 * those before it instead of filling memory. One message is one line of text:
 * every task adds its part and passes the line on, hence as many lines must
 * come out as went in, whatever is reloaded meanwhile.
 *
 * Code comes and goes, state stays: everything here lives on the heap and is
 * handed to the functions as `state`. Neither messages nor states hold the
 * address of a literal or of a static variable, because these go with the
 * unit that they belong to. The structs of this file must not change while the
 * program runs: a running task would read an old struct with new code.
 */
#ifndef PIPELINE_H
#define PIPELINE_H

#include <brolga/chan.h>
#include <brolga/task.h>

#include <stdint.h>
#include <stdio.h>

#define PARSERS    3
#define WORD_BYTES 24
#define TABLE_ROWS 8192 /* A power of two. */
#define CHAN_LINES 64
#define PAUSE_NS   (50 * BROLGA_MS)  /* After each pass over the input. */
#define REPORT_NS  (500 * BROLGA_MS) /* Between two pictures of the table. */

struct row {
    char word[WORD_BYTES]; /* "" for a free row. */
    uint64_t count;
    int64_t points;
};

struct pipeline {
    brolga_chan *lines; /* Of struct line, as are the next two. */
    brolga_chan *parsed;
    brolga_chan *scored;
    brolga_chan *tops; /* Of struct top. */
};

/** The reader's own state. */
struct reader {
    struct pipeline *pipe;
    char **paths; /* The input files. */
    size_t count;
    size_t next; /* The file to open next. */
    FILE *file;  /* The one that is being read, or NULL. */
    uint64_t passes;
    uint64_t passes_max; /* 0 = until the program is stopped. */
    uint64_t lines;      /* Sent so far. */
};

/** The table's own state. */
struct table {
    struct pipeline *pipe;
    uint64_t lines;
    uint64_t words;
    uint64_t unlisted; /* Words that found no row because the table is full. */
    uint32_t distinct;
    uint32_t pictures;  /* Sent to the screen so far. */
    uint64_t report_ns; /* When the next picture is due. */
    struct row rows[TABLE_ROWS];
};

#endif
