#!/usr/bin/env bash
# Breaks the protocols of reloading on purpose, one step at a time, and sees
# that a test notices.
#
#   tests/mutations/run.sh [NAME...]    e.g. tests/mutations/run.sh pin_counts_nothing
#
# Each NAME.sed beside this script is an edit of one file; its head says what is
# broken by it, and which tests are to notice: one of them must fail, crash or
# hang. It is applied to a copy of the tree, which is built for each, as far as
# those tests need it. The last line is 'N passed, N failed'.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
patience=${MUTATION_SECONDS:-60} # Who takes longer hangs.
seconds=3                        # That a race test gets.

# field NAME KEY
field() {
    sed -n "s/^# $2: //p" "$here/$1.sed"
}

# What a test is: a race test wants to be told for how long.
run_test() {
    local arguments=()

    case $1 in race_*) arguments=(--seconds "$seconds") ;; esac
    timeout "$patience" "$work/build/tests/$1" "${arguments[@]}" \
        >"$work/test.log" 2>&1
}

# Prints the test that notices; false if none does.
noticed_by() {
    local test

    for test in "$@"; do
        if ! run_test "$test"; then
            echo "$test"
            return 0
        fi
    done
    return 1
}

build() {
    ninja -C "$work/build" "$@" >"$work/build.log" 2>&1
}

# check NAME: one line; 0 if it was noticed
check() {
    local name=$1 file tests test verdict=failed how

    file=$(field "$name" file)
    read -ra tests <<<"$(field "$name" tests)"
    cp "$work/tree/$file" "$work/saved"
    sed -i -f "$here/$name.sed" "$work/tree/$file"
    if cmp -s "$work/saved" "$work/tree/$file"; then
        how="the edit changes nothing: the code has moved on"
    elif ! build "${tests[@]}"; then
        how="it does not build: $(grep -m1 'error:' "$work/build.log")"
    elif test=$(noticed_by "${tests[@]}"); then
        verdict=passed how="noticed by $test"
    else
        how="nobody notices"
    fi
    cp "$work/saved" "$work/tree/$file"
    printf '%s  %-36s %s\n' "$verdict" "$name" "$how"
    [ "$verdict" = passed ]
}

main() {
    local name names=() passed=0 failed=0

    work=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    mkdir "$work/tree"
    tar -C "$root" --exclude=./build --exclude=./.git -cf - . |
        tar -C "$work/tree" -xf -
    cmake -S "$work/tree" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
        -DBROLGA_DEBUG=ON -DBROLGA_BENCH=OFF -DBROLGA_RELOAD=OFF \
        -DBROLGA_IO=OFF >/dev/null
    if [ $# -gt 0 ]; then
        names=("$@")
    else
        for name in "$here"/*.sed; do names+=("$(basename "$name" .sed)"); done
    fi
    for name in "${names[@]}"; do
        if check "$name"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
        fi
    done
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

main "$@"
