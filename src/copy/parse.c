/*
 * Tokens to expressions and definitions.
 *
 *   type    := Name | var | ( Name type... ) | ( Fn [ type... ] type )
 *   form    := ( deftype head ctor... )
 *   head    := Name | ( Name var... )
 *   ctor    := Name | ( Name [ field... ] )
 *   field   := : type name
 *
 * Names begin with an upper-case letter, variables and field names with
 * anything else. Open lists of a type are kept on a stack of fixed depth: text
 * that nests deeper is refused, and nothing here recurses.
 */
#include "copy/copy.h"

#include <string.h>

#define DEPTH_MAX 64

enum list_state {
    PLAIN,      /* (Name type... */
    FN_OPEN,    /* (Fn            a bracket must follow */
    FN_PARAMS,  /* (Fn [type...   */
    FN_RESULT,  /* (Fn [...]      one type must follow */
    FN_COMPLETE /* (Fn [...] type */
};

struct open_list {
    enum list_state state;
    const char *name;
    size_t offset;
    uint32_t count;
};

struct type_parse {
    struct brolga__parser *p;
    const struct brolga__params *params;
    struct brolga__op **last; /* where the next op is linked in */
    uint32_t ops;
    uint32_t depth;
    struct open_list list[DEPTH_MAX];
};

static bool is_name(const struct brolga__parser *p)
{
    char c = p->text[p->offset];

    return p->token == BROLGA__SYMBOL && c >= 'A' && c <= 'Z';
}

/* Fails at the current token, which `expected` should have been. */
static int unexpected(struct brolga__parser *p, const char *expected)
{
    char text[48];

    return brolga__parser_fail(p, BROLGA_ETYPE, p->offset, "%s, not %s",
                               expected, brolga__parser_show(p, text));
}

static int no_memory(struct brolga__parser *p)
{
    return brolga__parser_fail(p, BROLGA_ENOMEM, p->offset, "out of memory");
}

static const char *token_text(struct brolga__parser *p)
{
    return brolga__types_text(p->types, p->text + p->offset, p->bytes);
}

/* --- types -------------------------------------------------------------- */

static int emit(struct type_parse *t, const char *name, uint32_t count,
                size_t offset)
{
    struct brolga__op *op;

    if (++t->ops > BROLGA__OPS_MAX)
        return brolga__parser_fail(t->p, BROLGA_ELIMIT, offset,
                                   "the type is too long; name a part of it");
    op = brolga__types_alloc(t->p->types, sizeof(*op));
    if (op == NULL)
        return no_memory(t->p);
    op->name = name;
    op->count = count;
    op->offset = offset;
    *t->last = op;
    t->last = &op->next;
    return BROLGA_OK;
}

static int emit_variable(struct type_parse *t)
{
    struct brolga__parser *p = t->p;
    char text[48];

    if (t->params == NULL)
        return brolga__parser_fail(
            p, BROLGA_ETYPE, p->offset,
            "%s is a type variable; write a type, with an upper-case letter",
            brolga__parser_show(p, text));
    for (uint32_t i = 0; i < t->params->count; i++)
        if (brolga__parser_is(p, t->params->name[i]))
            return emit(t, NULL, i, p->offset);
    return brolga__parser_fail(
        p, BROLGA_ETYPE, p->offset,
        "unknown type variable %s; declare it in the head: (Name %.*s)",
        brolga__parser_show(p, text), (int)(p->bytes > 40 ? 40 : p->bytes),
        p->text + p->offset);
}

static int take_symbol(struct type_parse *t)
{
    const char *name;

    if (!is_name(t->p))
        return emit_variable(t);
    if (brolga__parser_is(t->p, "Fn"))
        return unexpected(t->p, "a function type is (Fn [Int] Bool)");
    name = token_text(t->p);
    return name == NULL ? no_memory(t->p) : emit(t, name, 0, t->p->offset);
}

static int open_list(struct type_parse *t)
{
    struct open_list *list;

    if (t->depth == DEPTH_MAX)
        return brolga__parser_fail(t->p, BROLGA_ELIMIT, t->p->offset,
                                   "the type is nested too deeply");
    list = &t->list[t->depth++];
    brolga__parser_advance(t->p);
    if (!is_name(t->p))
        return unexpected(t->p, "the name of a type must follow '('");
    list->state = brolga__parser_is(t->p, "Fn") ? FN_OPEN : PLAIN;
    list->name = token_text(t->p);
    list->offset = t->p->offset;
    list->count = 0;
    return list->name == NULL ? no_memory(t->p) : BROLGA_OK;
}

/* A whole type has been read inside the innermost list. */
static int count_operand(struct type_parse *t)
{
    struct open_list *list = &t->list[t->depth - 1];

    list->count++;
    if (list->state == FN_RESULT)
        list->state = FN_COMPLETE;
    return BROLGA_OK;
}

