/* Reports for programs: words, and JSON. */
#include "got/got.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *brolga_refusal_name(enum brolga_refusal refusal)
{
    static const char *const names[] = {
        [BROLGA_REFUSED_NOT] = "",
        [BROLGA_REFUSED_DUPLICATE] = "duplicate",
        [BROLGA_REFUSED_IMPORT] = "import",
        [BROLGA_REFUSED_SIGNATURE] = "signature",
        [BROLGA_REFUSED_IMPORTERS] = "importers",
        [BROLGA_REFUSED_COMPAT] = "compat",
        [BROLGA_REFUSED_LIMIT] = "limit",
        [BROLGA_REFUSED_MEMORY] = "memory",
        [BROLGA_REFUSED_BARRIER] = "barrier",
        [BROLGA_REFUSED_HISTORY] = "history",
        [BROLGA_REFUSED_LOAD] = "load",
        [BROLGA_REFUSED_HEADER] = "header",
        [BROLGA_REFUSED_VETO] = "veto",
        [BROLGA_REFUSED_HOOK] = "hook",
        [BROLGA_REFUSED_STATE] = "state",
    };

    return (size_t)refusal < brolga__lengthof(names) ? names[refusal] : "";
}

/* Text that is counted to its end, though it may not fit. */
struct json {
    char *at;
    size_t bytes, used;
    bool some; /* In the innermost object. */
};

static void put_char(struct json *json, char c)
{
    if (json->used + 1 < json->bytes)
        json->at[json->used] = c;
    json->used++;
}

static void put(struct json *json, const char *text)
{
    for (; *text != '\0'; text++)
        put_char(json, *text);
}

static void put_string(struct json *json, const char *text)
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

static void put_key(struct json *json, const char *key)
{
    if (json->some)
        put_char(json, ',');
    json->some = true;
    put_string(json, key);
    put_char(json, ':');
}

static void put_text(struct json *json, const char *key, const char *text)
{
    if (text[0] == '\0')
        return;
    put_key(json, key);
    put_string(json, text);
}

static void put_number(struct json *json, const char *key, uint64_t number)
{
    char digits[24];

    if (number == 0)
        return;
    put_key(json, key);
    (void)snprintf(digits, sizeof digits, "%" PRIu64, number);
    put(json, digits);
}

static void put_conflict(struct json *json, const struct brolga_conflict *of)
{
    put_char(json, '{');
    json->some = false;
    put_text(json, "importer", of->importer);
    put_text(json, "where", of->where);
    put_text(json, "module", of->module);
    put_text(json, "symbol", of->symbol);
    put_text(json, "signature", of->signature);
    put_text(json, "defined", of->defined);
    put_char(json, '}');
}

static void put_conflicts(struct json *json, const struct brolga_report *report)
{
    if (report->conflicts == 0)
        return;
    put_number(json, "conflicts_count", report->conflicts);
    put_key(json, "conflicts");
    put_char(json, '[');
    for (uint32_t i = 0; i < report->conflicts && i < BROLGA_CONFLICTS_MAX;
         i++) {
        if (i > 0)
            put_char(json, ',');
        put_conflict(json, &report->conflict[i]);
    }
    put_char(json, ']');
    json->some = true;
}

size_t brolga_report_json(const struct brolga_report *report, char *text,
                          size_t bytes)
{
    struct json json = {.at = text, .bytes = bytes};

    put_char(&json, '{');
    put_key(&json, "refusal");
    if (report->refusal == BROLGA_REFUSED_NOT)
        put(&json, "null");
    else
        put_string(&json, brolga_refusal_name(report->refusal));
    put_number(&json, "version", report->version);
    put_text(&json, "text", report->text);
    put_number(&json, "commit_ns", report->commit_ns);
    put_number(&json, "waited_ns", report->waited_ns);
    put_number(&json, "stood_ns", report->stood_ns);
    put_number(&json, "task", report->task);
    put_text(&json, "task_name", report->task_name);
    put_text(&json, "function", report->function);
    put_text(&json, "hook", report->hook);
    put_text(&json, "after", report->after);
    put_conflicts(&json, report);
    put_char(&json, '}');
    if (bytes > 0)
        text[json.used < bytes ? json.used : bytes - 1] = '\0';
    return json.used;
}
