/*
 * What the tests of input and output share: a runtime in which the test's own
 * thread is a task, so that it can make each call and assert on it, and a
 * folder for files that is gone afterwards.
 */
#ifndef BROLGA_TESTS_TASKS_IO_WORLD_H
#define BROLGA_TESTS_TASKS_IO_WORLD_H

#include "tasks/world.h"

#include <brolga/io.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static int64_t blocks_before;

static inline void io_open_with(const struct brolga_opts *opts)
{
    blocks_before = brolga__alloc_live();
    (void)snprintf(folder, sizeof folder, "/tmp/brolga-io-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    world_open_with(opts);
    cr_assert_eq(brolga_attach_thread(rt, "test"), BROLGA_OK);
}

static inline void io_open(void)
{
    io_open_with(&(struct brolga_opts){.workers = 2});
}

/* Also checks that the runtime has left nothing, and the test no files. */
static inline void io_close(void)
{
    brolga_detach_thread();
    world_close();
    cr_assert_eq(brolga__alloc_live(), blocks_before);
    cr_assert_eq(rmdir(folder), 0);
}

static inline const char *in_folder(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Far enough for anything that ends at all. */
static inline uint64_t limit(void)
{
    return brolga_after_ns(WAIT_LIMIT_NS);
}

/* Soon enough for what does not end. */
static inline uint64_t soon(void)
{
    return brolga_after_ns(5 * BROLGA_MS);
}

/* Bytes that tell where they belong. */
static inline unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 2654435761u >> 16 ^ at);
}

static inline char *pattern_block(size_t bytes)
{
    char *block = brolga__alloc(bytes);

    for (size_t i = 0; i < bytes; i++)
        block[i] = (char)pattern(i);
    return block;
}

static inline bool is_pattern(const char *block, size_t from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)block[i] != pattern(from + i))
            return false;
    return true;
}

/* Reads exactly so many bytes. */
static inline int read_exactly(brolga_io stream, char *block, size_t bytes)
{
    size_t done = 0, count = 0;

    while (done < bytes) {
        int err =
            brolga_io_read(stream, block + done, bytes - done, limit(), &count);

        if (err != BROLGA_OK)
            return err;
        if (count == 0)
            return BROLGA_EIO;
        done += count;
    }
    return BROLGA_OK;
}

static inline int write_text(brolga_io stream, const char *text)
{
    return brolga_io_write(stream, text, strlen(text), limit(), NULL);
}

/* Whether the next bytes of a stream are the text. */
static inline bool reads(brolga_io stream, const char *text)
{
    char block[128];

    return read_exactly(stream, block, strlen(text)) == BROLGA_OK &&
           memcmp(block, text, strlen(text)) == 0;
}

static inline bool at_end(brolga_io stream)
{
    char byte;
    size_t count = 1;

    return brolga_io_read(stream, &byte, 1, limit(), &count) == BROLGA_OK &&
           count == 0;
}

/* --- one call in a task of its own, to be canceled, or closed under ----- */

struct one_read {
    brolga_io stream;
    char block[64];
    size_t count;
};

static inline brolga_word read_one(void *arg)
{
    struct one_read *one = arg;

    return brolga_io_read(one->stream, one->block, sizeof one->block,
                          BROLGA_FOREVER, &one->count);
}

struct one_accept {
    brolga_io listener, stream;
    uint64_t deadline_ns;
};

static inline brolga_word accept_one(void *arg)
{
    struct one_accept *one = arg;

    return brolga_io_accept(one->listener, one->deadline_ns, &one->stream);
}

/* Parked where it is meant to be, so that it is the call that is disturbed. */
static inline bool parks_in(brolga_task *task, const char *where)
{
    const char *in;

    return wait_until((in = brolga__load_relaxed(&task->parked_in)) != NULL &&
                      strcmp(in, where) == 0 && is_parked(task));
}

#endif
