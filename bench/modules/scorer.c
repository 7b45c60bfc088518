/*
 * What someone edits while it runs: fifty lines of a plain program. The
 * benchmark writes `#define GENERATION n` in front of it and saves it again.
 */
#include <brolga/module.h>

#include <ctype.h>
#include <string.h>

BROLGA_MODULE(scorer);

#define WORDS_MAX 64

struct word {
    const char *text;
    size_t bytes;
};

static const char text[] = "a crane lives long and a brolga dances in groups";

static size_t split(const char *line, struct word *words)
{
    size_t count = 0;

    while (*line != '\0' && count < WORDS_MAX) {
        const char *begin;

        while (isspace((unsigned char)*line))
            line++;
        for (begin = line; *line != '\0' && !isspace((unsigned char)*line);)
            line++;
        if (line > begin)
            words[count++] = (struct word){begin, (size_t)(line - begin)};
    }
    return count;
}

static int64_t score_word(const struct word *word)
{
    int64_t score = 0;

    for (size_t i = 0; i < word->bytes; i++)
        score += strchr("aeiou", word->text[i]) != NULL ? 2 : 1;
    return score;
}

/* Says which edit of the file this is; the benchmark waits for it. */
BROLGA_EXPORT(int64_t, score, (int64_t floor))
{
    struct word words[WORDS_MAX];
    size_t count = split(text, words);
    int64_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += score_word(&words[i]);
    return total > floor ? GENERATION : -1;
}