static int close_list(struct type_parse *t)
{
    struct open_list *list = &t->list[t->depth - 1];
    int err;

    if (list->state != PLAIN && list->state != FN_COMPLETE)
        return unexpected(t->p, "a function type is (Fn [Int] Bool)");
    err = emit(t, list->name, list->count, list->offset);
    t->depth--;
    if (err != BROLGA_OK || t->depth == 0)
        return err;
    return count_operand(t);
}

static int bracket(struct type_parse *t, enum list_state from,
                   enum list_state to)
{
    if (t->depth == 0 || t->list[t->depth - 1].state != from)
        return unexpected(t->p, "a type must stand here");
    t->list[t->depth - 1].state = to;
    return BROLGA_OK;
}

/* Whether a type may begin at this place of the innermost list. */
static bool may_begin(const struct type_parse *t)
{
    enum list_state state = t->depth == 0 ? PLAIN : t->list[t->depth - 1].state;

    return state == PLAIN || state == FN_PARAMS || state == FN_RESULT;
}

static int take_token(struct type_parse *t)
{
    int err;

    switch (t->p->token) {
    case BROLGA__SYMBOL:
        if (!may_begin(t))
            break;
        err = take_symbol(t);
        return err != BROLGA_OK || t->depth == 0 ? err : count_operand(t);
    case BROLGA__OPEN:
        if (!may_begin(t))
            break;
        return open_list(t);
    case BROLGA__OPEN_BRACKET:
        return bracket(t, FN_OPEN, FN_PARAMS);
    case BROLGA__CLOSE_BRACKET:
        return bracket(t, FN_PARAMS, FN_RESULT);
    case BROLGA__CLOSE:
        if (t->depth > 0)
            return close_list(t);
        break;
    default:
        break;
    }
    if (t->depth > 0 && t->list[t->depth - 1].state != PLAIN)
        return unexpected(t->p, "a function type is (Fn [Int] Bool)");
    return unexpected(t->p, "a type must stand here");
}

int brolga__parse_type(struct brolga__parser *p,
                       const struct brolga__params *params,
                       struct brolga__op **out)
{
    struct type_parse t = {.p = p, .params = params, .last = out};
    int err;

    do { /* One token a turn. */
        err = take_token(&t);
        if (err != BROLGA_OK)
            return err;
        brolga__parser_advance(p);
    } while (t.depth > 0);
    return BROLGA_OK;
}

/* --- definitions -------------------------------------------------------- */

static int expect(struct brolga__parser *p, enum brolga__token token,
                  const char *expected)
{
    if (p->token != token)
        return unexpected(p, expected);
    brolga__parser_advance(p);
    return BROLGA_OK;
}

static int take_name(struct brolga__parser *p, const char *expected,
                     const char **out)
{
    if (!is_name(p))
        return unexpected(p, expected);
    *out = token_text(p);
    if (*out == NULL)
        return no_memory(p);
    brolga__parser_advance(p);
    return BROLGA_OK;
}

/* A docstring, where one may stand. */
static void skip_doc(struct brolga__parser *p)
{
    if (p->token == BROLGA__DOC)
        brolga__parser_advance(p);
}

/* One field, `:Type name`. */
static int parse_field(struct brolga__parser *p,
                       const struct brolga__params *params,
                       struct brolga__field_def **out)
{
    struct brolga__field_def *field;
    int err;

    if (p->token == BROLGA__SYMBOL)
        return unexpected(p, "a field is a type and a name, [:Int x] or, for "
                             "a type variable, [:a x]");
    err = expect(p, BROLGA__COLON, "a field is written :Type name");
    if (err != BROLGA_OK)
        return err;
    field = brolga__types_alloc(p->types, sizeof(*field));
    if (field == NULL)
        return no_memory(p);
    err = brolga__parse_type(p, params, &field->ops);
    if (err != BROLGA_OK)
        return err;
    *out = field;
    return expect(p, BROLGA__SYMBOL, "the field's name must follow its type");
}

static int parse_fields(struct brolga__parser *p,
                        const struct brolga__params *params,
                        struct brolga__ctor_def *ctor)
{
    struct brolga__field_def **last = &ctor->fields;
    int err;

    while (p->token != BROLGA__CLOSE_BRACKET) {
        err = parse_field(p, params, last);
        if (err != BROLGA_OK)
            return err;
        last = &(*last)->next;
        ctor->field_count++;
    }
    brolga__parser_advance(p);
    return BROLGA_OK;
}

static int parse_ctor(struct brolga__parser *p,
                      const struct brolga__params *params,
                      struct brolga__ctor_def *ctor)
{
    bool is_list = p->token == BROLGA__OPEN;
    int err;

