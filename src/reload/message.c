/*
 * Messages: the types of channels that modules declare, and what becomes of
 * channels when a reload changes one.
 *
 * A *kind* is what has one name, in all modules of the session. It has a *form*
 * for each layout that ever ran, and each form is a type of Brolga's own, so
 * that a build that comes back finds the type that it had. One form is in force
 * at a time. A commit that puts another in force has all channels of the old
 * type changed (retype.h), with a chain of migrations if there is one.
 *
 * Types are made by the thread of the loop. They live in a registry, as long as
 * the session and the images that have staged one: code may have them at hand
 * until it is gone.
 *
 *   A  The last user of a registry comes after all others: sub_acq_rel in
 *      brolga__registry_unref, with itself.
 */
#include "reload/chain.h"
#include "reload/session.h"

#include "alloc.h"
#include "atomic.h"

#include <brolga/copy.h>
#include <brolga/retype.h>

#include <stdio.h>
#include <string.h>

struct brolga__registry {
    _Atomic uint32_t refs;
    brolga_types *types;
};

struct brolga__form {
    struct brolga__list link; /* kind->forms */
    struct brolga__shape shape;
    char *layout, *written; /* The shape's. */
    const brolga_type *type;
};

struct kind {
    struct brolga__list link; /* session->kinds */
    char *name;
    struct brolga__list forms;
    const struct brolga__form *now;  /* In force; NULL: it has not run. */
    const struct brolga__form *next; /* Of the commit that is under way, */
    bool lost;                       /* and there is no way to it. */
};

/* --- kinds and forms ---------------------------------------------------- */

void brolga__registry_unref(struct brolga__registry *registry)
{
    if (registry == NULL ||
        brolga__sub_acq_rel(&registry->refs, 1) != 1) /* A */
        return;
    brolga_types_destroy(registry->types);
    brolga__free(registry);
}

static struct brolga__registry *get_registry(struct brolga_reload *session)
{
    struct brolga_model model = brolga_model_cranelisp();
    struct brolga__registry *registry = session->registry;

    if (registry != NULL)
        return registry;
    registry = brolga__alloc_zero(sizeof *registry);
    if (registry == NULL)
        return NULL;
    atomic_init(&registry->refs, 1);
    if (brolga_types_create(&model, &registry->types) != BROLGA_OK) {
        brolga__free(registry);
        return NULL;
    }
    session->registry = registry;
    return registry;
}

static struct brolga__shape shape_of(const struct brolga__message *message)
{
    return (struct brolga__shape){message->layout, message->type,
                                  message->bytes};
}

static void free_form(struct brolga__form *form)
{
    brolga__free(form->layout);
    brolga__free(form->written);
    brolga__free(form);
}

static void free_kind(struct kind *kind)
{
    struct brolga__list *node;

    while ((node = brolga__list_pop_front(&kind->forms)) != NULL)
        free_form(brolga__container_of(node, struct brolga__form, link));
    brolga__free(kind->name);
    brolga__free(kind);
}

static struct kind *find_kind(struct brolga_reload *session, const char *name)
{
    brolga__list_each (node, &session->kinds) {
        struct kind *kind = brolga__container_of(node, struct kind, link);

        if (strcmp(kind->name, name) == 0)
            return kind;
    }
    return NULL;
}

static struct kind *get_kind(struct brolga_reload *session, const char *name)
{
    struct kind *kind = find_kind(session, name);

    if (kind != NULL)
        return kind;
    kind = brolga__alloc_zero(sizeof *kind);
    if (kind == NULL)
        return NULL;
    brolga__list_init(&kind->forms);
    kind->name = brolga__strdup(name);
    if (kind->name == NULL) {
        free_kind(kind);
        return NULL;
    }
    brolga__list_push_back(&session->kinds, &kind->link);
    return kind;
}

/* Types of one layout under two names are two types, and so are those of one
 * name in two sessions. */
static int make_type(struct brolga__registry *registry,
                     const struct brolga__message *message,
                     const brolga_type **out)
{
    static _Atomic uint32_t made;
    struct brolga__text name = {0};

    brolga__text_add(&name, "Message-%.60s.%u", message->name,
                     (unsigned)brolga__add_relaxed(&made, 1) + 1);
    return brolga_type_struct(registry->types, name.at, message->bytes,
                              message->align, out);
}

