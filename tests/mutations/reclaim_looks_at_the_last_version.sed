# breaks: older versions that map the unit are forgotten
# file: src/got/reclaim.c
# tests: got_test_reclaim
/^static bool version_alive/,/^}/s/unit->first_version,/unit->last_version,/
