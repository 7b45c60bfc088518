# breaks: more versions live than are allowed
# file: src/got/check.c
# tests: got_test_check got_test_commit
s/got->version_count >= got->opts.versions_max/got->version_count > UINT32_MAX - 1/
