/*
 * Programs that end in some way other than well, one for each name; what they
 * say and their status are looked at by test_ends.sh.
 *
 *   ends DLL NAME
 */
#include "mock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static word spawn(closure_code code, word captured)
{
    return io_value(
        call_1("spawn-int", closure_make(code, captured != 0, &captured)));
}

#define SPAWN(function, captured) spawn((closure_code)(function), captured)

static word chan(void)
{
    return io_value(call_1("chan-int", 0));
}

static word receive(word self)
{
    word io = call_1("recv-int", capture(self, 0));

    return mock_io(io_value(io) == 0 ? -1 : at(io_value(io))[1]);
}

static word exit_as_the_host_does(word self)
{
    (void)self;
    fprintf(stderr, "panic: match failure\n");
    exit(1);
}

static word sleep_long(word self)
{
    (void)self;
    (void)call_1("sleep-ms", 3600000);
    return mock_io(0);
}

static word divide(word self)
{
    volatile word number = 7, zero = 0;

    (void)self;
    return mock_io(number / zero);
}

/* --- the programs ------------------------------------------------------- */

static void well(void)
{
    CHECK(io_value(call_1("sleep-ms", 1)) == 1);
}

static void made_up(void)
{
    word forged = mock_alloc(16);

    at(forged)[0] = 0;
    at(forged)[1] = 42;
    (void)call_1("await-int", forged);
}

static void other_kind(void)
{
    (void)call_1("await-int", chan());
}

static void negative(void)
{
    (void)call_1("chan-int", -1);
}

static void too_many(void)
{
    word chans[65];

    for (int i = 0; i < 65; i++)
        chans[i] = chan();
    (void)call_1("select-int", mock_vec(chans, 65));
}

static void main_waits(void)
{
    (void)call_1("recv-int", chan());
}

static void all_wait(void)
{
    (void)call_1("await-int", SPAWN(receive, chan()));
}

static void running(void)
{
    (void)SPAWN(sleep_long, 0);
}

static void panics(void)
{
    (void)call_1("await-int", SPAWN(exit_as_the_host_does, 0));
}

static void traps(void)
{
    (void)call_1("await-int", SPAWN(divide, 0));
}

/* The copy for the function fails when its text has been made already. What the
 * host says of frees is that of its version 2. */
static void half_copied(void)
{
    word job = mock_alloc(24), text = mock_string("label");

    at(job)[0] = 0;
    at(job)[1] = text;
    at(job)[2] = closure_make((closure_code)receive, 0, NULL);
    (void)call_2("pmap-job", closure_make((closure_code)receive, 0, NULL),
                 mock_vec(&job, 1));
}

/* What the platform has for types of a file. */
static void names(void)
{
    for (size_t i = 0; i < mock_fn_count(); i++)
        if (strncmp(mock_fn(i)->name, "spawn-", 6) == 0)
            printf("%s %s\n", mock_fn(i)->name, mock_fn(i)->type);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } programs[] = {{"well", well},
                    {"made-up", made_up},
                    {"other-kind", other_kind},
                    {"negative", negative},
                    {"too-many", too_many},
                    {"main-waits", main_waits},
                    {"all-wait", all_wait},
                    {"running", running},
                    {"panics", panics},
                    {"traps", traps},
                    {"half-copied", half_copied},
                    {"names", names}};

    CHECK(argc > 2);
    (argc > 3 ? mock_load_v2 : mock_load)(argv[1]);
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (strcmp(programs[i].name, argv[2]) == 0) {
            programs[i].run();
            return 0;
        }
    return 2;
}
