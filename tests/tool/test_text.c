/*
 * Goal: what the command prints is well formed whatever it is made of.
 * Method: the command's own files, included here, on hand-made input.
 */
#include <criterion/criterion.h>

#include "../../tools/brolga/json.c"
#include "../../tools/brolga/options.c"
#include "../../tools/brolga/text.c"

/* Whether the member of an object with this value reads like `want`. */
static bool escapes_to(const char *value, size_t bytes, const char *want)
{
    struct text text = {0}, expected = {0};
    bool same;

    text_put(&text, "{");
    json_bytes(&text, "key", value, bytes);
    text_printf(&expected, "{\"key\":\"%s\"", want);
    same = strcmp(text.data, expected.data) == 0;
    text_free(&text);
    text_free(&expected);
    return same;
}

Test(text, json_escapes_what_must_be_escaped)
{
    cr_assert(escapes_to("plain", 5, "plain"));
    cr_assert(escapes_to("\"\\\n\r\t", 5, "\\\"\\\\\\n\\r\\t"));
    cr_assert(escapes_to("a\0\1\x1f\x7f", 5, "a\\u0000\\u0001\\u001f\\u007f"));
}

Test(text, json_keeps_valid_utf8)
{
    cr_assert(escapes_to("\xc3\xa4", 2, "\xc3\xa4"));
    cr_assert(escapes_to("\xe2\x82\xac!", 4, "\xe2\x82\xac!"));
    cr_assert(escapes_to("\xed\x9f\xbf", 3, "\xed\x9f\xbf"));
    cr_assert(escapes_to("\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf"));
}

Test(text, json_replaces_what_is_no_utf8)
{
    cr_assert(escapes_to("\xff", 1, "\\ufffd"));
    cr_assert(escapes_to("\xc3(", 2, "\\ufffd("));
    cr_assert(escapes_to("\xc0\xaf", 2, "\\ufffd\\ufffd"));
    cr_assert(escapes_to("\xed\xa0\x80", 3, "\\ufffd\\ufffd\\ufffd"));
    cr_assert(
        escapes_to("\xf4\x90\x80\x80", 4, "\\ufffd\\ufffd\\ufffd\\ufffd"));
    /* Cut off at the end: the bytes behind it must not be looked at. */
    cr_assert(escapes_to("\xe2\x82\xac", 2, "\\ufffd\\ufffd"));
    cr_assert(escapes_to("\xc3\xa4", 1, "\\ufffd"));
}

Test(text, json_members_are_separated)
{
    struct text text = {0};

    text_put(&text, "{");
    json_string(&text, "a", "b");
    json_string(&text, "absent", NULL);
    json_number(&text, "c", UINT64_MAX);
    json_close(&text);
    cr_assert_str_eq(text.data, "{\"a\":\"b\",\"c\":18446744073709551615}\n");
    text_free(&text);
}

static bool lasts(uint64_t ns, const char *want)
{
    struct text text = {0};
    bool same;

    text_duration(&text, ns);
    same = strcmp(text.data, want) == 0;
    text_free(&text);
    return same;
}

Test(text, durations_have_two_digits_or_more)
{
    cr_assert(lasts(0, "0 ns"));
    cr_assert(lasts(999, "999 ns"));
    cr_assert(lasts(1000, "1.0 us"));
    cr_assert(lasts(4130 * BROLGA_US, "4.1 ms"));
    cr_assert(lasts(12 * BROLGA_MS + 900 * BROLGA_US, "12 ms"));
    cr_assert(lasts(59 * BROLGA_S, "59 s"));
    cr_assert(lasts(90 * BROLGA_S, "1.5 min"));
}

static bool parses_to(const char *string, uint64_t want)
{
    uint64_t ns = 0;

    return duration_parse(string, &ns) && ns == want;
}

Test(text, durations_are_read_with_their_unit)
{
    cr_assert(parses_to("10s", 10 * BROLGA_S));
    cr_assert(parses_to("500ms", 500 * BROLGA_MS));
    cr_assert(parses_to("2m", 120 * BROLGA_S));
    cr_assert(parses_to("1h", 3600 * BROLGA_S));
    cr_assert(parses_to("0.25", 250 * BROLGA_MS));
}

Test(text, durations_that_make_no_sense_are_refused)
{
    static const char *const bad[] = {"",    "s",     "soon", "-1s",
                                      "0",   "10x",   "nan",  "inf",
                                      "1e9", "9999h", "1 s",  "1ss"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t ns = 7;

        cr_assert(!duration_parse(bad[i], &ns));
        cr_assert_eq(ns, 7);
    }
}

Test(text, a_text_grows_past_any_first_guess)
{
    struct text text = {0};

    for (int i = 0; i < 1000; i++)
        text_printf(&text, "%04d.", i);
    cr_assert_eq(text.bytes, 5000);
    cr_assert_eq(strlen(text.data), 5000);
    cr_assert_str_eq(text.data + 4995, "0999.");
    text_free(&text);
}
