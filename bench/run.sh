#!/usr/bin/env bash
# Builds the benchmarks, runs them one after the other, and shows what Brolga
# takes beside the best peer and beside the floor of each row.
#
#   bench/run.sh [--quick]      everything, or a quick look whether it works
#   bench/run.sh --table        the table of the last run once more
#   bench/run.sh --install-peers        what other runtimes need to take part
#   ONLY='tasks|commit_10k'     topics, as below, or rows
#   BUILD=folder                where the build is; default build/release
#   PEERS=no                    without other runtimes
#
# The figures go to build/bench.tsv: a header, then one line a subject.
set -euo pipefail

cd "$(dirname "$0")/.."
build=${BUILD:-build/release}
only=${ONLY:-}
result=build/bench.tsv
topics=(calls values heaps frozen tasks par code crowd reload edits)

case ${1:-} in
    --table) action=table ;;
    --install-peers) exec scripts/setup.sh peers ;;
    '' | --quick) action=measure ;;
    *) sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

build_programs() {
    [ -e "$build/build.ninja" ] || cmake --preset release -B "$build" >/dev/null
    cmake --build "$build" --target bench_programs >"$build/bench.log" 2>&1 || {
        cat "$build/bench.log" >&2
        exit 1
    }
}

# Whether ONLY names the topic, or anything that is no topic: a row.
wanted() {
    local topic=$1 name names

    [ -n "$only" ] || return 0
    IFS='|' read -ra names <<<"$only"
    for name in "${names[@]}"; do
        case " ${topics[*]} " in
            *" $name "*) [ "$name" != "$topic" ] || return 0 ;;
            *) return 0 ;;
        esac
    done
    return 1
}

# Prints the arguments for the other runtimes, one a line.
peer_arguments() {
    [ "${PEERS:-yes}" = yes ] || return 0
    bench/peers.sh build/peers | sed 'i --peer'
}

run_programs() {
    local topic peers

    printf 'row\tworkers\tunit\tsubject\tmedian\tmin\tmax\tn\n'
    for topic in "${topics[@]}"; do
        [ -x "$build/bench/bench_$topic" ] && wanted "$topic" || continue
        echo "bench: $topic ..." >&2
        peers=()
        case $topic in
            tasks | values | par | crowd | reload) mapfile -t peers < <(peer_arguments) ;;
        esac
        "$build/bench/bench_$topic" --only "$only" "${peers[@]}" "$@"
    done
}

# One line for each of Brolga's subjects, with the best of the others.
show() {
    awk -F '\t' '
        function figure(v) {
            return v >= 1000 ? sprintf("%.0f", v) : sprintf("%.3g", v)
        }
        # Messages are counted by the second, too.
        function rate(name, ns) {
            return name ~ /^(spsc|mpmc)/ ? sprintf("%.3g M/s", 1000 / ns) : ""
        }
        function beside(name, group, mine) {
            if (!((group, name) in best))
                return "-"
            ratio = mine / best[group, name]
            if (ratio < 0.1 && ratio > 0)
                return sprintf("1/%.0f of %s", 1 / ratio, who[group, name])
            return sprintf("%.2f x %s", ratio, who[group, name])
        }
        function consider(name, group) {
            if (!((group, name) in best) || $5 < best[group, name]) {
                best[group, name] = $5
                who[group, name] = $4
                sub(/^floor: /, "", who[group, name])
            }
        }
        NR == 1 { next }
        {
            group = $1 SUBSEP $2
            if (!(group in unit)) {
                order[++groups] = group
                unit[group] = $3
                row[group] = $1
                workers[group] = $2
            }
            if ($4 ~ /^brolga/) {
                sub(/^brolga:? ?/, "", $4)
                mine[group] = mine[group] $4 "\t" $5 "\n"
            } else if ($4 ~ /^floor: /)
                consider("floor", group)
            else
                consider("peer", group)
        }
        END {
            line = "%-15s %2s  %-23s %8s %-4s %9s  %-39s %s\n"
            printf line, "row", "w", "brolga", "median", "", "",
                   "beside the best peer", "beside the floor"
            for (g = 1; g <= groups; g++) {
                group = order[g]
                if (!(group in mine)) {
                    printf line, row[group], workers[group], "-",
                           figure(best[group, "floor"]), unit[group], "",
                           "-", who[group, "floor"]
                    continue
                }
                count = split(mine[group], subject, "\n") - 1
                for (i = 1; i <= count; i++) {
                    split(subject[i], f, "\t")
                    printf line, row[group], workers[group], f[1],
                           figure(f[2]), unit[group], rate(row[group], f[2]),
                           beside("peer", group, f[2]),
                           beside("floor", group, f[2])
                }
            }
        }' "$1" | sed 's/ *$//'
}

if [ "$action" = measure ]; then
    mkdir -p build
    build_programs
    run_programs "$@" >"$result.new"
    mv "$result.new" "$result"
elif [ ! -e "$result" ]; then
    echo "bench: nothing has been measured yet" >&2
    exit 1
fi
show "$result"
echo
echo "w = workers; less is better; a ratio below 1 means that Brolga takes less"
echo "than the other; M/s = millions a second. All figures: $result"
