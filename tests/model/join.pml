/*
 * Joins that run their child: src/tasks/task.c and worker.c, with the entries
 * of run queues that spawns have made (runq.c).
 *
 * Task 0 spawns task 1 and joins it; task 1 spawns task 2 and joins it, ROUNDS
 * times, each time in the same record, so that entries of an earlier one are
 * still in the queue. A joiner claims the child if nobody has begun it, and is
 * switched to it, and back at its end. Task 2 may go on, come to a safepoint at
 * which those above it are parted from it, or yield, which parts them first.
 * Task 1 is canceled at some time: then its join gives up, and it detaches the
 * child and ends. Two carriers take tasks from one queue.
 *
 * A claim, the permit, and `end`, but where a break says so, change in single
 * steps; the code does that by read-modify-writes. What part() and a nested
 * end store into `end` are plain stores there.
 *
 * expect: each spawned task runs once; no task is on two carriers, or queued
 * while it is on one or queued; a joiner sees its child's end before it uses
 * the result; each record is let go once for each task in it; all end.
 *
 * break: NO_CLAIM          an entry is run without a claim
 * break: CLAIM_BY_STORE    a claim is a load and a store
 * break: PARK_FIRST        a joiner is parked before its own link is undone
 * break: PART_WITHOUT_END  a joiner that is parted is not written into `end`
 * break: STORE_END         the end is published by a load and a store
 * break: GIVE_UP_BY_STORE  a joiner that gives up stores 0
 * break: DETACH_BY_STORE   a detach that finds no end is a store
 * break: LEAVE_UNDER       a task that is parted keeps its joiner under it
 */
#define TASKS 3
#define CARRIERS 2
#define ROUNDS 2
#define NONE 9
#define ENDED 8
#define DETACHED 7

mtype = { RUNNING, NOTIFIED, PARKED };

mtype permit[TASKS] = RUNNING;
byte end[TASKS] = NONE;   /* NONE, ENDED, DETACHED, or who waits. */
byte under[TASKS] = NONE; /* Who runs it in a join. */
bool fresh[TASKS];
byte entries[TASKS];      /* That spawns have made, in the queue. */
bool queued[TASKS];
byte on[TASKS];           /* Carriers that are on its stack. */
byte at[TASKS];           /* Where it goes on: AT_... */
byte rounds = ROUNDS;
bool live[TASKS];         /* The record is in use. */
bool begun[TASKS];        /* Its present task is. */
bool canceled;            /* Task 1. */
bool broken;              /* Task 2 has left its carrier or parted once. */
bool over;

#define AT_BEGIN 0
#define AT_LOOK 1         /* In the join: has the child ended? */
#define AT_END 2

inline step_on(t)
{
    on[t]++;
    assert(on[t] == 1 && !queued[t])
}

inline enqueue(t)
{
    assert(!queued[t] && on[t] == 0);
    queued[t] = true
}

inline unpark(t)
{
    atomic {
        if
        :: permit[t] == PARKED -> permit[t] = RUNNING; enqueue(t)
        :: else -> permit[t] = NOTIFIED
        fi
    }
}

/* The context is saved. */
inline park(t)
{
    atomic {
        if
        :: permit[t] == RUNNING -> permit[t] = PARKED
        :: else -> permit[t] = RUNNING; enqueue(t)
        fi
    }
}

inline let_record_go(t)
{
    assert(live[t]);
    live[t] = false
}

inline claim(t, mine)
{
#ifdef CLAIM_BY_STORE
    mine = fresh[t];
    if
    :: mine -> fresh[t] = false
    :: else
    fi
#else
    atomic { mine = fresh[t]; fresh[t] = false }
#endif
}

/* Undoes the link to who runs t; `who` says who did. */
inline let_go(t, who)
{
    atomic { who = under[t] };
    if
    :: who != NONE ->
#ifndef LEAVE_UNDER
        under[t] = NONE;
#endif
#ifndef PART_WITHOUT_END
        end[t] = who
#endif
    :: else
    fi
}

inline part(t)
{
    let_go(t, joiner);
    do
    :: joiner != NONE ->
#ifdef PARK_FIRST
        park(joiner);
        let_go(joiner, outer);
#else
        let_go(joiner, outer);
        park(joiner);
#endif
        joiner = outer
    :: else -> break
    od;
    joiner = NONE; outer = NONE
}

