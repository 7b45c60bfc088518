/*
 * The event loop of a session: libuv's, with one way to wake it and one timer.
 * One thread at a time runs it; everything but brolga__loop_wake() is called
 * by that thread.
 */
#include "reload/reload.h"

#include "alloc.h"

#include <uv.h>

struct brolga__loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t timer;
    void (*on_wake)(void *arg);
    void (*on_timer)(void *arg);
    void *arg;
};

static void woken(uv_async_t *handle)
{
    struct brolga__loop *loop = handle->data;

    loop->on_wake(loop->arg);
}

static void timed(uv_timer_t *handle)
{
    struct brolga__loop *loop = handle->data;

    loop->on_timer(loop->arg);
}

int brolga__loop_create(void (*on_wake)(void *arg), void (*on_timer)(void *arg),
                        void *arg, struct brolga__loop **out)
{
    struct brolga__loop *loop = brolga__alloc_zero(sizeof *loop);

    if (loop == NULL)
        return BROLGA_ENOMEM;
    if (uv_loop_init(&loop->uv) != 0)
        goto fail_loop;
    if (uv_async_init(&loop->uv, &loop->wake, woken) != 0)
        goto fail_async;
    (void)uv_timer_init(&loop->uv, &loop->timer); /* Cannot fail. */
    loop->wake.data = loop;
    loop->timer.data = loop;
    loop->on_wake = on_wake;
    loop->on_timer = on_timer;
    loop->arg = arg;
    *out = loop;
    return BROLGA_OK;
fail_async:
    (void)uv_loop_close(&loop->uv);
fail_loop:
    brolga__free(loop);
    return BROLGA_EIO;
}

struct uv_loop_s *brolga__loop_uv(struct brolga__loop *loop)
{
    return &loop->uv;
}

void brolga__loop_wake(struct brolga__loop *loop)
{
    (void)uv_async_send(&loop->wake);
}

void brolga__loop_timer(struct brolga__loop *loop, uint64_t delay_ms)
{
    uv_update_time(&loop->uv);
    (void)uv_timer_start(&loop->timer, timed, delay_ms, 0);
}

void brolga__loop_step(struct brolga__loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_ONCE);
}

void brolga__loop_destroy(struct brolga__loop *loop)
{
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    /* Ends when the last handle is closed: watch.c and build.c close theirs,
     * and wait for nothing but the end of compilers that they have killed. */
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    brolga__assert(uv_loop_close(&loop->uv) == 0);
    brolga__free(loop);
}
