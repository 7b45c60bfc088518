/*
 * The scorer: gives points to words. This is the file to play with.
 */
#include <brolga/module.h>

#include "messages.h"

BROLGA_MODULE(scorer, .policy = BROLGA_RECLAIM);

/* How much a word is worth: one point for each word of four letters or more.
 * Try `return (int32_t)length;` instead. */
BROLGA_EXPORT(int32_t, score, (const char *word, uint32_t length))
{
    (void)word; /* Not terminated: `length` bytes. */
    return length >= 4;
}

BROLGA_EXPORT(int, score_line, (void *state, void *element))
{
    struct pipeline *pipe = state;
    struct line *line = element;

    for (uint32_t i = 0; i < line->words; i++) {
        struct word *word = &line->word[i];

        word->points = score(line->text + word->start, word->length);
    }
    return brolga_send(pipe->scored, line, BROLGA_FOREVER);
}
