#!/usr/bin/env bash
# What the platform asks of a system, and what it shows.
#
#   test_exports.sh DLL
set -euo pipefail

dll=$1
failed=0
shown=$(nm -D --defined-only "$dll")

# none TEXT LINES: there must be no such lines.
none() {
    [ -z "$2" ] && return
    printf '%s:\n%s\n' "$1" "$2"
    failed=1
}

none "needs libraries besides the C library" \
    "$(readelf -d "$dll" | grep NEEDED |
        grep -vE '\[(libc|libm|libpthread|libdl|ld-linux.*)\.so\.[0-9]+\]' || true)"
none "shows what is not of the host's world" \
    "$(awk '$3 !~ /^cranelisp_/' <<<"$shown")"
for symbol in cranelisp_platform_manifest cranelisp_platform_manifest_v2 \
    cranelisp_tasks_spawn_int cranelisp_tasks_send; do
    grep -q " T $symbol$" <<<"$shown" ||
        none "does not show" "$symbol"
done
grep -q NODELETE <<<"$(readelf -d "$dll")" || none "can be unloaded" "$dll"
exit "$failed"
