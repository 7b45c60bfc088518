#!/usr/bin/env bash
# The platform for hosts that have a Brolga: who may load it, and what then.
#
#   test_host.sh DIRECTORY-OF-PROGRAMS DLL
set -euo pipefail

programs=$1 dll=$2
. "$(dirname "$0")/expect.sh"

# expect STATUS TEXT PROGRAM [ARGUMENT...]: how it ends. '' is silence.
expect() {
    expect_end "$1" "$2" "${*:3}" "$programs/platforms_$3" "$dll" "${@:4}"
}

expect 0 '' host shared
expect 0 '' host shared v2
expect 1 'the thread that calls is no task of the host.s Brolga' \
    host unattached
expect 0 'the program ends while 1 task runs' host good-bye v2
expect 0 'built for [0-9]*: build both from one version' drift
# A host without a Brolga hears of it at once, also if it is a function that it
# lacks, which others look up when it is called.
expect 134 'undefined symbol: brolga_' ends well
if ! grep -q 'FLAGS.*NOW' <<<"$(readelf -d "$dll")"; then
    echo "functions are not looked up when it is loaded"
    failed=$((failed + 1))
fi

[ "$failed" = 0 ] || { echo "$failed failed"; exit 1; }
