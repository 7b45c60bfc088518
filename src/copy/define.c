/*
 * Definitions: from what a text says to what the registry knows. The forms of
 * one text are added together and may name each other; if one of them is
 * wrong, none is added.
 */
#include "copy/copy.h"

#include <string.h>

/* --- names to definitions ----------------------------------------------- */

static int resolve_op(struct brolga__parser *p, struct brolga__op *op,
                      bool alone)
{
    const struct brolga__definition *def;

    if (op->name == NULL)
        return BROLGA_OK;
    def = brolga__types_find(p->types, op->name);
    if (def == NULL)
        return brolga__parser_fail(
            p, BROLGA_ETYPE, op->offset,
            "unknown type '%.40s'; define it with deftype first", op->name);
    if (def->kind == BROLGA__KIND_STRUCT && !alone)
        return brolga__parser_fail(
            p, BROLGA_ETYPE, op->offset,
            "'%.40s' is a plain struct, no word; it can only stand alone",
            op->name);
    if (def->kind != BROLGA__KIND_FN && op->count != def->params)
        return brolga__parser_fail(p, BROLGA_ETYPE, op->offset,
                                   "'%.40s' takes %u type argument%s, not %u",
                                   op->name, def->params,
                                   def->params == 1 ? "" : "s", op->count);
    op->definition = def;
    return BROLGA_OK;
}

int brolga__types_resolve(struct brolga__parser *p, struct brolga__op *ops,
                          bool is_field)
{
    bool alone = !is_field && ops->next == NULL;
    int err = BROLGA_OK;

    for (; err == BROLGA_OK && ops != NULL; ops = ops->next)
        err = resolve_op(p, ops, alone);
    return err;
}

static int resolve_definition(struct brolga__parser *p,
                              const struct brolga__definition *def)
{
    int err = BROLGA_OK;

    for (const struct brolga__ctor_def *c = def->ctors; c != NULL; c = c->next)
        for (const struct brolga__field_def *f = c->fields;
             err == BROLGA_OK && f != NULL; f = f->next)
            err = brolga__types_resolve(p, f->ops, true);
    return err;
}

static bool same_ops(const struct brolga__op *a, const struct brolga__op *b)
{
    for (; a != NULL && b != NULL; a = a->next, b = b->next) {
        if (a->count != b->count || (a->name == NULL) != (b->name == NULL))
            return false;
        if (a->name != NULL && strcmp(a->name, b->name) != 0)
            return false;
    }
    return a == b; /* Both at their end. */
}

static bool same_ctor(const struct brolga__ctor_def *a,
                      const struct brolga__ctor_def *b)
{
    const struct brolga__field_def *g = b->fields;

    if (strcmp(a->name, b->name) != 0 || a->field_count != b->field_count)
        return false;
    for (const struct brolga__field_def *f = a->fields; f != NULL;
         f = f->next, g = g->next)
        if (!same_ops(f->ops, g->ops))
            return false;
    return true;
}

/* Names of fields and variables may differ; they are not part of a value. */
static bool same_definition(const struct brolga__definition *a,
                            const struct brolga__definition *b)
{
    const struct brolga__ctor_def *d = b->ctors;

    if (a->kind != b->kind || a->params != b->params ||
        a->ctor_count != b->ctor_count)
        return false;
    for (const struct brolga__ctor_def *c = a->ctors; c != NULL;
         c = c->next, d = d->next)
        if (!same_ctor(c, d))
            return false;
    return true;
}

/* Adds those of the forms that are new, and links them into `*added`. */
static int add_forms(struct brolga__parser *p, struct brolga__definition *forms,
                     uint32_t *added)
{
    while (forms != NULL) {
        struct brolga__definition *def = forms;
        const struct brolga__definition *old;

        forms = def->next;
        old = brolga__types_find(p->types, def->name);
        if (old != NULL && !same_definition(old, def))
            return brolga__parser_fail(
                p, BROLGA_EEXIST, def->offset,
                "type '%.40s' is defined otherwise already; choose a new name",
                def->name);
        if (old == NULL) {
            brolga__types_add(p->types, def);
            ++*added;
        }
    }
    return BROLGA_OK;
}

static int define(struct brolga__parser *p,
                  struct brolga__definition *const *before, uint32_t *added)
{
    struct brolga__definition *forms = NULL;
    int err = brolga__parse_forms(p, &forms);

    if (err == BROLGA_OK)
        err = add_forms(p, forms, added);
    /* What was added is at the heads of the buckets; all may name all. */
    for (uint32_t i = 0; err == BROLGA_OK && i < BROLGA__BUCKETS; i++) {
        const struct brolga__definition *def = p->types->definitions[i];

        for (; err == BROLGA_OK && def != before[i]; def = def->next)
            err = resolve_definition(p, def);
    }
    return err;
}

int brolga_types_define(brolga_types *types, const char *text,
                        struct brolga_type_error *error)
{
    struct brolga__definition *before[BROLGA__BUCKETS];
    struct brolga__mark mark = brolga__types_mark(types);
    struct brolga__parser p;
    uint32_t added = 0;
    int err;

    memcpy(before, types->definitions, sizeof(before));
    brolga__parser_init(&p, types, text, error);
    err = define(&p, before, &added);
    if (err != BROLGA_OK)
        memcpy(types->definitions, before, sizeof(before));
    if (err != BROLGA_OK || added == 0)
        brolga__types_roll_back(types, mark);
    return err;
}
