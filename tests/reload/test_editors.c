/*
 * Goal: however files are saved, nothing is lost, nothing is loaded twice, and
 * nothing is loaded that was never whole.
 * Method: a session over two directories, one of them behind a link, with a
 * compiler that takes a millisecond. Each save has a number in its text; what
 * is loaded tells its number. Numbers of a module that are loaded must grow:
 * one that comes twice, or after a later one, does not; that of a text that is
 * not whole is -1. Whenever it becomes quiet, every module must run what was
 * saved last.
 *
 * BROLGA_SAVES says how many saves there are, BROLGA_SEED which.
 */
#define _GNU_SOURCE
#include "fake/fake.h"

#include "editors.h"
#include "wait_until.h"

#define FILES     8
#define TEXT_ROOM 8192

struct desk {
    struct stage *stage;
    char cc_dir[64], cc[80];
    char dirs[2][160]; /* As the session knows them: the second is a link. */
    char behind[2][160];
    uint64_t random;
    long saved[FILES];
    size_t saves, storms, moves;
};

/* What modules say, and the session: under the lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t go_on;
    bool hold; /* The session stands still in its next event. */
    bool held;
    long loaded[FILES];
    size_t loads;
    char wrong[256];
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .go_on = PTHREAD_COND_INITIALIZER};

/* On the session's thread. */
void fake_loaded(const char *module, long number)
{
    unsigned index = (unsigned)atoi(module + 4) % FILES;

    (void)pthread_mutex_lock(&heard.lock);
    if (number <= heard.loaded[index] && heard.wrong[0] == '\0')
        (void)snprintf(heard.wrong, sizeof heard.wrong,
                       "%s was loaded with %ld after %ld", module, number,
                       heard.loaded[index]);
    heard.loaded[index] = number;
    heard.loads++;
    (void)pthread_mutex_unlock(&heard.lock);
}

static void on_desk_event(void *arg, const struct brolga_reload_event *event)
{
    static const unsigned bad = 1u << BROLGA_RELOAD_BUILD_FAILED |
                                1u << BROLGA_RELOAD_BUILD_WARNED |
                                1u << BROLGA_RELOAD_LOCKED;

    (void)arg;
    (void)pthread_mutex_lock(&heard.lock);
    if ((bad >> event->kind & 1) != 0 && heard.wrong[0] == '\0')
        (void)snprintf(heard.wrong, sizeof heard.wrong, "%s", event->text);
    while (heard.hold) {
        heard.held = true;
        (void)pthread_cond_broadcast(&heard.go_on);
        (void)pthread_cond_wait(&heard.go_on, &heard.lock);
    }
    (void)pthread_mutex_unlock(&heard.lock);
}

/* --- the desk ----------------------------------------------------------- */

static const char *dir_of(const struct desk *desk, unsigned file)
{
    return desk->dirs[file % 2];
}

static void write_file(struct desk *desk, unsigned file, save_fn *save_it)
{
    static char text[TEXT_ROOM];
    char name[32];
    struct page page = {.dir = dir_of(desk, file),
                        .name = name,
                        .text = text,
                        .random = &desk->random};

    (void)snprintf(name, sizeof name, "f%u.c", file);
    fake_text(text, sizeof text, file, ++desk->saved[file],
              40 + draw(&desk->random, 6000), NULL);
    save_it(&page);
    desk->saves++;
}

static void make_dirs(struct desk *desk)
{
    for (int i = 0; i < 2; i++) {
        (void)snprintf(desk->dirs[i], 160, "%s/d%d", desk->stage->dir, i);
        (void)snprintf(desk->behind[i], 160, "%s/real%d", desk->stage->dir, i);
    }
    must(mkdir(desk->dirs[0], 0755), "mkdir");
    must(mkdir(desk->behind[1], 0755), "mkdir");
    must(symlink("real1", desk->dirs[1]), "symlink");
}

static struct desk *set_desk(void)
{
    struct desk *desk = calloc(1, sizeof *desk);
    const char *seed = getenv("BROLGA_SEED");
    const char *paths[2];
    struct brolga_reload_opts opts = {.paths = paths,
                                      .paths_count = 2,
                                      /* A busy machine stops a writer for
                                       * longer than 15 ms allow for. */
                                      .quiet_ms = 40,
                                      .quiet_max_ms = 400,
                                      .sweep_ms = 100,
                                      .on_event = on_desk_event};

