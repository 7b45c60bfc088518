/*
 * How idle workers sleep and are woken: edge S of src/tasks/worker.c.
 *
 * Pushers put tasks into one queue and wake a searcher if a worker sleeps and
 * nobody searches. Workers take tasks; one that finds none counts itself idle,
 * stops searching, looks at the queue once more, and sleeps. The idle list is
 * under a lock: taking a worker out of it is one step.
 *
 * The operations on `queued`, `idle` and `searching` are sequentially
 * consistent in the code, so they are single steps here.
 *
 * expect: when nothing moves any more, no task is left in the queue.
 *
 * break: NO_LOOK_AFTER_IDLE  a worker goes to sleep without another look
 * break: LOOK_BEFORE_IDLE    it looks before it counts itself idle
 * break: SEARCH_ENDS_LATE    it stops searching only after that look
 * break: NO_LOOK_AFTER_MISS  a waker that found nobody to wake does not look
 * break: NO_CHAIN            a searcher that found a task wakes no other
 */
#define WORKERS 2
#define PUSHERS 2
#define TASKS 3 /* In all; the first pusher has one less than that. */

byte queued;
byte idle;
byte searching;
bool waits; /* A task that runs waits for one that is still queued. */
bool sleeps[WORKERS];
bool woken[WORKERS];

/* --- wake_one() ---------------------------------------------------------- */

/* Under the idle lock: takes a worker out of the list, if there is one. */
inline idle_pop(who)
{
    atomic {
        if
        :: sleeps[0] -> who = 0; sleeps[0] = false; idle--
        :: sleeps[1] -> who = 1; sleeps[1] = false; idle--
        :: else -> who = WORKERS
        fi
    }
}

inline wake_one(who, again)
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
            :: else ->
                if
                :: atomic { searching == 0 -> searching = 1 };
                    idle_pop(who);
                    if
                    :: who < WORKERS -> woken[who] = true
                    :: else ->
                        searching--;
#ifndef NO_LOOK_AFTER_MISS
                        again = queued > 0
#endif
                    fi
                :: searching != 0 -> skip /* The CAS has failed. */
                fi
            fi
        fi
    :: else -> break
    od
}

/* --- who pushes ------------------------------------------------------------ */

active [PUSHERS] proctype pusher()
{
    byte who, left;
    bool again;

    left = (_pid == 0 -> TASKS - 1 : 1);
    do
    :: left > 0 ->
        atomic { left--; queued++ };
        wake_one(who, again);
        who = 0
    :: else -> break
    od
}

/* --- who runs ---------------------------------------------------------------- */

inline end_search(last)
{
    last = false;
    if
    :: search -> atomic { search = false; searching--; last = searching == 0 }
    :: else
    fi
}

active [WORKERS] proctype worker()
{
    byte who;
    bool search, last, again, more;

    do
    :: atomic { queued > 0 -> queued-- };
        end_search(last);
#ifndef NO_CHAIN
        if
        :: last -> wake_one(who, again)
        :: else
        fi;
#endif
        /* What it runs may wait for what is still queued: then somebody else
         * must take that. (One such task at a time.) */
        if
        :: true
        :: atomic { !waits -> waits = true };
            atomic { queued == 0 -> waits = false }
        fi;
        atomic { who = 0; last = false }
    :: queued == 0 ->
        if
        :: !search -> atomic { search = true; searching++ }
        :: else
        fi;
        if
        :: queued > 0 -> skip /* Found after all. */
        :: queued == 0 ->
#ifdef LOOK_BEFORE_IDLE
            more = queued > 0;
#endif
            atomic { sleeps[_pid - PUSHERS] = true; idle++ };
#ifndef SEARCH_ENDS_LATE
            end_search(last);
#endif
#ifndef LOOK_BEFORE_IDLE
            more = queued > 0;
#endif
#ifdef SEARCH_ENDS_LATE
            end_search(last);
#endif
#ifndef NO_LOOK_AFTER_IDLE
            if
            :: more -> wake_one(who, again)
            :: else
            fi;
#endif
end_asleep: /* The waker has counted us as a searcher. */
            atomic { woken[_pid - PUSHERS] ->
                woken[_pid - PUSHERS] = false; search = true;
                who = 0; last = false; more = false }
        fi
    od
}

/* Nothing moves any more. */
active proctype watch()
{
end_watch:
    timeout -> assert(queued == 0)
}
