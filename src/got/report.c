/* Reports for programs: words, and JSON. */
#include "got/got.h"

#include "json.h"

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
        [BROLGA_REFUSED_MESSAGES] = "messages",
        [BROLGA_REFUSED_STRESS] = "stress",
    };

    return (size_t)refusal < brolga__lengthof(names) ? names[refusal] : "";
}

/* What does not apply is left out. */
static void put_text(struct brolga__json *json, const char *key,
                     const char *text)
{
    if (text[0] != '\0')
        brolga__json_put_string(json, key, text);
}

static void put_number(struct brolga__json *json, const char *key,
                       uint64_t number)
{
    if (number != 0)
        brolga__json_put_number(json, key, number);
}

static void put_conflict(struct brolga__json *json,
                         const struct brolga_conflict *of)
{
    brolga__json_begin(json, '{');
    put_text(json, "importer", of->importer);
    put_text(json, "where", of->where);
    put_text(json, "module", of->module);
    put_text(json, "symbol", of->symbol);
    put_text(json, "signature", of->signature);
    put_text(json, "defined", of->defined);
    brolga__json_end(json, '}');
}

static void put_conflicts(struct brolga__json *json,
                          const struct brolga_report *report)
{
    if (report->conflicts == 0)
        return;
    put_number(json, "conflicts_count", report->conflicts);
    brolga__json_key(json, "conflicts");
    brolga__json_begin(json, '[');
    for (uint32_t i = 0; i < report->conflicts && i < BROLGA_CONFLICTS_MAX; i++)
        put_conflict(json, &report->conflict[i]);
    brolga__json_end(json, ']');
}

size_t brolga_report_json(const struct brolga_report *report, char *text,
                          size_t bytes)
{
    struct brolga__json json = {.text = text, .bytes = bytes};

    brolga__json_begin(&json, '{');
    brolga__json_key(&json, "refusal");
    if (report->refusal == BROLGA_REFUSED_NOT)
        brolga__json_null(&json);
    else
        brolga__json_string(&json, brolga_refusal_name(report->refusal));
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
    brolga__json_end(&json, '}');
    return brolga__json_finish(&json);
}
