#!/usr/bin/env bash
# Runs the example programs with a real Cranelisp, and compares what each
# prints with the .out file beside it.
#
#   CRANELISP=/path/to/cranelisp tests/platforms/run-examples.sh [NAME...]
#
#   CRANELISP      the host's command; without it nothing is run (status 77)
#   CRANELISP_LIB  its library folder, the one with prelude.cl
#                  (default: lib/ of the source tree the command was built in)
#   STDIO          its stdio platform (default: beside the command)
#   TASKS          our platform (default: build/release/platforms/tasks.so)
#   REPEAT         how often each program is run (default: 1)
#   PRELOAD        libraries that are loaded first, such as libasan.so
#
# Each run has a fresh folder, as a program has that nobody ran before: the
# host's cache of compiled modules does not load again on x86-64 Linux.
# The last line is 'N passed, N failed'.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
examples=$top/platforms/tasks/examples
: "${TASKS:=$top/build/release/platforms/tasks.so}" "${REPEAT:=1}"

if [ -z "${CRANELISP-}" ]; then
    echo "skipped: set CRANELISP to the host's command to run the examples"
    exit 77
fi
host=$(readlink -f "$CRANELISP")
: "${CRANELISP_LIB:=$(dirname "$host")/../../lib}"
: "${STDIO:=$(dirname "$host")/libcranelisp_stdio.so}"
for need in "$host" "$CRANELISP_LIB/prelude.cl" "$STDIO" "$TASKS"; do
    [ -e "$need" ] && continue
    echo "$0: no $need: is Cranelisp built by 'cargo build --release" \
        "--workspace'? CRANELISP_LIB, STDIO and TASKS may name other places" >&2
    exit 2
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# prepare NAME: a project as a user would have it, with that program alone.
prepare() {
    rm -rf "$folder/run"
    mkdir -p "$folder/run/platforms"
    cp -r "$CRANELISP_LIB" "$folder/run/lib"
    rm -rf "$folder/run/lib/.cranelisp-cache"
    cp "$STDIO" "$folder/run/platforms/stdio.so"
    cp "$TASKS" "$folder/run/platforms/tasks.so"
    cp "$top/platforms/tasks/concurrency.cl" "$examples/$1.cl" "$folder/run"
    # Types of a program are in it, and nowhere else.
    if grep -q '^(deftype' "$examples/$1.cl"; then
        ln -s "../$1.cl" "$folder/run/platforms/tasks.types"
    fi
}

# run NAME: whether it ends well and prints what it should.
run() {
    local status=0

    prepare "$1"
    ( cd "$folder/run" && unset CRANELISP_LIB &&
        LD_PRELOAD=${PRELOAD-} timeout "${LIMIT:-60}" "$host" --run "$1.cl" \
            >out 2>err </dev/null ) || status=$?
    [ "$status" = 0 ] && cmp -s "$examples/$1.out" "$folder/run/out" && return
    echo "FAILED  $1: status $status"
    diff "$examples/$1.out" "$folder/run/out" | head -n 20 || true
    tail -n 20 "$folder/run/err"
    return 1
}

if [ $# = 0 ]; then
    for file in "$examples"/*.cl; do
        set -- "$@" "$(basename "$file" .cl)"
    done
fi
passed=0
failed=0
for name in "$@"; do
    for ((i = 0; i < REPEAT; i++)); do
        if run "$name"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
        fi
    done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
