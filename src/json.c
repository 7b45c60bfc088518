/* JSON under construction: json.h says what for. */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>

static void put_char(struct brolga__json *json, char c)
{
    if (json->used + 1 < json->bytes)
        json->at[json->used] = c;
    json->used++;
}

static void put(struct brolga__json *json, const char *text)
{
    for (; *text != '\0'; text++)
        put_char(json, *text);
}

static void put_string(struct brolga__json *json, const char *text)
{
    put_char(json, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        char escaped[8];

        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            put_char(json, *text);
            continue;
        }
        (void)snprintf(escaped, sizeof escaped, "\\u%04x", c);
        put(json, escaped);
    }
    put_char(json, '"');
}

static void put_key(struct brolga__json *json, const char *key)
{
    if (json->some)
        put_char(json, ',');
    json->some = true;
    if (key == NULL)
        return;
    put_string(json, key);
    put_char(json, ':');
}

void brolga__json_open(struct brolga__json *json, const char *key, char bracket)
{
    put_key(json, key);
    put_char(json, bracket);
    json->some = false;
}

void brolga__json_close(struct brolga__json *json, char bracket)
{
    put_char(json, bracket);
    json->some = true;
}

void brolga__json_string(struct brolga__json *json, const char *key,
                         const char *text)
{
    put_key(json, key);
    put_string(json, text);
}

void brolga__json_number(struct brolga__json *json, const char *key,
                         uint64_t number)
{
    char digits[24];

    put_key(json, key);
    (void)snprintf(digits, sizeof digits, "%" PRIu64, number);
    put(json, digits);
}

void brolga__json_null(struct brolga__json *json, const char *key)
{
    put_key(json, key);
    put(json, "null");
}

void brolga__json_text(struct brolga__json *json, const char *key,
                       const char *text)
{
    if (text != NULL && text[0] != '\0')
        brolga__json_string(json, key, text);
}

void brolga__json_count(struct brolga__json *json, const char *key,
                        uint64_t number)
{
    if (number != 0)
        brolga__json_number(json, key, number);
}

size_t brolga__json_end(struct brolga__json *json)
{
    if (json->bytes > 0)
        json->at[json->used < json->bytes ? json->used : json->bytes - 1] =
            '\0';
    return json->used;
}
