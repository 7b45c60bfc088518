/*
 * The smallest reloadable program: it prints a number five times a second and
 * asks another module for the next one.
 *
 * `main` runs until it is stopped, so an edit of this file waits for the next
 * start. An edit of step.c is seen by the very next call of step().
 */
#include <brolga/module.h>

#include <stdio.h>

BROLGA_MODULE(main, .policy = BROLGA_RECLAIM);
BROLGA_IMPORT(step, long, step, (long number), (number));

BROLGA_MAIN(argc, argv)
{
    long number = 0;

    do {
        printf("%ld\n", number);
        fflush(stdout);
        number = step(number);
        /* Sleeping is a safepoint: new code is adopted in here, and a request
         * to stop ends it with BROLGA_ECANCELED. */
    } while (brolga_sleep_until(brolga_after_ns(200 * BROLGA_MS)) == BROLGA_OK);
    return 0;
}
