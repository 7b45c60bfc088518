/*
 * Goal: Cranelisp's notation is understood, everything else is refused with a
 * place and a hint, and a refused text changes nothing.
 * Method: tables of texts, each with what must come of it.
 */
#include "host.h"

static void start(struct host *h)
{
    host_start(h, brolga_model_cranelisp());
    host_define(h, "(deftype (Pair a b) (Pair [:a x :b y]))");
}

Test(parse, a_type_reads_back_as_it_is_written)
{
    static const char *const texts[] = {
        "Int",
        "Bool",
        "Float",
        "String",
        "(Vec Int)",
        "(List (Option String))",
        "(IO (Vec Bool))",
        "(Fn [] Int)",
        "(Fn [Int] Bool)",
        "(Fn [Int (Vec Int)] (IO Int))",
        "(Fn [(Fn [Int] Int) (Vec Int)] (IO (Vec Int)))",
        "(Pair Int (Pair (Fn [] Int) String))",
    };
    struct host h;

    start(&h);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_assert_str_eq(brolga_type_name(host_type(&h, texts[i])), texts[i]);
    host_stop(&h);
}

Test(parse, blanks_and_comments_do_not_matter)
{
    struct host h;

    start(&h);
    cr_assert_eq(host_type(&h, " ( List\n ;; of numbers\n\tInt ) ; end"),
                 host_type(&h, "(List Int)"));
    cr_assert_eq(host_type(&h, "(Int)"), host_type(&h, "Int"));
    host_define(&h, "; nothing here\n");
    host_define(&h, "(deftype (Chan a) (ChanRef [:Int chan-word]))");
    host_define(&h, "(deftype Unit (Unit))(deftype One (One []))");
    cr_assert(brolga_type_is_plain(host_type(&h, "Unit")));
    cr_assert(brolga_type_is_plain(host_type(&h, "One")));
    host_stop(&h);
}

/* A definition is refused where it differs from one that is there. */
Test(parse, a_product_is_a_type_whose_one_constructor_has_its_name)
{
    struct host h;

    start(&h);
    host_define(&h, "(deftype Point [:Int x :Int y])");
    host_define(&h, "(deftype Point (Point [:Int x :Int y]))");
    host_define(&h, "(deftype (Both a b) [:a one :b other])");
    host_define(&h, "(deftype (Both a b) (Both [:a one :b other]))");
    cr_assert_eq(brolga_types_define(h.types, "(deftype Point [:Int x])", NULL),
                 BROLGA_EEXIST);
    cr_assert(!brolga_type_is_plain(host_type(&h, "(Both Point Int)")));
    host_stop(&h);
}

Test(parse, docstrings_say_nothing_about_a_type)
{
    struct host h;

    start(&h);
    host_define(&h, "(deftype Shape \"A \\\"shape\\\" (or not); see\"\n"
                    "  (Nothing \"no [fields]\") Dot\n"
                    "  (Circle \"round\" [:Int r]))");
    host_define(&h, "(deftype Shape Nothing Dot (Circle [:Int r]))");
    host_define(&h, "(deftype (Named a) \"of a name\" [:String name :a it])");
    host_define(&h, "(deftype (Named a) (Named [:String name :a it]))");
    host_stop(&h);
}

struct wrong {
    const char *text;
    int code;
    unsigned line, column;
    const char *hint; /* a part of the message */
};

static void expect_wrong(const struct wrong *w, int err,
                         const struct brolga_type_error *error)
{
    cr_assert_eq(err, w->code, "%s: %d\n", w->text, err);
    cr_assert_eq(error->code, w->code);
    cr_assert_eq(error->line, w->line, "%s: line %u\n", w->text, error->line);
    cr_assert_eq(error->column, w->column, "%s: column %u: %s\n", w->text,
                 error->column, error->text);
    cr_assert_leq(error->offset, strlen(w->text));
    cr_assert_not_null(strstr(error->text, w->hint), "%s: %s\n", w->text,
                       error->text);
}

Test(parse, a_wrong_type_is_refused_with_its_place_and_a_hint)
{
    static const struct wrong table[] = {
        {"", BROLGA_ETYPE, 1, 1, "the end of the text"},
        {"a", BROLGA_ETYPE, 1, 1, "type variable"},
        {"(List a)", BROLGA_ETYPE, 1, 7, "upper-case"},
        {"(List\n  Nope)", BROLGA_ETYPE, 2, 3, "define it"},
        {"(List)", BROLGA_ETYPE, 1, 2, "takes 1 type argument,"},
        {"(List Int Int)", BROLGA_ETYPE, 1, 2, "not 2"},
        {"List", BROLGA_ETYPE, 1, 1, "takes 1"},
        {"(Int", BROLGA_ETYPE, 1, 5, "a type must stand"},
        {"Int Int", BROLGA_ETYPE, 1, 5, "ends before"},
        {"Int)", BROLGA_ETYPE, 1, 4, "ends before"},
        {")", BROLGA_ETYPE, 1, 1, "a type must stand"},
        {"[Int]", BROLGA_ETYPE, 1, 1, "a type must stand"},
        {"()", BROLGA_ETYPE, 1, 2, "name of a type"},
        {"((Vec) Int)", BROLGA_ETYPE, 1, 2, "name of a type"},
        {"Fn", BROLGA_ETYPE, 1, 1, "(Fn [Int] Bool)"},
        {"(Fn Int Int)", BROLGA_ETYPE, 1, 5, "(Fn [Int] Bool)"},
        {"(Fn [Int])", BROLGA_ETYPE, 1, 10, "(Fn [Int] Bool)"},
        {"(Fn [Int) Int)", BROLGA_ETYPE, 1, 9, "(Fn [Int] Bool)"},
        {"(Fn [Int] Int Int)", BROLGA_ETYPE, 1, 15, "(Fn [Int] Bool)"},
        {"(Fn [[Int]] Int)", BROLGA_ETYPE, 1, 6, "a type must stand"},
        {":Int", BROLGA_ETYPE, 1, 1, "a type must stand"},
        {"\"Int\"", BROLGA_ETYPE, 1, 1, "a type must"},
        {"(Vec Point)", BROLGA_ETYPE, 1, 6, "plain struct"},
    };
    const brolga_type *point, *out = NULL;
    struct host h;

    start(&h);
    cr_assert_eq(brolga_type_struct(h.types, "Point", 12, 4, &point),
                 BROLGA_OK);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct brolga_type_error error = {0};
        int err = brolga_type_parse(h.types, table[i].text, &out, &error);

        expect_wrong(&table[i], err, &error);
        cr_assert_null(out);
        cr_assert_eq(brolga_type_parse(h.types, table[i].text, &out, NULL),
                     table[i].code);
    }
    host_stop(&h);
}

