/* The runner of the Criterion stand-in: see criterion.h beside it. */
#include "criterion.h"

static struct stand_in_test *first;
static struct stand_in_test **last = &first;
static const struct stand_in_test *running;

void stand_in_register(struct stand_in_test *test)
{
    *last = test;
    last = &test->next;
}

void stand_in_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "\n%s:%d: %s/%s: failed: %s\n", file, line, running->suite,
            running->name, what);
    exit(1);
}

int main(void)
{
    unsigned passed = 0, skipped = 0;

    for (const struct stand_in_test *t = first; t != NULL; t = t->next) {
        if (t->disabled) {
            skipped++;
            continue;
        }
        running = t;
        alarm((unsigned)(t->timeout * 10)); /* Sanitizers and qemu are slow. */
        if (t->init != NULL)
            t->init();
        t->run();
        if (t->fini != NULL)
            t->fini();
        alarm(0);
        passed++;
    }
    printf("%u passed, 0 failed, %u skipped\n", passed, skipped);
    return passed > 0 ? 0 : 1;
}
