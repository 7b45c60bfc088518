/*
 * The command's door: what its files know of each other.
 *
 *   main.c     commands                 options.c  the arguments of `run`
 *   help.c     texts for --help         text.c     lines under construction
 *   json.c     the same as JSON         out.c      where lines go
 *   news.c     what a reload did        holders.c  what keeps old code
 *   wake.c     signals, main's end      headers.c  where brolga/module.h is
 *   run.c      the life of one run      ctl.c      asking a run from outside
 *
 * The command uses the public headers only: it is a host like any other.
 */
#ifndef BROLGA_TOOL_H
#define BROLGA_TOOL_H

#include <brolga/brolga.h>
#include <brolga/reload.h>

#include <pthread.h>
#include <stdio.h>

/* Exit statuses; main's own value otherwise. */
enum {
    EXIT_USAGE = 2,     /* The command line makes no sense. */
    EXIT_START = 3,     /* The program cannot be built, loaded or started. */
    EXIT_FAILED = 4,    /* The main task failed. */
    EXIT_SIGNALED = 128 /* Plus the signal's number. */
};

/* --- options.c ---------------------------------------------------------- */

enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/** The arguments of `brolga run`. Strings are those of argv. */
struct options {
    const char **paths;
    size_t paths_count;
    char **arguments; /* Of the program, after "--". */
    int arguments_count;
    uint32_t workers; /* 0 = one per processor. */
    uint32_t quiet_ms;
    uint64_t for_ns; /* 0 = no limit. */
    const char *cc;
    const char *cflags;
    const char *fast; /* The compiler of first builds, or NULL; if `tiered`. */
    const char *json_path; /* NULL: to standard error, if `json`. */
    enum color color;
    bool json;
    uint32_t history; /* Versions that can be taken back to. */
    uint32_t rollback_percent, rollback_window_ms; /* 0 = never. */
    struct brolga_stress stress;
    bool allow_stale;
    bool no_ctl;
    bool no_watch;
    bool reclaim;
    bool tiered;
    bool verbose;
    bool help;
};

/* Unless --history says otherwise, or --reclaim: none. */
#define HISTORY         8
#define HISTORY_DEFAULT UINT32_MAX

/**
 * Reads the arguments after `run`. On success paths belongs to the caller.
 * Returns false after a message on standard error.
 */
bool options_parse(int argc, char **argv, struct options *out);

/** Reads "10s", "500ms", "2m", "1h" or a number of seconds. */
bool duration_parse(const char *text, uint64_t *out_ns);

/* --- help.c ------------------------------------------------------------- */

void help_print(FILE *to);
void help_print_run(FILE *to);
void help_print_ctl(FILE *to);
void version_print(FILE *to);

/* --- text.c ------------------------------------------------------------- */

/** A line under construction; all zero is an empty one. */
struct text {
    char *data;
    size_t bytes;
    size_t room;
};

void text_add(struct text *text, const char *data, size_t bytes);
void text_put(struct text *text, const char *string);
void text_printf(struct text *text, const char *format, ...)
    BROLGA_PRINTF(2, 3);
/** Appends a duration for a person: "850 ns", "4.1 ms", "12 s". */
void text_duration(struct text *text, uint64_t ns);
/** Appends blanks until the text has `bytes` bytes. */
void text_pad(struct text *text, size_t bytes);
void text_free(struct text *text);

/* --- json.c ------------------------------------------------------------- */

/* One object per line. A key is added in front of its value; the functions
 * take care of commas and escapes. */

void json_open(struct text *text, const char *event);
void json_key(struct text *text, const char *key);
void json_string(struct text *text, const char *key, const char *value);
void json_bytes(struct text *text, const char *key, const char *value,
                size_t bytes);
void json_number(struct text *text, const char *key, uint64_t value);
void json_close(struct text *text);

/* --- out.c -------------------------------------------------------------- */

enum style { STYLE_NONE, STYLE_VERSION, STYLE_BAD, STYLE_HELD, STYLE_DIM };

/** Where events go: people read standard error, programs read `json`. */
struct out {
    pthread_mutex_t lock; /* One line at a time. */
    FILE *json;           /* NULL: nobody wants it. */
    bool person;          /* Lines for people are wanted. */
    bool color;
    bool verbose;
};

/** Returns false after a message if the JSON file cannot be written. */
bool out_open(struct out *out, const struct options *options);
void out_close(struct out *out);
/** Appends a string in a style, if there are colours. */
void out_style(const struct out *out, struct text *text, enum style style,
               const char *string);
/** Writes a line for people, ends it, and frees the text. */
void out_line(struct out *out, struct text *text);
/** Closes a JSON object, writes it, and frees the text. */
void out_json(struct out *out, struct text *text);
/** A line "brolga: ..." for people. */
void out_say(struct out *out, const char *format, ...) BROLGA_PRINTF(2, 3);

