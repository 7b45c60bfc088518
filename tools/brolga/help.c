/*
 * The texts of --help and --version. They teach by example; docs/brolga-run.md
 * is the reference.
 */
#include "tool.h"

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

#define VERSION                                                                \
    STRING(BROLGA_VERSION_MAJOR)                                               \
    "." STRING(BROLGA_VERSION_MINOR) "." STRING(BROLGA_VERSION_PATCH)

static const char *const general[] = {
    "brolga runs C programs whose code changes while they run.",
    "",
    "    brolga run demos/counter    compile, run, and reload on every save",
    "    brolga help run             how to use it, with examples",
    "    brolga ctl rollback         take the last reload of a run back",
    "    brolga --version",
};

static const char *const on_run[] = {
    "brolga run [OPTIONS] DIRECTORY|FILES... [-- PROGRAM ARGUMENTS]",
    "",
    "Compiles every .c file, runs the exported `main` as a task, and swaps",
    "the code of a file in the running program whenever it is saved.",
    "",
    "Start with",
    "    brolga run demos/counter",
    "and, in an editor, change what demos/counter/step.c adds. A module is",
    "a file that looks so:",
    "",
    "    #include <brolga/module.h>",
    "    BROLGA_MODULE(step);",
    "    BROLGA_EXPORT(long, step, (long n)) { return n + 1; }",
    "",
    "Examples",
    "    brolga run .                         all .c files in this directory",
    "    brolga run main.c step.c             these two only",
    "    brolga run demos/pipeline -- *.txt   arguments for the program",
    "    brolga run --for 10s --no-watch .    a trial run, e.g. in a script",
    "    brolga run --cc clang --cflags '-O0 -DTRACE' .",
    "    brolga run --json=events.jsonl .     events for another program",
    "",
    "Building",
    "    --cc COMMAND        the compiler; default $CC, else cc",
    "    --cflags FLAGS      added after Brolga's own flags",
    "    --tier[=COMMAND]    build twice: first with -O0, or this compiler, to",
    "                        run soon; then as above, in its place",
    "Running",
    "    --workers N         threads that run tasks; default one a processor",
    "    --for DURATION      cancel main after 10s, 500ms, 2m, 1h",
    "Reloading",
    "    --no-watch          run what is there now; reload nothing",
    "    --quiet-period MS   wait so long after a save; default 15",
    "    --reclaim           unload old code of all modules once nothing uses",
    "                        it, as if each said .policy = BROLGA_RECLAIM",
    "    --allow-stale       let functions change their signatures, or go,",
    "                        though others call them and cannot follow",
    "    --history N         versions that can be taken back to; default 8, or",
    "                        0 with --reclaim",
    "    --rollback-if 50%:2s  take a reload back if within this time half",
    "                        of the tasks fail; off by default",
    "    --no-ctl            let no `brolga ctl` in",
    "    Ctrl-\\              takes the last reload back",
    "    --stress SWITCHES   make rare things happen often: reload=N, again",
    "                        each N safepoints; abort=N, one in N commits;",
    "                        scan=1; quarantine=N; seed=N",
    "Reporting, on standard error; standard output is the program's",
    "    --json[=FILE]       one JSON object per event, instead of text or,",
    "                        with a file, besides it",
    "    --color WHEN        auto, always or never; auto minds NO_COLOR",
    "    -v, --verbose       also say when builds begin, old code is released",
    "    -h, --help",
    "",
    "Exit status: what main returns (modulo 256); 0 when --for is over;",
    "2 wrong usage; 3 it does not build, load or start; 4 main failed;",
    "130 after Ctrl-C, 143 after SIGTERM.",
};

static const char *const on_ctl[] = {
    "brolga ctl [--pid PID | --socket PATH] COMMAND",
    "",
    "Asks a program of yours that `brolga run` runs. PID can be left out if",
    "there is only one.",
    "",
    "    brolga ctl status           version, modules, what is kept",
    "    brolga ctl rollback         take the last reload back",
    "    brolga ctl rollback 7       go back to version 7",
    "    brolga ctl stalls           old code that is held, and by whom",
    "    brolga ctl stalls json      the same for programs",
    "",
    "Exit status: 0 if it was done; 1 if it was refused; 2 wrong usage;",
    "3 if there is no such program.",
};

static void print_lines(FILE *to, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(to, "%s\n", lines[i]);
}

void help_print(FILE *to)
{
    print_lines(to, general, sizeof(general) / sizeof(general[0]));
}

void help_print_run(FILE *to)
{
    print_lines(to, on_run, sizeof(on_run) / sizeof(on_run[0]));
}

void help_print_ctl(FILE *to)
{
    print_lines(to, on_ctl, sizeof(on_ctl) / sizeof(on_ctl[0]));
}

void version_print(FILE *to)
{
    fputs("brolga " VERSION, to);
    if (sizeof(BROLGA_SANITIZE) > 1)
        fputs(" (sanitizers: " BROLGA_SANITIZE ")", to);
    fputs("\n", to);
}
