/*
 * Ten thousand saves while a task never comes to a safepoint: at the cap of
 * live versions reloads wait, and the newest save takes the place of those
 * before it. So memory does not grow, and when the task lets go, what runs next
 * is the newest save, and none in between.
 *
 * The session's compiler is this program: it copies what a real one has made,
 * with the number of the save in it, so that a save costs next to nothing.
 *
 *   soak_cap [--saves N]
 */
#include "soak/soak.h"

#include <brolga/module.h>
#include <brolga/reload.h>

#include "atomic.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

BROLGA_IMPORT(generation, long, generation, (void), ());

/* Between two saves: several in the time that one build takes. */
#define SAVE_NS (200 * BROLGA_US)

static const char mark[] = "GENERATION=";
#define DIGITS 10

static char folder[] = "/tmp/brolga-soak-XXXXXX";

/* --- the compiler ------------------------------------------------------- */

static char *read_whole(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "r");
    struct stat stat;
    char *text = NULL;

    if (file != NULL && fstat(fileno(file), &stat) == 0) {
        text = calloc(1, (size_t)stat.st_size + 1);
        *bytes = text == NULL ? 0 : fread(text, 1, (size_t)stat.st_size, file);
    }
    if (file != NULL)
        (void)fclose(file);
    return text;
}

static bool write_whole(const char *path, const char *text, size_t bytes)
{
    FILE *file = fopen(path, "w");
    bool ok = file != NULL && fwrite(text, 1, bytes, file) == bytes;

    return file != NULL && fclose(file) == 0 && ok;
}

static bool patch(char *built, size_t bytes, long number)
{
    char digits[DIGITS + 1];

    (void)snprintf(digits, sizeof digits, "%0*ld", DIGITS, number);
    for (size_t i = 0; i + sizeof mark - 1 + DIGITS <= bytes; i++) {
        if (memcmp(built + i, mark, sizeof mark - 1) != 0)
            continue;
        memcpy(built + i + sizeof mark - 1, digits, DIGITS);
        return true;
    }
    return false;
}

/* Leaves a note of what was built last beside the source. */
static bool note(const char *source, long number)
{
    char path[256], aside[300], text[32];

    (void)snprintf(path, sizeof path, "%.*s/built",
                   (int)(strrchr(source, '/') - source), source);
    (void)snprintf(aside, sizeof aside, "%s.%d", path, (int)getpid());
    (void)snprintf(text, sizeof text, "%ld", number);
    return write_whole(aside, text, strlen(text)) && rename(aside, path) == 0;
}

static int compile(int argc, char **argv)
{
    const char *out = NULL, *source = argv[argc - 1];
    size_t bytes = 0, source_bytes = 0;
    char *built = read_whole(SOAK_GENERATION, &bytes);
    char *text = read_whole(source, &source_bytes);
    long number = text == NULL ? 0 : strtol(text, NULL, 10);

    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "-o") == 0)
            out = argv[i + 1];
    if (out == NULL || built == NULL || number == 0 ||
        !patch(built, bytes, number) || !write_whole(out, built, bytes) ||
        !note(source, number)) {
        fprintf(stderr, "%s: cannot be copied\n", source);
        return 1;
    }
    free(built);
    free(text);
    return 0;
}

/* --- the program -------------------------------------------------------- */

static _Atomic bool let_go, stop;
static _Atomic long seen; /* The generation that ran last. */
static _Atomic unsigned reloads, waits;

static void on_reload(void *arg, const struct brolga_reload_event *event)
{
    (void)arg;
    if (event->kind == BROLGA_RELOAD_RELOADED)
        brolga__add_relaxed(&reloads, 1);
    else if (event->kind == BROLGA_RELOAD_REFUSED &&
             event->refusal == BROLGA_REFUSED_LIMIT)
        brolga__add_relaxed(&waits, 1);
    else
        race_check(event->kind == BROLGA_RELOAD_BUILDING, "%s", event->text);
}

static brolga_word never_poll(void *arg)
{
    (void)arg;
    while (!brolga__load_relaxed(&let_go))
        continue;
    return 0;
}

/* Every generation that runs is newer than the one before. */
static brolga_word call_often(void *arg)
{
    (void)arg;
    while (!brolga__load_relaxed(&stop)) {
        long now = generation();

        race_check(now >= brolga__load_relaxed(&seen), "it has gone back");
        brolga__store_relaxed(&seen, now);
        (void)brolga_sleep_until(brolga_after_ns(BROLGA_MS));
    }
    return 0;
}

static void pause_for(uint64_t ns)
{
    struct timespec time = {0, (long)ns};

    (void)nanosleep(&time, NULL);
}

