/*
 * Asking a run from outside: `brolga ctl` connects to a socket of the run,
 * sends a line, and prints the answer. Only the user who runs it can: the
 * socket is in $XDG_RUNTIME_DIR, which is that user's own, or in a directory of
 * ours under $TMPDIR, which is made, and checked to be, accessible to nobody
 * else; and its mode says the same.
 *
 * The answer begins with "ok" or "no", for the exit status. One who has
 * connected is answered at once, and has a second to say what it wants, so that
 * none can hold the run up for longer.
 */
#include "tool.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_BYTES 128
#define EXIT_REFUSED   1

/* --- where the sockets are ---------------------------------------------- */

/* A directory that nobody else can look into. */
static bool is_private(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
           info.st_uid == geteuid() && (info.st_mode & 077) == 0;
}

/* Returns whether it is ours to remove. */
static bool put_dir(struct text *path)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");

    if (dir && dir[0] == '/' && is_private(dir)) {
        text_put(path, dir);
        return false;
    }
    dir = getenv("TMPDIR");
    text_printf(path, "%s/brolga-%lu", dir && dir[0] ? dir : "/tmp",
                (unsigned long)geteuid());
    return true;
}

static bool put_address(struct sockaddr_un *address, const char *path)
{
    size_t bytes = strlen(path) + 1;

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (bytes > sizeof(address->sun_path))
        return false;
    memcpy(address->sun_path, path, bytes);
    return true;
}

/* --- the run's side ----------------------------------------------------- */

static bool make_dir(struct ctl *ctl)
{
    struct text dir = {0};
    bool made = put_dir(&dir);
    bool ok;

    if (made)
        (void)mkdir(dir.data, 0700);
    ok = is_private(dir.data);
    text_printf(&ctl->path, "%s/brolga-%ld.ctl", dir.data, (long)getpid());
    if (made && ok)
        ctl->own_dir = dir;
    else
        text_free(&dir);
    if (!ok)
        errno = EACCES;
    return ok;
}

