/*
 * Waiters of channels: offer, complete, withdraw, and the claim word that the
 * arms of a select share; src/chan/pass.c, wait.c, select.c, op.c. Those that
 * are no select's have none: whoever takes one out of its queue has it.
 *
 * An owner waits in ROUNDS rounds, each time either with one waiter, in channel
 * 0, or with a select of two, in channels 0 and 1; none has a buffer. In all
 * rounds but the last its deadline may pass at any time. Its memory is gone
 * between two rounds. Two senders try to give one value each, one a channel; a
 * third process gives a value to channel 0 or closes it. A sender that finds no
 * receiver keeps its value.
 *
 * A lock is one atomic step to take. What a completer stores to the waiter, the
 * value and then the result, are separate steps, so that others may come in
 * between; with RELAXED_RESULT they come in the other order.
 *
 * expect: every value is received once or kept by its sender; a result is seen
 * with its value only; a round is completed at most once, and woken as often;
 * the owner is not left parked (spin would find an invalid end state); nobody
 * touches a waiter's memory when it is gone.
 */
/* expect: ok */
/*
 *
 * break: NO_CLAIM          a completer takes a waiter without asking the claim
 * break: CLAIM_BY_STORE    the claim is a load and a store
 * break: DROP_WAKE         a completer does not wake
 * break: WAKE_BEFORE       a completer wakes before it publishes the result
 * break: RELAXED_RESULT    the result may be seen before the value
 * break: READ_WAKE_LATE    the wake is read from the waiter after publication
 * break: NO_LOCK_WITHDRAW  a withdraw unlinks what it sees, without the lock
 * break: LEAVE_ONE_ARM     a withdraw forgets the second arm
 * break: TIMEOUT_WINS      a timeout hides a completion
 */
#define ROUNDS 3
#define SENDERS 3
#define FREE 0

bool lock[2];
bool queued[2];       /* The arm is in its channel's queue. */
bool shared;          /* The waiters are arms of a select. */
byte claim;           /* FREE, or the claimed arm + 1; of a select. */
byte result[2];       /* 0: waits; 1: ok; 2: closed */
byte elem[2];         /* Where a value is received; 0: nothing yet. */
bool alive;           /* The waiters' memory. */
bool closed;          /* Channel 0. */

bool permit;          /* Of the owner's park. */
byte wakes;           /* Of all rounds. */
byte completions;     /* Of all rounds. */
byte this_round;      /* Completions of this round. */
byte received[SENDERS + 1];
bool kept[SENDERS + 1];
byte finished;        /* Processes but the owner. */
bool owner_done;

#define TAKE(c) atomic { !lock[c] -> lock[c] = true }
#define LEAVE(c) lock[c] = false

/* Claims the waiter of channel `c`, whose lock is held; `mine` tells. */
inline claim_first(c, mine)
{
    mine = false;
    if
    :: queued[c] ->
        assert(alive);
        queued[c] = false;
#ifdef NO_CLAIM
        claim = c + 1;
        mine = true;
#else
#ifdef CLAIM_BY_STORE
        if
        :: !shared -> mine = true
        :: shared && claim == FREE -> claim = c + 1; mine = true
        :: else
        fi
#else
        atomic {
            if
            :: !shared -> mine = true
            :: shared && claim == FREE -> claim = c + 1; mine = true
            :: else
            fi
        }
#endif
#endif
    :: else
    fi
}

inline wake()
{
#ifdef DROP_WAKE
    wakes++
#else
    atomic { permit = true; wakes++ }
#endif
}

/* Publishes what was done; `v` is 0 where nothing was handed over. */
inline complete(c, v, how)
{
    assert(alive);
#ifdef WAKE_BEFORE
    wake();
#endif
#ifdef RELAXED_RESULT
    result[c] = how;
    if
    :: alive && v != 0 -> elem[c] = v
    :: else
    fi;
    atomic { completions++; this_round++; assert(this_round == 1) }
#else
    if
    :: v != 0 -> elem[c] = v
    :: else
    fi;
    assert(alive);
    atomic {
        result[c] = how;
        completions++;
        this_round++;
        assert(this_round == 1)
    }
#endif
}

