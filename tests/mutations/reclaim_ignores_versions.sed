# breaks: a unit that a version maps is a suspect
# file: src/got/reclaim.c
# tests: got_test_reclaim race_reclaim
/^static bool version_alive/,/^}/s/    return brolga__version_any/    return false \&\& brolga__version_any/
