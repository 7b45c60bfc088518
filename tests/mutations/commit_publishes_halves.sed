# breaks: the version is current before its table is filled
# file: src/got/commit.c
# tests: race_calls got_test_commit
s/        apply_definition(&txn->defs\[i\], next, past);/        brolga__store_release(\&txn->got->current, next),\n            apply_definition(\&txn->defs[i], next, past);/