inline wake_after()
{
#ifdef READ_WAKE_LATE
    assert(alive);
#endif
#ifndef WAKE_BEFORE
    wake();
#endif
    skip
}

/* One attempt to give the value `me` to channel `c`. */
inline give(c, me)
{
    TAKE(c);
    if
    :: c == 0 && closed -> mine = false
    :: else -> claim_first(c, mine)
    fi;
    if
    :: mine -> complete(c, me, 1); LEAVE(c); wake_after()
    :: else -> LEAVE(c); kept[me] = true
    fi
}

active proctype sender_to_0() { bool mine; give(0, 1); finished++ }
active proctype sender_to_1() { bool mine; give(1, 2); finished++ }

active proctype sender_or_closer()
{
    bool mine;

    if
    :: give(0, 3)
    :: kept[3] = true;
        TAKE(0);
        closed = true;
        claim_first(0, mine);
        if
        :: mine -> complete(0, 0, 2); LEAVE(0); wake_after()
        :: else -> LEAVE(0)
        fi
    fi;
    finished++
}

/* Takes an arm out of its queue. */
inline unlink(c)
{
#ifdef NO_LOCK_WITHDRAW
    if
    :: queued[c] -> queued[c] = false
    :: else
    fi
#else
    TAKE(c);
    queued[c] = false;
    LEAVE(c)
#endif
}

/* The owner has the result of arm `c`. */
inline take_result(c)
{
    if
    :: result[c] == 1 ->
        assert(elem[c] != 0);
        received[elem[c]]++
    :: else -> assert(elem[c] == 0)
    fi
}

active proctype owner()
{
    byte round;
    bool single, timed_out;

    do
    :: round < ROUNDS ->
        round++;
        if
        :: single = true
        :: single = false
        fi;
        /* The offer. No sender waits here, so it meets a closed channel at
         * most; a select has all its locks while it is being enqueued. */
        TAKE(0);
        if
        :: !single -> TAKE(1)
        :: else
        fi;
        d_step {
            alive = true; claim = FREE; shared = !single; this_round = 0; timed_out = false;
            result[0] = 0; result[1] = 0; elem[0] = 0; elem[1] = 0;
            queued[0] = !closed; queued[1] = !closed && !single
        };
        if
        :: !single -> LEAVE(1)
        :: else
        fi;
        LEAVE(0);

        /* Park until done. A permit may be left over from the round before.
         * In the last round only an idle world ends the wait. */
        do
        :: single && result[0] != 0 -> break
        :: !single && claim != FREE -> break
        :: else ->
            if
            :: atomic { permit -> permit = false }
            :: round < ROUNDS -> timed_out = true; break
            :: finished == SENDERS && claim == FREE && result[0] == 0 ->
                timed_out = true;
                break
            fi
        od;

        /* The withdraw. What is done already needs no lock. */
        if
        :: single && result[0] != 0
        :: else ->
            unlink(0);
#ifndef LEAVE_ONE_ARM
            if
            :: !single -> unlink(1)
            :: else
            fi
#endif
        fi;
        /* A waiter of one channel has its result once it is in no queue. */
        if
        :: single && result[0] != 0 -> claim = 1
        :: else
        fi;
        if
        :: claim != FREE ->
            assert(result[claim - 1] != 0);
            assert(elem[2 - claim] == 0);
#ifdef TIMEOUT_WINS
            if
            :: !timed_out -> take_result(claim - 1)
            :: else
            fi
#else
            take_result(claim - 1)
#endif
        :: else -> assert(elem[0] == 0 && elem[1] == 0)
        fi;
        alive = false
    :: else -> break
    od;
    owner_done = true
}

active proctype auditor()
{
    byte v = 1;

    finished == SENDERS && owner_done;
    assert(wakes == completions);
    do
    :: v <= SENDERS -> assert(received[v] + kept[v] == 1); v++
    :: else -> break
    od
}
