/* FNV-1a of 64 bits (Fowler, Noll and Vo), a byte at a time. */
#ifndef BROLGA_SRC_HASH_H
#define BROLGA_SRC_HASH_H

#include <stddef.h>
#include <stdint.h>

#define BROLGA__HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t brolga__hash_bytes(uint64_t hash, const void *bytes,
                                          size_t count)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < count; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
