#!/usr/bin/env bash
# Goal: tasks keep passing lines on while their code is replaced, refused
# and repaired, and no line is lost.
# Method: the pipeline demo on real text, with scripted edits between two looks
# at its output; at the end it says itself what it has sent and received.
. "$(dirname "$0")/lib.sh"

copy_demo pipeline
cat "$project"/demos/*/README.md "$project"/include/brolga/*.h >text
lines=$(wc -l <text)

# A bounded run: the number of lines is known.
start --no-watch pipeline -- --passes 3 text
finish 0
has err '^brolga: 6 modules, [0-9]+ workers?; not watching pipeline$'
has out "^done: 3 passes, $((3 * lines)) lines in, $((3 * lines)) out, 0 lost; "

start pipeline -- text
wait_for out '^lines [0-9]+ in [0-9]+ out, top: [a-z]+ [0-9]+'

# Another rule.
edit pipeline/scorer.c 's/return length >= 4;/return length >= 4 ? 100000 : 0;/'
wait_for err '^v[0-9]+ +scorer  '
wait_for out 'top: [a-z]+ [0-9]{7}'

# A mistake, and its repair.
edit pipeline/scorer.c 's/\? 100000 : 0;/? 100000 : ;/'
wait_for err 'scorer\.c:[0-9]+:[0-9]+: error: '
wait_for err '^v[0-9]+ +runs on; scorer is locked'
edit pipeline/scorer.c 's/\? 100000 : ;/? 1 : 0;/'
wait_for err '^v[0-9]+ +scorer .*'

# Half a change of a signature is refused; both halves go in together.
edit pipeline/scorer.c 's/\(const char \*word, uint32_t length\)/(uint32_t length, const char *word)/;
                        s/score\(line->text \+ word->start, word->length\)/score(word->length, line->text + word->start)/'
wait_for err 'table\.c:[0-9]+'
has err 'scorer\.c:[0-9]+'
lacks err '^v[0-9]+ .*scorer.*table'
edit pipeline/table.c 's/\(const char \*word, uint32_t length\),/(uint32_t length, const char *word),/;
                       s/^( +)\(word, length\)\);/\1(length, word));/;
                       s/score\(row->word, \(uint32_t\)strlen\(row->word\)\)/score((uint32_t)strlen(row->word), row->word)/'
wait_for err '^v[0-9]+ +scorer.*, table|^v[0-9]+ +table.*, scorer'

# Another message: those that are under way are converted.
old=$(sed -n '/^struct line {/,/^};/p' pipeline/messages.h |
    sed 's/struct line /struct line_v1 /')
way='BROLGA_MIGRATE(line_type, struct line_v1, from, struct line, to)
{
    to->bytes = from->bytes;
    to->words = from->words;
    for (unsigned i = 0; i < LINE_BYTES; i++)
        to->text[i] = from->text[i];
    for (unsigned i = 0; i < LINE_WORDS; i++)
        to->word[i] = from->word[i];
    return BROLGA_OK;
}'
awk -v old="$old" -v way="$way" '
    /^\/\*\* The message/ { print old }
    { print }
    /^    uint32_t words; \/\* Filled in by a parser/ { print "uint64_t stamp;" }
    /^BROLGA_MESSAGE\(struct line,/ { print way }' \
    pipeline/messages.h >new && mv new pipeline/messages.h
wait_for err '^messages line_type converted$'
wait_for err '^v[0-9]+ +channels.*, parser.*, reader.*, scorer.*, table'

# Many saves in a row: the last one wins.
for points in 2 3 4 5 6 7 8 9; do
    edit_in_place pipeline/scorer.c "s/\\? [0-9]+ : 0;/? $points : 0;/"
done
edit pipeline/scorer.c 's/\? 9 : 0;/? 1000000 : 0;/'
wait_for out 'top: [a-z]+ [0-9]{8}'

stop INT 130
has out '^done: [0-9]+ passes, [0-9]+ lines in, [0-9]+ out, 0 lost; [0-9]+ words$'
sed -nE 's/^done: .* ([0-9]+) lines in, ([0-9]+) out.*/\1 \2/p' out | {
    read -r in out
    [ "$in" -gt "$lines" ] && [ "$in" -eq "$out" ]
} || fail "lines in and out differ, or are too few"
