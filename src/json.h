/*
 * JSON under construction, for reports that programs read: objects and arrays
 * of strings and numbers, in memory of the caller's. What does not fit is
 * counted, so that the caller can come again with more.
 *
 * A key is written in front of its value, and commas where they belong. Strings
 * are valid UTF-8 if they were.
 */
#ifndef BROLGA_SRC_JSON_H
#define BROLGA_SRC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct brolga__json {
    char *at;
    size_t bytes, used;
    bool some; /* Something stands before, in the innermost of all. */
};

/* Opens and closes with '{', '[' and so on; `key` is NULL in arrays. */
void brolga__json_open(struct brolga__json *json, const char *key,
                       char bracket);
void brolga__json_close(struct brolga__json *json, char bracket);
void brolga__json_string(struct brolga__json *json, const char *key,
                         const char *text);
void brolga__json_number(struct brolga__json *json, const char *key,
                         uint64_t number);
void brolga__json_null(struct brolga__json *json, const char *key);
/* The same two, but nothing for "" or 0. */
void brolga__json_text(struct brolga__json *json, const char *key,
                       const char *text);
void brolga__json_count(struct brolga__json *json, const char *key,
                        uint64_t number);
/* Ends the text with a NUL, if there is any room; returns its length. */
size_t brolga__json_end(struct brolga__json *json);

#endif
