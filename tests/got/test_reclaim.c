/*
 * Goal: a retired unit is released exactly once, and only when no version maps
 * to it, no stack holds an address in it, no pin is or was made meanwhile, and
 * one more grace period has passed (C5).
 * Method: each condition alone keeps a unit, then goes; at the end a long run
 * of random steps, in which no unit may be released that a list of all that is
 * in use still names.
 */
#include "got/world.h"

/* A retired unit: its slot has other code now. */
static brolga_unit *retired(brolga_word value)
{
    brolga_unit *unit = published("m", "f", INT_FN, value);

    (void)published("m", "f", INT_FN, value + 1);
    return unit;
}

static void step(void)
{
    brolga_epoch_quiesce(member);
    (void)brolga__got_reclaim(got);
}

Test(reclaim, c5_a_unit_is_released_once_when_nothing_holds_it,
     .init = world_open, .fini = world_close)
{
    (void)retired(1);
    cr_assert_eq(jit_releases(&units[0]), 0);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    cr_assert_eq(jit_releases(&units[1]), 0);
    cr_assert_eq(stats().units_reclaimed, 1);
    cr_assert_eq(stats().units_retired, 0);
    cr_assert_eq(stats().retired_bytes, 0);
    cr_assert_eq(stats().versions_live, 1);
}

Test(reclaim, c5_an_unannounced_reader_keeps_version_and_unit,
     .init = world_open, .fini = world_close)
{
    (void)retired(1);
    for (int i = 0; i < 10; i++)
        cr_assert(brolga__got_reclaim(got));
    cr_assert_eq(jit_releases(&units[0]), 0);
    cr_assert_eq(stats().versions_live, 3);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
}

Test(reclaim, c5_every_retired_version_counts_not_only_the_last,
     .init = world_open, .fini = world_close)
{
    struct brolga__version *old;

    (void)published("m", "f", INT_FN, 1);
    old = brolga__load_relaxed(&got->current);
    brolga__version_hold(old);
    (void)published("m", "g", INT_FN, 2); /* Maps to unit 0 as well. */
    (void)published("m", "f", INT_FN, 3);
    reclaimed();
    cr_assert_eq(stats().versions_live, 2); /* The held and the current. */
    cr_assert_eq(jit_releases(&units[0]), 0);
    brolga__version_unhold(old);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
}

Test(reclaim, c5_a_unit_lives_as_long_as_any_of_its_slots, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    struct jit_unit *code = made(7);
    brolga_unit *unit = staged(txn, code);

    (void)defined(txn, unit, "m", "f", INT_FN);
    (void)defined(txn, unit, "m", "g", INT_FN);
    committed(txn);
    (void)published("m", "f", INT_FN, 8); /* It keeps g. */
    reclaimed();
    cr_assert_eq(jit_releases(code), 0);
    cr_assert_eq(stats().units_live, 2);
    cr_assert_eq(called_by_name("m", "g"), 7);
    (void)published("m", "g", INT_FN, 9);
    reclaimed();
    cr_assert_eq(jit_releases(code), 1);
    cr_assert_eq(stats().units_live, 2);
}

Test(reclaim, c5_an_address_on_a_stack_keeps_the_unit, .init = world_open,
     .fini = world_close)
{
    brolga_unit *unit = retired(1);

    stack.words[3] = unit->high - 1;
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    cr_assert_eq(unit->state, BROLGA__UNIT_SUSPECT);
    cr_assert(brolga__got_reclaim(got)); /* Something waits. */
    stack.words[3] = unit->high;         /* The byte behind it. */
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
}

Test(reclaim, c5_a_stack_that_cannot_be_read_counts_as_holding,
     .init = world_open, .fini = world_close)
{
    uint64_t round;

    (void)retired(1);
    stack.hidden = true;
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    round = brolga__epoch_round(epoch);
    (void)brolga__got_reclaim(got);
    /* It is asked to look at itself. */
    cr_assert_gt(brolga__epoch_round(epoch), round);
    stack.hidden = false;
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
}

Test(reclaim, a_clean_stack_is_not_looked_at_again, .init = world_open,
     .fini = world_close)
{
    (void)retired(1);
    reclaimed();
    cr_assert_eq(stack.looks, 1);
    (void)published("m", "f", INT_FN, 5);
    reclaimed();
    cr_assert_eq(stack.looks, 2);
    reclaimed();
    cr_assert_eq(stack.looks, 2);
}

