/*
 * Signatures: the text by which an import and an export are compared.
 *
 * The macros of module.h hand over a function's result type and parameter list
 * as they stand in the source. Two lists that differ only in spacing or in the
 * names of parameters mean the same function, so both are dropped:
 *
 *     int64_t, (const  char *line, bool(*keep)(int c))
 *     int64_t (const char *, bool (*)(int))
 *
 * One pass over the tokens is enough, nested lists included. A name, if there
 * is one, is the last identifier of its declarator; what follows it is `,` or
 * `)` or `[`. What precedes it tells a name from a type: at least one other
 * token of a type that is more than a qualifier or struct, union, enum.
 *
 * Types are compared as written: `long unsigned` is not `unsigned long`, and a
 * typedef is not what it stands for. That errs on the safe side.
 */
#include "reload/reload.h"

#include "alloc.h"

#include <string.h>

/* How a token reads for the one question: type or name? */
enum word {
    NOT_A_WORD, /* Punctuation. */
    QUALIFIER,  /* const and the like: says nothing about a type by itself. */
    TAG,        /* struct, union, enum: the next word is its tag. */
    TYPE,       /* A keyword that is a type, or a part of one. */
    IDENTIFIER
};

struct token {
    const char *at;
    size_t bytes;
    enum word word;
};

/* What is being written: never more than twice the input, see make(). */
struct writer {
    char *at;
    struct token last; /* .bytes == 0: nothing yet. */
};

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '$';
}

static bool is_one_of(const struct token *token, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strlen(*words) == token->bytes &&
            memcmp(*words, token->at, token->bytes) == 0)
            return true;
    return false;
}

static enum word classify(const struct token *token)
{
    static const char *const qualifiers[] = {
        "const",   "volatile",   "restrict",     "__restrict",
        "_Atomic", "__volatile", "__restrict__", NULL};
    static const char *const tags[] = {"struct", "union", "enum", NULL};
    static const char *const types[] = {
        "void",     "char",  "short",  "int",  "long",     "float", "double",
        "unsigned", "_Bool", "signed", "bool", "_Complex", NULL};

    if (!is_word_char(*token->at))
        return NOT_A_WORD;
    if (is_one_of(token, qualifiers))
        return QUALIFIER;
    if (is_one_of(token, tags))
        return TAG;
    return is_one_of(token, types) ? TYPE : IDENTIFIER;
}

/* Reads the token at `*text` and moves on; false at the end. */
static bool next_token(const char **text, struct token *out)
{
    const char *at = *text + strspn(*text, " \t\n\r\f\v");
    size_t bytes = 1;

    if (*at == '\0')
        return false;
    if (is_word_char(*at))
        while (is_word_char(at[bytes]))
            bytes++;
    else if (strncmp(at, "...", 3) == 0)
        bytes = 3;
    *out = (struct token){.at = at, .bytes = bytes};
    out->word = classify(out);
    *text = at + bytes;
    return true;
}

/* Whether canonical spacing has a blank between two tokens. */
static bool is_spaced(const struct token *left, const struct token *right)
{
    if (left->bytes == 0)
        return false;
    if (*left->at == ',')
        return true;
    return left->word != NOT_A_WORD && (right->word != NOT_A_WORD ||
                                        *right->at == '*' || *right->at == '(');
}

static void write_token(struct writer *writer, const struct token *token)
{
    if (is_spaced(&writer->last, token))
        *writer->at++ = ' ';
    memcpy(writer->at, token->at, token->bytes);
    writer->at += token->bytes;
    writer->last = *token;
}

/* The two spellings of one type. */
static void unify(struct token *token)
{
    if (token->bytes == 5 && memcmp(token->at, "_Bool", 5) == 0) {
        token->at = "bool";
        token->bytes = 4;
    }
}

/*
 * The words of the declarator that is being read. `held` is an identifier that
 * has not been written yet, because it may turn out to be a name.
 */
struct declarator {
    bool has_type; /* A type stands before `held`. */
    bool after_tag;
    struct token held;
};

static void flush(struct declarator *decl, struct writer *writer)
{
    if (decl->held.bytes != 0) {
        write_token(writer, &decl->held);
        decl->has_type = true;
    }
    decl->held.bytes = 0;
}

/* An identifier: the tag of a struct, the type if there was none, or else
 * possibly a name, which is held back. */
static void take_identifier(struct declarator *decl, struct writer *writer,
                            const struct token *token)
{
    flush(decl, writer);
    if (decl->after_tag || !decl->has_type) {
        write_token(writer, token);
        decl->has_type = true;
        decl->after_tag = false;
        return;
    }
    decl->held = *token;
}

static void take(struct declarator *decl, struct writer *writer,
                 const struct token *token)
{
    bool ends = *token->at == ',' || *token->at == ')' || *token->at == '[';

    if (token->word == IDENTIFIER) {
        take_identifier(decl, writer, token);
        return;
    }
    if (ends)
        decl->held.bytes = 0; /* It was a name. */
    flush(decl, writer);
    write_token(writer, token);
    if (*token->at == ',' || *token->at == '(')
        *decl = (struct declarator){0};
    else if (token->word == TYPE || *token->at == '*' || *token->at == ')')
        decl->has_type = true; /* `(*f)`: a star makes f a name. */
    if (token->word == TAG)
        decl->after_tag = true;
}

/* Writes the tokens of `text`; with `names`, identifiers after a type too. */
static void write_tokens(struct writer *writer, const char *text, bool names)
{
    struct declarator decl = {0};
    struct token token;

    /* Each turn consumes a token. */
    while (next_token(&text, &token)) {
        unify(&token);
        if (names)
            write_token(writer, &token);
        else
            take(&decl, writer, &token);
    }
}

static bool is_empty_list(const char *params)
{
    struct token token;

    return next_token(&params, &token) && *token.at == '(' &&
           next_token(&params, &token) && *token.at == ')';
}

int brolga__signature_make(const char *result, const char *params, char **out)
{
    struct writer writer = {0};
    /* A token is at least one byte and brings at most one blank. */
    size_t bytes = 2 * (strlen(result) + strlen(params)) + sizeof "(void)";
    char *text = brolga__alloc(bytes);

    if (text == NULL)
        return BROLGA_ENOMEM;
    writer.at = text;
    write_tokens(&writer, result, true);
    write_tokens(&writer, is_empty_list(params) ? "(void)" : params, false);
    *writer.at = '\0';
    brolga__assert((size_t)(writer.at - text) < bytes);
    *out = text;
    return BROLGA_OK;
}
