# breaks: the stack that a task has left is not read
# file: src/tasks/scan.c
# tests: tasks_test_second
s/    if (task->left != NULL)/    if (task->left == (void *)1)/
