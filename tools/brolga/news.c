/*
 * News: what the session and the reclaimer report, told to people and to
 * programs.
 *
 * A reload is one line, but it comes in two parts: the commit, told by the
 * session's thread, and the adoption by all tasks, told by the reclaimer's. So
 * the line waits for its second part for a short while; if tasks take longer,
 * it is printed without it, and the adoption gets a line of its own. The two
 * parts may come in either order.
 */
#include "tool.h"

#include <string.h>

#define MODULES_WIDTH 26

void news_init(struct news *news, struct out *out, struct holders *holders)
{
    *news = (struct news){.out = out, .holders = holders};
    pthread_mutex_init(&news->lock, NULL);
}

void news_started(struct news *news)
{
    pthread_mutex_lock(&news->lock);
    news->started = true;
    pthread_mutex_unlock(&news->lock);
}

void news_mute(struct news *news)
{
    pthread_mutex_lock(&news->lock);
    news->muted = true;
    text_free(&news->waiting);
    pthread_mutex_unlock(&news->lock);
}

/* --- the line of a reload ----------------------------------------------- */

static void put_modules(struct text *text,
                        const struct brolga_reload_event *event)
{
    for (size_t i = 0; i < event->modules_count; i++) {
        const struct brolga_reload_module *module = &event->modules[i];

        text_printf(text, "%s%s", i ? ", " : "",
                    module->name ? module->name : module->file);
        if (module->why != BROLGA_RELOAD_CHANGED)
            text_printf(text, " (%s)", brolga_reload_why_name(module->why));
    }
}

/* "  build  4.1 ms", the number to the right. */
static void put_time(struct text *text, const char *what, uint64_t ns)
{
    struct text time = {0};

    text_duration(&time, ns);
    text_printf(text, "  %s %7s", what, time.data);
    text_free(&time);
}

static void put_reload(struct news *news, struct text *text,
                       const struct brolga_reload_event *event)
{
    struct text version = {0}, modules = {0};

    text_printf(&version, "v%-3llu", (unsigned long long)event->version);
    out_style(news->out, text, STYLE_VERSION, version.data);
    put_modules(&modules, event);
    text_pad(&modules, MODULES_WIDTH);
    text_put(text, modules.data);
    if (event->kind == BROLGA_RELOAD_RELOADED)
        put_time(text, "build", event->build_ns);
    put_time(text, "commit", event->commit_ns);
    if (news->out->verbose && event->saved_ns > 0)
        put_time(text, "since save", event->saved_ns);
    text_free(&version);
    text_free(&modules);
}

static void put_adoption(struct news *news, struct text *text,
                         uint64_t after_ns)
{
    uint32_t tasks = brolga_tasks_live(news->rt);

    text_printf(text, "adopted by %u task%s in ", tasks, tasks == 1 ? "" : "s");
    text_duration(text, after_ns);
}

/* Prints the line that waits, if one does, without its second part. */
static void give_up_waiting(struct news *news)
{
    if (news->waiting.bytes == 0)
        return;
    text_put(&news->waiting, "  not yet adopted by all tasks");
    out_line(news->out, &news->waiting);
    news->late_version = news->waiting_version;
}

static void finish_waiting(struct news *news)
{
    text_put(&news->waiting, "  ");
    put_adoption(news, &news->waiting, news->adopted_after_ns);
    out_line(news->out, &news->waiting);
}

static void tell_reload(struct news *news,
                        const struct brolga_reload_event *event)
{
    if (!news->started)
        return; /* The line that says what has been started does. */
    give_up_waiting(news);
    put_reload(news, &news->waiting, event);
    news->waiting_version = event->version;
    news->waiting_until_ns = brolga_after_ns(ADOPTION_NS);
    if (news->adopted_version >= event->version)
        finish_waiting(news);
    else
        news->nudge(news->nudge_arg);
}

