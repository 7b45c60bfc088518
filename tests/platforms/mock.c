/* mock.h says what this does. */
#define _GNU_SOURCE /* RTLD_LOCAL */
#include "mock.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mock_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    abort();
}

/* --- the heap ----------------------------------------------------------- */

#define GONE ((word)-1)

/* Open addressing; a slot is 0, GONE, or an object. */
static struct {
    pthread_mutex_t lock;
    word *slot;
    size_t room, used, live;
    bool unlocked;
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t place(word object)
{
    uint64_t hash = (uint64_t)object * UINT64_C(0x9e3779b97f4a7c15);

    for (size_t i = hash % heap.room;; i = (i + 1) % heap.room)
        if (heap.slot[i] == 0 || heap.slot[i] == object)
            return i;
}

static void grow(void)
{
    size_t old_room = heap.room;
    word *old = heap.slot;

    if (2 * heap.used < old_room)
        return;
    heap.room = heap.live * 4 + 1024;
    heap.slot = calloc(heap.room, sizeof *heap.slot);
    CHECK(heap.slot != NULL);
    heap.used = heap.live;
    for (size_t i = 0; i < old_room; i++)
        if (old[i] != 0 && old[i] != GONE)
            heap.slot[place(old[i])] = old[i];
    free(old);
}

word mock_alloc(int64_t payload_bytes)
{
    size_t bytes = (size_t)payload_bytes + 16;
    word *base = malloc(bytes);
    word object = (word)(base + 2);

    CHECK(payload_bytes >= 0 && base != NULL);
    base[0] = (word)bytes;
    base[1] = 1;
    memset(base + 2, 0xa5, bytes - 16); /* Nobody may count on zeroes. */
    if (heap.unlocked)
        return object;
    (void)pthread_mutex_lock(&heap.lock);
    grow();
    heap.slot[place(object)] = object;
    heap.used++;
    heap.live++;
    (void)pthread_mutex_unlock(&heap.lock);
    return object;
}

word mock_free(word object)
{
    word *base = at(object) - 2;

    (void)pthread_mutex_lock(&heap.lock);
    if (heap.room == 0 || heap.slot[place(object)] != object) {
        fprintf(stderr, "double free detected at %p\n", (void *)object);
        abort();
    }
    heap.slot[place(object)] = GONE;
    heap.live--;
    (void)pthread_mutex_unlock(&heap.lock);
    memset(base, 0xdd, (size_t)base[0]);
    free(base);
    return 0;
}

size_t mock_live(void)
{
    size_t live;

    (void)pthread_mutex_lock(&heap.lock);
    live = heap.live;
    (void)pthread_mutex_unlock(&heap.lock);
    return live;
}

bool mock_is_live(word object)
{
    bool live;

    (void)pthread_mutex_lock(&heap.lock);
    live = heap.room != 0 && heap.slot[place(object)] == object;
    (void)pthread_mutex_unlock(&heap.lock);
    return live;
}

void mock_set_locked(bool locked)
{
    heap.unlocked = !locked;
}

/* Compiled code is not instrumented: it counts as it likes. */
__attribute__((no_sanitize("thread"), noinline)) void mock_inc(word object)
{
    at(object)[-1]++;
}

__attribute__((no_sanitize("thread"), noinline)) bool mock_dec(word object)
{
    return --at(object)[-1] == 0;
}

/* --- types -------------------------------------------------------------- */

static const struct type *parse(const char **p)
{
    static const struct {
        const char *name;
        enum kind kind;
        bool has_arg;
    } names[] = {{"Int", INT, false},     {"Float", FLOAT, false},
                 {"Bool", BOOL, false},   {"String", STRING, false},
                 {"Vec", VEC, true},      {"Option", OPTION, true},
                 {"List", LIST, true},    {"IO", IO, true},
                 {"Chan", OPAQUE, true},  {"Task", OPAQUE, true},
                 {"Point", POINT, false}, {"Colour", COLOUR, false},
                 {"Tree", TREE, true}};
    struct type *type = calloc(1, sizeof *type);
    size_t bytes;

    CHECK(type != NULL);
    *p += **p == '(';
    bytes = strcspn(*p, " ()");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i].name) != bytes ||
            memcmp(names[i].name, *p, bytes) != 0)
            continue;
        *p += bytes;
        type->kind = names[i].kind;
        if (names[i].has_arg) {
            *p += 1;
            type->arg = parse(p);
            CHECK(**p == ')');
            *p += 1;
        }
        return type;
    }
    mock_fail(__FILE__, __LINE__, *p);
}

