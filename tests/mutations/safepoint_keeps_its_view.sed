# breaks: a task stays in its version for ever
# file: src/tasks/safepoint.c
# tests: tasks_test_safepoint
/^static void move_view/,/^}/s/    if (!task->adopt_at_top)/    if (task->adopt_at_top)/
