/*
 * Calls of tasks to the loop's thread and jobs for the pool: answering, taking
 * back, closing, stopping; src/tasks/loop.c, io_handle.c, io_stream.c, pool.c.
 *
 * Two worlds. In the first, one or two tasks read from a stream, in turns: each
 * tries and, if there is nothing, asks the loop to be told when to try again.
 * Another task closes the handle, data comes, deadlines pass: each of these at
 * any time, or not at all. In the second, two tasks give a job each to a pool
 * of at most two threads, with deadlines or without. When no task lives the
 * host stops the threads and then frees what they have touched.
 *
 * Message 2t is the start of task t's call, 2t + 1 its withdraw; both lie in
 * the task's frame, as a job does. What is done under a lock is one step. What
 * libuv does is modelled as far as it is relied on: a wake of the loop is not
 * lost, a descriptor is reported for as long as it is ready, and a handle that
 * is being closed is libuv's until it has called back. Children, and writing
 * beside reading, are left out.
 *
 * expect: nobody touches a call, a job or a turn's waiter whose task has left,
 * a record that was freed, or a task when tasks are freed; each call is
 * answered once, or nothing is done for it, and its result is there when it is
 * seen. When nothing moves any more, all tasks have ended but such as wait,
 * without a deadline, for data of an open stream that has none; and if all have
 * ended, nobody has a turn, and everything has been stopped and freed.
 *
 * break: NEWEST_FIRST       the loop runs a withdraw before the call's start
 * break: WAKE_FIRST         the loop is woken before the message is there
 * break: NEXT_AFTER_RUN     the next message is read from one that was run
 * break: LEAVE_AT_ONCE      a caller leaves when it has sent the withdraw
 * break: LEAVE_ANSWERED     it leaves when it sees the answer
 * break: UNDO_ANSWERED      a withdraw undoes what has been answered
 * break: KEEP_WITHDRAWN     it does not undo what has not been
 * break: READ_TASK_LATE     whom to wake is read from a call that is done
 * break: STATE_FIRST        a call is answered before its result is there
 * break: CLOSE_FORGETS      a poll is closed without a word to who waits
 * break: POLL_UNMARKED      who comes to a closed poll waits there
 * break: UNREF_FIRST        the record goes before libuv lets go of its poll
 * break: READ_CLOSING_LATE  the loop reads from the record when it may be gone
 * break: NO_REF             a call does not count as a user of its record
 * break: CLOSE_IN_TABLE     a closed handle still finds its record
 * break: TURN_TIMEOUT_WINS  a deadline hides that the turn was given
 * break: FREE_BEFORE_JOIN   tasks are freed before the threads have stopped
 * break: JOB_LEAVE          a task leaves a job that a thread has taken
 * break: WITHDRAW_UNLOCKED  a job is looked at, then taken out of the list
 * break: JOB_DONE_FIRST     a job is done before its result is there
 * break: NO_RECHECK         a thread that was signalled takes what is not there
 * break: STOP_ONE           only one thread of the pool is told to stop
 */
#define NOBODY 255
#define READERS 2
#define CLOSER 2
#define TASKS 3
#define STOP 6
#define MESSAGES 7
#define THREADS 2

mtype = {
    SENT, ANSWERED, SETTLED,            /* a call */
    UNKNOWN, OK, CLOSED, TIMEOUT,       /* what it comes to */
    WAITING, GIVEN, ENDED,              /* a turn's waiter */
    QUEUED, TAKEN, DONE                 /* a job */
};

bool deadlines;         /* They may pass. */
byte tasks_live;
bool tasks_freed;
bool permit[TASKS];
bool frame[TASKS];      /* What a task has lent: a call, a job, a waiter. */

inline unpark(t)
{
    atomic { assert(!tasks_freed); permit[t] = true }
}

#define PARK(t) atomic { permit[t] -> permit[t] = false }

/* --- messages: loop.c --------------------------------------------------- */

byte inbox = NOBODY;    /* The newest message. */
byte next[MESSAGES];
bool async;             /* The loop is to wake. */
bool loop_freed;
bool loop_ended;

#define MESSAGE_ALIVE(m) (m == STOP || frame[m / 2])

inline send(m)
{
#ifdef WAKE_FIRST
    async = true;
#endif
    atomic { next[m] = inbox; inbox = m };
    atomic {
        assert(!loop_freed);
#ifndef WAKE_FIRST
        async = true
#endif
    }
}

/* --- calls -------------------------------------------------------------- */

