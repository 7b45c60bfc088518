#!/usr/bin/env bash
# Goal: a program that cannot be started is refused with status 3, and with the
# file, the line and what to do about it.
# Method: one broken directory after the other.
. "$(dirname "$0")/lib.sh"

good_main() {
    module "$1/main.c" <<'END'
BROLGA_MODULE(main);
BROLGA_IMPORT(scorer, int, score, (int word), (word));
BROLGA_MAIN(argc, argv)
{
    return score(1);
}
END
}
good_scorer() {
    module "$1/scorer.c" <<'END'
BROLGA_MODULE(scorer);
BROLGA_EXPORT(int, score, (int word))
{
    return word + 8;
}
END
}

# The parts fit: so each refusal below comes from what it breaks.
mkdir good
good_main good
good_scorer good
call 9 run --no-watch good
[ "$(ls good)" = "$(printf 'main.c\nscorer.c')" ] || fail "files were left"

call 3 run nowhere
has err 'cannot run nowhere: No such file'
echo text >notes.txt
call 3 run notes.txt
has err 'notes.txt is neither a directory nor a .c file'
mkdir empty
call 3 run empty
has err 'no \.c file in empty'

mkdir syntax
good_main syntax
good_scorer syntax
edit syntax/scorer.c 's/word \+ 8;/word + 8/'
call 3 run syntax
has err 'syntax/scorer\.c:[0-9]+:[0-9]+: error: '
has err '^brolga: not started; '

mkdir headless
good_scorer headless
call 3 run headless
has err 'no file exports main'
has err 'BROLGA_MAIN\(argc, argv\)'

mkdir double
good_main double
good_scorer double
sed 's/(main)/(other)/' double/main.c >double/other.c
call 3 run double
has err 'more than one file exports main: .*main\.c, .*other\.c'

mkdir import
good_main import
good_scorer import
edit import/scorer.c 's/int, score/int, scores/'
call 3 run import
has err 'import/main\.c:3\b'
has err 'scores'

mkdir stranger
good_main stranger
call 3 run stranger
has err 'stranger/main\.c:3\b'
has err 'scorer'

mkdir signature
good_main signature
good_scorer signature
edit signature/scorer.c 's/\(int word\)/(long word)/; s/word \+ 8/(int)word + 8/'
call 3 run signature
has err 'signature/main\.c:3\b'
has err 'signature/scorer\.c:3\b'
has err 'int \(int\)'
has err 'int \(long\)'

mkdir plain
good_main plain
good_scorer plain
echo 'int helper(void); int helper(void) { return 1; }' >plain/helper.c
call 3 run plain
has err 'plain/helper\.c'
has err 'BROLGA_MODULE'

mkdir twins
good_main twins
good_scorer twins
cp twins/scorer.c twins/scorer2.c
call 3 run twins
has err 'twins/scorer\.c'
has err 'twins/scorer2\.c'

# Root reads everything, so that the case cannot be made.
if [ "$(id -u)" -ne 0 ]; then
    mkdir unreadable
    good_main unreadable
    good_scorer unreadable
    chmod 000 unreadable/scorer.c
    call 3 run unreadable
    has err 'unreadable/scorer\.c'
fi

# All errors are told, not only the first.
mkdir many
good_main many
good_scorer many
edit many/main.c 's/return score\(1\);/return score(1)/'
edit many/scorer.c 's/word \+ 8;/word + 8/'
call 3 run many
has err 'many/main\.c:[0-9]+:[0-9]+: error: '
has err 'many/scorer\.c:[0-9]+:[0-9]+: error: '

clean_tmp
