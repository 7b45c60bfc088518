/*
 * Lines under construction: strings that grow.
 */
#include "tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A command that cannot even say what happens has nothing left to do. */
static void no_memory(void)
{
    static const char message[] = "brolga: out of memory\n";

    fwrite(message, 1, sizeof(message) - 1, stderr);
    _Exit(EXIT_START);
}

static void reserve(struct text *text, size_t bytes)
{
    size_t room = text->room ? text->room : 256;
    char *data;

    if (text->room - text->bytes > bytes)
        return;
    while (room - text->bytes <= bytes) /* One byte stays for a NUL. */
        room *= 2;
    data = realloc(text->data, room);
    if (!data)
        no_memory();
    text->data = data;
    text->room = room;
}

void text_add(struct text *text, const char *data, size_t bytes)
{
    reserve(text, bytes);
    memcpy(text->data + text->bytes, data, bytes);
    text->bytes += bytes;
    text->data[text->bytes] = '\0';
}

void text_put(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments;
    int bytes;

    va_start(arguments, format);
    bytes = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (bytes < 0)
        return;
    reserve(text, (size_t)bytes);
    va_start(arguments, format);
    vsnprintf(text->data + text->bytes, (size_t)bytes + 1, format, arguments);
    va_end(arguments);
    text->bytes += (size_t)bytes;
}

void text_duration(struct text *text, uint64_t ns)
{
    static const struct {
        uint64_t ns;
        const char *name;
    } units[] = {{60 * BROLGA_S, "min"},
                 {BROLGA_S, "s"},
                 {BROLGA_MS, "ms"},
                 {BROLGA_US, "us"},
                 {1, "ns"}};
    size_t i = 0;

    while (i < 4 && ns < units[i].ns)
        i++;
    if (ns < 10 * units[i].ns && i < 4)
        text_printf(text, "%.1f %s", (double)ns / (double)units[i].ns,
                    units[i].name);
    else
        text_printf(text, "%llu %s", (unsigned long long)(ns / units[i].ns),
                    units[i].name);
}

void text_pad(struct text *text, size_t bytes)
{
    while (text->bytes < bytes)
        text_add(text, " ", 1);
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}