Test(parse, a_wrong_definition_is_refused_with_its_place_and_a_hint)
{
    static const struct wrong table[] = {
        {"x", BROLGA_ETYPE, 1, 1, "(deftype Name ...)"},
        {"(defn f)", BROLGA_ETYPE, 1, 2, "only deftype"},
        {"(deftype t A)", BROLGA_ETYPE, 1, 10, "upper-case"},
        {"(deftype T)", BROLGA_ETYPE, 1, 11, "at least one constructor"},
        {"(deftype T A", BROLGA_ETYPE, 1, 13, "constructor"},
        {"(deftype T A A)", BROLGA_ETYPE, 1, 14, "twice"},
        {"(deftype T [:Int x] A)", BROLGA_ETYPE, 1, 21, "one bracket"},
        {"(deftype T \"has no end)", BROLGA_ETYPE, 1, 24, "constructor"},
        {"(deftype \"too early\" T A)", BROLGA_ETYPE, 1, 10, "name"},
        {"(deftype T (A [:Int \"x\"]))", BROLGA_ETYPE, 1, 21, "name must"},
        {"(deftype (T A) B)", BROLGA_ETYPE, 1, 13, "lower case"},
        {"(deftype (T a a) B)", BROLGA_ETYPE, 1, 15, "differ"},
        {"(deftype T (A [x]))", BROLGA_ETYPE, 1, 16, "[:a x]"},
        {"(deftype (T a) (A [a x]))", BROLGA_ETYPE, 1, 20, "[:a x]"},
        {"(deftype T (A [:Int]))", BROLGA_ETYPE, 1, 20, "name must follow"},
        {"(deftype T (A [:a x]))", BROLGA_ETYPE, 1, 17, "declare it"},
        {"(deftype T (A [:Int x] [:Int y]))", BROLGA_ETYPE, 1, 24,
         "one bracket"},
        {"(deftype T (A [:Nope x]))", BROLGA_ETYPE, 1, 17, "unknown type"},
        {"(deftype T (A [:(T Int) x]))", BROLGA_ETYPE, 1, 18, "takes 0"},
        {"(deftype Fine F)\n(deftype T (A [:U x]))", BROLGA_ETYPE, 2, 17,
         "unknown type"},
        {"(deftype Int A)", BROLGA_EEXIST, 1, 10, "otherwise"},
        {"(deftype (Option a) None)", BROLGA_EEXIST, 1, 11, "otherwise"},
        {"(deftype D A)(deftype D B)", BROLGA_EEXIST, 1, 23, "otherwise"},
    };
    const brolga_type *out;
    struct host h;

    start(&h);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct brolga_type_error error = {0};
        int err = brolga_types_define(h.types, table[i].text, &error);

        expect_wrong(&table[i], err, &error);
        cr_assert_eq(brolga_type_parse(h.types, "T", &out, NULL), BROLGA_ETYPE);
        cr_assert_eq(brolga_type_parse(h.types, "Fine", &out, NULL),
                     BROLGA_ETYPE, "all of the forms, or none\n");
        cr_assert_eq(brolga_type_parse(h.types, "D", &out, NULL), BROLGA_ETYPE);
    }
    host_stop(&h);
}

Test(parse, text_that_nests_or_grows_without_end_is_refused)
{
    static char text[20000];
    const brolga_type *out = NULL;
    struct host h;

    start(&h);
    for (int i = 0; i < 3000; i++)
        strcat(text, "(Vec ");
    cr_assert_eq(brolga_type_parse(h.types, text, &out, NULL), BROLGA_ELIMIT);
    strcpy(text, "(Fn [");
    for (int i = 0; i < 3000; i++)
        strcat(text, "Int ");
    strcat(text, "] Int)");
    cr_assert_eq(brolga_type_parse(h.types, text, &out, NULL), BROLGA_ELIMIT);
    host_define(&h, "(deftype (Nest a) Stop (Go [:(Nest (Pair a a)) n]))"
                    "(deftype (Two a) (Two [:(Two (Vec a)) x"
                    "                       :(Two (List a)) y]))");
    cr_assert_eq(brolga_type_parse(h.types, "(Nest Int)", &out, NULL),
                 BROLGA_ELIMIT);
    cr_assert_eq(brolga_type_parse(h.types, "(Two Int)", &out, NULL),
                 BROLGA_ELIMIT);
    cr_assert_null(out);
    host_stop(&h);
}
