# breaks: a table is free as soon as it is replaced
# file: src/got/commit.c
# tests: got_test_view got_test_reclaim
s/old->replaced_round = brolga__epoch_begin_round(got->epoch);/old->replaced_round = 1;/
