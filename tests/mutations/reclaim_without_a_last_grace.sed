# breaks: a unit goes while its record may be read
# file: src/got/reclaim.c
# tests: got_test_reclaim got_test_ranges
s/            !brolga__epoch_passed(got->epoch, unit->final_round))/            unit->final_round == 0)/
