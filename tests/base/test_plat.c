/*
 * Goal: the platform keeps the contract of plat.h.
 * Method: use each function as its callers do, and look at what they rely on.
 */
#include <criterion/criterion.h>

#include "atomic.h"
#include "base.h"
#include "jit.h"
#include "plat.h"
#include "wait_until.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#ifndef CRITERION_STAND_IN
#include <signal.h>
#endif

Test(plat, has_processors_and_pages)
{
    size_t page = brolga__plat_page_bytes();

    cr_assert_geq(brolga__plat_cpus(), 1);
    cr_assert_geq(page, 4096);
    cr_assert_eq(page & (page - 1), 0);
}

/* The probe is a local variable: also where a sanitizer moves those away, the
 * frame itself stays. */
static bool frame_lies_in_stack(void)
{
    uintptr_t low = 0, high = 0;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    brolga__plat_thread_stack(&low, &high);
    return low < here && here < high;
}

static void *report_stack(void *arg)
{
    *(bool *)arg = frame_lies_in_stack();
    return NULL;
}

Test(plat, knows_the_stack_of_each_thread)
{
    pthread_t thread;
    bool found = false;

    cr_assert(frame_lies_in_stack());
    cr_assert_eq(pthread_create(&thread, NULL, report_stack, &found), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert(found);
}

static void *report_id(void *arg)
{
    brolga__plat_thread_name("a name that is far too long for a thread");
    *(uint64_t *)arg = brolga__plat_thread_id();
    return NULL;
}

Test(plat, threads_have_different_numbers)
{
    uint64_t other = brolga__plat_thread_id();
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, report_id, &other), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_neq(other, brolga__plat_thread_id());
}

Test(plat, wait_returns_when_the_word_differs)
{
    _Atomic uint32_t word = 1;

    cr_assert(brolga__plat_wait(&word, 0, BROLGA_FOREVER));
}

Test(plat, wait_says_that_the_deadline_has_passed)
{
    _Atomic uint32_t word = 0;
    uint64_t at = brolga_after_ns(2 * BROLGA_MS);

    while (brolga__plat_wait(&word, 0, at))
        continue;
    cr_assert_geq(brolga_now_ns(), at);
    cr_assert_not(brolga__plat_wait(&word, 0, BROLGA_NOW));
}

struct sleeper {
    _Atomic uint32_t word;
    _Atomic uint32_t awake;
};

static void *sleep_on_word(void *arg)
{
    struct sleeper *sleeper = arg;

    while (brolga__load_relaxed(&sleeper->word) == 0)
        (void)brolga__plat_wait(&sleeper->word, 0, BROLGA_FOREVER);
    (void)brolga__add_relaxed(&sleeper->awake, 1);
    return NULL;
}

Test(plat, wake_ends_the_wait_of_all, .timeout = 30)
{
    struct sleeper sleeper = {0};
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, sleep_on_word, &sleeper),
                     0);
    brolga__store_relaxed(&sleeper.word, 1);
    brolga__plat_wake(&sleeper.word, INT32_MAX);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    cr_assert_eq(brolga__load_relaxed(&sleeper.awake), 4);
}

Test(plat, reserved_space_is_zero_and_so_is_discarded_space)
{
    size_t page = brolga__plat_page_bytes();
    unsigned char *at = brolga__plat_reserve(4 * page);

    cr_assert_not_null(at);
    for (size_t i = 0; i < 4 * page; i += 512)
        cr_assert_eq(at[i], 0);
    memset(at, 7, 4 * page);
    brolga__plat_discard(at + page, page);
    cr_assert_eq(at[page - 1], 7);
    cr_assert_eq(at[page], 0);
    cr_assert_eq(at[2 * page - 1], 0);
    cr_assert_eq(at[2 * page], 7);
    brolga__plat_unreserve(at, 4 * page);
}

Test(plat, many_places_are_discarded_at_once)
{
    static uintptr_t at[150];
    size_t page = brolga__plat_page_bytes(), count = brolga__lengthof(at);
    unsigned char *space = brolga__plat_reserve(2 * count * page);

    cr_assert_not_null(space);
    memset(space, 7, 2 * count * page);
    for (size_t i = 0; i < count; i++)
        at[i] = (uintptr_t)space + (2 * i + 1) * page;
    for (size_t n = 0; n <= count; n += 75) {
        brolga__plat_discards(at, page, n);
        for (size_t i = 0; i < count; i++) {
            cr_assert_eq(space[2 * i * page], 7);
            cr_assert_eq(space[(2 * i + 1) * page], i < n ? 0 : 7);
        }
    }
    brolga__plat_unreserve(space, 2 * count * page);
}

/* Whether a byte may be written, as the system sees it. */
static bool is_writable(unsigned char *at)
{
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    bool is = read(fd, at, 1) == 1;

    (void)close(fd);
    return is;
}

Test(plat, guards_are_where_they_should)
{
    size_t page = brolga__plat_page_bytes(), count = 150;
    unsigned char *space = brolga__plat_reserve(3 * count * page);

    cr_assert_not_null(space);
    cr_assert_eq(brolga__plat_guards(space + page, page, 3 * page, 0), 0);
    cr_assert(is_writable(space + page));
    cr_assert_eq(brolga__plat_guards(space + page, page, 3 * page, count),
                 count);
    for (size_t i = 0; i < 3 * count; i++) {
        cr_assert_eq(is_writable(space + i * page), i % 3 != 1);
        cr_assert_eq(is_writable(space + (i + 1) * page - 1), i % 3 != 1);
    }
    brolga__plat_unreserve(space, 3 * count * page);
}

Test(plat, impossible_reservations_fail)
{
    cr_assert_null(brolga__plat_reserve((size_t)1 << 62));
}

Test(plat, fresh_code_runs)
{
    struct jit_unit constant, caller;
    struct jit_call call;

    for (brolga_word i = 0; i < 50; i++) {
        cr_assert(jit_make_constant(&constant, -i));
        cr_assert(jit_make_caller(&caller, 2 * i));
        call.arg = NULL;
        memcpy(&call.fn, &constant.text, sizeof call.fn);
        cr_assert_eq(jit_call(constant.text, NULL), -i);
        cr_assert_eq(jit_call(caller.text, &call), i);
        jit_unmap(&constant);
        jit_unmap(&caller);
    }
}

Test(plat, names_exported_functions_only)
{
    char text[64] = "?";
    struct jit_unit unit;

    brolga__plat_symbol((uintptr_t)&pthread_create, text, sizeof text);
    cr_assert(strstr(text, "pthread_create") != NULL, "%s", text);
    cr_assert(jit_make_constant(&unit, 1));
    brolga__plat_symbol((uintptr_t)unit.text, text, sizeof text);
    cr_assert_str_eq(text, "");
    jit_unmap(&unit);
}

Test(plat, an_unknown_image_is_nowhere)
{
    uintptr_t low = 1, high = 2;

    cr_assert_not(brolga__plat_image("/no/such/image.so", &low, &high));
    cr_assert_eq(low, 1);
    cr_assert_eq(high, 2);
}

#ifndef CRITERION_STAND_IN
Test(plat, a_guard_traps, .signal = SIGSEGV)
{
    size_t page = brolga__plat_page_bytes();
    volatile unsigned char *at = brolga__plat_reserve(2 * page);

    /* AddressSanitizer would turn the signal into an exit. */
    (void)signal(SIGSEGV, SIG_DFL);
    cr_assert(brolga__plat_guard((void *)at, page));
    at[page] = 1;
    at[page - 1] = 1;
}
#endif
