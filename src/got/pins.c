/*
 * Named pins: pins that say what they are for. Their records hang on the unit,
 * under got->lock, for reports; what keeps the unit is the count, as with any
 * other pin.
 */
#include "got/got.h"

#include "alloc.h"

#include <stdio.h>
#include <string.h>

struct brolga_pin {
    struct brolga_unit *unit;
    struct brolga_pin *next, **link; /* got->lock */
    char reason[];
};

static struct brolga_pin *new_pin(const char *reason)
{
    size_t bytes = strlen(reason) + 1;
    struct brolga_pin *pin = brolga__alloc(sizeof *pin + bytes);

    if (pin != NULL)
        memcpy(pin->reason, reason, bytes);
    return pin;
}

/* The unit has been pinned already. */
static void hang_on(struct brolga_pin *pin, struct brolga_unit *unit)
{
    (void)pthread_mutex_lock(&unit->got->lock);
    pin->unit = unit;
    pin->next = unit->named;
    pin->link = &unit->named;
    if (pin->next != NULL)
        pin->next->link = &pin->next;
    unit->named = pin;
    (void)pthread_mutex_unlock(&unit->got->lock);
}

int brolga_pin_create(brolga_unit *unit, const char *reason, brolga_pin **out)
{
    struct brolga_pin *pin = new_pin(reason);

    if (pin == NULL)
        return BROLGA_ENOMEM;
    brolga_unit_pin(unit);
    hang_on(pin, unit);
    *out = pin;
    return BROLGA_OK;
}

int brolga_pin_code(brolga_got *got, const void *code, const char *reason,
                    brolga_pin **out)
{
    struct brolga_pin *pin = new_pin(reason);
    brolga_unit *unit;

    if (pin == NULL)
        return BROLGA_ENOMEM;
    unit = brolga_got_pin_address(got, code);
    if (unit == NULL) {
        brolga__free(pin);
        return BROLGA_ENOENT;
    }
    hang_on(pin, unit);
    *out = pin;
    return BROLGA_OK;
}

void brolga_pin_destroy(brolga_pin *pin)
{
    struct brolga_unit *unit;

    if (pin == NULL)
        return;
    unit = pin->unit;
    (void)pthread_mutex_lock(&unit->got->lock);
    *pin->link = pin->next;
    if (pin->next != NULL)
        pin->next->link = pin->link;
    (void)pthread_mutex_unlock(&unit->got->lock);
    brolga__free(pin);
    brolga_unit_unpin(unit); /* It may be gone after this. */
}

bool brolga__unit_pin_reason(struct brolga_unit *unit, size_t index, char *text,
                             size_t bytes)
{
    const struct brolga_pin *pin;

    (void)pthread_mutex_lock(&unit->got->lock);
    for (pin = unit->named; pin != NULL && index > 0; pin = pin->next)
        index--;
    if (pin != NULL)
        (void)snprintf(text, bytes, "%s", pin->reason);
    (void)pthread_mutex_unlock(&unit->got->lock);
    return pin != NULL;
}
