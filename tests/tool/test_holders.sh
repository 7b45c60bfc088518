#!/usr/bin/env bash
# Goal: old code that can go goes, and what keeps the rest is named.
# Method: with --reclaim, one module is left by its task at every message, and
# the other one stands on its task's stack until it is told to leave.
. "$(dirname "$0")/lib.sh"

mkdir program
module program/main.c <<'END'
#include <stdio.h>
#include <unistd.h>
BROLGA_MODULE(main);
BROLGA_IMPORT(worker, int, work, (int n), (n));
BROLGA_IMPORT(waiter, brolga_word, waiting, (void *arg), (arg));

BROLGA_MAIN(argc, argv)
{
    struct brolga_spawn_opts opts = {.name = "patient"};
    brolga_task *task;

    if (brolga_spawn_slot(brolga_runtime(), BROLGA_SLOT(waiting), NULL, &opts,
                          &task) != BROLGA_OK)
        return 1;
    for (int n = 0; !brolga_canceled(); n++) {
        printf("%d\n", work(n));
        fflush(stdout);
        if (access("go", F_OK) == 0)
            brolga_cancel(task);
        (void)brolga_sleep_until(brolga_after_ns(20 * BROLGA_MS));
    }
    brolga_cancel(task);
    brolga_detach(task);
    return 0;
}
END
module program/worker.c <<'END'
BROLGA_MODULE(worker);
BROLGA_EXPORT(int, work, (int n))
{
    return n;
}
END
module program/waiter.c <<'END'
BROLGA_MODULE(waiter);
BROLGA_EXPORT(void, wait_here, (void))
{
    (void)brolga_sleep_until(BROLGA_FOREVER);
}
BROLGA_EXPORT(brolga_word, waiting, (void *arg))
{
    wait_here();
    return arg != 0;
}
END

start --reclaim --verbose program
wait_for out '^3$'
edit program/worker.c 's/return n;/return n + 1000000;/'
wait_for out '^[0-9]{7}$'
wait_for err '^v[0-9]+ +worker.* released after '
lacks err 'held'

echo '/* edited */' >>program/waiter.c
wait_for err "^v[0-9]+ +waiter.* held [0-9.]+ s by task [0-9]+ 'patient': a frame .*; parked in sleep\$"
lacks err 'waiter.* released after'
"$brolga" ctl --pid "$pid" stalls >stalls || fail "ctl stalls"
has stalls '^v[0-9]+ waiter, [0-9]+ bytes, old for [0-9.]+ s, held$'
has stalls "^    by task [0-9]+ 'patient': a frame of wait(_her|ing).* \\(waiter\\.c:[0-9]+\\) is on its stack, parked in sleep for "
"$brolga" ctl --pid "$pid" stalls json >stalls || fail "ctl stalls json"
has stalls '^\{"version":[0-9]+,"old":\[.*"unit":"waiter".*"reason":"frame","task":[0-9]+,"task_name":"patient"'
call 1 ctl --pid "$pid" stalls xml
has err "^brolga: .*stalls takes 'json', or nothing\$"
: >go
wait_for err '^v[0-9]+ +waiter.* released after '
stop INT 130