/* Units that were retired come to this state within a few steps. */
static void step_until_clean(const brolga_unit *unit)
{
    for (int i = 0; i < 10 && jit_releases(&units[0]) == 0; i++) {
        if (unit->state == BROLGA__UNIT_CLEAN)
            return;
        step();
    }
    cr_assert_fail("it was never clean");
}

Test(reclaim, c5_one_more_grace_period_passes_before_the_release,
     .init = world_open, .fini = world_close)
{
    brolga_unit *unit = retired(1);

    step_until_clean(unit);
    for (int i = 0; i < 5; i++)
        (void)brolga__got_reclaim(got);
    cr_assert_eq(jit_releases(&units[0]), 0);
    step();
    cr_assert_eq(jit_releases(&units[0]), 1);
}

Test(reclaim, c5_a_pin_in_the_last_grace_period_keeps_the_unit,
     .init = world_open, .fini = world_close)
{
    brolga_unit *unit = retired(1);

    step_until_clean(unit);
    brolga_unit_pin(unit);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    brolga_unit_unpin(unit);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
}

/* A second stack, which a look may not reach. */
static bool second_hidden;
static uint64_t second_watermark;

static void look_at_both(void *arg, const struct brolga__suspects *set)
{
    stack_look(arg, set);
    if (second_watermark >= set->stamp)
        return;
    if (second_hidden)
        brolga__reclaim_unseen(got, second_watermark);
    else
        second_watermark = set->stamp;
}

/*
 * A frame on the second stack makes a closure and returns; the closure is
 * called on the first stack, which was found clean before, and dropped while
 * it runs. The pins are zero before and after.
 */
Test(reclaim, c5_a_pin_made_and_dropped_meanwhile_is_noticed,
     .init = world_open, .fini = world_close)
{
    brolga_unit *unit = retired(1);

    got->stacks.look = look_at_both;
    second_hidden = true;
    second_watermark = 0;
    reclaimed();
    cr_assert_eq(unit->state, BROLGA__UNIT_SUSPECT);
    brolga_unit_pin(unit);
    stack.words[0] = unit->low + 4;
    brolga_unit_unpin(unit);
    second_hidden = false;
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    stack.words[0] = 0;
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
}

/* --- removed slots ------------------------------------------------------ */

/* Units 0 and 1 import each other's function; both modules are emptied. */
static void retire_a_cycle(void)
{
    brolga_txn *txn = begun();
    brolga_unit *a = staged(txn, made(1)), *b = staged(txn, made(2));

    (void)imported(txn, a, "b", "g", INT_FN);
    (void)imported(txn, b, "a", "f", INT_FN);
    (void)defined(txn, a, "a", "f", INT_FN);
    (void)defined(txn, b, "b", "g", INT_FN);
    committed(txn);
    txn = begun();
    cr_assert_eq(brolga_txn_replace(txn, "a"), BROLGA_OK);
    cr_assert_eq(brolga_txn_replace(txn, "b"), BROLGA_OK);
    committed(txn);
    cr_assert_eq(stats().units_retired, 2);
    cr_assert_eq(stats().slots, 2);
}

Test(reclaim, a_cycle_of_removed_slots_is_reclaimed, .init = world_open,
     .fini = world_close)
{
    retire_a_cycle();
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    cr_assert_eq(jit_releases(&units[1]), 1);
    cr_assert_eq(stats().slots, 0);
}

Test(reclaim, a_frame_in_one_of_a_cycle_keeps_both, .init = world_open,
     .fini = world_close)
{
    retire_a_cycle();
    stack.words[0] = (uintptr_t)units[1].text;
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    cr_assert_eq(jit_releases(&units[1]), 0);
    stack.words[0] = 0;
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    cr_assert_eq(jit_releases(&units[1]), 1);
}

Test(reclaim, a_pin_on_one_of_a_cycle_keeps_both, .init = world_open,
     .fini = world_close)
{
    brolga_unit *pinned;

    retire_a_cycle();
    pinned = brolga_got_pin_address(got, units[0].text);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    cr_assert_eq(jit_releases(&units[1]), 0);
    brolga_unit_unpin(pinned);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    cr_assert_eq(jit_releases(&units[1]), 1);
}

Test(reclaim, a_live_importer_keeps_the_removed_code, .init = world_open,
     .fini = world_close)
{
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    (void)published_user("user", "main", "m", "f", &f);
    emptied("m", true);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    cr_assert_eq(called(f), 1);
    emptied("user", false);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    cr_assert_eq(jit_releases(&units[1]), 1);
    cr_assert_eq(stats().slots, 0);
}

