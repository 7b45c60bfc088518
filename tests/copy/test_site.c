/*
 * Goal: sites do what site.h promises: modes that only go down, counts, a list
 * of those that were used, explanations; and a site that checks in vain copies,
 * but looks again.
 * Method: the calls that channels make, on values of the host of host.h.
 */
#include "host.h"

#include "copy/copy.h"

#include <brolga/site.h>
#include <stdio.h>

static void exact_host(struct host *h)
{
    struct brolga_model model = brolga_model_cranelisp();

    model.exact_counts = true;
    host_start(h, model);
}

/* --- modes -------------------------------------------------------------- */

Test(site, a_zeroed_site_copies)
{
    static struct brolga_site site;

    cr_assert_eq(brolga_site_mode(&site), BROLGA_COPY);
    cr_assert_eq(brolga_site_demote(&site, BROLGA_MOVE, "no"), BROLGA_COPY);
    cr_assert_null(brolga__site_reason(&site));
}

Test(site, a_mode_only_goes_down)
{
    static struct brolga_site site = {.mode = BROLGA_MOVE};

    cr_assert_eq(brolga_site_demote(&site, BROLGA_MOVE, "same"), BROLGA_MOVE);
    cr_assert_null(brolga__site_reason(&site));
    cr_assert_eq(brolga_site_demote(&site, BROLGA_CHECK, "one"), BROLGA_CHECK);
    cr_assert_eq(brolga_site_demote(&site, BROLGA_MOVE, "up"), BROLGA_CHECK);
    cr_assert_str_eq(brolga__site_reason(&site), "one");
    cr_assert_eq(brolga_site_demote(&site, BROLGA_COPY, NULL), BROLGA_COPY);
    cr_assert_str_eq(brolga__site_reason(&site), "one");
}

Test(site, the_least_of_site_channel_and_model_counts)
{
    static struct brolga_site moves = {.mode = BROLGA_MOVE};
    static struct brolga_site checks = {.mode = BROLGA_CHECK};
    const brolga_type *type;
    struct host h;

    exact_host(&h);
    type = host_type(&h, "(List Int)");
    cr_assert_eq(brolga__site_begin(&moves, type, BROLGA_MOVE), BROLGA_MOVE);
    cr_assert_eq(brolga__site_begin(&moves, type, BROLGA_CHECK), BROLGA_CHECK);
    cr_assert_eq(brolga__site_begin(&checks, type, BROLGA_MOVE), BROLGA_CHECK);
    cr_assert_eq(brolga__site_begin(&checks, type, BROLGA_COPY), BROLGA_COPY);
    cr_assert_eq(brolga__site_begin(NULL, type, BROLGA_CHECK), BROLGA_CHECK);
    host_stop(&h);
    host_start(&h, brolga_model_cranelisp()); /* Its counts do not tell. */
    type = host_type(&h, "(List Int)");
    cr_assert_eq(brolga__site_begin(&moves, type, BROLGA_MOVE), BROLGA_MOVE);
    cr_assert_eq(brolga__site_begin(&checks, type, BROLGA_MOVE), BROLGA_COPY);
    host_stop(&h);
    brolga_sites_forget(&moves, sizeof(moves));
    brolga_sites_forget(&checks, sizeof(checks));
}

/* --- checks in vain ----------------------------------------------------- */

/* One value at the site; whether it was checked. */
static bool send_one(struct host *h, struct brolga_site *site, bool is_shared)
{
    const brolga_type *type = host_type(h, "(List Int)");
    brolga_word list = host_cons(h, 1, 0), mine = 0;
    enum brolga_mode how = brolga__site_begin(site, type, BROLGA_MOVE);

    if (is_shared)
        mine = host_share(h, list);
    if (how == BROLGA_CHECK)
        cr_assert_eq(brolga__site_check(site, type, &list, NULL), BROLGA_OK);
    brolga__site_sent(site, how);
    brolga_drop_word(type, list);
    if (is_shared)
        brolga_drop_word(type, mine);
    return how == BROLGA_CHECK;
}

Test(site, sixteen_checks_in_vain_end_them_for_a_while)
{
    static struct brolga_site site = {.mode = BROLGA_CHECK};
    struct brolga_site_stats stats;
    unsigned checked = 0;
    struct host h;

    exact_host(&h);
    for (int i = 0; i < 15; i++)
        cr_assert(send_one(&h, &site, true));
    cr_assert(send_one(&h, &site, false)); /* Not in a row. */
    for (int i = 0; i < 16; i++)
        cr_assert(send_one(&h, &site, true));
    cr_assert(brolga__site_has_given_up(&site));
    for (int i = 0; i < 650; i++)
        checked += send_one(&h, &site, true);
    cr_assert_eq(checked, 10);
    while (!send_one(&h, &site, false)) /* Ends: one in 65 is checked. */
        ;
    cr_assert_not(brolga__site_has_given_up(&site));
    cr_assert(send_one(&h, &site, false));
    brolga_site_stats(&site, &stats);
    cr_assert_eq(stats.in_vain, 15 + 16 + 10);
    cr_assert_eq(stats.replaced, 15 + 16 + 10);
    cr_assert_eq(stats.kept, 3);
    cr_assert_eq(stats.kept_bytes, 3 * 40);
    brolga_sites_forget(&site, sizeof(site));
    host_stop(&h);
}

