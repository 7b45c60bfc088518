/*
 * Goal: files are read and written at offsets, whole files are loaded, errors
 * are told apart, and closed handles are refused.
 * Method: files in a folder of the test's own.
 */
#include "tasks/io_world.h"

static brolga_io opened(const char *name, int flags)
{
    brolga_io file = 0;
    int err = brolga_file_open(in_folder(name), flags, 0644, limit(), &file);

    cr_assert_eq(err, BROLGA_OK, "%s: %s\n", brolga_error_name(err),
                 brolga_io_error());
    return file;
}

static brolga_io created(const char *name)
{
    return opened(name, BROLGA_OPEN_READ | BROLGA_OPEN_WRITE |
                            BROLGA_OPEN_CREATE | BROLGA_OPEN_TRUNCATE);
}

static void removed(const char *name)
{
    cr_assert_eq(unlink(in_folder(name)), 0);
}

Test(io_file, what_is_written_at_an_offset_is_read_there)
{
    char block[16] = "................";
    size_t count = 0;
    uint64_t size = 0;
    brolga_io file;

    io_open();
    file = created("a");
    cr_assert_eq(brolga_file_write(file, "world", 5, 6, limit(), &count),
                 BROLGA_OK);
    cr_assert_eq(count, 5);
    cr_assert_eq(brolga_file_write(file, "hello ", 6, 0, limit(), NULL),
                 BROLGA_OK);
    cr_assert_eq(brolga_file_size(file, limit(), &size), BROLGA_OK);
    cr_assert_eq(size, 11);
    cr_assert_eq(brolga_file_read(file, block, 16, 4, limit(), &count),
                 BROLGA_OK);
    cr_assert_eq(count, 7);
    cr_assert_eq(memcmp(block, "o world.", 8), 0);
    cr_assert_eq(brolga_file_read(file, block, 16, 100, limit(), &count),
                 BROLGA_OK);
    cr_assert_eq(count, 0);
    cr_assert_eq(brolga_io_close(file), BROLGA_OK);
    removed("a");
    io_close();
}

Test(io_file, megabytes_come_back_as_they_were)
{
    enum { BYTES = 3 << 20 };
    char *block, *loaded = NULL;
    size_t count = 0;
    brolga_io file;

    io_open();
    block = pattern_block(BYTES);
    file = created("big");
    cr_assert_eq(brolga_file_write(file, block, BYTES, 0, limit(), NULL),
                 BROLGA_OK);
    cr_assert_eq(brolga_io_close(file), BROLGA_OK);
    cr_assert_eq(
        brolga_file_load(in_folder("big"), BYTES, limit(), &loaded, &count),
        BROLGA_OK);
    cr_assert_eq(count, BYTES);
    cr_assert(is_pattern(loaded, 0, BYTES));
    cr_assert_eq(loaded[BYTES], '\0');
    brolga_file_unload(loaded);
    brolga__free(block);
    removed("big");
    io_close();
}

Test(io_file, loading_stops_at_the_limit_and_reads_files_without_a_size)
{
    char *data = NULL;
    size_t count = 99;
    brolga_io file;

    io_open();
    file = created("five");
    cr_assert_eq(brolga_file_write(file, "12345", 5, 0, limit(), NULL),
                 BROLGA_OK);
    cr_assert_eq(brolga_io_close(file), BROLGA_OK);
    cr_assert_eq(brolga_file_load(in_folder("five"), 4, limit(), &data, &count),
                 BROLGA_ELIMIT);
    cr_assert_null(data);
    cr_assert_eq(count, 99);
    cr_assert_eq(brolga_file_load(in_folder("five"), 5, limit(), &data, &count),
                 BROLGA_OK);
    cr_assert_str_eq(data, "12345");
    brolga_file_unload(data);
    cr_assert_eq(
        brolga_file_load("/proc/self/maps", 1 << 20, limit(), &data, &count),
        BROLGA_OK);
    cr_assert_gt(count, 100);
    cr_assert_eq(strlen(data), count);
    brolga_file_unload(data);
    removed("five");
    io_close();
}