mtype state[TASKS];
mtype result[TASKS];
bool answered[TASKS];   /* The loop's. */

inline publish(t, now)
{
    atomic { assert(frame[t]); state[t] = now };
#ifdef READ_TASK_LATE
    assert(frame[t]);
#endif
    unpark(t)
}

inline answer(t, how)
{
    atomic {
        assert(frame[t]);
        assert(!answered[t]);
        answered[t] = true;
#ifndef STATE_FIRST
        result[t] = how
#endif
    };
    publish(t, ANSWERED);
#ifdef STATE_FIRST
    result[t] = how;
#endif
    skip
}

/* Also ends when it must not wait any longer for what it waits for. */
inline call(t, can_undo, out)
{
    atomic {
        frame[t] = true; answered[t] = false; state[t] = SENT;
        result[t] = UNKNOWN
    };
    send(2 * t);
    do
    :: state[t] != SENT -> break
    :: else ->
end_called:
        if
        :: PARK(t)
        :: can_undo && deadlines -> send(2 * t + 1);
            do
#if defined(LEAVE_AT_ONCE)
            :: break
#elif defined(LEAVE_ANSWERED)
            :: state[t] != SENT -> break
#else
            :: state[t] == SETTLED -> break
#endif
            :: else -> PARK(t)
            od;
            break
        fi
    od;
    atomic {
        out = result[t];
        assert(out != UNKNOWN);
        /* Nothing was done for a call that was taken back. */
        assert(answered[t] == (out != TIMEOUT));
        frame[t] = false
    }
}

/* --- the record and its poll -------------------------------------------- */

bool in_table = true;
byte refs = 1;
bool freed;
byte closing = NOBODY;  /* Who closes it. */
bool known;             /* To libuv. */
bool poll_closed;
bool uv_closing;
bool uv_closed;
byte waits = NOBODY;    /* Whose call. */
byte data;              /* That has come and was not read. */

inline unref()
{
    atomic {
        assert(!freed && refs > 0);
        refs--;
        if
        :: refs == 0 -> freed = true; assert(!known || uv_closed)
        :: else
        fi
    }
}

/* The loop has nothing more to do with the record. */
inline closed_record()
{
    atomic {
        assert(!freed);
#ifndef READ_CLOSING_LATE
        who = closing
#endif
    };
#ifndef UNREF_FIRST
    unref();
#endif
#ifdef READ_CLOSING_LATE
    atomic { assert(!freed); who = closing };
#endif
    if
    :: who != NOBODY -> answer(who, OK)
    :: else
    fi
}

inline close_on_loop()
{
    assert(!freed && !poll_closed);
#ifdef UNREF_FIRST
    unref();
#endif
    atomic {
#ifndef POLL_UNMARKED
        poll_closed = true;
#endif
        who = waits;
#ifndef CLOSE_FORGETS
        waits = NOBODY
#endif
    };
#ifndef CLOSE_FORGETS
    if
    :: who != NOBODY -> answer(who, CLOSED)
    :: else
    fi;
#endif
    if
    :: known -> uv_closing = true
    :: else -> closed_record()
    fi
}

/* --- on the loop's thread ----------------------------------------------- */

inline run_wait(t)
{
    assert(!freed);
    if
    :: poll_closed -> answer(t, CLOSED)
    :: else -> atomic { assert(waits == NOBODY); known = true; waits = t }
    fi
}

inline run_withdraw(t)
{
    atomic {
        assert(frame[t]);
        if
#ifdef UNDO_ANSWERED
        :: true ->
#else
        :: !answered[t] ->
#endif
#ifndef KEEP_WITHDRAWN
            assert(!freed);
            waits = NOBODY;
#endif
            result[t] = TIMEOUT
        :: else
        fi
    };
    publish(t, SETTLED)
}

inline run_message(m)
{
    if
    :: m == STOP ->
        stopped = true;
        if
        :: in_table -> in_table = false; close_on_loop()
        :: else
        fi
    :: m == 2 * CLOSER -> closing = CLOSER; close_on_loop()
    :: m < 2 * CLOSER && m % 2 == 0 -> run_wait(m / 2)
    :: m < 2 * CLOSER && m % 2 == 1 -> run_withdraw(m / 2)
    fi
}

/* The newest first, from the inbox; the oldest first, to be run. */
inline take_all()
{
    d_step {
        m = inbox;
        inbox = NOBODY;
#ifdef NEWEST_FIRST
        batch = m;
#else
        batch = NOBODY;
        do
        :: m != NOBODY ->
            assert(MESSAGE_ALIVE(m));
            after = next[m];
            next[m] = batch;
            batch = m;
            m = after
        :: else -> break
        od;
#endif
        after = 0;
        m = 0
    }
}

