/* Result codes as text, and the failed-assertion report. */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>

const char *brolga_strerror(int code)
{
    switch (code) {
#define ERROR_TEXT(name, number, text)                                         \
    case number:                                                               \
        return text;
        BROLGA_ERRORS(ERROR_TEXT)
#undef ERROR_TEXT
    default:
        return "unknown code";
    }
}

const char *brolga_error_name(int code)
{
    switch (code) {
#define ERROR_NAME(name, number, text)                                         \
    case number:                                                               \
        return "BROLGA_" #name;
        BROLGA_ERRORS(ERROR_NAME)
#undef ERROR_NAME
    default:
        return "BROLGA_E?";
    }
}

void brolga__assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "brolga: %s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}
