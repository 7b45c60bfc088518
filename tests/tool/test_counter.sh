#!/usr/bin/env bash
# Goal: an edit of a running program takes effect, its state stays, however the
# editor saves; and a mistake leaves the last good code running.
# Method: the counter demo. Each number must follow from the one before it by
# one of the steps that were in force: so no step is lost or done twice.
. "$(dirname "$0")/lib.sh"

copy_demo counter
start counter
wait_for err '^brolga: 2 modules, [0-9]+ workers?; watching counter$'
wait_for out '^2$'

# A new file in the place of the old one.
edit counter/step.c 's/number \+ 1/number + 1000/'
wait_for err '^v[0-9]+ +step .*build +[0-9.]+ .*commit +[0-9.]+ .s'
wait_for err 'adopted by 1 task in [0-9.]+ .?s$'
wait_for out '^[0-9]{4}$'

# A write into the same file.
edit_in_place counter/step.c 's/number \+ 1000/number + 100000/'
wait_for out '^[0-9]{6}$'

# A mistake: the compiler's own words, and the old code runs on.
edit counter/step.c 's/number \+ 100000;/number + ;/'
wait_for err 'step\.c:[0-9]+:[0-9]+: error: '
wait_for err '^v[0-9]+ +runs on; step is locked'
lines=$(wc -l <out)
edit counter/step.c 's/number \+ ;/number + 100000000;/'
wait_for out '^[0-9]{9}$'
[ "$(wc -l <out)" -ge "$lines" ] || fail "the output shrank"

# An appended line.
before=$(grep -Ec '^v[0-9]+ +step ' err)
echo '/* appended */' >>counter/step.c
deadline=$((SECONDS + seconds))
until [ "$(grep -Ec '^v[0-9]+ +step ' err)" -gt "$before" ]; do
    [ $SECONDS -lt $deadline ] || fail "an appended line is no reload"
    sleep 0.02
done

stop INT 130
has err '^brolga: asked to stop; main has ended$'
clean_tmp
awk 'NR > 1 && $1 - last != 1 && $1 - last != 1000 && $1 - last != 100000 &&
     $1 - last != 100000000 { print "line " NR ": " last " -> " $1; bad = 1 }
     { last = $1 }
     END { exit bad }' out >&2 || fail "a number does not follow"
