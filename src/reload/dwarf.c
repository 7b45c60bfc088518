/*
 * Layouts from the compiler's debug information, read with libdw.
 *
 * A type is looked into by a list of what is still to be described, oldest
 * first: a field's type, at a path. What a pointer leads to is added once, the
 * first time that it is met; so the list ends. Types that are too large to be
 * described (LINES_MAX) have no layout here, and go by their names and sizes.
 */
#include "reload/layout.h"

#include "alloc.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINES_MAX 4096
#define WRAPS_MAX 64 /* typedefs, qualifiers and pointers around a type */

struct brolga__types {
    int fd;
    Dwarf *dwarf;
    bool starved; /* There was no memory for a layout. */
};

static void close_file(struct brolga__types *types)
{
    if (types->dwarf != NULL)
        (void)dwarf_end(types->dwarf);
    if (types->fd >= 0)
        (void)close(types->fd);
    brolga__free(types);
}

int brolga__types_open(const char *path, struct brolga__types **out)
{
    struct brolga__types *types = brolga__alloc_zero(sizeof *types);

    if (types == NULL)
        return BROLGA_ENOMEM;
    *out = NULL;
    types->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (types->fd >= 0)
        types->dwarf = dwarf_begin(types->fd, DWARF_C_READ);
    if (types->dwarf != NULL)
        *out = types;
    else
        close_file(types);
    return BROLGA_OK;
}

int brolga__types_close(struct brolga__types *types)
{
    bool starved = types != NULL && types->starved;

    if (types != NULL)
        close_file(types);
    return starved ? BROLGA_ENOMEM : BROLGA_OK;
}

/* --- text that grows ---------------------------------------------------- */

struct grown {
    char *at;
    size_t used, capacity;
    bool failed;
};

static void grow(struct grown *text, size_t bytes)
{
    size_t wanted = text->capacity * 2 + bytes + 256;
    char *more;

    if (text->failed || text->used + bytes < text->capacity)
        return;
    more = brolga__realloc(text->at, wanted);
    if (more == NULL) {
        text->failed = true;
        return;
    }
    text->at = more;
    text->capacity = wanted;
}

static void put_bytes(struct grown *text, const char *bytes, size_t count)
{
    grow(text, count + 1);
    if (text->failed)
        return;
    memcpy(text->at + text->used, bytes, count);
    text->used += count;
    text->at[text->used] = '\0';
}

static void put(struct grown *text, const char *what)
{
    put_bytes(text, what, strlen(what));
}

static void put_number(struct grown *text, uint64_t number)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, "%" PRIu64, number);
    put(text, digits);
}

/* --- entries ------------------------------------------------------------ */

static uint64_t number_of(Dwarf_Die *die, unsigned name, uint64_t missing)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value;

    if (dwarf_attr_integrate(die, name, &attribute) == NULL ||
        dwarf_formudata(&attribute, &value) != 0)
        return missing;
    return value;
}

/* The type of an entry; false: it is void. */
static bool type_of(Dwarf_Die *die, Dwarf_Die *out)
{
    Dwarf_Attribute attribute;

    return dwarf_attr_integrate(die, DW_AT_type, &attribute) != NULL &&
           dwarf_formref_die(&attribute, out) != NULL;
}

static const char *name_of(Dwarf_Die *die)
{
    const char *name = dwarf_diename(die);

    return name == NULL ? "" : name;
}

static bool is_wrap(int tag)
{
    return tag == DW_TAG_typedef || tag == DW_TAG_const_type ||
           tag == DW_TAG_volatile_type || tag == DW_TAG_restrict_type ||
           tag == DW_TAG_atomic_type;
}

/* Takes typedefs and qualifiers off; false: it is void. */
static bool unwrap(Dwarf_Die *die)
{
    for (int i = 0; i < WRAPS_MAX && is_wrap(dwarf_tag(die)); i++) {
        Dwarf_Die inner;

        if (!type_of(die, &inner))
            return false;
        *die = inner;
    }
    return true;
}

static bool is_record(Dwarf_Die *die)
{
    return dwarf_tag(die) == DW_TAG_structure_type ||
           dwarf_tag(die) == DW_TAG_union_type;
}

static bool is_whole(Dwarf_Die *die)
{
    return dwarf_hasattr(die, DW_AT_declaration) == 0;
}

/* --- names for people --------------------------------------------------- */

static void put_bare_name(struct grown *text, Dwarf_Die *die)
{
    switch (dwarf_tag(die)) {
    case DW_TAG_structure_type:
        put(text, "struct ");
        break;
    case DW_TAG_union_type:
        put(text, "union ");
        break;
    case DW_TAG_enumeration_type:
        put(text, "enum ");
        break;
    case DW_TAG_subroutine_type:
        put(text, "function");
        break;
    default:
        break;
    }
    put(text, name_of(die));
}

