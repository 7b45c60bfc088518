/*
 * Types: made from expressions, interned, asked.
 *
 * One record stands for a definition with its arguments. A parse makes the
 * type that the text names and all types that this one can reach, so that
 * copying never makes a type. Types may refer to themselves; a type whose
 * fields need ever larger types is refused by the limits below.
 */
#include "copy/copy.h"

#include <string.h>

/* The types that one parse makes, and the bytes of one type's name, at most.
 * Names grow with types, so the second bounds how deep arguments nest. */
#define BATCH_MAX      4096
#define NAME_BYTES_MAX 1024

/* --- making types ------------------------------------------------------- */

/* The types that one parse has made so far, oldest first. */
struct batch {
    brolga_types *types;
    struct brolga__parser *p;
    size_t offset; /* of the expression, for errors */
    brolga_type *first;
    brolga_type **last;
    uint32_t count;
};

static int too_large(struct batch *b)
{
    return brolga__parser_fail(
        b->p, BROLGA_ELIMIT, b->offset,
        "the type is too large, or its fields need larger types without end");
}

static int no_memory(struct batch *b)
{
    return brolga__parser_fail(b->p, BROLGA_ENOMEM, b->offset, "out of memory");
}

static char *append(char *at, const char *text, size_t bytes)
{
    memcpy(at, text, bytes);
    return at + bytes;
}

static bool is_fn(const brolga_type *type)
{
    return type->definition->kind == BROLGA__KIND_FN;
}

static size_t name_bytes(const brolga_type *type)
{
    size_t bytes = strlen(type->definition->name);

    if (type->arg_count > 0)
        bytes += 2; /* Parentheses. */
    if (is_fn(type))
        bytes += type->arg_count == 1 ? 3 : 2; /* Brackets, and " [] R". */
    for (uint32_t i = 0; i < type->arg_count; i++)
        bytes += 1 + type->args[i]->name_bytes;
    return bytes;
}

/* Writes "Int", "(Vec Int)" or "(Fn [Int Bool] Int)". */
static void write_name(const brolga_type *type, char *at)
{
    uint32_t params = is_fn(type) ? type->arg_count - 1 : 0;
    const char *name = type->definition->name;

    if (type->arg_count > 0)
        *at++ = '(';
    at = append(at, name, strlen(name));
    if (is_fn(type))
        at = append(at, params == 0 ? " []" : " [", params == 0 ? 3 : 2);
    for (uint32_t i = 0; i < type->arg_count; i++) {
        if (!is_fn(type) || i != 0 || params == 0)
            *at++ = ' ';
        at = append(at, type->args[i]->name, type->args[i]->name_bytes);
        if (is_fn(type) && i + 1 == params)
            *at++ = ']';
    }
    if (type->arg_count > 0)
        *at++ = ')';
}

static int name_type(struct batch *b, brolga_type *type)
{
    char *name;

    type->name_bytes = name_bytes(type);
    if (type->name_bytes > NAME_BYTES_MAX)
        return too_large(b);
    name = brolga__types_alloc(b->types, type->name_bytes + 1);
    if (name == NULL)
        return no_memory(b);
    write_name(type, name);
    type->name_bytes = strlen(name);
    type->name = name;
    return BROLGA_OK;
}

static int make_type(struct batch *b, const struct brolga__definition *def,
                     const brolga_type **args, uint32_t count,
                     brolga_type **out)
{
    brolga_type *type;
    int err;

    if (++b->count > BATCH_MAX)
        return too_large(b);
    type = brolga__types_alloc(b->types, sizeof(*type));
    if (type == NULL)
        return no_memory(b);
    type->definition = def;
    type->model = &b->types->model;
    type->heap = &b->types->heap;
    type->bytes = sizeof(brolga_word);
    type->align = sizeof(brolga_word);
    type->arg_count = count;
    type->args =
        brolga__types_alloc(b->types, (count + 1) * sizeof(*type->args));
    if (type->args == NULL)
        return no_memory(b);
    for (uint32_t i = 0; i < count; i++)
        type->args[i] = args[i];
    err = name_type(b, type);
    if (err != BROLGA_OK)
        return err;
    brolga__types_add_type(b->types, type);
    *b->last = type;
    b->last = &type->pending;
    *out = type;
    return BROLGA_OK;
}

static int intern(struct batch *b, const struct brolga__definition *def,
                  const brolga_type **args, uint32_t count,
                  const brolga_type **out)
{
    brolga_type *type = def->type;
    int err = BROLGA_OK;

    if (type == NULL)
        type = brolga__types_find_type(b->types, def, args, count);
    if (type == NULL)
        err = make_type(b, def, args, count, &type);
    if (err == BROLGA_OK)
        *out = type;
    return err;
}

