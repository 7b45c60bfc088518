/*
 * Barrier commits: src/epoch/gate.c, src/got/barrier.c, the gate in
 * src/tasks/safepoint.c.
 *
 * Two members run a task each, which calls through two cells between its
 * safepoints. A safepoint does something only if there is a new round; a member
 * also rests now and then: it goes offline, and comes online again. Task 1 may
 * be one that adopts at top safepoints only: it holds its version across a
 * safepoint or a rest, passes the gate while it does so, and stands at it
 * otherwise, also while it is closing. A closer commits twice, or gives up a try and opens the gate.
 *
 * A task that finds nothing to do at a safepoint goes on until there is, or the
 * closer has ended: so one that would never come to the gate again shows as an
 * end state that is none. Member 0 is a host's without tasks: it calls as soon
 * as it is online. A task passes a safepoint before.
 *
 * Spin's memory is sequentially consistent. Where the code relies on an order,
 * a variant does things the other way round: a store that is late, a load that
 * is early.
 *
 * expect: no task sees two cells of two versions between two safepoints (of the
 * kind that it adopts at); the closer and the tasks end.
 *
 * break: NO_WAIT            the closer commits without waiting
 * break: WAIT_FOR_ONE       it waits for one member only
 * break: NO_ROUND           it begins no round
 * break: GATE_AFTER_ROUND   BA: it begins the round, then closes the gate
 * break: GATE_BEFORE_ROUND  BA: a member looks at the gate, then at the round
 * break: NO_GATE_AT_ONLINE  BB: who comes online does not look at the gate
 * break: ONLINE_LATE        BB: nor is seen online before it looks
 * break: HALT_EARLY         BC: a member is offline before its last call
 * break: OPEN_EARLY         BC: the gate opens before all cells are stored
 * break: NO_HOLDS           holds are not looked at
 * break: HOLD_LATE          who stays holds after it has begun to call
 */
#define MEMBERS 2
#define STEPS(m) ((m) == 0 -> 2 : 1)
#define COMMITS 2
#define TRIES 1 /* That may fail, and one more. */

byte gate;              /* 0 open, 1 closing, 2 closed; and 4 times opened. */
byte round = 1;
byte seen[MEMBERS] = 1; /* 0: offline. */
byte holds;
byte left, right;       /* The cells. */
bool ended;             /* The closer has. */

bool stays;             /* Task 1 adopts at top safepoints only. */

#define OPEN 0
#define CLOSED 2
#define state(g) ((g) % 4)

/* --- a member --------------------------------------------------------------- */

/* Seen online, and then with an RMW of the round. */
inline appear(m)
{
#ifdef ONLINE_LATE
    saw_gate = gate;
    seen[m] = 1
#else
    seen[m] = 1;
    saw_gate = gate
#endif
}

/* Until the gate is open when one comes online. */
inline halt(m)
{
    do
    :: state(saw_gate) != OPEN ->
        seen[m] = 0;
        gate / 4 != saw_gate / 4;
        appear(m)
    :: else -> break
    od
}

inline online(m)
{
    appear(m);
#ifdef NO_GATE_AT_ONLINE
    saw_gate = 0;
#endif
    if
    :: state(saw_gate) == CLOSED -> halt(m)
    :: else
    fi
}

inline look_at_round_and_gate()
{
#ifdef GATE_BEFORE_ROUND
    saw_gate = gate;
    now = round
#else
    now = round;
    saw_gate = gate
#endif
}

/* `holding` passes. What is adopted here are the cells themselves. */
inline refresh(m, holding)
{
    look_at_round_and_gate();
    do
    :: !(holding) && (state(saw_gate) == CLOSED ||
                      (m == 1 && stays && state(saw_gate) != OPEN)) ->
        halt(m);
        look_at_round_and_gate()
    :: else -> break
    od;
    seen[m] = now;
    view_seen = now;
    atomic { saw_gate = 0; now = 0 }
}

/* The poll: two loads and a branch. */
inline safepoint(m)
{
    if
    :: round != view_seen -> refresh(m, false)
    :: round == view_seen
    fi
}

/* Foreign code, or a sleep. */
inline rest(m, holding)
{
    seen[m] = 0;
    online(m);
    if
    :: m == 0 -> saw_gate = 0
    :: m == 1 -> refresh(m, holding)
    fi
}

inline call_left()
{
    first = left
}

inline call_right()
{
    atomic { assert(first == right); first = 0 }
}

/* Between two safepoints. */
inline calls(m)
{
    call_left();
#ifdef HALT_EARLY
    if
    :: state(gate) == CLOSED -> seen[m] = 0
    :: true
    fi;
#endif
    call_right()
}

/* From one top safepoint to the next, over an inner one. */
inline step_of_one_version(m)
{
#ifndef HOLD_LATE
    holds++;
#endif
    call_left();
    if
    :: rest(m, true)
    :: refresh(m, true)
    fi;
#ifdef HOLD_LATE
    holds++;
#endif
    call_right();
    holds--
}

proctype member(byte m)
{
    byte steps, now, saw_gate, first, view_seen = 1;

    do
    :: steps < STEPS(m) ->
        steps++;
        if
        :: !(m == 1 && stays) -> calls(m); safepoint(m)
        :: !(m == 1 && stays) -> calls(m); rest(m, false)
        :: m == 1 && stays -> step_of_one_version(m); refresh(m, false)
        fi
    :: else -> break
    od;
    /* It goes on without a rest. */
    do
    :: round != view_seen -> refresh(m, false)
    :: round == view_seen && ended -> break
    od;
    calls(m)
}

/* --- the closer ------------------------------------------------------------- */

inline close()
{
    /* First for those who hold, if there are any: until none does, or some
     * time later. */
    if
    :: holds != 0 ->
        gate = gate + 1;
        round++;
        if
        :: holds == 0
        :: true
        fi
    :: else
    fi;
#ifdef GATE_AFTER_ROUND
    round++;
    gate = gate - state(gate) + CLOSED
#else
    gate = gate - state(gate) + CLOSED;
#ifndef NO_ROUND
    round++
#endif
#endif
}

inline wait_for(m)
{
    if
    :: seen[m] == 0
    :: tries < TRIES -> came = false
    fi
}

proctype closer()
{
    byte commits, tries;
    bool came;

    do
    :: commits < COMMITS && tries <= TRIES ->
        close();
        came = true;
#ifndef NO_WAIT
        wait_for(0);
#ifndef WAIT_FOR_ONE
        if
        :: came -> wait_for(1)
        :: else
        fi;
#endif
#endif
#if !defined(NO_HOLDS)
        if
        :: holds != 0 -> came = false
        :: holds == 0
        fi;
#endif
        if
        :: came ->
            left = left + 1;
#ifdef OPEN_EARLY
            gate = gate + 2;
#endif
            right = right + 1;
            commits++
        :: else -> tries++
        fi;
#ifdef OPEN_EARLY
        if
        :: !came -> gate = gate + 2
        :: else
        fi
#else
        gate = gate + 2
#endif
    :: else -> break
    od;
    ended = true
}

init {
    if
    :: stays = false
    :: stays = true
    fi;
    atomic { run member(0); run member(1); run closer() }
}
