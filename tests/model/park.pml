/*
 * Parking: the permit of a task, src/tasks/wait.c.
 *
 * One task waits for WAKERS events: it takes those it sees and parks when it
 * sees none. Each waker makes its event and unparks the task. Two carriers
 * take the task from the queue of ready tasks and run it. The reclaimer scans
 * its stack while it is parked.
 *
 * A park: the task leaves its stack, then its carrier moves the permit from
 * RUNNING to PARKED; if it was NOTIFIED meanwhile, the task runs again.
 *
 * A scan that finds no code of units ends in RESTING, and a bit beside it says
 * so to the reclaimer, which passes over the task for as long as it is set. A
 * report scans such a task, too.
 *
 * An event is a relaxed store that may stay in the waker's buffer until a
 * read-modify-write of the waker; so is the carrier's store of the permit in
 * the variant that has one. Everything else is sequentially consistent.
 *
 * expect: the task gets every event (otherwise spin finds an invalid end
 * state); it runs on one carrier at a time, never while it is being scanned,
 * and is never queued twice. While the bit is set it has not run since it was
 * scanned.
 *
 * break: DROP_NOTIFIED          an unpark of a running task is forgotten
 * break: NOTIFIED_WITHOUT_RMW   an unpark that finds NOTIFIED only looks
 * break: STORE_RUNNING          NOTIFIED is taken by a load and a store
 * break: PARK_BEFORE_SWITCH     PARKED is set while the stack is in use
 * break: DROP_SCANNING_NOTIFIED an unpark of a scanned task is forgotten
 * break: QUEUE_WHILE_SCANNING   an unpark of a scanned task queues it
 * break: QUEUE_TWICE            PARKED to RUNNING by a load and a store
 * break: SCAN_WHILE_RUNNING     the reclaimer does not take the permit
 * break: STORE_PARKED           after a scan: a store, not an exchange
 * break: QUEUE_RESTING_FIRST    a waker queues the task, then clears the bit
 * break: REST_FIRST             the bit is set after the permit says RESTING
 * break: REPORT_KEEPS_THE_BIT   a report takes the permit, and not the bit
 */
#define WAKERS 3
#define CARRIERS 2
#define SCANS 2

mtype = { RUNNING, NOTIFIED, PARKED, SCANNING, SCANNING_NOTIFIED, RESTING };

mtype permit = RUNNING;
byte queued = 1;      /* How often it stands in the queue. */
byte on_carrier;      /* On how many carriers' stacks it is now. */
bool scanned;         /* The reclaimer reads its stack. */
bool resting;         /* The bit. */
bool has_run;         /* Since it was scanned. */
bool event[WAKERS];
bool late_event[WAKERS];
bool late_running;    /* A store of RUNNING that is not visible yet. */
byte got;             /* Events that the task has taken. */
byte wakers = WAKERS; /* That have not ended. */

inline push()
{
    queued++;
    assert(queued + on_carrier <= 1)
}

/* --- unpark ------------------------------------------------------------------ */

inline flush_event(w)
{
    if
    :: late_event[w] ->
        event[w] = true;
        late_event[w] = false
    :: else
    fi
}

/* A compare-and-swap by waker w that may fail, as if another came between;
 * `done` tells. Acquire and release: flushes the waker's stores. */
inline cas(w, from, to)
{
    atomic {
        flush_event(w);
        if
        :: permit == from -> permit = to; done = true
        :: else
        fi
    }
}

inline unpark_parked(w)
{
#ifdef QUEUE_TWICE
    atomic { flush_event(w); permit = RUNNING };
    done = true;
#else
    cas(w, PARKED, RUNNING);
#endif
    if
    :: done -> atomic { push() }
    :: else
    fi
}

inline unpark_resting(w)
{
    cas(w, RESTING, RUNNING);
    if
    :: done ->
#ifdef QUEUE_RESTING_FIRST
        atomic { push() };
        resting = false
#else
        resting = false;
        atomic { push() }
#endif
    :: else
    fi
}

inline unpark_running(w)
{
#ifdef DROP_NOTIFIED
    atomic { flush_event(w); done = true }
#else
    cas(w, RUNNING, NOTIFIED)
#endif
}

inline unpark_notified(w)
{
#ifdef NOTIFIED_WITHOUT_RMW
    done = true
#else
    cas(w, NOTIFIED, NOTIFIED)
#endif
}

inline unpark_scanning(w)
{
#if defined(DROP_SCANNING_NOTIFIED)
    atomic { flush_event(w); done = true }
#elif defined(QUEUE_WHILE_SCANNING)
    cas(w, SCANNING, RUNNING);
    if
    :: done -> atomic { push() }
    :: else
    fi
#else
    cas(w, SCANNING, SCANNING_NOTIFIED)
#endif
}