static int make_form(struct brolga_reload *session, struct kind *kind,
                     const struct brolga__message *message,
                     const struct brolga__form **out)
{
    struct brolga__registry *registry = get_registry(session);
    struct brolga__form *form = brolga__alloc_zero(sizeof *form);
    int err = BROLGA_ENOMEM;

    if (form == NULL)
        return BROLGA_ENOMEM;
    form->written = brolga__strdup(message->type);
    if (message->layout != NULL)
        form->layout = brolga__strdup(message->layout);
    if (registry != NULL && form->written != NULL &&
        (form->layout != NULL || message->layout == NULL))
        err = make_type(registry, message, &form->type);
    if (err != BROLGA_OK) {
        free_form(form);
        return err;
    }
    form->shape =
        (struct brolga__shape){form->layout, form->written, message->bytes};
    brolga__list_push_back(&kind->forms, &form->link);
    *out = form;
    return BROLGA_OK;
}

static int get_form(struct brolga_reload *session, struct kind *kind,
                    const struct brolga__message *message,
                    const struct brolga__form **out)
{
    brolga__list_each (node, &kind->forms) {
        const struct brolga__form *form =
            brolga__container_of(node, struct brolga__form, link);

        if (brolga__shape_fits(form->shape, shape_of(message))) {
            *out = form;
            return BROLGA_OK;
        }
    }
    return make_form(session, kind, message, out);
}

void brolga__messages_init(struct brolga_reload *session)
{
    brolga__list_init(&session->kinds);
}

void brolga__messages_fini(struct brolga_reload *session)
{
    struct brolga__list *node;

    while ((node = brolga__list_pop_front(&session->kinds)) != NULL)
        free_kind(brolga__container_of(node, struct kind, link));
    brolga__registry_unref(session->registry);
    session->registry = NULL;
}

/* --- do they fit? ------------------------------------------------------- */

static const struct brolga__message *
find_message(const struct brolga__image *image, const char *name)
{
    for (size_t i = 0; image != NULL && i < image->messages_count; i++)
        if (strcmp(image->messages[i].name, name) == 0)
            return &image->messages[i];
    return NULL;
}

static bool can_be_sent(const struct brolga__message *message,
                        struct brolga__text *why)
{
    if (message->bytes > 0 && message->align <= BROLGA__CACHE_LINE)
        return true;
    brolga__text_add(why, "%s:%d: message '%s' %s", message->file,
                     message->line, message->name,
                     message->bytes == 0 ? "has no bytes"
                                         : "is aligned to more than 64");
    return false;
}

static bool agrees(const struct brolga__message *message,
                   const struct brolga__image *other, struct brolga__text *why)
{
    const struct brolga__message *same = find_message(other, message->name);

    if (same == NULL || brolga__shape_fits(shape_of(same), shape_of(message)))
        return true;
    brolga__text_add(why, "%s:%d: message '%s' has another layout than in %s: ",
                     message->file, message->line, message->name, same->file);
    brolga__shape_explain(why, shape_of(same), shape_of(message));
    brolga__text_add(why,
                     "\n  put the type, and its BROLGA_MESSAGE, into a header "
                     "that both include");
    return false;
}

bool brolga__messages_fit(const struct brolga__image *image,
                          const struct brolga__image *other,
                          struct brolga__text *why, int *line)
{
    for (size_t i = 0; i < image->messages_count; i++) {
        const struct brolga__message *message = &image->messages[i];

        *line = message->line;
        if (!can_be_sent(message, why) || !agrees(message, other, why))
            return false;
    }
    return true;
}

/* --- conversion --------------------------------------------------------- */

/* The images have the migrations, and the code behind them. */
struct conversion {
    struct brolga__image *was, *will;
    struct brolga__chain chain;
    size_t bytes; /* Of what it makes. */
};

static int convert(void *arg, const void *from, void *to)
{
    const struct conversion *conversion = arg;

    memset(to, 0, conversion->bytes);
    return brolga__chain_run(&conversion->chain, from, to) == NULL
               ? BROLGA_OK
               : BROLGA_EFAILED;
}

