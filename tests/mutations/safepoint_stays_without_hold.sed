# breaks: who adopts at top safepoints forgets to hold
# file: src/tasks/safepoint.c
# tests: tasks_test_safepoint
s/    if (task->holding)\r\?$/&/;/^static void adopt_and_hold/,/^}/s/        brolga__version_hold(task->version);/        (void)task;/
