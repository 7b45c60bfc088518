/*
 * The program: opens the channels, starts the tasks, and ends them in order.
 *
 * The tasks that do the same work are a *stage*, and each stage has a guard: a
 * task that waits for the others to end, for whatever reason, and then closes
 * the channels on both sides. So the stages behind drain what is left and end
 * too, and those in front learn that nobody listens any more. A stage that
 * fails therefore ends the program in order.
 *
 * The conductor waits for the guards and sums up. It is a task of its own
 * because a canceled task cannot wait: asked to stop, main closes the first
 * channel, and the conductor still sees every line through to the table.
 */
#include <brolga/module.h>

#include "pipeline.h"

#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

BROLGA_MODULE(main, .policy = BROLGA_RECLAIM);
BROLGA_IMPORT(channels, int, open_channels, (void *pipe), (pipe));
BROLGA_IMPORT(reader, int, read_line, (void *state), (state));
BROLGA_IMPORT(parser, int, parse_line, (void *state, void *element),
              (state, element));
BROLGA_IMPORT(scorer, int, score_line, (void *state, void *element),
              (state, element));
BROLGA_IMPORT(table, int, add_line, (void *state, void *element),
              (state, element));
BROLGA_IMPORT(table, int, show, (void *state, void *element), (state, element));

enum { READING, PARSING, SCORING, COUNTING, SHOWING, STAGES };

struct stage {
    brolga_chan *in;  /* NULL for the first. */
    brolga_chan *out; /* NULL for the last. */
    brolga_task *tasks[PARSERS];
    int count;
    brolga_task *guard;
    struct brolga_failure failure; /* Of one of its tasks, if any failed. */
};

/** Everything that the conductor works on and tears down. */
struct program {
    struct pipeline pipe;
    struct reader reader;
    struct table table;
    struct stage stages[STAGES];
    glob_t input;
};

static void must(int err, const char *what)
{
    if (err != BROLGA_OK)
        brolga_panic("cannot %s: %s", what, brolga_strerror(err));
}

/* --- input -------------------------------------------------------------- */

static void add_input(struct program *program, const char *pattern, int flags)
{
    if (program->input.gl_pathc > 0)
        flags |= GLOB_APPEND;
    if (glob(pattern, flags, NULL, &program->input) == GLOB_NOSPACE)
        brolga_panic("cannot list %s: out of memory", pattern);
}

/* What there is to read without arguments: the pages of the project that this
 * demo is a part of. */
static void add_default_input(struct program *program)
{
    static const char file[] = __FILE__;
    const char *name = strrchr(file, '/');
    int bytes = name ? (int)(name + 1 - file) : 0;
    char pattern[4096];

    snprintf(pattern, sizeof(pattern), "%.*s../../docs/*.md", bytes, file);
    add_input(program, pattern, 0);
    snprintf(pattern, sizeof(pattern), "%.*s../../*.md", bytes, file);
    add_input(program, pattern, 0);
}

/* Arguments: [--passes N] [FILE...]. Returns whether they make sense. A file
 * that does not exist is kept: the reader complains of it. */
static bool read_arguments(struct program *program, int argc, char **argv)
{
    struct reader *reader = &program->reader;
    int at = 1;

    if (at < argc && strcmp(argv[at], "--passes") == 0) {
        reader->passes_max =
            at + 1 < argc ? strtoull(argv[at + 1], NULL, 10) : 0;
        if (reader->passes_max == 0)
            return false;
        at += 2;
    }
    if (at == argc)
        add_default_input(program);
    for (; at < argc; at++)
        add_input(program, argv[at], GLOB_NOCHECK);
    reader->paths = program->input.gl_pathv;
    reader->count = program->input.gl_pathc;
    return reader->count > 0;
}

/* --- channels ----------------------------------------------------------- */

static void release_channels(struct pipeline *pipe)
{
    brolga_chan_release(pipe->lines);
    brolga_chan_release(pipe->parsed);
    brolga_chan_release(pipe->scored);
    brolga_chan_release(pipe->tops);
}

/* --- stages ------------------------------------------------------------- */

static void close_chan(brolga_chan *chan, const char *why)
{
    if (chan)
        (void)brolga_chan_close(chan, BROLGA_OK, why);
}

/* Waits for the tasks of a stage, then ends what is in front and behind. */
BROLGA_EXPORT(brolga_word, guard, (void *arg))
{
    struct stage *stage = arg;
    struct brolga_failure failure;

    for (int i = 0; i < stage->count; i++) {
        if (brolga_join(stage->tasks[i], BROLGA_FOREVER, NULL, &failure) ==
            BROLGA_EFAILED)
            stage->failure = failure;
    }
    close_chan(stage->in, "nobody receives any more");
    close_chan(stage->out, "all is sent");
    return 0;
}

static void start_guard(struct stage *stage, const char *of)
{
    char name[32];
    struct brolga_spawn_opts opts = {.name = name};

    snprintf(name, sizeof(name), "%s guard", of);
    must(brolga_spawn_slot(brolga_runtime(), BROLGA_SLOT(guard), stage, &opts,
                           &stage->guard),
         "start a guard");
}

