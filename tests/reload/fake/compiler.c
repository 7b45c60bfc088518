/*
 * A compiler that takes a millisecond: it patches a built module. The source is
 * a text of these lines, in which NUMBER is the same twice if it is whole:
 *
 *     module fake003 NUMBER
 *     include PATH                        (any number of these)
 *     ... anything ...
 *     end NUMBER
 *
 * The template (module.c, built) lies beside this program as template.so. The
 * result exports get(), which returns NUMBER, or -1 for a text that is not
 * whole. Of the arguments, -o, -MF and the *.c file count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char source[65536], image[1 << 20];

static size_t read_file(const char *path, char *at, size_t bytes)
{
    FILE *file = fopen(path, "r");
    size_t got;

    if (file == NULL)
        return 0;
    got = fread(at, 1, bytes - 1, file);
    at[got] = '\0';
    fclose(file);
    return got;
}

/* Puts `with` over every place where `what`, which is as long, stands. */
static void patch(size_t bytes, const char *what, const char *with)
{
    size_t length = strlen(what);

    for (size_t i = 0; i + length <= bytes; i++)
        if (memcmp(image + i, what, length) == 0)
            memcpy(image + i, with, length);
}

static void write_deps(const char *path, const char *c_file)
{
    FILE *deps = fopen(path, "w");
    char *at = source;

    if (deps == NULL)
        return;
    fprintf(deps, "x: %s", c_file);
    while ((at = strstr(at, "\ninclude ")) != NULL) {
        at += 9;
        fprintf(deps, " %.*s", (int)strcspn(at, "\n"), at);
    }
    fprintf(deps, "\n");
    fclose(deps);
}

static long number_of(char name[8])
{
    long number = -1, end = -2;
    char *last = strstr(source, "\nend ");

    if (sscanf(source, "module %7s %ld\n", name, &number) != 2 ||
        last == NULL || sscanf(last, "\nend %ld", &end) != 1 ||
        last[strlen(last) - 1] != '\n' || number != end)
        return -1;
    return number;
}

int main(int argc, char **argv)
{
    const char *out = "", *deps = "", *c_file = "";
    char path[4096], name[8] = "fake000", number[24];
    size_t bytes;
    FILE *file;

    for (int i = 1; i < argc; i++) {
        size_t length = strlen(argv[i]);

        if (strcmp(argv[i], "-o") == 0)
            out = argv[++i];
        else if (strcmp(argv[i], "-MF") == 0)
            deps = argv[++i];
        else if (length > 2 && strcmp(argv[i] + length - 2, ".c") == 0)
            c_file = argv[i];
    }
    read_file(c_file, source, sizeof source);
    snprintf(path, sizeof path, "%.*stemplate.so",
             (int)(strrchr(argv[0], '/') + 1 - argv[0]), argv[0]);
    bytes = read_file(path, image, sizeof image);
    snprintf(number, sizeof number, "%018ld", number_of(name));
    /* A text that is cut off before its name is told from the file's. */
    if (strlen(name) == 7)
        patch(bytes, "fake000", name);
    patch(bytes, "NUMBER_OF_THE_SAVE", number);
    write_deps(deps, c_file);
    file = fopen(out, "w");
    if (file == NULL || fwrite(image, 1, bytes, file) != bytes)
        return 1;
    return fclose(file);
}
