# breaks: frames in foreign code are not read
# file: src/tasks/scan.c
# tests: tasks_test_scan tasks_test_block
/^static bool look_at_blocked/,/^}/s/    read_blocked(task, set);/    brolga__store_release(\&task->watermark, set->stamp);/
