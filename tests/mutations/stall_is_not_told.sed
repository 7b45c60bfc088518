# breaks: nobody is told of a stall
# file: src/tasks/stalls.c
# tests: tasks_test_holders
s/    if (now_ns < rt->stall_due_ns)/    if (now_ns < rt->stall_due_ns || now_ns > 0)/