Test(io_file, errors_are_told_apart_and_leave_the_handle_alone)
{
    brolga_io file = 77, kept;
    size_t count = 77;

    io_open();
    cr_assert_str_eq(brolga_io_error(), "");
    cr_assert_eq(brolga_file_open(in_folder("none"), BROLGA_OPEN_READ, 0,
                                  limit(), &file),
                 BROLGA_ENOENT);
    cr_assert_str_eq(brolga_io_error(), "no such file or directory");
    cr_assert_eq(brolga_file_open(in_folder("none"), 0, 0, limit(), &file),
                 BROLGA_EINVAL);
    kept = created("kept");
    cr_assert_eq(brolga_file_open(in_folder("kept"),
                                  BROLGA_OPEN_WRITE | BROLGA_OPEN_CREATE |
                                      BROLGA_OPEN_EXCLUSIVE,
                                  0644, limit(), &file),
                 BROLGA_EEXIST);
    cr_assert_eq(brolga_file_open(folder, BROLGA_OPEN_WRITE, 0, limit(), &file),
                 BROLGA_EINVAL);
    cr_assert_eq(file, 77);
    cr_assert_eq(brolga_io_close(kept), BROLGA_OK);
    kept = opened("kept", BROLGA_OPEN_READ);
    cr_assert_neq(brolga_file_write(kept, "x", 1, 0, limit(), &count),
                  BROLGA_OK);
    cr_assert_eq(count, 0);
    cr_assert_eq(brolga_io_close(kept), BROLGA_OK);
    removed("kept");
    io_close();
}

Test(io_file, a_closed_handle_names_nothing_even_when_its_place_is_used_again)
{
    brolga_io first, second;
    uint64_t size = 0;

    io_open();
    first = created("a");
    cr_assert_gt((brolga_word)first, 0);
    cr_assert_eq(brolga_io_close(first), BROLGA_OK);
    cr_assert_eq(brolga_io_close(first), BROLGA_ECLOSED);
    second = created("a");
    cr_assert_neq(first, second);
    cr_assert_eq(brolga_file_size(first, limit(), &size), BROLGA_ECLOSED);
    cr_assert_eq(brolga_file_size(second, limit(), &size), BROLGA_OK);
    cr_assert_eq(brolga_file_size(0, limit(), &size), BROLGA_EINVAL);
    cr_assert_eq(brolga_io_shutdown(second, limit()), BROLGA_EINVAL);
    cr_assert_eq(brolga_io_close(second), BROLGA_OK);
    removed("a");
    io_close();
}

Test(io_file, many_handles_are_open_at_once_and_those_left_are_closed)
{
    enum { FILES = 100 };
    brolga_io files[FILES];
    uint64_t size = 0;

    io_open();
    for (int i = 0; i < FILES; i++)
        files[i] = created("same");
    for (int i = 0; i < FILES; i += 2)
        cr_assert_eq(brolga_io_close(files[i]), BROLGA_OK);
    for (int i = 0; i < FILES; i++)
        cr_assert_eq(brolga_file_size(files[i], limit(), &size),
                     i % 2 == 0 ? BROLGA_ECLOSED : BROLGA_OK);
    removed("same");
    io_close(); /* Nothing is left, so those that were open are closed. */
}

static brolga_word stay(void *arg)
{
    return gate_spin(arg);
}

static brolga_word keep_busy(void *arg)
{
    return brolga_blocking(stay, arg, BROLGA_FOREVER, NULL);
}

/* The only thread of the pool is busy: the deadline takes the work back. */
Test(io_file, work_that_has_not_begun_by_its_deadline_is_not_done)
{
    struct gate gate = {0};
    brolga_task *busy;
    brolga_io file = 77;

    io_open_with(&(struct brolga_opts){.workers = 1, .blocking_threads = 1});
    busy = spawned(keep_busy, &gate);
    cr_assert(gate_reached(&gate));
    cr_assert_eq(brolga_file_open(in_folder("late"),
                                  BROLGA_OPEN_WRITE | BROLGA_OPEN_CREATE, 0644,
                                  soon(), &file),
                 BROLGA_ETIMEOUT);
    gate_open(&gate);
    cr_assert_eq(joined(busy), BROLGA_OK);
    cr_assert_eq(file, 77);
    cr_assert_neq(access(in_folder("late"), F_OK), 0);
    io_close();
}

Test(io_file, want_of_memory_at_any_point_leaves_nothing)
{
    bool failed = true;

    io_open();
    for (uint64_t nth = 1; failed; nth++) {
        brolga_io file = 0;
        int err;

        brolga__alloc_fail_nth(nth);
        err = brolga_file_open(in_folder("a"),
                               BROLGA_OPEN_WRITE | BROLGA_OPEN_CREATE, 0644,
                               limit(), &file);
        brolga__alloc_fail_nth(0);
        failed = err != BROLGA_OK;
        cr_assert(!failed || err == BROLGA_ENOMEM);
        cr_assert(nth > 1 || failed);
        if (!failed)
            cr_assert_eq(brolga_io_close(file), BROLGA_OK);
    }
    removed("a");
    io_close();
}
