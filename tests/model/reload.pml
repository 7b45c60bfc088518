/*
 * Reloading: publish, adopt, retire, reclaim. src/got/{view,version,reclaim}.c
 * and the safepoints of src/tasks.
 *
 * A committer publishes VERSIONS versions one after the other; each maps to
 * the unit of the one before or to a new unit. Tasks call through their views,
 * return, pass safepoints, park, make closures and hand them to each other.
 * The reclaimer frees tables and units. Task 1 may stay in its version across
 * safepoints and parks, and holds it from when it adopts it. A step that is atomic here touches one shared word, or words
 * that only its process writes.
 *
 * Tables: freed when not current, when a round that began after the
 * replacement has passed, and when no task holds them.
 *
 * Units: suspect when every version that maps them is freed and no closure
 * pins them. A watermark is the stamp up to which a task's stack is clean: all
 * of it at a top safepoint, what a scan did not find otherwise. A unit whose
 * stamp is below all watermarks, and that was not pinned meanwhile, is taken
 * off the index, and freed one grace period later.
 *
 * expect: no load from a freed table, no frame in a freed unit, no look at a
 * freed unit's record; no view goes back; in the end everything old is freed
 * (otherwise spin finds an invalid end state).
 *
 * Tables:
 * break: NO_GRACE                the round is not waited for
 * break: ROUND_BEFORE_CURRENT    the round begins before the table is current
 * break: CURRENT_BEFORE_ROUND    a safepoint loads the table, then the round
 * break: ANNOUNCE_BEFORE_ADOPT   a call comes between announcing and adopting
 * break: HOLD_AFTER_ANNOUNCE     who stays holds it only after announcing
 * break: STAY_AFTER_PARK         who stays holds it only from then on
 * break: NO_HOLD                 holds are not looked at
 * Units:
 * break: CHECK_ONLY_LAST_VERSION older versions that map the unit are forgotten
 * break: INNER_AS_TOP            an inner safepoint does not scan the stack
 * break: SCAN_WHILE_RUNNING      the scan does not see the innermost frame
 * break: STAMP_OF_NOW            a scan takes the newest stamp, not its set's
 * break: NO_WATERMARK            stacks are not looked at
 * break: NO_PINS                 closures do not keep a unit
 * break: NO_PIN_TOTAL            a closure that came and went is not noticed
 * break: SPLIT_PIN               a pin counts as made, then pins: two words
 * break: SPLIT_READ              so too, but the reader has the wrong order
 * break: STAMP_BEFORE_PINS       the stamp is drawn before the pins are read
 * break: PINS_BEFORE_WATERMARKS  the last check is made in this order
 * break: NO_FINAL_GRACE          the record goes while it may be looked at
 */
#define TASKS 2

/*
 * Two worlds, so that the search stays small; it begins in either. FRAMES has
 * three versions, tasks that stay and tasks that park, and every word of a
 * safepoint in its own time. CLOSURES has two versions, closures, and an index
 * that is read without a lock; its safepoints are one step.
 */
mtype = { FRAMES, CLOSURES };
mtype world;
#define VERSIONS (world == FRAMES -> 3 : 2) /* From 1; so are units. */
#define STEPS(t) (world == CLOSURES -> (t == 0 -> 3 : 6) : (t == 0 -> 2 : 3))
#define DEPTH(t) (world == FRAMES && t == 0 -> 1 : 2)

mtype = { RUNNING, PARKED, SCANNING, ENDED };
mtype = { UNUSED, LIVE, SUSPECT, CLEAN, FREED };

/* --- shared ----------------------------------------------------------------- */

byte round = 1;
byte current = 1;
byte maps[4];            /* version -> unit */
byte replaced_round[4];  /* version -> round; 0 while current */
bool table_freed[4];
byte holds[4];

mtype unit_state[4];
bool listed[4];          /* In an index that is read without a lock. */
byte pins[4];
byte pins_made[4];
byte stamp;
byte set;                /* The suspects, by bit. */
byte set_stamp;          /* What a stack clean of them is clean up to. */

byte seen[TASKS];        /* 0: offline. */
byte watermark[TASKS];
mtype permit[TASKS] = RUNNING;
byte depth[TASKS];
byte outer[TASKS];       /* The units of the first and the second frame. */
byte inner[TASKS];

byte box;                /* A closure on its way, as the unit of its code. */
byte closures = 1;      /* To be made. */
bool committed;          /* The committer has ended. */

