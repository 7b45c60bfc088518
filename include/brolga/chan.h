/*
 * Channels: typed, bounded queues between tasks.
 *
 * A send copies the value by its type, so that sender and receiver share
 * nothing but what is frozen (lease.h); or it hands the value over, if the host
 * knows that nothing else reaches it; or it has that checked: see site.h. The
 * receiver owns what it receives. A value that is sent is received once, or
 * stays with the sender because the send failed, or is dropped by one of two
 * rules: the last reference to its channel goes, or the last receiver leaves.
 * (A subscription to a broadcast has a third: broadcast.h.)
 *
 * Every send and receive ends with a safepoint when a task calls it, after the
 * value has been taken: a receiver calls through a version that is at least as
 * new as the sender's at the send.
 *
 * Those who wait are served in the order in which they came, and before anyone
 * who comes later.
 *
 * docs/channels.md is the chapter on all this.
 */
#ifndef BROLGA_CHAN_H
#define BROLGA_CHAN_H

#include <brolga/base.h>
#include <brolga/copy.h>
#include <brolga/site.h>
#include <brolga/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A channel. Counted references. */
typedef struct brolga_chan brolga_chan;

struct brolga_chan_opts {
    const char *name; /* For reports; copied, at most 31 bytes. */
    size_t capacity;  /* Values that wait in the channel; 0 = rendezvous: a
                         send ends when a receiver has taken the value. */
    bool unbounded;   /* Sends never wait; `capacity` must be 0. */
    size_t bytes_max; /* For `unbounded`: sends that would make it hold more
                         bytes of elements (8 for a word, however large the
                         object behind it) get BROLGA_ELIMIT; 0 = no cap. */
    bool one_shot;    /* It takes one value, without waiting for a receiver, and
                         closes itself: for an answer. `capacity` is 0 or 1. */
    enum brolga_mode gives; /* How values that are given, and those of sites,
                               go at best; 0 = BROLGA_MOVE: as they are. */
};

/**
 * Create a channel for elements of a type.
 *
 * Owns:     `*out` is one reference; end it with brolga_chan_release(). `type`
 *           must outlive the channel; NULL means plain words, without
 *           ownership. `opts` may be NULL (a rendezvous) and is copied.
 * Threads:  any.
 * Returns:  BROLGA_OK; BROLGA_ENOMEM; BROLGA_EINVAL for `unbounded` with a
 *           capacity, `bytes_max` without `unbounded`, `one_shot` with either
 *           or a capacity above 1, an unknown `gives`, or a type aligned to
 *           more than 64 bytes.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_chan_create(const brolga_type *type, const struct brolga_chan_opts *opts,
                   brolga_chan **out);

/**
 * Take one more reference.
 *
 * Owns:     end it with brolga_chan_release().
 * Threads:  any that has a reference.
 * Returns:  `chan`.
 */
BROLGA_API brolga_chan *brolga_chan_retain(brolga_chan *chan);

/**
 * Give a reference up; NULL is ignored. The last one drops the values that
 * nobody has received, and frees the channel. Nobody may wait in it then.
 *
 * Threads:  any.
 */
BROLGA_API void brolga_chan_release(brolga_chan *chan);

/** The type it was created with; NULL for plain words. Threads: any. */
BROLGA_API const brolga_type *brolga_chan_type(const brolga_chan *chan);

/** The name it was created with, or "". Threads: any. */
BROLGA_API const char *brolga_chan_name(const brolga_chan *chan);

/* --- send and receive --------------------------------------------------- */

/**
 * Send a copy of the element at `elem`; wait until it is in the channel or, at
 * a rendezvous, taken.
 *
 * A canceled task does not wait, but sends if it can at once; so does one
 * whose deadline has passed.
 *
 * Owns:     the caller keeps its value, whatever the result; the copy is the
 *           channel's, and dropped if the send fails.
 * Threads:  tasks.
 * Blocks:   until there is room, the deadline, or cancellation. A safepoint.
 * Returns:  BROLGA_OK; ECLOSED, ETIMEOUT, ECANCELED; ELIMIT at `bytes_max`;
 *           ESTATE outside tasks; EUNSENDABLE, EINVAL, ENOMEM from the copy:
 *           brolga_send_why() says which part is to blame.
 */
