# breaks: a stack is not read
# file: src/got/suspects.c
# tests: got_test_suspects tasks_test_scan
s/    for (; word < end; word++) {/    for (; word < end \&\& end == NULL; word++) {/
