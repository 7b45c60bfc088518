#!/usr/bin/env bash
# Gives the section rulers of C files, lines like the one below, one length.
#
#   scripts/rulers.sh FILE...
#
# /* --- a section ------------------------------------------------------- */
set -euo pipefail

for file in "$@"; do
    grep -Eq '^/\* --- .* -+ \*/$' "$file" || continue
    awk '
        /^\/\* --- .* -+ \*\/$/ {
            title = $0
            sub(/^\/\* --- /, "", title)
            sub(/ -+ \*\/$/, "", title)
            line = "/* --- " title " "
            while (length(line) < 75)
                line = line "-"
            $0 = line " */"
        }
        { print }' "$file" >"$file.ruled"
    # Keep the file and its mode; write only what has changed.
    cmp -s "$file" "$file.ruled" || cat "$file.ruled" >"$file"
    rm -f "$file.ruled"
done