/* Kept, so that nothing leaks that a test did not make. */
const struct type *type_of(const char *text)
{
    static struct {
        char text[64];
        const struct type *type;
    } known[256];
    static size_t count;

    for (size_t i = 0; i < count; i++)
        if (strcmp(known[i].text, text) == 0)
            return known[i].type;
    CHECK(count < 256 && strlen(text) < sizeof known[0].text);
    (void)strcpy(known[count].text, text);
    known[count].type = parse(&text);
    return known[count++].type;
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return *seed >> 33;
}

static word cons(word tag, word a, word b, word c, size_t fields)
{
    word object = mock_alloc((int64_t)(8 * (1 + fields)));

    at(object)[0] = tag;
    at(object)[1] = a;
    if (fields > 1)
        at(object)[2] = b;
    if (fields > 2)
        at(object)[3] = c;
    return object;
}

word mock_string(const char *text)
{
    word string = mock_alloc((int64_t)(8 + strlen(text)));

    at(string)[0] = (word)strlen(text);
    memcpy(at(string) + 1, text, strlen(text));
    return string;
}

word mock_vec(const word *words, size_t count)
{
    word vec = mock_alloc(24);

    at(vec)[0] = at(vec)[1] = (word)count;
    at(vec)[2] = count > 0 ? mock_alloc((int64_t)(8 * count)) : 0;
    if (count > 0)
        memcpy(at(at(vec)[2]), words, 8 * count);
    return vec;
}

word mock_io(word value)
{
    return cons(0, value, 0, 0, 1);
}

static word make_list(const struct type *arg, uint64_t *seed)
{
    word list = 0;

    for (uint64_t n = next(seed) % 5; n > 0; n--)
        list = cons(1, value_make(arg, seed), list, 0, 2);
    return list;
}

static word make_tree(const struct type *arg, uint64_t *seed, unsigned depth)
{
    word left, item;

    if (depth == 0 || next(seed) % 4 == 0)
        return 0;
    left = make_tree(arg, seed, depth - 1);
    item = value_make(arg, seed);
    return cons(1, left, item, make_tree(arg, seed, depth - 1), 3);
}

static word make_string(uint64_t *seed)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%.*s%u", (int)(next(seed) % 30),
                   "the quick brown fox jumps over it", (unsigned)next(seed));
    return mock_string(text);
}

static word make_vec(const struct type *arg, uint64_t *seed)
{
    word words[8];
    size_t count = next(seed) % 6;

    for (size_t i = 0; i < count; i++)
        words[i] = value_make(arg, seed);
    return mock_vec(words, count);
}

static word make_float(uint64_t *seed)
{
    double number = (double)next(seed) / 7;
    word bits;

    memcpy(&bits, &number, sizeof bits);
    return bits;
}

word value_make(const struct type *type, uint64_t *seed)
{
    switch (type->kind) {
    case INT:
        return (word)next(seed) * (word)next(seed);
    case FLOAT:
        return make_float(seed);
    case BOOL:
        return (word)(next(seed) & 1);
    case STRING:
        return make_string(seed);
    case VEC:
        return make_vec(type->arg, seed);
    case OPTION:
        return next(seed) % 4 == 0
                   ? 0
                   : cons(1, value_make(type->arg, seed), 0, 0, 1);
    case LIST:
        return make_list(type->arg, seed);
    case IO:
        return mock_io(value_make(type->arg, seed));
    case POINT:
        return cons(0, (word)next(seed), (word)next(seed), 0, 2);
    case COLOUR:
        return (word)(next(seed) % 3);
    case TREE:
        return make_tree(type->arg, seed, 4);
    case OPAQUE:
        break;
    }
    mock_fail(__FILE__, __LINE__, "a value of this type");
}

/* The types of an object's fields, behind the tag; the number of them. */
static size_t fields_of(const struct type *type, const struct type **fields)
{
    static const struct type plain = {INT, NULL};

    switch (type->kind) {
    case OPTION:
    case IO:
        fields[0] = type->arg;
        return 1;
    case LIST:
        fields[0] = type->arg;
        fields[1] = type;
        return 2;
    case TREE:
        fields[0] = fields[2] = type;
        fields[1] = type->arg;
        return 3;
    case POINT:
        fields[0] = fields[1] = &plain;
        return 2;
    default:
        return 0;
    }
}

static bool is_word(const struct type *type, word value)
{
    if (type->kind == INT || type->kind == FLOAT || type->kind == BOOL ||
        type->kind == COLOUR)
        return true;
    return (type->kind == OPTION || type->kind == LIST || type->kind == TREE) &&
           (uint64_t)value < 1024;
}

