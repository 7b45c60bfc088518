# breaks: pins are not reported
# file: src/tasks/holders.c
# tests: tasks_test_holders
/^static void report_pins/,/^}/s/callbacks);/0);/