/* The type of an expression whose variables stand for `args`. */
static int evaluate(struct batch *b, const struct brolga__op *op,
                    const brolga_type *const *args, const brolga_type **out)
{
    const brolga_type *stack[BROLGA__OPS_MAX];
    uint32_t height = 0;

    for (; op != NULL; op = op->next) {
        if (op->definition == NULL) {
            stack[height++] = args[op->count];
        } else {
            int err;

            height -= op->count;
            err = intern(b, op->definition, &stack[height], op->count,
                         &stack[height]);
            if (err != BROLGA_OK)
                return err;
            height++;
        }
    }
    brolga__assert(height == 1);
    *out = stack[0];
    return BROLGA_OK;
}

static int expand_ctor(struct batch *b, const brolga_type *type,
                       const struct brolga__ctor_def *def, uint32_t tag,
                       const struct brolga__ctor **out)
{
    const brolga_type **field_types;
    struct brolga__ctor *ctor = brolga__types_alloc(b->types, sizeof(*ctor));
    const struct brolga__field_def *field = def->fields;

    field_types = brolga__types_alloc(b->types, (def->field_count + 1) *
                                                    sizeof(*field_types));
    if (ctor == NULL || field_types == NULL)
        return no_memory(b);
    for (uint32_t i = 0; i < def->field_count; i++, field = field->next) {
        int err =
            evaluate(b, field->ops, (const brolga_type *const *)type->args,
                     &field_types[i]);

        if (err != BROLGA_OK)
            return err;
    }
    ctor->name = def->name;
    ctor->type = type;
    ctor->tag = tag;
    ctor->fields = def->field_count;
    ctor->types = field_types;
    ctor->payload_bytes = 8 * (1 + (int64_t)def->field_count);
    *out = ctor;
    return BROLGA_OK;
}

/* Gives a sum type its constructors, and so makes the types of its fields. */
static int expand(struct batch *b, brolga_type *type)
{
    const struct brolga__definition *def = type->definition;
    const struct brolga__ctor_def *ctor = def->ctors;
    const struct brolga__ctor **ctors;

    if (def->kind != BROLGA__KIND_SUM)
        return BROLGA_OK;
    ctors = brolga__types_alloc(b->types, def->ctor_count * sizeof(*ctors));
    if (ctors == NULL)
        return no_memory(b);
    for (uint32_t i = 0; i < def->ctor_count; i++, ctor = ctor->next) {
        int err = expand_ctor(b, type, ctor, i, &ctors[i]);

        if (err != BROLGA_OK)
            return err;
    }
    type->ctors = ctors;
    type->ctor_count = def->ctor_count;
    return BROLGA_OK;
}

/* Makes the type of an expression, all that it reaches, and their shapes. */
static int make_all(struct batch *b, const struct brolga__op *ops,
                    const brolga_type **out)
{
    const brolga_type *root = NULL;
    int err = evaluate(b, ops, NULL, &root);

    /* The list grows behind `type`; BATCH_MAX ends it. */
    for (brolga_type *type = b->first; err == BROLGA_OK && type != NULL;
         type = type->pending)
        err = expand(b, type);
    if (err == BROLGA_OK &&
        brolga__layout_compile(b->types, b->first) != BROLGA_OK)
        err = no_memory(b);
    if (err == BROLGA_OK)
        *out = root;
    return err;
}

int brolga_type_parse(brolga_types *types, const char *text,
                      const brolga_type **out, struct brolga_type_error *error)
{
    struct brolga__mark mark = brolga__types_mark(types);
    struct brolga__op *ops = NULL;
    struct brolga__parser p;
    struct batch b = {.types = types, .p = &p};
    int err;

    b.last = &b.first;
    brolga__parser_init(&p, types, text, error);
    err = brolga__parse_type(&p, NULL, &ops);
    if (err == BROLGA_OK && p.token != BROLGA__END)
        err = brolga__parser_fail(&p, BROLGA_ETYPE, p.offset,
                                  "the type ends before this");
    if (err == BROLGA_OK)
        err = brolga__types_resolve(&p, ops, false);
    if (err == BROLGA_OK)
        err = make_all(&b, ops, out);
    if (err != BROLGA_OK || b.count == 0)
        brolga__types_roll_back(types, mark);
    return err;
}

/* --- structs and handles ------------------------------------------------ */

/* Whether the text is one upper-case symbol. */
static bool is_type_name(const char *name)
{
    struct brolga__parser p;

    brolga__parser_init(&p, NULL, name, NULL);
    return p.token == BROLGA__SYMBOL && p.bytes == strlen(name) &&
           name[0] >= 'A' && name[0] <= 'Z' && p.bytes <= NAME_BYTES_MAX;
}

