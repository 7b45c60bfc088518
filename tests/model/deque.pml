/*
 * A work-stealing deque whose entries are joined: src/tasks/fork.c. There the
 * entry's word only says who has it; what a thief has taken is joined as a task
 * is. Here the word does both, which is what a join without tasks would need.
 *
 * The deque is that of Chase and Lev, with a fixed number of slots. Its owner
 * pushes and pops at the bottom; thieves take from the top by a compare-and-
 * swap, and so does the owner where one entry is left. An entry lies in the
 * frame of the owner, who joins what it has spawned, the last first: it pops
 * the entry and runs it, or, if that was stolen, waits for the thief. What does
 * not fit into the deque it runs at once.
 *
 * An entry's word:
 *
 *     NEW ---- thief ----> RUNNING ---- joiner ----> WAITED
 *      |                      |                        |
 *      |  joiner              | thief: an exchange,    |
 *      +------> WAITED        +---> DONE <-------------+
 *
 * Who takes an entry is for the deque alone to decide, not for the word: the
 * joiner may find NEW where the thief has just taken it. In the code WAITED has
 * the joiner's task in it, so that the thief need not look at the entry again.
 *
 * The owner's stores to `bottom` wait in a buffer until a read-modify-write of
 * the owner, the next such store, or a step of `memory`. All else is
 * sequentially consistent; a push releases, so its slot is seen first. Somebody
 * else unparks the owner once, for no reason. How idle thieves are woken is
 * another matter: idle.pml.
 *
 * expect: each entry is taken once, by the owner or a thief; the joiner sees
 * its result; who has registered is woken once, who has not is not; nobody
 * touches an entry when its join has returned; nobody is left parked.
 *
 * break: POP_WITHOUT_FENCE  pop loads the top before its bottom is seen
 * break: NO_CAS_FOR_LAST    pop takes the last entry without a look at thieves
 * break: STEAL_BY_STORE     a thief moves the top by a load and a store
 * break: BOTTOM_FIRST       a thief loads the bottom, then the top
 * break: RELAXED_PUSH       the bottom is seen before the slot
 * break: READ_SLOT_LATE     a thief reads the slot when it has moved the top
 * break: FULL_BY_ONE        push takes the slot of the oldest entry for free
 * break: NO_RESTORE         pop of an empty deque leaves the bottom below it
 * break: NEW_IS_MINE        a joiner that finds NEW runs the entry
 * break: STORE_RUNNING      a thief's RUNNING is a store
 * break: STORE_WAITED       a joiner registers by a load and a store
 * break: STORE_DONE         a thief's DONE is a load and a store
 * break: WAKE_FIRST         a thief wakes before it is done
 * break: WAKE_ALWAYS        a thief wakes whoever has spawned the entry
 * break: RESULT_LATE        the result comes after DONE
 * break: READ_WAITER_LATE   the thief reads from the entry whom to wake
 * break: TRUST_PARK         a joiner returns because its park has
 */
#define SLOTS 2
#define ENTRIES 3
#define THIEVES 2
#define NONE 255

mtype = { NEW, RUNNING, WAITED, DONE };

/* --- the deque ---------------------------------------------------------- */

byte top;
byte bottom;
byte slot[SLOTS];
byte late_bottom = NONE;  /* A store that is not visible yet. */
byte late_slot = NONE;    /* The same, of slot[late_at]. */
byte late_at;

/* --- entries ------------------------------------------------------------ */

mtype word[ENTRIES] = NEW;
bool alive[ENTRIES];      /* In the owner's frame. */
byte taken[ENTRIES];
bool result[ENTRIES];
bool registered[ENTRIES];
byte wakes[ENTRIES];
bool permit;              /* The owner's. */
bool joined;              /* All. */

/* --- the owner's memory ------------------------------------------------- */

inline flush()
{
    if
    :: late_bottom != NONE -> bottom = late_bottom; late_bottom = NONE
    :: else
    fi;
#ifdef RELAXED_PUSH
    if
    :: late_slot != NONE -> slot[late_at] = late_slot; late_slot = NONE
    :: else
    fi;
#endif
    skip
}

active proctype memory()
{
end_memory:
    do
    :: atomic { late_bottom != NONE ->
            bottom = late_bottom; late_bottom = NONE }
#ifdef RELAXED_PUSH
    :: atomic { late_slot != NONE ->
            slot[late_at] = late_slot; late_slot = NONE }
#endif
    od
}

inline store_bottom(v)
{
    atomic {
        if
        :: late_bottom != NONE -> bottom = late_bottom
        :: else
        fi;
        late_bottom = v
    }
}

/* --- push and pop ------------------------------------------------------- */

#ifdef FULL_BY_ONE
#define FULL(b, t) (b - t > SLOTS)
#else
#define FULL(b, t) (b - t == SLOTS)
#endif

/* Also a store; a new one pushes an old one out. */
inline store_slot(at, e)
{
#ifdef RELAXED_PUSH
    atomic {
        if
        :: late_slot != NONE -> slot[late_at] = late_slot
        :: else
        fi;
        late_at = at;
        late_slot = e
    }
#else
    slot[at] = e
#endif
}

inline push(e, done)
{
    t = top;
    if
    :: FULL(b, t) -> done = false
    :: else ->
        store_slot(b % SLOTS, e);
        b++;
        store_bottom(b);
        done = true
    fi
}

