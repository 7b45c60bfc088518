/*
 * How idle workers sleep and are woken: edge S of src/tasks/worker.c.
 *
 * Tasks are injected from outside; a task may put others into the queue or the
 * hand-over slot of its worker, and may go into foreign code, for which its
 * carrier gives the worker up. A carrier that finds nothing counts its worker
 * idle, stops searching, looks at `injected` and at every queue once more, and
 * sleeps. The idle list is under a lock: taking a worker out is one step.
 *
 * The operations on `injected`, `idle` and `searching` are sequentially
 * consistent in the code, so they are single steps here. The pushes of a
 * worker's owner are not ordered before its look at `idle`: here it wakes
 * somebody, or not, as it likes. That nobody helps it is for the monitor, which
 * is left out; but what no carrier owns, the injected tasks and those that a
 * worker was given up with, must be run without it, whatever the others do: a
 * task that runs, or foreign code, may wait for that.
 *
 * expect: when nothing moves any more, no task is left.
 *
 * break: NO_LOOK_AFTER_IDLE   a worker goes to sleep without another look
 * break: LOOK_BEFORE_IDLE     it looks before it counts itself idle
 * break: LOOK_AT_INJECTED     that look leaves the queues out
 * break: SEARCH_ENDS_LATE     it stops searching only after that look
 * break: NO_LOOK_AFTER_MISS   a waker that found nobody to wake does not look
 * break: NO_CHAIN             a searcher that found a task wakes no other
 * break: NO_LOOK_AT_RELEASE   who gives its worker up wakes nobody for it
 * break: RELEASE_LOOKS_FIRST  it looks before it counts the worker idle
 * break: SLOT_STAYS           it leaves a task in the slot, but wakes for it
 * break: REST_WITH_TASKS      a worker rests without a look at its own queue
 * break: QUIET_REQUEUE        who comes back and finds no worker wakes nobody
 */
#define WORKERS 2
#define CARRIERS 3 /* At most one is in foreign code. */
#define PUSHERS 2
#define NOBODY 7

byte injected;
byte queue[WORKERS];
byte slot[WORKERS];
byte idle = WORKERS;
byte searching;
bool listed[WORKERS] = true;    /* In the idle list. */
byte sleeper[WORKERS] = NOBODY; /* The carrier that sleeps with it. */
bool spare[CARRIERS] = true;    /* It sleeps without one. */
byte given[CARRIERS] = NOBODY;  /* The worker that it was woken with. */
byte children = 1;              /* That tasks may still make. */
byte blocks = 1;                /* How often one may go into foreign code. */
bool waits;                     /* A running task does, for the unowned. */

#define OWNERLESS(w) (listed[w] && queue[w] + slot[w] > 0)
#define ALL_OWNED (injected == 0 && !OWNERLESS(0) && !OWNERLESS(1))

/* work_visible(), one word after the other. */
inline look(seen)
{
    seen = injected > 0;
#ifndef LOOK_AT_INJECTED
    if
    :: !seen -> seen = queue[0] > 0
    :: else
    fi;
    if
    :: !seen -> seen = queue[1] > 0
    :: else
    fi
#endif
}

/* --- the idle list ------------------------------------------------------- */

inline unlist(w)
{
    listed[w] = false;
    idle--
}

/* A worker out of the list, with a carrier that sleeps; in an atomic step. */
inline start_carrier(w)
{
    unlist(w);
    if
    :: sleeper[w] != NOBODY -> given[sleeper[w]] = w
    :: sleeper[w] == NOBODY && spare[0] -> spare[0] = false; given[0] = w
    :: sleeper[w] == NOBODY && !spare[0] && spare[1] ->
        spare[1] = false; given[1] = w
    :: else -> assert(spare[2]); spare[2] = false; given[2] = w
    fi;
    sleeper[w] = NOBODY
}

inline wake_one(again)
{
    again = true;
    do
    :: again ->
        again = false;
        if
        :: idle == 0 -> skip
        :: else ->
            if
            :: searching != 0 -> skip
            :: atomic { searching == 0 -> searching = 1 };
                if
                :: atomic { listed[0] -> start_carrier(0) }
                :: atomic { !listed[0] && listed[1] -> start_carrier(1) }
                :: !listed[0] && !listed[1] ->
                    searching--;
#ifndef NO_LOOK_AFTER_MISS
                    look(again)
#endif
                fi
            fi
        fi
    :: else -> break
    od
}

/* --- who injects --------------------------------------------------------- */

