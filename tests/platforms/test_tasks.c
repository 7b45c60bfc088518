/*
 * The platform as a host sees it: every function of its manifest, for every
 * element type.
 *
 * Goal: what a platform gives to compiled code is that code's alone, what it is
 * given stays what it was, and every function does what its text says.
 * Method: mock.c is the host. Closures are C functions that do what compiled
 * code does: they return what they were given or have captured, count or do
 * not count as the real compiler does. All that is received is dropped as by
 * the end of a `let`, so that whatever was shared is noticed as a use after
 * free, by the mock or by a sanitizer. In the end each function must have been
 * called.
 *
 *   test_tasks DLL          a host of version 1
 *   test_tasks DLL v2       a host of version 2
 */
#include "mock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ITEMS 40
#define NAMES 16 /* That a test may have in hand at a time. */

static const char *path;

/* --- names -------------------------------------------------------------- */

/* "send", "vec-int": "send-vec-int". */
static const char *named(const char *family, const char *suffix)
{
    static _Thread_local char name[NAMES][96];
    static _Thread_local unsigned turn;

    turn = (turn + 1) % NAMES;
    (void)snprintf(name[turn], sizeof name[turn], "%.20s-%.63s", family,
                   suffix);
    return name[turn];
}

/* An element type, and what tests of it need. */
struct row {
    char suffix[64];
    char text[64];
    const struct type *type;
};

static struct row rows[64];
static size_t row_count;

/* The rows are what the manifest has channels of. */
static void find_rows(void)
{
    for (size_t i = 0; i < mock_fn_count(); i++) {
        const struct cranelisp_fn *fn = mock_fn(i);
        struct row *row = &rows[row_count];
        const char *begin = strstr(fn->type, "(Chan ");
        size_t bytes;

        if (strncmp(fn->name, "chan-", 5) != 0 || fn->params != 1 ||
            strncmp(fn->type, "(Fn [Int] (IO (Chan ", 20) != 0)
            continue;
        bytes = strlen(begin + 6) - strlen(")))");
        (void)snprintf(row->suffix, sizeof row->suffix, "%s", fn->name + 5);
        (void)snprintf(row->text, sizeof row->text, "%.*s", (int)bytes,
                       begin + 6);
        row->type = type_of(row->text);
        row_count++;
    }
}

static const struct type *type_in(const char *format, const struct row *row)
{
    char text[96];
    const char *mark = strchr(format, '$');

    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(mark - format), format,
                   row->text, mark + 1);
    return type_of(text);
}

/* --- closures ----------------------------------------------------------- */

static bool is_scalar(const struct type *type)
{
    return type->kind == INT || type->kind == FLOAT || type->kind == BOOL ||
           type->kind == COLOUR;
}

/* (fn [x] x), a borrowed result. Sees whether x is the caller's own object. */
static word lent;
static word identity_of_own(word self, word x)
{
    CHECK(is_scalar(rows[capture(self, 0)].type) || (uint64_t)x < 1024 ||
          x != lent);
    return x;
}

/* (fn [x] (let [y x] y)): counted up, and down again. */
static word through_let(word self, word x)
{
    word row = capture(self, 0);

    if (!is_scalar(rows[row].type) && (uint64_t)x >= 1024) {
        mock_inc(x);
        (void)mock_dec(x);
    }
    return x;
}

/* (fn [x] <its hash is even>) */
static word is_even(word self, word x)
{
    return (value_hash(rows[capture(self, 0)].type, x) & 1) == 0;
}

/* (fn [a b] b): associative; anything is its identity from the left. */
static word second(word self, word a, word b)
{
    (void)self;
    (void)a;
    return b;
}

static word sum(word self, word a, word b)
{
    (void)self;
    return a + b;
}

/* (fn [] (pure x)), where x was a parameter and so is not counted. */
static word pure(word self)
{
    return mock_io(capture(self, 0));
}

