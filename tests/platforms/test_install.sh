#!/usr/bin/env bash
# What scripts/install-cranelisp.sh puts where, takes away again, and refuses.
#
#   test_install.sh DLL
set -euo pipefail

script=$(cd "$(dirname "$0")/../.." && pwd)/scripts/install-cranelisp.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# A host as it is built from its source tree, without anything in it.
tree=$folder/tree
mkdir -p "$tree/target/release" "$tree/lib"
touch "$tree/lib/prelude.cl"
install -m 755 /dev/null "$tree/target/release/cranelisp"

# expect STATUS TEXT [NAME=VALUE...] [-- ARGUMENT]: how the script ends, and
# what it says.
expect() {
    local wanted=$1 text=$2 status=0 settings=()

    shift 2
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        settings+=("$1")
        shift
    done
    env -u CRANELISP -u CRANELISP_LIB -u DESTDIR PATH=/usr/bin:/bin \
        HOME="$folder/home" TASKS="$dll" "${settings[@]}" \
        "$script" "${@:2}" >"$folder/out" 2>&1 || status=$?
    [ "$status" = "$wanted" ] && grep -q -- "$text" "$folder/out" && return
    echo "${settings[*]} ${*:2}: ends with $status, and does not say: $text"
    cat "$folder/out"
    failed=$((failed + 1))
}

# files TEXT...: what there is, besides the host itself.
files() {
    local found

    found=$(cd "$folder" && find . -type f -name '*.so' -o \
        -type f -name concurrency.cl | sort | xargs)
    [ "$found" = "$*" ] && return
    echo "there are: $found, not: $*"
    failed=$((failed + 1))
}

dll=$(readlink -f "$1")
host=CRANELISP=$tree/target/release/cranelisp
expect 0 'The host was not found'
files ./home/.cranelisp/lib/concurrency.cl ./home/.cranelisp/platforms/tasks.so
expect 0 "removed .*tasks.so" -- --uninstall
files
expect 0 "installed $tree/lib/concurrency.cl" "$host"
files ./home/.cranelisp/lib/concurrency.cl \
    ./home/.cranelisp/platforms/tasks.so ./tree/lib/concurrency.cl
expect 0 "removed $tree/lib/concurrency.cl" "$host" -- --uninstall
files
expect 0 'installed' DESTDIR="$folder/dest" CRANELISP_HOME=/opt/cl
files ./dest/opt/cl/lib/concurrency.cl ./dest/opt/cl/platforms/tasks.so
rm -r "$folder/dest"
expect 1 'there is no library of CRANELISP=/missing' CRANELISP=/missing
expect 1 'no prelude.cl in CRANELISP_LIB=/' CRANELISP_LIB=/
expect 1 'there is no /missing' TASKS=/missing
expect 1 'Puts the tasks platform' -- --mistaken
expect 0 'Puts the tasks platform' -- --help
files

[ "$failed" = 0 ] || { echo "$failed failed"; exit 1; }
