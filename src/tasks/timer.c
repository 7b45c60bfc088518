#include "tasks/timer.h"

#include "alloc.h"
#include "atomic.h"
#include "base.h"
#include "plat.h"

void brolga__timers_init(struct brolga__timers *timers)
{
    (void)pthread_mutex_init(&timers->lock, NULL);
}

/* --- the heap: heap[i] is not later than heap[2i] and heap[2i+1] -------- */

static void put(struct brolga__timers *timers, size_t place,
                struct brolga__timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void sift_up(struct brolga__timers *timers, size_t place)
{
    struct brolga__timer *timer = timers->heap[place];

    while (place > 1 && timers->heap[place / 2]->when_ns > timer->when_ns) {
        put(timers, place, timers->heap[place / 2]);
        place /= 2;
    }
    put(timers, place, timer);
}

static void sift_down(struct brolga__timers *timers, size_t place)
{
    struct brolga__timer *timer = timers->heap[place];

    for (;;) {
        size_t child = place * 2;

        if (child > timers->count)
            break;
        if (child < timers->count &&
            timers->heap[child + 1]->when_ns < timers->heap[child]->when_ns)
            child++;
        if (timers->heap[child]->when_ns >= timer->when_ns)
            break;
        put(timers, place, timers->heap[child]);
        place = child;
    }
    put(timers, place, timer);
}

static void take_out(struct brolga__timers *timers, struct brolga__timer *timer)
{
    size_t place = timer->place;
    struct brolga__timer *last = timers->heap[timers->count--];

    timer->place = 0;
    if (last == timer)
        return;
    put(timers, place, last);
    sift_up(timers, place);
    sift_down(timers, last->place);
}

/* --- the thread --------------------------------------------------------- */

/* Fires what is due; returns the next deadline. */
static uint64_t fire_due(struct brolga__timers *timers)
{
    uint64_t now = brolga__plat_now_ns();

    while (timers->count > 0) {
        struct brolga__timer *timer = timers->heap[1];

        if (timer->when_ns > now)
            return timer->when_ns;
        take_out(timers, timer);
        timer->fire(timer);
    }
    return BROLGA_FOREVER;
}

static void *run(void *arg)
{
    struct brolga__timers *timers = arg;
    bool stopping = false;

    brolga__plat_thread_name("brolga-timer");
    while (!stopping) {
        /* Read before the heap: a change after this look ends the wait. */
        uint32_t seen = brolga__load_acquire(&timers->changed);
        uint64_t next;

        (void)pthread_mutex_lock(&timers->lock);
        next = fire_due(timers);
        stopping = timers->stopping;
        (void)pthread_mutex_unlock(&timers->lock);
        if (!stopping)
            (void)brolga__plat_wait(&timers->changed, seen, next);
    }
    return NULL;
}

static void poke(struct brolga__timers *timers)
{
    (void)brolga__add_release(&timers->changed, 1);
    brolga__plat_wake(&timers->changed, 1);
}

/* --- arming ------------------------------------------------------------- */

static int prepare(struct brolga__timers *timers)
{
    if (timers->count + 2 > timers->capacity) {
        size_t capacity = timers->capacity * 2 + 64;
        struct brolga__timer **heap =
            brolga__realloc(timers->heap, capacity * sizeof *heap);

        if (heap == NULL)
            return BROLGA_ENOMEM;
        timers->heap = heap;
        timers->capacity = capacity;
    }
    if (!timers->started) {
        if (!brolga__plat_thread_start(&timers->thread, NULL, run, timers))
            return BROLGA_ELIMIT;
        timers->started = true;
    }
    return BROLGA_OK;
}

int brolga__timer_arm(struct brolga__timers *timers,
                      struct brolga__timer *timer, uint64_t when_ns)
{
    bool earliest = false;
    int err;

    (void)pthread_mutex_lock(&timers->lock);
    brolga__assert(timer->place == 0);
    err = prepare(timers);
    if (err == BROLGA_OK) {
        timer->when_ns = when_ns;
        put(timers, ++timers->count, timer);
        sift_up(timers, timers->count);
        earliest = timer->place == 1;
    }
    (void)pthread_mutex_unlock(&timers->lock);
    if (earliest) /* Later ones are found when the thread next looks. */
        poke(timers);
    return err;
}

void brolga__timer_disarm(struct brolga__timers *timers,
                          struct brolga__timer *timer)
{
    (void)pthread_mutex_lock(&timers->lock);
    if (timer->place != 0)
        take_out(timers, timer);
    (void)pthread_mutex_unlock(&timers->lock);
}

void brolga__timers_fini(struct brolga__timers *timers)
{
    (void)pthread_mutex_lock(&timers->lock);
    timers->stopping = true;
    (void)pthread_mutex_unlock(&timers->lock);
    poke(timers);
    if (timers->started)
        (void)pthread_join(timers->thread, NULL);
    brolga__free(timers->heap);
    (void)pthread_mutex_destroy(&timers->lock);
}
