/*
 * How a deadlock is found: src/tasks/deadlock.c.
 *
 * Three tasks: two fibers on one worker, of which the second is spawned by the
 * third, a thread. Each does a few things, in any order: it unparks another
 * task or parks; the thread may spawn, and end, and may then unpark the first
 * fiber, when nobody sees it any more. The reclaimer looks after each hint.
 *
 * The permits are modified by single steps (park.pml); the idle list is under a
 * lock, so that to take the worker out of it is one step.
 *
 * expect: a verdict is given only when no task can run; and when nothing moves
 * any more though tasks are left, it has been given.
 *
 * break: NO_SECOND_LOOK    tasks are held, but not looked at once more
 * break: SECOND_LOOK_EARLY ...before it is known that no thread ends
 * break: NO_STARTS         nobody asks whether the worker has run meanwhile
 * break: NO_READY          nobody looks into the queue
 * break: READY_LATE        ...after the worker may have emptied it
 * break: NO_THREADS        threads that are not seen are not counted
 * break: HINT_BEFORE_PARK  a thread gives its hint before it has parked
 * break: NO_IDLE_HINT      the worker gives none
 * break: NO_END_HINT       nor does a thread that ends
 */
#define TASKS  3
#define THREAD 2

mtype = { RUNNING, NOTIFIED, PARKED, HELD, HELD_NOTIFIED };

mtype permit[TASKS] = RUNNING;
bool visible[TASKS]; /* To those who look on. */
bool lives[TASKS];   /* The thread: until it does nothing more. */
bool ready[TASKS];   /* In the queue. */
byte threads = 1;

bool idle;
bool started; /* The worker, since the look began: `starts` has changed. */
bool woken;
bool searching = true; /* Somebody is about to wake the worker. */

bool hint; /* `hints` has changed since it was read. */
bool dead; /* The verdict. */

/* --- ready tasks ----------------------------------------------------------- */

inline wake_one()
{
    atomic {
        if
        :: idle && !searching -> idle = false; started = true; woken = true
        :: else
        fi
    }
}

/* One that has counted itself as a searcher, long ago, for a task that has run
 * since: others rely on it. */
proctype late_waker()
{
    atomic {
        if
        :: idle -> idle = false; started = true; woken = true
        :: else
        fi;
        searching = false
    }
    if
    :: ready[0] || ready[1] -> wake_one()
    :: else
    fi
}

inline schedule(i)
{
    ready[i] = true;
    wake_one()
}

inline unpark(i)
{
    atomic {
        was = permit[i];
        if
        :: was == RUNNING -> permit[i] = NOTIFIED
        :: was == PARKED -> permit[i] = RUNNING
        :: was == HELD -> permit[i] = HELD_NOTIFIED
        :: else
        fi
    }
    if
    :: was == PARKED && i != THREAD -> schedule(i)
    :: else
    fi;
    was = RUNNING
}

/* --- the worker and its fibers ----------------------------------------------- */

proctype worker()
{
    byte left = 1; /* Things that fibers do, in all. */
    byte me;
    mtype was = RUNNING;

    do
    :: atomic { ready[0] -> ready[0] = false; me = 0 };
        goto turn
    :: atomic { ready[1] -> ready[1] = false; me = 1 };
        goto turn
    :: !ready[0] && !ready[1] ->
        idle = true;
        if
        :: ready[0] || ready[1] -> wake_one()
        :: else ->
#ifndef NO_IDLE_HINT
            hint = true
#else
            skip
#endif
        fi;
end_asleep:
        atomic { woken -> woken = false };
        goto next
turn:
        do
        :: left > 0 -> left--; unpark(THREAD)
        :: left > 0 -> left--; unpark(1 - me)
        :: atomic { permit[me] == NOTIFIED -> permit[me] = RUNNING }
        :: atomic { permit[me] == RUNNING -> permit[me] = PARKED; break }
        od;
next:
        me = 0
    od
}

/* --- the thread ---------------------------------------------------------------- */

