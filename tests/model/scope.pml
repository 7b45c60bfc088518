/*
 * Scopes: spawning, opening, canceling and leaving, src/tasks/scope.c.
 *
 * A task O opens scope A and spawns P and F into it, then joins A. P opens
 * scope B, spawns C into it, spawns D into A, then joins B and ends. F fails:
 * it cancels A before it leaves it. Meanwhile somebody cancels P by its handle.
 * C and D end by themselves, or sleep until they are told that they are
 * canceled.
 *
 *            O -- A --+-- P -- B ---- C
 *                     +-- F
 *                     +-- D
 *
 * Who cancels sets the reason of a scope and tells its tasks, under its lock;
 * it tells a task, then takes what that has open, under the task's lock; it
 * goes to that scope later, by a reference. Who is put into the tree looks at
 * the reason above under the lock under which it is put in.
 *
 * A sleeping or joining task parks until it is unparked, for which it has one
 * permit (tests/model/park.pml). Memory is sequentially consistent: all that
 * passes between tasks here is under a lock, or published by the permit. A
 * critical section that touches only what its lock guards is one step.
 *
 * expect: everybody ends (otherwise spin finds an invalid end state): no task
 * is missed by the canceling and no joiner by the last one to leave. When a
 * join returns, all tasks of the scope have ended. No scope is used after it
 * has been freed.
 *
 * break: SPAWN_LOOKS_FIRST  a spawn reads the scope's reason before it locks
 * break: OPEN_LOOKS_FIRST   opening reads the task's reason before it locks
 * break: TELL_LOOKS_FIRST   a task is told after its scopes have been read
 * break: REASON_LAST        a scope gets its reason after its tasks were told
 * break: COUNT_LATE         a task is counted when it has been started
 * break: LEAVE_FIRST        a task leaves before its end is published
 * break: SETTLE_LAST        a failure cancels the others after having left
 * break: NO_REF             who cancels has no reference to what is below
 * break: NO_WAKE            the last to leave does not wake the joiner
 * break: JOIN_CANCELED      a canceled joiner does not wait
 * break: NO_DESCENT         what a task has open is not canceled with it
 */
#define A 0
#define B 1

#define O 0
#define P 1
#define C 2
#define D 3
#define F 4
#define TASKS 5

/* Scopes. */
bool lock[2];         /* Held over more than one step. */
bool reason[2];
byte live[2];
bool member[10];      /* [scope * TASKS + task] */
byte refs[2];
bool freed[2];

/* Tasks. */
bool has_B;           /* P has B open. */
bool canceled[TASKS];
bool permit[TASKS];
bool spawned[TASKS];
bool ended[TASKS];

bool canceling;       /* The runtime's cancel_lock. */

inline use(s)
{
    assert(!freed[s])
}

inline unref(s)
{
    atomic {
        use(s);
        refs[s]--;
        freed[s] = (refs[s] == 0)
    }
}

inline park(t)
{
    atomic { permit[t] -> permit[t] = false }
}

/* --- canceling ---------------------------------------------------------------- */

/* What P has open, under its lock; with a reference to it. */
inline look_below()
{
    atomic {
#ifndef NO_DESCENT
        below = (below || has_B);
#endif
#ifndef NO_REF
        if
        :: below -> use(B); refs[B]++
        :: else
        fi
#endif
    }
}

/* Tells a task; `below` tells whether B is to be gone to, too. */
inline tell_task(t)
{
#ifdef TELL_LOOKS_FIRST
    if
    :: t == P && !canceled[P] -> look_below()
    :: else
    fi;
    canceled[t] = true;
#else
    atomic { told = !canceled[t]; canceled[t] = true };
    if
    :: t == P && told -> look_below()
    :: else
    fi;
#endif
    permit[t] = true
}

