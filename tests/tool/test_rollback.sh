#!/usr/bin/env bash
# Goal: a reload is taken back on a key, from outside, and because tasks fail;
# callers that stay behind are named; nobody else gets in.
# Method: the counter demo, signals as a terminal sends them, and `brolga ctl`.
. "$(dirname "$0")/lib.sh"
unset XDG_RUNTIME_DIR

# The last line of the output is of this many digits or more.
digits() { wait_for out "^[0-9]{$1,}\$"; }

copy_demo counter
start counter
wait_for out '^2$'
dir=$TMPDIR/brolga-$(id -u)
[ "$(stat -c %a "$dir")" = 700 ] || fail "others can look into $dir"
[ "$(stat -c %a "$dir/brolga-$pid.ctl")" = 600 ] || fail "the socket is open"

edit counter/step.c 's/number \+ 1/number + 1000000/'
wait_for err '^v3 +step '
digits 7

# Ctrl-\.
kill -QUIT "$pid"
wait_for err '^back to v2, as v4$'
wait_for err '^v4 +step \(restored\) .*commit'
wait_for err 'step is locked until it is saved again'

# From outside.
"$brolga" ctl status >answer || fail "no status"
has answer '^v4, can go back to v1$'
has answer '^step +v2 .*locked'
"$brolga" ctl --pid "$pid" rollback 3 >answer || fail "not taken back"
has answer '^v5$'
wait_for err '^back to v3, as v5$'
"$brolga" ctl rollback >answer || fail "not taken back"
wait_for err '^back to v2, as v6$'
if "$brolga" ctl rollback 2>answer; then fail "taken back to nothing"; fi
has answer '^brolga: there is no reload to take back$'
if "$brolga" ctl rollback 99 2>answer; then fail "taken back to v99"; fi
has answer 'version 99 cannot be restored: the current one is 6'
if "$brolga" ctl rollback x 2>answer; then fail "taken back to x"; fi
has answer "'x' is no version"
if "$brolga" ctl dance 2>answer; then fail "it danced"; fi
has answer "no command 'dance'"

# Somebody who says nothing holds nobody up for long.
if command -v python3 >/dev/null; then
    python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)' \
        "$dir/brolga-$pid.ctl" 2>/dev/null
    "$brolga" ctl status >answer || fail "no status any more"
fi
edit counter/step.c 's/number \+ 1000000/number + 3/'
wait_for err '^v7 +step '
stop INT 130
clean_tmp
call 3 ctl status
has err 'no program of yours runs'
call 2 ctl
call 2 run --rollback-if=x counter
has err 'wants a share of tasks'

# Tasks that fail: each task asks the module whether it shall.
mkdir fails
module fails/shall.c <<'END'
BROLGA_MODULE(shall);
BROLGA_EXPORT(int, fail, (void))
{
    return 0;
}
END
module fails/main.c <<'END'
#include <stdio.h>
BROLGA_MODULE(main);
BROLGA_IMPORT(shall, int, fail, (void), ());
static brolga_word work(void *arg)
{
    (void)arg;
    if (fail())
        brolga_panic("told to");
    return 0;
}
BROLGA_MAIN(argc, argv)
{
    brolga_task *task;

    (void)argc;
    (void)argv;
    while (brolga_sleep_until(brolga_after_ns(20 * BROLGA_MS)) == BROLGA_OK) {
        if (brolga_spawn(brolga_runtime(), work, NULL, NULL, &task) ==
            BROLGA_OK)
            puts(brolga_join(task, BROLGA_FOREVER, NULL, NULL) == BROLGA_OK
                     ? "good" : "bad");
        fflush(stdout);
    }
    return 0;
}
END
start --rollback-if=50%:60s --json=events --no-ctl fails
wait_for out '^good$'
[ ! -e "$dir" ] || fail "--no-ctl listens"
edit fails/shall.c 's/return 0/return 1/'
wait_for out '^bad$'
wait_for err '^back to v2, as v4: [0-9]+ of [0-9]+ tasks have failed'
wait_for events '"event":"rolled-back".*"restored":2'
has events '"why":"restored"'
lines=$(wc -l <out)
deadline=$((SECONDS + seconds))
until tail -n +$((lines + 1)) out | grep -q good; do
    [ $SECONDS -lt $deadline ] || fail "tasks go on failing"
    sleep 0.02
done
stop INT 130
clean_tmp

# Callers that stay behind.
rm -rf counter
copy_demo counter
start --allow-stale counter
wait_for out '^2$'
edit counter/step.c 's/long/int/g'
wait_for err 'main\.c:[0-9]+: goes on calling the old .step\.step'
"$brolga" ctl status >answer || fail "no status"
has answer 'main still calls step\.step as long \(long\), gone since v3'
edit counter/step.c 's/int/long/g'
wait_for err 'calls no old code any more'
stop INT 130
clean_tmp
