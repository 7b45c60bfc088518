# breaks: a task in foreign code is not shown as such
# file: src/tasks/block.c
# tests: tasks_test_block tasks_test_scan
s/BROLGA__BLOCKED)/BROLGA__NOT_BLOCKED)/
