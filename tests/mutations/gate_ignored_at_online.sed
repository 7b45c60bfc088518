# breaks: who comes online does not look at the gate
# file: src/epoch/round.c
# tests: epoch_test_gate
/^void brolga_epoch_online/,/^}/s/brolga__epoch_halt(member);/(void)member;/
