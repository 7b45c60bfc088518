/*
 * Goal: whatever is saved, what runs always fits together, and whatever is
 * refused is told.
 * Method: hand-made images, without files or compilers; first by example, then
 * by random rounds over a few files, whose outcome is checked by the rule
 * itself: every import of what runs is served by what runs.
 */
#include <criterion/criterion.h>

#include "reload/reload.h"

#include <stdio.h>
#include <string.h>

#define FILES   4
#define SYMBOLS 3

struct made {
    struct brolga__image image;
    struct brolga__symbol exports[SYMBOLS];
    struct brolga__symbol imports[SYMBOLS];
};

struct told {
    size_t count[FILES];
    char last[512];
    enum brolga_refusal why[FILES];
};

static char *names[] = {"alpha", "beta", "gamma", "delta"};
static char *files[] = {"a.c", "b.c", "c.c", "d.c"};
static char *functions[] = {"f", "g", "h"};
static char *signatures[] = {"int (void)", "long (void)"};

static void make(struct made *made, size_t file, char *module)
{
    memset(made, 0, sizeof *made);
    made->image.module = module;
    made->image.file = files[file];
    made->image.line = 2;
    made->image.exports = made->exports;
    made->image.imports = made->imports;
}

static void add_export(struct made *made, char *name, char *signature)
{
    made->exports[made->image.exports_count++] =
        (struct brolga__symbol){.name = name,
                                .signature = signature,
                                .file = made->image.file,
                                .line = 3};
}

static void add_import(struct made *made, char *module, char *name,
                       char *signature)
{
    made->imports[made->image.imports_count++] =
        (struct brolga__symbol){.module = module,
                                .name = name,
                                .signature = signature,
                                .file = made->image.file,
                                .line = 4};
}

static void tell(void *arg, size_t item, enum brolga_refusal why,
                 const char *file, int line, const char *text)
{
    struct told *told = arg;

    cr_assert_neq(why, BROLGA_REFUSED_NOT);
    told->why[item] = why;
    cr_assert_str_eq(file, files[item]);
    cr_assert_gt(line, 0);
    told->count[item]++;
    (void)snprintf(told->last, sizeof told->last, "%s", text);
}

static void set_item(struct brolga__plan_item *item, size_t file,
                     const struct made *now, const struct made *next)
{
    *item = (struct brolga__plan_item){.file = files[file]};
    item->now = now == NULL ? NULL : &now->image;
    item->next = next == NULL ? NULL : &next->image;
}

/* Goal: a refusal is passed on to those that relied on it, in any order. */
Test(plan, who_relies_on_a_refused_file_is_refused_too)
{
    struct made a, b, c;
    struct brolga__plan_item items[3];
    struct told told = {.last = ""};

    make(&a, 0, "alpha");
    add_import(&a, "beta", "f", signatures[0]);
    make(&b, 1, "beta");
    add_export(&b, "f", signatures[0]);
    add_import(&b, "gamma", "f", signatures[0]);
    make(&c, 2, "gamma");
    add_export(&c, "f", signatures[0]);
    add_import(&c, "nobody", "f", signatures[0]);
    set_item(&items[0], 0, NULL, &a);
    set_item(&items[1], 1, NULL, &b);
    set_item(&items[2], 2, NULL, &c);
    brolga__plan_check(items, 3, false, tell, &told);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(items[i].out);
        cr_assert_eq(told.count[i], 1);
        cr_assert_eq(told.why[i], BROLGA_REFUSED_IMPORT);
    }
}

Test(plan, modules_may_import_from_each_other)
{
    struct made a, b;
    struct brolga__plan_item items[2];
    struct told told = {.last = ""};

    make(&a, 0, "alpha");
    add_export(&a, "f", signatures[0]);
    add_import(&a, "beta", "g", signatures[1]);
    make(&b, 1, "beta");
    add_export(&b, "g", signatures[1]);
    add_import(&b, "alpha", "f", signatures[0]);
    set_item(&items[0], 0, NULL, &a);
    set_item(&items[1], 1, NULL, &b);
    brolga__plan_check(items, 2, false, tell, &told);
    cr_assert(!items[0].out);
    cr_assert(!items[1].out);
}

Test(plan, importers_of_what_changes_are_found)
{
    struct made old, new, user, other;
    struct brolga__plan_item items[3];

    make(&old, 0, "alpha");
    add_export(&old, "f", signatures[0]);
    add_export(&old, "g", signatures[0]);
    make(&new, 0, "alpha");
    add_export(&new, "f", signatures[1]);
    add_export(&new, "g", signatures[0]);
    make(&user, 1, "beta");
    add_import(&user, "alpha", "f", signatures[0]);
    make(&other, 2, "gamma");
    add_import(&other, "alpha", "g", signatures[0]);
    set_item(&items[0], 0, &old, &new);
    set_item(&items[1], 1, &user, NULL);
    set_item(&items[2], 2, &other, NULL);
    cr_assert(!brolga__plan_importer(items, 3, 0));
    cr_assert(brolga__plan_importer(items, 3, 1));
    cr_assert(!brolga__plan_importer(items, 3, 2));
}

