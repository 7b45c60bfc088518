#!/usr/bin/env bash
# Goal: when no task of the program can ever run again, that is told once, with
# who waits for what, to people and to programs; the program stays as it is, can
# be reloaded, and ends as always. Where a thread of the program's own may act,
# and after the end of main, nothing is told.
# Method: a program that does each, by its argument.
. "$(dirname "$0")/lib.sh"

mkdir program
module program/main.c <<'END'
#include <brolga/chan.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
BROLGA_MODULE(main);

static brolga_chan *left, *right;

static brolga_word ping(void *arg)
{
    brolga_word word;

    (void)arg;
    return brolga_recv_word(left, &word, BROLGA_FOREVER);
}

/* Sends long after all have come to rest. */
static void *send_later(void *arg)
{
    static const struct timespec pause = {.tv_nsec = 300000000};
    brolga_word word = 7;

    (void)arg;
    nanosleep(&pause, NULL);
    (void)brolga_try_send(right, &word);
    return NULL;
}

static int open_channel(const char *name, brolga_chan **out)
{
    struct brolga_chan_opts opts = {.name = name, .capacity = 1};

    return brolga_chan_create(NULL, &opts, out);
}

BROLGA_MAIN(argc, argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct brolga_spawn_opts opts = {.name = "ping"};
    brolga_word word = 1;
    pthread_t thread;

    if (open_channel("left", &left) != BROLGA_OK ||
        open_channel("right", &right) != BROLGA_OK ||
        brolga_spawn(brolga_runtime(), ping, NULL, &opts, NULL) != BROLGA_OK)
        return 1;
    if (strcmp(what, "leave") == 0)
        return 5;
    if (strcmp(what, "thread") == 0 &&
        pthread_create(&thread, NULL, send_later, NULL) != 0)
        return 1;
    puts("up");
    fflush(stdout);
    if (brolga_recv_word(right, &word, BROLGA_FOREVER) != BROLGA_OK)
        return 6;
    return (int)word;
}
END

# --- not told -------------------------------------------------------------------
call 7 run program -- thread
lacks err deadlock
call 5 run program -- leave
lacks err deadlock

# --- told -----------------------------------------------------------------------
# ThreadSanitizer has a thread of its own, which nobody accounts for.
case $sanitize in
    *thread*)
        clean_tmp
        exit 0
        ;;
esac
start program
wait_for err '^deadlock: none of 2 tasks can ever run again$'
wait_for err "^  task [0-9]+ 'main' in scope 0 waits in recv on channel 'right'"
wait_for err "^  task [0-9]+ 'ping' in scope 0 waits in recv on channel 'left'"
for version in 3 4; do
    edit program/main.c "s/puts\(\".*\"\)/puts(\"v$version\")/"
    wait_for err "^v$version +main .* adopted by 2 tasks"
done
[ "$(grep -c deadlock err)" -eq 1 ] || fail "it is not told once"
stop INT 130
has err '^brolga: asked to stop; main has ended$'

start --json program
wait_for err '"event":"deadlock","time_ns":[0-9]+,"text":"deadlock: none of 2 tasks'
has err "waits in recv on channel 'right'"
stop TERM 143
clean_tmp
