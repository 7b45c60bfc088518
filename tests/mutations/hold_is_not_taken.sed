# breaks: who stays in a version does not hold it
# file: src/got/view.c
# tests: got_test_reclaim tasks_test_holders
s/(void)brolga__add_relaxed(&version->holds, 1);/(void)brolga__add_relaxed(\&version->holds, 0);/
