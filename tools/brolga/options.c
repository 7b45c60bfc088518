/*
 * The arguments of `brolga run`: options and paths in any order, then "--" and
 * the program's own arguments.
 */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/** An option by its name; `set` gets NULL if it takes no value. */
struct option {
    const char *name;
    const char *value; /* What it is called in messages; NULL: takes none. */
    bool optional;     /* The value may be left out; only after "=". */
    bool (*set)(struct options *options, const char *value);
};

/* --- values ------------------------------------------------------------- */

static bool parse_u32(const char *name, const char *value, uint32_t least,
                      uint32_t most, uint32_t *out)
{
    char *end;
    unsigned long number;

    errno = 0;
    number = strtoul(value, &end, 10);
    if (errno || end == value || *end || value[0] == '-' || number < least ||
        number > most) {
        fprintf(stderr, "brolga: --%s wants a number from %u to %u, not '%s'\n",
                name, least, most, value);
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

bool duration_parse(const char *text, uint64_t *out_ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"", BROLGA_S},         {"s", BROLGA_S},
                 {"ms", BROLGA_MS},      {"m", 60 * BROLGA_S},
                 {"min", 60 * BROLGA_S}, {"h", 3600 * BROLGA_S}};
    char *end;
    double number = strtod(text, &end);

    /* At most a year: so the sum with the clock cannot overflow. */
    if (end == text || !(number > 0) || number > 31536000)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        double ns = number * (double)units[i].ns;

        if (strcmp(end, units[i].name) != 0)
            continue;
        if (ns < 1 || ns > 31536000e9)
            return false;
        *out_ns = (uint64_t)ns;
        return true;
    }
    return false;
}

static bool set_workers(struct options *options, const char *value)
{
    return parse_u32("workers", value, 1, 1024, &options->workers);
}

static bool set_quiet(struct options *options, const char *value)
{
    return parse_u32("quiet-period", value, 1, 60000, &options->quiet_ms);
}

static bool set_for(struct options *options, const char *value)
{
    if (duration_parse(value, &options->for_ns))
        return true;
    fprintf(stderr,
            "brolga: --for wants a duration such as 10s, 500ms or 2m, not "
            "'%s'\n",
            value);
    return false;
}

static bool set_color(struct options *options, const char *value)
{
    static const char *const names[] = {"auto", "always", "never"};

    for (size_t i = 0; i < 3; i++) {
        if (strcmp(value, names[i]) == 0) {
            options->color = (enum color)i;
            return true;
        }
    }
    fprintf(stderr, "brolga: --color wants auto, always or never, not '%s'\n",
            value);
    return false;
}

static bool set_json(struct options *options, const char *value)
{
    options->json = true;
    options->json_path = value;
    return true;
}

static bool set_cc(struct options *options, const char *value)
{
    options->cc = value;
    return true;
}

static bool set_cflags(struct options *options, const char *value)
{
    options->cflags = value;
    return true;
}

static bool set_no_watch(struct options *options, const char *value)
{
    (void)value;
    options->no_watch = true;
    return true;
}

static bool set_allow_stale(struct options *options, const char *value)
{
    (void)value;
    options->allow_stale = true;
    return true;
}

static bool set_no_ctl(struct options *options, const char *value)
{
    (void)value;
    options->no_ctl = true;
    return true;
}

static bool set_history(struct options *options, const char *value)
{
    return parse_u32("history", value, 0, 1000, &options->history);
}

/* "50%", "50", "50%:3s": a share of tasks, and a time. */
static bool set_rollback_if(struct options *options, const char *value)
{
    uint64_t window_ns = 2 * BROLGA_S;
    char *end;
    unsigned long percent = strtoul(value, &end, 10);

    if (end != value && *end == '%')
        end++;
    if (end == value || value[0] == '-' || percent < 1 || percent > 100 ||
        (*end != '\0' &&
         (*end != ':' || !duration_parse(end + 1, &window_ns) ||
          window_ns < BROLGA_MS || window_ns > 3600 * BROLGA_S))) {
        fprintf(stderr,
                "brolga: --rollback-if wants a share of tasks, and maybe a "
                "time, such as 50%% or 10%%:5s, not '%s'\n",
                value);
        return false;
    }
    options->rollback_percent = (uint32_t)percent;
    options->rollback_window_ms = (uint32_t)(window_ns / BROLGA_MS);
    return true;
}

static bool set_reclaim(struct options *options, const char *value)
{
    (void)value;
    options->reclaim = true;
    return true;
}

static bool set_tier(struct options *options, const char *value)
{
    options->tiered = true;
    options->fast = value;
    return true;
}