#define is_freed(u) (unit_state[u] == FREED)
#define frame(t) (depth[t] == 2 -> inner[t] : outer[t])
#define in_set(u) ((u) != 0 && (set & (1 << (u))) != 0)
#define passed_by(t, r) (seen[t] == 0 || seen[t] >= (r))
#define passed(r) (passed_by(0, r) && passed_by(1, r))

/* --- the committer ---------------------------------------------------------- */

proctype committer()
{
    byte next, unit;

    do
    :: current < VERSIONS ->
        atomic {
            next = current + 1;
            if
            :: world == FRAMES -> unit = maps[current]
            :: unit = next; unit_state[unit] = LIVE; listed[unit] = true
            fi;
            maps[next] = unit;
#ifndef ROUND_BEFORE_CURRENT
            current = next
#endif
        };
        atomic { round++; replaced_round[next - 1] = round };
#ifdef ROUND_BEFORE_CURRENT
        current = next;
#endif
        atomic { next = 0; unit = 0 }
    :: else -> break
    od;
    committed = true
}

/* --- a task ------------------------------------------------------------------- */

inline push(t, unit)
{
    if
    :: depth[t] == 0 -> outer[t] = unit
    :: else -> inner[t] = unit
    fi;
    depth[t]++;
    assert(!is_freed(unit))
}

inline pop(t)
{
    assert(!is_freed(frame(t)));
    if
    :: depth[t] == 2 -> inner[t] = 0
    :: else -> outer[t] = 0
    fi;
    depth[t]--
}

#define may_stay(t) (world == FRAMES && t == 1)

inline hold(t)
{
    if
    :: may_stay(t) && !held -> holds[view]++; held = true
    :: else
    fi
}

inline unhold(t)
{
    if
    :: held -> holds[view]--; held = false
    :: else
    fi
}

inline adopt(t)
{
    assert(newest >= view);
    unhold(t);
    view = newest;
#if !defined(HOLD_AFTER_ANNOUNCE) && !defined(STAY_AFTER_PARK)
    hold(t)
#endif
}

#ifdef STAMP_OF_NOW
#define SCAN_STAMP stamp
#else
#define SCAN_STAMP set_stamp
#endif

/* The watermark of a stack that the caller may read: all its frames are on
 * it. `clean` is scratch. */
inline scan(t)
{
#ifdef INNER_AS_TOP
    clean = true;
#else
    clean = !in_set(outer[t]) && !in_set(inner[t]);
#endif
    if
    :: clean && SCAN_STAMP > watermark[t] -> watermark[t] = SCAN_STAMP
    :: else
    fi;
    clean = false
}

inline raise_watermark(t)
{
    if
    :: depth[t] == 0 -> watermark[t] = stamp
    :: else -> scan(t)
    fi
}

inline look_at_round_and_table()
{
#ifdef CURRENT_BEFORE_ROUND
    newest = current;
    now = round;
#else
    now = round;
    newest = current;
#endif
}

/* Whether the task keeps its view. */
inline choose(t)
{
    if
    :: stays = false
    :: may_stay(t) && newest != view -> stays = true
    fi
}

inline safepoint(t)
{
    look_at_round_and_table();
    atomic {
        choose(t);
#ifndef ANNOUNCE_BEFORE_ADOPT
        if
        :: !stays -> adopt(t)
        :: else
        fi;
#endif
#ifdef STAY_AFTER_PARK
        if
        :: stays -> hold(t)
        :: else
        fi;
#endif
        raise_watermark(t)
    };
    seen[t] = now;
#ifdef HOLD_AFTER_ANNOUNCE
    if
    :: stays -> atomic { hold(t) }
    :: else
    fi;
#endif
#ifdef ANNOUNCE_BEFORE_ADOPT
    if
    :: !stays -> atomic { assert(!table_freed[view]); adopt(t) }
    :: else
    fi;
#endif
    /* What was looked up is forgotten, too. */
    atomic { now = 0; newest = 0; stays = false; record = 0 }
}

/* The same in one step, for a world that looks at other things. */
inline safepoint_at_once(t)
{
    atomic {
        newest = current;
        adopt(t);
        raise_watermark(t);
        seen[t] = round;
        newest = 0;
        record = 0
    }
}

/* While it is parked nobody waits for it; it adopts before it goes on. */
inline park(t)
{
    atomic { seen[t] = 0; permit[t] = PARKED };
    atomic { permit[t] == PARKED -> permit[t] = RUNNING; seen[t] = round };
    safepoint(t)
}

/* The frame's code makes a closure over itself and gives it away. A pin and
 * the number of pins ever made are halves of one word. */