/* The tasks from `first` on, before `end`, may be in it. */
inline tell_scope(s, opener, first, end)
{
    atomic { !lock[s] -> use(s); lock[s] = true };
    if
    :: !reason[s] ->
#ifndef REASON_LAST
        reason[s] = true;
#endif
        t = first;
        do
        :: t < end ->
            if
            :: member[s * TASKS + t] -> tell_task(t)
            :: else
            fi;
            t++
        :: else -> t = 0; break
        od;
#ifdef REASON_LAST
        atomic { use(s); lock[s] = false };
        atomic { !lock[s] -> use(s); lock[s] = true };
        reason[s] = true;
#endif
        permit[opener] = true /* Its calls fail from now on. */
    :: else
    fi;
    atomic { use(s); lock[s] = false }
}

inline go_below()
{
    if
    :: below ->
        below = false;
        tell_scope(B, P, C, D);
#ifndef NO_REF
        unref(B)
#endif
    :: else
    fi
}

inline cancel_A()
{
    atomic { !canceling -> canceling = true };
    tell_scope(A, O, P, TASKS);
    go_below();
    canceling = false
}

/* --- into a scope, and out ------------------------------------------------------ */

inline enter(s, t)
{
#ifdef SPAWN_LOOKS_FIRST
    canceled[t] = reason[s];
#endif
    atomic {
        !lock[s] -> use(s);
#ifndef COUNT_LATE
        live[s]++;
#endif
        member[s * TASKS + t] = true;
#ifndef SPAWN_LOOKS_FIRST
        canceled[t] = reason[s]
#endif
    };
    spawned[t] = true;
#ifdef COUNT_LATE
    atomic { !lock[s] -> use(s); live[s]++ }
#endif
}

inline leave(s, t, owner)
{
    atomic { !lock[s] -> use(s); member[s * TASKS + t] = false };
    atomic { !lock[s] -> use(s); live[s]--; last = (live[s] == 0) };
#ifndef NO_WAKE
    if
    :: last -> permit[owner] = true
    :: else
    fi;
#endif
    last = false
}

/* The end of a task, as others see it, then its leaving. */
inline end_in(s, t, owner)
{
#ifdef LEAVE_FIRST
    leave(s, t, owner);
    ended[t] = true
#else
    ended[t] = true;
    leave(s, t, owner)
#endif
}

inline join(s, t)
{
    do
    :: atomic { !lock[s] -> use(s); all = (live[s] == 0) };
        if
        :: all -> break
#ifdef JOIN_CANCELED
        :: !all && (canceled[t] || reason[s]) -> break
#endif
        :: else -> park(t)
        fi
    od
}

inline sleep_until_told(t)
{
    do
    :: canceled[t] -> break
    :: else -> park(t)
    od
}

/* --- the tasks ---------------------------------------------------------------- */

active proctype opener()
{
    bool all;

    refs[A] = 1;
    enter(A, P);
    enter(A, F);
    join(A, O);
    assert(ended[P] && ended[F]);
    assert(!spawned[D] || ended[D]);
    unref(A)
}

/* Nobody else has B before it is open. Both steps are under P's lock. */
inline open_B()
{
    refs[B] = 1;
#ifdef OPEN_LOOKS_FIRST
    reason[B] = canceled[P];
    has_B = true
#else
    atomic { has_B = true; reason[B] = canceled[P] }
#endif
}

active proctype parent()
{
    bool all, last;

    spawned[P];
    open_B();
    enter(B, C);
    enter(A, D);
    join(B, P);
    assert(ended[C]);
    has_B = false;
    unref(B);
    end_in(A, P, O)
}

active proctype child_in_B()
{
    bool last;

    spawned[C];
    if
    :: sleep_until_told(C)
    :: skip
    fi;
    end_in(B, C, P)
}

active proctype child_in_A()
{
    bool last;

    spawned[D];
    if
    :: sleep_until_told(D)
    :: skip
    fi;
    end_in(A, D, O)
}

active proctype failing()
{
    bool last, told, below;
    byte t;

    spawned[F];
#ifdef SETTLE_LAST
    end_in(A, F, O);
    cancel_A()
#else
    cancel_A();
    end_in(A, F, O)
#endif
}

/* By a handle, at any time, also when P has ended. */
active proctype canceler()
{
    bool told, below;
    byte t;

    tell_task(P);
    if
    :: below ->
        atomic { !canceling -> canceling = true };
        go_below();
        canceling = false
    :: else
    fi
}