/* Starts tasks that call the slot for each message. They hold no code of ours
 * while they wait for the next one. */
static void start_stage(struct stage *stage, const char *name, int count,
                        brolga_slot slot, void *state)
{
    struct brolga_spawn_opts opts = {.name = name};

    for (; stage->count < count; stage->count++)
        must(brolga_spawn_each(brolga_runtime(), stage->in, slot, state, &opts,
                               &stage->tasks[stage->count]),
             "start a task");
    start_guard(stage, name);
}

/* The reader has no messages to wait for: its slot is called again at once. */
static void start_reader(struct stage *stage, struct reader *reader)
{
    struct brolga_spawn_opts opts = {.name = "reader"};

    must(brolga_spawn_loop(brolga_runtime(), BROLGA_SLOT(read_line), reader,
                           &opts, &stage->tasks[0]),
         "start the reader");
    stage->count = 1;
    start_guard(stage, "reader");
}

static void connect_stages(struct program *program)
{
    struct pipeline *pipe = &program->pipe;
    struct stage *stages = program->stages;

    stages[READING].out = stages[PARSING].in = pipe->lines;
    stages[PARSING].out = stages[SCORING].in = pipe->parsed;
    stages[SCORING].out = stages[COUNTING].in = pipe->scored;
    stages[COUNTING].out = stages[SHOWING].in = pipe->tops;
    program->reader.pipe = pipe;
    program->table.pipe = pipe;
    program->table.report_ns = brolga_after_ns(REPORT_NS);
}

static void start_stages(struct program *program)
{
    struct pipeline *pipe = &program->pipe;
    struct stage *stages = program->stages;

    start_stage(&stages[SHOWING], "show", 1, BROLGA_SLOT(show), pipe);
    start_stage(&stages[COUNTING], "table", 1, BROLGA_SLOT(add_line),
                &program->table);
    start_stage(&stages[SCORING], "scorer", 1, BROLGA_SLOT(score_line), pipe);
    start_stage(&stages[PARSING], "parser", PARSERS, BROLGA_SLOT(parse_line),
                pipe);
    start_reader(&stages[READING], &program->reader);
}

/* --- the end ------------------------------------------------------------ */

static void print_summary(const struct program *program)
{
    const struct reader *reader = &program->reader;
    const struct table *table = &program->table;

    if (isatty(STDOUT_FILENO))
        printf("\0337\033[r\0338"); /* Scroll the whole terminal again. */
    printf("done: %" PRIu64 " passes, %" PRIu64 " lines in, %" PRIu64
           " out, %" PRIu64 " lost; %" PRIu64 " words\n",
           reader->passes, reader->lines, table->lines,
           reader->lines - table->lines, table->words);
    fflush(stdout);
}

static void free_program(struct program *program)
{
    if (program->reader.file)
        fclose(program->reader.file);
    release_channels(&program->pipe);
    globfree(&program->input);
    free(program);
}

/* The failure of the first stage that has failed; NULL if none has. */
static const struct brolga_failure *failure_of(const struct program *program)
{
    for (int i = 0; i < STAGES; i++) {
        if (program->stages[i].failure.message[0] != '\0')
            return &program->stages[i].failure;
    }
    return NULL;
}

BROLGA_EXPORT(brolga_word, conduct, (void *arg))
{
    struct program *program = arg;
    struct brolga_failure failure = {0};

    for (int i = 0; i < STAGES; i++)
        (void)brolga_join(program->stages[i].guard, BROLGA_FOREVER, NULL, NULL);
    print_summary(program);
    if (failure_of(program))
        failure = *failure_of(program);
    free_program(program);
    if (failure.message[0] != '\0')
        brolga_panic("%s failed: %s", failure.name, failure.message);
    return 0;
}

BROLGA_MAIN(argc, argv)
{
    struct brolga_spawn_opts opts = {.name = "conduct"};
    struct program *program = calloc(1, sizeof(*program));
    struct brolga_failure failure;
    brolga_chan *lines;
    brolga_task *conductor;
    int err;

    must(program ? BROLGA_OK : BROLGA_ENOMEM, "start");
    if (!read_arguments(program, argc, argv)) {
        fprintf(stderr, "pipeline: nothing to read; try: "
                        "-- [--passes N] FILE...\n");
        free_program(program);
        return 1;
    }
    must(open_channels(&program->pipe), "open the channels");
    /* The conductor frees the program, maybe before main has closed this. */
    lines = brolga_chan_retain(program->pipe.lines);
    connect_stages(program);
    start_stages(program);
    must(brolga_spawn_slot(brolga_runtime(), BROLGA_SLOT(conduct), program,
                           &opts, &conductor),
         "start the conductor");

    err = brolga_join(conductor, BROLGA_FOREVER, NULL, &failure);
    if (err == BROLGA_ECANCELED) {
        brolga_chan_close(lines, BROLGA_ECANCELED, "asked to stop");
        brolga_detach(conductor);
    }
    brolga_chan_release(lines);
    if (err == BROLGA_EFAILED)
        brolga_panic("%s", failure.message);
    return 0;
}