bool value_equal(const struct type *type, word a, word b)
{
    const struct type *fields[3];
    size_t count;

    if (is_word(type, a) || is_word(type, b))
        return a == b;
    if (type->kind == STRING)
        return at(a)[0] == at(b)[0] &&
               memcmp(at(a) + 1, at(b) + 1, (size_t)at(a)[0]) == 0;
    if (type->kind == VEC) {
        bool equal = at(a)[0] == at(b)[0];

        for (word i = 0; equal && i < at(a)[0]; i++)
            equal = value_equal(type->arg, at(at(a)[2])[i], at(at(b)[2])[i]);
        return equal;
    }
    count = fields_of(type, fields);
    for (size_t i = 0; i < count; i++)
        if (!value_equal(fields[i], at(a)[1 + i], at(b)[1 + i]))
            return false;
    return at(a)[0] == at(b)[0];
}

uint64_t value_hash(const struct type *type, word value)
{
    const struct type *fields[3];
    uint64_t hash = 7;
    size_t count;

    if (is_word(type, value))
        return (uint64_t)value * UINT64_C(0x9e3779b97f4a7c15) >> 13;
    if (type->kind == STRING) {
        const unsigned char *text = (const unsigned char *)(at(value) + 1);

        for (word i = 0; i < at(value)[0]; i++)
            hash = hash * 31 + text[i];
        return hash;
    }
    if (type->kind == VEC) {
        for (word i = 0; i < at(value)[0]; i++)
            hash = hash * 31 + value_hash(type->arg, at(at(value)[2])[i]);
        return hash;
    }
    count = fields_of(type, fields);
    for (size_t i = 0; i < count; i++)
        hash = hash * 31 + value_hash(fields[i], at(value)[1 + i]);
    return hash;
}

static bool is_own_object(word object)
{
    return mock_is_live(object) && at(object)[-1] == 1;
}

bool value_is_own(const struct type *type, word value)
{
    const struct type *fields[3];
    bool own = true;
    size_t count;

    if (is_word(type, value))
        return true;
    own = is_own_object(value);
    if (type->kind == VEC && at(value)[2] != 0) {
        own = own && is_own_object(at(value)[2]);
        for (word i = 0; i < at(value)[0]; i++)
            own = own && value_is_own(type->arg, at(at(value)[2])[i]);
    }
    count = fields_of(type, fields);
    for (size_t i = 0; i < count; i++)
        own = own && value_is_own(fields[i], at(value)[1 + i]);
    return own;
}

static void drop_fields(const struct type *type, word value)
{
    const struct type *fields[3];
    size_t count = fields_of(type, fields);

    if (type->kind == VEC && at(value)[2] != 0) {
        for (word i = 0; i < at(value)[0]; i++)
            value_drop(type->arg, at(at(value)[2])[i]);
        if (mock_dec(at(value)[2]))
            (void)mock_free(at(value)[2]);
    }
    for (size_t i = 0; i < count; i++)
        value_drop(fields[i], at(value)[1 + i]);
}

void value_drop(const struct type *type, word value)
{
    if (is_word(type, value) || !mock_dec(value))
        return;
    drop_fields(type, value);
    (void)mock_free(value);
}

/* --- closures ----------------------------------------------------------- */

word closure_make(closure_code code, size_t captures, const word *words)
{
    word closure = mock_alloc((int64_t)(8 * (1 + captures)));

    at(closure)[0] = (word)(uintptr_t)code;
    for (size_t i = 0; i < captures; i++)
        at(closure)[1 + i] = words[i];
    return closure;
}

/* --- the platform ------------------------------------------------------- */

static void *library;
static struct cranelisp_fn *fns;
static bool *tried;
static size_t fn_count;

void (*mock_on_shutdown)(void);
void (*mock_on_panic)(const char *, size_t);
void (*mock_on_reload)(enum cranelisp_reload, const char *, size_t);
size_t mock_frees;