    if (is_list)
        brolga__parser_advance(p);
    err = take_name(p, "a constructor's name, or ')', must stand here",
                    &ctor->name);
    if (err != BROLGA_OK || !is_list)
        return err;
    skip_doc(p);
    if (p->token == BROLGA__OPEN_BRACKET) {
        brolga__parser_advance(p);
        err = parse_fields(p, params, ctor);
        if (err != BROLGA_OK)
            return err;
    }
    return expect(p, BROLGA__CLOSE,
                  "the fields of a constructor stand in one bracket, then ')'");
}

static bool has_ctor(const struct brolga__definition *def, const char *name)
{
    for (struct brolga__ctor_def *c = def->ctors; c != NULL; c = c->next)
        if (strcmp(c->name, name) == 0)
            return true;
    return false;
}

static int parse_ctors(struct brolga__parser *p,
                       const struct brolga__params *params,
                       struct brolga__definition *def)
{
    struct brolga__ctor_def **last = &def->ctors;

    while (p->token != BROLGA__CLOSE) {
        size_t offset = p->offset;
        struct brolga__ctor_def *ctor =
            brolga__types_alloc(p->types, sizeof(*ctor));
        int err;

        if (ctor == NULL)
            return no_memory(p);
        err = parse_ctor(p, params, ctor);
        if (err != BROLGA_OK)
            return err;
        if (has_ctor(def, ctor->name))
            return brolga__parser_fail(p, BROLGA_ETYPE, offset,
                                       "constructor '%s' stands here twice",
                                       ctor->name);
        *last = ctor;
        last = &ctor->next;
        if (++def->ctor_count > (uint32_t)p->types->model.small_tags)
            return brolga__parser_fail(p, BROLGA_ELIMIT, offset,
                                       "too many constructors for small tags");
    }
    if (def->ctors == NULL)
        return unexpected(p, "a type needs at least one constructor");
    return BROLGA_OK;
}

/* `(deftype Point [:Int x])`: its one constructor has its name. */
static int parse_product(struct brolga__parser *p,
                         const struct brolga__params *params,
                         struct brolga__definition *def)
{
    def->ctors = brolga__types_alloc(p->types, sizeof(*def->ctors));
    if (def->ctors == NULL)
        return no_memory(p);
    def->ctors->name = def->name;
    def->ctor_count = 1;
    brolga__parser_advance(p);
    return parse_fields(p, params, def->ctors);
}

static int parse_param(struct brolga__parser *p, struct brolga__params *params)
{
    if (p->token != BROLGA__SYMBOL || is_name(p))
        return unexpected(p, "a type variable, in lower case, must stand here");
    if (params->count == BROLGA__PARAMS_MAX)
        return brolga__parser_fail(p, BROLGA_ELIMIT, p->offset,
                                   "too many type variables");
    for (uint32_t i = 0; i < params->count; i++)
        if (brolga__parser_is(p, params->name[i]))
            return unexpected(p, "type variables differ from each other");
    params->name[params->count] = token_text(p);
    if (params->name[params->count] == NULL)
        return no_memory(p);
    params->count++;
    brolga__parser_advance(p);
    return BROLGA_OK;
}

static int parse_head(struct brolga__parser *p, struct brolga__params *params,
                      struct brolga__definition *def)
{
    bool is_list = p->token == BROLGA__OPEN;
    int err;

    if (is_list)
        brolga__parser_advance(p);
    def->offset = p->offset;
    err = take_name(p, "a type's name, with an upper-case letter, must follow",
                    &def->name);
    while (err == BROLGA_OK && is_list && p->token != BROLGA__CLOSE)
        err = parse_param(p, params);
    if (err == BROLGA_OK && is_list)
        brolga__parser_advance(p);
    def->params = params->count;
    return err;
}

static int parse_form(struct brolga__parser *p, struct brolga__definition **out)
{
    struct brolga__params params = {.count = 0};
    struct brolga__definition *def;
    int err;

    err = expect(p, BROLGA__OPEN, "a definition is (deftype Name ...)");
    if (err != BROLGA_OK)
        return err;
    if (!brolga__parser_is(p, "deftype"))
        return unexpected(p, "only deftype defines a type");
    brolga__parser_advance(p);
    def = brolga__types_alloc(p->types, sizeof(*def));
    if (def == NULL)
        return no_memory(p);
    def->kind = BROLGA__KIND_SUM;
    err = parse_head(p, &params, def);
    if (err != BROLGA_OK)
        return err;
    skip_doc(p);
    err = p->token == BROLGA__OPEN_BRACKET ? parse_product(p, &params, def)
                                           : parse_ctors(p, &params, def);
    if (err != BROLGA_OK)
        return err;
    *out = def;
    return expect(p, BROLGA__CLOSE,
                  "the fields of a type stand in one "
                  "bracket, then ')'");
}

int brolga__parse_forms(struct brolga__parser *p,
                        struct brolga__definition **out)
{
    int err = BROLGA_OK;

    while (err == BROLGA_OK && p->token != BROLGA__END) {
        err = parse_form(p, out);
        if (err == BROLGA_OK)
            out = &(*out)->next;
    }
    return err;
}
