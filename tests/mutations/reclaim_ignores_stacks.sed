# breaks: what stacks hold is forgotten
# file: src/got/reclaim.c
# tests: got_test_reclaim tasks_test_scan
/^void brolga__reclaim_held/,/^}/s/        got->held\[found->suspect\[i\]\] = true;/        (void)i;/