/* The same from a nested closure: (fn [] (f)). */
static word pure_of(word self)
{
    word inner = capture(self, 0);

    return ((word(*)(word))(uintptr_t)at(inner)[0])(inner);
}

static word closure_1(closure_code code, word capture)
{
    return closure_make(code, 1, &capture);
}

#define CODE(function) ((closure_code)(function))

/* --- collections -------------------------------------------------------- */

static word some_items(const struct row *row, size_t count, uint64_t seed)
{
    word words[ITEMS];

    for (size_t i = 0; i < count; i++)
        words[i] = value_make(row->type, &seed);
    return mock_vec(words, count);
}

/* No program counts so far. */
#define IMMORTAL ((word)1 << 40)

/* What was given is as it was, and what was got is nobody else's. */
static void expect_equal_and_drop(const struct type *type, word io,
                                  word expected)
{
    const struct type *const io_type = &(struct type){IO, type};

    CHECK(mock_is_live(io) || at(io)[-1] >= IMMORTAL);
    CHECK(value_equal(type, io_value(io), expected));
    value_drop(io_type, io);
}

static void maps(size_t index)
{
    const struct row *row = &rows[index];
    const struct type *vec = type_in("(Vec $)", row);

    for (size_t count = 0; count <= ITEMS; count += ITEMS / 4) {
        word items = some_items(row, count, index + count);
        word fun = closure_1(CODE(through_let), (word)index);
        word io = call_2(named("pmap", row->suffix), fun, items);
        word again = some_items(row, count, index + count);

        value_drop(vec, items); /* The result is another one's. */
        CHECK(value_is_own(vec, io_value(io)));
        expect_equal_and_drop(vec, io, again);
        value_drop(vec, again);
        (void)mock_dec(fun);
    }
}

/* Two elements are one object, as in [x x], which is not counted. */
static void map_of_the_same(size_t index)
{
    const struct row *row = &rows[index];
    uint64_t seed = 5 + index;
    word value = value_make(row->type, &seed), words[ITEMS];
    word fun, items, io;

    for (size_t i = 0; i < ITEMS; i++)
        words[i] = value;
    items = mock_vec(words, ITEMS);
    lent = value;
    fun = closure_1(CODE(identity_of_own), (word)index);
    io = call_2(named("pmap", row->suffix), fun, items);
    CHECK(at(io_value(io))[0] == ITEMS);
    for (size_t i = 0; i < ITEMS; i++)
        CHECK(value_equal(row->type, at(at(io_value(io))[2])[i], value));
    value_drop(&(struct type){IO, type_in("(Vec $)", row)}, io);
    value_drop(row->type, value);
}

/* (fn [x] c): what others reach as well, and nothing has counted. */
static word shared;
static word constant(word self, word x)
{
    (void)self;
    (void)x;
    return shared;
}

static void maps_to_the_same(size_t index)
{
    const struct row *row = &rows[index];
    uint64_t seed = 5 + index;
    word io;

    shared = value_make(row->type, &seed);
    io = call_2(named("pmap", row->suffix),
                closure_make(CODE(constant), 0, NULL),
                some_items(row, ITEMS, index));
    CHECK(value_is_own(type_in("(Vec $)", row), io_value(io)));
    value_drop(&(struct type){IO, type_in("(Vec $)", row)}, io);
    value_drop(row->type, shared);
}

static void filters(size_t index)
{
    const struct row *row = &rows[index];
    const struct type *vec = type_in("(Vec $)", row);
    word items = some_items(row, ITEMS, index), words[ITEMS], expected;
    word io = call_2(named("pfilter", row->suffix),
                     closure_1(CODE(is_even), (word)index), items);
    size_t kept = 0;

    for (size_t i = 0; i < ITEMS; i++)
        if ((value_hash(row->type, at(at(items)[2])[i]) & 1) == 0)
            words[kept++] = at(at(items)[2])[i];
    expected = mock_vec(words, kept);
    CHECK(value_is_own(vec, io_value(io)));
    expect_equal_and_drop(vec, io, expected);
    value_drop(vec, items);
}

