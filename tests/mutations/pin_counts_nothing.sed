# breaks: a pin does not keep the unit
# file: src/got/unit.c
# tests: got_test_unit got_test_reclaim
/^void brolga_unit_pin/,/^}/s/BROLGA__PIN_MADE + 1/0/
