# breaks: a stack in which something was found counts as clean
# file: src/tasks/scan.c
# tests: tasks_test_scan race_reclaim
/^static void conclude/,/^}/s/    if (found->count == 0)/    if (found != NULL)/
