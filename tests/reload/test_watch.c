/*
 * Goal: every way in which files change is told once, when it is whole, and
 * nothing else is told.
 * Method: a watcher on an event loop that the test itself runs, in a directory
 * of its own. After each change the loop runs until the file is told. That
 * nothing is told is shown by a change that comes after it and is told first.
 */
#define _GNU_SOURCE
#include "stage.h"

#include "plat.h"
#include "reload/reload.h"

#define TOLD_MAX 256

struct told {
    char name[64];
    enum brolga__watch_what what;
};

struct scene {
    struct stage stage; /* For its directory. */
    struct brolga__loop *loop;
    struct brolga__watch *watch;
    struct told told[TOLD_MAX];
    size_t count;
    size_t seen;
    size_t batches;
    size_t problems;
    bool late;
};

static void on_file(void *arg, struct brolga__watch_file *file,
                    enum brolga__watch_what what)
{
    struct scene *scene = arg;
    struct told *told = &scene->told[scene->count];

    cr_assert_lt(scene->count, TOLD_MAX);
    scene->count++;
    (void)snprintf(told->name, sizeof told->name, "%s",
                   brolga__text_base(file->path));
    told->what = what;
}

static void on_batch(void *arg, uint64_t noticed_ns)
{
    struct scene *scene = arg;

    (void)noticed_ns;
    scene->batches++;
}

static void on_problem(void *arg, const char *directory, const char *text)
{
    struct scene *scene = arg;

    cr_assert(strstr(text, directory) != NULL);
    scene->problems++;
}

static void on_wake(void *arg)
{
    (void)arg;
}

static void on_late(void *arg)
{
    struct scene *scene = arg;

    scene->late = true;
}

static struct scene *begin_with(uint32_t quiet_ms, uint32_t sweep_ms)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct brolga__watch_opts opts = {
        .quiet_ms = quiet_ms,
        .quiet_max_ms = 20 * quiet_ms,
        .sweep_ms = sweep_ms,
        .arg = scene,
        .on_file = on_file,
        .on_batch = on_batch,
        .on_problem = on_problem,
    };

    cr_assert_not_null(scene);
    (void)snprintf(scene->stage.dir, sizeof scene->stage.dir,
                   "/tmp/brolga-test-XXXXXX");
    cr_assert_not_null(mkdtemp(scene->stage.dir));
    save(&scene->stage, "a.c", "first a");
    save(&scene->stage, "b.c", "first b");
    cr_assert_eq(brolga__loop_create(on_wake, on_late, scene, &scene->loop),
                 BROLGA_OK);
    cr_assert_eq(brolga__watch_create(brolga__loop_uv(scene->loop), &opts,
                                      &scene->watch),
                 BROLGA_OK);
    cr_assert_eq(brolga__watch_dir(scene->watch, scene->stage.dir), BROLGA_OK);
    (void)brolga__watch_scan(scene->watch);
    cr_assert_eq(scene->count, 2);
    scene->seen = 2;
    brolga__watch_start(scene->watch);
    return scene;
}

static struct scene *begin(void)
{
    return begin_with(10, 100000);
}

static void end(struct scene *scene)
{
    brolga__watch_destroy(scene->watch);
    brolga__loop_destroy(scene->loop);
    remove_dir(scene->stage.dir);
    free(scene);
}

/* Runs the loop until the next file is told. */
static const struct told *next(struct scene *scene)
{
    scene->late = false;
    brolga__loop_timer(scene->loop, PATIENCE_S * 1000);
    while (scene->seen == scene->count && !scene->late)
        brolga__loop_step(scene->loop);
    cr_assert(!scene->late, "nothing was told");
    return &scene->told[scene->seen++];
}

static void expect(struct scene *scene, const char *name,
                   enum brolga__watch_what what)
{
    const struct told *told = next(scene);

    cr_assert_str_eq(told->name, name);
    cr_assert(told->what == what, "%s: %d", name, (int)told->what);
}

Test(watch, a_scan_tells_what_is_there)
{
    struct scene *scene = begin();

    cr_assert_str_eq(scene->told[0].name, "a.c");
    cr_assert_eq(scene->told[0].what, BROLGA__WATCH_ADDED);
    cr_assert_str_eq(scene->told[1].name, "b.c");
    cr_assert_eq(scene->batches, 1);
    end(scene);
}

Test(watch, a_file_that_takes_the_name_over_is_a_change)
{
    struct scene *scene = begin();

    save(&scene->stage, "a.c", "second a");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    save(&scene->stage, "a.c", "third a");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    end(scene);
}

Test(watch, writing_in_place_and_appending_are_changes)
{
    struct scene *scene = begin();

    overwrite(&scene->stage, "a.c", "Second a");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    append(&scene->stage, "a.c", "!");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    end(scene);
}

