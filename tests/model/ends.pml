/*
 * The two ends of a channel's buffer, and those who wait at them:
 * src/chan/fast.h, pass.c and the lock of src/chan/chan.h.
 *
 * Two senders give four values to a channel with a buffer of two; two receivers
 * take two each. Each tries the fast path first, under its end's lock: if its
 * end's room is 0 it looks for waiters and then at the other end's index. Where
 * that is in vain it takes both locks, the tail's first, and passes a value to
 * or from somebody who waits, or through the buffer, or joins a queue. To leave
 * both locks sets both rooms to 0.
 *
 * A lock is one atomic step to take. An index and its slot are two steps; with
 * RELAXED_TAIL and RELAXED_HEAD they come in the other order.
 *
 * expect: every value is received once, those of one sender in their order; a
 * slot is not overwritten before it was read, nor read before it was written;
 * a fast path never passes somebody who waits; nobody is left in a queue (spin
 * would find an invalid end state).
 *
 * break: KEEP_SEND_ROOM  the tail's room outlives both locks
 * break: KEEP_RECV_ROOM  so does the head's
 * break: ONE_LOCK_RECV   a receiver joins its queue under its own lock only
 * break: ONE_LOCK_SEND   a sender joins its queue under its own lock only
 * break: BLIND_SEND      a sender looks for slots, but not for receivers
 * break: BLIND_RECV      a receiver looks for values, but not for senders
 * break: RELAXED_TAIL    the index may be seen before the value
 * break: RELAXED_HEAD    a slot may be seen free before it was read
 * break: HEAD_FIRST      a receiver takes the head's lock first
 */
#define CAP 2
#define VALUES 4
#define PARTIES 4 /* senders 0 and 1, receivers 2 and 3 */

bool tail_lock, head_lock;
byte tail, head;           /* indices */
byte tail_room, head_room;
byte slot[CAP];            /* 0: free */
byte next_free, next_full; /* what the holder of an end's lock is at */

chan senders = [PARTIES] of { byte };
chan receivers = [PARTIES] of { byte };
byte elem[PARTIES];        /* of who waits */
bool done[PARTIES];
byte received;             /* values, a bit each */

#define TAKE_TAIL atomic { !tail_lock -> tail_lock = true }
#define TAKE_HEAD atomic { !head_lock -> head_lock = true }
#define LEAVE_TAIL tail_lock = false
#define LEAVE_HEAD head_lock = false

inline leave_both()
{
    d_step {
#ifndef KEEP_SEND_ROOM
        tail_room = 0;
#endif
#ifndef KEEP_RECV_ROOM
        head_room = 0;
#endif
        skip
    };
    LEAVE_HEAD;
    LEAVE_TAIL
}

/* The tail's lock is held, and there is a free slot. */
inline ring_put(v)
{
#ifdef RELAXED_TAIL
    next_free = tail % CAP;
    tail++;
    assert(slot[next_free] == 0);
    slot[next_free] = v
#else
    assert(slot[tail % CAP] == 0);
    slot[tail % CAP] = v;
    tail++
#endif
}

/* The head's lock is held, and there is a value. */
inline ring_take(v)
{
#ifdef RELAXED_HEAD
    next_full = head % CAP;
    head++;
    assert(slot[next_full] != 0);
    v = slot[next_full];
    slot[next_full] = 0
#else
    v = slot[head % CAP];
    assert(v != 0);
    slot[head % CAP] = 0;
    head++
#endif
}

inline find_slots()
{
    if
#ifndef BLIND_SEND
    :: nempty(receivers)
#endif
    :: else -> tail_room = CAP - (tail - head)
    fi
}

inline find_values()
{
    if
#ifndef BLIND_RECV
    :: nempty(senders)
#endif
    :: else -> head_room = tail - head
    fi
}

/* Under both locks. */
inline put(me, v)
{
    if
    :: receivers?other -> elem[other] = v; leave_both(); done[other] = true
    :: empty(receivers) && tail - head < CAP -> ring_put(v); leave_both()
    :: empty(receivers) && tail - head == CAP ->
#ifdef ONE_LOCK_SEND
        leave_both();
        TAKE_TAIL;
#endif
        elem[me] = v;
        senders!me;
#ifdef ONE_LOCK_SEND
        LEAVE_TAIL;
#else
        leave_both();
#endif
        atomic { done[me] -> done[me] = false }
    fi
}

inline send(me, v)
{
    TAKE_TAIL;
    if
    :: tail_room == 0 -> find_slots()
    :: else
    fi;
    if
    :: tail_room > 0 ->
        tail_room--;
        assert(empty(receivers));
        assert(empty(senders));
        ring_put(v);
        LEAVE_TAIL
    :: else ->
        LEAVE_TAIL;
        TAKE_TAIL;
        TAKE_HEAD;
        put(me, v)
    fi
}

/* A slot has become free: who waits longest gets it. */
inline refill()
{
    if
    :: senders?other ->
        ring_put(elem[other]);
        leave_both();
        done[other] = true
    :: empty(senders) -> leave_both()
    fi
}

/* Under both locks. */
inline take(me, v)
{
    if
    :: tail != head -> ring_take(v); refill()
    :: tail == head && nempty(senders) ->
        senders?other;
        v = elem[other];
        leave_both();
        done[other] = true
    :: tail == head && empty(senders) ->
#ifdef ONE_LOCK_RECV
        leave_both();
        TAKE_HEAD;
#endif
        receivers!me;
#ifdef ONE_LOCK_RECV
        LEAVE_HEAD;
#else
        leave_both();
#endif
        atomic { done[me] -> done[me] = false };
        v = elem[me]
    fi
}

inline recv(me, v)
{
    TAKE_HEAD;
    if
    :: head_room == 0 -> find_values()
    :: else
    fi;
    if
    :: head_room > 0 ->
        head_room--;
        assert(empty(senders));
        ring_take(v);
        LEAVE_HEAD
    :: else ->
        LEAVE_HEAD;
#ifdef HEAD_FIRST
        TAKE_HEAD;
        TAKE_TAIL;
#else
        TAKE_TAIL;
        TAKE_HEAD;
#endif
        take(me, v)
    fi
}

active proctype sender_of_three()
{
    byte other;

    send(0, 1);
    send(0, 2);
    send(0, 3)
}

active proctype sender_of_one()
{
    byte other;

    send(1, 4)
}

active [2] proctype receiver()
{
    byte other, v, mine, turn;

    do
    :: turn < 2 ->
        turn++;
        recv(_pid, v);
        d_step {
            assert(v >= 1 && v <= VALUES);
            assert((received & (1 << v)) == 0);
            received = received | (1 << v);
            /* Of one sender, each receiver sees them in their order. */
            assert(v == 4 || v > mine);
            mine = (v == 4 -> mine : v);
            v = 0
        }
    :: else -> break
    od
}
