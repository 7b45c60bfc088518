/* Text for people that is put together in an array of fixed size. */
#ifndef BROLGA_SRC_TEXT_H
#define BROLGA_SRC_TEXT_H

#include <brolga/base.h>

#include <stdarg.h>

/* Adds to the `used` bytes of a text, as far as its `bytes` have room, the
 * ending NUL included; returns how many are used then. used < bytes. */
size_t brolga__append(char *text, size_t bytes, size_t used, const char *format,
                      va_list args);

#endif
