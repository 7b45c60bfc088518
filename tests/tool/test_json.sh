#!/usr/bin/env bash
# Goal: --json tells every event as one JSON object a line, whatever a compiler
# prints, on standard error or in a file.
# Method: a program is edited well, badly and well again; python reads the
# lines where it is there, grep looks at them anyway.
. "$(dirname "$0")/lib.sh"

check_lines() {
    [ -s "$1" ] || fail "$1 is empty"
    if command -v python3 >/dev/null && python3 -c '' 2>/dev/null; then
        python3 - "$1" <<'END' || fail "$1 is not JSON lines"
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    event = json.loads(line)
    assert isinstance(event["event"], str), line
    assert isinstance(event["time_ns"], int), line
END
    fi
    ! grep -Ev '^\{"event":"[a-z-]+","time_ns":[0-9]+.*\}$' "$1" ||
        fail "a line of $1 is no event"
}

edit_and_stop() { # EVENTS
    wait_for "$1" '"event":"started",.*"modules":2,"workers":[0-9]+'
    wait_for out '^1$'
    # Bytes that are no UTF-8, quotes and tabs, in what the compiler prints.
    printf '#error "\303\050 \\t\t\303\244 \001"\n' >>counter/step.c
    wait_for "$1" '"event":"build-failed",.*"file":"[^"]*step\.c".*"output":"'
    wait_for "$1" '"event":"locked",.*"module":"step"'
    edit counter/step.c '/^#error/d; s/number \+ 1/number + 1000/'
    wait_for "$1" '"event":"reloaded",.*"version":[0-9]+,.*"name":"step",.*"why":"changed".*"build_ns":[0-9]+,"commit_ns":[0-9]+,"saved_ns":[0-9]+'
    wait_for "$1" '"event":"adopted",.*"version":[0-9]+,"tasks":[0-9]+,"after_ns":[0-9]+'
    # Files that are saved together are one reload.
    both_saved "$1"
    edit counter/step.c 's/long/int/g'
    wait_for "$1" '"event":"refused",.*"file":"[^"]*step\.c".*"refusal":"importers"'
    stop INT 130
    has "$1" '"event":"ended",.*"reason":"signal","status":130'
    check_lines "$1"
}

both_saved() { # EVENTS
    local before after deadline=$((SECONDS + seconds))
    before=$(grep -c '"event":"reloaded"' "$1")
    sed -E 's/\+ 1000/+ 2000/' counter/step.c >a
    { cat counter/main.c; echo '/* changed */'; } >b
    mv a counter/step.c && mv b counter/main.c
    wait_for "$1" '"event":"reloaded",.*"name":"main",[^}]*"changed"},{"name":"step"'
    edit counter/step.c 's/2000/3000/'
    until [ "$(grep -c '"event":"reloaded"' "$1")" -ge $((before + 2)) ]; do
        [ $SECONDS -lt $deadline ] || fail "the next save makes no reload"
        sleep 0.02
    done
    after=$(grep -c '"event":"reloaded"' "$1")
    [ "$after" -eq $((before + 2)) ] || fail "two files made two reloads"
}

copy_demo counter
start --json counter
edit_and_stop err
lacks out event

rm -r counter
copy_demo counter
: >events
start --json=events counter
edit_and_stop events
has err '^brolga: 2 modules'
has err 'step\.c:[0-9]+:[0-9]+: error: '

call 3 run --json=/nowhere/events counter
has err 'cannot write /nowhere/events'
