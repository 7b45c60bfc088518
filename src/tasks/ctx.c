/* Contexts: the part in C. The switch itself is in ctx_<cpu>.S. */
#include "tasks/ctx.h"

#include "base.h"
#include "plat.h"

#include <string.h>

#ifdef BROLGA__ASAN
#include <sanitizer/asan_interface.h>
#endif

/* In assembly: the frame below every entry function. */
extern const char brolga__ctx_start[];
/* In assembly: words that swap() loads, and where it finds which. */
extern const size_t brolga__ctx_frame_words;
extern const size_t brolga__ctx_entry_word;
extern const size_t brolga__ctx_arg_word;
extern const size_t brolga__ctx_start_word;

void brolga__ctx_aim(struct brolga__ctx *ctx, uintptr_t high,
                     brolga__ctx_entry *entry, void *arg)
{
    /* One spare word pair on top, so that the start frame's caller reads as
     * zero to unwinders. */
    uintptr_t *frame =
        (uintptr_t *)(high - 4 * sizeof(uintptr_t)) - brolga__ctx_frame_words;

#ifdef BROLGA__ASAN
    /* The stack's previous user left its red zones behind. */
    ASAN_UNPOISON_MEMORY_REGION((void *)ctx->low, high - ctx->low);
#endif
    for (uintptr_t *word = frame; word < (uintptr_t *)high; word++)
        *word = 0;
    frame[brolga__ctx_entry_word] = (uintptr_t)entry;
    frame[brolga__ctx_arg_word] = (uintptr_t)arg;
    frame[brolga__ctx_start_word] = (uintptr_t)brolga__ctx_start;
    ctx->sp = (uintptr_t)frame;
}

void brolga__ctx_init(struct brolga__ctx *ctx, uintptr_t low, uintptr_t high,
                      brolga__ctx_entry *entry, void *arg)
{
    ctx->low = low;
    ctx->high = high;
#ifdef BROLGA__ASAN
    ctx->fake_stack = NULL;
#endif
    brolga__ctx_aim(ctx, high, entry, arg);
#ifdef BROLGA__TSAN
    ctx->fiber = __tsan_create_fiber(0);
#endif
}

void brolga__ctx_init_thread(struct brolga__ctx *ctx)
{
    memset(ctx, 0, sizeof *ctx);
    brolga__plat_thread_stack(&ctx->low, &ctx->high);
#ifdef BROLGA__TSAN
    ctx->fiber = __tsan_get_current_fiber();
#endif
}

void brolga__ctx_fini(struct brolga__ctx *ctx)
{
#ifdef BROLGA__TSAN
    __tsan_destroy_fiber(ctx->fiber);
#endif
    ctx->sp = 0;
}
