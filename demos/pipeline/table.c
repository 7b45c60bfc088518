/*
 * The table: counts words, ranks them by points, and shows the first ten.
 *
 * Two tasks run this code: one owns the table and adds lines to it, the other
 * one draws. They share nothing: what is drawn is a picture of the table that
 * came through a channel.
 */
#include <brolga/module.h>

#include "messages.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

BROLGA_MODULE(table, .policy = BROLGA_RECLAIM);
BROLGA_IMPORT(scorer, int32_t, score, (const char *word, uint32_t length),
              (word, length));

/* --- counting ----------------------------------------------------------- */

static uint32_t hash(const char *text, size_t length)
{
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < length; i++)
        sum = (sum ^ (uint8_t)text[i]) * 16777619u;
    return sum;
}

/* The row of a word, or the free row where it belongs; NULL if it is new and
 * the table is three quarters full. */
static struct row *find_row(struct table *table, const char *text,
                            size_t length)
{
    uint32_t at = hash(text, length);

    for (;; at++) { /* Ends: a quarter of the rows is free. */
        struct row *row = &table->rows[at % TABLE_ROWS];

        if (row->word[0] == '\0')
            return table->distinct < TABLE_ROWS / 4 * 3 ? row : NULL;
        if (strncmp(row->word, text, length) == 0 && row->word[length] == '\0')
            return row;
    }
}

static void add_word(struct table *table, const char *text, struct word word)
{
    size_t length = word.length < WORD_BYTES ? word.length : WORD_BYTES - 1;
    struct row *row = find_row(table, text, length);

    table->words++;
    if (!row) {
        table->unlisted++;
        return;
    }
    if (row->word[0] == '\0') {
        memcpy(row->word, text, length);
        table->distinct++;
    }
    row->count++;
    row->points += word.points;
}

/* --- ranking ------------------------------------------------------------ */

static void insert_by_points(struct top *top, const struct row *row)
{
    uint32_t at = top->rows;

    while (at > 0 && top->row[at - 1].points < row->points)
        at--;
    if (at == TOP_ROWS)
        return;
    if (top->rows < TOP_ROWS)
        top->rows++;
    memmove(&top->row[at + 1], &top->row[at],
            (top->rows - 1 - at) * sizeof(top->row[0]));
    top->row[at] = *row;
}

/* Points fade: half of them go with each picture, so that a new rule of the
 * scorer shows within a few seconds. */
static void report(struct table *table)
{
    struct top top = {.lines = table->lines,
                      .words = table->words,
                      .distinct = table->distinct,
                      .number = table->pictures + 1};

    for (uint32_t i = 0; i < TABLE_ROWS; i++) {
        if (table->rows[i].points > 0)
            insert_by_points(&top, &table->rows[i]);
        table->rows[i].points -= table->rows[i].points / 2;
    }
    /* If the screen is slow, it misses a picture: nobody waits for it. */
    if (brolga_try_send(table->pipe->tops, &top) == BROLGA_OK)
        table->pictures++;
    table->report_ns = brolga_after_ns(REPORT_NS);
}

BROLGA_EXPORT(int, add_line, (void *state, void *element))
{
    struct table *table = state;
    struct line *line = element;

    table->lines++;
    for (uint32_t i = 0; i < line->words; i++)
        add_word(table, line->text + line->word[i].start, line->word[i]);
    if (brolga_now_ns() >= table->report_ns)
        report(table);
    return BROLGA_OK;
}

/* --- showing ------------------------------------------------------------ */

static void draw_rows(const struct top *top)
{
    printf("%10s %10s %6s  %s\033[K\n", "points", "count", "worth", "word");
    for (uint32_t i = 0; i < TOP_ROWS; i++) {
        const struct row *row = &top->row[i];

        if (i < top->rows)
            printf("%10" PRId64 " %10" PRIu64 " %6" PRId32 "  %s", row->points,
                   row->count, score(row->word, (uint32_t)strlen(row->word)),
                   row->word);
        printf("\033[K\n");
    }
}

#define DRAWN_ROWS (TOP_ROWS + 3)

/* Makes room at the top of the terminal: what stands there moves down. */
static void make_room(void)
{
    for (int i = 0; i < DRAWN_ROWS; i++)
        printf("\n");
    printf("\0337\033[H\033[%dL\0338", DRAWN_ROWS);
}

/* Draws at the top of the terminal and lets the rest scroll below. The region
 * that scrolls is set each time, for the terminal may have been resized;
 * setting it moves the cursor, hence the saving and restoring. */
static void draw(const struct top *top, uint64_t lines_in)
{
    if (top->number == 1)
        make_room();
    printf("\0337\033[%dr\033[H", DRAWN_ROWS + 1);
    printf("lines: %" PRIu64 " in, %" PRIu64 " out, %" PRIu64
           " under way; %" PRIu64 " words, %" PRIu32 " different\033[K\n",
           lines_in, top->lines, lines_in - top->lines, top->words,
           top->distinct);
    draw_rows(top);
    printf("\033[K\0338");
}

static void print_line(const struct top *top, uint64_t lines_in)
{
    printf("lines %" PRIu64 " in %" PRIu64 " out, top:", lines_in, top->lines);
    for (uint32_t i = 0; i < top->rows; i++)
        printf(" %s %" PRId64, top->row[i].word, top->row[i].points);
    printf("\n");
}

BROLGA_EXPORT(int, show, (void *state, void *element))
{
    struct pipeline *pipe = state;
    struct brolga_chan_stats lines;

    brolga_chan_stats(pipe->lines, &lines);
    if (isatty(STDOUT_FILENO))
        draw(element, lines.sent);
    else
        print_line(element, lines.sent);
    fflush(stdout);
    return BROLGA_OK;
}