static void reductions(size_t index)
{
    const struct row *row = &rows[index];
    uint64_t seed = 77;
    word items = some_items(row, ITEMS, index);
    word first = value_make(row->type, &seed);
    word fun = closure_make(CODE(second), 0, NULL);
    word io = call_3(named("preduce", row->suffix), fun, first, items);
    word empty = mock_vec(NULL, 0);

    CHECK(value_is_own(row->type, io_value(io)));
    expect_equal_and_drop(row->type, io, at(at(items)[2])[ITEMS - 1]);
    io = call_3(named("preduce", row->suffix), fun, first, empty);
    expect_equal_and_drop(row->type, io, first);
    value_drop(row->type, first);
    value_drop(type_in("(Vec $)", row), items);
}

static void sums(void)
{
    enum { COUNT = 5000 };
    static word words[COUNT];
    word items, expected = 0;

    for (word i = 0; i < COUNT; i++)
        expected += words[i] = i * 3;
    items = mock_vec(words, COUNT);
    CHECK(io_value(call_3("preduce-int", closure_make(CODE(sum), 0, NULL), 0,
                          items)) == expected);
}

/* From scalar to scalar: which function was called shows in the result. */
static word to_row(word self, word x)
{
    uint64_t seed = value_hash(rows[capture(self, 0)].type, x) % 1000 + 1;

    return value_make(rows[capture(self, 1)].type, &seed);
}

static void maps_between(void)
{
    for (word from = 0; from < 4; from++)
        for (word to = 0; to < 4; to++) {
            word captures[] = {from, to}, fun, items, io;
            char name[192];

            if (from == to)
                continue;
            fun = closure_make(CODE(to_row), 2, captures);
            items = some_items(&rows[from], ITEMS, 3);
            (void)snprintf(name, sizeof name, "pmap-%.63s-to-%.63s",
                           rows[from].suffix, rows[to].suffix);
            io = call_2(name, fun, items);
            for (size_t i = 0; i < ITEMS; i++) {
                word wanted = to_row(fun, at(at(items)[2])[i]);

                CHECK(value_equal(rows[to].type, at(at(io_value(io))[2])[i],
                                  wanted));
            }
            value_drop(&(struct type){IO, type_in("(Vec $)", &rows[to])}, io);
        }
}

/* --- tasks -------------------------------------------------------------- */

/* The closure and what it has captured end with the caller's `let`, before the
 * task has run: the platform must have seen to it. */
static word spawn_pure(const struct row *row, uint64_t seed, bool nested)
{
    word value = value_make(row->type, &seed);
    word fun = closure_1(CODE(pure), value);
    word outer = nested ? closure_1(CODE(pure_of), fun) : 0;
    word io = call_1(named("spawn", row->suffix), nested ? outer : fun);

    value_drop(row->type, value);
    if (mock_dec(fun))
        (void)mock_free(fun);
    if (nested && mock_dec(outer))
        (void)mock_free(outer);
    return io_value(io);
}

static void spawns(size_t index)
{
    const struct row *row = &rows[index];
    const struct type *option = type_in("(Option $)", row);
    word task[ITEMS];

    for (size_t i = 0; i < ITEMS; i++)
        task[i] = spawn_pure(row, i, i % 2);
    for (size_t i = 0; i < ITEMS; i++) {
        uint64_t seed = i;
        word expected = value_make(row->type, &seed), io;

        expect_equal_and_drop(
            row->type, call_1(named("await", row->suffix), task[i]), expected);
        CHECK(io_value(call_1(named("task-done", row->suffix), task[i])) == 1);
        CHECK(io_value(call_1(named("cancel", row->suffix), task[i])) == 0);
        io = call_2(named("await-for", row->suffix), task[i], 0);
        CHECK(value_equal(row->type, at(io_value(io))[1], expected));
        value_drop(&(struct type){IO, option}, io);
        value_drop(row->type, expected);
    }
}

