# What the tests of the command have in common. Each test is called with
#     COMMAND  PROJECT  [SANITIZERS]
# the path of `brolga`, the project's directory, and with which sanitizers it
# has been built. It works in a directory of
# its own and ends every process that it has started.
#
# Nothing here waits for a fixed time: the output is polled until it shows what
# is waited for, or a deadline has passed and the test fails.

set -u
brolga=$1
project=$2
sanitize=${3:-}
seconds=${BROLGA_TEST_SECONDS:-30}
pid=
work=$(mktemp -d "${TMPDIR:-/tmp}/brolga-tool.XXXXXX") || exit 1
cd "$work" || exit 1
unset NO_COLOR
mkdir tmp && export TMPDIR=$work/tmp

clean_up() {
    if [ -n "$pid" ]; then
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    fi
    cd / && rm -rf "$work"
}
trap clean_up EXIT

# Says what was expected, shows what there was, and ends the test.
fail() {
    echo "FAILED: $*" >&2
    for file in out err; do
        if [ -f "$file" ]; then
            echo "--- the end of $file:" >&2
            tail -n 30 "$file" >&2
        fi
    done
    exit 1
}

# start ARGUMENTS...: runs the command in the background. Job control is on for
# a moment, because without it background processes ignore SIGINT.
start() {
    : >out
    : >err
    set -m
    "$brolga" run --color=never "$@" >out 2>err &
    pid=$!
    set +m
}

# finish STATUS: waits for the end, by itself, of what start() has started.
finish() {
    local deadline=$((SECONDS + seconds)) status
    while kill -0 "$pid" 2>/dev/null; do
        [ $SECONDS -lt $deadline ] || fail "the command did not end"
        sleep 0.02
    done
    wait "$pid"
    status=$?
    pid=
    [ $status -eq "$1" ] || fail "exit status $status, not $1"
}

# stop SIGNAL STATUS
stop() {
    kill "-$1" "$pid" || fail "the command has ended already"
    finish "$2"
}

# call STATUS ARGUMENTS...: runs the command in the foreground.
call() {
    local want=$1 status
    shift
    "$brolga" "$@" >out 2>err </dev/null
    status=$?
    [ $status -eq "$want" ] || fail "brolga $*: exit status $status, not $want"
}

# wait_for FILE PATTERN: until a line matches the extended pattern.
wait_for() {
    local deadline=$((SECONDS + seconds))
    until grep -Eq -- "$2" "$1"; do
        [ $SECONDS -lt $deadline ] || fail "no line of $1 matches: $2"
        kill -0 "$pid" 2>/dev/null || grep -Eq -- "$2" "$1" ||
            fail "the command ended before a line of $1 matched: $2"
        sleep 0.02
    done
}

# has FILE PATTERN / lacks FILE PATTERN
has() {
    grep -Eq -- "$2" "$1" || fail "no line of $1 matches: $2"
}
lacks() {
    ! grep -Eq -- "$2" "$1" || fail "a line of $1 matches: $2"
}

# clean_tmp: the command must have left nothing behind.
clean_tmp() {
    [ -z "$(ls -A "$TMPDIR")" ] || fail "left in TMPDIR: $(ls -A "$TMPDIR")"
}

# edit FILE SCRIPT: saves the edited file under the same name, as vim does: a
# new file takes the place of the old one.
edit() {
    sed -E "$2" "$1" >"$1.new~" || fail "sed $2"
    ! cmp -s "$1" "$1.new~" || fail "the edit of $1 changes nothing: $2"
    mv "$1.new~" "$1"
}

# edit_in_place FILE SCRIPT: writes into the file itself, as other editors do.
edit_in_place() {
    local content
    content=$(sed -E "$2" "$1")
    printf '%s\n' "$content" >"$1"
}

# copy_demo NAME: a copy to be edited, in ./NAME.
copy_demo() {
    mkdir "$1" && cp "$project/demos/$1"/*.[ch] "$1" || fail "no demo $1"
}

# module FILE < TEXT: a source file with the include in front.
module() {
    { echo '#include <brolga/module.h>'; cat; } >"$1"
}
