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

fail() {
    echo "$0: $*" >&2
    exit 1
}

# Sets lib, the library folder of the host, to nothing if there is no host. A
# host that was built from source has it in its tree, two folders above the
# command. A command or folder that somebody has named must be there.
find_library() {
    local host

    lib=${CRANELISP_LIB-}
    if [ -z "$lib" ] && host=$(command -v "${CRANELISP:-cranelisp}"); then
        host=$(readlink -f "$host")
        lib=${host%/target/*/*}/lib
    fi
    [ -e "$lib/prelude.cl" ] && return
    [ -z "${CRANELISP_LIB-}" ] ||
        fail "there is no prelude.cl in CRANELISP_LIB=$lib"
    [ -z "${CRANELISP-}" ] ||
        fail "there is no library of CRANELISP=$CRANELISP:" \
            "it may be set by CRANELISP_LIB=/folder/of/prelude.cl"
    lib=
}

# Prints 'file <tab> its place', a line each.
places() {
    printf '%s\t%s\n' "$TASKS" "$CRANELISP_HOME/platforms/tasks.so" \
        "$module" "$CRANELISP_HOME/lib/concurrency.cl"
    if [ -n "$lib" ]; then
        printf '%s\t%s\n' "$module" "$lib/concurrency.cl"
    fi
}

install_all() {
    local from to

    [ -e "$TASKS" ] || fail "there is no $TASKS: 'make install-cranelisp' builds it"
    while IFS=$'\t' read -r from to; do
        install -D -m 644 "$from" "$DESTDIR$to"
        echo "installed $DESTDIR$to"
    done < <(places)
    [ -n "$lib" ] ||
        echo "The host was not found: set CRANELISP=/path/to/cranelisp and" \
            "install again, or copy $CRANELISP_HOME/lib/concurrency.cl" \
            "into the folder of each program."
}

uninstall_all() {
    local to

    while IFS=$'\t' read -r _ to; do
        [ -e "$DESTDIR$to" ] || continue
        rm "$DESTDIR$to"
        echo "removed $DESTDIR$to"
    done < <(places)
    [ -n "$lib" ] ||
        echo "The host was not found: if it was there at the install, set" \
            "CRANELISP=/path/to/cranelisp and uninstall again."
}

find_library
case ${1-} in
    '') install_all ;;
    --uninstall) uninstall_all ;;
    *)
        sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0"
        [ "$1" = --help ]
        ;;
esac
