/*
 * Rounds of the epoch: src/epoch/round.c, edges A to D.
 *
 * Two retirers each unlink an object, begin a round, wait until it has passed
 * and free the object. Two members read links and use what they find; between
 * two uses they quiesce, or go offline and online again.
 *
 * Spin's memory is sequentially consistent. Weaker memory is modelled where
 * the code relies on an order: a plain or relaxed store waits in its writer's
 * buffer (`late_link`, `late_round`, `late_seen`) until a release store or a
 * read-modify-write of that writer flushes it, or a drain step happens; a
 * load that nothing orders after another is done before it.
 *
 * expect: no use of a freed object; every retirer ends.
 *
 * break: RELAXED_ROUND     edge A, the waiter's end: the RMW does not release
 * break: RELAXED_POLL      edge A, the member's end: it does not acquire
 * break: RELAXED_ANNOUNCE  edge B: `seen` is stored before the last use is over
 * break: RELAXED_OFFLINE   edge B, the same on the way offline
 * break: NO_ONLINE_RMW     edge C, the member's end: a store, no RMW
 * break: NO_WAITER_RMW     edge C, the waiter's end: a store, no RMW
 * break: LOST_ROUND        edge D: a load and a store in place of the RMW
 * break: NO_WAIT           the object is freed without a grace period
 * break: CHECK_FIRST       members that come online first are not awaited
 */
#define MEMBERS 2
#define RETIRERS 2
#define STEPS 3

byte round = 1;
byte seen[MEMBERS]; /* 0: offline. */
bool linked[RETIRERS] = true;
bool freed[RETIRERS];

/* Stores that only their writer knows of yet. */
bool late_link[RETIRERS];
byte late_round[RETIRERS]; /* 0: none */
byte late_seen[MEMBERS];   /* 0: none */

inline flush_member(m)
{
    if
    :: late_seen[m] != 0 ->
        seen[m] = late_seen[m];
        late_seen[m] = 0
    :: else
    fi
}

inline flush_link(r)
{
    if
    :: late_link[r] ->
        linked[r] = false;
        late_link[r] = false
    :: else
    fi
}

inline flush_round(r)
{
    if
    :: late_round[r] != 0 ->
        round = (late_round[r] > round -> late_round[r] : round);
        late_round[r] = 0
    :: else
    fi
}

/* --- the member ------------------------------------------------------------ */

inline load_link()
{
    atomic {
        if
        :: which = 0
        :: which = 1
        fi;
        found = linked[which]
    }
}

inline use()
{
    atomic {
        assert(!(found && freed[which]));
        /* Dead from here on; one value keeps the number of states down. */
        found = false;
        which = 0
    }
}

/* One critical section, its load apart from its use. */
inline section()
{
    if
    :: early -> early = false /* Loaded already, before the last poll. */
    :: else -> load_link()
    fi;
    use_or_leave_it_to_later()
}

/* Without a release the store that follows may overtake the use. */
inline use_or_leave_it_to_later()
{
#if defined(RELAXED_ANNOUNCE) || defined(RELAXED_OFFLINE)
    skip
#else
    use()
#endif
}

inline quiesce()
{
#ifdef RELAXED_POLL
    /* The next section's load overtakes the load of `round`. */
    atomic { load_link(); early = true };
#endif
    now = round;
#ifndef RELAXED_ANNOUNCE
    if
    :: !early -> use()
    :: else
    fi;
#endif
    atomic { flush_member(me); seen[me] = now; now = 0 };
#ifdef RELAXED_ANNOUNCE
    use()
#endif
}

inline go_offline()
{
#ifndef RELAXED_OFFLINE
    use();
#endif
    atomic { late_seen[me] = 0; seen[me] = 0 };
#ifdef RELAXED_OFFLINE
    use();
#endif
    early = false;
    found = false
}

inline go_online()
{
    late_seen[me] = round;
#ifdef CHECK_FIRST
    load_link();
    early = true;
#endif
#ifndef NO_ONLINE_RMW
    atomic { flush_member(me); round = round + 0 }
#endif
}

proctype member(byte me)
{
    byte step, which, now;
    bool found, early;

    go_online();
    do
    :: step < STEPS ->
        step++;
        section();
        if
        :: quiesce()
        :: go_offline();
           go_online()
        fi
    :: step == STEPS -> break
    od;
    go_offline()
}

/* --- the retirer ------------------------------------------------------------ */

inline begin_round(r)
{
#if defined(RELAXED_ROUND)
    atomic { round++; mine = round }
#elif defined(NO_WAITER_RMW)
    atomic { mine = round + 1; late_round[r] = mine }
#elif defined(LOST_ROUND)
    mine = round + 1;
    atomic { flush_link(r); round = mine }
#else
    atomic { flush_link(r); round++; mine = round }
#endif
}

inline wait_until_passed(r)
{
    byte m = 0;
    do
    :: m < MEMBERS ->
        (seen[m] == 0 || seen[m] >= mine) -> m++
    :: m == MEMBERS -> break
    od
}

proctype retirer(byte r)
{
    byte mine;

    late_link[r] = true;
    begin_round(r);
#ifndef NO_WAIT
    wait_until_passed(r);
#endif
    freed[r] = true
}

/* The buffers drain by themselves, each store in its own time. */
active proctype memory()
{
end:
    do
    :: atomic { late_link[0] -> flush_link(0) }
    :: atomic { late_link[1] -> flush_link(1) }
    :: atomic { late_round[0] != 0 -> flush_round(0) }
    :: atomic { late_round[1] != 0 -> flush_round(1) }
    :: atomic { late_seen[0] != 0 -> flush_member(0) }
    :: atomic { late_seen[1] != 0 -> flush_member(1) }
    od
}

init
{
    atomic {
        run member(0);
        run member(1);
        run retirer(0);
        run retirer(1)
    }
}
