/*
 * Edits: what a compiler makes of a save, since a reload cannot be faster.
 *
 *   edit_50, edit_500   from the start of a compiler until a shared object is
 *                       there, of a module of so many lines. By compiler, level
 *                       of optimisation, debug information, linker; "-S" and
 *                       "-c" say where the time goes. What the machine does not
 *                       have is left out.
 *   edit_running        from rename() over such a file of 500 lines until the
 *                       session says that its new code runs: as it is by
 *                       default, and with two tiers.
 */
#define _DEFAULT_SOURCE
#include "bench.h"

#include <brolga/reload.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TURNS 15

#define FIXED                                                                  \
    " -std=c11 -fPIC -shared -fno-omit-frame-pointer -isystem " BENCH_INCLUDE

static char folder[] = "/tmp/brolga-edits-XXXXXX";

/* --- sources ------------------------------------------------------------ */

/* A module of about so many lines, which loop, branch and call. */
static void write_module(const char *path, unsigned lines, int number)
{
    FILE *file = fopen(path, "w");
    unsigned functions = (lines - 12) / 14;

    bench_check(file != NULL, "a file");
    fprintf(file, "#include <brolga/module.h>\n#include <stdio.h>\n"
                  "#include <string.h>\n"
                  "BROLGA_MODULE(edited, .policy = BROLGA_RECLAIM);\n"
                  "struct item { int64_t key, value; char name[32]; };\n");
    for (unsigned i = 0; i < functions; i++)
        fprintf(file,
                "\nstatic int64_t work_%u(struct item *at, size_t n, int64_t x)"
                "\n{\n    int64_t sum = 0;\n\n"
                "    for (size_t i = 0; i < n; i++) {\n"
                "        at[i].value = at[i].key * (x + %u) + "
                "(int64_t)strlen(at[i].name);\n"
                "        if (at[i].value %% 7 == %u %% 7)\n"
                "            (void)snprintf(at[i].name, sizeof at[i].name, "
                "\"n%%ld\", (long)x);\n"
                "        sum += at[i].value;\n    }\n    return sum;\n}\n",
                i, i, i);
    fprintf(file,
            "\nBROLGA_EXPORT(int64_t, get, (int64_t n))\n{\n"
            "    struct item items[4] = {{.key = n}};\n"
            "    int64_t sum = %d;\n\n",
            number);
    for (unsigned i = 0; i < functions; i++)
        fprintf(file, "    sum += work_%u(items, 4, n);\n", i);
    fprintf(file, "    return sum;\n}\n");
    bench_check(fclose(file) == 0, "a file");
}

/* --- compilers ---------------------------------------------------------- */

struct command {
    const char *name;
    const char *program; /* That must be there. */
    const char *text;
    char source[64];
};

static const struct command commands[] = {
    {"gcc -g -O2, the default", "gcc", "gcc -g -O2" FIXED, ""},
    {"gcc -g -O2 -pipe", "gcc", "gcc -g -O2 -pipe" FIXED, ""},
    {"gcc -O2", "gcc", "gcc -O2" FIXED, ""},
    {"gcc -g -O1", "gcc", "gcc -g -O1" FIXED, ""},
    {"gcc -g -O0", "gcc", "gcc -g -O0" FIXED, ""},
    {"gcc -g -O0 -pipe", "gcc", "gcc -g -O0 -pipe" FIXED, ""},
    {"gcc -O0", "gcc", "gcc -O0" FIXED, ""},
    {"gcc -g -O2 -fuse-ld=gold", "ld.gold", "gcc -g -O2 -fuse-ld=gold" FIXED,
     ""},
    {"gcc -g -O2 -fuse-ld=lld", "ld.lld", "gcc -g -O2 -fuse-ld=lld" FIXED, ""},
    {"gcc -g -O2 -fuse-ld=mold", "mold", "gcc -g -O2 -fuse-ld=mold" FIXED, ""},
    {"gcc -g -O2, precompiled header", "gcc",
     "gcc -g -O2 -include %s/pch.h" FIXED, ""},
    {"gcc -g -O0, precompiled header", "gcc",
     "gcc -g -O0 -include %s/pch0.h" FIXED, ""},
    {"gcc -g -O2 -S: no assembler, no linker", "gcc", "gcc -g -O2 -S" FIXED,
     ""},
    {"gcc -g -O2 -c: no linker", "gcc", "gcc -g -O2 -c" FIXED, ""},
    {"gcc -g -O0 -S", "gcc", "gcc -g -O0 -S" FIXED, ""},
    {"gcc -E", "gcc", "gcc -E" FIXED, ""},
    {"clang -g -O2", "clang", "clang -g -O2" FIXED, ""},
    {"clang -g -O0", "clang", "clang -g -O0" FIXED, ""},
    {"clang -g -O0 -fuse-ld=lld", "ld.lld", "clang -g -O0 -fuse-ld=lld" FIXED,
     ""},
    {"tcc (does not run constructors: no module)", "tcc",
     "tcc -g -shared -D_Atomic= '-D_Pragma(x)=' -isystem " BENCH_INCLUDE, ""},
};

#define COMMANDS bench_lengthof(commands)

static bool is_there(const char *program)
{
    char text[128];

    (void)snprintf(text, sizeof text, "command -v %s >/dev/null", program);
    return system(text) == 0;
}

static double sample_command(void *arg)
{
    const struct command *command = arg;
    char text[1024], line[1400];
    uint64_t begin;

    (void)snprintf(text, sizeof text, command->text, folder);
    (void)snprintf(line, sizeof line, "exec %s -o %s/out %s 2>/dev/null", text,
                   folder, command->source);
    begin = brolga_now_ns();
    bench_check(system(line) == 0, command->name);
    return bench_since(begin) / 1e6;
}

