# breaks: what has lost its last slot stays live
# file: src/got/commit.c
# tests: got_test_reclaim
s/if (--unit->live_slots == 0)/if (--unit->live_slots == UINT32_MAX)/