static const char *copy_text(const char *text, size_t bytes)
{
    char *copy = malloc(bytes + 1);

    CHECK(text != NULL && copy != NULL && memchr(text, '\0', bytes) == NULL);
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

static void take_fns(const struct cranelisp_fn *list, size_t count)
{
    CHECK(list != NULL);
    if (fns != NULL) { /* Again: it must be the same. */
        CHECK(count == fn_count && strcmp(fns[0].name, list[0].name) == 0);
        return;
    }
    fn_count = count;
    fns = calloc(count, sizeof *fns);
    tried = calloc(count, sizeof *tried);
    CHECK(fns != NULL && tried != NULL);
    for (size_t i = 0; i < count; i++) {
        const char **names = calloc(list[i].params + 1, sizeof *names);

        fns[i] = list[i];
        fns[i].name = copy_text(list[i].name, list[i].name_bytes);
        fns[i].symbol = copy_text(list[i].symbol, list[i].symbol_bytes);
        fns[i].type = copy_text(list[i].type, list[i].type_bytes);
        fns[i].doc = copy_text(list[i].doc, list[i].doc_bytes);
        CHECK(names != NULL && list[i].param_name_count == list[i].params);
        for (size_t k = 0; k < list[i].params; k++)
            names[k] =
                copy_text(list[i].param_names[k], list[i].param_name_bytes[k]);
        fns[i].param_names = names;
    }
}

/* Not inlined, so that its frame is used by others afterwards. */
__attribute__((noinline)) static struct cranelisp_manifest
    meet(struct cranelisp_manifest (*entry)(const struct cranelisp_host *))
{
    struct cranelisp_host host = {.alloc = mock_alloc};
    struct cranelisp_manifest manifest = entry(&host);

    memset(&host, 0xdd, sizeof host);
    __asm__ volatile("" : : "r"(&host) : "memory");
    return manifest;
}

void mock_load(const char *path)
{
    struct cranelisp_manifest (*entry)(const struct cranelisp_host *);
    struct cranelisp_manifest manifest;

    library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (library == NULL)
        mock_fail(__FILE__, __LINE__, dlerror());
    *(void **)&entry = dlsym(library, "cranelisp_platform_manifest");
    CHECK(entry != NULL);
    manifest = meet(entry);
    CHECK(manifest.abi == 1 && manifest.name_bytes == 5 &&
          memcmp(manifest.name, "tasks", 5) == 0 && manifest.version != NULL);
    take_fns(manifest.fns, manifest.fn_count);
}

static int64_t free_v2(int64_t object)
{
    (void)__atomic_add_fetch(&mock_frees, 1, __ATOMIC_RELAXED);
    return mock_free(object);
}

static void panic_v2(const char *text, size_t bytes)
{
    fprintf(stderr, "host's panic: %.*s\n", (int)bytes, text);
    fprintf(stderr, "host's objects: %zu, freed by a platform: %zu\n",
            mock_live(), mock_frees);
    exit(3);
}

static void set_panic(void (*hook)(const char *, size_t))
{
    mock_on_panic = hook;
}

static void set_reload(void (*hook)(enum cranelisp_reload, const char *,
                                    size_t))
{
    mock_on_reload = hook;
}

static void set_shutdown(void (*hook)(void))
{
    mock_on_shutdown = hook;
}

void mock_load_v2(const char *path)
{
    struct cranelisp_host_v2 host = {sizeof host, 2,           mock_alloc,
                                     free_v2,     panic_v2,    set_panic,
                                     set_reload,  set_shutdown};
    const struct cranelisp_manifest_v2 *(*entry)(
        const struct cranelisp_host_v2 *);
    const struct cranelisp_manifest_v2 *manifest;

    library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (library == NULL)
        mock_fail(__FILE__, __LINE__, dlerror());
    *(void **)&entry = dlsym(library, "cranelisp_platform_manifest_v2");
    CHECK(entry != NULL);
    manifest = entry(&host);
    memset(&host, 0xdd, sizeof host);
    CHECK(manifest->abi == 2 && manifest->bytes == sizeof *manifest &&
          manifest->fn_bytes == sizeof(struct cranelisp_fn));
    take_fns(manifest->fns, manifest->fn_count);
}

size_t mock_fn_count(void)
{
    return fn_count;
}

const struct cranelisp_fn *mock_fn(size_t index)
{
    return &fns[index];
}

const struct cranelisp_fn *mock_find(const char *name)
{
    for (size_t i = 0; i < fn_count; i++)
        if (strcmp(fns[i].name, name) == 0) {
            __atomic_store_n(&tried[i], true, __ATOMIC_RELAXED);
            return &fns[i];
        }
    mock_fail(__FILE__, __LINE__, name);
}

closure_code mock_symbol(const char *name)
{
    closure_code code;

    *(void **)&code = dlsym(library, name);
    return code;
}

const char *mock_untried(void)
{
    for (size_t i = 0; i < fn_count; i++)
        if (!tried[i])
            return fns[i].name;
    return NULL;
}

static void (*code_of(const char *name, uint32_t params))(void)
{
    const struct cranelisp_fn *fn = mock_find(name);

    CHECK(fn->params == params);
    return fn->code;
}

word call_0(const char *name)
{
    return ((word(*)(void))code_of(name, 0))();
}

word call_1(const char *name, word a)
{
    return ((word(*)(word))code_of(name, 1))(a);
}

word call_2(const char *name, word a, word b)
{
    return ((word(*)(word, word))code_of(name, 2))(a, b);
}

word call_3(const char *name, word a, word b, word c)
{
    return ((word(*)(word, word, word))code_of(name, 3))(a, b, c);
}
