/*
 * Broadcasts: src/chan/broadcast.c and feed.c.
 *
 * Two senders, of whom one sends two values and waits for as long as it takes,
 * and the other sends one and may give up wherever it waits. One subscriber
 * loses the oldest value when its buffer is full, and stays to the end; another
 * makes senders wait, and leaves when it likes. Or, in another world, there is
 * only the first sender, and the second subscriber comes once more. Somebody
 * closes the broadcast. Each buffer has room for one value. A value is the number of
 * its send, counted when its delivery begins.
 *
 * What is done under the lock of the broadcast, or of a subscription, is one
 * step; so is the turn, for which senders queue. How receivers and senders wait
 * in a channel is shown by chan.pml and ends.pml.
 *
 * expect: a send goes to all who had subscribed before it began and have not
 * left, or to nobody, and then it says so; no value takes another one's place
 * where none may be dropped; a subscriber gets the values in their order, and
 * what it is said to have missed is what lies between two of them; what was put
 * into its buffer is what it received, has missed, or left behind; after a
 * close everybody ends (spin would find an invalid end state); nobody reads an
 * audience that is gone.
 *
 * break: NO_TURN          senders do not wait for one another
 * break: NO_ROOM          they do not wait for room
 * break: ONE_BY_ONE       they wait and deliver for one subscriber after another
 * break: WAIT_FOR_LEFT    they wait also for who has left
 * break: KEEP_TURN        who gives up keeps the turn
 * break: BLIND_UPDATE     an audience is replaced though another one came between
 * break: LATE_SUBSCRIBER  one comes into a broadcast that has been closed
 * break: BLIND_DELIVERY   nobody looks, before delivering, whether it is closed
 * break: CLOSE_AT_ONCE    a close does not leave the subscribers to the deliverer
 * break: CLOSE_FORGOTTEN  the deliverer does not look for a close
 * break: NO_REF           a sender has no reference to its audience
 * break: DROP_NEWEST      the newest value is dropped, not the oldest
 * break: NO_GAP           what was dropped is not counted
 * break: MISSED_AT_ONCE   ...or is told before older values are received
 * break: GAP_STAYS        ...or is told twice
 */
#define SUBS  3 /* 0: drops; 1 and 2: the two visits of the other */
#define CAP   1
#define VERS  7
#define NOBODY SUBS

#define OPEN  0
#define LEFT  1 /* By its subscriber. */
#define ENDED 2 /* By the broadcast's close. */

#define DROPS(k) (k == 0)
#define BIT(k)   (1 << (k))

bool turn = true;

/* Audiences, by number; 0: none. The broadcast has a reference to its own. */
byte refs[VERS];
byte members[VERS];
byte current;

bool closed, delivering;
byte sent;

chan buffer[SUBS] = [CAP] of { byte };
byte state[SUBS];
byte gap[SUBS];
byte missed[SUBS];
byte here;      /* Have subscribed, and have not begun to leave; a bit each. */
byte fed[SUBS]; /* Values that came into its buffer. */
bool comes_again;

/* --- audiences ------------------------------------------------------------- */

inline take_ref(a)
{
    d_step {
        a = current;
        if
        :: a != 0 -> refs[a]++
        :: else
        fi
    }
}

inline audience_now(a)
{
#ifndef NO_REF
    take_ref(a)
#else
    a = current
#endif
}

inline unref(a)
{
    if
    :: a != 0 ->
        assert(refs[a] > 0);
        refs[a]--;
        if
        :: refs[a] == 0 -> members[a] = 0
        :: else
        fi
    :: else
    fi
}

inline audience_release(a)
{
    d_step { unref(a) }
}

/* The lowest number that is free. */
inline make_current()
{
    d_step {
        made = 1;
        do
        :: refs[made] > 0 -> made++
        :: else -> break
        od;
        members[made] = next;
        refs[made] = 1;
        unref(current);
        current = made;
        made = 0
    }
}

inline audience_release_own(a)
{
#ifndef NO_REF
    audience_release(a)
#else
    skip
#endif
}

#define READ_AUDIENCE(a) assert(a == 0 || refs[a] > 0)

