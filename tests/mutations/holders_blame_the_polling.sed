# breaks: who runs is said to keep what it has left
# file: src/tasks/holders.c
# tests: tasks_test_holders
s/           brolga__load_relaxed(&task->in_version) <= old->version;/           old != NULL;/
