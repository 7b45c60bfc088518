#include "elements.h"

#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Handles as compiled code sees them, so that they can cross in values of
 * other types. The word is an address of a cell (cells.h). */
static const char handles[] = "(deftype (Chan a) (ChanRef [:Int chan-word]))\n"
                              "(deftype (Task a) (TaskRef [:Int task-word]))\n";

static brolga_types *inside, *outside;
static struct element table[ELEMENTS_MAX] = {
#define ELEMENT_ROW(id, suffix, type) {#id, suffix, type, 0, 0, 0, false},
    ALL_ELEMENTS(ELEMENT_ROW)
#undef ELEMENT_ROW
};
static unsigned count;

unsigned elements_count(void)
{
    return count;
}

const struct element *element_at(unsigned row)
{
    return &table[row];
}

/* --- the table ---------------------------------------------------------- */

static int make_registries(void)
{
    struct brolga_model model = brolga_model_cranelisp();
    int err = inside == NULL ? brolga_types_create(&model, &inside) : BROLGA_OK;

    model.alloc = host_alloc;
    model.free = host_free;
    model.allocator = NULL;
    if (err == BROLGA_OK && outside == NULL)
        err = brolga_types_create(&model, &outside);
    return err;
}

/* Parses a row's type in both registries. */
static int fill(struct element *row, struct brolga_type_error *error)
{
    char vec[256];
    int err, bytes = snprintf(vec, sizeof vec, "(Vec %s)", row->text);

    if (bytes < 0 || (size_t)bytes >= sizeof vec)
        return BROLGA_ELIMIT;
    err = brolga_type_parse(inside, row->text, &row->inside, error);
    if (err == BROLGA_OK)
        err = brolga_type_parse(outside, row->text, &row->outside, error);
    if (err == BROLGA_OK)
        err = brolga_type_parse(inside, vec, &row->vec_inside, error);
    if (err == BROLGA_OK && !brolga_type_is_word(row->inside))
        err = BROLGA_EINVAL;
    if (err == BROLGA_OK)
        row->plain = brolga_type_is_plain(row->inside);
    return err;
}

int elements_init(void)
{
    int err = make_registries();

    if (err == BROLGA_OK && count == 0)
        err = elements_define(handles, NULL);
    while (err == BROLGA_OK && count < ELEMENTS_BUILT_IN) {
        err = fill(&table[count], NULL);
        if (err == BROLGA_OK)
            count++;
    }
    return err;
}

int elements_define(const char *text, struct brolga_type_error *error)
{
    int err = brolga_types_define(inside, text, error);

    return err != BROLGA_OK ? err : brolga_types_define(outside, text, error);
}

static bool is_taken(const char *suffix)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(table[i].suffix, suffix) == 0)
            return true;
    return false;
}

int elements_add(const char *suffix, const char *text,
                 struct brolga_type_error *error)
{
    struct element *row = &table[count];
    struct element wanted;
    int err;

    if (count == ELEMENTS_MAX)
        return BROLGA_ELIMIT;
    if (is_taken(suffix))
        return BROLGA_EEXIST;
    wanted = *row;
    wanted.text = text;
    err = fill(&wanted, error);
    if (err != BROLGA_OK)
        return err;
    wanted.suffix = strdup(suffix);
    wanted.text = strdup(text);
    if (wanted.suffix == NULL || wanted.text == NULL) {
        free((char *)wanted.suffix);
        free((char *)wanted.text);
        return BROLGA_ENOMEM;
    }
    *row = wanted;
    count++;
    return BROLGA_OK;
}

/* --- crossing ----------------------------------------------------------- */

static brolga_word copy(const brolga_type *type, brolga_word word)
{
    static const struct brolga_copy_opts reading = {.reads_only = true};
    struct brolga_copy_error why;
    brolga_word out;
    int err = brolga_copy_with(type, &word, &out, &reading, &why);

    if (err == BROLGA_EUNSENDABLE || err == BROLGA_EINVAL)
        host_refuse("a value of type %s cannot cross: %s%s%s",
                    brolga_type_name(type), why.path,
                    why.path[0] != '\0' ? ": " : "", why.text);
    if (err != BROLGA_OK)
        host_refuse("a value of type %s: %s", brolga_type_name(type),
                    brolga_strerror(err));
    return out;
}

brolga_word element_in(const struct element *element, brolga_word word)
{
    return element->plain ? word : copy(element->inside, word);
}

brolga_word element_out(const struct element *element, brolga_word word)
{
    return element->plain ? word : copy(element->outside, word);
}

brolga_word element_pass(const struct element *element, brolga_word word)
{
    brolga_word out = element_out(element, word);

    element_drop(element, word);
    return out;
}

void element_drop(const struct element *element, brolga_word word)
{
    if (!element->plain)
        brolga_drop_word(element->inside, word);
}
