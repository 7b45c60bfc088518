#!/usr/bin/env bash
# Writes brolga-sys/src/ffi.rs anew from the headers. Needs bindgen
# (cargo install bindgen-cli) and libclang; only who changes the headers needs
# to run it: the test brolga-sys/tests/headers.rs says when.
set -euo pipefail

cd "$(dirname "$0")/brolga-sys"
bindgen=${BINDGEN:-bindgen}
out=src/ffi.rs

{
    echo "// Made by bindings/rust/bindgen.sh from the headers; do not edit."
    "$bindgen" wrapper.h \
        --allowlist-item '(brolga|BROLGA).*' --blocklist-item 'BROLGA_[A-Z]*_H' \
        --blocklist-function brolga_view_self \
        --blocklist-function brolga_view_stale \
        --blocklist-function brolga_safepoint \
        --rust-target 1.82 --use-core --no-prepend-enum-name \
        --no-doc-comments --merge-extern-blocks \
        --with-derive-default --formatter rustfmt --disable-header-comment \
        -- -I vendor/include -std=c11
} >"$out"
