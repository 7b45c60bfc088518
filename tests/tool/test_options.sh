#!/usr/bin/env bash
# Goal: the command explains itself, refuses what it does not understand with a
# hint, and its exit status says how the program came out.
# Method: small programs that are written here.
. "$(dirname "$0")/lib.sh"

# --- help -----------------------------------------------------------------------
call 0 --help
has out 'brolga run demos/counter'
call 0 run --help
cp out run-help
has out 'brolga run demos/counter'
has out '--quiet-period MS'
has out '--tier\[=COMMAND\]'
call 0 help run
cmp -s out run-help || fail "help run and run --help differ"
call 0 --version
has out '^brolga [0-9]+\.[0-9]+\.[0-9]+'
[ ! -s err ] || fail "help writes to standard error"

# --- usage ------------------------------------------------------------------------
call 2
call 2 frobnicate
has err "there is no command 'frobnicate'"
mkdir program
call 2 program
has err 'did you mean: brolga run program$'
call 2 help me
call 2 run
has err 'Name a directory'
call 2 run --work 2 program
has err 'no option --work; did you mean --workers\?'
call 2 run --workers none program
has err "wants a number from 1 to 1024, not 'none'"
call 2 run --workers
has err '--workers wants a number'
call 2 run --for soon program
has err "wants a duration .* not 'soon'"
call 2 run --for -1s program
call 2 run --color=red program
has err "wants auto, always or never, not 'red'"
call 2 run --verbose=yes program
has err '--verbose takes no value'
call 2 run -x program
has err 'no option -x'
call 2 run --quiet-period 0 program
[ ! -s out ] || fail "messages on standard output"

# --- exit status --------------------------------------------------------------------
module program/main.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
BROLGA_MODULE(main);

static int deep(int n)
{
    volatile char bytes[500] = {(char)n};

    return n < 0 ? 0 : deep(n | 1) + bytes[0];
}

BROLGA_MAIN(argc, argv)
{
    const char *what = argc > 1 ? argv[1] : "nothing";

    for (int i = 0; i < argc; i++)
        printf("%d=%s\n", i, argv[i]);
    fflush(stdout);
    if (strcmp(what, "fail") == 0)
        brolga_panic("told to, at %d", 42);
    if (strcmp(what, "trap") == 0)
        *(volatile int *volatile)NULL = 1;
    if (strcmp(what, "overflow") == 0)
        return deep(argc);
    if (strcmp(what, "sleep") == 0)
        return brolga_sleep_until(BROLGA_FOREVER) == BROLGA_ECANCELED ? 5 : 6;
    if (strcmp(what, "stubborn") == 0) {
        for (;;)
            (void)brolga_sleep_until(brolga_after_ns(BROLGA_MS));
    }
    return atoi(what);
}
END
call 0 run --no-watch program
call 7 run --no-watch program -- 7 --for 'two words'
printf '0=program\n1=7\n2=--for\n3=two words\n' | cmp -s - out ||
    fail "the program's arguments or output are not its own"
has err '^brolga: 1 module, [0-9]+ workers?; not watching program$'
call 1 run --no-watch program -- 257
call 7 run --no-watch --workers=1 program/main.c -- 7
has err '1 worker;'
call 4 run --no-watch program -- fail
has err '^brolga: main failed: told to, at 42$'
if [ -z "$sanitize" ]; then # Else these signals are the sanitizers' own.
    call 4 run --no-watch program -- trap
    has err '^brolga: main failed: SIGSEGV at main \(main\.c:[0-9]+\), address 0x0$'
    call 4 run --no-watch program -- overflow
    has err '^brolga: main failed: stack overflow in deep \(main\.c(:7)?\) \(256 KiB\)$'
fi

call 0 run --for 100ms program -- sleep
has err '^brolga: the time of --for is over; main has ended$'
call 0 run --for 0.1s program -- stubborn
has err '^brolga: the time of --for is over; main did not end within a second'

start program -- sleep
wait_for out '^1=sleep$'
stop INT 130
has err '^brolga: asked to stop; main has ended$'
start program -- sleep
wait_for out '^1=sleep$'
stop TERM 143
start program -- stubborn
wait_for out '^1=stubborn$'
stop TERM 143
start program -- stubborn
wait_for out '^1=stubborn$'
kill -INT "$pid"
stop INT 130

# Nobody reads: the program ends as if it had been asked to.
copy_demo counter
"$brolga" run --no-watch counter 2>err | head -n 1 >out
[ "${PIPESTATUS[0]}" -eq 141 ] || fail "a closed output does not end the run"
has err '^brolga: nobody reads the output; main has ended$'
clean_tmp

# A signal during the build: it ends the run after it, the second one at once.
cat >slow.sh <<'END'
#!/bin/sh
: >building
sleep 1
exec cc "$@"
END
chmod +x slow.sh
for signals in 1 2; do
    rm -f building
    start --cc "$PWD/slow.sh" program -- sleep
    deadline=$((SECONDS + seconds))
    until [ -f building ]; do
        [ $SECONDS -lt $deadline ] || fail "the compiler was not called"
        sleep 0.02
    done
    kill -INT "$pid"
    [ $signals -eq 1 ] || kill -INT "$pid"
    finish 130
done
[ ! -s out ] || fail "main was started all the same"

# --- colour -----------------------------------------------------------------------
escape=$(printf '\033')
call 4 run --no-watch --color=always program -- fail
has err "$escape\["
call 4 run --no-watch program -- fail
lacks err "$escape\["

# --- the compiler -------------------------------------------------------------------
cat >cc.sh <<'END'
#!/bin/sh
echo called >>cc.log
exec cc "$@"
END
chmod +x cc.sh
call 3 run --no-watch --cflags '-O0 -include nowhere.h' program
call 0 run --no-watch --cc "$PWD/cc.sh" program
has cc.log called
# No signal is blocked in one: neither when the run begins nor later.
cat >masked.sh <<'END'
#!/bin/sh
grep SigBlk /proc/self/status >>masks
exec cc "$@"
END
chmod +x masked.sh
start --cc "$PWD/masked.sh" program -- sleep
wait_for out '^1=sleep$'
edit program/main.c 's/at %d/at number %d/'
wait_for err '^v[0-9]+ +main '
stop INT 130
[ "$(wc -l <masks)" -ge 2 ] || fail "the compiler was not called twice"
lacks masks '[1-9a-f]$|[1-9a-f]0*$'
call 3 run --no-watch --cc /nowhere/cc program
has err '/nowhere/cc'
