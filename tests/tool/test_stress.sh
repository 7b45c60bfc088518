#!/usr/bin/env bash
# Goal: a program stands reloads of identical code all the time, commits that
# are refused for no reason, searches of all stacks, and old code that crashes
# whoever touches it; and saves become running code through all of that.
# Method: the pipeline demo with all switches on; it says itself at the end
# whether a line was lost. What makes no sense is refused with an example.
. "$(dirname "$0")/lib.sh"

for wrong in "" reload reload= reload=x reload=1,,scan=1 reload=1, nothing=1 \
    quarantine=65537 "scan=1 "; do
    call 2 run --stress "$wrong" .
    has err '^brolga: --stress wants switches such as reload=1000,abort=7'
done
BROLGA_STRESS=oops call 3 run .
has err "^brolga: BROLGA_STRESS is to be like reload=1000.*, not 'oops'\$"

copy_demo pipeline
cat "$project"/demos/*/README.md "$project"/include/brolga/*.h >text

start --reclaim --json=events --stress \
    reload=200,abort=3,scan=1,quarantine=64,seed=5 pipeline -- text
wait_for out '^lines [0-9]+ in [0-9]+ out, top: [a-z]+ [0-9]+'
wait_for err '^v[0-9]+ .*\(again\)'
edit pipeline/scorer.c 's/return length >= 4;/return length >= 4 ? 100000 : 0;/'
wait_for out 'top: [a-z]+ [0-9]{7}'
for points in 2 3 4; do
    edit pipeline/scorer.c "s/\\? [0-9]+ : 0;/? ${points}000000 : 0;/"
    wait_for out "top: [a-z]+ [0-9]{8}"
done
wait_for events '"event":"reloaded".*"why":"again".*"why":"again"'
stop INT 130
has out '^done: [0-9]+ passes, [0-9]+ lines in, [0-9]+ out, 0 lost; '
sed -nE 's/^done: .* ([0-9]+) lines in, ([0-9]+) out.*/\1 \2/p' out | {
    read -r in out
    [ "$in" -gt 0 ] && [ "$in" -eq "$out" ]
} || fail "lines in and out differ, or are too few"
reloads=$(grep -c '"event":"reloaded"' events)
[ "$reloads" -gt 10 ] || fail "only $reloads reloads"
clean_tmp
