# breaks: what can be gone back to is released
# file: src/got/reclaim.c
# tests: got_test_past
s/unit->state == BROLGA__UNIT_RETIRED && unit->past == 0 &&/unit->state == BROLGA__UNIT_RETIRED \&\&/