proctype loop()
{
    byte batch, m, after, who;
    bool stopped;

end_loop:
    do
    :: atomic { async -> async = false };
        take_all();
        do
        :: atomic {
                batch != NOBODY ->
                m = batch;
                assert(MESSAGE_ALIVE(m));
                after = next[m]
            };
            run_message(m);
#ifdef NEXT_AFTER_RUN
            atomic { assert(MESSAGE_ALIVE(m)); after = next[m] };
#endif
            atomic { batch = after; after = 0; m = 0; who = 0 }
        :: batch == NOBODY -> break
        od
    :: atomic { data > 0 && waits != NOBODY && !uv_closing ->
            assert(!freed); who = waits; waits = NOBODY };
        answer(who, OK);
        who = 0
    :: atomic { uv_closing && !uv_closed -> uv_closed = true };
        closed_record();
        who = 0
    :: stopped && (!uv_closing || uv_closed) && !async -> break
    od;
    loop_ended = true
}

/* --- turns: io_handle.c ------------------------------------------------- */

chan turns = [READERS] of { byte };
bool turn_taken;
bool record_closed;
mtype turn[READERS];

inline turn_take(t)
{
    atomic {
        assert(!freed);
        if
        :: record_closed -> out = CLOSED
        :: !record_closed && !turn_taken -> turn_taken = true; out = OK
        :: else ->
            frame[t] = true; turn[t] = WAITING; turns!t; out = UNKNOWN
        fi
    };
    if
    :: out == UNKNOWN ->
        do
        :: turn[t] != WAITING -> out = turn[t]; break
        :: else ->
end_turn:
            if
            :: PARK(t)
            :: deadlines ->
                atomic {
                    out = turn[t];
                    if
                    :: turns??[eval(t)] -> turns??eval(t)
                    :: else
                    fi
#ifdef TURN_TIMEOUT_WINS
                    ; out = TIMEOUT
#endif
                };
                break
            fi
        od;
        atomic {
            frame[t] = false;
            out = (out == GIVEN -> OK : (out == ENDED -> CLOSED : TIMEOUT))
        }
    :: else
    fi
}

/* Under the record's lock: the first who waits, with an answer. */
inline end_wait(how)
{
    turns?who;
    assert(frame[who]);
    turn[who] = how
}

inline turn_give()
{
    atomic {
        assert(!freed);
        if
        :: empty(turns) -> turn_taken = false; who = NOBODY
        :: nempty(turns) -> end_wait(GIVEN)
        fi
    };
    if
    :: who != NOBODY -> unpark(who)
    :: else
    fi
}

inline end_turns()
{
    do
    :: atomic {
            assert(!freed);
            record_closed = true;
            if
            :: empty(turns) -> who = NOBODY
            :: nempty(turns) -> end_wait(ENDED)
            fi
        };
        if
        :: who != NOBODY -> unpark(who)
        :: else -> break
        fi
    od
}

/* --- tasks that read and close ------------------------------------------ */

proctype reader(byte t)
{
    byte who;
    mtype out = CLOSED;
    bool found;

    atomic {
        if
        :: in_table -> found = true;
#ifndef NO_REF
            refs++
#endif
        :: else
        fi
    };
    if
    :: found -> turn_take(t)
    :: else
    fi;
    if
    :: found && out == OK ->
        do
        :: atomic {
                assert(!freed); /* Nor is its descriptor closed. */
                if
                :: data > 0 -> data--; break
                :: else
                fi
            };
            call(t, true, out);
            if
            :: out == OK
            :: else -> break
            fi
        od;
        turn_give()
    :: else
    fi;
    if
    :: found ->
#ifndef NO_REF
        unref()
#endif
    :: else
    fi;
    tasks_live--
}

proctype closer()
{
    byte who;
    mtype out;
    bool mine;

    atomic {
        mine = in_table;
#ifndef CLOSE_IN_TABLE
        in_table = false
#endif
    };
    if
    :: mine -> end_turns(); call(CLOSER, false, out)
    :: else
    fi;
    tasks_live--
}

/* Who writes to the other end. */
proctype writer()
{
    data++
}

/* --- the pool: pool.c --------------------------------------------------- */