static void put_dimensions(struct grown *out, Dwarf_Die *type);

/* As one would write it: "struct entry *", "int64_t". */
static void put_name(struct grown *text, Dwarf_Die type)
{
    Dwarf_Die array;
    unsigned stars = 0;
    bool some = true, has_array = false;

    for (int i = 0; i < WRAPS_MAX && some; i++) {
        int tag = dwarf_tag(&type);

        if (tag == DW_TAG_array_type && !has_array) {
            has_array = true;
            array = type;
        } else if (tag != DW_TAG_pointer_type &&
                   (!is_wrap(tag) || tag == DW_TAG_typedef)) {
            break;
        }
        stars += tag == DW_TAG_pointer_type;
        some = type_of(&type, &type);
    }
    if (some)
        put_bare_name(text, &type);
    else
        put(text, "void");
    for (unsigned i = 0; i < stars; i++)
        put(text, i == 0 ? " *" : "*");
    if (has_array)
        put_dimensions(text, &array);
}

/* --- the list of what is to be described -------------------------------- */

struct item {
    Dwarf_Die type; /* With its typedefs. */
    char *path;
    uint64_t offset;
    uint64_t bits, bit_at; /* Of a bit-field; bits is 0 if it is none. */
    Dwarf_Off record;      /* Where pointers lead: the record, or 0. */
};

struct walk {
    struct item *items;
    size_t count, capacity;
    struct grown out;
    bool failed; /* It is too large, or there is no memory. */
    bool starved;
};

static void starve(struct walk *walk)
{
    walk->failed = walk->starved = true;
}

/* Takes the path over. */
static void add_item(struct walk *walk, const struct item *item)
{
    if (item->path == NULL)
        starve(walk);
    if (walk->count >= LINES_MAX)
        walk->failed = true;
    if (!walk->failed && walk->count == walk->capacity) {
        size_t wanted = walk->capacity * 2 + 32;
        struct item *more = brolga__realloc(walk->items, wanted * sizeof *more);

        if (more == NULL) {
            starve(walk);
        } else {
            walk->items = more;
            walk->capacity = wanted;
        }
    }
    if (walk->failed)
        brolga__free(item->path);
    else
        walk->items[walk->count++] = *item;
}

static char *join(const char *path, const char *more, const char *name)
{
    struct grown text = {0};

    put(&text, path);
    put(&text, more);
    put(&text, name);
    if (!text.failed)
        return text.at;
    brolga__free(text.at);
    return NULL;
}

/* --- kinds -------------------------------------------------------------- */

static void put_base(struct grown *out, Dwarf_Die *type)
{
    static const char *const names[] = {
        [DW_ATE_boolean] = "bool",          [DW_ATE_complex_float] = "complex",
        [DW_ATE_float] = "float",           [DW_ATE_signed] = "signed",
        [DW_ATE_signed_char] = "signed",    [DW_ATE_unsigned] = "unsigned",
        [DW_ATE_unsigned_char] = "unsigned"};
    uint64_t encoding = number_of(type, DW_AT_encoding, 0);

    if (encoding < sizeof names / sizeof names[0] && names[encoding] != NULL)
        put(out, names[encoding]);
    else
        put(out, name_of(type));
}

