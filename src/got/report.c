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

static void put_conflict(struct brolga__json *json,
                         const struct brolga_conflict *of)
{
    brolga__json_begin(json, '{');
    brolga__json_may_string(json, "importer", of->importer);
    brolga__json_may_string(json, "where", of->where);
    brolga__json_may_string(json, "module", of->module);
    brolga__json_may_string(json, "symbol", of->symbol);
    brolga__json_may_string(json, "signature", of->signature);
    brolga__json_may_string(json, "defined", of->defined);
    brolga__json_end(json, '}');
}

static void put_conflicts(struct brolga__json *json,
                          const struct brolga_report *report)
{
    if (report->conflicts == 0)
        return;
    brolga__json_may_number(json, "conflicts_count", report->conflicts);
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
    brolga__json_may_number(&json, "version", report->version);
    brolga__json_may_string(&json, "text", report->text);
    brolga__json_may_number(&json, "commit_ns", report->commit_ns);
    brolga__json_may_number(&json, "waited_ns", report->waited_ns);
    brolga__json_may_number(&json, "stood_ns", report->stood_ns);
    brolga__json_may_number(&json, "task", report->task);
    brolga__json_may_string(&json, "task_name", report->task_name);
    brolga__json_may_string(&json, "function", report->function);
    brolga__json_may_string(&json, "hook", report->hook);
    brolga__json_may_string(&json, "after", report->after);
    put_conflicts(&json, report);
    brolga__json_end(&json, '}');
    return brolga__json_finish(&json);
}