/* Goal: times do not count, content does. */
Test(watch, touching_without_a_change_tells_nothing)
{
    struct scene *scene = begin();
    char path[512];

    path_in(&scene->stage, "a.c", path);
    cr_assert_eq(utimensat(AT_FDCWD, path, NULL, 0), 0);
    save(&scene->stage, "a.c", "first a");
    brolga__watch_look(scene->watch);
    save(&scene->stage, "b.c", "second b");
    expect(scene, "b.c", BROLGA__WATCH_CHANGED);
    end(scene);
}

/* Goal: content is noticed even when size and time are as before. */
Test(watch, a_change_that_keeps_size_and_time_is_told)
{
    struct scene *scene = begin();
    struct timespec times[2];
    struct stat before;
    char path[512];

    path_in(&scene->stage, "a.c", path);
    cr_assert_eq(stat(path, &before), 0);
    times[0] = before.st_atim;
    times[1] = before.st_mtim;
    overwrite(&scene->stage, "a.c", "FIRST A");
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    end(scene);
}

/*
 * Goal: a file that is written in two steps is told once, when it is whole.
 * Method: the second step comes at once after the first, with a quiet period
 * that is far longer than the two need; the hash that is told is the whole's.
 */
Test(watch, half_a_file_is_not_told)
{
    struct scene *scene = begin_with(150, 100000);
    struct brolga__watch_file *file;
    char path[512];

    overwrite(&scene->stage, "a.c", "half ");
    append(&scene->stage, "a.c", "and half");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    path_in(&scene->stage, "a.c", path);
    cr_assert_eq(
        brolga__watch_file(scene->watch, path, BROLGA__WATCH_SOURCE, &file),
        BROLGA_OK);
    cr_assert(brolga__watch_is_fresh(scene->watch, file, UINT64_MAX));
    cr_assert_eq(scene->count, scene->seen);
    end(scene);
}

/*
 * Goal: files that are saved together are told together.
 * Method: one of two is not settled, because it is empty, when the watcher has
 * looked; the other, which is, is told with it only.
 */
Test(watch, a_settled_file_waits_for_its_neighbours)
{
    struct scene *scene = begin_with(50, 100000);
    struct brolga__watch_file *file;
    char path[512];

    path_in(&scene->stage, "b.c", path);
    cr_assert_eq(
        brolga__watch_file(scene->watch, path, BROLGA__WATCH_SOURCE, &file),
        BROLGA_OK);
    overwrite(&scene->stage, "b.c", "");
    save(&scene->stage, "a.c", "second a");
    while (file->seen_ns == 0)
        brolga__loop_step(scene->loop);
    cr_assert_eq(scene->count, scene->seen);
    overwrite(&scene->stage, "b.c", "second b");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    expect(scene, "b.c", BROLGA__WATCH_CHANGED);
    cr_assert_eq(scene->batches, 2);
    end(scene);
}

/*
 * Goal: an empty file gets time to be filled.
 * Method: it is emptied and, only after the watcher has looked, filled.
 */
Test(watch, an_emptied_file_is_waited_for)
{
    struct scene *scene = begin();
    struct brolga__watch_file *file;
    char path[512];

    path_in(&scene->stage, "a.c", path);
    cr_assert_eq(
        brolga__watch_file(scene->watch, path, BROLGA__WATCH_SOURCE, &file),
        BROLGA_OK);
    overwrite(&scene->stage, "a.c", "");
    while (file->seen_ns == 0)
        brolga__loop_step(scene->loop);
    cr_assert_eq(scene->count, scene->seen);
    overwrite(&scene->stage, "a.c", "second a");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    cr_assert(brolga__watch_is_fresh(scene->watch, file, UINT64_MAX));
    cr_assert_eq(scene->count, scene->seen);
    end(scene);
}

Test(watch, a_file_that_stays_empty_is_told)
{
    struct scene *scene = begin();

    overwrite(&scene->stage, "a.c", "");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    end(scene);
}

Test(watch, a_burst_is_told_once_with_the_last_content)
{
    struct scene *scene = begin_with(100, 100000);
    struct brolga__watch_file *file;
    char text[32], path[512];

    for (int i = 0; i < 50; i++) {
        (void)snprintf(text, sizeof text, "a of turn %d", i);
        save(&scene->stage, "a.c", text);
    }
    save(&scene->stage, "b.c", "second b");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    expect(scene, "b.c", BROLGA__WATCH_CHANGED);
    cr_assert_eq(scene->count, scene->seen);
    path_in(&scene->stage, "a.c", path);
    cr_assert_eq(
        brolga__watch_file(scene->watch, path, BROLGA__WATCH_SOURCE, &file),
        BROLGA_OK);
    cr_assert(brolga__watch_is_fresh(scene->watch, file, UINT64_MAX));
    end(scene);
}

Test(watch, a_removed_file_and_its_return_are_told)
{
    struct scene *scene = begin();

    drop(&scene->stage, "a.c");
    expect(scene, "a.c", BROLGA__WATCH_REMOVED);
    save(&scene->stage, "a.c", "first a");
    expect(scene, "a.c", BROLGA__WATCH_BACK);
    drop(&scene->stage, "a.c");
    expect(scene, "a.c", BROLGA__WATCH_REMOVED);
    save(&scene->stage, "a.c", "second a");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    end(scene);
}

