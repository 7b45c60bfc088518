# breaks: a table that members may be in is freed
# file: src/got/version.c
# tests: got_test_view got_test_reclaim
s/           brolga__epoch_passed(got->epoch, version->replaced_round) &&/           version->replaced_round != UINT64_MAX \&\&/
