# breaks: a safepoint adopts nothing
# file: src/got/view.c
# tests: got_test_view tasks_test_safepoint
s/    if (current == \*version)/    if (*version != NULL)/
