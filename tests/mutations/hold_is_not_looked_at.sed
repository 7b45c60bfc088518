# breaks: a version that is held is freed
# file: src/got/version.c
# tests: got_test_view tasks_test_safepoint
s/           brolga__load_acquire(&version->holds) == 0;.*/           true;/