Test(reclaim, a_unit_that_imports_its_own_removed_slot_is_reclaimed,
     .init = world_open, .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(1));

    (void)imported(txn, unit, "m", "f", INT_FN);
    (void)defined(txn, unit, "m", "f", INT_FN);
    committed(txn);
    emptied("m", false);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    cr_assert_eq(stats().slots, 0);
}

/* The versions in between still lead to the code that an importer kept. */
Test(reclaim, c5_a_removed_slot_that_comes_back_leaves_old_views_their_code,
     .init = world_open, .fini = world_close)
{
    struct brolga__version *old;
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    (void)published_user("user", "main", "m", "f", &f);
    emptied("m", true);
    old = brolga__load_relaxed(&got->current);
    brolga__version_hold(old);
    (void)published("m", "f", INT_FN, 2);
    cr_assert_eq(called(f), 2);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    cr_assert_eq(jit_call(old->slots[f], NULL), 1);
    brolga__version_unhold(old);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
}

/* Whom the next look at the stacks pins, as a task does that makes a closure
 * and leaves the unit: no stack shows it then. */
static brolga_unit *pinned_by_look;

static void look_and_pin(void *arg, const struct brolga__suspects *set)
{
    if (pinned_by_look != NULL)
        brolga_unit_pin(pinned_by_look);
    pinned_by_look = NULL;
    stack_look(arg, set);
}

Test(reclaim, c5_a_suspect_that_is_pinned_meanwhile_keeps_what_it_imports,
     .init = world_open, .fini = world_close)
{
    brolga_unit *user;
    brolga_slot f;
    brolga_txn *txn;

    (void)published("m", "f", INT_FN, 1);
    user = published_user("user", "main", "m", "f", &f);
    txn = begun();
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    cr_assert_eq(brolga_txn_replace(txn, "user"), BROLGA_OK);
    committed(txn);
    got->stacks.look = look_and_pin;
    pinned_by_look = user;
    reclaimed();
    cr_assert_null(pinned_by_look);
    cr_assert_eq(jit_releases(&units[0]), 0);
    cr_assert_eq(jit_releases(&units[1]), 0);
    cr_assert_eq(called(f), 1);
    brolga_unit_unpin(user);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    cr_assert_eq(jit_releases(&units[1]), 1);
}

/* --- reports and want of memory ----------------------------------------- */

static char told[256];

static void tell(void *arg, const char *unit, uint64_t version,
                 uint64_t after_ns)
{
    size_t used = strlen(told);

    (void)arg;
    (void)after_ns;
    (void)snprintf(told + used, sizeof told - used, "%s v%d;",
                   unit != NULL ? unit : "adopted", (int)version);
}

Test(reclaim, adoption_and_release_are_told, .init = world_open,
     .fini = world_close)
{
    told[0] = '\0';
    got->stacks.event = tell;
    (void)published("m", "f", INT_FN, 1);
    (void)brolga__got_reclaim(got);
    cr_assert_str_eq(told, "");
    reclaimed();
    cr_assert_str_eq(told, "adopted v2;");
    (void)published("m", "f", INT_FN, 2);
    reclaimed();
    cr_assert_str_eq(told, "adopted v2;adopted v3;unit0 v2;");
}

Test(reclaim, nothing_waits_when_all_is_reclaimed, .init = world_open,
     .fini = world_close)
{
    (void)retired(1);
    cr_assert(brolga__got_reclaim(got));
    reclaimed();
    cr_assert_not(brolga__got_reclaim(got));
}

Test(reclaim, want_of_memory_only_delays, .init = world_open,
     .fini = world_close)
{
    brolga_unit *unit = retired(1);

    for (int i = 0; i < 10; i++) {
        brolga_epoch_quiesce(member);
        brolga__alloc_fail_nth(1);
        cr_assert(brolga__got_reclaim(got));
        brolga__alloc_fail_nth(0);
        cr_assert_eq(unit->state, BROLGA__UNIT_RETIRED);
    }
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
}

/* --- random steps ------------------------------------------------------- */

#define SYMBOLS 4
#define PLAN    200 /* Units. */

/* What the run uses: by unit, so that releases can be checked against it. */
static struct {
    int mapped[SYMBOLS];       /* The unit behind each symbol. */
    int viewed[SYMBOLS];       /* In the version that is held, or -1. */
    int on_stack[STACK_WORDS]; /* The unit of each word, or -1. */
    int pinned[PLAN];          /* Pins of each unit. */
    brolga_unit *unit[PLAN];
    struct brolga__version *held;
} use;

