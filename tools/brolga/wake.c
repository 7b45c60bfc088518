/*
 * What wakes the main loop: a signal, the end of the main task, or news that
 * are to be told later. All three write a byte into one pipe, which is the
 * only thing that a signal handler may safely do, and the loop polls it.
 */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define BYTE_NUDGE 0
#define BYTE_ENDED 255

/* The handler's end of the pipe; set before the handler is. */
static volatile sig_atomic_t handler_pipe = -1;

/* Nobody reads the pipe before the main loop runs, e.g. while compilers do;
 * then the first signal waits, and the second one must not. */
static volatile sig_atomic_t handler_loops;
static volatile sig_atomic_t handler_signals;

/* A full pipe wakes the loop as well, so a byte that is not written is no
 * loss, unless it is a signal's: the pipe holds thousands, and is emptied. */
static void put_byte(int to, unsigned char byte)
{
    ssize_t written = write(to, &byte, 1);

    (void)written;
}

static void on_signal(int number)
{
    int saved = errno;

    if (number == SIGQUIT) { /* A key, not an end. */
        put_byte(handler_pipe, SIGQUIT);
        errno = saved;
        return;
    }
    if (++handler_signals > 1 && !handler_loops)
        _exit(EXIT_SIGNALED + number);
    put_byte(handler_pipe, (unsigned char)number);
    errno = saved;
}

static void handle(int number)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction old;

    /* A signal that is ignored, e.g. under nohup, stays ignored. */
    sigaction(number, NULL, &old);
    if (old.sa_handler == SIG_IGN)
        return;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

bool wake_init(struct wake *wake)
{
    *wake = (struct wake){.fd = -1};
    if (pipe(wake->pipe) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        fcntl(wake->pipe[i], F_SETFL, O_NONBLOCK);
        fcntl(wake->pipe[i], F_SETFD, FD_CLOEXEC);
    }
    handler_pipe = wake->pipe[1];
    handle(SIGINT);
    handle(SIGTERM);
    handle(SIGHUP);
    handle(SIGQUIT);
    handle(SIGPIPE); /* Nobody reads what the program prints. */
    return true;
}

void wake_nudge(void *arg)
{
    struct wake *wake = arg;

    put_byte(wake->pipe[1], BYTE_NUDGE);
}

static void *join_task(void *arg)
{
    struct wake *wake = arg;

    /* Not but while it waits, and it does not leave: when main has ended, tasks
     * that still wait are no news. */
    brolga_outside_enter(wake->rt);
    wake->join_err =
        brolga_join(wake->task, BROLGA_FOREVER, &wake->result, &wake->failure);
    put_byte(wake->pipe[1], BYTE_ENDED);
    return NULL;
}

/* The thread takes no signals: they are the main thread's. */
bool wake_watch_task(struct wake *wake, brolga *rt, brolga_task *task)
{
    sigset_t all, before;
    int err;

    wake->rt = rt;
    wake->task = task;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    err = pthread_create(&wake->joiner, NULL, join_task, wake);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0;
}

/* Milliseconds for poll(), rounded up so that the loop does not spin; an hour
 * at most, for nobody minds one wakeup an hour. */
static int timeout_ms(uint64_t deadline_ns)
{
    uint64_t now = brolga_now_ns();
    uint64_t most = UINT64_C(3600) * 1000;
    uint64_t ms;

    if (deadline_ns <= now)
        return 0;
    ms = (deadline_ns - now) / BROLGA_MS + 1;
    return (int)(ms < most ? ms : most);
}

static void take_byte(struct wake *wake, unsigned char byte)
{
    if (byte == BYTE_NUDGE)
        return;
    if (byte == SIGQUIT) {
        wake->back++;
        return;
    }
    if (byte == BYTE_ENDED) {
        pthread_join(wake->joiner, NULL);
        wake->ended = true;
    } else if (wake->signal == 0) {
        wake->signal = byte;
    } else {
        wake->insist = true;
    }
}

static void take_bytes(struct wake *wake)
{
    unsigned char bytes[64];
    ssize_t count = read(wake->pipe[0], bytes, sizeof(bytes));

    for (ssize_t i = 0; i < count; i++)
        take_byte(wake, bytes[i]);
}

void wake_wait(struct wake *wake, uint64_t deadline_ns)
{
    struct pollfd fds[] = {{.fd = wake->pipe[0], .events = POLLIN},
                           {.fd = wake->fd, .events = POLLIN}};

    handler_loops = 1;
    wake->fd_ready = false;
    if (poll(fds, 2, timeout_ms(deadline_ns)) <= 0)
        return; /* Time is up, or a signal's byte comes next. */
    if (fds[0].revents != 0)
        take_bytes(wake);
    wake->fd_ready = fds[1].revents != 0;
}
