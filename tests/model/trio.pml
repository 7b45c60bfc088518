/*
 * Three tasks, three versions, two slots, pins, and stacks that are searched:
 * all of reloading at once, where reload.pml looks closer at parts of it.
 *
 * Version 1 has units 1 and 2 behind its slots; 2 replaces unit 1 by 3, and 3
 * replaces unit 2 by 4. The *caller* calls both slots between two safepoints.
 * The *sleeper* parks in a frame of the first slot's unit, where the reclaimer
 * searches its stack. The *keeper* makes a closure over the second slot's unit
 * in a frame of it, returns, calls the closure later, and drops it while it
 * runs. The committer fills a table entry by entry, makes it current, and
 * begins a round (got/commit.c). The reclaimer is got/reclaim.c's, in steps.
 *
 * Expected: what is called is there, and of one version; nobody runs in a unit
 * that is freed, or reads a table that is; no view goes back; in the end all
 * that is old is freed (otherwise spin finds an invalid end state).
 *
 * break: HALVES            a table is current before it is full
 * break: ROUND_FIRST       the round begins before the table is current
 * break: NO_ROUND_WAIT     a table goes without a look at who has seen the round
 * break: TABLE_FIRST       a safepoint loads the table, then the round
 * break: ANNOUNCE_FIRST    it announces the round, then adopts
 * break: NO_ADOPT          a task that was parked runs on in its old version
 * break: NO_VERSIONS       a unit is a suspect while a version maps it
 * break: NO_WATERMARKS     stacks are not looked at
 * break: INNER_AS_TOP      who has a frame counts as clean
 * break: SCAN_OF_RUNNING   the stack of one that runs is read, without registers
 * break: STAMP_OF_NOW      a look gets a stamp newer than what it looked for
 * break: STALE_STAMP       a unit dies with the stamp that there is
 * break: NO_PINS           closures do not keep a unit
 * break: NO_PIN_TOTAL      a closure that came and went is not noticed
 * break: PIN_LATE          a closure is given away before it pins
 * break: STAMP_BEFORE_PINS the stamp is drawn before the pins are read
 * break: PINS_FIRST        the last check looks at pins, then at stacks
 */
mtype = { RUNNING, PARKED, SCANNING, ENDED };
mtype = { LIVE, SUSPECT, FREED };

byte round = 1;
byte current = 1;
byte table[8];          /* 2 * version + slot -> unit; 0: not filled in. */
byte replaced[4];       /* version -> the round that replaced it. */
bool table_freed[4];

mtype unit_state[5] = LIVE;
byte dead_stamp[3];     /* Of units 1 and 2, which get old. */
byte made_at_death[3];
byte pins[5];
byte made[5];           /* Pins, ever. */
byte stamp;
byte set_stamp;         /* Of the suspects that stacks are searched for. */

byte seen[3] = 1;       /* 0: offline. */
byte watermark[3];
byte frame[3];          /* The unit in whose code the task is, or 0. */
byte scanned[3];        /* What a look at the stack has read. */
mtype permit[3] = RUNNING;
bool committed;

#define is_suspect(u) ((u) != 0 && (u) < 3 && unit_state[u] == SUSPECT)
#define passed_by(t, r) (seen[t] == 0 || seen[t] >= (r))
#define passed(r) (passed_by(0, r) && passed_by(1, r) && passed_by(2, r))

/* --- commits ---------------------------------------------------------------- */

inline commit(next, changed, unit)
{
#ifdef HALVES
    current = next;
#endif
    atomic { table[2 * next + 1 - changed] = table[2 * next - 1 - changed] };
    table[2 * next + changed] = unit;
#ifdef ROUND_FIRST
    atomic { round++; replaced[next - 1] = round };
    current = next
#else
    current = next;
    atomic { round++; replaced[next - 1] = round }
#endif
}

