# breaks: a member that quiesces does not say so
# file: src/epoch/round.c
# tests: epoch_test_round
s/    if (seen != round)/    if (seen > round)/