#define STAY(k) (state[k] == OPEN -> members[old] & BIT(k) : 0)

/* Leaves out who has left, and adds one, or nobody. */
inline audience_update(more, refused)
{
    do
    :: atomic {
            take_ref(old);
            next = STAY(0) | STAY(1) | STAY(2);
            if
            :: more != NOBODY -> next = next | BIT(more)
            :: else
            fi
        };
        atomic {
            refused = false;
            changed = false;
            if
#ifndef LATE_SUBSCRIBER
            :: closed -> refused = true
#endif
#ifndef BLIND_UPDATE
            :: !closed && current != old -> changed = true
            :: !closed && current == old ->
#else
            :: !closed ->
#endif
                make_current()
#ifdef LATE_SUBSCRIBER
            :: closed -> make_current()
#endif
            fi
        };
        atomic {
            audience_release(old);
            old = 0;
            next = 0;
            if
            :: changed
            :: else -> break
            fi
        }
    od
}

/* --- closing --------------------------------------------------------------- */

inline end_one(a, k)
{
    atomic {
        READ_AUDIENCE(a);
        if
        :: (members[a] & BIT(k)) && state[k] == OPEN -> state[k] = ENDED
        :: else
        fi
    }
}

inline end_audience()
{
    atomic {
        ended = current;
        current = 0
    };
    end_one(ended, 0);
    end_one(ended, 1);
    atomic {
        end_one(ended, 2);
        audience_release(ended);
        ended = 0
    }
}

proctype closer()
{
    byte ended;
    bool leave_it;

    atomic { closed = true; leave_it = delivering };
#ifdef CLOSE_AT_ONCE
    leave_it = false;
#endif
    if
    :: !leave_it -> end_audience()
    :: else
    fi
}

/* --- sending --------------------------------------------------------------- */

#ifdef WAIT_FOR_LEFT
#define HAS_ROOM(k) (DROPS(k) || len(buffer[k]) < CAP)
#else
#define HAS_ROOM(k) (DROPS(k) || state[k] != OPEN || len(buffer[k]) < CAP)
#endif

inline await_room(k)
{
#ifndef NO_ROOM
    atomic {
        READ_AUDIENCE(mine);
        if
        :: gave_up || !(members[mine] & BIT(k))
        :: !gave_up && (members[mine] & BIT(k)) ->
            if
            :: HAS_ROOM(k)
            :: !HAS_ROOM(k) && hurried -> gave_up = true
            fi
        fi
    }
#else
    skip
#endif
}

/* One value has no room. */
inline drop_one(k)
{
    assert(DROPS(k));
#ifdef DROP_NEWEST
    v = sent;
#else
    buffer[k]?v;
#endif
#ifndef NO_GAP
#ifdef MISSED_AT_ONCE
    missed[k]++;
#else
    gap[k]++;
#endif
#endif
    v = 0
}

inline feed(k)
{
    atomic {
        READ_AUDIENCE(mine);
        if
        :: !(members[mine] & BIT(k))
        :: (members[mine] & BIT(k)) && state[k] != OPEN -> somebody_left = true
        :: (members[mine] & BIT(k)) && state[k] == OPEN ->
            fed[k]++;
            got = got | BIT(k);
#ifdef DROP_NEWEST
            if
            :: len(buffer[k]) == CAP -> drop_one(k)
            :: else -> buffer[k]!number
            fi
#else
            if
            :: len(buffer[k]) == CAP -> drop_one(k)
            :: else
            fi;
            buffer[k]!number
#endif
        fi
    }
}

inline begin_delivery()
{
    atomic {
        if
#ifndef BLIND_DELIVERY
        :: closed -> is_closed = true
        :: !closed ->
#else
        :: true ->
#endif
            delivering = true;
            sent++;
            number = sent
        fi
    }
}

inline end_delivery()
{
    atomic { delivering = false; is_closed = closed };
#ifndef CLOSE_FORGOTTEN
    if
    :: is_closed -> end_audience()
    :: else
    fi
#endif
}