BROLGA_API BROLGA_NODISCARD int brolga_send(brolga_chan *chan, const void *elem,
                                            uint64_t deadline_ns);

/**
 * Send the value itself, not a copy: for values that nothing else reaches. If
 * the channel wants it so (`gives`), the value is checked, or copied and
 * dropped.
 *
 * Owns:     the value is gone on BROLGA_OK, and still the caller's otherwise.
 *           After a check that is the value at `elem`, which is equal to the
 *           one that stood there; it reaches nothing that others reach.
 * Threads:  tasks.
 * Blocks:   as brolga_send().
 * Returns:  as brolga_send(); EUNSENDABLE, EINVAL and ENOMEM only if the value
 *           is checked or copied.
 */
BROLGA_API BROLGA_NODISCARD int brolga_give(brolga_chan *chan, void *elem,
                                            uint64_t deadline_ns);

/**
 * Receive the oldest value; wait for one if there is none.
 *
 * Owns:     the value at `elem` is the caller's; untouched on failure.
 * Threads:  tasks.
 * Blocks:   until there is a value, the deadline, or cancellation. A
 *           safepoint.
 * Returns:  BROLGA_OK; ECLOSED when the channel is closed and drained;
 *           ETIMEOUT, ECANCELED; ESTATE outside tasks.
 */
BROLGA_API BROLGA_NODISCARD int brolga_recv(brolga_chan *chan, void *elem,
                                            uint64_t deadline_ns);

/**
 * Send a copy if that is possible at once.
 *
 * Owns:     as brolga_send(). Nothing is copied if it is known to be in vain.
 * Threads:  any. A safepoint of tasks.
 * Blocks:   no.
 * Returns:  BROLGA_OK, BROLGA_EAGAIN, or as brolga_send().
 */
BROLGA_API BROLGA_NODISCARD int brolga_try_send(brolga_chan *chan,
                                                const void *elem);

/**
 * Give a value if that is possible at once.
 *
 * Owns:     as brolga_give().
 * Threads:  any. A safepoint of tasks.
 * Blocks:   no.
 * Returns:  BROLGA_OK, BROLGA_EAGAIN, or as brolga_give().
 */
BROLGA_API BROLGA_NODISCARD int brolga_try_give(brolga_chan *chan, void *elem);

/**
 * Receive a value if there is one.
 *
 * Owns:     as brolga_recv().
 * Threads:  any. A safepoint of tasks.
 * Blocks:   no.
 * Returns:  BROLGA_OK, BROLGA_EAGAIN, or BROLGA_ECLOSED.
 */
BROLGA_API BROLGA_NODISCARD int brolga_try_recv(brolga_chan *chan, void *elem);

/**
 * Send a copy of one word: brolga_send() for every type but plain structs.
 *
 * Owns:     as brolga_send().
 * Threads:  tasks.
 * Blocks:   as brolga_send().
 * Returns:  as brolga_send(); BROLGA_EINVAL if elements are no words.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_send_word(brolga_chan *chan, brolga_word word, uint64_t deadline_ns);

/**
 * Receive one word: brolga_recv() for every type but plain structs.
 *
 * Owns:     as brolga_recv().
 * Threads:  tasks.
 * Blocks:   as brolga_recv().
 * Returns:  as brolga_recv(); BROLGA_EINVAL if elements are no words.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_recv_word(brolga_chan *chan, brolga_word *word, uint64_t deadline_ns);

/* --- sites -------------------------------------------------------------- */

/**
 * Send a value as a site says, or as the channel's `gives`, whichever asks less
 * of the host: as it is, checked, or as a copy, whose original is dropped.
 *
 * Owns:     as brolga_give(), in every mode: on BROLGA_OK the caller's
 *           reference is gone; otherwise there is one, to the value at `elem`.
 * Threads:  tasks.
 * Blocks:   as brolga_send().
 * Returns:  as brolga_send(); with BROLGA_DEBUG_RC, EINVAL for a value that is
 *           moved although something else refers to a part of it.
 */
