/*
 * Goal: streams lose nothing and mix nothing: a read or write that is broken
 * off leaves the stream as it says, turns are kept, and closing wakes whoever
 * waits.
 * Method: two connected streams in one process; calls that are known to park
 * in tasks of their own, which the test then disturbs.
 */
#include "tasks/io_world.h"

#include "tasks/io_handle.h"

static brolga_io ends[2];

static void open_pair(void)
{
    io_open();
    cr_assert_eq(brolga_pipe_pair(ends), BROLGA_OK);
}

static void close_pair(void)
{
    cr_assert_eq(brolga_io_close(ends[0]), BROLGA_OK);
    cr_assert_eq(brolga_io_close(ends[1]), BROLGA_OK);
    io_close();
}

Test(io_stream, what_is_written_is_read_and_shutdown_is_the_end)
{
    open_pair();
    cr_assert_eq(write_text(ends[0], "one way"), BROLGA_OK);
    cr_assert_eq(write_text(ends[1], "and back"), BROLGA_OK);
    cr_assert(reads(ends[0], "and back"));
    cr_assert_eq(brolga_io_shutdown(ends[0], limit()), BROLGA_OK);
    cr_assert(reads(ends[1], "one way"));
    cr_assert(at_end(ends[1]));
    cr_assert(at_end(ends[1]));
    cr_assert_eq(write_text(ends[1], "still open"), BROLGA_OK);
    cr_assert(reads(ends[0], "still open"));
    close_pair();
}

Test(io_stream, a_read_that_times_out_leaves_what_comes_later_in_order)
{
    char block[8];
    size_t count = 77;

    open_pair();
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(brolga_io_read(ends[1], block, 8, soon(), &count),
                     BROLGA_ETIMEOUT);
        cr_assert_eq(brolga_io_read(ends[1], block, 8, BROLGA_NOW, &count),
                     BROLGA_ETIMEOUT);
        cr_assert_eq(count, 77);
        cr_assert_eq(write_text(ends[0], "later"), BROLGA_OK);
        cr_assert_eq(write_text(ends[0], " more"), BROLGA_OK);
        cr_assert(reads(ends[1], "later more"));
    }
    /* What is there is read whatever the deadline. */
    cr_assert_eq(write_text(ends[0], "now"), BROLGA_OK);
    cr_assert_eq(brolga_io_read(ends[1], block, 8, BROLGA_NOW, &count),
                 BROLGA_OK);
    cr_assert_eq(count, 3);
    close_pair();
}

Test(io_stream, a_canceled_read_has_taken_nothing)
{
    struct one_read one = {.count = 77};
    brolga_task *task;

    open_pair();
    one.stream = ends[1];
    task = spawned(read_one, &one);
    cr_assert(parks_in(task, "read"));
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    cr_assert_eq(one.count, 77);
    cr_assert_eq(write_text(ends[0], "kept"), BROLGA_OK);
    cr_assert(reads(ends[1], "kept"));
    close_pair();
}

Test(io_stream, closing_wakes_the_reader_and_those_behind_it)
{
    enum { READERS = 4 };
    struct one_read ones[READERS];
    brolga_task *tasks[READERS];
    size_t count;

    open_pair();
    for (int i = 0; i < READERS; i++) {
        ones[i].stream = ends[1];
        tasks[i] = spawned(read_one, &ones[i]);
        cr_assert(parks_in(tasks[i], "read"));
    }
    cr_assert_eq(brolga_io_close(ends[1]), BROLGA_OK);
    for (int i = 0; i < READERS; i++)
        cr_assert_eq(joined(tasks[i]), BROLGA_ECLOSED);
    cr_assert_eq(brolga_io_read(ends[1], ones[0].block, 1, limit(), &count),
                 BROLGA_ECLOSED);
    cr_assert_eq(brolga_io_close(ends[1]), BROLGA_ECLOSED);
    cr_assert(at_end(ends[0]));
    /* Nobody is there any more, and no signal says so. */
    cr_assert_eq(write_text(ends[0], "x"), BROLGA_EIO);
    cr_assert_str_eq(brolga_io_error(), "broken pipe");
    cr_assert_eq(brolga_io_close(ends[0]), BROLGA_OK);
    io_close();
}