proctype committer()
{
    commit(2, 0, 3);
    commit(3, 1, 4);
    committed = true
}

/* --- tasks ------------------------------------------------------------------ */

#ifdef STAMP_OF_NOW
#define LOOK_STAMP stamp
#else
#define LOOK_STAMP set_stamp
#endif

inline take_clean(t)
{
    if
    :: LOOK_STAMP > watermark[t] -> watermark[t] = LOOK_STAMP
    :: else
    fi
}

inline raise_watermark(t)
{
    if
    :: frame[t] == 0 -> watermark[t] = stamp
#ifdef INNER_AS_TOP
    :: else -> watermark[t] = stamp
#else
    :: frame[t] != 0 && !is_suspect(frame[t]) -> take_clean(t)
    :: frame[t] != 0 && is_suspect(frame[t])
#endif
    fi
}

inline adopt(t)
{
    atomic {
        assert(newest >= view);
        view = newest;
        raise_watermark(t)
    }
}

inline safepoint(t)
{
#ifdef TABLE_FIRST
    newest = current;
    now = round;
#else
    now = round;
    newest = current;
#endif
#ifdef ANNOUNCE_FIRST
    seen[t] = now;
    assert(!table_freed[view]);
    adopt(t);
#else
    adopt(t);
    seen[t] = now;
#endif
    atomic { now = 0; newest = 0 }
}

inline enter(t, unit)
{
    frame[t] = unit;
    assert(unit_state[frame[t]] != FREED)
}

inline call(t, slot)
{
    atomic {
        assert(!table_freed[view]);
        assert(table[2 * view + slot] != 0);
        enter(t, table[2 * view + slot])
    }
}

inline leave(t)
{
    atomic { assert(unit_state[frame[t]] != FREED); frame[t] = 0 }
}

inline end(t)
{
    atomic { seen[t] = 0; permit[t] = ENDED; view = 0 }
}

proctype caller()
{
    byte view = 1, now, newest, first;

    call(0, 0);
    leave(0);
    safepoint(0);
    call(0, 0);
    first = frame[0];
    leave(0);
    call(0, 1);
    assert(!(first == 1 && frame[0] == 4)); /* In no version. */
    atomic { leave(0); first = 0; end(0) }
}

/* While it is parked nobody waits for it; it adopts before it goes on. */
proctype sleeper()
{
    byte view = 1, now, newest;

    call(1, 0);
    atomic { seen[1] = 0; permit[1] = PARKED };
    atomic { permit[1] == PARKED -> permit[1] = RUNNING; seen[1] = round };
#ifndef NO_ADOPT
    safepoint(1);
#endif
    leave(1);
    call(1, 0);
    atomic { leave(1); end(1) }
}

proctype keeper()
{
    byte view = 1, now, newest, closure;

    call(2, 1);
    safepoint(2);
#ifdef PIN_LATE
    closure = frame[2];
    leave(2);
    safepoint(2);
    atomic { pins[closure]++; made[closure]++ };
#else
    atomic {
        closure = frame[2];
        pins[closure]++;
        made[closure]++
    };
    leave(2);
    safepoint(2);
#endif
    safepoint(2);
    atomic { enter(2, closure) };
    atomic { pins[closure]--; closure = 0 };
    safepoint(2);
    leave(2);
    safepoint(2);
    atomic { end(2) }
}

/* --- the reclaimer ---------------------------------------------------------- */

#ifdef NO_ROUND_WAIT
#define may_go(v) (!table_freed[v] && replaced[v] != 0)
#else
#define may_go(v)                                                              \
    (!table_freed[v] && replaced[v] != 0 && passed(replaced[v]))
#endif

/* Unit 1 is in version 1, unit 2 in the first two. */
#ifdef NO_VERSIONS
#define mapped(u) (current <= (u))
#else
#define mapped(u)                                                              \
    (current <= (u) || !table_freed[1] || ((u) == 2 && !table_freed[2]))