BROLGA_API BROLGA_NODISCARD int brolga_send_site(brolga_chan *chan,
                                                 struct brolga_site *site,
                                                 void *elem,
                                                 uint64_t deadline_ns);

/**
 * The same, if it is possible at once.
 *
 * Owns:     as brolga_send_site().
 * Threads:  any. A safepoint of tasks.
 * Blocks:   no.
 * Returns:  BROLGA_OK, BROLGA_EAGAIN, or as brolga_send_site().
 */
BROLGA_API BROLGA_NODISCARD int
brolga_try_send_site(brolga_chan *chan, struct brolga_site *site, void *elem);

/**
 * Why a send of this value would be refused, whatever the channel's state: for
 * a message after EUNSENDABLE or EINVAL, because the value is still there. It
 * is looked through for the first culprit, by a slow walk.
 *
 * Owns:     nothing; `site` is NULL for brolga_send(). `*error` is written in
 *           any case.
 * Threads:  any that owns the value.
 * Blocks:   no.
 * Returns:  BROLGA_OK if nothing is in the way; EUNSENDABLE or EINVAL, with the
 *           culprit and the way to it; ENOMEM.
 */
BROLGA_API int brolga_send_why(const brolga_chan *chan,
                               const struct brolga_site *site, const void *elem,
                               struct brolga_copy_error *error);

/* --- the end of a channel ----------------------------------------------- */

/**
 * Close a channel: sends fail from now on, also those that wait; receivers get
 * what is in the channel and then BROLGA_ECLOSED.
 *
 * Owns:     `reason_text` may be NULL and is copied, at most 159 bytes.
 * Threads:  any.
 * Blocks:   no; it wakes all who wait.
 * Returns:  BROLGA_OK; BROLGA_ECLOSED, with nothing changed, if it was closed.
 */
BROLGA_API int brolga_chan_close(brolga_chan *chan, int reason_code,
                                 const char *reason_text);

/**
 * Why a channel was closed.
 *
 * Owns:     up to `bytes` bytes are written to `text`, the ending NUL
 *           included; `code` and `text` may be NULL.
 * Threads:  any.
 * Returns:  BROLGA_OK; BROLGA_EAGAIN, with nothing written, if it is open.
 */
BROLGA_API int brolga_chan_reason(brolga_chan *chan, int *code, char *text,
                                  size_t bytes);

/** What is done to a channel; BROLGA_SEND and BROLGA_RECV are also its ends. */
enum brolga_op {
    BROLGA_SEND, /* a copy, as brolga_send() */
    BROLGA_GIVE, /* the value itself, as brolga_give() */
    BROLGA_RECV
};

/**
 * Become one of the channel's counted senders or receivers. A channel that
 * nobody joined is closed by brolga_chan_close() only.
 *
 * Owns:     one reference; end both with brolga_chan_leave().
 * Threads:  any that has a reference.
 * Returns:  BROLGA_OK, BROLGA_ECLOSED.
 */
BROLGA_API BROLGA_NODISCARD int brolga_chan_join(brolga_chan *chan,
                                                 enum brolga_op end);

/**
 * Leave an end. When the last sender has left, the channel is closed; when the
 * last receiver has, it is closed and the values in it are dropped. The reason
 * is the first that was given with a code other than BROLGA_OK.
 *
 * Owns:     the reference is gone. `reason_text` may be NULL and is copied.
 * Threads:  any.
 * Blocks:   no.
 */
BROLGA_API void brolga_chan_leave(brolga_chan *chan, enum brolga_op end,
                                  int reason_code, const char *reason_text);

/** A channel at one moment: sent = received + dropped + depth. */
struct brolga_chan_stats {
    size_t depth;    /* values in it */
    size_t capacity; /* SIZE_MAX if unbounded */
    uint64_t sent;
    uint64_t received;
    uint64_t dropped; /* by the rules: see above, and broadcast.h */
    size_t senders_waiting;
    size_t receivers_waiting;
    uint64_t sends_waited;    /* sends, ever, that could not be done at once */
    uint64_t receives_waited; /* the same of receives; arms of selects count */
    bool closed;
};

