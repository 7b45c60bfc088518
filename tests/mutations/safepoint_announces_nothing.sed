# breaks: nobody learns that a task has adopted
# file: src/tasks/safepoint.c
# tests: tasks_test_safepoint tasks_test_scan
s/    brolga__epoch_announce(member, round);/    (void)member;/
