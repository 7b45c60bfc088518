/*
 * Units made of blocks: who is told of them, and that this is taken back.
 *
 * Those who are told stand in the order in which it can be undone: frames, the
 * debugger, and last the profiler, whose file nothing is taken out of. All of
 * it is before the unit is staged, hence before it can be published; and it is
 * withdrawn by the unit's end, which the reclaimer reaches once nobody can run
 * in it any more, and an abort at once.
 */
#include "code/code.h"

#include "alloc.h"

#include <stdio.h>
#include <string.h>

/* --- the functions of a block ------------------------------------------- */

static bool lies_in(const struct brolga__block *block, size_t offset,
                    size_t bytes)
{
    return offset <= block->public.bytes &&
           bytes <= block->public.bytes - offset;
}

static bool functions_lie_in(const struct brolga__block *block,
                             const struct brolga_code_unit_opts *opts)
{
    for (size_t i = 0; i < opts->function_count; i++)
        if (opts->functions[i].name == NULL ||
            !lies_in(block, opts->functions[i].offset,
                     opts->functions[i].bytes))
            return false;
    return true;
}

static size_t text_bytes(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

/* Copies a text to where `*to` leads, and leads it on. */
static const char *copy_text(const char *text, char **to)
{
    char *at = *to;

    if (text == NULL)
        return NULL;
    memcpy(at, text, text_bytes(text));
    *to += text_bytes(text);
    return at;
}

/* One piece of memory: the functions, then their texts. */
static int copy_functions(struct brolga__block *block,
                          const struct brolga_code_unit_opts *opts)
{
    size_t count = opts->function_count;
    size_t bytes = count * sizeof *block->functions;
    char *text;

    if (count == 0)
        return BROLGA_OK;
    for (size_t i = 0; i < count; i++)
        bytes += text_bytes(opts->functions[i].name) +
                 text_bytes(opts->functions[i].file);
    block->functions = brolga__alloc(bytes);
    if (block->functions == NULL)
        return BROLGA_ENOMEM;
    block->function_count = count;
    text = (char *)(block->functions + count);
    for (size_t i = 0; i < count; i++) {
        block->functions[i] = opts->functions[i];
        block->functions[i].name = copy_text(opts->functions[i].name, &text);
        block->functions[i].file = copy_text(opts->functions[i].file, &text);
    }
    return BROLGA_OK;
}

static void forget_functions(struct brolga__block *block)
{
    brolga__free(block->functions);
    block->functions = NULL;
    block->function_count = 0;
}

static void describe(void *arg, const void *address, char *text, size_t bytes)
{
    const struct brolga__block *block = arg;
    size_t at = (uintptr_t)address - (uintptr_t)block->public.run;

    (void)snprintf(text, bytes, "%s", "");
    for (size_t i = 0; i < block->function_count; i++) {
        const struct brolga_code_function *function = &block->functions[i];

        if (at < function->offset || at - function->offset >= function->bytes)
            continue;
        if (function->file != NULL)
            (void)snprintf(text, bytes, "%s (%s:%d)", function->name,
                           function->file, function->line);
        else
            (void)snprintf(text, bytes, "%s", function->name);
        return;
    }
}

/* --- who is told -------------------------------------------------------- */

static int add_frames(struct brolga__block *block,
                      const struct brolga_code_unit_opts *opts)
{
    const char *section = (const char *)block->public.run + opts->frames_offset;
    struct brolga__frames frames = {section, brolga__frames_each};

    if (opts->frames_bytes == 0)
        return BROLGA_OK;
    if (!lies_in(block, opts->frames_offset, opts->frames_bytes) ||
        opts->frames_offset % 8 != 0 ||
        !brolga__frames_valid(section, opts->frames_bytes))
        return BROLGA_EINVAL;
    if (!brolga__plat_frames_add(&frames))
        return BROLGA_ENOTSUP;
    block->frames = frames;
    block->frames_bytes = opts->frames_bytes;
    return BROLGA_OK;
}

static void remove_frames(struct brolga__block *block)
{
    if (block->frames.section != NULL)
        brolga__plat_frames_remove(&block->frames);
    block->frames.section = NULL;
    block->frames_bytes = 0;
}

static void withdraw(struct brolga__block *block)
{
    brolga__debugger_remove(block);
    remove_frames(block);
}

static int tell_all(struct brolga__block *block,
                    const struct brolga_code_unit_opts *opts)
{
    const struct brolga_code_opts *wanted = &block->code->opts;
    int err = add_frames(block, opts);

    if (err == BROLGA_OK && wanted->debugger)
        err = brolga__debugger_add(block, opts->object, opts->object_bytes);
    if (err == BROLGA_OK)
        err = brolga__profiler_add(block, opts->name);
    return err;
}

/* --- the unit ----------------------------------------------------------- */

static void end(struct brolga__unit_end *end)
{
    withdraw(brolga__container_of(end, struct brolga__block, end));
}

static void release(void *arg)
{
    struct brolga__block *block = arg;

    if (block->release != NULL)
        block->release(block->arg);
    forget_functions(block);
    brolga__block_free(block);
}

static int stage(brolga_txn *txn, struct brolga__block *block,
                 const struct brolga_code_unit_opts *opts, brolga_unit **out)
{
    struct brolga_unit_opts unit = {.name = opts->name,
                                    .text = block->public.run,
                                    .text_bytes = block->public.bytes,
                                    .policy = opts->policy,
                                    .release = release,
                                    .describe = describe,
                                    .arg = block};

    return brolga_txn_unit(txn, &unit, out);
}

int brolga_code_unit(brolga_txn *txn, struct brolga_code_block *public,
                     const struct brolga_code_unit_opts *opts,
                     brolga_unit **out)
{
    struct brolga__block *block = brolga__block_of(public);
    brolga_unit *unit;
    int err;

    if (block->state != BROLGA__BLOCK_SEALED)
        return BROLGA_ESTATE;
    if (!functions_lie_in(block, opts))
        return BROLGA_EINVAL;
    err = copy_functions(block, opts);
    if (err == BROLGA_OK)
        err = tell_all(block, opts);
    if (err == BROLGA_OK)
        err = stage(txn, block, opts, &unit);
    if (err != BROLGA_OK) {
        withdraw(block);
        forget_functions(block);
        return err;
    }
    block->state = BROLGA__BLOCK_STAGED;
    block->release = opts->release;
    block->arg = opts->arg;
    block->end.fn = end;
    brolga__unit_at_end(unit, &block->end);
    *out = unit;
    return BROLGA_OK;
}