/* --- the list ----------------------------------------------------------- */

struct seen {
    const struct brolga_site *site[4];
    size_t count;
};

static void see(void *arg, const struct brolga_site *site)
{
    struct seen *seen = arg;

    if (seen->count < 4)
        seen->site[seen->count] = site;
    seen->count++;
}

Test(site, those_that_were_used_are_listed_until_they_are_forgotten)
{
    static struct brolga_site sites[3];
    struct seen seen = {.count = 0};

    cr_assert_eq(brolga_sites_each(see, &seen), 0);
    brolga__site_list(&sites[0], NULL);
    brolga__site_list(&sites[2], NULL);
    brolga__site_list(&sites[2], NULL);
    cr_assert_eq(brolga_sites_each(see, &seen), 2);
    cr_assert_eq(seen.count, 2);
    cr_assert_eq(seen.site[0], &sites[2]);
    cr_assert_eq(seen.site[1], &sites[0]);
    brolga_sites_forget(&sites[1], sizeof(sites[1]));
    cr_assert_eq(brolga_sites_each(see, &seen), 2);
    brolga_sites_forget(&sites[0], 2 * sizeof(sites[0]));
    seen.count = 0;
    cr_assert_eq(brolga_sites_each(see, &seen), 1);
    cr_assert_eq(seen.site[0], &sites[2]);
    brolga__site_list(&sites[0], NULL); /* The memory was mapped again. */
    cr_assert_eq(brolga_sites_each(see, &seen), 2);
    brolga_sites_forget(sites, sizeof(sites));
    cr_assert_eq(brolga_sites_each(see, &seen), 0);
}

/* --- explanations ------------------------------------------------------- */

Test(site, it_explains_what_it_sends_and_why_it_does_not_move)
{
    static struct brolga_site site = {
        .name = "results", .file = "work.cl", .line = 12, .mode = BROLGA_MOVE};
    char text[600];
    struct host h;

    exact_host(&h);
    brolga_site_explain(&site, text, sizeof(text));
    cr_assert_str_eq(text, "work.cl:12: 'results' has the mode move\n"
                           "  sent 0: 0 moved, 0 checked, 0 copied; refused 0, "
                           "handed back 0\n");
    (void)brolga_site_demote(&site, BROLGA_CHECK, "'xs' used again: L15");
    cr_assert(send_one(&h, &site, true));
    cr_assert(send_one(&h, &site, false));
    brolga__site_refused(&site);
    brolga__site_returned(&site);
    brolga_site_explain(&site, text, sizeof(text));
    cr_assert_str_eq(
        text, "work.cl:12: 'results' has the mode check, sends (List Int)\n"
              "  sent 2: 0 moved, 2 checked, 0 copied; refused 1, "
              "handed back 1\n"
              "  checks kept 1 objects, 40 bytes, and copied 1 shared parts\n"
              "  copied 40 bytes\n"
              "  no move: 'xs' used again: L15\n");
    brolga_site_explain(&site, text, 20);
    cr_assert_str_eq(text, "work.cl:12: 'result");
    brolga_sites_forget(&site, sizeof(site));
    host_stop(&h);
}

Test(site, json_is_whole_or_empty)
{
    static struct brolga_site site = {
        .name = "a \"b\"\\\n", .mode = BROLGA_CHECK, .reason = "\xc3\xa4"};
    char text[600];
    size_t needed;

    brolga__site_list(&site, NULL);
    brolga_site_json(&site, text, sizeof(text));
    cr_assert_str_eq(
        text,
        "{\"name\":\"a \\\"b\\\"\\\\\\n\",\"file\":\"\",\"line\":0,"
        "\"type\":\"words\",\"mode\":\"check\",\"reason\":\"\xc3\xa4\","
        "\"moved\":0,\"checked\":0,\"copied\":0,\"kept\":0,\"kept_bytes\":0,"
        "\"replaced\":0,\"copied_bytes\":0,\"in_vain\":0,\"refused\":0,"
        "\"returned\":0}");
    needed = strlen(text) + 1;
    for (size_t bytes = 1; bytes < needed; bytes++) {
        brolga_site_json(&site, text, bytes);
        cr_assert_str_eq(text, "");
    }
    brolga_site_json(&site, text, needed + 1);
    cr_assert_eq(strlen(text), needed - 1);
    brolga_sites_forget(&site, sizeof(site));
}