/* An entry or NONE. The owner's own slots are what it has stored last. */
inline pop(e)
{
    e = NONE;
    b--;
#ifdef POP_WITHOUT_FENCE
    store_bottom(b);
#else
    atomic { flush(); bottom = b };
#endif
    t = top;
    if
    :: t < b -> e = slot[b % SLOTS]
    :: t == b ->
#ifdef NO_CAS_FOR_LAST
        atomic { flush(); e = slot[b % SLOTS]; top = b + 1 };
#else
        atomic {
            flush();
            if
            :: top == b -> e = slot[b % SLOTS]; top = b + 1
            :: else
            fi
        };
#endif
        b++;
        store_bottom(b)
    :: t > b ->
#ifndef NO_RESTORE
        b++;
        store_bottom(b);
#endif
        skip
    fi
}

inline take_entry(e)
{
    atomic { taken[e]++; assert(taken[e] == 1) }
}

/* --- joining ------------------------------------------------------------ */

#ifdef NEW_IS_MINE
#define TO_WAIT_FOR(e) (word[e] == RUNNING)
#else
#define TO_WAIT_FOR(e) (word[e] == NEW || word[e] == RUNNING)
#endif

inline register_waiter(e)
{
#ifdef STORE_WAITED
    if
    :: TO_WAIT_FOR(e) -> atomic { flush(); word[e] = WAITED };
        registered[e] = true
    :: word[e] == DONE
    fi
#else
    if
    :: atomic { TO_WAIT_FOR(e) ->
            flush(); word[e] = WAITED; registered[e] = true }
    :: word[e] == DONE
#ifdef NEW_IS_MINE
    :: atomic { word[e] == NEW ->
            word[e] = DONE; taken[e]++; assert(taken[e] == 1) }
#endif
    fi
#endif
}

inline wait_for(e)
{
    register_waiter(e);
    do
    :: word[e] == DONE -> break
    :: else ->
        atomic { permit -> permit = false };
#ifdef TRUST_PARK
        break
#endif
    od
}

inline join(e)
{
    pop(got);
    if
    :: got != NONE ->
        assert(got == e);
        take_entry(e);
        result[e] = true
    :: else -> wait_for(e)
    fi;
    atomic { assert(result[e]); alive[e] = false; got = 0; t = 0 }
}

active proctype owner()
{
    byte pending[ENTRIES];
    byte next, depth, b, t, got;
    bool pushed;

    do
    :: next < ENTRIES ->
        alive[next] = true;
        push(next, pushed);
        if
        :: pushed -> atomic { pending[depth] = next; depth++; next++; t = 0 }
        :: else ->
            take_entry(next);
            atomic { alive[next] = false; next++; t = 0 }
        fi
    :: depth > 0 ->
        join(pending[depth - 1]);
        atomic { depth--; pending[depth] = 0 }
    :: next == ENTRIES && depth == 0 -> break
    od;
    joined = true
}

active proctype somebody()
{
    permit = true
}

/* --- thieves ------------------------------------------------------------ */

/* Looks only where something is to be seen, or it would never rest. */
inline steal(e)
{
    atomic { top < bottom -> e = NONE };
#ifdef BOTTOM_FIRST
    b = bottom;
    t = top;
#else
    t = top;
    b = bottom;
#endif
    if
    :: t >= b
    :: else ->
#if defined(READ_SLOT_LATE)
        if
        :: atomic { top == t -> top = t + 1 }; e = slot[t % SLOTS]
        :: top != t
        fi
#elif defined(STEAL_BY_STORE)
        e = slot[t % SLOTS];
        if
        :: top == t -> top = t + 1
        :: top != t -> e = NONE
        fi
#else
        e = slot[t % SLOTS];
        if
        :: atomic { top == t -> top = t + 1 }
        :: top != t -> e = NONE
        fi
#endif
    fi
}

inline unpark(e)
{
    atomic {
        permit = true;
        wakes[e]++;
        assert(wakes[e] == 1)
    }
}

inline begin(e)
{
#ifdef STORE_RUNNING
    atomic { assert(alive[e]); word[e] = RUNNING }
#else
    atomic {
        assert(alive[e]);
        if
        :: word[e] == NEW -> word[e] = RUNNING
        :: else -> assert(word[e] == WAITED)
        fi
    }
#endif
}

inline finish(e)
{
#ifndef RESULT_LATE
    atomic { assert(alive[e]); result[e] = true };
#endif
#ifdef WAKE_FIRST
    if
    :: word[e] == WAITED -> unpark(e)
    :: else
    fi;
#endif
#ifdef STORE_DONE
    atomic { assert(alive[e]); was = word[e] };
    atomic { assert(alive[e]); word[e] = DONE };
#else
    atomic { assert(alive[e]); was = word[e]; word[e] = DONE };
#endif
#ifdef RESULT_LATE
    atomic { assert(alive[e]); result[e] = true };
#endif
#ifndef WAKE_FIRST
    if
#ifdef WAKE_ALWAYS
    :: (true) ->
#else
    :: was == WAITED ->
#endif
#ifdef READ_WAITER_LATE
        assert(alive[e]);
#endif
        unpark(e)
    :: else
    fi;
#endif
    skip
}

active [THIEVES] proctype thief()
{
    byte b, t, e;
    mtype was;

end_thief:
    do
    :: steal(e);
        if
        :: e != NONE -> take_entry(e); begin(e); finish(e)
        :: else
        fi;
        atomic { b = 0; t = 0; e = 0; was = 0 }
    od
}

/* Nothing moves any more. */
active proctype watch()
{
    byte e;

end_watch:
    timeout ->
    d_step {
        assert(joined && top == bottom);
        do
        :: e < ENTRIES ->
            assert(taken[e] == 1);
            assert(wakes[e] == registered[e]);
            e++
        :: else -> break
        od
    }
}
