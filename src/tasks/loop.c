/*
 * Messages lie in a stack that senders push to and the loop's thread empties
 * at once and turns round, so that each sender's messages keep their order.
 *
 *   AD  The loop sees a message whole: the sender's RMW of `inbox` -> the swap
 *       in take_all().
 *   AE  The caller sees its answer: release store of call->state -> acquire
 *       loads in brolga__call().
 *
 * A call's states:
 *
 *   SENT ---- answered ----> ANSWERED       the caller has not withdrawn
 *    |                          |
 *    +------- `withdraw` has been run ----> SETTLED
 *
 * A caller that withdraws sends a second message and waits for SETTLED, so that
 * both messages are out of the loop's hands when its frame goes; the answer, if
 * it came first, stands. The loop's thread alone decides which came first.
 */
#include "tasks/loop.h"

#include "alloc.h"
#include "plat.h"

#include <uv.h>

struct brolga__ioloop {
    struct brolga__message *_Atomic inbox; /* Newest first. */
    uv_loop_t uv;
    uv_async_t wake;
    pthread_t thread;
    struct brolga__list children; /* The loop's thread's. */

    struct brolga__message stop;
    void (*close)(struct brolga__ioloop *loop, void *arg);
    void *close_arg;
};

/* --- messages ----------------------------------------------------------- */

void brolga__ioloop_send(struct brolga__ioloop *loop,
                         struct brolga__message *message)
{
    struct brolga__message *newest = brolga__load_relaxed(&loop->inbox);

    do
        message->next = newest;
    while (!brolga__cas_acq_rel(&loop->inbox, &newest, message)); /* AD */
    /* The message may be gone; the loop outlives the tasks that send. */
    (void)uv_async_send(&loop->wake);
}

/* All messages, the oldest first. */
static struct brolga__message *take_all(struct brolga__ioloop *loop)
{
    struct brolga__message *newest =
        brolga__swap_acquire(&loop->inbox, NULL); /* AD: send */
    struct brolga__message *oldest = NULL;

