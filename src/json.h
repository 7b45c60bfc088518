/*
 * JSON that is written into an array of fixed size.
 *
 * It is counted to its end, though it may not fit: as snprintf() does. Strings
 * are taken to be UTF-8.
 */
#ifndef BROLGA_SRC_JSON_H
#define BROLGA_SRC_JSON_H

#include <brolga/base.h>

struct brolga__json {
    char *text;
    size_t bytes; /* Of room. */
    size_t used;  /* Or wanted. */
    bool some;    /* The innermost object or list has something already. */
};

/* '{' or '[' begins an object or list, '}' or ']' ends it. */
void brolga__json_begin(struct brolga__json *json, char bracket);
void brolga__json_end(struct brolga__json *json, char bracket);

/* A key of an object, which its value follows. */
void brolga__json_key(struct brolga__json *json, const char *key);

/* Values. A string may be NULL: it is "" then. */
void brolga__json_string(struct brolga__json *json, const char *text);
void brolga__json_number(struct brolga__json *json, uint64_t number);
void brolga__json_null(struct brolga__json *json);

/* Keys with values. */
void brolga__json_put_string(struct brolga__json *json, const char *key,
                             const char *text);
void brolga__json_put_number(struct brolga__json *json, const char *key,
                             uint64_t number);

/* The same, or nothing at all for what does not apply: NULL, "" and 0. */
void brolga__json_may_string(struct brolga__json *json, const char *key,
                             const char *text);
void brolga__json_may_number(struct brolga__json *json, const char *key,
                             uint64_t number);

/* Ends the text with a NUL, which it does not count. Returns the bytes that
 * were wanted: not below `bytes` if it was cut. */
size_t brolga__json_finish(struct brolga__json *json);

#endif
