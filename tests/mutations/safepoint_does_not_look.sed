# breaks: a task that runs never looks at its own stack
# file: src/tasks/safepoint.c
# tests: tasks_test_scan tasks_test_safepoint race_reclaim
s/^        brolga__scan_stack(task, set, sp);/        (void)sp;/
