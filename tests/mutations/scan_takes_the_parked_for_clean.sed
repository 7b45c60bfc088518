# breaks: frames of parked tasks are not read
# file: src/tasks/scan.c
# tests: tasks_test_scan race_reclaim
/^static bool look_at_parked/,/^}/s/    if (brolga__load_relaxed(&task->top)) {/    if (task != NULL) {/
