/*
 * Goal: what is written is JSON, whatever the strings hold; and a text that
 * does not fit is counted, not overrun.
 * Method: texts by hand, in rooms of every size.
 */
#include <criterion/criterion.h>

#include "json.h"

#include <string.h>

static size_t write_one(char *text, size_t bytes)
{
    struct brolga__json json = {.text = text, .bytes = bytes};

    brolga__json_begin(&json, '{');
    brolga__json_put_string(&json, "a\"b",
                            "q\" b\\ n\n r\r t\t \x01\x7f \xc3\xa9");
    brolga__json_put_number(&json, "most", UINT64_MAX);
    brolga__json_key(&json, "list");
    brolga__json_begin(&json, '[');
    brolga__json_number(&json, 0);
    brolga__json_null(&json);
    brolga__json_begin(&json, '{');
    brolga__json_end(&json, '}');
    brolga__json_string(&json, NULL);
    brolga__json_end(&json, ']');
    brolga__json_may_string(&json, "none", "");
    brolga__json_may_string(&json, "none", NULL);
    brolga__json_may_number(&json, "none", 0);
    brolga__json_may_number(&json, "last", 1);
    brolga__json_end(&json, '}');
    return brolga__json_finish(&json);
}

static const char wanted[] =
    "{\"a\\\"b\":\"q\\\" b\\\\ n\\n r\\r t\\t \\u0001\\u007f \xc3\xa9\","
    "\"most\":18446744073709551615,\"list\":[0,null,{},\"\"],\"last\":1}";

Test(json, objects_lists_and_strings)
{
    char text[256];

    cr_assert_eq(write_one(text, sizeof(text)), strlen(wanted));
    cr_assert_str_eq(text, wanted);
}

Test(json, a_text_that_does_not_fit_is_counted_and_cut)
{
    for (size_t bytes = 1; bytes <= sizeof(wanted); bytes++) {
        char text[256];

        memset(text, 'x', sizeof(text));
        cr_assert_eq(write_one(text, bytes), strlen(wanted));
        cr_assert_eq(strlen(text), bytes - 1);
        cr_assert_eq(strncmp(text, wanted, bytes - 1), 0);
        cr_assert_eq(text[bytes], 'x');
    }
    cr_assert_eq(write_one(NULL, 0), strlen(wanted));
}
