/*
 * JSON lines: one object per event, valid UTF-8 whatever a compiler printed.
 */
#include "tool.h"

#include <inttypes.h>
#include <string.h>

void json_open(struct text *text, const char *event)
{
    text_put(text, "{");
    json_string(text, "event", event);
    json_number(text, "time_ns", brolga_now_ns());
}

void json_key(struct text *text, const char *key)
{
    char last = text->data[text->bytes - 1];

    if (last != '{' && last != '[')
        text_put(text, ",");
    text_printf(text, "\"%s\":", key);
}

/* The bytes of the UTF-8 sequence at `at`; 0 if it is not a valid one. */
static size_t utf8_bytes(const unsigned char *at, size_t left)
{
    /* By the first byte: how many follow, and the bounds of the second, which
     * rule out overlong forms, surrogates and what is beyond U+10FFFF. */
    static const struct {
        unsigned char from, to, more, low, high;
    } rows[] = {{0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
                {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f},
                {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf},
                {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f}};
    size_t row = 0;

    if (at[0] < 0x80)
        return 1;
    while (row < 8 && (at[0] < rows[row].from || at[0] > rows[row].to))
        row++;
    if (row == 8 || left <= rows[row].more || at[1] < rows[row].low ||
        at[1] > rows[row].high)
        return 0;
    for (size_t i = 2; i <= rows[row].more; i++) {
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    }
    return rows[row].more + 1u;
}

/* Escapes one ASCII character if it needs that. */
static void put_ascii(struct text *text, char c)
{
    static const char plain[] = "\"\\\n\r\t", letters[] = "\"\\nrt";
    const char *found = c ? strchr(plain, c) : NULL;

    if (found)
        text_printf(text, "\\%c", letters[found - plain]);
    else if ((unsigned char)c < 0x20 || c == 0x7f)
        text_printf(text, "\\u%04x", (unsigned)(unsigned char)c);
    else
        text_add(text, &c, 1);
}

void json_bytes(struct text *text, const char *key, const char *value,
                size_t bytes)
{
    json_key(text, key);
    text_put(text, "\"");
    for (size_t at = 0; at < bytes;) {
        const char *here = value + at;
        size_t step = utf8_bytes((const unsigned char *)here, bytes - at);

        if (step == 1)
            put_ascii(text, *here);
        else if (step == 0)
            text_put(text, "\\ufffd");
        else
            text_add(text, here, step);
        at += step ? step : 1;
    }
    text_put(text, "\"");
}

void json_string(struct text *text, const char *key, const char *value)
{
    if (value)
        json_bytes(text, key, value, strlen(value));
}

void json_number(struct text *text, const char *key, uint64_t value)
{
    json_key(text, key);
    text_printf(text, "%" PRIu64, value);
}

void json_close(struct text *text)
{
    text_put(text, "}\n");
}