static void save(long number)
{
    char path[256], aside[300], text[32];

    (void)snprintf(path, sizeof path, "%s/generation.c", folder);
    (void)snprintf(aside, sizeof aside, "%s/.aside", folder);
    (void)snprintf(text, sizeof text, "%ld\n", number);
    race_check(write_whole(aside, text, strlen(text)) &&
                   rename(aside, path) == 0,
               "%s", path);
}

static long last_built(void)
{
    char path[256];
    size_t bytes;
    char *text;
    long number;

    (void)snprintf(path, sizeof path, "%s/built", folder);
    text = read_whole(path, &bytes);
    number = text == NULL ? 0 : strtol(text, NULL, 10);
    free(text);
    return number;
}

#define until(condition, what)                                                 \
    for (uint64_t end_ns = brolga_after_ns(SOAK_PATIENCE_S * BROLGA_S);        \
         !(condition); pause_for(BROLGA_MS))                                   \
    race_check(brolga_now_ns() < end_ns, what)

/* Until the cap is reached, one by one. */
static long fill(void)
{
    long number = 1;

    while (brolga__load_relaxed(&waits) == 0) {
        unsigned before = brolga__load_relaxed(&reloads);

        save(++number);
        until(brolga__load_relaxed(&reloads) > before ||
                  brolga__load_relaxed(&waits) > 0,
              "a save is lost");
    }
    return number;
}

static void save_often(long first, long count)
{
    double warm = 0;
    long number = first;

    for (; number < first + count; number++) {
        if (number == first + count / 10)
            warm = soak_resident_kib();
        save(number + 1);
        pause_for(SAVE_NS);
    }
    until(last_built() == number, "the last save is not built");
    printf("%ld saves at the cap: grown by %.0f KiB\n", count,
           soak_resident_kib() - warm);
#if !defined(SOAK_SANITIZED)
    race_check(soak_resident_kib() - warm < 1024, "that is too much");
#endif
}

static void soak(long count)
{
    long at_cap = fill(), newest = at_cap + count;
    unsigned before = brolga__load_relaxed(&reloads);
    long ran = brolga__load_relaxed(&seen);

    save_often(at_cap, count);
    race_check(brolga__load_relaxed(&reloads) == before, "there was room");
    until((ran = brolga__load_relaxed(&seen)) == at_cap - 1,
          "what was committed last does not run");
    brolga__store_relaxed(&let_go, true);
    until(brolga__load_relaxed(&seen) != ran, "nothing new runs");
    race_check(brolga__load_relaxed(&seen) == newest, "%ld runs, not %ld",
               brolga__load_relaxed(&seen), newest);
    /* The event comes after the code. */
    until(brolga__load_relaxed(&reloads) > before, "no reload is told");
    race_check(brolga__load_relaxed(&reloads) == before + 1,
               "%u reloads, of saves in between",
               brolga__load_relaxed(&reloads) - before);
    printf("from save %ld to save %ld\n", ran, newest);
}

static brolga_reload *start(brolga *rt, char *self)
{
    const char *paths[] = {folder};
    struct brolga_reload_opts opts = {.paths = paths,
                                      .paths_count = 1,
                                      .cc = self,
                                      .quiet_ms = 1,
                                      .quiet_max_ms = 5,
                                      .on_event = on_reload};
    brolga_reload *session;

    save(1);
    race_ok(brolga_reload_create(rt, &opts, &session));
    race_ok(brolga_reload_load(session, NULL));
    race_ok(brolga_reload_find(session, "generation", "generation",
                               &BROLGA_SLOT(generation)));
    race_ok(brolga_reload_start(session));
    return session;
}

static void remove_folder(void)
{
    static const char *const names[] = {"generation.c", "built", ""};
    char path[256];

    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

int main(int argc, char **argv)
{
    long saves = (long)race_option(argc, argv, "--saves", 300);
    brolga_task *spinner, *caller;
    brolga_reload *session;
    char self[PATH_MAX];
    ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);
    brolga *rt;

    if (argc > 1 && strcmp(argv[1], "-std=c11") == 0)
        return compile(argc, argv);
    race_begin(argc, argv);
    race_check(bytes > 0 && mkdtemp(folder) != NULL, "no folder");
    self[bytes] = '\0';
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    session = start(rt, self);
    race_ok(brolga_spawn(rt, call_often, NULL, NULL, &caller));
    race_ok(brolga_spawn(rt, never_poll, NULL, NULL, &spinner));
    soak(saves);
    brolga__store_relaxed(&stop, true);
    race_ok(brolga_join(spinner, BROLGA_FOREVER, NULL, NULL));
    race_ok(brolga_join(caller, BROLGA_FOREVER, NULL, NULL));
    brolga_reload_destroy(session);
    race_ok(brolga_destroy(rt));
    remove_folder();
    return 0;
}
