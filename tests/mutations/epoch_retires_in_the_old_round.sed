# breaks: what is retired begins no round
# file: src/epoch/retire.c
# tests: epoch_test_retire
s/node->round = brolga__epoch_begin_round(epoch);/node->round = brolga__epoch_round(epoch);/
