/*
 * Goal: the search of a stack finds every word that lies in a suspect, and no
 * other.
 * Method: sets made by hand, words at and around the edges of their ranges.
 */
#include "got/world.h"

static struct brolga__suspects set;

static void make_set(void)
{
    memset(&set, 0, sizeof set);
    set.count = 3;
    set.range[0] = (struct brolga__range){0x1000, 0x2000, 1, 2};
    set.range[1] = (struct brolga__range){0x2000, 0x2100, 1, 0};
    set.range[2] = (struct brolga__range){0x9000, 0x9001, 1, 63};
    set.low = 0x1000;
    set.high = 0x9001;
}

static uint64_t scan(uintptr_t word)
{
    const uintptr_t words[3] = {0, word, 1};

    return brolga__suspects_scan(&set, (uintptr_t)words, (uintptr_t)(words + 3),
                                 NULL, NULL);
}

Test(suspects, edges_of_ranges, .init = make_set)
{
    cr_assert_eq(scan(0xfff), 0);
    cr_assert_eq(scan(0x1000), 1u << 2);
    cr_assert_eq(scan(0x1fff), 1u << 2);
    cr_assert_eq(scan(0x2000), 1u << 0);
    cr_assert_eq(scan(0x20ff), 1u << 0);
    cr_assert_eq(scan(0x2100), 0);
    cr_assert_eq(scan(0x8fff), 0);
    cr_assert_eq(scan(0x9000), UINT64_C(1) << 63);
    cr_assert_eq(scan(0x9001), 0);
    cr_assert_eq(scan(UINTPTR_MAX), 0);
}

struct finding {
    int count;
    uint32_t bit[4];
    uintptr_t address[4];
};

static void keep(void *arg, uint32_t bit, uintptr_t address)
{
    struct finding *finding = arg;

    cr_assert_lt(finding->count, 4);
    finding->bit[finding->count] = bit;
    finding->address[finding->count++] = address;
}

Test(suspects, the_first_word_in_each_suspect_is_reported, .init = make_set)
{
    const uintptr_t words[] = {5, 0x1234, 7, 0x9000, 0x1235, 0x9000, 0x1000};
    struct finding finding = {0};
    uint64_t bits = brolga__suspects_scan(
        &set, (uintptr_t)words, (uintptr_t)(words + 7), keep, &finding);

    cr_assert_eq(bits, UINT64_C(1) << 63 | 1u << 2);
    cr_assert_eq(finding.count, 2);
    cr_assert_eq(finding.bit[0], 2);
    cr_assert_eq(finding.address[0], 0x1234);
    cr_assert_eq(finding.bit[1], 63);
    cr_assert_eq(finding.address[1], 0x9000);
}

Test(suspects, only_the_given_words_are_read, .init = make_set)
{
    const uintptr_t words[] = {0x1000, 0, 0, 0x9000};

    cr_assert_eq(brolga__suspects_scan(&set, (uintptr_t)(words + 1),
                                       (uintptr_t)(words + 3), NULL, NULL),
                 0);
    cr_assert_eq(brolga__suspects_scan(&set, (uintptr_t)words, (uintptr_t)words,
                                       NULL, NULL),
                 0);
    /* A stack pointer between two words: the word below it counts too. */
    cr_assert_eq(brolga__suspects_scan(&set, (uintptr_t)words + 1,
                                       (uintptr_t)(words + 2), NULL, NULL),
                 1u << 2);
}

Test(suspects, nothing_is_published_while_nothing_is_suspect,
     .init = world_open, .fini = world_close)
{
    cr_assert_null(brolga__suspects_current(got));
    cr_assert_eq(brolga__suspects_publish(got), BROLGA_OK);
    cr_assert_null(brolga__suspects_current(got));
}

/* A unit that is retired, held by the pretended stack. */
static void retire_one(int i)
{
    char symbol[16];

    (void)snprintf(symbol, sizeof symbol, "f%d", i);
    (void)published("m", symbol, INT_FN, i);
}

Test(suspects, a_set_is_sorted_and_has_the_units_ranges, .init = world_open,
     .fini = world_close)
{
    const struct brolga__suspects *current;

    for (int i = 0; i < 5; i++) {
        retire_one(i);
        stack.words[i] = (uintptr_t)units[i].text;
        brolga_epoch_quiesce(member);
        (void)brolga__got_reclaim(got);
    }
    emptied("m", false);
    reclaimed();
    current = brolga__suspects_current(got);
    cr_assert_not_null(current);
    cr_assert_eq(current->count, 5);
    for (uint32_t i = 1; i < current->count; i++)
        cr_assert_leq(current->range[i - 1].high, current->range[i].low);
    cr_assert_eq(current->low, current->range[0].low);
    cr_assert_eq(current->high, current->range[4].high);
    memset(stack.words, 0, sizeof stack.words);
    reclaimed();
    cr_assert_null(brolga__suspects_current(got));
    cr_assert_eq(stats().units_reclaimed, 5);
}

Test(suspects, more_units_than_a_set_holds_are_reclaimed_in_turns,
     .init = world_open, .fini = world_close)
{
    int count = BROLGA__SUSPECTS_MAX + 20;
    brolga_txn *txn = begun();
    char symbol[16];

    for (int i = 0; i < count; i++) {
        (void)snprintf(symbol, sizeof symbol, "f%d", i);
        (void)defined(txn, staged(txn, made(i)), "m", symbol, INT_FN);
    }
    committed(txn);
    emptied("m", false);
    cr_assert_eq(stats().units_retired, (uint32_t)count);
    for (int i = 0; i < 20; i++) {
        const struct brolga__suspects *current;

        brolga_epoch_quiesce(member);
        (void)brolga__got_reclaim(got);
        current = brolga__suspects_current(got);
        cr_assert(current == NULL || current->count <= BROLGA__SUSPECTS_MAX);
    }
    cr_assert_eq(stats().units_retired, 0);
    cr_assert_eq(stats().units_reclaimed, (uint64_t)count);
}
