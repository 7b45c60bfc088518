# breaks: a task passes the closed gate
# file: src/tasks/safepoint.c
# tests: tasks_test_barrier race_barrier
s/while (brolga__unlikely(stands(task, top)))/while (brolga__unlikely(stands(task, top) \&\& round == 0))/