/* (fn [] (pure <a value that it makes>)) */
static word make(word self)
{
    uint64_t seed = 21;

    return mock_io(value_make(rows[capture(self, 0)].type, &seed));
}

/* What a task makes is copied for each that awaits it. */
static void results(size_t index)
{
    const struct row *row = &rows[index];
    word task = io_value(call_1(named("spawn", row->suffix),
                                closure_1(CODE(make), (word)index)));
    uint64_t seed = 21;
    word expected = value_make(row->type, &seed);

    for (int i = 0; i < 3; i++) {
        word io = call_1(named("await", row->suffix), task);

        CHECK(value_is_own(row->type, io_value(io)));
        expect_equal_and_drop(row->type, io, expected);
    }
}

/* (fn [] (match (recv ch) [(IOVal m) (pure m)])) */
static word receive(word self)
{
    return call_1("recv-int", capture(self, 0));
}

static void cancels(void)
{
    word ch = io_value(call_1("chan-int", 0));
    word task =
        io_value(call_1("spawn-option-int", closure_1(CODE(receive), ch)));

    CHECK(io_value(call_2("await-for-option-int", task, 1)) == 0);
    CHECK(io_value(call_1("task-done-option-int", task)) == 0);
    CHECK(io_value(call_1("cancel-option-int", task)) == 1);
    CHECK(io_value(call_1("await-option-int", task)) == 0); /* None */
}

/* --- scopes ------------------------------------------------------------- */

static _Atomic int ended;

static word sleep_a_little(word self)
{
    (void)self;
    (void)call_1("sleep-ms", 5);
    ended++;
    return mock_io(0);
}

/* (fn [] (do (spawn-int ...) (spawn-int ...) (pure x))) */
static word spawn_two(word self)
{
    for (int i = 0; i < 2; i++)
        (void)call_1("spawn-int", closure_make(CODE(sleep_a_little), 0, NULL));
    return mock_io(capture(self, 0));
}

static word sleep_long(word self)
{
    bool slept = io_value(call_1("sleep-ms", 3600000));

    (void)self;
    CHECK(!slept && io_value(call_0("task-canceled")));
    ended++;
    return mock_io(0);
}

static word spawn_sleeper(word self)
{
    (void)call_1("spawn-int", closure_make(CODE(sleep_long), 0, NULL));
    return mock_io(capture(self, 0));
}

static void scopes(size_t index)
{
    const struct row *row = &rows[index];
    uint64_t seed = index;
    word value = value_make(row->type, &seed);

    ended = 0;
    expect_equal_and_drop(
        row->type,
        call_1(named("scope", row->suffix), closure_1(CODE(spawn_two), value)),
        value);
    CHECK(ended == 2);
    expect_equal_and_drop(row->type,
                          call_2(named("scope-for", row->suffix), 1,
                                 closure_1(CODE(spawn_sleeper), value)),
                          value);
    CHECK(ended == 3);
    value_drop(row->type, value);
}

/* --- channels ----------------------------------------------------------- */

static word chan_of(const char *family, const struct row *row, word capacity)
{
    word io = capacity < 0 ? call_0(named(family, row->suffix))
                           : call_1(named(family, row->suffix), capacity);

    CHECK(at(io_value(io))[0] == 0); /* [tag 0][word] */
    return io_value(io);
}

/* (fn [] (send ch v) and so on, with what is sent dropped at once. */
static word send_items(word self)
{
    const struct row *row = &rows[capture(self, 1)];

    for (uint64_t i = 0; i < ITEMS; i++) {
        uint64_t seed = i;
        word value = value_make(row->type, &seed);

        CHECK(io_value(call_2(named("send", row->suffix), capture(self, 0),
                              value)) == 1);
        value_drop(row->type, value);
    }
    CHECK(io_value(call_1(named("close", row->suffix), capture(self, 0))) == 1);
    return mock_io(7);
}

