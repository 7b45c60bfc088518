#!/usr/bin/env bash
# Goal: state survives edits of its module, is migrated when its type changes,
# and a reload that would lose it is refused and says what to do; hooks may veto.
# Method: a counter whose count is in a module, edited as a person would.
. "$(dirname "$0")/lib.sh"

mkdir app
module app/main.c <<'END'
#include <stdio.h>
BROLGA_MODULE(main, .policy = BROLGA_RECLAIM);
BROLGA_IMPORT(count, long, count, (void), ());
BROLGA_MAIN(argc, argv)
{
    do {
        printf("%ld\n", count());
        fflush(stdout);
    } while (brolga_sleep_until(brolga_after_ns(20 * BROLGA_MS)) == BROLGA_OK);
    return 0;
}
END
module app/count.c <<'END'
#include <stdio.h>
BROLGA_MODULE(count, .policy = BROLGA_RECLAIM);
struct totals { int calls; };
BROLGA_STATE(struct totals, totals) = {.calls = 5000};
BROLGA_EXPORT(long, count, (void))
{
    return ++totals->calls;
}
END

start --json=events app
wait_for out '^5002$'
wait_for events '"event":"reloaded",.*"states":\[\{"module":"count","name":"totals","what":"new"\}\]'

# The same layout: it goes on.
edit app/count.c 's/return .*;/return (++totals->calls) * 10L;/'
wait_for err '^v3 +count '
wait_for out '^5[0-9]{3}0$'

# Another one, without a migration: refused, and what to do.
edit app/count.c 's/int calls;/long calls, errors;/'
wait_for err "count\.c:5: state 'totals' has another layout: 'errors', long( int)? at 8, is new"
wait_for err 'BROLGA_MIGRATE\(totals, old_type, from, struct totals, to\)'
wait_for events '"event":"refused",.*"refusal":"state"'

# With one.
edit app/count.c 's/^BROLGA_EXPORT/struct totals_v1 { int calls; };\
BROLGA_MIGRATE(totals, struct totals_v1, from, struct totals, to)\
{\
    to->calls = from->calls + 1000000;\
    return BROLGA_OK;\
}\
&/'
wait_for err '^state totals of count migrated$'
wait_for err '^v4 +count '
wait_for out '^10050[0-9]{3}0$|^1005[0-9]{4}$'
wait_for events '"event":"reloaded",.*"what":"migrated","steps":1\}.*"waited_ns":[0-9]+,"stood_ns":[0-9]+'

# No way back, so nothing is lost.
"$brolga" ctl --pid "$pid" rollback >answer 2>&1 && fail "taken back"
has answer "state 'totals' has another layout"

# A veto, which lasts until the hook is content.
cat >>app/count.c <<'END'
BROLGA_BEFORE_RELOAD(why, bytes)
{
    static int asked;
    if (asked++ == 0)
        return snprintf(why, bytes, "an order is open");
    return BROLGA_OK;
}
END
wait_for err '^v5 +count '
edit app/count.c 's/\* 10L/* 100L/'
wait_for err '^count objects: an order is open$'
wait_for events '"event":"refused",.*"refusal":"veto".*"hook":"count"'
edit app/count.c 's/\* 100L/* 1000L/'
wait_for err '^v6 +count '
wait_for out '^1005[0-9]{6}$'
stop INT 130
clean_tmp
