# breaks: a unit that is pinned is a suspect
# file: src/got/reclaim.c
# tests: got_test_reclaim tasks_test_scan
s/    return (pins(unit) & BROLGA__PINS_MASK) == 0;/    return unit != NULL;/;s/    return (unit->pins_at_death & BROLGA__PINS_MASK) == 0;/    return true;/
