#!/usr/bin/env bash
# Checks every model beside this script with spin, the right one and each of
# its broken variants.
#
#   tests/model/run.sh [NAME...]     e.g. tests/model/run.sh reload park
#
# A model must pass as it stands. For each line `break: NAME` in it the
# variant with -DNAME must be found faulty: a model that cannot fail proves
# nothing. The last line is 'N passed, N failed'.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
jobs=$(nproc)
# Of the search: bytes of memory at most (MiB), depth at most, and what a
# search may take before it counts as a failure (seconds).
memory=2000
depth=2000000
limit=300

# The breaks that a model lists.
breaks() {
    sed -n 's/^.*break: *\([A-Z][A-Z0-9_]*\).*$/\1/p' "$1"
}

# verify MODEL FOLDER [-DNAME]: 0 fault-free, 1 faulty, 2 not decided
verify() {
    local model=$1 folder=$2

    shift 2
    mkdir -p "$folder"
    cd "$folder"
    spin -a "$@" "$model" >spin.log 2>&1 || return 2
    # Safety only: assertions and invalid end states. A fault is found soon, so
    # that to compile well for it would take longer than to search.
    gcc $([ $# -eq 0 ] && echo -O2 || echo -O0) -w -DSAFETY -DCOLLAPSE -DMEMLIM=$memory -o pan pan.c \
        >gcc.log 2>&1 || return 2
    timeout $limit ./pan -m$depth >pan.log 2>&1 || return 2
    if grep -q 'errors: 0' pan.log; then
        # A search that was cut short shows nothing.
        grep -Eq 'max search depth too small|out of memory|Search not comp' \
            pan.log && return 2
        return 0
    fi
    grep -Eq 'errors: [1-9]' pan.log && return 1
    return 2
}

# check MODEL NAME FOLDER: writes one line and 'passed' or 'failed'
check() {
    local model=$1 name=$2 folder=$3 begin status=0 flags=() want=0 verdict
    local title

    title=$(basename "$model" .pml)
    if [ -n "$name" ]; then
        flags=(-D"$name")
        want=1
    fi
    begin=$(date +%s%N)
    ( verify "$model" "$folder" "${flags[@]}" ) || status=$?
    verdict=$([ "$status" -eq "$want" ] && echo passed || echo failed)
    {
        printf '%s  %-7s %-22s %-18s %9s states %6d ms\n' "$verdict" \
            "$title" "${name:-(as it is)}" "$(outcome "$status" "$folder")" \
            "$(states "$folder")" $((($(date +%s%N) - begin) / 1000000))
        if [ "$verdict" = failed ]; then
            tail -n 5 "$folder"/*.log | sed 's/^/    /'
        fi
    } >"$folder/line"
    echo "$verdict" >"$folder/verdict"
    cat "$folder/line"
}

outcome() {
    case $1 in
        0) echo "no fault" ;;
        1) fault "$2" ;;
        *) echo "not decided" ;;
    esac
}

# What spin found, from its first line on it: pan:1: assertion violated ...
fault() {
    sed -n 's/^pan:1: \(assertion violated\|invalid end state\).*/\1/p' \
        "$1/pan.log" | grep . || echo "another fault"
}

states() {
    awk '/ states, stored/ { printf "%d", $1; exit }' "$1/pan.log" 2>/dev/null
}

main() {
    local work model name models=() running=0

    work=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    if [ $# -gt 0 ]; then
        for name in "$@"; do models+=("$here/$name.pml"); done
    else
        models=("$here"/*.pml)
    fi
    for model in "${models[@]}"; do
        while read -r name; do
            [ "$running" -lt "$jobs" ] || { wait -n; running=$((running - 1)); }
            check "$model" "$name" \
                "$work/$(basename "$model" .pml)-${name:-right}" &
            running=$((running + 1))
        done < <(echo; breaks "$model")
    done
    wait
    close "$work"
}

close() {
    local passed failed

    passed=$(cat "$1"/*/verdict | grep -c passed || true)
    failed=$(cat "$1"/*/verdict | grep -c failed || true)
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

main "$@"
