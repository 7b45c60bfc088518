# breaks: who waits in a channel to receive keeps room for the old type
# file: src/chan/retype.c
# tests: chan_test_retype
s/    size_t waiting = others_waiting(chan);/    size_t waiting = others_waiting(chan) * 0;/
