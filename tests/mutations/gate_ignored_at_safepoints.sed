# breaks: a task passes the closed gate
# file: src/tasks/safepoint.c
# tests: tasks_test_barrier race_barrier
s/        stands(task, member, top)))/        stands(task, member, top) \&\& round == 0))/
