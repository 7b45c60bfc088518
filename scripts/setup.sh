#!/usr/bin/env bash
# Sees to it that what Brolga needs to be built and tested is there.
#
#   scripts/setup.sh GROUP...     groups: build test model rust cranelift
#                                 arm64 bench format peers
#   scripts/setup.sh --missing GROUP...     only print the packages to install
#
# The cargo of Debian 12 is too old for the group rust, that of Debian 13 is not,
# but for the group cranelift; https://rustup.rs has it for any system.
#
# Silent and quick when nothing is missing. Otherwise it says what is, and
# installs it with apt, through sudo if it is not root. Without apt it prints
# what to install and fails.
set -euo pipefail

# group, Debian package, and the probe that tells whether it is there. The
# probe decides, not the package: a tool from elsewhere is as good.
table() {
    cat <<'TABLE'
build   gcc                    command -v cc
build   libc6-dev              header stdlib.h
build   cmake                  command -v cmake
build   ninja-build            command -v ninja
build   pkg-config             command -v pkg-config
build   libuv1-dev             pkg-config --exists libuv
build   libdw-dev              pkg-config --exists libdw
build   libmimalloc-dev        header mimalloc.h
test    libcriterion-dev       pkg-config --exists criterion
model   spin                   command -v spin
rust    cargo                  cargo_from 85
cranelift cargo                cargo_from 88
arm64   gcc-aarch64-linux-gnu  command -v aarch64-linux-gnu-gcc
arm64   libc6-dev-arm64-cross  test -e /usr/aarch64-linux-gnu/include/stdlib.h
arm64   qemu-user              command -v qemu-aarch64
bench   liburcu-dev            header urcu-qsbr.h
format  clang-format           command -v clang-format
peers   golang-go              command -v go
peers   cargo                  command -v cargo
peers   g++                    command -v c++
peers   libtbb-dev             header_cxx tbb/task_group.h
peers   libboost-context-dev   header_cxx boost/context/fiber.hpp
peers   erlang-base            command -v erlc
TABLE
}

# Whether the C compiler finds a header.
header() {
    echo "#include <$1>" | cc -E -x c -
}

# Whether the C++ compiler does.
header_cxx() {
    echo "#include <$1>" | c++ -std=c++17 -E -x c++ -
}

# Whether there is cargo 1.N or newer, also where rustup puts it.
cargo_from() {
    local version

    version=$(PATH=$PATH:$HOME/.cargo/bin cargo --version) &&
        version=${version#cargo 1.} && [ "${version%%.*}" -ge "$1" ]
}

# Prints the packages of the groups in $* whose probe fails.
missing() {
    local group package probe

    while read -r group package probe; do
        case " $* " in
            *" $group "*) $probe >/dev/null 2>&1 || echo "$package" ;;
        esac
    done < <(table)
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "setup: not root, and there is no sudo; run as root: $*" >&2
        return 1
    fi
}

install() {
    export DEBIAN_FRONTEND=noninteractive
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y
               -o Dpkg::Use-Pty=0)

    # The package lists of a fresh machine are empty or too old.
    as_root "${apt[@]}" update >/dev/null || true
    as_root "${apt[@]}" install --no-install-recommends "$@" >/dev/null
}

main() {
    local groups=("$@") packages

    [ $# -gt 0 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 2; }
    if [ "$1" = --missing ]; then
        missing "${groups[@]:1}"
        return
    fi
    mapfile -t packages < <(missing "${groups[@]}")
    [ ${#packages[@]} -gt 0 ] || return 0

    echo "setup: missing: ${packages[*]}"
    if ! command -v apt-get >/dev/null; then
        echo "setup: there is no apt-get here; please install what these" \
             "Debian packages hold, then try again" >&2
        exit 1
    fi
    echo "setup: installing with apt-get ..."
    install "${packages[@]}"

    mapfile -t packages < <(missing "${groups[@]}")
    if [ ${#packages[@]} -gt 0 ]; then
        echo "setup: still missing after the installation: ${packages[*]}" >&2
        case " ${packages[*]} " in *" cargo "*)
            echo "setup: cargo 1.85 is needed, 1.88 for demos/cranelift:" \
                "see https://rustup.rs" >&2
        esac
        exit 1
    fi
    echo "setup: done"
}

main "$@"
