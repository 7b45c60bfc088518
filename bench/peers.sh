#!/usr/bin/env bash
# Builds the peers of the topics "tasks", "values" and "par" that this machine
# has what is needed for, and prints the command of each on standard output, for
# the programs' option --peer. Those that are left out are named on standard
# error.
#
#   bench/peers.sh FOLDER       where they are built, e.g. build/peers
#
# A peer is a program in bench/peers/ that answers as bench/peer.h describes.
# cargo fetches crates when it builds for the first time; the others need
# nothing but their packages.
set -euo pipefail

cd "$(dirname "$0")/.."
[ $# -eq 1 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(realpath --relative-to=. "$1")
missing=$(scripts/setup.sh --missing peers)
absent=()
broken=()

# peer NAME FUNCTION PACKAGE...: builds it if its packages are there. The
# function leaves the commands in $commands; what it prints goes to a log. As
# a condition it runs without `set -e`.
peer() {
    local name=$1 build=$2 package

    shift 2
    for package in "$@"; do
        if grep -qx "$package" <<<"$missing"; then
            absent+=("$name")
            return
        fi
    done
    if "$build" >"$out/$build.log" 2>&1; then
        printf '%s\n' "${commands[@]}"
    else
        broken+=("$name ($out/$build.log)")
    fi
}

build_go() {
    local folder=$PWD

    commands=("$out/go_peer")
    (cd bench/peers/go && go build -o "$folder/$out/go_peer" .)
}

# From a copy, for cargo writes its lock file beside the manifest.
build_rust() {
    commands=("$out/rust/target/release/rust_peer")
    mkdir -p "$out/rust" &&
        cp -pR bench/peers/rust/Cargo.toml bench/peers/rust/src "$out/rust/" ||
        return
    (cd "$out/rust" && cargo build --release --target-dir target)
}

# build_cpp NAME LIBRARY...
build_cpp() {
    local program=$out/$1_peer source=bench/peers/cpp/$1.cpp

    shift
    commands=("$program")
    [[ $program -nt $source && $program -nt bench/peers/cpp/peer.hpp ]] ||
        c++ -std=c++17 -O3 -o "$program" "$source" "$@"
}

build_tbb() {
    build_cpp tbb -ltbb -pthread
}

build_boost() {
    build_cpp boost -lboost_context
}

# The number of schedulers is fixed when an emulator starts.
build_erlang() {
    local workers

    commands=()
    erlc -o "$out" bench/peers/erlang/erlang_peer.erl || return
    for workers in 1 2; do
        commands+=("erl +S $workers:$workers +P 2000000 -noshell -noinput \
-pa $out -run erlang_peer main")
    done
}

# Joins its arguments by commas.
list() {
    local IFS=,

    echo "$*" | sed 's/, */, /g'
}

peer Go build_go golang-go
peer "Tokio, rayon, async-channel, flume, crossbeam" build_rust cargo
peer TBB build_tbb g++ libtbb-dev
peer Boost.Context build_boost g++ libboost-context-dev
peer Erlang build_erlang erlang-base
[ ${#absent[@]} -eq 0 ] ||
    echo "bench: not measured: $(list "${absent[@]}"); to install them:" \
         "bench/run.sh --install-peers" >&2
[ ${#broken[@]} -eq 0 ] ||
    echo "bench: not measured, did not build: $(list "${broken[@]}")" >&2