    cr_assert_not_null(desk);
    memset(heard.loaded, 0, sizeof heard.loaded); /* Of another test. */
    heard.loads = 0;
    heard.wrong[0] = '\0';
    desk->stage = set_stage();
    desk->random =
        seed == NULL ? (uint64_t)time(NULL) : strtoull(seed, NULL, 0);
    fprintf(stderr, "editors: BROLGA_SEED=%llu\n",
            (unsigned long long)desk->random);
    fake_compiler(desk->cc_dir, desk->cc);
    make_dirs(desk);
    for (unsigned i = 0; i < FILES; i++)
        write_file(desk, i, save_cp);
    paths[0] = desk->dirs[0];
    paths[1] = desk->dirs[1];
    opts.cc = desk->cc;
    open_session(desk->stage, &opts);
    cr_assert_eq(load(desk->stage), BROLGA_OK, "%s", desk->stage->report.text);
    cr_assert_eq(brolga_reload_start(desk->stage->session), BROLGA_OK);
    return desk;
}

static void strike_desk(struct desk *desk)
{
    fake_shell("rm -rf %s %s/*%s", desk->cc_dir, desk->stage->dir, "");
    strike_stage(desk->stage);
    free(desk);
}

/* --- looking ------------------------------------------------------------ */

static bool is_quiet(struct desk *desk)
{
    bool same = true;

    (void)pthread_mutex_lock(&heard.lock);
    for (unsigned i = 0; i < FILES; i++)
        same = same && heard.loaded[i] == desk->saved[i];
    same = same || heard.wrong[0] != '\0';
    (void)pthread_mutex_unlock(&heard.lock);
    return same;
}

static void check_wrong(void)
{
    char wrong[256];

    (void)pthread_mutex_lock(&heard.lock);
    (void)snprintf(wrong, sizeof wrong, "%s", heard.wrong);
    (void)pthread_mutex_unlock(&heard.lock);
    cr_assert(wrong[0] == '\0', "%s", wrong);
}

/* Every module runs what was saved last. `what` was the last save. */
static void check_desk(struct desk *desk, const char *what)
{
    bool quiet = wait_until(is_quiet(desk));

    check_wrong();
    for (unsigned i = 0; i < FILES; i++)
        cr_assert(quiet || heard.loaded[i] == desk->saved[i],
                  "%s: file %u is lost: %ld was saved, %ld runs", what, i,
                  desk->saved[i], heard.loaded[i]);
    for (unsigned i = 0; i < FILES; i++) {
        char module[16];

        (void)snprintf(module, sizeof module, "fake%03u", i);
        /* Loaded is not committed yet. */
        cr_assert(
            wait_until(ask(desk->stage, module, "get", 0) == desk->saved[i]),
            "%s: %s", what, module);
    }
}

/* --- larger things ------------------------------------------------------ */

/* Other files' events fill the kernel's queue while the session stands still,
 * so that those of the saves in the middle are dropped. */
static void save_in_a_storm(struct desk *desk)
{
    unsigned file = (unsigned)draw(&desk->random, FILES);
    char path[2][512];

    (void)pthread_mutex_lock(&heard.lock);
    heard.hold = true;
    heard.held = false;
    (void)pthread_mutex_unlock(&heard.lock);
    write_file(desk, file, save_sed);
    (void)pthread_mutex_lock(&heard.lock);
    while (!heard.held)
        (void)pthread_cond_wait(&heard.go_on, &heard.lock);
    (void)pthread_mutex_unlock(&heard.lock);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path[i], 512, "%s/noise%d", desk->dirs[0], i);
        must(close(open(path[i], O_CREAT | O_WRONLY, 0644)), "noise");
    }
    for (int i = 0; i < 17000; i++) /* The queue holds 16384. */
        must(chmod(path[i % 2], 0644), "chmod");
    write_file(desk, (unsigned)draw(&desk->random, FILES), save_sed);
    write_file(desk, (unsigned)draw(&desk->random, FILES), save_code);
    (void)pthread_mutex_lock(&heard.lock);
    heard.hold = false;
    (void)pthread_cond_broadcast(&heard.go_on);
    (void)pthread_mutex_unlock(&heard.lock);
    desk->storms++;
}

