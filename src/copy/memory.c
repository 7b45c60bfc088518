/*
 * Where objects come from and where they go.
 *
 * A model has a callback that makes whole objects, or an allocator of blocks,
 * or neither but the presets' own callbacks. Those are recognised: then the
 * loops of copy and drop take blocks from alloc.h without a call through a
 * pointer, and count them when they are done (struct brolga__tally). If a test
 * lets a request fail, every object goes the long way, where it can; in debug
 * builds the short way can fail, too.
 *
 * Both presets have a header of two words, size and count, in front of the
 * fields. They differ in where a value points: behind the header or at it.
 */
#include "copy/copy.h"

#include <string.h>

#define HEADER_BYTES 16

/* --- the presets' callbacks --------------------------------------------- */

/* A header with its fields behind it, or NULL. */
static brolga_word *make_ours(int64_t payload_bytes)
{
    brolga_word *header;

    if (payload_bytes < 0 || payload_bytes > INT64_MAX - HEADER_BYTES)
        return NULL;
    header = brolga__value_alloc((size_t)payload_bytes + HEADER_BYTES);
    if (header != NULL) {
        header[0] = payload_bytes + HEADER_BYTES;
        header[1] = 1;
    }
    return header;
}

static void free_ours(brolga_word *header)
{
    brolga__value_free(header, (size_t)header[0]);
}

brolga_word brolga__alloc_to_fields(int64_t payload_bytes, void *arg)
{
    brolga_word *header = make_ours(payload_bytes);

    (void)arg;
    return header == NULL ? 0 : (brolga_word)(uintptr_t)(header + 2);
}

void brolga__free_from_fields(brolga_word value, void *arg)
{
    (void)arg;
    free_ours(brolga__word_at(value, -HEADER_BYTES));
}

brolga_word brolga__alloc_to_header(int64_t payload_bytes, void *arg)
{
    (void)arg;
    return (brolga_word)(uintptr_t)make_ours(payload_bytes);
}

void brolga__free_from_header(brolga_word value, void *arg)
{
    (void)arg;
    free_ours(brolga__word_at(value, 0));
}

/* Nobody says how long a buffer is when it is freed, so it tells itself. */
void *brolga__alloc_buffer(int64_t bytes, void *arg)
{
    size_t block_bytes = (size_t)bytes + HEADER_BYTES;
    brolga_word *block;

    (void)arg;
    if (bytes < 0 || bytes > INT64_MAX - HEADER_BYTES)
        return NULL;
    block = brolga__value_alloc(block_bytes);
    if (block == NULL)
        return NULL;
    block[0] = (brolga_word)block_bytes;
    return block + HEADER_BYTES / 8;
}

void brolga__free_buffer(void *buffer, void *arg)
{
    (void)arg;
    if (buffer != NULL)
        free_ours((brolga_word *)buffer - HEADER_BYTES / 8);
}

/* --- whose memory it is ------------------------------------------------- */

/* Whether the preset's callbacks make and free the model's objects. */
static bool is_ours(const struct brolga_model *m)
{
    bool to_fields = m->alloc == brolga__alloc_to_fields &&
                     (m->free == NULL || m->free == brolga__free_from_fields);
    bool to_header = m->alloc == brolga__alloc_to_header &&
                     (m->free == NULL || m->free == brolga__free_from_header);

    if (!m->has_size || m->count_at != m->size_at + 8 ||
        m->fields_at != m->size_at + HEADER_BYTES)
        return false;
    return (to_fields && m->fields_at == 0) || (to_header && m->size_at == 0);
}