static void tell_adopted(struct news *news, const struct brolga_event *event)
{
    struct text text = {0};

    news->adopted_version = event->version;
    news->adopted_after_ns = event->after_ns;
    if (news->waiting.bytes > 0 && event->version >= news->waiting_version)
        finish_waiting(news);
    if (news->late_version == 0 || event->version < news->late_version)
        return;
    text_printf(&text, "v%-3llu", (unsigned long long)event->version);
    put_adoption(news, &text, event->after_ns);
    out_line(news->out, &text);
    news->late_version = 0;
}

static void tell_stuck(struct news *news, const struct brolga_event *event)
{
    struct text text = {0};

    text_printf(&text, "task %llu '%s' was canceled and has not ended: %s%s",
                (unsigned long long)event->task, event->task_name,
                event->parked_in != NULL ? "in " : "it runs",
                event->parked_in != NULL ? event->parked_in : "");
    out_line(news->out, &text);
}

static void tell_deadlock(struct news *news, const struct brolga_event *event)
{
    struct text text = {0};
    size_t head = strcspn(event->text, "\n");
    struct text line = {0};

    text_add(&line, event->text, head);
    out_style(news->out, &text, STYLE_BAD, line.data);
    text_put(&text, event->text + head);
    text_free(&line);
    out_line(news->out, &text);
}

uint64_t news_tick(struct news *news, uint64_t now_ns)
{
    uint64_t next = BROLGA_FOREVER;

    pthread_mutex_lock(&news->lock);
    if (news->waiting.bytes > 0) {
        if (news->waiting_until_ns <= now_ns)
            give_up_waiting(news);
        else
            next = news->waiting_until_ns;
    }
    pthread_mutex_unlock(&news->lock);
    return next;
}

/* --- other events, for people ------------------------------------------- */

static void tell_output(struct news *news,
                        const struct brolga_reload_event *event)
{
    struct text text = {0};

    if (event->output_bytes > 0)
        text_add(&text, event->output, event->output_bytes);
    else
        text_put(&text, event->text);
    out_line(news->out, &text);
}

/* What has become of states and messages, and what an after hook says, on lines
 * of their own, ahead of the reload's, which may wait. */
static void tell_states(struct news *news,
                        const struct brolga_reload_event *event)
{
    for (size_t i = 0; i < event->states_count; i++) {
        const struct brolga_reload_state *state = &event->states[i];
        struct text text = {0};

        if (state->what == BROLGA_RELOAD_STATE_MIGRATED)
            text_printf(&text, "state %s of %s migrated", state->name,
                        state->module);
        else if (state->what == BROLGA_RELOAD_MESSAGES_CHANGED)
            text_printf(&text, "messages %s %s", state->name,
                        state->steps > 0 ? "converted"
                                         : "changed, none was waiting");
        else
            continue;
        if (state->steps > 1)
            text_printf(&text, " in %u steps", state->steps);
        out_line(news->out, &text);
    }
    if (event->report && event->report->after[0]) {
        struct text text = {0};

        out_style(news->out, &text, STYLE_BAD, event->report->after);
        out_line(news->out, &text);
    }
}

static void tell_text(struct news *news, enum style style,
                      const struct brolga_reload_event *event)
{
    struct text text = {0};

    out_style(news->out, &text, style, event->text);
    out_line(news->out, &text);
}

static void tell_building(struct news *news,
                          const struct brolga_reload_event *event)
{
    struct text modules = {0}, text = {0};

    for (size_t i = 0; i < event->modules_count; i++)
        text_printf(&modules, " %s", event->modules[i].file);
    out_style(news->out, &text, STYLE_DIM, "building");
    text_put(&text, modules.data ? modules.data : "");
    text_free(&modules);
    out_line(news->out, &text);
}

