# breaks: the last word of a range counts as outside
# file: src/got/suspects.c
# tests: got_test_suspects tasks_test_scan
s/if (address < set->low || address >= set->high)/if (address <= set->low || address >= set->high)/
