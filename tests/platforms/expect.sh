# How programs end: for the scripts that look at what they say and their status.
# To be sourced. Sets `folder`, a new one, which goes with the script, and
# `failed`, the number of what was not as it should be.

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# What tasks hold when a program is ended by force is no leak of ours.
export ASAN_OPTIONS=detect_leaks=0

# expect_end STATUS TEXT NAME COMMAND [ARGUMENT...]: how it ends, and what it
# says on standard error; '' for silence. Its output is in $folder/out.
expect_end() {
    local wanted=$1 text=$2 name=$3 status=0

    shift 3
    timeout 60 "$@" >"$folder/out" 2>"$folder/err" || status=$?
    if [ "$status" != "$wanted" ]; then
        echo "$name: ends with $status, not $wanted"
    elif [ -z "$text" ] && [ -s "$folder/err" ]; then
        echo "$name: is not silent"
    elif [ -n "$text" ] && ! grep -q -- "$text" "$folder/err"; then
        echo "$name: does not say: $text"
    else
        return 0
    fi
    cat "$folder/err"
    failed=$((failed + 1))
}
