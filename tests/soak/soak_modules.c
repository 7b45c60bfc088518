/*
 * Ten thousand reloads of a C module, loaded as a session loads it, leave
 * nothing behind: each build is a file of its own to the system's loader, and
 * is closed when nobody uses it.
 *
 *   soak_modules [--reloads N]
 */
#include "soak/soak.h"

#include <brolga/module.h>

#include "reload/reload.h"

#include <sys/stat.h>
#include <unistd.h>

BROLGA_IMPORT(step, long, step, (long x), (x));

#define CALLERS 4

static struct {
    char folder[64];
    char *bytes; /* What the compiler made. */
    size_t count;
    struct brolga__outlet *outlet;
} built = {.folder = "/tmp/brolga-soak-XXXXXX"};

static _Atomic bool stop;

static void ignore(void *arg)
{
    (void)arg;
}

static void read_built(void)
{
    FILE *file = fopen(SOAK_STEP, "r");
    struct stat stat;

    race_check(file != NULL && fstat(fileno(file), &stat) == 0, SOAK_STEP);
    built.count = (size_t)stat.st_size;
    built.bytes = malloc(built.count);
    race_check(built.bytes != NULL &&
                   fread(built.bytes, 1, built.count, file) == built.count,
               SOAK_STEP);
    (void)fclose(file);
}

static struct brolga__image *load(uint64_t number)
{
    struct brolga__text why = {0};
    struct brolga__image *image;
    char path[96];
    int line = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%" PRIu64 ".so", built.folder,
                   number);
    file = fopen(path, "w");
    race_check(file != NULL &&
                   fwrite(built.bytes, 1, built.count, file) == built.count &&
                   fclose(file) == 0,
               "%s", path);
    race_check(brolga__image_load(path, "step.c", false, built.outlet, &image,
                                  &why, &line) == BROLGA_OK,
               "%s", why.at);
    return image;
}

static void stage(brolga *rt, brolga_txn *txn, uint64_t number)
{
    struct brolga__image *image = load(number);
    struct brolga__symbol *symbol = &image->exports[0];
    struct brolga_unit_opts opts = {.name = image->module,
                                    .text = (const void *)image->low,
                                    .text_bytes = image->high - image->low,
                                    .policy = BROLGA_RECLAIM,
                                    .release = brolga__image_close,
                                    .arg = image};
    brolga_unit *unit;

    (void)rt;
    race_ok(brolga_txn_unit(txn, &opts, &unit));
    race_ok(brolga_txn_define(
        txn, unit, image->module, symbol->name, symbol->signature, symbol->code,
        BROLGA_SLOT(step) == 0 ? &BROLGA_SLOT(step) : NULL));
}

static brolga_word call_often(void *arg)
{
    long x = 0;

    (void)arg;
    while (!brolga__load_relaxed(&stop)) {
        for (unsigned i = 0; i < 64; i++)
            x = step(x);
        brolga_safepoint();
    }
    return x;
}

int main(int argc, char **argv)
{
    uint64_t count = (uint64_t)race_option(argc, argv, "--reloads", 300);
    brolga_task *task[CALLERS];
    double most_kib = 1024;
    unsigned spread = 0;
    brolga *rt;

    race_begin(argc, argv);
#if defined(SOAK_SANITIZED)
    most_kib = 1e9;
    spread = UINT32_MAX;
#endif
    race_check(mkdtemp(built.folder) != NULL, "no temporary directory");
    race_ok(brolga__outlet_create(ignore, NULL, &built.outlet));
    read_built();
    race_ok(brolga_create(
        &(struct brolga_opts){.workers = 2, .on_event = soak_on_event}, &rt));
    soak_reload(rt, stage, 1);
    for (unsigned i = 0; i < CALLERS; i++)
        race_ok(brolga_spawn(rt, call_often, NULL, NULL, &task[i]));
    soak_many(rt, stage, count, most_kib, spread);
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < CALLERS; i++)
        race_ok(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL));
    race_ok(brolga_destroy(rt));
    race_check(brolga__outlet_take(built.outlet) == NULL,
               "a build is still in memory");
    brolga__outlet_close(built.outlet);
    (void)rmdir(built.folder);
    free(built.bytes);
    return 0;
}
