# breaks: a round has passed at once
# file: src/epoch/round.c
# tests: epoch_test_round
s/return seen == 0 || seen >= round;/return true;/