static void expect_some(const struct row *row, word io, uint64_t seed)
{
    word expected = value_make(row->type, &seed);

    CHECK(io_value(io) != 0 && at(io_value(io))[0] == 1);
    CHECK(value_is_own(row->type, at(io_value(io))[1]));
    CHECK(value_equal(row->type, at(io_value(io))[1], expected));
    value_drop(&(struct type){IO, type_in("(Option $)", row)}, io);
    value_drop(row->type, expected);
}

static void streams(size_t index)
{
    const struct row *row = &rows[index];
    word captures[] = {chan_of("chan", row, (word)(index % 4)), (word)index};
    word task = io_value(
        call_1("spawn-int", closure_make(CODE(send_items), 2, captures)));
    const char *recv = named("recv", row->suffix);

    for (uint64_t i = 0; i < ITEMS; i++)
        expect_some(row, call_1(recv, captures[0]), i);
    CHECK(io_value(call_1(recv, captures[0])) == 0);
    CHECK(io_value(call_1("await-int", task)) == 7);
    CHECK(io_value(call_1(named("close", row->suffix), captures[0])) == 0);
}

static void without_waiting(size_t index)
{
    const struct row *row = &rows[index];
    word ch = chan_of("chan", row, 1);
    const char *try_send = named("try-send", row->suffix);
    const char *try_recv = named("try-recv", row->suffix);
    uint64_t seed = 9;
    word value = value_make(row->type, &seed);

    CHECK(io_value(call_1(try_recv, ch)) == 0);
    CHECK(io_value(call_2(try_send, ch, value)) == 1);
    CHECK(io_value(call_2(try_send, ch, value)) == -1);
    expect_some(row, call_1(try_recv, ch), 9);
    CHECK(io_value(call_2(named("recv-for", row->suffix), ch, 1)) == 0);
    CHECK(io_value(call_2(try_send, ch, value)) == 1);
    (void)call_1(named("close", row->suffix), ch);
    CHECK(io_value(call_2(try_send, ch, value)) == 0);
    CHECK(io_value(call_2(named("send", row->suffix), ch, value)) == 0);
    expect_some(row, call_2(named("recv-for", row->suffix), ch, 1000), 9);
    value_drop(row->type, value);
}

static void unbounded(size_t index)
{
    const struct row *row = &rows[index];
    word ch = chan_of("chan-unbounded", row, -1), io;

    for (uint64_t i = 0; i < ITEMS; i++) {
        uint64_t seed = i;
        word value = value_make(row->type, &seed);

        CHECK(io_value(call_2(named("send", row->suffix), ch, value)) == 1);
        value_drop(row->type, value);
    }
    io = call_1(named("chan-stats", row->suffix), ch);
    CHECK(at(io_value(io))[0] == 8);
    CHECK(at(at(io_value(io))[2])[0] == ITEMS);
    CHECK(at(at(io_value(io))[2])[1] == -1);
    value_drop(type_of("(IO (Vec Int))"), io);
    for (uint64_t i = 0; i < ITEMS; i++)
        expect_some(row, call_1(named("recv", row->suffix), ch), i);
}

/* (fn [i v] (pure (+ 100 i))) */
static word place_of(word self, word index, word value)
{
    (void)self;
    (void)value;
    return mock_io(100 + index);
}

static void selects(size_t index)
{
    const struct row *row = &rows[index];
    word ch[] = {chan_of("chan", row, 1), chan_of("chan", row, 1)};
    word both = mock_vec(ch, 2);
    word fun = closure_make(CODE(place_of), 0, NULL);
    const char *send = named("send", row->suffix);
    uint64_t seed = 4;
    word value = value_make(row->type, &seed);

    CHECK(io_value(call_2(named("select-for", row->suffix), both, 1)) == 0);
    (void)call_2(send, ch[1], value);
    expect_some(row, call_1(named("select", row->suffix), both), 4);
    (void)call_2(send, ch[0], value);
    expect_some(row, call_2(named("select-for", row->suffix), both, 1000), 4);
    (void)call_2(send, ch[1], value);
    CHECK(io_value(call_2(named("select-with", row->suffix), both, fun)) ==
          101);
    (void)call_1(named("close", row->suffix), ch[0]);
    (void)call_2(send, ch[1], value);
    (void)call_1(named("close", row->suffix), ch[1]);
    expect_some(row, call_1(named("select", row->suffix), both), 4);
    CHECK(io_value(call_1(named("select", row->suffix), both)) == 0);
    CHECK(io_value(call_2(named("select-with", row->suffix), both, fun)) == -1);
    value_drop(row->type, value);
}