inline make_closure(t)
{
#if defined(SPLIT_PIN)
    pins_made[frame(t)]++;
    pins[frame(t)]++;
    box = frame(t)
#elif defined(SPLIT_READ)
    pins[frame(t)]++;
    pins_made[frame(t)]++;
    box = frame(t)
#else
    atomic { pins[frame(t)]++; pins_made[frame(t)]++; box = frame(t) }
#endif
}

inline call_through_view(t)
{
    atomic {
        assert(!table_freed[view]);
        push(t, maps[view])
    }
}

inline step_of(t)
{
    if
    :: depth[t] < DEPTH(t) -> call_through_view(t)
    :: depth[t] > 0 -> atomic { pop(t) }
    :: world == FRAMES -> safepoint(t)
    :: world == FRAMES && t == 1 -> park(t)
    :: world == CLOSURES -> safepoint_at_once(t)
    :: atomic {
           world == CLOSURES && t == 0 && depth[t] > 0 && closures > 0 ->
           closures--
       };
        make_closure(t)
    :: atomic { box != 0 && t == 1 -> closure = box; box = 0 }
    :: atomic { closure != 0 && depth[t] < 2 -> push(t, closure) }
    :: atomic { closure != 0 -> pins[closure]--; closure = 0 }
    :: atomic { world == CLOSURES && t == 0 && listed[1] -> record = 1 }
    fi
}

/* Whatever a task does, it does in code that is there. */
inline still_there(t)
{
    assert(depth[t] == 0 || !is_freed(frame(t)));
    assert(record == 0 || !is_freed(record))
}

proctype task(byte t)
{
    byte view = 1, now, newest, closure, record, steps;
    bool held, stays, clean;

#if !defined(HOLD_AFTER_ANNOUNCE) && !defined(STAY_AFTER_PARK)
    atomic { hold(t) };
#endif
    do
    :: atomic { steps < STEPS(t) -> steps++; still_there(t) };
        step_of(t)
    :: atomic { steps == STEPS(t) -> still_there(t) }; break
    od;
    do
    :: depth[t] > 0 -> atomic { pop(t) }
    :: depth[t] == 0 -> break
    od;
    atomic {
        if
        :: closure != 0 -> pins[closure]--; closure = 0
        :: else
        fi;
        unhold(t);
        seen[t] = 0;
        permit[t] = ENDED;
        watermark[t] = 0;
        view = 0;
        record = 0;
        steps = 0
    }
}

/* --- the reclaimer: tables ---------------------------------------------------- */

#ifdef NO_GRACE
#define table_passed(v) true
#else
#define table_passed(v) passed(replaced_round[v])
#endif
#ifdef NO_HOLD
#define table_held(v) false
#else
#define table_held(v) (holds[v] != 0)
#endif

#define table_is_old(v) (!table_freed[v] && replaced_round[v] != 0)
#define table_may_go(v) (table_is_old(v) && table_passed(v) && !table_held(v))

/* --- the reclaimer: units ------------------------------------------------------- */

/* Whether version v keeps unit u: it was published, maps it, is not freed. */
#define keeps(v, u) (v <= current && maps[v] == u && !table_freed[v])
#ifdef CHECK_ONLY_LAST_VERSION
#define mapped(u)                                                              \
    (maps[3] == u -> keeps(3, u) : (maps[2] == u -> keeps(2, u) : keeps(1, u)))
#else
#define mapped(u) (keeps(1, u) || keeps(2, u) || keeps(3, u))
#endif

#ifdef NO_PINS
#define pinned(u) false
#else
#define pinned(u) (pins[u] != 0)
#endif
#ifdef NO_PIN_TOTAL
#define repinned(u) false
#else
#define repinned(u) (pins_made[u] != made_at_death[u])
#endif
#ifdef NO_WATERMARK
#define clean_in(t, u) true
#else
#define clean_in(t, u) (permit[t] == ENDED || watermark[t] >= dead_stamp[u])
#endif

#define clean_everywhere(u) (clean_in(0, u) && clean_in(1, u))

inline publish_set(u)
{
    atomic {
        set = set | (1 << u);
        set_stamp = stamp;
        unit_state[u] = SUSPECT
    }
}

inline draw_stamp(u)
{
    atomic { stamp++; dead_stamp[u] = stamp }
}

inline read_pins(u)
{
#ifdef SPLIT_READ
    found_pinned = pinned(u);
    made_at_death[u] = pins_made[u];
#else
    atomic {
        made_at_death[u] = pins_made[u];
        found_pinned = pinned(u)
    }
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
    if
    :: !found_pinned -> publish_set(u)
    :: else
    fi;
    found_pinned = false
}