static void put_values(struct grown *out, Dwarf_Die *type)
{
    Dwarf_Die child;
    bool more = dwarf_child(type, &child) == 0;

    for (; more; more = dwarf_siblingof(&child, &child) == 0) {
        Dwarf_Attribute attribute;
        Dwarf_Sword value = 0;

        if (dwarf_tag(&child) != DW_TAG_enumerator)
            continue;
        if (dwarf_attr(&child, DW_AT_const_value, &attribute) != NULL)
            (void)dwarf_formsdata(&attribute, &value);
        put(out, name_of(&child));
        put(out, value < 0 ? "=-" : "=");
        put_number(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
        put(out, ",");
    }
}

static uint64_t elements_of(Dwarf_Die *dimension)
{
    uint64_t count = number_of(dimension, DW_AT_count, UINT64_MAX);
    uint64_t last = number_of(dimension, DW_AT_upper_bound, UINT64_MAX);

    if (count != UINT64_MAX)
        return count;
    return last == UINT64_MAX ? 0 : last + 1;
}

static void put_dimensions(struct grown *out, Dwarf_Die *type)
{
    Dwarf_Die child;
    bool more = dwarf_child(type, &child) == 0;

    for (; more; more = dwarf_siblingof(&child, &child) == 0) {
        if (dwarf_tag(&child) != DW_TAG_subrange_type)
            continue;
        put(out, "[");
        put_number(out, elements_of(&child));
        put(out, "]");
    }
}

static void put_size(struct grown *out, Dwarf_Die *type)
{
    put(out, " ");
    put_number(out, number_of(type, DW_AT_byte_size, 0));
}

static bool ends_in_arrow(const char *path)
{
    size_t bytes = strlen(path);

    return bytes >= 2 && strcmp(path + bytes - 2, "->") == 0;
}

/* Adds the fields of a record, in the order of memory. */
static void add_fields(struct walk *walk, const struct item *item,
                       Dwarf_Die *record)
{
    Dwarf_Die child;
    bool more = dwarf_child(record, &child) == 0;

    for (; more && !walk->failed; more = dwarf_siblingof(&child, &child) == 0) {
        const char *name = name_of(&child);
        struct item field = {0};

        if (dwarf_tag(&child) != DW_TAG_member || !type_of(&child, &field.type))
            continue;
        field.offset =
            item->offset + number_of(&child, DW_AT_data_member_location, 0);
        field.bits = number_of(&child, DW_AT_bit_size, 0);
        field.bit_at = number_of(&child, DW_AT_data_bit_offset,
                                 number_of(&child, DW_AT_bit_offset, 0));
        /* The fields of one without a name are its owner's. */
        field.path =
            join(item->path,
                 name[0] == '\0' || ends_in_arrow(item->path) ? "" : ".", name);
        add_item(walk, &field);
    }
}

static void add_element(struct walk *walk, const struct item *item,
                        Dwarf_Die *array)
{
    struct item element = {.offset = item->offset};

    if (!type_of(array, &element.type))
        return;
    element.path = join(item->path, "[]", "");
    add_item(walk, &element);
}

/* Where the record was met before, or NULL. */
static const char *met_at(const struct walk *walk, Dwarf_Off record)
{
    for (size_t i = 0; i < walk->count; i++)
        if (walk->items[i].record == record)
            return walk->items[i].path;
    return NULL;
}

static void put_pointer(struct walk *walk, const struct item *item,
                        Dwarf_Die *pointer)
{
    struct item target = {0};
    Dwarf_Die bare;
    const char *met;

    put(&walk->out, "ptr");
    if (!type_of(pointer, &target.type))
        return;
    bare = target.type;
    if (!unwrap(&bare) || dwarf_tag(&bare) == DW_TAG_subroutine_type)
        return;
    if (is_record(&bare) && !is_whole(&bare)) {
        put(&walk->out, " to a ");
        put(&walk->out, name_of(&bare));
        return;
    }
    met = is_record(&bare) ? met_at(walk, dwarf_dieoffset(&bare)) : NULL;
    if (met != NULL) {
        put(&walk->out, " to @");
        put(&walk->out, met);
        return;
    }
    if (is_record(&bare))
        target.record = dwarf_dieoffset(&bare);
    target.path = join(item->path, "->", "");
    add_item(walk, &target);
}

/* Writes the kind of a type, and adds what it is made of. The item is a copy:
 * the list may move. */
static void put_kind(struct walk *walk, const struct item item, Dwarf_Die *type)
{
    struct grown *out = &walk->out;

    switch (dwarf_tag(type)) {
    case DW_TAG_base_type:
        put_base(out, type);
        put_size(out, type);
        break;
    case DW_TAG_pointer_type:
        put_pointer(walk, &item, type);
        break;
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
        put(out, dwarf_tag(type) == DW_TAG_union_type ? "union" : "struct");
        put_size(out, type);
        add_fields(walk, &item, type);
        break;
    case DW_TAG_enumeration_type:
        put(out, "enum");
        put_size(out, type);
        put(out, " ");
        put_values(out, type);
        break;
    case DW_TAG_array_type:
        put(out, "array ");
        put_dimensions(out, type);
        add_element(walk, &item, type);
        break;
    default:
        put(out, "other");
        put_size(out, type);
        break;
    }
    if (item.bits != 0) {
        put(out, " bits ");
        put_number(out, item.bits);
        put(out, " at ");
        put_number(out, item.bit_at);
    }
}

static void describe(struct walk *walk, size_t i)
{
    struct item *item = &walk->items[i];
    Dwarf_Die bare = item->type;
    bool some = unwrap(&bare);

    if (some && is_record(&bare) && item->record == 0 &&
        met_at(walk, dwarf_dieoffset(&bare)) == NULL)
        item->record = dwarf_dieoffset(&bare);
    put(&walk->out, item->path);
    put(&walk->out, "\t");
    put_number(&walk->out, item->offset);
    put(&walk->out, "\t");
    if (some)
        put_kind(walk, *item, &bare);
    else
        put(&walk->out, "void");
    put(&walk->out, "\t");
    put_name(&walk->out, walk->items[i].type);
    put(&walk->out, "\n");
}

/* Describes all that has been added; the text, or NULL. */
static char *finish(struct brolga__types *types, struct walk *walk)
{
    for (size_t i = 0; i < walk->count && !walk->failed; i++)
        describe(walk, i); /* Adds more, LINES_MAX in all. */
    for (size_t i = 0; i < walk->count; i++)
        brolga__free(walk->items[i].path);
    brolga__free(walk->items);
    types->starved |= walk->starved || walk->out.failed;
    if (!walk->failed && !walk->out.failed)
        return walk->out.at;
    brolga__free(walk->out.at);
    return NULL;
}

/* --- finding what is asked for ------------------------------------------ */

static bool find_in_unit(Dwarf_Die *unit, int tag, const char *name,
                         Dwarf_Die *out)
{
    bool more = dwarf_child(unit, out) == 0;

    for (; more; more = dwarf_siblingof(out, out) == 0)
        if (dwarf_tag(out) == tag && strcmp(name_of(out), name) == 0 &&
            is_whole(out))
            return true;
    return false;
}

static bool find(struct brolga__types *types, int tag, const char *name,
                 Dwarf_Die *out)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die unit;

    if (types == NULL)
        return false;
    while (dwarf_get_units(types->dwarf, cu, &cu, NULL, NULL, &unit, NULL) == 0)
        if (find_in_unit(&unit, tag, name, out))
            return true;
    return false;
}

