#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put_char(struct brolga__json *json, char c)
{
    if (json->used + 1 < json->bytes)
        json->text[json->used] = c;
    json->used++;
}

static void put(struct brolga__json *json, const char *text)
{
    for (; *text != '\0'; text++)
        put_char(json, *text);
}

/* Before a value of a list, or a key of an object. */
static void separate(struct brolga__json *json)
{
    if (json->some)
        put_char(json, ',');
    json->some = true;
}

static void put_escaped(struct brolga__json *json, unsigned char c)
{
    static const char plain[] = "\"\\\n\r\t", letters[] = "\"\\nrt";
    const char *found = c != '\0' ? strchr(plain, c) : NULL;
    char escaped[8];

    if (found != NULL) {
        put_char(json, '\\');
        put_char(json, letters[found - plain]);
    } else if (c < 0x20 || c == 0x7f) {
        (void)snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned)c);
        put(json, escaped);
    } else {
        put_char(json, (char)c);
    }
}

static void put_quoted(struct brolga__json *json, const char *text)
{
    put_char(json, '"');
    for (; text != NULL && *text != '\0'; text++)
        put_escaped(json, (unsigned char)*text);
    put_char(json, '"');
}

void brolga__json_begin(struct brolga__json *json, char bracket)
{
    separate(json);
    put_char(json, bracket);
    json->some = false;
}

void brolga__json_end(struct brolga__json *json, char bracket)
{
    put_char(json, bracket);
    json->some = true;
}

void brolga__json_key(struct brolga__json *json, const char *key)
{
    separate(json);
    put_quoted(json, key);
    put_char(json, ':');
    json->some = false;
}

void brolga__json_string(struct brolga__json *json, const char *text)
{
    separate(json);
    put_quoted(json, text);
}

void brolga__json_number(struct brolga__json *json, uint64_t number)
{
    char digits[24];

    separate(json);
    (void)snprintf(digits, sizeof(digits), "%" PRIu64, number);
    put(json, digits);
}

void brolga__json_null(struct brolga__json *json)
{
    separate(json);
    put(json, "null");
}

void brolga__json_put_string(struct brolga__json *json, const char *key,
                             const char *text)
{
    brolga__json_key(json, key);
    brolga__json_string(json, text);
}

void brolga__json_put_number(struct brolga__json *json, const char *key,
                             uint64_t number)
{
    brolga__json_key(json, key);
    brolga__json_number(json, number);
}

void brolga__json_may_string(struct brolga__json *json, const char *key,
                             const char *text)
{
    if (text != NULL && text[0] != '\0')
        brolga__json_put_string(json, key, text);
}

void brolga__json_may_number(struct brolga__json *json, const char *key,
                             uint64_t number)
{
    if (number != 0)
        brolga__json_put_number(json, key, number);
}

size_t brolga__json_finish(struct brolga__json *json)
{
    if (json->bytes > 0)
        json->text[json->used < json->bytes ? json->used : json->bytes - 1] =
            '\0';
    return json->used;
}