/* Whoever has the turn may be long at it: the others are not to wait for that,
 * nor to get the turn of a stream that is closed. */
Test(io_stream, closing_does_not_wait_for_who_has_the_turn)
{
    struct one_read one = {.count = 77};
    struct brolga__record *record;
    brolga_task *task;

    open_pair();
    one.stream = ends[1];
    cr_assert_eq(brolga__record_find(ends[1], BROLGA__STREAM, &record),
                 BROLGA_OK);
    cr_assert_eq(brolga__turn_take(record, BROLGA__READING, "read", limit()),
                 BROLGA_OK);
    cr_assert_eq(write_text(ends[0], "not for you"), BROLGA_OK);
    task = spawned(read_one, &one);
    cr_assert(parks_in(task, "read"));
    cr_assert_eq(brolga_io_close(ends[1]), BROLGA_OK);
    cr_assert_eq(joined(task), BROLGA_ECLOSED);
    cr_assert_eq(one.count, 77);
    brolga__turn_give(record, BROLGA__READING);
    cr_assert_eq(brolga__turn_take(record, BROLGA__READING, "read", limit()),
                 BROLGA_ECLOSED);
    brolga__record_unref(record);
    cr_assert_eq(brolga_io_close(ends[0]), BROLGA_OK);
    io_close();
}

Test(io_stream, readers_are_served_in_the_order_in_which_they_came)
{
    struct one_read first = {.count = 0}, second = {.count = 0};
    brolga_task *tasks[2];

    open_pair();
    first.stream = second.stream = ends[1];
    tasks[0] = spawned(read_one, &first);
    cr_assert(parks_in(tasks[0], "read"));
    tasks[1] = spawned(read_one, &second);
    cr_assert(parks_in(tasks[1], "read"));
    cr_assert_eq(write_text(ends[0], "first"), BROLGA_OK);
    cr_assert_eq(joined(tasks[0]), BROLGA_OK);
    cr_assert_eq(write_text(ends[0], "second"), BROLGA_OK);
    cr_assert_eq(joined(tasks[1]), BROLGA_OK);
    cr_assert_eq(first.count, 5);
    cr_assert_eq(second.count, 6);
    close_pair();
}

Test(io_stream, a_reader_that_gives_up_its_place_does_not_hold_up_the_next)
{
    struct one_read ones[3];
    brolga_task *tasks[3];

    open_pair();
    for (int i = 0; i < 3; i++) {
        ones[i].stream = ends[1];
        tasks[i] = spawned(read_one, &ones[i]);
        cr_assert(parks_in(tasks[i], "read"));
    }
    brolga_cancel(tasks[1]);
    cr_assert_eq(joined(tasks[1]), BROLGA_ECANCELED);
    brolga_cancel(tasks[0]);
    cr_assert_eq(joined(tasks[0]), BROLGA_ECANCELED);
    cr_assert_eq(write_text(ends[0], "mine"), BROLGA_OK);
    cr_assert_eq(joined(tasks[2]), BROLGA_OK);
    cr_assert_eq(ones[2].count, 4);
    close_pair();
}