/* A definition with its one type; both still in no list. */
static struct brolga__definition *
make_single(brolga_types *types, const char *name, enum brolga__kind kind)
{
    struct brolga__definition *def = brolga__types_alloc(types, sizeof(*def));
    brolga_type *type = brolga__types_alloc(types, sizeof(*type));

    if (def == NULL || type == NULL)
        return NULL;
    type->name_bytes = strlen(name);
    type->name = brolga__types_text(types, name, type->name_bytes);
    if (type->name == NULL)
        return NULL;
    type->definition = def;
    type->model = &types->model;
    type->heap = &types->heap;
    type->bytes = sizeof(brolga_word);
    type->align = sizeof(brolga_word);
    def->name = type->name;
    def->kind = kind;
    def->type = type;
    return def;
}

/* Adds `made`, unless the name is taken: then `*out` is the type it has. */
static int add_single(brolga_types *types, const char *name,
                      const brolga_type *made, enum brolga__kind kind,
                      const brolga_type **out)
{
    struct brolga__mark mark = brolga__types_mark(types);
    struct brolga__definition *def = brolga__types_find(types, name);

    if (def != NULL) {
        *out = def->type;
        return def->kind == kind ? BROLGA_OK : BROLGA_EEXIST;
    }
    def = make_single(types, name, kind);
    if (def == NULL) {
        brolga__types_roll_back(types, mark);
        return BROLGA_ENOMEM;
    }
    def->type->retain = made->retain;
    def->type->release = made->release;
    def->type->handle_arg = made->handle_arg;
    if (kind == BROLGA__KIND_STRUCT) {
        def->type->bytes = made->bytes;
        def->type->align = made->align;
    }
    brolga__layout_single(types, def->type);
    brolga__types_add(types, def);
    *out = def->type;
    return BROLGA_OK;
}

int brolga_type_struct(brolga_types *types, const char *name, size_t bytes,
                       size_t align, const brolga_type **out)
{
    const brolga_type made = {.bytes = bytes, .align = align};
    const brolga_type *type;
    int err;

    if (!is_type_name(name) || bytes == 0 || align == 0 ||
        (align & (align - 1)) != 0 || bytes % align != 0)
        return BROLGA_EINVAL;
    err = add_single(types, name, &made, BROLGA__KIND_STRUCT, &type);
    if (err != BROLGA_OK)
        return err;
    if (type->bytes != bytes || type->align != align)
        return BROLGA_EEXIST;
    *out = type;
    return BROLGA_OK;
}

int brolga_type_handle(brolga_types *types, const char *name,
                       void (*retain)(brolga_word word, void *arg),
                       void (*release)(brolga_word word, void *arg), void *arg,
                       const brolga_type **out)
{
    const brolga_type made = {
        .retain = retain, .release = release, .handle_arg = arg};
    const brolga_type *type;
    int err;

    if (!is_type_name(name))
        return BROLGA_EINVAL;
    err = add_single(types, name, &made, BROLGA__KIND_HANDLE, &type);
    if (err != BROLGA_OK)
        return err;
    if (type->retain != retain || type->release != release ||
        type->handle_arg != arg)
        return BROLGA_EEXIST;
    *out = type;
    return BROLGA_OK;
}

/* --- generated functions ------------------------------------------------ */

static bool is_same(const struct brolga_generated *a,
                    const struct brolga_generated *b)
{
    return a->copy == b->copy && a->drop == b->drop && a->arg == b->arg;
}

int brolga_type_generated(brolga_types *types, const brolga_type *constant,
                          const struct brolga_generated *functions)
{
    brolga_type *type = (brolga_type *)constant; /* Nobody uses it now. */
    struct brolga__mark mark = brolga__types_mark(types);
    struct brolga_generated *by;
    brolga_type *plain;

    if (type->shape == BROLGA__GENERATED)
        return is_same(type->generated, functions) ? BROLGA_OK : BROLGA_EEXIST;
    if (type->leaf || type->definition->kind != BROLGA__KIND_SUM)
        return BROLGA_EINVAL;
    by = brolga__types_alloc(types, sizeof(*by));
    plain = brolga__types_alloc(types, sizeof(*plain));
    if (by == NULL || plain == NULL) {
        brolga__types_roll_back(types, mark);
        return BROLGA_ENOMEM;
    }
    *by = *functions;
    *plain = *type;
    type->generated = by;
    type->plain = plain;
    type->shape = BROLGA__GENERATED;
    return BROLGA_OK;
}

/* --- what a type says --------------------------------------------------- */

const char *brolga_type_name(const brolga_type *type)
{
    return type->name;
}

size_t brolga_type_bytes(const brolga_type *type)
{
    return type->bytes;
}

size_t brolga_type_align(const brolga_type *type)
{
    return type->align;
}

bool brolga_type_is_word(const brolga_type *type)
{
    return type->shape != BROLGA__STRUCT;
}

bool brolga_type_is_plain(const brolga_type *type)
{
    return type->shape == BROLGA__WORD || type->shape == BROLGA__STRUCT;
}

uint64_t brolga_type_fingerprint(const brolga_type *type)
{
    return type->fingerprint;
}
