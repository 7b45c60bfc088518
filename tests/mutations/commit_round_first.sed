# breaks: the round begins before the version is current
# file: src/got/commit.c
# tests: race_calls race_reclaim got_test_view
s/    brolga__store_release(&got->current, next);.*/    old->replaced_round = brolga__epoch_begin_round(got->epoch);/;s/    old->replaced_round = brolga__epoch_begin_round(got->epoch);$/&/;s/    brolga__store_release(&next->announced, true);.*/    for (volatile int i = 0; i < 20000; i++)\n        continue;\n    brolga__store_release(\&got->current, next);\n    brolga__store_release(\&next->announced, true);/
