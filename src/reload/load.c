/*
 * Images: loading a built file and unloading it.
 *
 * A file is opened under a name that was never used before, because opening a
 * name again returns the image that is there. The name is removed from the
 * directory at once; the mapping lives on.
 *
 * dlclose() is a wish: a symbol of the GNU_UNIQUE kind, a destructor that a
 * thread has pending, -z nodelete, or a C library that never unloads can keep
 * the image. So after it the image is looked for, and found means telling.
 *
 *   A  The last owner of an image or an outlet sees what the others did to it:
 *      sub_acq_rel in the unref functions, with itself.
 */
#include "reload/reload.h"

#include "alloc.h"
#include "atomic.h"
#include "lock.h"
#include "plat.h"
#include "stress.h"

#include <brolga/module.h>
#include <brolga/site.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- the outlet --------------------------------------------------------- */

struct stuck {
    struct brolga__image *image;
    struct stuck *next;
};

struct brolga__outlet {
    struct brolga__lock lock; /* Guards `wake` and `stuck`; nests in none. */
    brolga__outlet_fn wake;   /* NULL once the session is gone. */
    void *arg;
    struct stuck *stuck;
    _Atomic uint32_t refs; /* The session's and one of each image. */
};

int brolga__outlet_create(brolga__outlet_fn wake, void *arg,
                          struct brolga__outlet **out)
{
    struct brolga__outlet *outlet = brolga__alloc_zero(sizeof *outlet);

    if (outlet == NULL)
        return BROLGA_ENOMEM;
    outlet->wake = wake;
    outlet->arg = arg;
    outlet->refs = 1;
    *out = outlet;
    return BROLGA_OK;
}

static void outlet_unref(struct brolga__outlet *outlet)
{
    if (brolga__sub_acq_rel(&outlet->refs, 1) == 1) /* A */
        brolga__free(outlet);
}

struct brolga__image *brolga__outlet_take(struct brolga__outlet *outlet)
{
    struct brolga__image *image = NULL;
    struct stuck *stuck;

    brolga__lock_take(&outlet->lock);
    stuck = outlet->stuck;
    if (stuck != NULL)
        outlet->stuck = stuck->next;
    brolga__lock_leave(&outlet->lock);
    if (stuck != NULL)
        image = stuck->image;
    brolga__free(stuck);
    return image;
}

void brolga__outlet_close(struct brolga__outlet *outlet)
{
    struct brolga__image *image;

    brolga__lock_take(&outlet->lock);
    outlet->wake = NULL;
    brolga__lock_leave(&outlet->lock);
    /* Nothing is put any more, so this ends. */
    while ((image = brolga__outlet_take(outlet)) != NULL)
        brolga__image_unref(image);
    outlet_unref(outlet);
}

/* Takes the caller's reference to the image over. */
static void outlet_put(struct brolga__outlet *outlet,
                       struct brolga__image *image)
{
    struct stuck *stuck = brolga__alloc(sizeof *stuck);
    bool put = false;

    if (stuck != NULL) {
        *stuck = (struct stuck){.image = image};
        brolga__lock_take(&outlet->lock);
        if (outlet->wake != NULL) {
            stuck->next = outlet->stuck;
            outlet->stuck = stuck;
            outlet->wake(outlet->arg); /* Wakes a loop; does not block. */
            put = true;
        }
        brolga__lock_leave(&outlet->lock);
    }
    if (put)
        return;
    brolga__free(stuck);
    brolga__image_unref(image);
}

/* --- the end of an image ------------------------------------------------ */

struct brolga__image *brolga__image_ref(struct brolga__image *image)
{
    if (image != NULL)
        (void)brolga__add_relaxed(&image->refs, 1); /* The caller has one. */
    return image;
}

void brolga__image_unref(struct brolga__image *image)
{
    if (image == NULL || brolga__sub_acq_rel(&image->refs, 1) != 1) /* A */
        return;
    brolga__assert(image->handle == NULL);
    brolga__tables_free(image);
    brolga__names_free(image);
    if (image->copy >= 0)
        (void)close(image->copy);
    brolga__free(image->file);
    brolga__free(image->path);
    outlet_unref(image->outlet);
    brolga__free(image);
}

void brolga__image_close(void *arg)
{
    struct brolga__image *image = arg;
    uintptr_t low, high;

    brolga_sites_forget((const void *)image->low, image->high - image->low);
    (void)dlclose(image->handle);
    image->handle = NULL;
    if (brolga__plat_image(image->path, &low, &high)) {
        outlet_put(image->outlet, image);
        return;
    }
    brolga__quarantine_unmapped(image->low, image->high - image->low);
    brolga__image_unref(image);
}

/* --- what a file must have ---------------------------------------------- */

/* The file's name as a module's: up to the first dot. */
static int stem_bytes(const char *file)
{
    return (int)strcspn(brolga__text_base(file), ".");
}

static int explain_open(const char *path, const char *file,
                        struct brolga__text *why)
{
    const char *text = dlerror();
    size_t bytes = strlen(path);

    if (text == NULL)
        text = "no reason given";
    if (strncmp(text, path, bytes) == 0 && strncmp(text + bytes, ": ", 2) == 0)
        text += bytes + 2;
    brolga__text_add(why, "%s: built, but cannot be loaded: %s", file, text);
    if (strstr(text, "undefined symbol") != NULL)
        brolga__text_add(why, "\n  define it in this file, import it with "
                              "BROLGA_IMPORT(), or add its library to the "
                              "compiler's flags");
    if (strstr(text, "failed to map") != NULL)
        brolga__text_add(why, "\n  if the temporary directory is mounted "
                              "noexec, set TMPDIR to another one");
    return BROLGA_EREFUSED;
}

