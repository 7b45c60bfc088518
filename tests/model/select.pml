/*
 * Select: one of several operations, in several channels; src/chan/select.c
 * with pass.c, wait.c and chan.c. chan.pml has the waiter's own protocol.
 *
 * Three or four tasks do one operation each: a select with two arms, or a plain
 * send or receive, which is an operation with one arm. Who does what is one of
 * the worlds in init: selects that face each other in two channels, a select
 * between plain tasks, selects with both arms in one channel, a channel with a
 * buffer of one. In each of them, but that of four tasks, deadlines may pass or
 * not, and somebody may close channel 0 or not.
 *
 * A waiter is the arm of a task; number w belongs to task w / 2. The value that
 * it sends is w + 1. `where` has the copy of it that prepare makes.
 *
 * A lock is one atomic step to take. Under it what only it guards is done in
 * one step; the claim, the hand-over, the result, and the wake are steps of
 * their own. The first, vain attempt of a plain operation is left out: it
 * changes nothing. The order in which a value and its result are seen is
 * chan.pml's.
 *
 * expect: an operation that ends well has done exactly one arm; the values of
 * the others are dropped by their owner, who alone has them; each value is
 * received once or not at all; nobody touches a waiter whose owner is gone.
 * When nothing moves any more, nobody is in a lock, and no two waiters could
 * serve each other, no waiter the buffer, and none is in a closed channel.
 *
 * break: LOCK_BY_ARM        the locks are taken in the order of the arms
 * break: LOCK_TWICE         a channel that two arms have is locked for each
 * break: OFFER_ONE_BY_ONE   arm by arm, each under its channel's lock alone
 * break: ENQUEUE_UNCHECKED  the locks are left between attempt and enqueue
 * break: ENQUEUE_FIRST      the arms are in their queues when attempted
 * break: OWN_CLAIMS         each arm has a claim word of its own
 * break: DEAD_STOPS         a completer that meets a dead arm looks no further
 * break: DROP_WAKE          a completer does not wake
 * break: LEAVE_LOSERS       a withdraw unlinks the arm that was done only
 * break: SKIP_LOCKS         it takes no lock where an arm was claimed
 * break: TIMEOUT_WINS       a deadline hides that an arm was done
 * break: UNDO_ALL           the copy is dropped that was sent, too
 * break: UNDO_NONE          the copies of the other arms are forgotten
 * break: NO_REFILL          who takes from the buffer lets no sender in
 * break: CLOSE_ONE_SIDE     closing completes those only who receive
 */
#define TASKS 4
#define WAITERS 8
#define NOBODY 255
#define OWNER(w) ((w) / 2)

mtype = {
    OFF, SEND, RECV,                              /* what an arm does */
    WAITS, OK, CLOSED, CANCELED,                  /* how that came out */
    NOWHERE, COPY, BUFFERED, RECEIVED, DROPPED    /* where a value is */
};

/* --- the world ---------------------------------------------------------- */

mtype op[WAITERS] = OFF;
byte on[WAITERS];       /* The channel. */
bool roomy;             /* Channel 0 has a buffer of one. */
bool deadlines;         /* They may pass. */

/* --- channels ----------------------------------------------------------- */

bool lock[2];
bool closed[2];
byte buffer;            /* Of channel 0: a value, or 0. */
chan senders[2] = [4] of { byte };
chan receivers[2] = [4] of { byte };

/* --- tasks -------------------------------------------------------------- */

bool alive[TASKS];      /* The frame with its waiters and its claim word. */
byte claim[TASKS];      /* 0, or the arm that was claimed + 1. */
mtype result[WAITERS] = WAITS;
byte elem[WAITERS];     /* A receiver's: the value, or 0. */
mtype where[WAITERS] = NOWHERE;
bool permit[TASKS];
bool ended[TASKS];

#define TAKE(c) atomic { !lock[c] -> lock[c] = true }
#define LEAVE(c) lock[c] = false

/* --- pass.c ------------------------------------------------------------- */

#ifdef OWN_CLAIMS
bool claimed[WAITERS];
#define CLAIMABLE(w) (!claimed[w])
#else
#define CLAIMABLE(w) (claim[OWNER(w)] == 0)
#endif

/* The first waiter of a queue that can be claimed, or NOBODY. */
inline claim_first(queue, found)
{
    found = NOBODY;
    do
    :: atomic { nempty(queue) -> queue?found; assert(alive[OWNER(found)]) };
        atomic {
            if
            :: CLAIMABLE(found) ->
                claim[OWNER(found)] = found % 2 + 1;
#ifdef OWN_CLAIMS
                claimed[found] = true;
#endif
                break
            :: else ->
                found = NOBODY
#ifdef DEAD_STOPS
                ; break
#endif
            fi
        }
    :: empty(queue) -> break
    od
}

