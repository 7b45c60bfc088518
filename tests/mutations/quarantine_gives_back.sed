# breaks: what is in quarantine is free at once
# file: src/stress.c
# tests: base_test_stress
/^static void take/,/^}/s/    \*place = (struct piece){base, bytes};/    *place = oldest;\n    oldest = (struct piece){base, bytes};/