static void free_conversion(void *arg)
{
    struct conversion *conversion = arg;

    brolga__chain_end(&conversion->chain);
    brolga__image_unref(conversion->was);
    brolga__image_unref(conversion->will);
    brolga__free(conversion);
}

/* Without a chain the commit is refused if there is anything to convert. */
static int stage_change(brolga_txn *txn, struct kind *kind,
                        const struct brolga__replaced *change, unsigned *steps)
{
    struct conversion *conversion = brolga__alloc_zero(sizeof *conversion);
    struct brolga_retype retype = {.from = kind->now->type,
                                   .to = kind->next->type,
                                   .arg = conversion,
                                   .release = free_conversion};
    int err;

    if (conversion == NULL)
        return BROLGA_ENOMEM;
    conversion->was = brolga__image_ref(change->was);
    conversion->will = brolga__image_ref(change->will);
    conversion->bytes = kind->next->shape.bytes;
    conversion->chain =
        brolga__chain_find(kind->now->shape, kind->next->shape, kind->name,
                           change->was, change->will);
    *steps = conversion->chain.steps;
    kind->lost = *steps == 0;
    if (*steps > 0)
        retype.convert = convert;
    err = brolga__chain_begin(&conversion->chain);
    if (err == BROLGA_OK)
        err = brolga_txn_retype(txn, &retype);
    if (err != BROLGA_OK)
        free_conversion(conversion);
    return err;
}

/* --- the commit --------------------------------------------------------- */

static void set_place(const struct brolga__message *message)
{
    const brolga_type *type = message->form->type;

    memcpy(message->place, &type, sizeof type);
}

/* An image that has run has its form, and the pointer to it. */
static int stage_form(struct brolga_reload *session,
                      struct brolga__image *image, struct kind *kind,
                      struct brolga__message *message)
{
    int err;

    if (message->form != NULL)
        return BROLGA_OK;
    err = get_form(session, kind, message, &message->form);
    if (err != BROLGA_OK)
        return err;
    if (image->registry == NULL) {
        image->registry = session->registry;
        (void)brolga__add_relaxed(&image->registry->refs, 1); /* Session's. */
    }
    set_place(message);
    return BROLGA_OK;
}

static int stage_message(struct brolga_reload *session, brolga_txn *txn,
                         const struct brolga__replaced *change,
                         struct brolga__message *message)
{
    struct kind *kind = get_kind(session, message->name);
    int err;

    if (kind == NULL)
        return BROLGA_ENOMEM;
    err = stage_form(session, change->will, kind, message);
    if (err != BROLGA_OK)
        return err;
    message->changed = false;
    if (kind->next != NULL) /* Another file has been here. */
        return BROLGA_OK;
    kind->next = message->form;
    if (kind->now == NULL || kind->now == kind->next)
        return BROLGA_OK;
    session->messages_move = true;
    message->changed = true;
    return stage_change(txn, kind, change, &message->steps);
}

int brolga__messages_stage(struct brolga_reload *session, brolga_txn *txn,
                           const struct brolga__replaced *changes, size_t count)
{
    int err = BROLGA_OK;

    for (size_t i = 0; i < count; i++) {
        struct brolga__image *will = changes[i].will;

        for (size_t k = 0;
             err == BROLGA_OK && will != NULL && k < will->messages_count; k++)
            err = stage_message(session, txn, &changes[i], &will->messages[k]);
    }
    return err;
}

void brolga__messages_explain(struct brolga_reload *session,
                              struct brolga_report *report)
{
    struct brolga__text text = {0};

    brolga__text_add(&text, "%s", report->text);
    brolga__list_each (node, &session->kinds) {
        const struct kind *kind = brolga__container_of(node, struct kind, link);

        if (kind->next != NULL && kind->lost)
            brolga__chain_advise(&text, kind->name, kind->next->written);
    }
    (void)snprintf(report->text, sizeof report->text, "%.*s",
                   (int)sizeof report->text - 1, text.at);
}

void brolga__messages_settle(struct brolga_reload *session, bool committed)
{
    session->messages_move = false;
    brolga__list_each (node, &session->kinds) {
        struct kind *kind = brolga__container_of(node, struct kind, link);

        if (committed && kind->next != NULL)
            kind->now = kind->next;
        kind->next = NULL;
        kind->lost = false;
    }
}