#endif
#ifdef NO_PINS
#define pinned(u) false
#else
#define pinned(u) (pins[u] != 0)
#endif
#ifdef NO_PIN_TOTAL
#define pinned_since(u) pinned(u)
#else
#define pinned_since(u) (pinned(u) || made[u] != made_at_death[u])
#endif
#ifdef NO_WATERMARKS
#define clean_in(t, u) true
#else
#define clean_in(t, u) (permit[t] == ENDED || watermark[t] >= dead_stamp[u])
#endif
#define clean_everywhere(u)                                                    \
    (clean_in(0, u) && clean_in(1, u) && clean_in(2, u))

inline read_pins(u)
{
    atomic { made_at_death[u] = made[u]; found = pinned(u) }
}

inline draw_stamp(u)
{
#ifdef STALE_STAMP
    dead_stamp[u] = stamp
#else
    atomic { stamp++; dead_stamp[u] = stamp }
#endif
}

inline make_suspect(u)
{
#ifdef STAMP_BEFORE_PINS
    draw_stamp(u);
    read_pins(u);
#else
    read_pins(u);
    draw_stamp(u);
#endif
    atomic {
        if
        :: !found -> unit_state[u] = SUSPECT; set_stamp = stamp
        :: else
        fi;
        found = false
    }
}

/* Whoever is clean, and not pinned since, is so for good. */
inline last_check(u)
{
#ifdef PINS_FIRST
    found = pinned_since(u);
    atomic {
        if
        :: !found && clean_everywhere(u) -> unit_state[u] = FREED
        :: found -> unit_state[u] = LIVE
        :: else
        fi;
        found = false
    }
#else
    atomic {
        if
        :: pinned_since(u) -> unit_state[u] = LIVE
        :: else -> unit_state[u] = FREED
        fi
    }
#endif
}

#ifdef PINS_FIRST
#define may_check(u) (unit_state[u] == SUSPECT)
#else
#define may_check(u) (unit_state[u] == SUSPECT && clean_everywhere(u))
#endif

#define may_suspect(u) (unit_state[u] == LIVE && !mapped(u) && !pinned(u))
#define any_suspect (unit_state[1] == SUSPECT || unit_state[2] == SUSPECT)
#define all_ended                                                              \
    (committed && permit[0] == ENDED && permit[1] == ENDED &&                  \
     permit[2] == ENDED)
#define all_freed                                                              \
    (table_freed[1] && table_freed[2] && unit_state[1] == FREED &&             \
     unit_state[2] == FREED)

/* The look at a stack reads it, and then concludes. */
inline look_at_parked(t)
{
    scanned[t] = frame[t];
    atomic {
        if
        :: !is_suspect(scanned[t]) -> take_clean(t)
        :: else
        fi;
        scanned[t] = 0;
        permit[t] = PARKED
    }
}

proctype reclaimer()
{
    bool found;

    do
    :: atomic { may_go(1) -> table_freed[1] = true }
    :: atomic { may_go(2) -> table_freed[2] = true }
    :: atomic { may_suspect(1) }; make_suspect(1)
    :: atomic { may_suspect(2) }; make_suspect(2)
#ifdef SCAN_OF_RUNNING
    :: atomic {
           any_suspect && permit[1] == RUNNING && watermark[1] < set_stamp ->
           watermark[1] = set_stamp
       }
#endif
    :: atomic {
           permit[1] == PARKED && any_suspect && watermark[1] < set_stamp ->
           permit[1] = SCANNING
       };
        look_at_parked(1)
    :: atomic { may_check(1) }; last_check(1)
    :: atomic { may_check(2) }; last_check(2)
    :: atomic { all_ended && all_freed } -> break
    od
}

init
{
    atomic {
        table[2] = 1;
        table[3] = 2;
        run committer();
        run caller();
        run sleeper();
        run keeper();
        run reclaimer()
    }
}
