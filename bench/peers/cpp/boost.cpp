/*
 * Boost.Context: switching between two stacks, with no scheduler.
 */
#include "peer.hpp"

#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>

namespace context = boost::context;

static void jump_forever(context::detail::transfer_t from)
{
    for (;;) /* Until nobody jumps here any more. */
        from = context::detail::jump_fcontext(from.fctx, nullptr);
}

static double jump(unsigned, uint64_t count)
{
    static char stack[64 * 1024];
    context::detail::transfer_t there = {
        context::detail::make_fcontext(stack + sizeof stack, sizeof stack,
                                       jump_forever),
        nullptr};
    stopwatch watch;

    for (uint64_t i = 0; i < count / 2; i++)
        there = context::detail::jump_fcontext(there.fctx, nullptr);
    return watch.per(count);
}

static double resume(unsigned, uint64_t count)
{
    bool done = false;
    context::fiber fiber([&](context::fiber &&caller) {
        while (!done)
            caller = std::move(caller).resume();
        return std::move(caller);
    });
    stopwatch watch;
    double ns;

    for (uint64_t i = 0; i < count / 2; i++)
        fiber = std::move(fiber).resume();
    ns = watch.per(count);
    done = true;
    fiber = std::move(fiber).resume();
    must(!fiber, "the fiber has ended");
    return ns;
}

int main()
{
    return serve({
        {"switch2.jump", "1", 1000000, "Boost.Context jump_fcontext", jump},
        {"switch2.resume", "1", 1000000, "Boost.Context fiber::resume",
         resume},
    });
}