static bool set_stress(struct options *options, const char *value)
{
    if (brolga_stress_parse(value, &options->stress) == BROLGA_OK)
        return true;
    fprintf(stderr,
            "brolga: --stress wants switches such as reload=1000,abort=7,"
            "scan=1,quarantine=256, not '%s'\n",
            value);
    return false;
}

static bool set_verbose(struct options *options, const char *value)
{
    (void)value;
    options->verbose = true;
    return true;
}

static bool set_help(struct options *options, const char *value)
{
    (void)value;
    options->help = true;
    return true;
}

static const struct option table[] = {
    {"allow-stale", NULL, false, set_allow_stale},
    {"cc", "a command", false, set_cc},
    {"cflags", "flags", false, set_cflags},
    {"color", "auto, always or never", false, set_color},
    {"for", "a duration", false, set_for},
    {"help", NULL, false, set_help},
    {"history", "a number", false, set_history},
    {"json", "a file", true, set_json},
    {"no-ctl", NULL, false, set_no_ctl},
    {"no-watch", NULL, false, set_no_watch},
    {"quiet-period", "milliseconds", false, set_quiet},
    {"reclaim", NULL, false, set_reclaim},
    {"rollback-if", "a share of tasks", false, set_rollback_if},
    {"stress", "switches", false, set_stress},
    {"tier", "a command", true, set_tier},
    {"verbose", NULL, false, set_verbose},
    {"workers", "a number", false, set_workers},
};

#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

/* --- the command line --------------------------------------------------- */

static const struct option *find_option(const char *name, size_t length)
{
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        if (strlen(table[i].name) == length &&
            memcmp(table[i].name, name, length) == 0)
            return &table[i];
    }
    return NULL;
}

/* Names the option that begins most alike, if any begins alike at all. */
static void complain_of(const char *name, size_t length)
{
    const char *best = NULL;
    size_t alike = 1;

    for (size_t i = 0; i < TABLE_SIZE; i++) {
        size_t n = 0;

        while (n < length && table[i].name[n] == name[n])
            n++;
        if (n > alike) {
            alike = n;
            best = table[i].name;
        }
    }
    fprintf(stderr, "brolga: there is no option --%.*s", (int)length, name);
    if (best)
        fprintf(stderr, "; did you mean --%s?", best);
    fprintf(stderr, "\n        `brolga run --help` shows them all\n");
}

/* Reads the option at argv[*at] and moves on to its last argument. */
static bool take_option(struct options *options, int argc, char **argv, int *at)
{
    const char *name = argv[*at] + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] ? name + length + 1 : NULL;
    const struct option *option = find_option(name, length);

    if (!option) {
        complain_of(name, length);
        return false;
    }
    if (!option->value && value) {
        fprintf(stderr, "brolga: --%s takes no value\n", option->name);
        return false;
    }
    if (option->value && !option->optional && !value) {
        if (*at + 1 == argc) {
            fprintf(stderr, "brolga: --%s wants %s\n", option->name,
                    option->value);
            return false;
        }
        value = argv[++*at];
    }
    return option->set(options, value);
}

static bool take_short(struct options *options, const char *argument)
{
    if (strcmp(argument, "-h") == 0)
        return set_help(options, NULL);
    if (strcmp(argument, "-v") == 0)
        return set_verbose(options, NULL);
    fprintf(stderr,
            "brolga: there is no option %s\n"
            "        arguments of the program come after --\n",
            argument);
    return false;
}

static bool take_argument(struct options *options, int argc, char **argv,
                          int *at)
{
    const char *argument = argv[*at];

    if (strncmp(argument, "--", 2) == 0)
        return take_option(options, argc, argv, at);
    if (argument[0] == '-' && argument[1] != '\0')
        return take_short(options, argument);
    options->paths[options->paths_count++] = argument;
    return true;
}

static bool complete(const struct options *options)
{
    if (options->paths_count > 0 || options->help)
        return true;
    fprintf(stderr, "brolga: run what? Name a directory or .c files, e.g.\n"
                    "            brolga run demos/counter\n");
    return false;
}

bool options_parse(int argc, char **argv, struct options *out)
{
    struct options options = {.history = HISTORY_DEFAULT};

    options.paths = calloc((size_t)argc + 1, sizeof(options.paths[0]));
    if (!options.paths)
        return false;
    for (int at = 0; at < argc; at++) {
        if (strcmp(argv[at], "--") == 0) {
            options.arguments = argv + at + 1;
            options.arguments_count = argc - at - 1;
            break;
        }
        if (!take_argument(&options, argc, argv, &at))
            goto fail;
    }
    if (!complete(&options))
        goto fail;
    if (options.history == HISTORY_DEFAULT)
        options.history = options.reclaim ? 0 : HISTORY;
    *out = options;
    return true;
fail:
    free(options.paths);
    return false;
}