/* --- news.c ------------------------------------------------------------- */

/* Longest wait for the adoption of a version before its line is printed. */
#define ADOPTION_NS (300 * BROLGA_MS)

/** Tells what the session and the reclaimer report. */
struct news {
    struct out *out;
    brolga *rt;
    void (*nudge)(void *arg); /* Makes the main loop call news_tick(). */
    void *nudge_arg;

    pthread_mutex_t lock; /* Guards what follows; out's lock nests inside. */
    bool started;         /* The initial load is over. */
    bool muted;           /* The program is ending. */
    struct text waiting;  /* A reload's line without its adoption. */
    uint64_t waiting_version;
    uint64_t waiting_until_ns;
    uint64_t late_version; /* Its line was printed before its adoption. */
    uint64_t adopted_version;
    uint64_t adopted_after_ns;
    struct holders *holders;
};

void news_init(struct news *news, struct out *out, struct holders *holders);
/** For brolga_reload_opts.on_event; `arg` is the news. */
void news_on_reload(void *arg, const struct brolga_reload_event *event);
/** For brolga_opts.on_event; `arg` is the news. */
void news_on_runtime(void *arg, const struct brolga_event *event);
/** From here on reloads are told. */
void news_started(struct news *news);
/** From here on nothing is told. */
void news_mute(struct news *news);
/** Prints what is due. Returns when to call again; BROLGA_FOREVER: never. */
uint64_t news_tick(struct news *news, uint64_t now_ns);

/* --- holders.c ---------------------------------------------------------- */

/* Most units that are followed, and most holders of each that are named. */
#define HELD_MAX   64
#define HELD_NAMED 4

/** A unit that could not be released at the last look, or a version that is
 * still called through. */
struct held {
    char unit[128]; /* "": the version. */
    uint64_t version;
    uint64_t since_ns;
    uint64_t due_ns; /* When it is told next. */
    size_t bytes;
    size_t count; /* Of holders. */
    struct brolga_holder named[HELD_NAMED];
    bool told;
};

/** Names what keeps old code: after a second, then at doubling intervals. */
struct holders {
    struct out *out;

    /* What the present look has found: the main thread's own. */
    struct held seen[HELD_MAX];
    size_t seen_count;

    pthread_mutex_t lock; /* Guards what follows; out's lock nests inside. */
    struct held held[HELD_MAX];
    size_t count;
};

void holders_init(struct holders *holders, struct out *out);
/** Looks, and prints what is due. Returns when to look again. */
uint64_t holders_tick(struct holders *holders, brolga *rt, uint64_t now_ns);
/** A unit has been released: says so if it was told as held. */
void holders_released(struct holders *holders,
                      const struct brolga_event *event);

/* --- wake.c ------------------------------------------------------------- */

/** What ends the main loop's wait. */
struct wake {
    int pipe[2];   /* A byte: 0 = a nudge, 255 = main ended, or a signal. */
    int signal;    /* The first one, or 0. */
    bool ended;    /* The main task has ended. */
    bool insist;   /* A second signal has come. */
    unsigned back; /* Times that the key for it was pressed. */
    int fd;        /* Another one to wait for, or -1, */
    bool fd_ready; /* and whether it is ready. */
    pthread_t joiner;
    brolga *rt;
    brolga_task *task;
    int join_err; /* What joining it gave: valid if `ended`. */
    brolga_word result;
    struct brolga_failure failure;
};

bool wake_init(struct wake *wake);
/** For struct news. Threads: any. */
void wake_nudge(void *arg);
/** Waits for the task's end on a thread of its own. */
bool wake_watch_task(struct wake *wake, brolga *rt, brolga_task *task);
/** Waits for anything, until the deadline. */
void wake_wait(struct wake *wake, uint64_t deadline_ns);

/* --- ctl.c -------------------------------------------------------------- */

/** Where others of the same user can ask a run: a socket, named by its process.
 */
struct ctl {
    int fd;              /* It listens; -1: nobody can ask. */
    struct text path;    /* The socket's. */
    struct text own_dir; /* Its directory's, if that is to go with it. */
    brolga_reload *session;
    brolga_got *got;
    brolga *rt;
};

/** Listens. Without a place for a socket it says why, and returns false. */
bool ctl_open(struct ctl *ctl, struct out *out);
void ctl_close(struct ctl *ctl);
/** Answers one who has connected. */
void ctl_serve(struct ctl *ctl);
/** `brolga ctl`: returns the exit status. */
int ctl_main(int argc, char **argv);

/* --- headers.c ---------------------------------------------------------- */

/** The directory to include from, maybe in `text`; NULL if there is none. */
const char *headers_find(struct text *text);

/* --- run.c -------------------------------------------------------------- */

/** `brolga run`: returns the exit status. */
int run(const struct options *options);

#endif