static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static bool in_use(int unit)
{
    bool used = use.pinned[unit] > 0;

    for (int i = 0; i < SYMBOLS; i++)
        used |= use.mapped[i] == unit ||
                (use.held != NULL && use.viewed[i] == unit);
    for (int i = 0; i < STACK_WORDS; i++)
        used |= use.on_stack[i] == unit;
    return used;
}

static void check_releases(void)
{
    for (unsigned i = 0; i < units_made; i++)
        cr_assert(jit_releases(&units[i]) == 0 || !in_use((int)i),
                  "unit %u was released in use\n", i);
}

static void random_commit(void)
{
    char symbol[] = "f0";
    int at = (int)random_below(SYMBOLS), unit = (int)units_made;

    if (stats().versions_live >= 8)
        return;
    symbol[1] = (char)('0' + at);
    use.unit[unit] = published("m", symbol, INT_FN, unit);
    use.mapped[at] = unit;
}

/* Code can be entered through the current version, the held one, or a pin. */
static int random_entry(void)
{
    int unit = (int)random_below(units_made);

    if (use.pinned[unit] > 0)
        return unit;
    if (use.held != NULL && random_below(2) == 0)
        return use.viewed[random_below(SYMBOLS)];
    return use.mapped[random_below(SYMBOLS)];
}

static void random_frame(void)
{
    uint32_t at = random_below(STACK_WORDS);
    int unit = random_entry();

    if (random_below(3) > 0 || unit < 0) {
        use.on_stack[at] = -1;
        stack.words[at] = 0;
        return;
    }
    use.on_stack[at] = unit;
    stack.words[at] = use.unit[unit]->low + random_below(4096);
}

static void random_pin(void)
{
    int unit = random_entry();

    if (unit >= 0 && random_below(2) == 0) {
        brolga_unit_pin(use.unit[unit]);
        use.pinned[unit]++;
        return;
    }
    for (int i = 0; i < (int)units_made; i++)
        if (use.pinned[i] > 0) {
            brolga_unit_unpin(use.unit[i]);
            use.pinned[i]--;
            return;
        }
}

static void random_hold(void)
{
    if (use.held != NULL) {
        brolga__version_unhold(use.held);
        use.held = NULL;
        return;
    }
    use.held = brolga__load_relaxed(&got->current);
    brolga__version_hold(use.held);
    memcpy(use.viewed, use.mapped, sizeof use.viewed);
}

static void random_step(void)
{
    switch (random_below(12)) {
    case 0:
        random_commit();
        break;
    case 1:
    case 2:
    case 3:
        random_frame();
        break;
    case 4:
    case 5:
        random_pin();
        break;
    case 6:
        random_hold();
        break;
    case 7:
        stack.hidden = !stack.hidden;
        break;
    default:
        step();
        break;
    }
}

static void run_random(uint32_t first_seed)
{
    seed = first_seed;
    memset(&use, 0, sizeof use);
    for (int i = 0; i < SYMBOLS; i++)
        use.mapped[i] = use.viewed[i] = -1;
    for (int i = 0; i < STACK_WORDS; i++)
        use.on_stack[i] = -1;
    for (int at = 0; at < SYMBOLS; at++) {
        char symbol[] = {'f', (char)('0' + at), '\0'};

        use.mapped[at] = (int)units_made;
        use.unit[at] = published("m", symbol, INT_FN, at);
    }
    for (int i = 0; i < 3000 && units_made < PLAN; i++) {
        random_step();
        check_releases();
    }
    if (use.held != NULL)
        brolga__version_unhold(use.held);
    memset(stack.words, 0, sizeof stack.words);
    stack.hidden = false;
    for (unsigned i = 0; i < units_made; i++)
        while (use.pinned[i]-- > 0)
            brolga_unit_unpin(use.unit[i]);
    for (int i = 0; i < 5; i++)
        reclaimed();
    cr_assert_eq(stats().units_retired, 0);
    cr_assert_eq(stats().units_reclaimed, units_made - SYMBOLS);
}

Test(reclaim, c5_no_unit_in_use_is_released_in_random_runs, .timeout = 60)
{
    for (uint32_t i = 1; i <= 10; i++) {
        world_open();
        run_random(i);
        world_close();
    }
}
