/*
 * Goal: the search of a stack finds every word that lies in a suspect, and no
 * other.
 * Method: sets made by hand, words at and around the edges of their ranges.
 */
#include "got/world.h"

/* Room for a set of three. */
static union {
    struct brolga__suspects set;
    unsigned char room[sizeof(struct brolga__suspects) +
                       3 * sizeof(struct brolga__range)];
} made_set;
static struct brolga__suspects *const set = &made_set.set;

static void make_set(void)
{
    memset(&made_set, 0, sizeof made_set);
    set->count = 3;
    set->range[0] = (struct brolga__range){0x1000, 0x2000, 1};
    set->range[1] = (struct brolga__range){0x2000, 0x2100, 1};
    set->range[2] = (struct brolga__range){0x9000, 0x9001, 1};
    set->low = 0x1000;
    set->high = 0x9001;
}

static struct brolga__found scan_words(const uintptr_t *from,
                                       const uintptr_t *to)
{
    struct brolga__found found = {0};

    brolga__suspects_scan(set, (uintptr_t)from, (uintptr_t)to, &found);
    return found;
}

/* The suspect that a word lies in, or -1. */
static int scan(uintptr_t word)
{
    const uintptr_t words[3] = {0, word, 1};
    struct brolga__found found = scan_words(words, words + 3);

    return found.count == 0 ? -1 : (int)found.suspect[0];
}

Test(suspects, edges_of_ranges, .init = make_set)
{
    cr_assert_eq(scan(0xfff), -1);
    cr_assert_eq(scan(0x1000), 0);
    cr_assert_eq(scan(0x1fff), 0);
    cr_assert_eq(scan(0x2000), 1);
    cr_assert_eq(scan(0x20ff), 1);
    cr_assert_eq(scan(0x2100), -1);
    cr_assert_eq(scan(0x8fff), -1);
    cr_assert_eq(scan(0x9000), 2);
    cr_assert_eq(scan(0x9001), -1);
    cr_assert_eq(scan(UINTPTR_MAX), -1);
}

Test(suspects, the_first_word_in_each_suspect_is_reported, .init = make_set)
{
    const uintptr_t words[] = {5, 0x1234, 7, 0x9000, 0x1235, 0x9000, 0x1000};
    struct brolga__found found = scan_words(words, words + 7);

    cr_assert_eq(found.count, 2);
    cr_assert_not(found.more);
    cr_assert_eq(found.suspect[0], 0);
    cr_assert_eq(found.address[0], 0x1234);
    cr_assert_eq(found.suspect[1], 2);
    cr_assert_eq(found.address[1], 0x9000);
}

/* A host may stage the same code twice; then a stack holds both units. */
Test(suspects, an_address_in_two_suspects_holds_both, .init = make_set)
{
    const uintptr_t words[] = {0x1f00};
    struct brolga__found found;

    set->range[1].low = 0x1e00;
    set->overlap = true;
    found = scan_words(words, words + 1);
    cr_assert_eq(found.count, 2);
    cr_assert_eq(found.suspect[0], 0);
    cr_assert_eq(found.suspect[1], 1);
}

Test(suspects, only_the_given_words_are_read, .init = make_set)
{
    const uintptr_t words[] = {0x1000, 0, 0, 0x9000};
    struct brolga__found found = {0};

    cr_assert_eq(scan_words(words + 1, words + 3).count, 0);
    cr_assert_eq(scan_words(words, words).count, 0);
    /* A stack pointer between two words: the word below it counts too. */
    brolga__suspects_scan(set, (uintptr_t)words + 1, (uintptr_t)(words + 2),
                          &found);
    cr_assert_eq(found.count, 1);
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

/* Many at once: as many as a second of reloads may leave behind. */
Test(suspects, hundreds_of_units_are_reclaimed_in_one_look, .init = world_open,
     .fini = world_close)
{
    int count = 300;
    brolga_txn *txn = begun();
    char symbol[16];

    for (int i = 0; i < count; i++) {
        (void)snprintf(symbol, sizeof symbol, "f%d", i);
        (void)defined(txn, staged(txn, made(i)), "m", symbol, INT_FN);
    }
    committed(txn);
    emptied("m", false);
    cr_assert_eq(stats().units_retired, (uint32_t)count);
    stack.looks = 0;
    reclaimed();
    cr_assert_eq(stack.looks, 1);
    cr_assert_eq(stats().units_retired, 0);
    cr_assert_eq(stats().units_reclaimed, (uint64_t)count);
}

/* Nobody knows which ones a stack holds that holds more than can be named: so
 * it holds all. */
Test(suspects, c5_a_stack_with_too_many_suspects_holds_all, .init = world_open,
     .fini = world_close)
{
    int count = BROLGA__FOUND_MAX + 4;
    brolga_txn *txn = begun();
    char symbol[16];

    for (int i = 0; i < count; i++) {
        (void)snprintf(symbol, sizeof symbol, "f%d", i);
        (void)defined(txn, staged(txn, made(i)), "m", symbol, INT_FN);
    }
    committed(txn);
    emptied("m", false);
    for (int i = 0; i < STACK_WORDS; i++)
        stack.words[i] = (uintptr_t)units[i].text;
    reclaimed();
    cr_assert_eq(stats().units_retired, (uint32_t)count);
    memset(stack.words, 0, sizeof stack.words);
    reclaimed();
    cr_assert_eq(stats().units_retired, 0);
}
