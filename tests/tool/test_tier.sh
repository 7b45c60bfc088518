#!/usr/bin/env bash
# Goal: with --tier a save runs soon, and optimised as the next version, and one
# line says so; a save set is one reload.
# Method: the counter, whose steps say by which tier they were built; a compiler
# for the first tier that leaves its mark.
. "$(dirname "$0")/lib.sh"

copy_demo counter
mkdir bin
cat >bin/fast <<'END'
#!/bin/sh
echo fast >>"$(dirname "$0")/log"
exec cc "$@" -O0 -DFAST
END
chmod +x bin/fast

edits() { # OPTION
    start "$1" --json=events counter
    wait_for err '^brolga: 2 modules'
    wait_for err '^v3 +main \(optimised\), step \(optimised\) +build'
    edit counter/step.c 's/number \+ 1/number + 1000/'
    wait_for err '^v4 +step +build'
    wait_for err '^v5 +step \(optimised\) +build'
    # Two files together: one reload, in two tiers.
    sed -E 's/number \+ 1000/number + 20/' counter/step.c >a
    { cat counter/main.c; echo '/* changed */'; } >b
    mv a counter/step.c && mv b counter/main.c
    wait_for err '^v6 +main, step +build'
    wait_for err '^v7 +main \(optimised\), step \(optimised\) +build'
    "$brolga" ctl --pid "$pid" rollback >answer || fail "no rollback"
    has answer '^v8$'
    wait_for err '^back to v5, as v8$'
    "$brolga" ctl --pid "$pid" rollback >answer || fail "no rollback"
    wait_for err '^back to v3, as v9$'
    stop INT 130
    has events '"event":"reloaded","time_ns":[0-9]+,"version":5,.*"why":"optimised"'
    [ "$(grep -c '"event":"reloaded"' events)" -eq 6 ] ||
        fail "not six reloads: $(grep '"event":"reloaded"' events)"
}

edits --tier
rm -r counter events
copy_demo counter
edits "--tier=$work/bin/fast"
has bin/log fast

# What cannot be optimised is told, and runs on.
start --tier --json=events counter
wait_for err '^v3 +main \(optimised\)'
printf '#ifdef __OPTIMIZE__\n#error not so fast\n#endif\n' >>counter/step.c
wait_for err '^v4 +step +build'
wait_for err 'error: #error not so fast'
wait_for err 'step\.c: cannot be optimised, and runs on'
has events '"event":"not-optimised",.*"module":"step".*"output":"'
lacks err locked
stop INT 130
clean_tmp
