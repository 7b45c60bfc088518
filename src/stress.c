/* Stress switches: their text, dice, and the quarantine; see stress.h. */
#include "stress.h"

#include "alloc.h"
#include "atomic.h"
#include "plat.h"

#include <pthread.h>
#include <string.h>

/* --- the text ----------------------------------------------------------- */

#define QUARANTINE_MAX 65536

/* A number in [least, most]; moves on to what follows. */
static bool take_number(const char **text, uint64_t most, uint64_t *out)
{
    uint64_t number = 0;
    const char *at = *text;

    for (; *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
        if (number > most)
            return false;
    }
    if (at == *text)
        return false;
    *text = at;
    *out = number;
    return true;
}

/* "name=number"; the name as a whole. */
static bool take_switch(const char **text, struct brolga_stress *out)
{
    size_t length = strcspn(*text, "=,");
    const char *name = *text;
    uint64_t number, most = UINT32_MAX / 4;

    if (name[length] != '=')
        return false;
    *text += length + 1;
    if (length == 4 && strncmp(name, "seed", length) == 0)
        return take_number(text, UINT64_MAX / 16, &out->seed);
    if (length == 10)
        most = QUARANTINE_MAX;
    if (!take_number(text, most, &number))
        return false;
    if (length == 6 && strncmp(name, "reload", length) == 0)
        out->reload = (uint32_t)number;
    else if (length == 5 && strncmp(name, "abort", length) == 0)
        out->abort = (uint32_t)number;
    else if (length == 4 && strncmp(name, "scan", length) == 0)
        out->scan = number != 0;
    else if (length == 10 && strncmp(name, "quarantine", length) == 0)
        out->quarantine = (uint32_t)number;
    else
        return false;
    return true;
}

int brolga_stress_parse(const char *text, struct brolga_stress *out)
{
    struct brolga_stress stress = {0};

    for (;;) { /* Each turn takes a switch. */
        if (!take_switch(&text, &stress))
            return BROLGA_EINVAL;
        if (*text == '\0')
            break;
        if (*text++ != ',')
            return BROLGA_EINVAL;
    }
    *out = stress;
    return BROLGA_OK;
}

/* --- dice --------------------------------------------------------------- */

/* splitmix64 */
bool brolga__stress_drawn(uint64_t *state, uint32_t one_in)
{
    uint64_t z;

    if (one_in == 0)
        return false;
    z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % one_in == 0;
}

/* --- the quarantine ----------------------------------------------------- */

struct piece {
    void *base;
    size_t bytes;
};

static struct {
    pthread_mutex_t lock;    /* Leaf. */
    _Atomic uint32_t pieces; /* Kept at the most; 0: it is closed. */
    struct piece *piece;
    uint64_t taken; /* Modulo `pieces`: the next place. */
} quarantine = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void free_all(struct piece *piece, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (piece[i].base != NULL)
            brolga__plat_unreserve(piece[i].base, piece[i].bytes);
    brolga__free(piece);
}

/* Without memory it stays as it was. */
void brolga__quarantine_open(uint32_t pieces)
{
    struct piece *piece, *old = NULL;
    uint32_t count = 0;

    if (pieces <= brolga__load_relaxed(&quarantine.pieces))
        return;
    piece = brolga__alloc_zero(pieces * sizeof *piece);
    if (piece == NULL)
        return;
    (void)pthread_mutex_lock(&quarantine.lock);
    count = brolga__load_relaxed(&quarantine.pieces);
    if (pieces > count) {
        old = quarantine.piece;
        quarantine.piece = piece;
        quarantine.taken = 0;
        brolga__store_relaxed(&quarantine.pieces, pieces);
        piece = NULL;
    }
    (void)pthread_mutex_unlock(&quarantine.lock);
    brolga__free(piece);
    if (old != NULL)
        free_all(old, count);
}

bool brolga__quarantine_is_open(void)
{
    return brolga__load_relaxed(&quarantine.pieces) != 0;
}

static void take(void *base, size_t bytes)
{
    struct piece *place, oldest;

    (void)pthread_mutex_lock(&quarantine.lock);
    place = &quarantine.piece[quarantine.taken++ %
                              brolga__load_relaxed(&quarantine.pieces)];
    oldest = *place;
    *place = (struct piece){base, bytes};
    (void)pthread_mutex_unlock(&quarantine.lock);
    if (oldest.base != NULL)
        brolga__plat_unreserve(oldest.base, oldest.bytes);
}

void brolga__quarantine_unmapped(uintptr_t low, size_t bytes)
{
    if (brolga__quarantine_is_open() && brolga__plat_occupy(low, bytes))
        take((void *)low, bytes);
}

bool brolga__quarantine_mapped(void *base, size_t bytes)
{
    if (!brolga__quarantine_is_open() || !brolga__plat_forbid(base, bytes))
        return false;
    take(base, bytes);
    return true;
}