/* A handle that has crossed is as good: a copy with the same word. */
static void copied_handles(void)
{
    word ch = io_value(call_1("chan-int", 1)), copy = mock_alloc(16);

    at(copy)[0] = 0;
    at(copy)[1] = at(ch)[1];
    CHECK(io_value(call_2("send-int", copy, 42)) == 1);
    CHECK(at(io_value(call_1("recv-int", ch)))[1] == 42);
}

/* --- captures ----------------------------------------------------------- */

/* Counts a captured list as matches of it do, without atomics. */
static word walk_list(word self)
{
    word list = capture(self, 0), total = 0;

    for (word round = 0; round < 200; round++)
        for (word at_cons = list; (uint64_t)at_cons >= 1024;
             at_cons = at(at_cons)[2]) {
            mock_inc(at_cons);
            total += at(at_cons)[1];
            if (mock_dec(at_cons)) /* A lost count. */
                (void)mock_free(at_cons);
        }
    return mock_io(total);
}

static void captured_by_many(void)
{
    word list = 0, task[8], first;

    for (word i = 1; i <= 50; i++) {
        word object = mock_alloc(24);

        at(object)[0] = 1;
        at(object)[1] = i;
        at(object)[2] = list;
        list = object;
    }
    for (int i = 0; i < 8; i++)
        task[i] =
            io_value(call_1("spawn-int", closure_1(CODE(walk_list), list)));
    first = io_value(call_1("await-int", task[0]));
    CHECK(first == 200 * 1275);
    for (int i = 1; i < 8; i++)
        CHECK(io_value(call_1("await-int", task[i])) == first);
}

/* (fn [x] <the captured list has been counted>) */
static word count_list(word self, word x)
{
    mock_inc(capture(self, 0));
    (void)mock_dec(capture(self, 0));
    return x;
}

/* Workers count what a closure of a map has captured, all at a time: counts
 * that are lost must not matter. */
static void captured_by_maps(void)
{
    static const char *const families[] = {"pmap-int", "pfilter-int"};
    word items = some_items(&rows[0], ITEMS, 1);

    for (int i = 0; i < 3; i++) {
        word list = mock_alloc(24), fun;

        at(list)[0] = 1;
        at(list)[1] = 2;
        at(list)[2] = 0;
        fun = closure_1(i < 2 ? CODE(count_list) : CODE(second), list);
        (void)(i < 2 ? call_2(families[i], fun, items)
                     : call_3("preduce-int", fun, 0, items));
        CHECK(at(list)[-1] > INT64_C(1) << 60);
    }
}

/* Integers that look like addresses, of code, of read-only memory, of nothing,
 * are looked at without harm. */
static void captured_numbers(void)
{
    static const word constant[4] = {64, 1, 2, 3};
    word odd[] = {(word)&constant[2],
                  (word)(uintptr_t)CODE(captured_numbers),
                  (word)(uintptr_t)CODE(captured_numbers) & ~(word)15,
                  0x123456789a8,
                  65536,
                  -8,
                  0x7ffffffff000,
                  INT64_MAX - 7,
                  INT64_MIN};
    word captures[1 + sizeof odd / sizeof *odd] = {11};

    memcpy(captures + 1, odd, sizeof odd);
    for (int i = 0; i < 100; i++)
        CHECK(io_value(call_1(
                  "await-int",
                  io_value(call_1("spawn-int",
                                  closure_make(CODE(pure),
                                               1 + sizeof odd / sizeof *odd,
                                               captures))))) == 11);
    CHECK(constant[1] == 1);
}