inline deliver()
{
#ifdef ONE_BY_ONE
    begin_delivery();
    if
    :: !is_closed ->
        await_room(0);
        if :: !gave_up -> feed(0) :: else fi;
        await_room(1);
        if :: !gave_up -> feed(1) :: else fi;
        await_room(2);
        if :: !gave_up -> feed(2) :: else fi;
        end_delivery()
    :: else
    fi
#else
    await_room(0);
    await_room(1);
    await_room(2);
    if
    :: !gave_up -> begin_delivery()
    :: else
    fi;
    if
    :: !gave_up && !is_closed ->
        feed(0);
        feed(1);
        feed(2);
        end_delivery();
        done = true
    :: else
    fi
#endif
}

/* To all that it must go to, or to nobody. */
inline check_send()
{
    d_step {
        if
        :: done ->
            assert(!(must & BIT(0)) || (got & BIT(0)) || state[0] == LEFT);
            assert(!(must & BIT(1)) || (got & BIT(1)) || state[1] == LEFT);
            assert(!(must & BIT(2)) || (got & BIT(2)) || state[2] == LEFT)
        :: else -> assert(got == 0)
        fi;
        got = 0;
        must = 0;
        number = 0
    }
}

inline send()
{
    d_step {
        must = here;
        gave_up = false;
        somebody_left = false;
        done = false
    };
#ifndef NO_TURN
    if
    :: atomic { turn -> turn = false }
    :: hurried -> gave_up = true
    fi;
#endif
    if
    :: !gave_up ->
        audience_now(mine);
        deliver();
        atomic {
            check_send();
            audience_release_own(mine);
            mine = 0
        };
        if
        :: somebody_left -> audience_update(NOBODY, refused)
        :: else
        fi;
#ifdef KEEP_TURN
        if
        :: !gave_up -> turn = true
        :: else
        fi
#else
        turn = true
#endif
    :: else -> must = 0
    fi
}

#define SENDER_STATE                                                           \
    byte must, mine, got, number, old, next, made, ended, v;                         \
    bool gave_up, is_closed, somebody_left, done, refused, changed

proctype sender_of_two()
{
    SENDER_STATE;
    bool hurried = false;

    send();
    if
    :: !is_closed -> send()
    :: else
    fi
}

proctype sender_of_one()
{
    SENDER_STATE;
    bool hurried = true;

    send()
}

/* --- subscribers ----------------------------------------------------------- */

/* A value, and then the question how many were missed before it. */
inline receive(k)
{
    atomic {
        nempty(buffer[k]) ->
        buffer[k]?v;
        missed[k] = missed[k] + gap[k];
#ifndef GAP_STAYS
        gap[k] = 0
#endif
    };
    d_step {
        assert(last == 0 || v == last + missed[k] + 1);
        last = v;
        counted = counted + 1 + missed[k];
        missed[k] = 0;
        v = 0
    }
}

inline forget(k)
{
    d_step { last = 0; counted = 0 }
}

inline begin_to_leave(k)
{
    here = here & ~BIT(k)
}

inline leave(k)
{
    atomic {
        assert(fed[k] == counted + gap[k] + len(buffer[k]));
        if
        :: state[k] == OPEN -> state[k] = LEFT
        :: else
        fi
    }
}

inline stay(k, may_leave)
{
    here = here | BIT(k);
    do
    :: receive(k)
    :: empty(buffer[k]) && state[k] == ENDED -> break
    :: may_leave -> break
    od;
    begin_to_leave(k);
    atomic {
        leave(k);
        forget(k)
    }
}

proctype stays()
{
    byte last, counted, v, old, next, made;
    bool refused, changed;

    audience_update(0, refused);
    if
    :: !refused -> stay(0, false)
    :: else
    fi
}

proctype visits()
{
    byte last, counted, v, old, next, made;
    bool refused, changed;

    audience_update(1, refused);
    if
    :: !refused -> stay(1, true)
    :: else
    fi;
    if
    :: !refused && comes_again ->
        audience_update(2, refused);
        if
        :: !refused -> stay(2, false)
        :: else
        fi
    :: else
    fi
}

/* Two worlds: two senders and one visit, or one sender and two visits. */
init {
    atomic {
        if
        :: comes_again = true
        :: run sender_of_one()
        fi;
        run sender_of_two();
        run stays();
        run visits();
        run closer()
    }
}