active [CARRIERS] proctype carrier()
{
    byte t = NONE, joiner = NONE, outer = NONE, was = NONE;
    bool mine;

    if
    :: _pid == 0 -> t = 0; step_on(0); live[0] = true; begun[0] = true;
        end[0] = DETACHED; goto go_on
    :: else
    fi;

next:
    t = NONE;
end_idle:
    atomic {
        if
        :: queued[0] -> queued[0] = false; t = 0
        :: queued[1] -> queued[1] = false; t = 1
        :: queued[2] -> queued[2] = false; t = 2
        :: entries[1] > 0 -> entries[1]--; was = 1
        :: entries[2] > 0 -> entries[2]--; was = 2
        fi;
        if
        :: t != NONE -> step_on(t); goto go_on
        :: else
        fi
    };
#ifdef NO_CLAIM
    mine = true;
#else
    claim(was, mine);
#endif
    atomic {
        if
        :: mine -> t = was; was = NONE; mine = false; step_on(t)
        :: else -> was = NONE; goto next
        fi
    };

go_on:
    if
    :: at[t] == AT_LOOK -> goto look
    :: at[t] == AT_END -> goto finish
    :: else
    fi;
    atomic {
        assert(live[t] && (t == 0 || !begun[t]));
        begun[t] = true
    };
    if
    :: t == 2 -> goto leaf
    :: else
    fi;

spawn: /* t + 1, and join it. */
    atomic {
        assert(!live[t + 1]);
        live[t + 1] = true; begun[t + 1] = false;
        at[t + 1] = AT_BEGIN; end[t + 1] = NONE; under[t + 1] = NONE;
        if
        :: t == 1 -> rounds--
        :: else
        fi
    };
    fresh[t + 1] = true;
    entries[t + 1]++;
    if
    :: t == 1 && canceled -> goto await
    :: else
    fi;
    claim(t + 1, mine);
    if
    :: mine ->
        /* run_child(): our context is saved by the switch. */
        mine = false;
        at[t] = AT_LOOK;
        under[t + 1] = t;
        atomic { on[t]--; t++; step_on(t) };
        goto go_on
    :: else
    fi;

await:
    atomic {
        if
        :: end[t + 1] == NONE -> end[t + 1] = t
        :: else -> assert(end[t + 1] == ENDED)
        fi
    };

look:
    if
    :: end[t + 1] == ENDED -> goto joined
    :: end[t + 1] != ENDED
    fi;
    if /* Takes the permit, or parks. */
    :: atomic { permit[t] == NOTIFIED -> permit[t] = RUNNING }; goto look
    :: permit[t] != NOTIFIED
    fi;
    if
    :: t == 1 && canceled -> goto give_up
    :: else
    fi;
    at[t] = AT_LOOK;
    part(t);
    on[t]--;
    park(t);
    goto next;

give_up:
#ifdef GIVE_UP_BY_STORE
    if
    :: end[t + 1] == ENDED -> goto joined
    :: else
    fi;
    end[t + 1] = NONE;
#else
    atomic {
        if
        :: end[t + 1] == t -> end[t + 1] = NONE
        :: else -> assert(end[t + 1] == ENDED); goto joined
        fi
    };
#endif
    /* brolga_detach() */
#ifdef DETACH_BY_STORE
    mine = end[t + 1] == NONE;
    if
    :: mine -> end[t + 1] = DETACHED
    :: else -> let_record_go(t + 1)
    fi;
    mine = false;
#else
    atomic {
        if
        :: end[t + 1] == NONE -> end[t + 1] = DETACHED
        :: else -> assert(end[t + 1] == ENDED); let_record_go(t + 1)
        fi
    };
#endif
    goto finish;

joined:
    let_record_go(t + 1);
    if
    :: t == 1 && rounds > 0 -> goto spawn
    :: else -> goto finish
    fi;

leaf: /* Task 2. */
    if
    :: true
    :: !broken -> broken = true; part(t)
    :: !broken -> broken = true;
        at[t] = AT_END;
        part(t);
        atomic { on[t]--; enqueue(t) };
        goto next
    fi;

finish: /* fiber_end() */
    joiner = under[t];
    if
    :: joiner != NONE -> /* child_end(), and back to the joiner. */
        end[t] = ENDED;
        atomic { on[t]--; t = joiner; joiner = NONE; step_on(t) };
        goto go_on
    :: else
    fi;
    /* Its stack is the carrier's own affair from here on. */
#ifdef STORE_END
    was = end[t];
    atomic { end[t] = ENDED; on[t]-- };
#else
    atomic { was = end[t]; end[t] = ENDED; on[t]-- };
#endif
    if
    :: t == 0 -> over = true
    :: else
    fi;
    if
    :: was == DETACHED -> let_record_go(t)
    :: was == NONE
    :: was < TASKS -> unpark(was)
    fi;
    was = NONE;
    goto next
}

active proctype canceler()
{
    canceled = true;
    unpark(1)
}

/* Nothing moves any more. */
active proctype watch()
{
end_watch:
    timeout -> assert(over && !live[0] && !live[1] && !live[2] &&
                      !fresh[1] && !fresh[2])
}