/* --- other threads, other functions ------------------------------------- */

static pthread_barrier_t known;

/* A thread that the platform has not seen yet does not count: main would wait
 * for nobody. */
static void *from_thread(void *arg)
{
    word ch = (word)arg;

    CHECK(io_value(call_0("task-canceled")) == 0);
    (void)pthread_barrier_wait(&known);
    for (word i = 0; i < 100; i++)
        CHECK(io_value(call_2("send-int", ch, i)) == 1);
    return NULL;
}

static void foreign_threads(void)
{
    word ch = io_value(call_1("chan-int", 3)), total = 0;
    pthread_t thread[3];

    (void)pthread_barrier_init(&known, NULL, 4);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&thread[i], NULL, from_thread, (void *)ch) == 0);
    (void)pthread_barrier_wait(&known);
    for (int i = 0; i < 300; i++)
        total += at(io_value(call_1("recv-int", ch)))[1];
    for (int i = 0; i < 3; i++)
        (void)pthread_join(thread[i], NULL);
    CHECK(total == 3 * 4950);
    (void)pthread_barrier_destroy(&known);
}

/* A stack as deep as compiled code needs: 40 MiB. */
static word deep(word self)
{
    volatile char *page = __builtin_alloca(40 << 20);

    (void)self;
    for (size_t i = 0; i < 40 << 20; i += 4096)
        page[i] = 1;
    return mock_io(page[4096]);
}

static void figures(void)
{
    word io = call_0("task-stats");
    word report = call_0("tasks-report");

    CHECK(at(io_value(io))[0] == 7);
    CHECK(at(at(io_value(io))[2])[0] >= 1);
    CHECK(at(at(io_value(io))[2])[2] == 0); /* None runs. */
    CHECK(strstr((char *)(at(io_value(report)) + 1), "workers") != NULL);
    value_drop(type_of("(IO (Vec Int))"), io);
    value_drop(type_of("(IO String)"), report);
    CHECK(io_value(call_0("task-canceled")) == 0);
    CHECK(io_value(
              call_1("await-int",
                     io_value(call_1("spawn-int", closure_make(CODE(deep), 0,
                                                               NULL))))) == 1);
}

/* --- the manifest ------------------------------------------------------- */

/* Names that a platform must not have: of the prelude, of fields, of traits, of
 * primitives (a sample of each), and of concurrency.cl. */
static const char *const reserved[] = {
    "map",  "filter", "take",   "drop",  "reduce",    "seq",      "pure",
    "bind", "concat", "empty?", "inc",   "head",      "tail",     "rest",
    "val",  "ioval",  "shead",  "stail", "sname",     "sval",     "sitems",
    "show", "fmap",   "+",      "-",     "=",         "vec-get",  "print",
    "chan", "send",   "recv",   "close", "await",     "spawn",    "pmap",
    "Chan", "Task",   "x",      "f",     "chan-word", "task-word"};

static void names_are_good(bool v2)
{
    for (size_t i = 0; i < mock_fn_count(); i++) {
        const struct cranelisp_fn *fn = mock_fn(i);

        CHECK(fn->code != NULL && fn->doc_bytes > 10 && fn->type_bytes > 10);
        CHECK(strncmp(fn->symbol, "cranelisp_tasks_", 16) == 0);
        CHECK(strncmp(fn->type, "(Fn [", 5) == 0);
        CHECK(v2 || strstr(fn->type, " a)") == NULL);
        for (size_t k = 0; k < sizeof reserved / sizeof *reserved; k++)
            CHECK(strcmp(fn->name, reserved[k]) != 0);
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(fn->name, mock_fn(k)->name) != 0);
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(fn->symbol, mock_fn(k)->symbol) != 0);
        CHECK(mock_symbol(fn->symbol) == fn->code);
    }
}