Test(plan, a_changed_signature_is_told_as_such_unless_it_is_allowed)
{
    struct made old, new, user, wrong;
    struct brolga__plan_item items[2];
    struct told told = {.last = ""};
    struct brolga__text text = {0};

    make(&old, 0, "alpha");
    add_export(&old, "f", signatures[0]);
    make(&new, 0, "alpha");
    add_export(&new, "f", signatures[1]);
    make(&user, 1, "beta");
    add_import(&user, "alpha", "f", signatures[0]);
    set_item(&items[0], 0, &old, &new);
    set_item(&items[1], 1, &user, NULL);
    brolga__plan_check(items, 2, false, tell, &told);
    cr_assert(items[0].out);
    cr_assert_eq(told.why[0], BROLGA_REFUSED_IMPORTERS);
    cr_assert_eq(brolga__plan_stale(items, 2, 1, &text), 0);
    items[0].out = false;
    brolga__plan_check(items, 2, true, tell, &told);
    cr_assert_not(items[0].out);
    /* It runs now: the caller is stale, and nobody's fault any more. */
    set_item(&items[0], 0, &new, &new);
    cr_assert_eq(brolga__plan_stale(items, 2, 1, &text), 1);
    cr_assert_not(brolga__plan_importer(items, 2, 1));
    brolga__plan_check(items, 2, false, tell, &told);
    cr_assert_not(items[0].out);
    /* But a new one must fit. */
    make(&wrong, 1, "beta");
    add_import(&wrong, "alpha", "f", signatures[0]);
    set_item(&items[1], 1, &user, &wrong);
    brolga__plan_check(items, 2, true, tell, &told);
    cr_assert(items[1].out);
    cr_assert_eq(told.why[1], BROLGA_REFUSED_SIGNATURE);
}

Test(plan, a_module_keeps_its_name_against_a_newcomer)
{
    struct made now, copy;
    struct brolga__plan_item items[2];
    struct told told = {.last = ""};

    make(&copy, 0, "beta"); /* Comes first, and is refused all the same. */
    make(&now, 1, "beta");
    set_item(&items[0], 0, NULL, &copy);
    set_item(&items[1], 1, &now, NULL);
    brolga__plan_check(items, 2, false, tell, &told);
    cr_assert(items[0].out);
    cr_assert_eq(told.why[0], BROLGA_REFUSED_DUPLICATE);
    cr_assert(strstr(told.last, "module 'beta' is b.c already") != NULL, "%s",
              told.last);
}

/* --- random rounds ------------------------------------------------------ */

static uint32_t seed;

static uint32_t dice(uint32_t sides)
{
    seed = seed * UINT32_C(1664525) + UINT32_C(1013904223);
    return (seed >> 8) % sides;
}

static void make_any(struct made *made, size_t file)
{
    make(made, file, names[dice(8) == 0 ? dice(FILES) : file]);
    for (uint32_t i = 0; i < SYMBOLS; i++)
        if (dice(4) != 0)
            add_export(made, functions[i], signatures[dice(6) == 0]);
    while (made->image.imports_count < dice(3))
        add_import(made, names[dice(FILES)], functions[dice(SYMBOLS)],
                   signatures[dice(6) == 0]);
}

static bool is_served(struct made *const *running,
                      const struct brolga__symbol *import)
{
    for (size_t i = 0; i < FILES; i++) {
        const struct brolga__symbol *export;

        if (running[i] == NULL ||
            strcmp(running[i]->image.module, import->module) != 0)
            continue;
        export = brolga__image_export(&running[i]->image, import->name);
        return export != NULL &&
               strcmp(export->signature, import->signature) == 0;
    }
    return false;
}

static void check_running(struct made *const *running, uint32_t round)
{
    for (size_t i = 0; i < FILES; i++) {
        if (running[i] == NULL)
            continue;
        for (size_t k = 0; k < running[i]->image.imports_count; k++)
            cr_assert(is_served(running, &running[i]->imports[k]),
                      "round %u: %s of %s", round, running[i]->imports[k].name,
                      files[i]);
        for (size_t j = 0; j < i; j++)
            cr_assert(running[j] == NULL ||
                      strcmp(running[i]->image.module,
                             running[j]->image.module) != 0);
    }
}

Test(plan, what_runs_always_fits_together)
{
    static struct made store[FILES][2];
    struct made *running[FILES] = {NULL};
    uint32_t accepted = 0, refused = 0;

    seed = 20260101;
    for (uint32_t round = 0; round < 20000; round++) {
        struct brolga__plan_item items[FILES];
        struct made *next[FILES] = {NULL};
        struct told told = {.last = ""};

        for (size_t i = 0; i < FILES; i++) {
            if (dice(2) == 0) {
                next[i] = &store[i][running[i] == &store[i][0]];
                make_any(next[i], i);
            }
            set_item(&items[i], i, running[i], next[i]);
        }
        brolga__plan_check(items, FILES, false, tell, &told);
        for (size_t i = 0; i < FILES; i++) {
            cr_assert_eq(told.count[i] > 0, items[i].out);
            refused += items[i].out;
            if (next[i] == NULL || items[i].out)
                continue;
            running[i] = next[i];
            accepted++;
        }
        check_running(running, round);
    }
    /* Neither answer is so rare that the rounds would prove nothing. */
    cr_assert_gt(accepted, 5000);
    cr_assert_gt(refused, 5000);
}