    while (newest != NULL) {
        struct brolga__message *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void woken(uv_async_t *handle)
{
    struct brolga__ioloop *loop = handle->data;
    struct brolga__message *message = take_all(loop);

    while (message != NULL) {
        struct brolga__message *next = message->next;

        message->run(loop, message);
        message = next;
    }
}

/* --- the thread --------------------------------------------------------- */

static void *thread_main(void *arg)
{
    struct brolga__ioloop *loop = arg;

    brolga__plat_thread_name("brolga-io");
    /* Returns when the last handle has been closed: see run_stop(). */
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    return NULL;
}

int brolga__ioloop_create(struct brolga__ioloop **out)
{
    struct brolga__ioloop *loop = brolga__alloc_zero(sizeof *loop);
    int err = BROLGA_ELIMIT;

    if (loop == NULL)
        return BROLGA_ENOMEM;
    if (uv_loop_init(&loop->uv) != 0)
        goto fail_loop;
    if (uv_async_init(&loop->uv, &loop->wake, woken) != 0)
        goto fail_async;
    loop->wake.data = loop;
    brolga__list_init(&loop->children);
    if (!brolga__plat_thread_start(&loop->thread, NULL, thread_main, loop))
        goto fail_thread;
    *out = loop;
    return BROLGA_OK;

fail_thread:
    uv_close((uv_handle_t *)&loop->wake, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
fail_async:
    (void)uv_loop_close(&loop->uv);
fail_loop:
    brolga__free(loop);
    return err;
}

static void run_stop(struct brolga__ioloop *loop,
                     struct brolga__message *message)
{
    (void)message;
    loop->close(loop, loop->close_arg);
    uv_close((uv_handle_t *)&loop->wake, NULL);
}

void brolga__ioloop_destroy(struct brolga__ioloop *loop,
                            void (*close)(struct brolga__ioloop *loop,
                                          void *arg),
                            void *arg)
{
    loop->close = close;
    loop->close_arg = arg;
    loop->stop.run = run_stop;
    brolga__ioloop_send(loop, &loop->stop);
    (void)pthread_join(loop->thread, NULL);
    brolga__assert(uv_loop_close(&loop->uv) == 0);
    brolga__free(loop);
}

struct uv_loop_s *brolga__ioloop_uv(struct brolga__ioloop *loop)
{
    return &loop->uv;
}

struct brolga__list *brolga__ioloop_children(struct brolga__ioloop *loop)
{
    return &loop->children;
}

/* --- calls -------------------------------------------------------------- */

enum state { SENT, ANSWERED, SETTLED };

/* What a call has as its result when it was taken back. */
#define TAKEN_BACK BROLGA_EAGAIN

static void publish(struct brolga__call *call, enum state state)
{
    brolga_task *task = call->task;

    brolga__store_release(&call->state, state); /* AE: brolga__call */
    /* The call is gone; the memory of tasks is not. */
    brolga__unpark(task);
}

void brolga__call_answer(struct brolga__call *call, int result)
{
    brolga__assert(!call->answered);
    call->answered = true;
    call->result = result;
    publish(call, ANSWERED);
}

static void run_withdraw(struct brolga__ioloop *loop,
                         struct brolga__message *message)
{
    struct brolga__call *call =
        brolga__container_of(message, struct brolga__call, withdraw);

    (void)loop;
    if (!call->answered) {
        call->undo(call);
        call->result = TAKEN_BACK;
    }
    publish(call, SETTLED);
}

static int take_back(struct brolga__ioloop *loop, struct brolga__call *call,
                     const char *where, int err)
{
    call->withdraw.run = run_withdraw;
    brolga__ioloop_send(loop, &call->withdraw);
    while (brolga__load_acquire(&call->state) != SETTLED) /* AE: publish */
        brolga__await_on(where, &brolga__wait_outside, NULL);
    return call->result == TAKEN_BACK ? err : call->result;
}

int brolga__call(struct brolga__ioloop *loop, struct brolga__call *call,
                 const char *where, uint64_t deadline_ns)
{
    int reason = call->undo == NULL ? BROLGA_OK : brolga_cancel_reason();

    if (reason != BROLGA_OK)
        return reason;
    if (call->undo != NULL && deadline_ns <= brolga__plat_now_ns())
        return BROLGA_ETIMEOUT;
    call->task = brolga__self();
    call->answered = false;
    brolga__store_relaxed(&call->state, SENT);
    brolga__ioloop_send(loop, &call->start);
    while (brolga__load_acquire(&call->state) == SENT) { /* AE: publish */
        int err = BROLGA_OK;

        if (call->undo == NULL)
            brolga__await_on(where, &brolga__wait_outside, NULL);
        else
            err = brolga__park_on(where, &brolga__wait_outside, NULL,
                                  deadline_ns);
        if (err != BROLGA_OK)
            return take_back(loop, call, where, err);
    }
    return call->result;
}

/* --- polls -------------------------------------------------------------- */

/* Touched by the loop's thread only, but for its creation and its end. */
struct brolga__poll {
    uv_poll_t uv;
    int fd;
    bool known; /* To libuv. */
    bool closed;
    struct brolga__call *waits[2]; /* By enum brolga__way. */
    void (*on_closed)(void *arg);
    void *arg;
};

struct wait {
    struct brolga__call call;
    struct brolga__poll *poll;
    enum brolga__way way;
};

static const int events_of[] = {
    [BROLGA__READING] = UV_READABLE, [BROLGA__WRITING] = UV_WRITABLE};

static void answer_wait(struct brolga__poll *poll, int way, int result)
{
    struct brolga__call *call = poll->waits[way];

    poll->waits[way] = NULL;
    if (call != NULL)
        brolga__call_answer(call, result);
}

static void on_ready(uv_poll_t *handle, int status, int events);

/* Asks libuv for what is waited for, and for no more: a descriptor stays ready
 * until somebody reads or writes it. */
static int look_for(struct brolga__poll *poll)
{
    int events = 0;

    for (int way = 0; way < 2; way++)
        if (poll->waits[way] != NULL)
            events |= events_of[way];
    return events == 0 ? uv_poll_stop(&poll->uv)
                       : uv_poll_start(&poll->uv, events, on_ready);
}

/* An error is for the system call that comes next to tell: all try again. */
static void on_ready(uv_poll_t *handle, int status, int events)
{
    struct brolga__poll *poll = handle->data;

    for (int way = 0; way < 2; way++)
        if (status < 0 || (events & events_of[way]) != 0)
            answer_wait(poll, way, BROLGA_OK);
    if (look_for(poll) != 0)
        for (int way = 0; way < 2; way++)
            answer_wait(poll, way, BROLGA_EIO);
}

static void undo_wait(struct brolga__call *call)
{
    struct wait *wait = brolga__container_of(call, struct wait, call);

    wait->poll->waits[wait->way] = NULL;
    (void)look_for(wait->poll);
}

static int make_known(struct brolga__ioloop *loop, struct brolga__poll *poll)
{
    int err;

    if (poll->known)
        return 0;
    err = uv_poll_init(&loop->uv, &poll->uv, poll->fd);
    poll->known = err == 0;
    poll->uv.data = poll;
    return err;
}

static void run_wait(struct brolga__ioloop *loop,
                     struct brolga__message *message)
{
    struct wait *wait = brolga__container_of(message, struct wait, call.start);
    struct brolga__poll *poll = wait->poll;
    int err;

    if (poll->closed) {
        brolga__call_answer(&wait->call, BROLGA_ECLOSED);
        return;
    }
    brolga__assert(poll->waits[wait->way] == NULL);
    err = make_known(loop, poll);
    if (err == 0) {
        poll->waits[wait->way] = &wait->call;
        err = look_for(poll);
    }
    if (err != 0) {
        poll->waits[wait->way] = NULL;
        brolga__call_answer(&wait->call,
                            err == UV_ENOMEM ? BROLGA_ENOMEM : BROLGA_EIO);
    }
}

int brolga__poll_wait(struct brolga__ioloop *loop, struct brolga__poll *poll,
                      enum brolga__way way, const char *where,
                      uint64_t deadline_ns)
{
    struct wait wait = {.poll = poll, .way = way};

    wait.call.start.run = run_wait;
    wait.call.undo = undo_wait;
    return brolga__call(loop, &wait.call, where, deadline_ns);
}

struct brolga__poll *brolga__poll_create(int fd)
{
    struct brolga__poll *poll = brolga__alloc_zero(sizeof *poll);

    if (poll != NULL)
        poll->fd = fd;
    return poll;
}

static void on_closed(uv_handle_t *handle)
{
    struct brolga__poll *poll = handle->data;

    poll->on_closed(poll->arg);
}

void brolga__poll_close(struct brolga__ioloop *loop, struct brolga__poll *poll,
                        void (*closed)(void *arg), void *arg)
{
    (void)loop;
    brolga__assert(!poll->closed);
    poll->closed = true;
    poll->on_closed = closed;
    poll->arg = arg;
    for (int way = 0; way < 2; way++)
        answer_wait(poll, way, BROLGA_ECLOSED);
    if (poll->known)
        uv_close((uv_handle_t *)&poll->uv, on_closed);
    else
        closed(arg);
}

void brolga__poll_free(struct brolga__poll *poll)
{
    brolga__free(poll);
}
