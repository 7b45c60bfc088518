# breaks: registers of a task in foreign code are not read
# file: src/tasks/scan.c
# tests: tasks_test_scan tasks_test_block
/^static void read_spilled/,/^}/s/registers + sizeof spilled->word/registers/
