# breaks: how many pins were ever made is not counted
# file: src/got/unit.c
# tests: got_test_reclaim race_reclaim
/^void brolga_unit_pin/,/^}/s/BROLGA__PIN_MADE + 1/1/
