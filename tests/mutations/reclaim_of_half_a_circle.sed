# breaks: of two units that call each other one is released while the other is held
# file: src/got/reclaim.c
# tests: got_test_reclaim
/^static void find_clean/,/^}/s/if (is_unheld(unit) && reachable(unit, is_unheld)) {/if (got == NULL) {/