active [PUSHERS] proctype pusher()
{
    bool again;

    injected++;
    wake_one(again)
}

/* --- who runs ------------------------------------------------------------ */

#define ME (_pid - PUSHERS)

inline end_search(last)
{
    last = false;
    if
    :: search -> atomic { search = false; searching--; last = searching == 0 }
    :: else
    fi
}

inline give_up()
{
#ifndef SLOT_STAYS
    if
    :: atomic { slot[w] > 0 -> slot[w]--; queue[w]++ }
    :: slot[w] == 0
    fi;
#endif
#ifdef RELEASE_LOOKS_FIRST
    look(seen);
#endif
    atomic { seen = (seen || slot[w] > 0); idle++; listed[w] = true };
#ifndef RELEASE_LOOKS_FIRST
    if
    :: !seen -> look(seen)
    :: else
    fi;
#endif
#ifndef NO_LOOK_AT_RELEASE
    if
    :: seen -> wake_one(again)
    :: else
    fi;
#endif
    seen = false
}

active [CARRIERS] proctype carrier()
{
    byte w = NOBODY;
    bool search, last, again, seen;

asleep:
end_asleep: /* Who wakes it has counted it as a searcher. */
    atomic {
        given[ME] != NOBODY ->
        w = given[ME];
        given[ME] = NOBODY;
        search = true
    }

ready:
    if
#ifndef REST_WITH_TASKS
    :: atomic { slot[w] > 0 -> slot[w]-- } -> goto found
    :: atomic { queue[w] > 0 -> queue[w]-- } -> goto found
#endif
    :: atomic { injected > 0 -> injected-- } -> goto found
#ifdef REST_WITH_TASKS
    :: injected == 0
#else
    :: slot[w] + queue[w] + injected == 0
#endif
    fi;

    if
    :: !search -> atomic { search = true; searching++ }
    :: else
    fi;
    if
    :: atomic { injected > 0 -> injected-- } -> goto found
    :: injected == 0
    fi;
    if
    :: atomic { queue[1 - w] > 0 -> queue[1 - w]-- } -> goto found
    :: queue[1 - w] == 0
    fi;
    if
    :: atomic { slot[1 - w] > 0 -> slot[1 - w]-- } -> goto found
    :: slot[1 - w] == 0
    fi;

    /* Nothing: to sleep. */
#ifdef LOOK_BEFORE_IDLE
    look(seen);
#endif
    atomic { sleeper[w] = ME; idle++; listed[w] = true };
#ifndef SEARCH_ENDS_LATE
    end_search(last);
#endif
#ifndef LOOK_BEFORE_IDLE
    look(seen);
#endif
#ifdef SEARCH_ENDS_LATE
    end_search(last);
#endif
#ifndef NO_LOOK_AFTER_IDLE
    if
    :: seen -> seen = false; wake_one(again)
    :: else
    fi;
#endif
    atomic { seen = false; last = false; w = NOBODY };
    goto asleep;

found:
    end_search(last);
#ifndef NO_CHAIN
    if
    :: last -> last = false; wake_one(again)
    :: else
    fi;
#endif
    do
    :: break /* It ends. */
    :: atomic { children > 0 -> children--; queue[w]++ };
        if
        :: wake_one(again)
        :: true
        fi
    :: atomic { children > 0 && slot[w] == 0 -> children--; slot[w]++ };
        if
        :: wake_one(again)
        :: true
        fi
    :: atomic { !waits -> waits = true };
        atomic { ALL_OWNED -> waits = false };
        break
    :: atomic { blocks > 0 -> blocks-- };
        give_up();
        if
        :: true
        :: true -> ALL_OWNED /* It takes as long as it likes. */
        fi;
        if
        :: atomic { listed[0] -> unlist(0); w = 0 }
        :: atomic { !listed[0] && listed[1] -> unlist(1); w = 1 }
        :: atomic { !listed[0] && !listed[1] -> w = NOBODY };
            atomic { injected++; spare[ME] = true };
#ifndef QUIET_REQUEUE
            wake_one(again);
#endif
            goto asleep
        fi;
        atomic {
            if
            :: sleeper[w] != NOBODY ->
                spare[sleeper[w]] = true;
                sleeper[w] = NOBODY
            :: else
            fi
        };
        break
    od;
    goto ready
}

/* Nothing moves any more. */
active proctype watch()
{
end_watch:
    timeout -> assert(injected == 0 && queue[0] + queue[1] == 0 &&
                      slot[0] + slot[1] == 0)
}
