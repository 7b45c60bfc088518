# breaks: a task with frames counts as clean without a look
# file: src/tasks/safepoint.c
# tests: tasks_test_scan race_reclaim
/^static void move_watermark/,/^}/s/    if (top) {/    if (top || sp != 0) {/
