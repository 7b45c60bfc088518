# breaks: what a slot was is not noted
# file: src/got/commit.c
# tests: got_test_past
s/^    brolga__past_note(past, slot);/    (void)past;/
