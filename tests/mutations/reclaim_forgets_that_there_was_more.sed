# breaks: a stack with too much on it holds only a part
# file: src/got/reclaim.c
# tests: got_test_reclaim tasks_test_scan
s/    if (found->more)/    if (found->count > BROLGA__FOUND_MAX)/
