/*
 * The reader: sends the input line by line, again and again.
 */
#include <brolga/module.h>

#include "messages.h"

#include <errno.h>
#include <string.h>

BROLGA_MODULE(reader, .policy = BROLGA_RECLAIM);

/* Opening may wait for a slow disk, hence the brackets: meanwhile another
 * thread runs the tasks of this worker. */
static FILE *open_file(const char *path)
{
    FILE *file;
    int err;

    brolga_block_begin();
    file = fopen(path, "r");
    err = errno;
    brolga_block_end();
    if (!file)
        brolga_panic("cannot open %s: %s", path, strerror(err));
    return file;
}

/* One pass is over. The pause leaves the processor to others. */
static int end_pass(struct reader *reader)
{
    reader->passes++;
    if (reader->passes == reader->passes_max)
        return BROLGA_DONE;
    reader->next = 0;
    return brolga_sleep_until(brolga_after_ns(PAUSE_NS));
}

/*
 * Called again for each line. Between two calls no code of this module is on
 * the task's stack, so the task holds no old version of it. A line that is too
 * long for a message is sent in pieces.
 */
BROLGA_EXPORT(int, read_line, (void *state))
{
    struct reader *reader = state;
    struct line line = {0};
    int err;

    if (!reader->file) {
        if (reader->next == reader->count)
            return end_pass(reader);
        reader->file = open_file(reader->paths[reader->next++]);
    }
    if (!fgets(line.text, sizeof(line.text), reader->file)) {
        fclose(reader->file);
        reader->file = NULL;
        return BROLGA_OK;
    }
    line.bytes = (uint32_t)strcspn(line.text, "\n");
    err = brolga_send(reader->pipe->lines, &line, BROLGA_FOREVER);
    if (err == BROLGA_OK)
        reader->lines++;
    return err;
}
