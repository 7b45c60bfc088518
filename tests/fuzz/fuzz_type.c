/*
 * Goal: no text crashes the reader of types, errors point into the text, and
 * what was read can be written and read again.
 * Method: the input, up to the first NUL, is tried as a type, as definitions,
 * and as the name of a struct, against one registry that lives for the input.
 */
#include <brolga/copy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void fail(const char *what, const char *text)
{
    fprintf(stderr, "fuzz_type: %s: %s\n", what, text);
    abort();
}

static void check_error(const char *text, int err,
                        const struct brolga_type_error *error)
{
    if (err == BROLGA_OK)
        return;
    if (error->code != err || error->offset > strlen(text) ||
        error->line == 0 || error->column == 0 || error->text[0] == '\0')
        fail("an error without a place or a text", text);
}

static void check_type(brolga_types *types, const char *text)
{
    struct brolga_type_error error = {0};
    const brolga_type *type = NULL, *again = NULL;
    int err = brolga_type_parse(types, text, &type, &error);

    check_error(text, err, &error);
    if ((err == BROLGA_OK) != (type != NULL))
        fail("a result without success, or the reverse", text);
    if (type == NULL)
        return;
    if (brolga_type_parse(types, brolga_type_name(type), &again, NULL) !=
            BROLGA_OK ||
        again != type)
        fail("a name that does not read back", brolga_type_name(type));
}

static void check_definitions(brolga_types *types, const char *text)
{
    struct brolga_type_error error = {0};
    int err = brolga_types_define(types, text, &error);

    check_error(text, err, &error);
    if (err == BROLGA_OK && brolga_types_define(types, text, NULL) != BROLGA_OK)
        fail("the same definition is refused", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    /* Uses of what an input is likely to define. */
    static const char *const uses[] = {
        "T", "(T Int)", "(T Int Bool)", "(List (T (Vec Int)))", "A", "B"};
    struct brolga_model model = bytes % 2 == 0 ? brolga_model_cranelisp()
                                               : brolga_model_cranelisp_later();
    const brolga_type *type;
    brolga_types *types;
    char *text = malloc(bytes + 1);

    if (text == NULL || brolga_types_create(&model, &types) != BROLGA_OK)
        abort();
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    check_type(types, text);
    check_definitions(types, text);
    check_type(types, text);
    (void)!brolga_type_struct(types, text, 8, 8, &type);
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
        check_type(types, uses[i]);
    brolga_types_destroy(types);
    free(text);
    return 0;
}