/* Parameter `wanted` of a function; 1 is the first. */
static bool find_parameter(Dwarf_Die *function, unsigned wanted, Dwarf_Die *out)
{
    bool more = dwarf_child(function, out) == 0;

    for (; more; more = dwarf_siblingof(out, out) == 0)
        if (dwarf_tag(out) == DW_TAG_formal_parameter && --wanted == 0)
            return true;
    return false;
}

static char *layout_of(struct brolga__types *types, const Dwarf_Die *type)
{
    struct item item = {.type = *type, .path = join("", "", "")};
    struct walk walk = {.count = 0};

    add_item(&walk, &item);
    return finish(types, &walk);
}

char *brolga__types_variable(struct brolga__types *types, const char *name)
{
    Dwarf_Die variable, type;

    if (!find(types, DW_TAG_variable, name, &variable) ||
        !type_of(&variable, &type))
        return NULL;
    return layout_of(types, &type);
}

char *brolga__types_pointee(struct brolga__types *types, const char *function,
                            unsigned parameter)
{
    Dwarf_Die found, argument, type, pointee;

    if (!find(types, DW_TAG_subprogram, function, &found) ||
        !find_parameter(&found, parameter, &argument) ||
        !type_of(&argument, &type) || !unwrap(&type) ||
        !type_of(&type, &pointee))
        return NULL;
    return layout_of(types, &pointee);
}

char *brolga__types_function(struct brolga__types *types, const char *function)
{
    struct walk walk = {.count = 0};
    Dwarf_Die found, argument;

    if (!find(types, DW_TAG_subprogram, function, &found))
        return NULL;
    for (unsigned i = 1; find_parameter(&found, i, &argument); i++) {
        struct item item = {0};
        char number[12];

        (void)snprintf(number, sizeof number, "%u", i);
        if (!type_of(&argument, &item.type))
            continue;
        item.path = join("", "parameter ", number);
        add_item(&walk, &item);
    }
    if (type_of(&found, &argument)) {
        struct item item = {.type = argument, .path = join("", "result", "")};

        add_item(&walk, &item);
    }
    put(&walk.out, ""); /* Of void (void) the layout is "". */
    return finish(types, &walk);
}

static void visit_function(Dwarf_Die *function,
                           void (*visit)(void *arg, const char *name,
                                         const char *file, int line),
                           void *arg)
{
    const char *file = dwarf_decl_file(function);
    int line;

    if (file != NULL && dwarf_decl_line(function, &line) == 0)
        visit(arg, name_of(function), brolga__text_base(file), line);
}

void brolga__types_functions(struct brolga__types *types,
                             void (*visit)(void *arg, const char *name,
                                           const char *file, int line),
                             void *arg)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die unit, child;

    while (types != NULL && dwarf_get_units(types->dwarf, cu, &cu, NULL, NULL,
                                            &unit, NULL) == 0) {
        bool more = dwarf_child(&unit, &child) == 0;

        for (; more; more = dwarf_siblingof(&child, &child) == 0)
            if (dwarf_tag(&child) == DW_TAG_subprogram && is_whole(&child))
                visit_function(&child, visit, arg);
    }
}