static int explain_no_module(const char *file, struct brolga__text *why)
{
    brolga__text_add(why,
                     "%s:1: the file has no BROLGA_MODULE()\n"
                     "  add, after #include <brolga/module.h>:\n"
                     "  BROLGA_MODULE(%.*s);",
                     file, stem_bytes(file), brolga__text_base(file));
    return BROLGA_EREFUSED;
}

static int check_desc(const struct brolga_module_desc *desc, const char *file,
                      struct brolga__text *why, int *line)
{
    if (desc->abi == BROLGA_MODULE_ABI && desc->desc_bytes == sizeof *desc &&
        desc->export_bytes == sizeof(struct brolga_module_export) &&
        desc->import_bytes == sizeof(struct brolga_module_import) &&
        desc->state_bytes == sizeof(struct brolga_module_state) &&
        desc->migration_bytes == sizeof(struct brolga_module_migration) &&
        desc->message_bytes == sizeof(struct brolga_module_message) &&
        desc->lists_bytes == sizeof(struct brolga_module_lists))
        return BROLGA_OK;
    *line = 1;
    brolga__text_add(why,
                     "%s:1: built with the headers of another Brolga (module "
                     "ABI %u, this one has %d)\n"
                     "  see that the compiler finds this one's "
                     "brolga/module.h",
                     file, desc->abi, BROLGA_MODULE_ABI);
    return BROLGA_EREFUSED;
}

/* The host calls main as C programs do, whatever it was exported as. */
static int check_main(const struct brolga__image *image,
                      struct brolga__text *why, int *line)
{
    const struct brolga__symbol *main = brolga__image_export(image, "main");

    if (main == NULL || strcmp(main->signature, "int (int, char **)") == 0)
        return BROLGA_OK;
    *line = main->line;
    brolga__text_add(why,
                     "%s:%d: main is %s, but must be int (int, char **)\n"
                     "  define it with BROLGA_MAIN(argc, argv)",
                     main->file, main->line, main->signature);
    return BROLGA_EREFUSED;
}

static bool lies_in(const struct brolga__image *image, const void *at)
{
    return (uintptr_t)at >= image->low && (uintptr_t)at < image->high;
}

/*
 * The span must hold every exported function: it is what stacks are searched
 * for, so a wrong one would release code that runs.
 */
static int check_span(const struct brolga__image *image,
                      struct brolga__text *why)
{
    for (size_t i = 0; i < image->exports_count; i++) {
        if (lies_in(image, image->exports[i].code))
            continue;
        brolga__text_add(why, "%s:%d: '%s' lies outside of the built file",
                         image->file, image->exports[i].line,
                         image->exports[i].name);
        return BROLGA_EREFUSED;
    }
    return BROLGA_OK;
}

/* --- loading ------------------------------------------------------------ */

static int read_image(struct brolga__image *image, struct brolga__text *why,
                      int *line)
{
    const struct brolga_module_desc *desc =
        dlsym(image->handle, "brolga_module");
    int err;

    if (desc == NULL) {
        *line = 1;
        return explain_no_module(image->file, why);
    }
    if (!brolga__plat_image(image->path, &image->low, &image->high) ||
        !lies_in(image, desc)) {
        brolga__text_add(why,
                         "%s: built, but the system does not say where "
                         "it is loaded",
                         image->file);
        return BROLGA_EREFUSED;
    }
    if ((err = check_desc(desc, image->file, why, line)) != BROLGA_OK)
        return err;
    if (brolga__tables_copy(image, desc) != BROLGA_OK) {
        brolga__text_add(why, "%s: out of memory", image->file);
        return BROLGA_ENOMEM;
    }
    if ((err = check_main(image, why, line)) != BROLGA_OK)
        return err;
    return check_span(image, why);
}

static struct brolga__image *new_image(const char *path, const char *file,
                                       struct brolga__outlet *outlet)
{
    struct brolga__image *image = brolga__alloc_zero(sizeof *image);

    if (image == NULL)
        return NULL;
    image->refs = 1;
    image->copy = -1;
    image->outlet = outlet;
    (void)brolga__add_relaxed(&outlet->refs, 1); /* The caller holds one. */
    image->path = brolga__strdup(path);
    image->file = brolga__strdup(file);
    if (image->path != NULL && image->file != NULL)
        return image;
    brolga__image_unref(image);
    return NULL;
}

static int open_image(struct brolga__image *image, struct brolga__text *why,
                      int *line)
{
    int err;

    image->handle = dlopen(image->path, RTLD_NOW | RTLD_LOCAL);
    if (image->handle == NULL) {
        err = explain_open(image->path, image->file, why);
        brolga__image_unref(image);
        return err;
    }
    err = read_image(image, why, line);
    if (err != BROLGA_OK)
        brolga__image_close(image);
    return err;
}

int brolga__image_load(const char *path, const char *file, bool keep,
                       struct brolga__outlet *outlet,
                       struct brolga__image **out, struct brolga__text *why,
                       int *line)
{
    struct brolga__image *image = new_image(path, file, outlet);
    int err = BROLGA_ENOMEM;

    if (image == NULL)
        brolga__text_add(why, "%s: out of memory", file);
    else
        err = open_image(image, why, line);
    if (!keep)
        (void)unlink(path);
    if (err == BROLGA_OK)
        *out = image;
    return err;
}