/* A directory goes elsewhere, files in it are saved, and it comes back; or the
 * link to one is set to a copy of it. */
static void save_while_moved(struct desk *desk)
{
    unsigned i = (unsigned)draw(&desk->random, 2);
    unsigned file = 2 * (unsigned)draw(&desk->random, FILES / 2) + i;
    char here[160];

    (void)snprintf(here, sizeof here, "%s", desk->dirs[i]);
    if (i == 0) {
        must(rename(here, desk->behind[0]), "rename");
        (void)snprintf(desk->dirs[0], 160, "%s", desk->behind[0]);
        linger((unsigned)draw(&desk->random, 150));
        write_file(desk, file, save_vim);
        (void)snprintf(desk->dirs[0], 160, "%s", here);
        must(rename(desk->behind[0], here), "rename");
    } else {
        fake_shell("cd %s && rm -rf copy && cp -a real1 copy%s%s",
                   desk->stage->dir, "", "");
        (void)snprintf(desk->dirs[1], 160, "%s/copy", desk->stage->dir);
        write_file(desk, file, save_sed);
        (void)snprintf(desk->dirs[1], 160, "%s", here);
        fake_shell("cd %s && ln -s copy new && mv -T new d1 && "
                   "rm -rf real1 && mv copy real1 && ln -s real1 new && "
                   "mv -T new d1%s%s",
                   desk->stage->dir, "", "");
    }
    desk->moves++;
}

/* Times change, contents do not. */
static void touch_all_files(struct desk *desk)
{
    char path[512];

    for (unsigned i = 0; i < FILES; i++) {
        (void)snprintf(path, sizeof path, "%s/f%u.c", dir_of(desk, i), i);
        must(utimensat(AT_FDCWD, path, NULL, 0), "touch");
    }
}

/* Saves of one to four files, one of them maybe several times over. */
static const char *save_some(struct desk *desk)
{
    uint64_t count = 1 + draw(&desk->random, 4);
    const char *last = "";

    for (uint64_t i = 0; i < count; i++) {
        const struct manner *manner = &manners[draw(&desk->random, MANNERS)];

        write_file(desk, (unsigned)draw(&desk->random, FILES), manner->save);
        last = manner->name;
        if (draw(&desk->random, 4) == 0)
            linger((unsigned)draw(&desk->random, 40));
    }
    return last;
}

static const char *do_something(struct desk *desk)
{
    switch (draw(&desk->random, 40)) {
    case 0:
        save_in_a_storm(desk);
        return "storm";
    case 1:
        save_while_moved(desk);
        return "moved directory";
    case 2:
        touch_all_files(desk);
        return "touch";
    default:
        return save_some(desk);
    }
}

static size_t saves_wanted(size_t usual)
{
    const char *text = getenv("BROLGA_SAVES");

    return text == NULL ? usual : strtoull(text, NULL, 0);
}

/* --- the tests ---------------------------------------------------------- */

Test(editors, each_manner_of_saving_is_seen_once)
{
    struct desk *desk = set_desk();

    check_desk(desk, "the load");
    for (size_t i = 0; i < MANNERS; i++) {
        write_file(desk, (unsigned)i % FILES, manners[i].save);
        check_desk(desk, manners[i].name);
    }
    strike_desk(desk);
}

Test(editors, saves_of_all_manners_at_random_are_not_lost_nor_doubled)
{
    struct desk *desk = set_desk();
    size_t wanted = saves_wanted(200), looks = 0;

    check_desk(desk, "the load");
    save_in_a_storm(desk);
    check_desk(desk, "storm");
    save_while_moved(desk);
    check_desk(desk, "moved directory");
    while (desk->saves < wanted) {
        const char *what = do_something(desk);

        check_wrong();
        if (draw(&desk->random, 3) != 0)
            continue;
        check_desk(desk, what);
        looks++;
    }
    check_desk(desk, "the end");
    fprintf(stderr,
            "editors: %zu saves, %zu storms, %zu moves, %zu loads, %zu looks\n",
            desk->saves, desk->storms, desk->moves, heard.loads, looks);
    strike_desk(desk);
}
