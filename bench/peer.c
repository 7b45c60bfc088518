/*
 * The side that asks: see peer.h.
 *
 * A peer is started through the shell, with a pipe each way. It dies with this
 * program, whatever ends it, or else a stopped one would stay for good: the
 * system is asked to see to that.
 */
#include "peer.h"
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PEERS_MAX    16
#define SUBJECTS_MAX 128
#define LINE_BYTES   256

/* No answer takes longer. */
#define PATIENCE_MS 120000

/* One run of a peer's program. */
struct process {
    pid_t pid; /* 0 = none. */
    int to;
    int from;
    char text[4096]; /* Read and not yet used: [used, filled). */
    size_t used;
    size_t filled;
};

struct bench_peer {
    const char *command;
    struct process process;
};

static struct bench_peer peers[PEERS_MAX];
static size_t peers_count;
static struct bench_asked subjects[SUBJECTS_MAX];
static size_t subjects_count;

/* --- processes ---------------------------------------------------------- */

/* In the child: become the command. */
static void become(const char *command, int input, int output, pid_t parent)
{
    bool ready = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;

    (void)signal(SIGPIPE, SIG_DFL);
    if (ready && dup2(input, 0) == 0 && dup2(output, 1) == 1)
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static void process_start(struct process *process, const char *command)
{
    pid_t parent = getpid();
    char text[1024];
    int to[2], from[2];

    /* The command itself and no shell around it, which would be stopped and
     * killed in its place. */
    bench_check(snprintf(text, sizeof text, "exec %s", command) <
                    (int)sizeof text,
                "a peer's command fits");
    bench_check(pipe(to) == 0 && pipe(from) == 0, "a pipe to a peer");
    (void)fcntl(to[1], F_SETFD, FD_CLOEXEC);
    (void)fcntl(from[0], F_SETFD, FD_CLOEXEC);
    *process = (struct process){.to = to[1], .from = from[0]};
    process->pid = fork();
    bench_check(process->pid >= 0, "fork");
    if (process->pid == 0)
        become(text, to[0], from[1], parent);
    (void)close(to[0]);
    (void)close(from[1]);
}

static void process_end(struct process *process)
{
    if (process->pid == 0)
        return;
    (void)close(process->to);
    (void)close(process->from);
    (void)kill(process->pid, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    process->pid = 0;
}

/* --- lines -------------------------------------------------------------- */

/* Reads more text; false at the end, or when patience has. */
static bool fill(struct process *process)
{
    struct pollfd wait = {.fd = process->from, .events = POLLIN};
    ssize_t bytes;

    if (process->used > 0) {
        process->filled -= process->used;
        memmove(process->text, process->text + process->used, process->filled);
        process->used = 0;
    }
    if (process->filled == sizeof process->text ||
        poll(&wait, 1, PATIENCE_MS) <= 0)
        return false;
    bytes = read(process->from, process->text + process->filled,
                 sizeof process->text - process->filled);
    if (bytes > 0)
        process->filled += (size_t)bytes;
    return bytes > 0;
}

/* The next line, without its end; NULL if none comes. Each turn of the loop
 * reads something or ends it, and the buffer is finite. */
static char *next_line(struct process *process)
{
    for (;;) {
        char *begin = process->text + process->used;
        char *end = memchr(begin, '\n', process->filled - process->used);

        if (end != NULL) {
            *end = '\0';
            process->used = (size_t)(end + 1 - process->text);
            return begin;
        }
        if (!fill(process))
            return NULL;
    }
}

/* --- what a peer can measure -------------------------------------------- */

/* Cuts the field that `*text` begins with off; NULL if there is none. */
static char *cut_field(char **text)
{
    char *field = *text;

    if (field == NULL)
        return NULL;
    *text = strchr(field, '\t');
    if (*text != NULL)
        *(*text)++ = '\0';
    return field;
}

/* One line of a peer's list; false if it is not of the form. */
static bool add_subject(struct bench_peer *peer, char *line)
{
    const char *key = cut_field(&line), *workers = cut_field(&line);
    const char *count = cut_field(&line), *name = cut_field(&line);
    struct bench_asked *asked = &subjects[subjects_count];

    if (name == NULL || line != NULL || subjects_count == SUBJECTS_MAX ||
        strlen(key) >= sizeof asked->key || strlen(name) >= sizeof asked->name)
        return false;
    *asked =
        (struct bench_asked){.peer = peer, .count = strtoull(count, NULL, 10)};
    memcpy(asked->key, key, strlen(key));
    memcpy(asked->name, name, strlen(name));
    for (; *workers != '\0'; workers++)
        if (*workers >= '0' && *workers <= '9')
            asked->workers[*workers - '0'] = true;
    if (asked->count == 0)
        return false;
    subjects_count++;
    return true;
}

/* Reads the list; a peer that is started again has the same one. */
static bool read_list(struct bench_peer *peer, struct process *process,
                      bool again)
{
    char *line;

    while ((line = next_line(process)) != NULL && line[0] != '\0')
        if (!again && !add_subject(peer, line))
            return false;
    return line != NULL;
}

void bench_peer_add(const char *command)
{
    struct bench_peer *peer = &peers[peers_count];

    bench_check(peers_count < PEERS_MAX, "fewer peers");
    if (peers_count++ == 0) {
        (void)signal(SIGPIPE, SIG_IGN);
        bench_check(atexit(bench_peer_end) == 0, "atexit");
    }
    peer->command = command;
    process_start(&peer->process, command);
    if (read_list(peer, &peer->process, false)) {
        (void)kill(peer->process.pid, SIGSTOP);
    } else {
        fprintf(stderr, "bench: a peer does not work: %s\n", command);
        process_end(&peer->process);
    }
}

void bench_peer_end(void)
{
    for (size_t i = 0; i < peers_count; i++)
        process_end(&peers[i].process);
}

size_t bench_peer_subjects(const char *row, unsigned workers,
                           struct bench_asked **out, size_t max)
{
    size_t bytes = strlen(row), count = 0;

    for (size_t i = 0; i < subjects_count && count < max; i++) {
        struct bench_asked *asked = &subjects[i];
        bool same = strncmp(asked->key, row, bytes) == 0 &&
                    (asked->key[bytes] == '\0' || asked->key[bytes] == '.');

        if (same && workers < bench_lengthof(asked->workers) &&
            asked->workers[workers])
            out[count++] = asked;
    }
    return count;
}

/* --- asking ------------------------------------------------------------- */

/* Reads the figures of an answer; 0 if it has none. */
static unsigned read_figures(const char *answer, double *figure)
{
    unsigned count = 0;
    char *end;

    while (count < BENCH_FIGURES_MAX) {
        double value = strtod(answer, &end);

        if (end == answer)
            break;
        figure[count++] = value;
        answer = end;
    }
    return count;
}

/* Sends a request, returns the answer; NULL if there is none. */
static const char *answer_of(struct process *process, const char *request)
{
    size_t bytes = strlen(request);

    if (write(process->to, request, bytes) != (ssize_t)bytes)
        return NULL;
    return next_line(process);
}

static unsigned ask(struct bench_asked *asked, struct process *process,
                    const char *request, double *figure)
{
    const char *answer = answer_of(process, request);
    unsigned count = answer == NULL ? 0 : read_figures(answer, figure);

    if (count == 0)
        fprintf(stderr, "bench: no figure for %s of %s: %s\n", asked->key,
                asked->name,
                answer == NULL ? "no answer" : answer + strspn(answer, "- "));
    if (answer == NULL)
        process_end(process);
    return count;
}

static unsigned ask_fresh(struct bench_asked *asked, const char *request,
                          double *figure)
{
    struct process process;
    unsigned count = 0;

    process_start(&process, asked->peer->command);
    if (read_list(asked->peer, &process, true))
        count = ask(asked, &process, request, figure);
    process_end(&process);
    return count;
}

unsigned bench_peer_ask(struct bench_asked *asked, unsigned workers,
                        uint64_t count, bool fresh,
                        double figure[BENCH_FIGURES_MAX])
{
    struct process *process = &asked->peer->process;
    char request[LINE_BYTES];
    unsigned figures = 0;

    (void)snprintf(request, sizeof request, "%s %u %llu\n", asked->key, workers,
                   (unsigned long long)count);
    if (asked->failed) {
        return 0;
    } else if (fresh) {
        figures = ask_fresh(asked, request, figure);
    } else if (process->pid != 0) {
        (void)kill(process->pid, SIGCONT);
        figures = ask(asked, process, request, figure);
        if (process->pid != 0)
            (void)kill(process->pid, SIGSTOP);
    }
    asked->failed = figures == 0;
    return figures;
}