inline complete(w, how)
{
    atomic {
        assert(alive[OWNER(w)]);
        assert(result[w] == WAITS);
        result[w] = how;
        woken = OWNER(w)
    }
}

inline wake(t)
{
    if
    :: t != NOBODY ->
#ifndef DROP_WAKE
        permit[t] = true
#endif
    :: else
    fi
}

/* The value of waiter s moves to where waiter r receives. */
inline hand_over(s, r)
{
    d_step {
        assert(alive[OWNER(s)] && alive[OWNER(r)]);
        assert(OWNER(s) != OWNER(r));
        assert(where[s] == COPY && elem[r] == 0);
        where[s] = RECEIVED;
        elem[r] = s + 1
    }
}

inline fill_buffer(s)
{
    d_step {
        assert(alive[OWNER(s)] && where[s] == COPY && buffer == 0);
        where[s] = BUFFERED;
        buffer = s + 1
    }
}

inline put(w)
{
    if
    :: closed[on[w]] -> out = CLOSED
    :: else ->
        claim_first(receivers[on[w]], other);
        if
        :: other != NOBODY ->
            hand_over(w, other);
            complete(other, OK);
            out = OK
        :: else ->
            if
            :: roomy && on[w] == 0 && buffer == 0 -> fill_buffer(w); out = OK
            :: else -> out = WAITS
            fi
        fi
    fi
}

inline refill()
{
#ifndef NO_REFILL
    if
    :: closed[0] -> skip
    :: else ->
        claim_first(senders[0], other);
        if
        :: other != NOBODY -> fill_buffer(other); complete(other, OK)
        :: else
        fi
    fi
#endif
    skip
}

inline take(w)
{
    if
    :: on[w] == 0 && buffer != 0 ->
        d_step {
            assert(where[buffer - 1] == BUFFERED && elem[w] == 0);
            where[buffer - 1] = RECEIVED;
            elem[w] = buffer;
            buffer = 0
        };
        refill();
        out = OK
    :: else ->
        if
        :: closed[on[w]] -> out = CLOSED
        :: else ->
            claim_first(senders[on[w]], other);
            if
            :: other != NOBODY ->
                hand_over(other, w);
                complete(other, OK);
                out = OK
            :: else -> out = WAITS
            fi
        fi
    fi
}

inline attempt(w)
{
    if
    :: op[w] == SEND -> put(w)
    :: op[w] == RECV -> take(w)
    fi;
    if
    :: out != WAITS -> chosen = w
    :: else
    fi
}

/* --- select.c ----------------------------------------------------------- */

inline prepare(w)
{
    if
    :: op[w] == SEND -> where[w] = COPY
    :: else
    fi
}

inline enqueue(w)
{
    if
    :: op[w] == SEND -> senders[on[w]]!w
    :: op[w] == RECV -> receivers[on[w]]!w
    fi
}

inline unlink(w)
{
    if
    :: senders[on[w]]??[eval(w)] -> senders[on[w]]??eval(w)
    :: receivers[on[w]]??[eval(w)] -> receivers[on[w]]??eval(w)
    :: else
    fi
}

/* The channels of both arms, by their addresses; or in the wrong way. */
inline lock_all(a, b)
{
#if defined(LOCK_BY_ARM)
    TAKE(on[a]);
    if
    :: on[a] != on[b] -> TAKE(on[b])
    :: else
    fi
#elif defined(LOCK_TWICE)
    TAKE((on[a] < on[b] -> on[a] : on[b]));
    TAKE((on[a] < on[b] -> on[b] : on[a]))
#else
    TAKE((on[a] < on[b] -> on[a] : on[b]));
    if
    :: on[a] < on[b] -> TAKE(on[b])
    :: on[a] > on[b] -> TAKE(on[a])
    :: else
    fi
#endif
}

inline leave_all(a, b)
{
    atomic { lock[on[a]] = false; lock[on[b]] = false }
}

