/* Contexts: the part in C. The switch itself is in ctx_<cpu>.S. */
#include "tasks/ctx.h"

#include "base.h"
#include "plat.h"

#include <string.h>

#ifdef BROLGA__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef BROLGA__TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* In assembly: saves the registers and the stack pointer, goes to another. */
void brolga__ctx_swap(uintptr_t *save, uintptr_t load);
/* In assembly: the frame below every entry function. */
extern const char brolga__ctx_start[];
/* In assembly: words that swap() loads, and where it finds which. */
extern const size_t brolga__ctx_frame_words;
extern const size_t brolga__ctx_entry_word;
extern const size_t brolga__ctx_arg_word;
extern const size_t brolga__ctx_start_word;

void brolga__ctx_aim(struct brolga__ctx *ctx, uintptr_t high,
                     void (*entry)(void *arg), void *arg)
{
    /* One spare word pair on top, so that the start frame's caller reads as
     * zero to unwinders. */
    uintptr_t *frame =
        (uintptr_t *)(high - 4 * sizeof(uintptr_t)) - brolga__ctx_frame_words;

#ifdef BROLGA__ASAN
    /* The stack's previous user left its red zones behind. */
    ASAN_UNPOISON_MEMORY_REGION((void *)ctx->low, high - ctx->low);
#endif
    memset(frame, 0, high - (uintptr_t)frame);
    frame[brolga__ctx_entry_word] = (uintptr_t)entry;
    frame[brolga__ctx_arg_word] = (uintptr_t)arg;
    frame[brolga__ctx_start_word] = (uintptr_t)brolga__ctx_start;
    ctx->sp = (uintptr_t)frame;
}

void brolga__ctx_init(struct brolga__ctx *ctx, uintptr_t low, uintptr_t high,
                      void (*entry)(void *arg), void *arg)
{
    ctx->low = low;
    ctx->high = high;
    ctx->fake_stack = NULL;
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

void brolga__ctx_switch(struct brolga__ctx *from, struct brolga__ctx *to,
                        bool for_ever)
{
#ifdef BROLGA__ASAN
    __sanitizer_start_switch_fiber(for_ever ? NULL : &from->fake_stack,
                                   (const void *)to->low, to->high - to->low);
#endif
#ifdef BROLGA__TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    (void)for_ever;
    brolga__ctx_swap(&from->sp, to->sp);
    brolga__ctx_entered(from);
}

void brolga__ctx_entered(struct brolga__ctx *self)
{
#ifdef BROLGA__ASAN
    __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
#endif
    (void)self;
}
