/*
 * The parsers: find the words of a line. Several tasks run this code.
 */
#include <brolga/module.h>

#include "messages.h"

BROLGA_MODULE(parser, .policy = BROLGA_RECLAIM);

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The length of the word at `at`, whose letters are made lower case. */
static uint32_t take_word(struct line *line, uint32_t at)
{
    uint32_t end = at;

    while (end < line->bytes && is_letter(line->text[end])) {
        line->text[end] = lower(line->text[end]);
        end++;
    }
    return end - at;
}

static void split(struct line *line)
{
    uint32_t at = 0;

    while (at < line->bytes && line->words < LINE_WORDS) {
        uint32_t length = take_word(line, at);

        if (length > 0)
            line->word[line->words++] =
                (struct word){.start = (uint8_t)at, .length = (uint8_t)length};
        at += length + 1;
    }
}

BROLGA_EXPORT(int, parse_line, (void *state, void *element))
{
    struct pipeline *pipe = state;
    struct line *line = element;

    split(line);
    return brolga_send(pipe->parsed, line, BROLGA_FOREVER);
}
