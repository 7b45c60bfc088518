/*
 * Commands: run, help, version.
 */
#include "tool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int command_run(int argc, char **argv)
{
    struct options options;
    int status;

    if (!options_parse(argc, argv, &options))
        return EXIT_USAGE;
    if (options.help) {
        help_print_run(stdout);
        status = 0;
    } else {
        status = run(&options);
    }
    free(options.paths);
    return status;
}

static int command_help(int argc, char **argv)
{
    if (argc == 0) {
        help_print(stdout);
        return 0;
    }
    if (strcmp(argv[0], "run") == 0) {
        help_print_run(stdout);
        return 0;
    }
    if (strcmp(argv[0], "ctl") == 0) {
        help_print_ctl(stdout);
        return 0;
    }
    fprintf(stderr, "brolga: there is no help on '%s'; try: brolga help run\n",
            argv[0]);
    return EXIT_USAGE;
}

static int complain(const char *word)
{
    struct stat info;

    if (stat(word, &info) == 0)
        fprintf(stderr, "brolga: did you mean: brolga run %s\n", word);
    else
        fprintf(stderr,
                "brolga: there is no command '%s'\n"
                "        brolga run, brolga ctl, brolga help, brolga "
                "--version\n",
                word);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    if (strcmp(word, "run") == 0)
        return command_run(argc - 2, argv + 2);
    if (strcmp(word, "ctl") == 0)
        return ctl_main(argc - 2, argv + 2);
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 ||
        strcmp(word, "-h") == 0)
        return command_help(argc - 2, argv + 2);
    if (strcmp(word, "version") == 0 || strcmp(word, "--version") == 0) {
        version_print(stdout);
        return 0;
    }
    if (word[0] == '\0') {
        help_print(stderr);
        return EXIT_USAGE;
    }
    return complain(word);
}