inline last_check(u)
{
    again = repinned(u) || pinned(u);
#ifdef PINS_BEFORE_WATERMARKS
    again = again || !clean_everywhere(u);
#endif
    atomic {
        if
        :: again ->
            unit_state[u] = LIVE;
            set = set & ~(1 << u)
        :: else ->
            unit_state[u] = CLEAN;
            listed[u] = false
        fi;
        again = false
    };
    if
    :: unit_state[u] == CLEAN ->
        atomic { round++; final_round[u] = round }
    :: else
    fi
}

#ifdef NO_FINAL_GRACE
#define unit_passed(u) true
#else
#define unit_passed(u) passed(final_round[u])
#endif

#define may_be_suspect(u) (unit_state[u] == LIVE && !mapped(u) && !pinned(u))
#ifdef PINS_BEFORE_WATERMARKS
#define may_be_clean(u) (unit_state[u] == SUSPECT)
#else
#define may_be_clean(u) (unit_state[u] == SUSPECT && clean_everywhere(u))
#endif
#define may_go(u) (unit_state[u] == CLEAN && unit_passed(u))

inline free_unit(u)
{
    unit_state[u] = FREED;
    set = set & ~(1 << u);
    dead_stamp[u] = 0;
    final_round[u] = 0;
    made_at_death[u] = 0
}

/* --- the reclaimer: stacks of parked tasks ----------------------------------------- */

#define is_behind(t) (set != 0 && watermark[t] < set_stamp)

inline scan_parked(t)
{
    atomic { scan(t) };
    permit[t] = PARKED
}

/* The stack of a running task, as memory shows it: without what is in its
 * registers, the innermost frame. */
inline scan_running(t)
{
    if
    :: depth[t] < 2 || !in_set(outer[t]) -> watermark[t] = set_stamp
    :: else
    fi
}

/* --- the reclaimer ---------------------------------------------------------------- */

#define is_done(u) (unit_state[u] == FREED || unit_state[u] == UNUSED ||       \
                    u == maps[VERSIONS])
#define all_ended                                                              \
    (committed && permit[0] == ENDED && permit[1] == ENDED && box == 0)
#define all_freed                                                              \
    (table_freed[1] && (VERSIONS == 2 || table_freed[2]) && is_done(1) &&      \
     is_done(2) && is_done(3))

proctype reclaimer()
{
    byte dead_stamp[4], made_at_death[4], final_round[4];
    bool again, found_pinned, clean;

    do
    :: atomic { table_may_go(1) -> table_freed[1] = true }
    :: atomic { table_may_go(2) -> table_freed[2] = true }

    :: atomic { world == FRAMES && may_be_suspect(1) -> make_suspect(1) }
    :: atomic { world == FRAMES && may_be_suspect(2) -> make_suspect(2) }
    :: world == CLOSURES && may_be_suspect(1) -> make_suspect(1)

#ifdef SCAN_WHILE_RUNNING
    :: atomic { permit[0] == RUNNING && is_behind(0) -> scan_running(0) }
    :: atomic { permit[1] == RUNNING && is_behind(1) -> scan_running(1) }
#endif
    :: atomic { permit[0] == PARKED && is_behind(0) -> permit[0] = SCANNING };
        scan_parked(0)
    :: atomic { permit[1] == PARKED && is_behind(1) -> permit[1] = SCANNING };
        scan_parked(1)

    :: atomic { world == FRAMES && may_be_clean(1) -> last_check(1) }
    :: atomic { world == FRAMES && may_be_clean(2) -> last_check(2) }
    :: world == CLOSURES && may_be_clean(1) -> last_check(1)

    :: atomic { may_go(1) -> free_unit(1) }
    :: atomic { may_go(2) -> free_unit(2) }

    :: all_ended && all_freed -> break
    od
}

/* A closure that nobody took. */
proctype host()
{
    atomic {
        permit[0] == ENDED && permit[1] == ENDED;
        if
        :: box != 0 -> pins[box]--; box = 0
        :: else
        fi
    }
}

init
{
    atomic {
        if
        :: world = CLOSURES
        :: world = FRAMES
        fi;
        unit_state[0] = UNUSED;
        unit_state[1] = LIVE;
        unit_state[2] = UNUSED;
        unit_state[3] = UNUSED;
        listed[1] = true;
        maps[1] = 1;
        seen[0] = 1;
        seen[1] = 1;
        run task(0);
        run task(1);
        run committer();
        run reclaimer();
        run host()
    }
}
