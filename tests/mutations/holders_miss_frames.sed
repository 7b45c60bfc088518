# breaks: frames of tasks that rest are not reported
# file: src/tasks/holders.c
# tests: tasks_test_holders
s/        if (!is_clean(old, watermark))/        if (old == NULL)/