Test(io_stream, a_write_that_times_out_says_how_much_is_on_its_way)
{
    enum { BYTES = 8 << 20 };
    char *block, *back;
    size_t written = 0, again = 77;

    open_pair();
    block = pattern_block(BYTES);
    back = brolga__alloc(BYTES);
    cr_assert_eq(brolga_io_write(ends[0], block, BYTES, soon(), &written),
                 BROLGA_ETIMEOUT);
    cr_assert_gt(written, 0);
    cr_assert_lt(written, BYTES);
    cr_assert_eq(brolga_io_write(ends[0], block, 1, BROLGA_NOW, &again),
                 BROLGA_ETIMEOUT);
    cr_assert_eq(again, 0);
    cr_assert_eq(read_exactly(ends[1], back, written), BROLGA_OK);
    cr_assert(is_pattern(back, 0, written));
    /* Not a byte more, and what is written next follows. */
    cr_assert_eq(brolga_io_read(ends[1], back, 1, BROLGA_NOW, &again),
                 BROLGA_ETIMEOUT);
    cr_assert_eq(write_text(ends[0], "the rest"), BROLGA_OK);
    cr_assert(reads(ends[1], "the rest"));
    brolga__free(block);
    brolga__free(back);
    close_pair();
}

/* --- several tasks ------------------------------------------------------ */

struct writer {
    brolga_io stream;
    char *block;
    size_t bytes, written;
    int times;
};

static brolga_word write_times(void *arg)
{
    struct writer *writer = arg;
    int err = BROLGA_OK;

    for (int i = 0; i < writer->times && err == BROLGA_OK; i++)
        err = brolga_io_write(writer->stream, writer->block, writer->bytes,
                              BROLGA_FOREVER, &writer->written);
    return err;
}

Test(io_stream, a_canceled_write_says_how_much_is_on_its_way)
{
    enum { BYTES = 8 << 20 };
    struct writer writer = {.bytes = BYTES, .times = 1};
    brolga_task *task;
    char *back;

    open_pair();
    writer.stream = ends[0];
    writer.block = pattern_block(BYTES);
    back = brolga__alloc(BYTES);
    task = spawned(write_times, &writer);
    cr_assert(parks_in(task, "write"));
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    cr_assert_eq(brolga_io_shutdown(ends[0], limit()), BROLGA_OK);
    cr_assert_eq(read_exactly(ends[1], back, writer.written), BROLGA_OK);
    cr_assert(is_pattern(back, 0, writer.written));
    cr_assert(at_end(ends[1]));
    brolga__free(writer.block);
    brolga__free(back);
    close_pair();
}

Test(io_stream, the_bytes_of_each_write_stay_together)
{
    enum { WRITERS = 4, BYTES = 400000, TIMES = 5 };
    struct writer writers[WRITERS];
    brolga_task *tasks[WRITERS];
    char *back;

    open_pair();
    back = brolga__alloc(BYTES);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] =
            (struct writer){ends[0], brolga__alloc(BYTES), BYTES, 0, TIMES};
        memset(writers[i].block, 'a' + i, BYTES);
        tasks[i] = spawned(write_times, &writers[i]);
    }
    for (int i = 0; i < WRITERS * TIMES; i++) {
        cr_assert_eq(read_exactly(ends[1], back, BYTES), BROLGA_OK);
        cr_assert(back[0] >= 'a' && back[0] < 'a' + WRITERS);
        cr_assert_eq(memcmp(back, back + 1, BYTES - 1), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        cr_assert_eq(joined(tasks[i]), BROLGA_OK);
        brolga__free(writers[i].block);
    }
    brolga__free(back);
    close_pair();
}

Test(io_stream, reading_and_writing_one_end_do_not_wait_for_each_other)
{
    enum { BYTES = 4 << 20 };
    struct writer writer = {.bytes = BYTES, .times = 1};
    brolga_task *task;
    char *back;

    open_pair();
    writer.stream = ends[0];
    writer.block = pattern_block(BYTES);
    back = brolga__alloc(BYTES);
    task = spawned(write_times, &writer);
    cr_assert(parks_in(task, "write"));
    cr_assert_eq(write_text(ends[1], "across"), BROLGA_OK);
    cr_assert(reads(ends[0], "across"));
    cr_assert_eq(read_exactly(ends[1], back, BYTES), BROLGA_OK);
    cr_assert(is_pattern(back, 0, BYTES));
    cr_assert_eq(joined(task), BROLGA_OK);
    brolga__free(writer.block);
    brolga__free(back);
    close_pair();
}