/**
 * Look at a channel.
 *
 * Threads:  any.
 * Blocks:   for the channel's locks.
 */
BROLGA_API void brolga_chan_stats(brolga_chan *chan,
                                  struct brolga_chan_stats *out);

/* --- waiting without blocking ------------------------------------------- */

/**
 * One operation that waits in a channel. The caller owns the memory and sets
 * the first two fields; it must not move before the operation has ended.
 */
struct brolga_waiter {
    /* Called once when the operation has been completed by someone else, on
     * their thread and without a lock held; must not block, nor call a
     * blocking function of Brolga. The waiter itself may be gone by then, so
     * only `arg` is passed; `arg` must be valid until the call. */
    void (*wake)(void *arg);
    void *arg;

    /* Brolga's own. */
    brolga_chan *chan;
    struct brolga_waiter *next, *prev;
    void *elem;
    brolga_word copy;
    brolga_shared_int *claim; /* Who completes it first sets it. */
    brolga_shared_int own_claim;
    brolga_shared_int result;
    int32_t arm;
    int32_t op;
    bool queued;
    bool copied;
    bool may_pause;
    int32_t how;              /* enum brolga_mode, as it is sent */
    struct brolga_site *site; /* or NULL */
    void *original;           /* to drop once a copy is sent, or NULL */
    void *kept;               /* where a value stands that leaves a heap */
};

/**
 * Do an operation at once, or leave it in the channel until someone completes
 * it. This is what the blocking calls are made of.
 *
 * Owns:     `waiter`, `elem` and the caller's reference to the channel must
 *           stay until brolga_chan_withdraw(), which must follow
 *           BROLGA_EAGAIN, and only that; what is received is at `elem` after
 *           it. A value to send is copied at once, but for plain elements,
 *           which are read when they are taken.
 * Threads:  any. No safepoint: a task that polls calls brolga_safepoint().
 * Blocks:   no.
 * Returns:  BROLGA_EAGAIN if it waits now; otherwise it has ended, and the
 *           result is that of brolga_try_send(), _try_give() or _try_recv().
 */
BROLGA_API BROLGA_NODISCARD int brolga_chan_offer(brolga_chan *chan,
                                                  struct brolga_waiter *waiter,
                                                  enum brolga_op op,
                                                  void *elem);

/**
 * The same for a value that goes as a site says.
 *
 * Owns:     as brolga_chan_offer(), and the site must stay as well. The value
 *           is the caller's until the offer or the withdrawal returns
 *           BROLGA_OK, as for brolga_send_site().
 * Threads:  any. No safepoint.
 * Blocks:   no.
 * Returns:  BROLGA_EAGAIN if it waits now; otherwise as brolga_try_send_site().
 */
BROLGA_API BROLGA_NODISCARD int
brolga_chan_offer_site(brolga_chan *chan, struct brolga_waiter *waiter,
                       struct brolga_site *site, void *elem);

/**
 * How an operation that waits has come out.
 *
 * Threads:  the waiter's owner.
 * Blocks:   no; takes no lock.
 * Returns:  BROLGA_EAGAIN while it waits; BROLGA_OK or BROLGA_ECLOSED once it
 *           was completed.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_waiter_result(const struct brolga_waiter *waiter);

/**
 * End an operation that waits, or learn how it came out. If it was completed,
 * the call to `wake` may still be on its way, else there will be none.
 *
 * Owns:     `waiter` and `elem` are the caller's alone again. A value given is
 *           the caller's unless the result is BROLGA_OK.
 * Threads:  the waiter's owner.
 * Blocks:   for the channel's locks.
 * Returns:  BROLGA_ECANCELED: withdrawn, nothing has happened; otherwise its
 *           result, BROLGA_OK or BROLGA_ECLOSED.
 */
BROLGA_API int brolga_chan_withdraw(struct brolga_waiter *waiter);

/* --- several channels at once ------------------------------------------- */