/* Goal: editors that remove and write anew do not make a removal. */
Test(watch, a_short_absence_is_not_told)
{
    struct scene *scene = begin_with(100, 100000);

    drop(&scene->stage, "a.c");
    overwrite(&scene->stage, "a.c", "second a");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    end(scene);
}

Test(watch, new_files_are_told_and_hidden_ones_are_not)
{
    struct scene *scene = begin();

    save(&scene->stage, ".hidden.c", "x");
    save(&scene->stage, "notes.txt", "x");
    save(&scene->stage, "c.c", "first c");
    expect(scene, "c.c", BROLGA__WATCH_ADDED);
    save(&scene->stage, "d.h", "first d");
    expect(scene, "d.h", BROLGA__WATCH_ADDED);
    end(scene);
}

Test(watch, what_cannot_be_read_is_told_with_a_reason)
{
    struct scene *scene = begin();
    struct brolga__watch_file *file;
    char path[512];

    path_in(&scene->stage, "loop.c", path);
    cr_assert_eq(symlink("loop.c", path), 0);
    expect(scene, "loop.c", BROLGA__WATCH_UNREADABLE);
    cr_assert_eq(
        brolga__watch_file(scene->watch, path, BROLGA__WATCH_SOURCE, &file),
        BROLGA_OK);
    cr_assert(file->problem[0] != '\0');
    end(scene);
}

/*
 * Goal: a directory that is moved away and back is watched again, and what
 * changed meanwhile is told.
 * Method: a change in the directory while it is elsewhere, and one after.
 */
Test(watch, a_directory_may_be_moved_away_and_back)
{
    struct scene *scene = begin_with(10, 50);
    char elsewhere[160];

    (void)snprintf(elsewhere, sizeof elsewhere, "%s-moved", scene->stage.dir);
    cr_assert_eq(rename(scene->stage.dir, elsewhere), 0);
    while (scene->problems == 0)
        brolga__loop_step(scene->loop);
    cr_assert_eq(rename(elsewhere, scene->stage.dir), 0);
    save(&scene->stage, "a.c", "second a");
    expect(scene, "a.c", BROLGA__WATCH_CHANGED);
    save(&scene->stage, "b.c", "second b");
    expect(scene, "b.c", BROLGA__WATCH_CHANGED);
    cr_assert_eq(scene->problems, 1);
    end(scene);
}

Test(watch, a_directory_may_be_made_anew)
{
    struct scene *scene = begin_with(10, 50);

    remove_dir(scene->stage.dir);
    while (scene->problems == 0)
        brolga__loop_step(scene->loop);
    cr_assert_eq(mkdir(scene->stage.dir, 0755), 0);
    save(&scene->stage, "a.c", "first a");
    save(&scene->stage, "b.c", "second b");
    for (int i = 0; i < 100; i++) { /* It may be seen without a.c first. */
        const struct told *told = next(scene);

        if (strcmp(told->name, "b.c") == 0 &&
            told->what == BROLGA__WATCH_CHANGED)
            break;
        cr_assert_neq(i, 99);
    }
    save(&scene->stage, "b.c", "third b");
    while (scene->seen < scene->count)
        (void)next(scene);
    end(scene);
}

/*
 * Goal: the sweep finds what no event has told.
 * Method: a watcher whose events are off is not to be had, so a link: events
 * come from the link's directory, not from that of its target.
 */
Test(watch, a_sweep_finds_what_events_miss)
{
    struct scene *scene = begin_with(10, 50);
    char elsewhere[] = "/tmp/brolga-test-XXXXXX";
    char path[512], target[64];

    cr_assert_not_null(mkdtemp(elsewhere));
    (void)snprintf(target, sizeof target, "%s/t.c", elsewhere);
    write_at(target, O_TRUNC, "first t");
    path_in(&scene->stage, "t.c", path);
    cr_assert_eq(symlink(target, path), 0);
    expect(scene, "t.c", BROLGA__WATCH_ADDED);
    write_at(target, O_TRUNC, "second t, longer");
    expect(scene, "t.c", BROLGA__WATCH_CHANGED);
    end(scene);
    remove_dir(elsewhere);
}

Test(watch, headers_of_other_directories_are_watched)
{
    struct scene *scene = begin();
    struct brolga__watch_file *header;
    char elsewhere[] = "/tmp/brolga-test-XXXXXX";
    char path[64];

    cr_assert_not_null(mkdtemp(elsewhere));
    (void)snprintf(path, sizeof path, "%s/x.h", elsewhere);
    write_at(path, O_TRUNC, "first x");
    cr_assert_eq(brolga__watch_header(scene->watch, path, &header), BROLGA_OK);
    cr_assert(header->told);
    write_at(path, O_TRUNC, "second x");
    expect(scene, "x.h", BROLGA__WATCH_CHANGED);
    end(scene);
    remove_dir(elsewhere);
}