proctype thread()
{
    byte left = 2;
    bool all;
    mtype was = RUNNING;

    do
    :: left > 0 -> left--; unpark(0)
    :: left > 0 && !lives[1] ->
        left--;
        atomic { lives[1] = true; visible[1] = true };
        schedule(1)
    :: true ->
#ifdef HINT_BEFORE_PARK
        all = idle;
#endif
        if
        :: atomic { permit[THREAD] == NOTIFIED -> permit[THREAD] = RUNNING }
        :: atomic { permit[THREAD] == RUNNING -> permit[THREAD] = PARKED };
#ifndef HINT_BEFORE_PARK
            all = idle;
#endif
            if
            :: all -> hint = true
            :: else
            fi;
end_parked:
            /* Or held and let go: that is not for it to see. */
            permit[THREAD] == RUNNING || permit[THREAD] == NOTIFIED
        fi;
        all = false
    :: true -> break
    od;
    visible[THREAD] = false;
    if
    :: unpark(0)
    :: skip
    fi;
    lives[THREAD] = false;
#ifndef NO_END_HINT
    hint = true;
#endif
    threads--
}

/* --- the reclaimer ------------------------------------------------------------- */

inline let_go()
{
    i = 0;
    do
    :: i < TASKS ->
        if
        :: held[i] ->
            held[i] = false;
            atomic {
                was = permit[i];
                if
                :: was == HELD -> permit[i] = PARKED
                :: else -> permit[i] = RUNNING
                fi
            }
            if
            :: was == HELD_NOTIFIED && i != THREAD -> schedule(i)
            :: else
            fi;
            was = RUNNING
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0
}

inline hold_all()
{
    i = 0;
    do
    :: i < TASKS && found ->
        if
        :: visible[i] ->
            atomic {
                if
                :: permit[i] == PARKED ->
                    permit[i] = HELD; held[i] = true;
                    if
                    :: i == THREAD -> seen_threads = 1
                    :: else
                    fi
                :: else -> found = false
                fi
            }
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0
}

inline look_again()
{
    i = 0;
    do
    :: i < TASKS && found ->
        if
        :: held[i] && permit[i] != HELD -> found = false
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0
}

inline look_for_ready()
{
    if
    :: found && (ready[0] || ready[1]) -> found = false; unsure = true
    :: else
    fi
}

/* The truth, at this moment. */
#define AT_REST(i) (!lives[i] || permit[i] == HELD)

proctype reclaimer()
{
    bool held[TASKS];
    bool found, unsure;
    byte i, seen_threads;
    mtype was = RUNNING;

end_rest:
    do
    :: hint || unsure ->
        atomic { hint = false; unsure = false };
        atomic { found = idle; started = false };
        hold_all();
#ifdef SECOND_LOOK_EARLY
        look_again();
#endif
#ifndef NO_THREADS
        if
        :: found && threads != seen_threads -> found = false; unsure = true
        :: else
        fi;
#endif
#if !defined(NO_READY) && !defined(READY_LATE)
        look_for_ready();
#endif
#ifndef NO_STARTS
        atomic {
            if
            :: found && (!idle || started) ->
                found = false; unsure = true
            :: else
            fi
        }
#endif
#ifdef READY_LATE
        look_for_ready();
#endif
#if !defined(NO_SECOND_LOOK) && !defined(SECOND_LOOK_EARLY)
        look_again();
#endif
        atomic {
            if
            :: found ->
                assert(AT_REST(0) && AT_REST(1) && AT_REST(2));
                assert(!ready[0] && !ready[1]);
                dead = true
            :: else
            fi
        }
        let_go();
        if
        :: dead -> break
        :: else
        fi;
        atomic { found = false; seen_threads = 0 }
    od
}

/* Nothing moves any more: the first fiber never ends. */
proctype watch()
{
end_watch:
    timeout -> assert(dead)
}

init
{
    atomic {
        visible[0] = true; lives[0] = true; ready[0] = true;
        visible[THREAD] = true; lives[THREAD] = true;
        run worker(); run thread(); run late_waker(); run reclaimer(); run watch()
    }
}
