#include "stats.h"

#include "closures.h"
#include "host.h"
#include "run.h"
#include "tasks.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define REPORT_BYTES 8192

static void count_channel(void *arg, struct cell *cell)
{
    if (cell->kind == CELL_CHAN)
        ++*(brolga_word *)arg;
}

static brolga_word channels(void)
{
    brolga_word count = 0;

    cells_each(count_channel, &count);
    return count;
}

brolga_word stats_vec(void)
{
    brolga *rt = run_enter();
    brolga_word words[] = {
        (brolga_word)brolga_workers(rt), (brolga_word)tasks_spawned(),
        (brolga_word)tasks_running(),    channels(),
        (brolga_word)closures_pinned(),  (brolga_word)host_left_behind(),
        (brolga_word)host_reloads()};

    return host_vec(words, sizeof words / sizeof *words);
}

/* Text of a bounded length; lines that do not fit are left out. */
struct report {
    char text[REPORT_BYTES];
    size_t bytes;
};

BROLGA_PRINTF(2, 3)
static void add(struct report *report, const char *format, ...)
{
    size_t room = sizeof report->text - report->bytes;
    va_list args;
    int bytes;

    va_start(args, format);
    bytes = vsnprintf(report->text + report->bytes, room, format, args);
    va_end(args);
    if (bytes > 0 && (size_t)bytes < room)
        report->bytes += (size_t)bytes;
}

static void add_task(void *arg, const struct brolga_task_info *task)
{
    add(arg, "\n  task %" PRIu64 " %s, %s%s%s%s", task->id, task->name,
        brolga_task_state_name(task->state),
        task->parked_in != NULL ? " in " : "",
        task->parked_in != NULL ? task->parked_in : "",
        task->canceled != BROLGA_OK ? ", canceled" : "");
}

brolga_word stats_report(void)
{
    brolga *rt = run_enter();
    struct report report = {.bytes = 0};

    add(&report,
        "%" PRIu32 " workers; %" PRIu64 " tasks started, %" PRIu64
        " not ended; %" PRId64 " channels",
        brolga_workers(rt), tasks_spawned(), tasks_running(), channels());
    (void)brolga_tasks_each(rt, add_task, &report);
    return host_string(report.text, report.bytes);
}
