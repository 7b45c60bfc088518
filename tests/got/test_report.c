/*
 * Goal: a refusal has a word, and says to programs what does not fit with what.
 * Method: one refusal of each kind that the GOT gives by itself, and texts that
 * must be escaped or cut.
 */
#include "got/world.h"

static char json[8192];

static void refuse(brolga_txn *txn, struct brolga_report *report)
{
    cr_assert_eq(brolga_txn_commit(txn, report), BROLGA_EREFUSED);
    cr_assert_lt(brolga_report_json(report, json, sizeof json), sizeof json);
}

static void says(const char *part)
{
    cr_assert_not_null(strstr(json, part), "%s not in %s\n", part, json);
}

Test(report, a_success_is_no_refusal, .init = world_open, .fini = world_close)
{
    struct brolga_report report;
    brolga_txn *txn = begun();

    (void)defined(txn, staged(txn, made(1)), "m", "f", INT_FN);
    cr_assert_eq(brolga_txn_commit(txn, &report), BROLGA_OK);
    (void)brolga_report_json(&report, json, sizeof json);
    says("{\"refusal\":null,\"version\":2,\"commit_ns\":");
    cr_assert_null(strstr(json, "conflicts"));
}

Test(report, an_import_names_what_it_wants, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(1));

    (void)imported(txn, unit, "m", "nowhere", INT_FN);
    refuse(txn, &report);
    says("\"refusal\":\"import\"");
    says("\"conflicts\":[{\"importer\":\"unit0\",\"where\":\"here.c:7\","
         "\"module\":\"m\",\"symbol\":\"nowhere\","
         "\"signature\":\"(Fn [Int] Int)\"}]");
}

Test(report, a_signature_comes_with_the_other_one, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;
    brolga_unit *unit;
    brolga_txn *txn;

    (void)published("m", "f", "old", 1);
    txn = begun();
    unit = staged(txn, made(2));
    (void)imported(txn, unit, "m", "f", INT_FN);
    refuse(txn, &report);
    says("\"refusal\":\"signature\"");
    says("\"signature\":\"(Fn [Int] Int)\",\"defined\":\"old\"");
}

Test(report, importers_are_listed_and_the_rest_counted, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;
    brolga_slot slot;
    brolga_txn *txn;

    (void)published("m", "f", INT_FN, 1);
    for (int i = 0; i < BROLGA_CONFLICTS_MAX + 2; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "u%d", i);
        (void)published_user(name, "g", "m", "f", &slot);
        brolga_epoch_quiesce(member);
    }
    cr_assert_eq(brolga__slot_enter(got, slot), BROLGA_OK);
    txn = begun();
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    refuse(txn, &report);
    brolga__slot_leave(got, slot);
    says("\"refusal\":\"importers\"");
    says("\"conflicts_count\":11");
    says("{\"importer\":\"unit1\",\"module\":\"m\",\"symbol\":\"f\"");
    cr_assert_eq(report.conflicts, BROLGA_CONFLICTS_MAX + 3);
}

Test(report, a_duplicate_is_named, .init = world_open, .fini = world_close)
{
    struct brolga_report report;
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(1));

    (void)defined(txn, unit, "m", "f", INT_FN);
    (void)defined(txn, unit, "m", "f", "other");
    refuse(txn, &report);
    says("\"refusal\":\"duplicate\"");
    says("\"symbol\":\"f\"");
}

Test(report, every_refusal_has_a_word)
{
    cr_assert_str_eq(brolga_refusal_name(BROLGA_REFUSED_NOT), "");
    for (int i = BROLGA_REFUSED_DUPLICATE; i <= BROLGA_REFUSED_HEADER; i++) {
        const char *name = brolga_refusal_name((enum brolga_refusal)i);

        cr_assert_neq(name[0], '\0', "%d\n", i);
        for (int j = BROLGA_REFUSED_DUPLICATE; j < i; j++)
            cr_assert_neq(
                strcmp(name, brolga_refusal_name((enum brolga_refusal)j)), 0);
    }
    cr_assert_str_eq(brolga_refusal_name((enum brolga_refusal)999), "");
}

Test(report, text_is_escaped_and_cut)
{
    struct brolga_report report = {.refusal = BROLGA_REFUSED_BARRIER,
                                   .text = "say \"x\\y\"\n",
                                   .task = 7,
                                   .task_name = "t",
                                   .function = "f (a.c:1)",
                                   .waited_ns = 5};
    char small[16];
    size_t length = brolga_report_json(&report, json, sizeof json);

    cr_assert_str_eq(json, "{\"refusal\":\"barrier\","
                           "\"text\":\"say \\\"x\\\\y\\\"\\n\","
                           "\"waited_ns\":5,\"task\":7,\"task_name\":\"t\","
                           "\"function\":\"f (a.c:1)\"}");
    cr_assert_eq(length, strlen(json));
    cr_assert_eq(brolga_report_json(&report, small, sizeof small), length);
    cr_assert_eq(strlen(small), sizeof small - 1);
    cr_assert_eq(strncmp(small, json, sizeof small - 1), 0);
    cr_assert_eq(brolga_report_json(&report, NULL, 0), length);
}