#define BROLGA_SELECT_MAX 64

/** One of several operations of which one will be done. */
struct brolga_arm {
    brolga_chan *chan; /* NULL: this arm is disabled. */
    enum brolga_op op;
    void *elem; /* as for brolga_send(), brolga_give(), brolga_recv() */
    struct brolga_site *site; /* Of BROLGA_GIVE: as brolga_send_site(), or NULL.
                                 A check takes place whichever arm is done. */
    struct brolga_waiter waiter; /* Brolga's own. */
};

/**
 * Do exactly one of several operations; wait until one is possible. If several
 * are, one is picked at random. A closed channel counts as possible: disable
 * the arm to go on with the others. Arms that give the same value must point to
 * the same word.
 *
 * Owns:     as the operations do; arms that were not chosen change nothing.
 * Threads:  tasks.
 * Blocks:   until one is possible, the deadline, or cancellation. A safepoint.
 * Returns:  BROLGA_OK: arms[*chosen] was done; ECLOSED, ELIMIT, ENOMEM of the
 *           channel of arms[*chosen]; and with `*chosen` untouched ETIMEOUT,
 *           ECANCELED, ESTATE outside tasks, EINVAL if all arms are disabled
 *           or there are more than BROLGA_SELECT_MAX, and what copying a value
 *           to send may return.
 */
BROLGA_API BROLGA_NODISCARD int brolga_select(struct brolga_arm *arms,
                                              size_t count,
                                              uint64_t deadline_ns,
                                              size_t *chosen);

/**
 * Start a select without blocking: brolga_chan_offer() for several arms.
 *
 * Owns:     as brolga_chan_offer(); brolga_select_withdraw() must follow
 *           BROLGA_EAGAIN, and only that. `wake` is called once for all arms.
 * Threads:  any. No safepoint.
 * Blocks:   no.
 * Returns:  BROLGA_EAGAIN if all arms wait now; otherwise as brolga_select().
 */
BROLGA_API BROLGA_NODISCARD int brolga_select_offer(struct brolga_arm *arms,
                                                    size_t count,
                                                    void (*wake)(void *arg),
                                                    void *arg, size_t *chosen);

/**
 * End a select that waits, or learn how it came out.
 *
 * Owns:     as brolga_chan_withdraw().
 * Threads:  the owner of the arms.
 * Blocks:   for the channels' locks.
 * Returns:  BROLGA_ECANCELED: withdrawn, nothing has happened; otherwise the
 *           result of arms[*chosen], BROLGA_OK or BROLGA_ECLOSED.
 */
BROLGA_API int brolga_select_withdraw(struct brolga_arm *arms, size_t count,
                                      size_t *chosen);

/* --- a task for each message -------------------------------------------- */

/* Most bytes of an element for brolga_spawn_each(): it lives on the stack. */
#define BROLGA_EACH_BYTES_MAX 4096

/**
 * Start a task that receives from a channel and calls a slot, `int f(void
 * *state, void *elem)`, for each message, each time in the newest version. It
 * waits at a *top* safepoint: no frame of a unit is on its stack, so that it
 * adopts new code wholly and holds no old code.
 *
 * `f` owns the value at `elem`. It returns BROLGA_OK to go on; BROLGA_DONE or
 * a negative code ends the task and becomes its result. When the channel is
 * closed and drained the result is BROLGA_OK. A canceled task takes no further
 * message; its result is BROLGA_ECANCELED. While the task lives, a transaction
 * that would remove the slot is refused.
 *
 * Owns:     the task has a reference to the channel of its own; `state` must
 *           outlive the task. `*out` as for brolga_spawn().
 * Threads:  any.
 * Blocks:   no.
 * Returns:  as brolga_spawn_slot(); BROLGA_EINVAL if elements are larger than
 *           BROLGA_EACH_BYTES_MAX.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_spawn_each(brolga *rt, brolga_chan *chan, brolga_slot slot, void *state,
                  const struct brolga_spawn_opts *opts, brolga_task **out);

#ifdef __cplusplus
}
#endif
#endif