/* How many threads the process has. */
static unsigned threads(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    unsigned count = 0;
    char line[256];

    CHECK(status != NULL);
    while (fgets(line, sizeof line, status) != NULL)
        (void)sscanf(line, "Threads: %u", &count);
    (void)fclose(status);
    return count;
}

/* --- version 2 ---------------------------------------------------------- */

static void with_type_variables(void)
{
    for (size_t i = 0; i < row_count; i++) {
        const struct row *row = &rows[i];
        word ch = chan_of("chan", row, 2), both = mock_vec(&ch, 1), task, io;
        word fun = closure_make(CODE(place_of), 0, NULL);
        uint64_t seed = i;
        word value = value_make(row->type, &seed);

        CHECK(io_value(call_2("chan-send", ch, value)) == 1);
        expect_some(row, call_1("chan-recv", ch), i);
        CHECK(io_value(call_2("chan-try-send", ch, value)) == 1);
        expect_some(row, call_1("chan-try-recv", ch), i);
        CHECK(io_value(call_2("chan-recv-for", ch, 1)) == 0);
        CHECK(io_value(call_2("chan-select-for", both, 1)) == 0);
        (void)call_2("chan-send", ch, value);
        expect_some(row, call_1("chan-select", both), i);
        (void)call_2("chan-send", ch, value);
        CHECK(io_value(call_2("chan-select-with", both, fun)) == 100);
        CHECK(at(io_value(call_1("chan-figures", ch)))[0] == 8);
        CHECK(io_value(call_1("chan-close", ch)) == 1);
        task = io_value(
            call_1(named("spawn", row->suffix), closure_1(CODE(pure), value)));
        io = call_1("task-await", task);
        expect_equal_and_drop(row->type, io, value);
        CHECK(at(io_value(call_2("task-await-for", task, 1)))[0] == 1);
        CHECK(io_value(call_1("task-done", task)) == 1);
        CHECK(io_value(call_1("task-cancel", task)) == 0);
    }
}

static void hooks_work(void)
{
    word io;

    CHECK(mock_on_panic != NULL && mock_on_reload != NULL &&
          mock_on_shutdown != NULL);
    mock_on_reload(CRANELISP_RELOAD_BEGINS, "work", 4);
    mock_on_reload(CRANELISP_RELOAD_DONE, "work", 4);
    mock_on_panic("oh", 2);
    io = call_0("task-stats");
    CHECK(at(at(io_value(io))[2])[6] == 1);
}

/* A task that nobody awaits is told to end, and has ended. */
static void shutdown_ends_tasks(void)
{
    ended = 0;
    (void)call_1("spawn-int", closure_make(CODE(sleep_long), 0, NULL));
    mock_on_shutdown();
    CHECK(ended == 1);
}

/* ------------------------------------------------------------------------ */

static void each(void (*test)(size_t row))
{
    for (size_t i = 0; i < row_count; i++)
        test(i);
}

int main(int argc, char **argv)
{
    bool v2 = argc > 2 && strcmp(argv[2], "v2") == 0;
    unsigned before = threads();

    CHECK(argc > 1);
    path = argv[1];
    for (int i = 0; i < 3; i++)
        (v2 ? mock_load_v2 : mock_load)(path);
    CHECK(threads() == before); /* None before the first use. */
    find_rows();
    CHECK(row_count >= 16);
    names_are_good(v2);
    each(maps);
    each(map_of_the_same);
    each(maps_to_the_same);
    each(filters);
    each(reductions);
    sums();
    maps_between();
    each(spawns);
    each(results);
    cancels();
    each(scopes);
    each(streams);
    each(without_waiting);
    each(unbounded);
    each(selects);
    copied_handles();
    captured_by_many();
    captured_by_maps();
    captured_numbers();
    foreign_threads();
    figures();
    if (v2) {
        with_type_variables();
        hooks_work();
        shutdown_ends_tasks();
    }
    if (mock_untried() != NULL)
        mock_fail(__FILE__, __LINE__, mock_untried());
    printf("%zu functions, %zu element types\n", mock_fn_count(), row_count);
    return 0;
}
