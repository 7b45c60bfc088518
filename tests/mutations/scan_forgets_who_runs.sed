# breaks: a stack that could not be looked at holds nothing
# file: src/tasks/scan.c
# tests: tasks_test_scan race_reclaim
/^static void look_at(/,/^}/s/    brolga__reclaim_unseen(got, watermark);/    brolga__reclaim_unseen(got, UINT64_MAX - 1);/
