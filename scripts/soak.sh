#!/usr/bin/env bash
# The soaks of docs/proof.md, as long as they are meant to be: about 45 minutes.
# Builds what they need; asks nothing. Ends with the first that fails.
#
#   scripts/soak.sh [growth|modules|cap|rate|tsan|asan]...
set -euo pipefail

cd "$(dirname "$0")/.."
export TSAN_OPTIONS=suppressions=$PWD/.ci/tsan.supp
export LSAN_OPTIONS=suppressions=$PWD/.ci/lsan.supp:print_suppressions=0
[ $# -gt 0 ] || set -- growth modules cap rate tsan asan

# program PRESET NAME [ARGUMENTS...]
program() {
    local preset=$1 name=$2

    shift 2
    [ -e "build/$preset/build.ninja" ] || cmake --preset "$preset" >/dev/null
    cmake --build "build/$preset" --target "$name" >/dev/null
    uptime
    "build/$preset/tests/soak/$name" "$@"
}

for soak in "$@"; do
    echo "==== $soak"
    case $soak in
        growth) program release soak_growth --reloads 1000000 ;;
        modules) program release soak_modules --reloads 10000 ;;
        cap) program release soak_cap --saves 10000 ;;
        rate) program release soak_rate --rate 1000 --seconds 60 \
            --tasks 10000 --loss 15 ;;
        tsan) program tsan soak_rate --rate 100 --seconds 600 --tasks 1000 ;;
        asan) program asan-ubsan soak_rate --rate 100 --seconds 600 \
            --tasks 1000 ;;
        *) echo "there is no soak '$soak'" >&2 && exit 2 ;;
    esac
done