void brolga__heap_init(struct brolga__heap *heap,
                       const struct brolga_model *model)
{
    bool preset_buffers = model->buffer_alloc == brolga__alloc_buffer &&
                          model->buffer_free == brolga__free_buffer;

    heap->model = model;
    heap->base_at = brolga__base_at(model);
    heap->header_bytes = model->fields_at - heap->base_at;
    heap->buffers = BROLGA__FROM_HOST;
    if (model->allocator != NULL) {
        heap->source = BROLGA__FROM_ALLOCATOR;
        heap->frees = model->allocator->free != NULL;
        if (preset_buffers)
            heap->buffers = BROLGA__FROM_ALLOCATOR;
        return;
    }
    heap->source = is_ours(model) ? BROLGA__FROM_US : BROLGA__FROM_HOST;
    heap->frees = model->free != NULL;
}

/* --- objects one by one ------------------------------------------------- */

static void *block_make(const struct brolga_allocator *a, size_t bytes)
{
    return a->alloc(bytes, a->arg);
}

static void block_free(const struct brolga_allocator *a, void *block,
                       size_t bytes)
{
    if (a->free != NULL)
        a->free(block, bytes, a->arg);
}

brolga_word brolga__object_make(const struct brolga__heap *heap,
                                int64_t payload_bytes)
{
    const struct brolga_model *model = heap->model;
    size_t bytes = (size_t)payload_bytes + (size_t)heap->header_bytes;
    void *block;

    if (payload_bytes < 0 || payload_bytes > INT64_MAX - heap->header_bytes)
        return 0;
    if (heap->source != BROLGA__FROM_ALLOCATOR)
        return model->alloc(payload_bytes, model->arg);
    block = block_make(model->allocator, bytes);
    if (block == NULL)
        return 0;
    memset(block, 0, (size_t)heap->header_bytes);
    return brolga__object_init(heap, block, bytes);
}

void brolga__object_free(const struct brolga__heap *heap, brolga_word value)
{
    const struct brolga_model *model = heap->model;
    size_t bytes = 0;

    if (!heap->frees)
        return;
    if (heap->source != BROLGA__FROM_ALLOCATOR) {
        model->free(value, model->arg);
        return;
    }
    if (model->has_size)
        bytes = (size_t)*brolga__word_at(value, model->size_at);
    block_free(model->allocator, brolga__word_at(value, heap->base_at), bytes);
}

void *brolga__buffer_make(const struct brolga__heap *heap, int64_t bytes)
{
    const struct brolga_model *model = heap->model;

    if (heap->buffers == BROLGA__FROM_ALLOCATOR)
        return block_make(model->allocator, (size_t)bytes);
    return model->buffer_alloc(bytes, model->arg);
}

void brolga__buffer_free(const struct brolga__heap *heap, brolga_word data)
{
    const struct brolga_model *model = heap->model;
    void *buffer = (void *)brolga__word_at(data, 0);

    if (heap->buffers == BROLGA__FROM_ALLOCATOR)
        block_free(model->allocator, buffer, 0);
    else
        model->buffer_free(buffer, model->arg);
}

/* --- many at once ------------------------------------------------------- */

void brolga__tally_begin(struct brolga__tally *tally,
                         const struct brolga__heap *heap)
{
    bool is_long_way = brolga__alloc_will_fail();

#ifdef BROLGA_DEBUG
    is_long_way = false;
#endif
    *tally =
        (struct brolga__tally){.is_ours = heap->source == BROLGA__FROM_US &&
                                          heap->frees && !is_long_way,
                               .mine = brolga__value_heap()};
}

void brolga__tally_end(const struct brolga__tally *tally)
{
    if (tally->is_ours)
        brolga__value_count(tally->blocks, tally->made_bytes,
                            tally->freed_bytes);
}

/* --- for hosts ---------------------------------------------------------- */

const char *brolga_allocator_name(void)
{
    return brolga__value_allocator();
}

brolga_word brolga_object_make(const brolga_types *types, int64_t payload_bytes)
{
    return brolga__object_make(&types->heap, payload_bytes);
}

void brolga_object_free(const brolga_types *types, brolga_word value)
{
    brolga__object_free(&types->heap, value);
}