static brolga_word close_end(void *arg)
{
    return brolga_io_close(*(brolga_io *)arg);
}

static brolga_word use_when_canceled(void *arg)
{
    brolga_io *pair = arg;
    char byte = 0;
    size_t count = 0;
    int err;

    while (!brolga_canceled())
        (void)brolga__park("test", BROLGA_FOREVER);
    err = brolga_io_write(pair[0], "x", 1, BROLGA_FOREVER, NULL);
    if (err == BROLGA_OK)
        err = brolga_io_read(pair[1], &byte, 1, BROLGA_FOREVER, &count);
    if (err == BROLGA_OK && byte == 'x')
        err = brolga_io_read(pair[1], &byte, 1, BROLGA_FOREVER, &count);
    return err == BROLGA_ECANCELED ? brolga_io_close(pair[1]) : BROLGA_EFAILED;
}

Test(io_stream, a_canceled_task_does_what_need_not_wait_and_closes)
{
    brolga_task *task;

    open_pair();
    task = spawned(use_when_canceled, ends);
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_OK);
    cr_assert_eq(brolga_io_close(ends[1]), BROLGA_ECLOSED);
    cr_assert_eq(brolga_io_close(ends[0]), BROLGA_OK);
    io_close();
}

/* Whatever the order in which the two meet, the reader ends. */
Test(io_stream, a_close_that_races_with_a_read_is_not_missed)
{
    enum { ROUNDS = 300 };

    io_open();
    for (int i = 0; i < ROUNDS; i++) {
        struct one_read one = {.count = 0};
        brolga_task *reader, *closer;
        brolga_word result;

        cr_assert_eq(brolga_pipe_pair(ends), BROLGA_OK);
        one.stream = ends[1];
        reader = spawned(read_one, &one);
        closer = spawned(close_end, &ends[1]);
        result = joined(reader);
        cr_assert_eq(result, BROLGA_ECLOSED, "%s\n",
                     brolga_error_name((int)result));
        cr_assert_eq(joined(closer), BROLGA_OK);
        cr_assert_eq(brolga_io_close(ends[0]), BROLGA_OK);
    }
    io_close();
}

/* The deadline and the data come at about the same time: whichever is first,
 * nothing is lost and nothing comes twice. */
Test(io_stream, deadlines_that_race_with_data_lose_nothing)
{
    enum { BYTES = 200000, AT_ONCE = 100 };
    struct writer writer = {.bytes = AT_ONCE, .times = BYTES / AT_ONCE};
    brolga_task *task;
    char block[512];
    size_t done = 0, count = 0;

    open_pair();
    writer.stream = ends[0];
    writer.block = pattern_block(AT_ONCE);
    task = spawned(write_times, &writer);
    while (done < BYTES) {
        int err = brolga_io_read(ends[1], block, 7,
                                 brolga_after_ns(10 * BROLGA_US), &count);

        cr_assert(err == BROLGA_OK || err == BROLGA_ETIMEOUT);
        for (size_t i = 0; err == BROLGA_OK && i < count; i++, done++)
            cr_assert_eq((unsigned char)block[i], pattern(done % AT_ONCE));
    }
    cr_assert_eq(joined(task), BROLGA_OK);
    cr_assert_eq(brolga_io_read(ends[1], block, 1, BROLGA_NOW, &count),
                 BROLGA_ETIMEOUT);
    brolga__free(writer.block);
    close_pair();
}

Test(io_stream, a_runtime_goes_with_streams_open_and_the_loop_idle)
{
    io_open();
    cr_assert_eq(brolga_pipe_pair(ends), BROLGA_OK);
    cr_assert_eq(write_text(ends[0], "never read"), BROLGA_OK);
    cr_assert_eq(brolga_pipe_pair(ends), BROLGA_OK);
    cr_assert_eq(brolga_io_read(ends[0], folder, 1, soon(), NULL),
                 BROLGA_ETIMEOUT);
    io_close();
}