inline offer_select(a, b)
{
#ifdef OFFER_ONE_BY_ONE
    TAKE(on[a]);
    attempt(a);
    if
    :: out == WAITS -> enqueue(a)
    :: else
    fi;
    LEAVE(on[a]);
    if
    :: out == WAITS ->
        TAKE(on[b]);
        attempt(b);
        if
        :: out == WAITS -> enqueue(b)
        :: else
        fi;
        LEAVE(on[b])
    :: else
    fi
#else
    lock_all(a, b);
#ifdef ENQUEUE_FIRST
    atomic { enqueue(a); enqueue(b) };
#endif
    /* A random one first. */
    if
    :: attempt(a);
        if
        :: out == WAITS -> attempt(b)
        :: else
        fi
    :: attempt(b);
        if
        :: out == WAITS -> attempt(a)
        :: else
        fi
    fi;
#ifdef ENQUEUE_UNCHECKED
    leave_all(a, b);
    lock_all(a, b);
#endif
#ifndef ENQUEUE_FIRST
    if
    :: out == WAITS -> atomic { enqueue(a); enqueue(b) }
    :: else
    fi;
#endif
    leave_all(a, b)
#endif
}

inline unlink_locked(w)
{
    TAKE(on[w]);
    unlink(w);
    LEAVE(on[w])
}

/* Each arm's lock is taken: a completer may be busy with one that is in no
 * queue any more. */
inline withdraw_select(a, b)
{
#if defined(SKIP_LOCKS)
    if
    :: claim[t] != 0
    :: else -> unlink_locked(a); unlink_locked(b)
    fi;
#elif defined(LEAVE_LOSERS)
    if
    :: claim[t] != 0 -> unlink_locked(a + claim[t] - 1)
    :: else -> unlink_locked(a); unlink_locked(b)
    fi;
#else
    unlink_locked(a);
    unlink_locked(b);
#endif
    if
    :: claim[t] == 0 -> out = CANCELED
    :: else ->
        chosen = a + claim[t] - 1;
        out = result[chosen];
        assert(out != WAITS)
    fi
}

/* --- wait.c: one arm ---------------------------------------------------- */

inline offer_one(w)
{
    TAKE(on[w]);
    attempt(w);
    if
    :: out == WAITS -> enqueue(w)
    :: else
    fi;
    LEAVE(on[w])
}

inline withdraw_one(w)
{
    if
    :: result[w] != WAITS
    :: else -> unlink_locked(w)
    fi;
    out = (claim[t] == 0 -> CANCELED : result[w]);
    assert(out != WAITS);
    chosen = w
}

/* --- the end of an operation -------------------------------------------- */

inline undo(w)
{
    if
    :: op[w] == SEND ->
        assert(where[w] == COPY);
        where[w] = DROPPED
    :: else
    fi
}

inline undo_arms(a, b)
{
#if defined(UNDO_ALL)
    undo(a); undo(b)
#elif defined(UNDO_NONE)
    if
    :: out != OK -> undo(a); undo(b)
    :: else
    fi
#else
    if
    :: out != OK || chosen != a -> undo(a)
    :: else
    fi;
    if
    :: out != OK || chosen != b -> undo(b)
    :: else
    fi
#endif
}

/* What the caller finds in an arm's element. */
inline check_arm(w)
{
    if
    :: op[w] == SEND && out == OK && chosen == w ->
        assert(where[w] == BUFFERED || where[w] == RECEIVED)
    :: op[w] == SEND && (out != OK || chosen != w) ->
        assert(where[w] == DROPPED)
    :: op[w] == RECV && out == OK && chosen == w -> assert(elem[w] != 0)
    :: op[w] == RECV && (out != OK || chosen != w) -> assert(elem[w] == 0)
    :: op[w] == OFF
    fi
}

#define DONE(w) (result[w] != WAITS)
#define IS_SELECT(t) (op[2 * t + 1] != OFF)

proctype task(byte t)
{
    byte woken = NOBODY, other = NOBODY, chosen = NOBODY;
    mtype out = WAITS;

    d_step { alive[t] = true; prepare(2 * t); prepare(2 * t + 1) };
    if
    :: IS_SELECT(t) -> offer_select(2 * t, 2 * t + 1)
    :: else -> offer_one(2 * t)
    fi;
    wake(woken);
    woken = NOBODY;
    if
    :: out != WAITS ->
        /* Nobody else has done an arm. */
        assert(claim[t] == 0)
    :: else ->
        do
        :: IS_SELECT(t) && claim[t] != 0 -> break
        :: !IS_SELECT(t) && result[2 * t] != WAITS -> break
        :: else ->
end_parked:
            if
            :: atomic { permit[t] -> permit[t] = false }
            :: deadlines -> out = CANCELED; break
            fi
        od;
#ifdef TIMEOUT_WINS
        if
        :: out == CANCELED -> unlink_locked(2 * t);
            if
            :: IS_SELECT(t) -> unlink_locked(2 * t + 1)
            :: else
            fi
        :: else ->
#endif
        if
        :: IS_SELECT(t) -> withdraw_select(2 * t, 2 * t + 1)
        :: else -> withdraw_one(2 * t)
        fi
#ifdef TIMEOUT_WINS
        fi
#endif
    fi;
    d_step {
        undo_arms(2 * t, 2 * t + 1);
        check_arm(2 * t);
        check_arm(2 * t + 1);
        /* One arm at most was done, by whomever. */
        assert(!DONE(2 * t) || !DONE(2 * t + 1));
        alive[t] = false;
        ended[t] = true;
        claim[t] = 0; chosen = 0; other = 0; out = OFF
    }
}

