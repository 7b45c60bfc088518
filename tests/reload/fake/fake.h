/*
 * Sessions whose compiler is a fake one, for tests of many saves: see
 * compiler.c for what its sources look like.
 */
#ifndef BROLGA_TESTS_RELOAD_FAKE_H
#define BROLGA_TESTS_RELOAD_FAKE_H

#include "../stage.h"

/* What a module says when it is loaded: the test's own function. */
__attribute__((visibility("default"))) void fake_loaded(const char *module,
                                                        long number);

static inline void fake_shell(const char *format, const char *a, const char *b,
                              const char *c)
{
    char command[2048];

    (void)snprintf(command, sizeof command, format, a, b, c);
    cr_assert_eq(system(command), 0, "%s", command);
}

/* Makes the compiler in a directory of its own, `dir`. */
static inline void fake_compiler(char dir[64], char path[80])
{
    (void)snprintf(dir, 64, "/tmp/brolga-fake-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    (void)snprintf(path, 80, "%s/cc", dir);
    fake_shell("cc -O1 -o %s/cc %s/compiler.c%s", dir, BROLGA_TEST_FAKE, "");
    fake_shell("cc -std=c11 -O1 -fPIC -shared -isystem " BROLGA_TEST_INCLUDE
               " -o %s/template.so %s/module.c%s",
               dir, BROLGA_TEST_FAKE, "");
}

/* The text of a save: whole, and about `bytes` long, with other bytes in
 * between for every number. */
static inline void fake_text(char *out, size_t room, unsigned module,
                             long number, size_t bytes, const char *include)
{
    size_t used =
        (size_t)snprintf(out, room, "module fake%03u %ld\n", module, number);

    if (include != NULL)
        used +=
            (size_t)snprintf(out + used, room - used, "include %s\n", include);
    while (used < bytes && used + 100 < room)
        used += (size_t)snprintf(out + used, room - used, "line %zu of %ld\n",
                                 used, number);
    (void)snprintf(out + used, room - used, "end %ld\n", number);
}

#endif