proctype waker(byte w)
{
    mtype found;
    bool done;

    late_event[w] = true;
    do
    :: !done ->
        found = permit;
        if
        :: found == RUNNING -> unpark_running(w)
        :: found == NOTIFIED -> unpark_notified(w)
        :: found == PARKED -> unpark_parked(w)
        :: found == RESTING -> unpark_resting(w)
        :: found == SCANNING -> unpark_scanning(w)
        :: found == SCANNING_NOTIFIED ->
            cas(w, SCANNING_NOTIFIED, SCANNING_NOTIFIED)
        fi
    :: done -> break
    od;
    atomic { wakers--; done = false; found = 0 }
}

/* --- a carrier and the task on it -------------------------------------------- */

inline look_for_events()
{
    byte w = 0;
    do
    :: w < WAKERS ->
        if
        :: event[w] -> atomic { event[w] = false; got++ }
        :: else
        fi;
        w++
    :: w == WAKERS -> w = 0; break
    od
}

/* NOTIFIED back to RUNNING: what its setter did before is seen from here on,
 * and a waker that comes later finds RUNNING, whatever the task sees of it. */
inline take_notified()
{
#ifdef STORE_RUNNING
    late_running = true
#else
    permit = RUNNING
#endif
}

inline leave_stack()
{
    atomic { assert(!scanned); on_carrier-- }
}

inline enter_stack()
{
    atomic {
        on_carrier++;
        has_run = true;
        assert(on_carrier == 1);
        assert(!scanned)
    }
}

/* Sets `parked`, or not: then the task runs on. */
inline park()
{
#ifdef PARK_BEFORE_SWITCH
    atomic {
        parked = (permit == RUNNING);
        permit = (parked -> PARKED : permit)
    };
    leave_stack();
#else
    leave_stack();
    atomic {
        parked = (permit == RUNNING && !late_running);
        permit = (parked -> PARKED : permit)
    };
#endif
    if
    :: !parked ->
        take_notified();
        enter_stack()
    :: else
    fi
}

proctype carrier()
{
    bool parked;

    do
    :: atomic { queued > 0 -> queued-- };
        enter_stack();
        parked = false;
        do
        :: !parked ->
            look_for_events();
            if
            :: got == WAKERS -> goto ended
            :: else
            fi;
            if
            :: permit == NOTIFIED && !late_running -> take_notified()
            :: else -> park()
            fi
        :: parked -> break
        od
    :: got == WAKERS -> goto out
    od;
ended:
    leave_stack();
out:
    skip
}

/* --- the reclaimer ------------------------------------------------------------ */

/* The stack is read in slices: two, here. */
inline read_stack()
{
    atomic { scanned = true; assert(on_carrier == 0) };
    atomic { assert(on_carrier == 0); scanned = false; has_run = false }
}

inline end_scan()
{
#ifdef STORE_PARKED
    if
    :: permit == SCANNING -> permit = PARKED
    :: else -> permit = RUNNING; atomic { push() }
    fi
#else
    atomic {
        if
        :: permit == SCANNING -> permit = PARKED; again = false
        :: else -> permit = RUNNING; again = true
        fi
    };
    if
    :: again -> atomic { again = false; push() }
    :: else
    fi
#endif
}

/* Nothing has been found. */
inline end_scan_resting()
{
#ifdef REST_FIRST
    atomic {
        if
        :: permit == SCANNING -> permit = RESTING; again = false
        :: else -> again = true
        fi
    };
    resting = !again;
#else
    resting = true;
    atomic {
        if
        :: permit == SCANNING -> permit = RESTING; again = false
        :: else -> again = true
        fi
    };
#endif
    if
    :: again -> again = false; resting = false; end_scan()
    :: else
    fi
}

/* Of a report. */
inline take_resting()
{
#ifndef REPORT_KEEPS_THE_BIT
    resting = false
#else
    skip
#endif
}

proctype reclaimer()
{
    byte scan;
    bool again;

end:
    do
#ifdef SCAN_WHILE_RUNNING
    :: (scan < SCANS && permit == PARKED) -> scan++;
        read_stack()
#else
    :: atomic {
           scan < SCANS && permit == PARKED -> permit = SCANNING;
           scan++
       };
       read_stack();
       if
       :: true -> end_scan()
       :: true -> end_scan_resting()
       fi
    :: atomic {
           scan < SCANS && permit == RESTING -> permit = SCANNING;
           scan++
       };
       take_resting();
       read_stack();
       if
       :: true -> end_scan()
       :: true -> end_scan_resting()
       fi
    :: atomic { resting -> assert(!has_run) } /* It is passed over. */
#endif
    od
}

/* The buffers drain by themselves, each store in its own time. */
active proctype memory()
{
end:
    do
    :: atomic { late_event[0] -> flush_event(0) }
    :: atomic { late_event[1] -> flush_event(1) }
    :: atomic { late_event[2] -> flush_event(2) }
    :: atomic { late_running -> late_running = false; permit = RUNNING }
    od
}

init
{
    atomic {
        run waker(0);
        run waker(1);
        run waker(2);
        run carrier();
        run carrier();
        run reclaimer()
    }
}
