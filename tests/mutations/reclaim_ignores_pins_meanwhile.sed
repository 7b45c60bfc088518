# breaks: a pin that came and went is not noticed
# file: src/got/reclaim.c
# tests: got_test_reclaim race_reclaim
s/    return pins(unit) != unit->pins_at_death;/    return unit == NULL;/
