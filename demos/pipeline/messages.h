/*
 * What goes through the channels. These structs may change while the program
 * runs, if a BROLGA_MIGRATE() says what becomes of messages that are under way:
 * all files that include this one are replaced together, and when none of them
 * has a message in its hands.
 *
 * So main.c, whose functions wait for the whole of the program, must not.
 */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "pipeline.h"

#define LINE_BYTES 160
#define LINE_WORDS (LINE_BYTES / 2) /* Words have blanks between them. */
#define TOP_ROWS   10

struct word {
    uint8_t start; /* In the line's text. */
    uint8_t length;
    int32_t points; /* Filled in by the scorer. */
};

/** The message: a line of text, and what has been found in it so far. */
struct line {
    uint32_t bytes;
    uint32_t words; /* Filled in by a parser. */
    char text[LINE_BYTES];
    struct word word[LINE_WORDS];
};
BROLGA_MESSAGE(struct line, line_type);

/** The other message: a picture of the table, from its task to the screen. */
struct top {
    uint64_t lines;
    uint64_t words;
    uint32_t distinct;
    uint32_t number; /* 1 for the first picture. */
    uint32_t rows;   /* Used below, most points first. */
    struct row row[TOP_ROWS];
};
BROLGA_MESSAGE(struct top, top_type);

#endif
