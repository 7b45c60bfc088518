/*
 * Where lines go. The program's standard output is its own: events for people
 * go to standard error, and so do events as JSON unless a file was named. A
 * line is written with one call, so that lines of several threads do not mix.
 */
#include "tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool wants_color(enum color color)
{
    const char *no_color = getenv("NO_COLOR");

    if (color != COLOR_AUTO)
        return color == COLOR_ALWAYS;
    return isatty(STDERR_FILENO) && (!no_color || no_color[0] == '\0');
}

bool out_open(struct out *out, const struct options *options)
{
    *out = (struct out){.person = !options->json || options->json_path,
                        .color = wants_color(options->color),
                        .verbose = options->verbose};
    pthread_mutex_init(&out->lock, NULL);
    if (!options->json)
        return true;
    out->json = options->json_path ? fopen(options->json_path, "w") : stderr;
    if (!out->json)
        fprintf(stderr, "brolga: cannot write %s: %s\n", options->json_path,
                strerror(errno));
    return out->json != NULL;
}

void out_close(struct out *out)
{
    if (out->json && out->json != stderr)
        fclose(out->json);
    pthread_mutex_destroy(&out->lock);
}

void out_style(const struct out *out, struct text *text, enum style style,
               const char *string)
{
    static const char *const codes[] = {[STYLE_NONE] = "",
                                        [STYLE_VERSION] = "1;32",
                                        [STYLE_BAD] = "1;31",
                                        [STYLE_HELD] = "33",
                                        [STYLE_DIM] = "2"};

    if (out->color && style != STYLE_NONE)
        text_printf(text, "\033[%sm%s\033[0m", codes[style], string);
    else
        text_put(text, string);
}

static void write_to(struct out *out, FILE *to, struct text *text)
{
    pthread_mutex_lock(&out->lock);
    fwrite(text->data, 1, text->bytes, to);
    fflush(to);
    pthread_mutex_unlock(&out->lock);
}

void out_line(struct out *out, struct text *text)
{
    if (out->person && text->bytes > 0) {
        if (text->data[text->bytes - 1] != '\n')
            text_put(text, "\n");
        write_to(out, stderr, text);
    }
    text_free(text);
}

void out_json(struct out *out, struct text *text)
{
    json_close(text);
    if (out->json)
        write_to(out, out->json, text);
    text_free(text);
}

void out_say(struct out *out, const char *format, ...)
{
    struct text text = {0};
    va_list arguments;
    char line[1024];

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    text_printf(&text, "brolga: %s", line);
    out_line(out, &text);
}
