/*
 * Characters to tokens, and errors with their place. The text ends with NUL;
 * a comment runs from ';' to the end of its line.
 */
#include "copy/copy.h"

#include <stdio.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

static bool ends_symbol(char c)
{
    return c == '\0' || is_space(c) || strchr("()[]:;\"", c) != NULL;
}

static void skip_blank(struct brolga__parser *p)
{
    bool in_comment = false;

    for (;; p->next++) {
        char c = p->text[p->next];

        if (c == '\0')
            return;
        if (in_comment)
            in_comment = c != '\n';
        else if (c == ';')
            in_comment = true;
        else if (!is_space(c))
            return;
    }
}

static enum brolga__token punctuation(char c)
{
    switch (c) {
    case '\0':
        return BROLGA__END;
    case '(':
        return BROLGA__OPEN;
    case ')':
        return BROLGA__CLOSE;
    case '[':
        return BROLGA__OPEN_BRACKET;
    case ']':
        return BROLGA__CLOSE_BRACKET;
    case ':':
        return BROLGA__COLON;
    case '"':
        return BROLGA__DOC;
    default:
        return BROLGA__SYMBOL;
    }
}

/* From behind one quote to behind the other, or to the end. */
static size_t doc_end(const char *text, size_t at)
{
    while (text[at] != '\0' && text[at] != '"')
        at += text[at] == '\\' && text[at + 1] != '\0' ? 2 : 1;
    return text[at] == '"' ? at + 1 : at;
}

void brolga__parser_advance(struct brolga__parser *p)
{
    skip_blank(p);
    p->offset = p->next;
    p->token = punctuation(p->text[p->next]);
    if (p->token == BROLGA__END)
        return;
    p->next++;
    if (p->token == BROLGA__DOC)
        p->next = doc_end(p->text, p->next);
    if (p->token == BROLGA__SYMBOL)
        while (!ends_symbol(p->text[p->next]))
            p->next++;
    p->bytes = p->next - p->offset;
}

void brolga__parser_init(struct brolga__parser *p, brolga_types *types,
                         const char *text, struct brolga_type_error *error)
{
    *p = (struct brolga__parser){.types = types, .text = text, .error = error};
    brolga__parser_advance(p);
}

bool brolga__parser_is(const struct brolga__parser *p, const char *symbol)
{
    return p->token == BROLGA__SYMBOL && strlen(symbol) == p->bytes &&
           memcmp(p->text + p->offset, symbol, p->bytes) == 0;
}

const char *brolga__parser_show(const struct brolga__parser *p, char text[48])
{
    if (p->token == BROLGA__END)
        return "the end of the text";
    (void)snprintf(text, 48, "'%.*s'", (int)(p->bytes > 40 ? 40 : p->bytes),
                   p->text + p->offset);
    return text;
}

int brolga__parser_fail(struct brolga__parser *p, int code, size_t offset,
                        const char *format, ...)
{
    struct brolga_type_error *error = p->error;
    va_list args;

    if (error == NULL)
        return code;
    *error = (struct brolga_type_error){
        .code = code, .offset = offset, .line = 1, .column = 1};
    for (size_t i = 0; i < offset; i++) {
        error->column++;
        if (p->text[i] == '\n') {
            error->line++;
            error->column = 1;
        }
    }
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return code;
}
