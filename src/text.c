#include "text.h"

#include <stdio.h>

size_t brolga__append(char *text, size_t bytes, size_t used, const char *format,
                      va_list args)
{
    size_t room = bytes - used;
    int wanted = vsnprintf(text + used, room, format, args);

    if (wanted < 0)
        return used;
    return used + ((size_t)wanted < room ? (size_t)wanted : room - 1);
}