static void tell_person(struct news *news,
                        const struct brolga_reload_event *event)
{
    switch (event->kind) {
    case BROLGA_RELOAD_BUILDING:
        if (news->out->verbose)
            tell_building(news, event);
        break;
    case BROLGA_RELOAD_BUILD_FAILED:
    case BROLGA_RELOAD_BUILD_WARNED:
        tell_output(news, event);
        break;
    case BROLGA_RELOAD_REFUSED:
        tell_text(news, STYLE_BAD, event);
        break;
    case BROLGA_RELOAD_RELOADED:
        tell_states(news, event);
        tell_reload(news, event);
        break;
    case BROLGA_RELOAD_LOCKED:
        if (news->started) /* Otherwise nothing runs on. */
            tell_text(news, STYLE_BAD, event);
        break;
    case BROLGA_RELOAD_UNLOCKED:
        tell_text(news, STYLE_NONE, event);
        break;
    case BROLGA_RELOAD_ROLLED_BACK:
        tell_text(news, STYLE_HELD, event);
        tell_states(news, event);
        tell_reload(news, event);
        break;
    case BROLGA_RELOAD_STALE_ENDED:
        tell_text(news, STYLE_NONE, event);
        break;
    case BROLGA_RELOAD_NOT_OPTIMISED:
        if (event->output_bytes > 0)
            tell_output(news, event);
        tell_text(news, STYLE_HELD, event);
        break;
    case BROLGA_RELOAD_STALE:
    case BROLGA_RELOAD_FILE_REMOVED:
    case BROLGA_RELOAD_UNLOAD_REFUSED:
    case BROLGA_RELOAD_WATCH_PROBLEM:
        tell_text(news, STYLE_HELD, event);
        break;
    case BROLGA_RELOAD_FILE_ADDED:
        if (news->out->verbose)
            tell_text(news, STYLE_DIM, event);
        break;
    }
}

/* --- the same for programs ---------------------------------------------- */

static void put_json_modules(struct text *text,
                             const struct brolga_reload_event *event)
{
    json_key(text, "modules");
    text_put(text, "[");
    for (size_t i = 0; i < event->modules_count; i++) {
        const struct brolga_reload_module *module = &event->modules[i];

        text_put(text, i ? ",{" : "{");
        json_string(text, "name", module->name);
        json_string(text, "file", module->file);
        json_string(text, "why", brolga_reload_why_name(module->why));
        text_put(text, "}");
    }
    text_put(text, "]");
}

static void put_json_states(struct text *text,
                            const struct brolga_reload_event *event)
{
    json_key(text, "states");
    text_put(text, "[");
    for (size_t i = 0; i < event->states_count; i++) {
        const struct brolga_reload_state *state = &event->states[i];

        text_put(text, i ? ",{" : "{");
        json_string(text, "module", state->module);
        json_string(text, "name", state->name);
        json_string(text, "what", brolga_reload_state_name(state->what));
        if (state->steps > 0)
            json_number(text, "steps", state->steps);
        text_put(text, "}");
    }
    text_put(text, "]");
}

static void put_json_text(struct text *text, const char *key, const char *value)
{
    json_string(text, key, value[0] ? value : NULL);
}

static void put_json_conflicts(struct text *text,
                               const struct brolga_report *report)
{
    json_key(text, "conflicts");
    text_put(text, "[");
    for (uint32_t i = 0; i < report->conflicts && i < BROLGA_CONFLICTS_MAX;
         i++) {
        const struct brolga_conflict *conflict = &report->conflict[i];

        text_put(text, i ? ",{" : "{");
        put_json_text(text, "importer", conflict->importer);
        put_json_text(text, "where", conflict->where);
        put_json_text(text, "module", conflict->module);
        put_json_text(text, "symbol", conflict->symbol);
        put_json_text(text, "signature", conflict->signature);
        put_json_text(text, "defined", conflict->defined);
        text_put(text, "}");
    }
    text_put(text, "]");
}

