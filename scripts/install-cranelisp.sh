#!/usr/bin/env bash
# Puts the tasks platform where Cranelisp looks for it, or takes it away again.
#
#   scripts/install-cranelisp.sh              install
#   scripts/install-cranelisp.sh --uninstall  remove what an install put there
#
#   TASKS           the platform (default: build/release/platforms/tasks.so)
#   CRANELISP_HOME  the host's folder of the user (default: $HOME/.cranelisp)
#   CRANELISP_LIB   the host's library folder, the one with prelude.cl
#   CRANELISP       the host's command, by which that folder is found else
#   DESTDIR         goes before every path that is written, for packages
#
# The host takes platforms from ~/.cranelisp/platforms, but modules only from
# the program's own folder and from its library folder. So concurrency.cl goes
# to both: there, where programs find it with nothing more said, if that folder
# is known, and always to ~/.cranelisp/lib, to be copied beside a program.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
: "${TASKS:=$top/build/release/platforms/tasks.so}"
: "${CRANELISP_HOME:=$HOME/.cranelisp}" "${DESTDIR:=}"
module=$top/platforms/tasks/concurrency.cl

# The library folder of the host, or nothing. A host that was built from
# source has it in its tree, two folders above the command.
library() {
    local host

    if [ -n "${CRANELISP_LIB-}" ]; then
        echo "$CRANELISP_LIB"
        return
    fi
    host=$(readlink -f "$(command -v "${CRANELISP:-cranelisp}" || true)")
    host=${host%/target/*/*}/lib
    if [ -e "$host/prelude.cl" ]; then
        echo "$host"
    fi
}

# Prints 'file <tab> its place', a line each.
places() {
    printf '%s\t%s\n' "$TASKS" "$CRANELISP_HOME/platforms/tasks.so" \
        "$module" "$CRANELISP_HOME/lib/concurrency.cl"
    if [ -n "$lib" ]; then
        printf '%s\t%s\n' "$module" "$lib/concurrency.cl"
    fi
}

lib=$(library)
case ${1-} in
    '')
        places | while IFS=$'\t' read -r from to; do
            install -D -m 644 "$from" "$DESTDIR$to"
            echo "installed $DESTDIR$to"
        done
        if [ -z "$lib" ]; then
            echo "The host was not found: set CRANELISP=/path/to/cranelisp and" \
                "install again, or copy $CRANELISP_HOME/lib/concurrency.cl" \
                "into the folder of each program."
        fi
        ;;
    --uninstall)
        places | while IFS=$'\t' read -r _ to; do
            rm -f "$DESTDIR$to"
            echo "removed $DESTDIR$to"
        done
        ;;
    *)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac
