# breaks: who is offline is waited for
# file: src/epoch/round.c
# tests: epoch_test_round
s/return seen == 0 || seen >= round;/return seen >= round;/