/* --- chan.c ------------------------------------------------------------- */

inline close_queue(queue)
{
    do
    :: empty(queue) -> break
    :: nempty(queue) ->
        claim_first(queue, other);
        if
        :: other != NOBODY -> complete(other, CLOSED); wakes[woken] = true
        :: else
        fi
    od
}

proctype closer()
{
    byte woken, other;
    bool wakes[TASKS];

    TAKE(0);
    closed[0] = true;
    LEAVE(0);
    TAKE(0);
#ifndef CLOSE_ONE_SIDE
    close_queue(senders[0]);
#endif
    close_queue(receivers[0]);
    LEAVE(0);
    woken = 0;
    do
    :: woken < TASKS ->
        if
        :: wakes[woken] -> wake(woken)
        :: else
        fi;
        woken++
    :: else -> break
    od
}

/* --- worlds ------------------------------------------------------------- */

#define ARM(t, a, what, where_) op[2 * t + a] = what; on[2 * t + a] = where_

init {
    atomic {
        if
        :: /* A buffer. */
            roomy = true;
            ARM(0, 0, SEND, 0); ARM(0, 1, RECV, 1);
            ARM(1, 0, SEND, 0);
            ARM(2, 0, RECV, 0);
            if
            :: skip
            :: ARM(2, 1, SEND, 1)
            fi
        :: /* One channel twice; nobody meets himself. */
            ARM(0, 0, SEND, 0); ARM(0, 1, RECV, 0);
            ARM(1, 0, RECV, 0);
            if
            :: ARM(1, 1, RECV, 0)
            :: ARM(1, 1, SEND, 0)
            fi;
            ARM(2, 0, SEND, 0)
        :: /* A dead arm may stand before a live waiter. */
            ARM(0, 0, SEND, 0); ARM(0, 1, RECV, 1);
            ARM(1, 0, SEND, 0);
            ARM(2, 0, SEND, 1);
            ARM(3, 0, RECV, 0)
        :: /* Two that face each other, with their arms in either order. */
            ARM(0, 0, SEND, 0); ARM(0, 1, RECV, 1);
            ARM(1, 0, SEND, 1); ARM(1, 1, RECV, 0);
            if
            :: ARM(2, 0, RECV, 1)
            :: ARM(2, 0, SEND, 1); ARM(2, 1, RECV, 0)
            fi
        :: /* Two sends, two receives. */
            ARM(0, 0, SEND, 0); ARM(0, 1, SEND, 1);
            ARM(1, 0, RECV, 1); ARM(1, 1, RECV, 0);
            if
            :: ARM(2, 0, RECV, 0)
            :: ARM(2, 0, SEND, 0)
            fi
        fi;
        run task(0);
        run task(1);
        run task(2);
        if
        :: op[6] != OFF -> run task(3)
        :: else ->
            if
            :: skip
            :: run closer()
            :: deadlines = true
            :: deadlines = true; run closer()
            fi
        fi
    }
}

/* Nothing moves any more: whoever still waits must. */
#define STILL(w) (op[w] != OFF && !ended[OWNER(w)])

active proctype watch()
{
    byte s, r;

end_watch:
    timeout ->
    d_step {
        assert(!lock[0] && !lock[1]);
        do
        :: s < WAITERS ->
            assert(!STILL(s) || (!closed[on[s]] && claim[OWNER(s)] == 0));
            assert(!STILL(s) || on[s] == 1 || !roomy ||
                (op[s] == SEND -> buffer != 0 : buffer == 0));
            r = 0;
            do
            :: r < WAITERS ->
                assert(!(STILL(s) && STILL(r) && op[s] == SEND &&
                    op[r] == RECV && on[s] == on[r] && OWNER(s) != OWNER(r)));
                r++
            :: else -> break
            od;
            s++
        :: else -> break
        od
    }
}
