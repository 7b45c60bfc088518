#!/usr/bin/env bash
# How programs that use the platform end: what is said, and the status.
#
#   test_ends.sh ENDS DLL
set -euo pipefail

ends=$1 dll=$2
. "$(dirname "$0")/expect.sh"

# expect STATUS TEXT NAME [v2]: how a program ends. TEXT is '' for silence.
expect() {
    expect_end "$1" "$2" "${*:3}" "$ends" "$dll" "${@:3}"
}

# types TEXT...: a file of these lines; the platform reads it from now on.
types() {
    printf '%s\n' "$@" >"$folder/types"
    export CRANELISP_TASKS_TYPES=$folder/types
}

# has NAME TYPE: the program before has shown it.
has() {
    grep -qx -- "spawn-$1 (Fn \[(Fn \[\] (IO $2))\] (IO (Task $2)))" \
        "$folder/out" || { echo "no spawn-$1 for $2"; failed=$((failed + 1)); }
}

unset CRANELISP_TASKS_TYPES
cd "$folder" # Where there is no platforms/tasks.types.
expect 0 '' well
expect 1 'await: this is no task that spawn-... has made' made-up
expect 1 'await: this is no task' other-kind
expect 1 'chan: a capacity of -1' negative
expect 1 'select: 65 channels' too-many
expect 3 'host.s panic: tasks: select: 65 channels' too-many v2
expect 1 'no task can ever run again' main-waits
expect 1 'none of 2 tasks can ever run again' all-wait
expect 1 "waits in recv on channel 'chan-int'" all-wait
expect 1 "task 1 'host'.* on channel 'end of task 2'" all-wait
expect 0 'the program ends while 1 task runs; await them' running
expect 0 'spawn-int, ' running
expect 1 'panic: match failure' panics
CRANELISP_TASKS_WORKERS=many expect 0 'is no number from 1 to' well
CRANELISP_TASKS_WORKERS=1 CRANELISP_TASKS_STACK=1 expect 0 '' well
if grep -q '__[at]san_init' <<<"$(nm -D "$dll")"; then
    echo "traps are the sanitizer's here"
elif [ "$(uname -m)" = x86_64 ]; then # Others may have no such trap.
    expect 136 "brolga: task 2 'spawn-int': SIGFPE" traps
fi

# The types file.
types '; nothing'
expect 0 '' names
types '(deftype RenderJob (RenderJob [:Int size :(List String) names]))' \
    '(deftype (Pair a b) (Pair [:a first :b other]))' \
    '(family pair (Pair RenderJob Int)) ; twice the fun'
expect 0 '' names
has int Int
has render-job RenderJob
has vec-render-job '(Vec RenderJob)'
has option-render-job '(Option RenderJob)'
has list-render-job '(List RenderJob)'
has pair '(Pair RenderJob Int)'
# A module of a program will do, with all that it has.
types '(import [concurrency [*]]) ; (deftype None' \
    '(deftype Point "At (x y" [:Int x "across" :Int y])'
expect 0 'types:2:34: a field is written :Type name' names
types '(import [concurrency [*]]) ; (deftype None' \
    '(deftype Point "At (x" [:Int x :Int y])' \
    '(defn- text "Of \"p)\"" [p] (str "((" (x p)))' \
    '(deftype (Shape a) "of points" (Dot "one" [:Point p]) (Any [:a it]))' \
    '(families point Point)' '(family shape-int (Shape Int))'
expect 0 '' names
has point Point
has shape-int '(Shape Int)'
mkdir platforms
mv types platforms/tasks.types
unset CRANELISP_TASKS_TYPES
expect 0 '' names
has point Point
rm -r platforms

# A mistake is told with its place, and the built-in types are there.
types '(deftype Good Yes No)' '' '  (deftype Bad (Bad [:Missing m]))'
expect 0 'types:3:.*Missing' names
has int Int
types '(deftype Good Yes No' '; has no end'
expect 0 "types:1:1: this form has no end" names
has list-string '(List String)'
types '(deftype Good Yes No)' '(defmain [] 1)'
expect 0 'types:2:1: expected (deftype ...) or (family' names
types '(family int (Vec (Vec Int)))'
expect 0 "types:1:13: there are functions for 'int' already" names
types '(family two (Pear Int))'
expect 0 'types:1:13: .*Pear' names
types '(family lonely)'
expect 0 'types:1:1: expected (family suffix Type)' names
types '(deftype Job (Job [:String label :(Fn [] Int) act]))'
expect 1 'type Job cannot cross: field 2 of Job' half-copied
expect 3 'host.s objects: 6, freed by a platform: 2' half-copied v2
types "$(for i in $(seq 33); do echo "(deftype T$i (T$i [:Int x]))"; done)"
expect 0 'types:33:10: too many types: 128 are the most' names
has int Int
has t32 T32
export CRANELISP_TASKS_TYPES=$folder/missing
expect 0 'missing: No such file or directory (CRANELISP_TASKS_TYPES names it)' \
    names
has int Int

[ "$failed" = 0 ] || { echo "$failed failed"; exit 1; }