/* Nobody else gets into the directory, so the mode comes in time. */
static bool listen_at(struct ctl *ctl)
{
    struct sockaddr_un address;

    if (!put_address(&address, ctl->path.data)) {
        errno = ENAMETOOLONG;
        return false;
    }
    ctl->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (ctl->fd < 0)
        return false;
    (void)unlink(ctl->path.data); /* Of a process that had our number. */
    return bind(ctl->fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
           chmod(ctl->path.data, 0600) == 0 && listen(ctl->fd, 4) == 0;
}

bool ctl_open(struct ctl *ctl, struct out *out)
{
    if (make_dir(ctl) && listen_at(ctl))
        return true;
    if (out->verbose)
        out_say(out, "brolga ctl cannot get in: %s: %s", ctl->path.data,
                strerror(errno));
    ctl_close(ctl);
    return false;
}

void ctl_close(struct ctl *ctl)
{
    if (ctl->fd >= 0) {
        close(ctl->fd);
        (void)unlink(ctl->path.data);
    }
    ctl->fd = -1;
    if (ctl->own_dir.data) /* Unless others are in it. */
        (void)rmdir(ctl->own_dir.data);
    text_free(&ctl->path);
    text_free(&ctl->own_dir);
}

static void put_module(void *arg, const struct brolga_reload_module *module)
{
    struct text *answer = arg;

    if (module->name)
        text_printf(answer, "%-16s v%-4llu %s%s\n", module->name,
                    (unsigned long long)module->version, module->file,
                    module->locked ? " (locked: newer content does not run)"
                                   : "");
    else
        text_printf(answer, "%-16s -     %s\n", "-", module->file);
}

static void put_stale(void *arg, const struct brolga_stale *stale)
{
    struct text *answer = arg;

    text_printf(answer, "%s still calls %s.%s as %s, gone since v%llu\n",
                stale->importer ? stale->importer : "a task", stale->module,
                stale->symbol, stale->signature,
                (unsigned long long)stale->since_version);
}

static void answer_status(struct ctl *ctl, struct text *answer)
{
    struct brolga_got_stats stats;
    brolga_got *got = ctl->got;

    brolga_got_stats(got, &stats);
    text_printf(answer, "ok v%llu", (unsigned long long)stats.version);
    if (stats.oldest_version < stats.version)
        text_printf(answer, ", can go back to v%llu",
                    (unsigned long long)stats.oldest_version);
    text_put(answer, "\n");
    brolga_reload_each(ctl->session, put_module, answer);
    brolga_got_stale(got, put_stale, answer);
}

static void answer_rollback(struct ctl *ctl, const char *argument,
                            struct text *answer)
{
    struct brolga_report report = {0};
    unsigned long long version = 0;
    char *end = NULL;
    int err;

    if (*argument != '\0') {
        version = strtoull(argument + (*argument == 'v'), &end, 10);
        if (*end != '\0' || version == 0) {
            text_printf(answer, "no: '%s' is no version\n", argument);
            return;
        }
    }
    err = brolga_reload_rollback(ctl->session, version, &report);
    if (err == BROLGA_OK)
        text_printf(answer, "ok v%llu\n", (unsigned long long)report.version);
    else
        text_printf(answer, "no: %s\n",
                    report.text[0] ? report.text : brolga_strerror(err));
}

/* What is old, and who holds it: a report of any length, which may have grown
 * by the time there is room for it. */
static void answer_stalls(struct ctl *ctl, const char *argument,
                          struct text *answer)
{
    bool json = strcmp(argument, "json") == 0;
    size_t room = 4096, used = 0;
    char *report = NULL;

    if (!json && *argument != '\0') {
        text_put(answer, "no: stalls takes 'json', or nothing\n");
        return;
    }
    do {
        room = used + 4096;
        free(report);
        report = malloc(room);
        used = report == NULL ? 0
               : json         ? brolga_stalls_json(ctl->rt, report, room)
                              : brolga_stalls_text(ctl->rt, report, room);
    } while (used >= room);
    text_printf(answer, "ok %s%s", used > 0 ? report : "nothing is held\n",
                json ? "\n" : "");
    free(report);
}

/* Splits the line in two. */
static void answer_line(struct ctl *ctl, char *line, struct text *answer)
{
    size_t length = strcspn(line, " ");
    char *argument = line + length + (line[length] != '\0');

    line[length] = '\0';
    if (strcmp(line, "status") == 0)
        answer_status(ctl, answer);
    else if (strcmp(line, "rollback") == 0)
        answer_rollback(ctl, argument, answer);
    else if (strcmp(line, "stalls") == 0)
        answer_stalls(ctl, argument, answer);
    else
        text_printf(answer, "no: there is no command '%s'\n", line);
}

/* Up to the end of the line; false if it does not come. */
static bool read_line(int fd, char line[LINE_MAX_BYTES])
{
    static const struct timeval patience = {.tv_sec = 1};
    size_t used = 0;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    while (used < LINE_MAX_BYTES - 1) {
        ssize_t count = recv(fd, line + used, LINE_MAX_BYTES - 1 - used, 0);
        char *end;

        if (count <= 0)
            return false;
        used += (size_t)count;
        line[used] = '\0';
        end = strchr(line, '\n');
        if (end) {
            *end = '\0';
            return true;
        }
    }
    return false;
}

static void send_all(int fd, const struct text *text)
{
    static const struct timeval patience = {.tv_sec = 1};
    size_t sent = 0;

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    while (sent < text->bytes) {
        ssize_t count =
            send(fd, text->data + sent, text->bytes - sent, MSG_NOSIGNAL);

        if (count <= 0)
            return;
        sent += (size_t)count;
    }
}

void ctl_serve(struct ctl *ctl)
{
    int fd = accept(ctl->fd, NULL, NULL);
    struct text answer = {0};
    char line[LINE_MAX_BYTES];

    if (fd < 0)
        return;
    if (read_line(fd, line)) {
        answer_line(ctl, line, &answer);
        send_all(fd, &answer);
    }
    text_free(&answer);
    close(fd);
}

/* --- the other side ----------------------------------------------------- */

static int connect_to(const char *path)
{
    struct sockaddr_un address;
    int fd;

    if (!put_address(&address, path))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd >= 0 &&
        connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* What was found of those that run. */
struct search {
    int fd; /* The first one's. */
    unsigned count;
    struct text pids;
};

static void look_at(struct search *search, const char *dir, const char *name)
{
    struct text path = {0};
    char *end;
    long pid;
    int fd;

    if (strncmp(name, "brolga-", 7) != 0)
        return;
    pid = strtol(name + 7, &end, 10);
    if (strcmp(end, ".ctl") != 0)
        return;
    text_printf(&path, "%s/%s", dir, name);
    fd = connect_to(path.data); /* Only who lives accepts. */
    text_free(&path);
    if (fd < 0)
        return;
    text_printf(&search->pids, "%s%ld", search->count ? ", " : "", pid);
    if (search->count++ == 0)
        search->fd = fd;
    else
        close(fd);
}

/* The only one that runs; -1 after a message. */
static int find_one(const char *dir)
{
    struct search search = {.fd = -1};
    DIR *at = is_private(dir) ? opendir(dir) : NULL;
    struct dirent *entry;

    while (at && (entry = readdir(at)) != NULL)
        look_at(&search, dir, entry->d_name);
    if (at)
        closedir(at);
    if (search.count == 0)
        fprintf(stderr, "brolga: no program of yours runs under brolga run\n");
    if (search.count > 1) {
        fprintf(stderr, "brolga: which one? Add --pid, one of %s\n",
                search.pids.data);
        close(search.fd);
        search.fd = -1;
    }
    text_free(&search.pids);
    return search.fd;
}

static int connect_as_asked(const char *pid, const char *socket_path)
{
    struct text dir = {0}, path = {0};
    int fd;

    (void)put_dir(&dir);
    if (!pid && !socket_path) {
        fd = find_one(dir.data);
    } else {
        if (socket_path)
            text_put(&path, socket_path);
        else
            text_printf(&path, "%s/brolga-%s.ctl", dir.data, pid);
        fd = connect_to(path.data);
        if (fd < 0)
            fprintf(stderr, "brolga: nobody answers at %s\n", path.data);
    }
    text_free(&dir);
    text_free(&path);
    return fd;
}

/* Prints the answer; returns the exit status. */
static int print_answer(int fd)
{
    struct text answer = {0};
    char bytes[1024];
    ssize_t count;
    bool ok;

    while ((count = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        text_add(&answer, bytes, (size_t)count);
    ok = answer.bytes >= 2 && memcmp(answer.data, "ok", 2) == 0;
    if (ok)
        fputs(answer.data + 2 + (answer.data[2] == ' '), stdout);
    else
        fprintf(stderr, "brolga: %s",
                answer.bytes > 4 ? answer.data + 4 : "no answer\n");
    text_free(&answer);
    return ok ? 0 : EXIT_REFUSED;
}

static int ask(const char *pid, const char *socket_path, int argc, char **argv)
{
    struct text line = {0};
    int fd = connect_as_asked(pid, socket_path);
    int status;

    if (fd < 0)
        return EXIT_START;
    for (int i = 0; i < argc; i++)
        text_printf(&line, "%s%s", i ? " " : "", argv[i]);
    text_put(&line, "\n");
    send_all(fd, &line);
    status = print_answer(fd);
    close(fd);
    text_free(&line);
    return status;
}

int ctl_main(int argc, char **argv)
{
    const char *pid = NULL, *socket_path = NULL;
    int at = 0;

    for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        if (strcmp(argv[at], "--pid") == 0)
            pid = argv[at + 1];
        else if (strcmp(argv[at], "--socket") == 0)
            socket_path = argv[at + 1];
        else
            break;
    }
    if (at < argc && strcmp(argv[at], "--help") == 0) {
        help_print_ctl(stdout);
        return 0;
    }
    if (at == argc || argv[at][0] == '-') {
        help_print_ctl(stderr);
        return EXIT_USAGE;
    }
    return ask(pid, socket_path, argc - at, argv + at);
}