mtype job[TASKS];       /* Its state. */
bool ran[TASKS];        /* Its result. */
chan jobs = [TASKS] of { byte };
byte queued;
byte idle;              /* Threads that are about to wait, or do. */
byte asleep;            /* Threads that wait for a signal. */
byte signals;
byte threads;           /* Started so far. */
byte threads_ended;
bool stopping;

inline submit(t)
{
    atomic {
        frame[t] = true; ran[t] = false; job[t] = QUEUED;
        jobs!t;
        queued++;
        if
        :: queued > idle && threads < THREADS -> threads++
        :: else
        fi;
        if
        :: asleep > signals -> signals++
        :: else
        fi
    }
}

/* Out of the list, where no thread has taken it. */
inline withdraw_job(t, mine)
{
#ifdef WITHDRAW_UNLOCKED
    mine = job[t] == QUEUED;
    atomic {
        if
        :: mine ->
            if
            :: jobs??[eval(t)] -> jobs??eval(t); queued--
            :: else
            fi
        :: else
        fi
    }
#else
    atomic {
        mine = job[t] == QUEUED;
        if
        :: mine -> jobs??eval(t); queued--
        :: else
        fi
    }
#endif
}

proctype submitter(byte t)
{
    bool mine;

    submit(t);
    do
    :: job[t] == DONE -> break
    :: else ->
        if
        :: PARK(t)
        :: deadlines -> withdraw_job(t, mine);
            do
#ifdef JOB_LEAVE
            :: break
#endif
            :: mine || job[t] == DONE -> break
            :: else -> PARK(t)
            od;
            break
        fi
    od;
    atomic { assert(mine || ran[t]); frame[t] = false };
    tasks_live--
}

proctype pool_thread(byte n)
{
    byte t;

end_unborn:
    if
    :: threads > n
    :: stopping && threads <= n -> goto none
    fi;
    do
    :: atomic {
            idle++;
            if
            :: queued == 0 && !stopping -> asleep++
            :: else -> goto look
            fi
        };
        /* Waits for a signal; then it has the lock again. */
wait:
        atomic { signals > 0 -> signals--; asleep--;
#ifndef NO_RECHECK
            if
            :: queued == 0 && !stopping -> asleep++; goto wait
            :: else
            fi;
#endif
look:
            idle--;
            if
            :: queued == 0 && stopping -> break
            :: else ->
                assert(nempty(jobs));
                jobs?t;
                assert(frame[t]);
                queued--;
                job[t] = TAKEN
            fi
        };
#ifndef JOB_DONE_FIRST
        atomic { assert(frame[t]); ran[t] = true };
#endif
        atomic { assert(frame[t]); job[t] = DONE };
#ifdef JOB_DONE_FIRST
        ran[t] = true;
#endif
        unpark(t);
        t = 0
    od;
    atomic { threads_ended++ };
none:
    skip
}

/* --- the host ----------------------------------------------------------- */

bool stopped_all;

proctype host(bool has_loop)
{
end_host:
    tasks_live == 0;
    if
    :: has_loop ->
        send(STOP);
#ifdef FREE_BEFORE_JOIN
        tasks_freed = true;
#endif
        loop_ended;
        loop_freed = true;
        assert(freed && !turn_taken)
    :: else ->
        atomic {
            assert(queued == 0);
            stopping = true;
#ifdef STOP_ONE
            signals = (asleep > 0 -> 1 : 0)
#else
            signals = asleep
#endif
        };
        threads_ended == threads
    fi;
    tasks_freed = true;
    stopped_all = true
}

/* Whatever can happen happens together to one reader, or in pairs to two. */
init {
    atomic {
        if
        :: tasks_live = 2;
            run submitter(0);
            run submitter(1);
            run pool_thread(0);
            run pool_thread(1);
            if
            :: skip
            :: deadlines = true
            fi;
            run host(false)
        :: run reader(0);
            run loop();
            if
            :: tasks_live = 2; deadlines = true;
                run writer(); run closer()
            :: tasks_live = 3; run reader(1);
                run writer(); run closer()
            :: tasks_live = 3; run reader(1); deadlines = true;
                run closer()
            :: tasks_live = 2; run reader(1); deadlines = true;
                run writer()
            :: tasks_live = 2; run reader(1); data = 1;
                run writer()
            fi;
            run host(true)
        fi
    }
}

/* Nothing moves any more. */
active proctype watch()
{
end_watch:
    timeout ->
    assert(stopped_all || (tasks_live > 0 && in_table && data == 0 &&
        !deadlines))
}
