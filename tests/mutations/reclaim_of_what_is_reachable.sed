# breaks: units that others can call through a removed slot are released
# file: src/got/reclaim.c
# tests: got_test_reclaim
/^static bool reachable/,/^}/s/            return true;/            return false;/