static void run_compilers(const char *row_name, unsigned lines)
{
    const struct bench_row row = {row_name, 0, "ms", TURNS};
    struct bench_subject subjects[COMMANDS];
    struct command own[COMMANDS];
    size_t count = 0;

    for (size_t i = 0; i < COMMANDS; i++) {
        if (!is_there(commands[i].program))
            continue;
        own[count] = commands[i];
        (void)snprintf(own[count].source, sizeof own[count].source, "%s/edit.c",
                       folder);
        write_module(own[count].source, lines, 1);
        subjects[count] = (struct bench_subject){commands[i].name,
                                                 sample_command, &own[count]};
        count++;
    }
    bench_run(&row, subjects, count);
}

static void make_headers(void)
{
    char line[1024];

    (void)snprintf(line, sizeof line,
                   "cd %s && echo '#include <brolga/module.h>' >pch.h && "
                   "cp pch.h pch0.h && "
                   "gcc -g -O2" FIXED " -x c-header pch.h -o pch.h.gch && "
                   "gcc -g -O0" FIXED " -x c-header pch0.h -o pch0.h.gch",
                   folder);
    bench_check(system(line) == 0, "a precompiled header");
}

/* --- sessions ----------------------------------------------------------- */

struct session {
    pthread_mutex_t lock;
    pthread_cond_t more;
    brolga *rt;
    brolga_reload *reload;
    char path[64], fresh[64];
    int number;
    unsigned changed, optimised;
    uint64_t changed_ns, optimised_ns;
};

static void on_event(void *arg, const struct brolga_reload_event *event)
{
    struct session *s = arg;

    if (event->kind != BROLGA_RELOAD_RELOADED)
        return;
    (void)pthread_mutex_lock(&s->lock);
    if (event->modules[0].why == BROLGA_RELOAD_OPTIMISED) {
        s->optimised++;
        s->optimised_ns = brolga_now_ns();
    } else {
        s->changed++;
        s->changed_ns = brolga_now_ns();
    }
    (void)pthread_cond_broadcast(&s->more);
    (void)pthread_mutex_unlock(&s->lock);
}

static void wait_for(struct session *s, const unsigned *count, unsigned least)
{
    struct timespec until;
    int err = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    (void)pthread_mutex_lock(&s->lock);
    while (err == 0 && *count < least)
        err = pthread_cond_timedwait(&s->more, &s->lock, &until);
    (void)pthread_mutex_unlock(&s->lock);
    bench_check(err == 0, "a reload in time");
}

static void open_session(struct session *s, const char *name, bool tiered)
{
    const char *paths[1] = {s->path};
    struct brolga_reload_opts opts = {.paths = paths,
                                      .paths_count = 1,
                                      .cc = "gcc",
                                      .include_dir = BENCH_INCLUDE,
                                      .tiered = tiered,
                                      .on_event = on_event,
                                      .arg = s};

    *s = (struct session){.lock = PTHREAD_MUTEX_INITIALIZER,
                          .more = PTHREAD_COND_INITIALIZER};
    (void)snprintf(s->path, sizeof s->path, "%s/%s.c", folder, name);
    (void)snprintf(s->fresh, sizeof s->fresh, "%s/.%s", folder, name);
    write_module(s->path, 500, s->number);
    bench_must(brolga_create(&(struct brolga_opts){.workers = 2}, &s->rt));
    bench_must(brolga_reload_create(s->rt, &opts, &s->reload));
    bench_must(brolga_reload_load(s->reload, NULL));
    bench_must(brolga_reload_start(s->reload));
    if (tiered)
        wait_for(s, &s->optimised, 1);
}

static void close_session(struct session *s)
{
    brolga_reload_destroy(s->reload);
    bench_must(brolga_destroy(s->rt));
    (void)unlink(s->path);
}

static uint64_t save(struct session *s)
{
    uint64_t begin;

    write_module(s->fresh, 500, ++s->number);
    begin = brolga_now_ns();
    bench_check(rename(s->fresh, s->path) == 0, "rename");
    return begin;
}

static void run_sessions(void)
{
    const struct bench_row row = {"edit_running", 2, "ms", TURNS};
    struct bench_samples plain = {0}, fast = {0}, optimised = {0};
    struct session once, twice;

    open_session(&once, "once", false);
    open_session(&twice, "twice", true);
    for (unsigned i = 0; i < bench_turns(TURNS); i++) {
        uint64_t begin = save(&once);

        wait_for(&once, &once.changed, i + 2);
        bench_add(&plain, (double)(once.changed_ns - begin) / 1e6);
        begin = save(&twice);
        wait_for(&twice, &twice.changed, i + 2);
        wait_for(&twice, &twice.optimised, i + 2);
        bench_add(&fast, (double)(twice.changed_ns - begin) / 1e6);
        bench_add(&optimised, (double)(twice.optimised_ns - begin) / 1e6);
    }
    bench_print(&row, "brolga", &plain);
    bench_print(&row, "brolga --tier", &fast);
    bench_print(&row, "brolga --tier, until optimised", &optimised);
    close_session(&once);
    close_session(&twice);
}

int main(int argc, char **argv)
{
    char line[128];

    bench_begin(argc, argv, "edits");
    bench_check(mkdtemp(folder) != NULL, "a temporary directory");
    make_headers();
    if (bench_wants("edit_50"))
        run_compilers("edit_50", 50);
    if (bench_wants("edit_500"))
        run_compilers("edit_500", 500);
    if (bench_wants("edit_running"))
        run_sessions();
    (void)snprintf(line, sizeof line, "rm -r %s", folder);
    bench_check(system(line) == 0, "clean");
    return 0;
}
