# breaks: who comes to the closed gate does not stand
# file: src/epoch/gate.c
# tests: epoch_test_gate race_barrier
s/gate % BROLGA__GATES != BROLGA__GATE_OPEN;/gate % BROLGA__GATES > BROLGA__GATE_CLOSED;/