/* Of hooks, and of a commit for which tasks stood. */
static void put_json_commit(struct text *text,
                            const struct brolga_report *report)
{
    put_json_text(text, "hook", report->hook);
    put_json_text(text, "after", report->after);
    if (report->waited_ns > 0) {
        json_number(text, "waited_ns", report->waited_ns);
        json_number(text, "stood_ns", report->stood_ns);
    }
}

static void put_json_times(struct text *text,
                           const struct brolga_reload_event *event)
{
    json_number(text, "build_ns", event->build_ns);
    json_number(text, "commit_ns", event->commit_ns);
    json_number(text, "saved_ns", event->saved_ns);
}

static void tell_program(struct news *news,
                         const struct brolga_reload_event *event)
{
    struct text text = {0};

    json_open(&text, brolga_reload_event_name(event->kind));
    json_number(&text, "version", event->version);
    json_string(&text, "module", event->module);
    json_string(&text, "file", event->file);
    if (event->line > 0)
        json_number(&text, "line", event->line);
    json_string(&text, "text", event->text);
    if (event->refusal != BROLGA_REFUSED_NOT)
        json_string(&text, "refusal", brolga_refusal_name(event->refusal));
    if (event->report && event->report->conflicts > 0)
        put_json_conflicts(&text, event->report);
    if (event->output_bytes > 0)
        json_bytes(&text, "output", event->output, event->output_bytes);
    if (event->modules_count > 0)
        put_json_modules(&text, event);
    if (event->states_count > 0)
        put_json_states(&text, event);
    if (event->report)
        put_json_commit(&text, event->report);
    if (event->kind == BROLGA_RELOAD_RELOADED)
        put_json_times(&text, event);
    if (event->kind == BROLGA_RELOAD_ROLLED_BACK) {
        json_number(&text, "restored", event->restored);
        json_number(&text, "commit_ns", event->commit_ns);
    }
    out_json(news->out, &text);
}

static void tell_program_runtime(struct news *news,
                                 const struct brolga_event *event)
{
    struct text text = {0};

    if (event->kind == BROLGA_EVENT_ADOPTED) {
        json_open(&text, "adopted");
        json_number(&text, "version", event->version);
        json_number(&text, "tasks", brolga_tasks_live(news->rt));
    } else if (event->kind == BROLGA_EVENT_RELEASED) {
        json_open(&text, "released");
        json_number(&text, "version", event->version);
        json_string(&text, "unit", event->unit);
    } else if (event->kind == BROLGA_EVENT_DEADLOCK) {
        json_open(&text, "deadlock");
        json_string(&text, "text", event->text);
    } else {
        json_open(&text, "stuck");
        json_number(&text, "task", event->task);
        json_string(&text, "name", event->task_name);
    }
    if (event->kind != BROLGA_EVENT_DEADLOCK)
        json_number(&text, "after_ns", event->after_ns);
    out_json(news->out, &text);
}

/* --- where they come in ------------------------------------------------- */

void news_on_reload(void *arg, const struct brolga_reload_event *event)
{
    struct news *news = arg;

    pthread_mutex_lock(&news->lock);
    if (!news->muted) {
        tell_program(news, event);
        tell_person(news, event);
    }
    pthread_mutex_unlock(&news->lock);
}

void news_on_runtime(void *arg, const struct brolga_event *event)
{
    struct news *news = arg;

    pthread_mutex_lock(&news->lock);
    if (news->started && !news->muted && event->kind != BROLGA_EVENT_STALLED) {
        tell_program_runtime(news, event);
        if (event->kind == BROLGA_EVENT_ADOPTED)
            tell_adopted(news, event);
        else if (event->kind == BROLGA_EVENT_RELEASED)
            holders_released(news->holders, event);
        else if (event->kind == BROLGA_EVENT_DEADLOCK)
            tell_deadlock(news, event);
        else
            tell_stuck(news, event);
    }
    pthread_mutex_unlock(&news->lock);
}
