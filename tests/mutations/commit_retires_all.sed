# breaks: a unit is retired with the first slot that it loses
# file: src/got/commit.c
# tests: got_test_reclaim got_test_commit
s/if (--unit->live_slots == 0)/if (--unit->live_slots < UINT32_MAX)/
