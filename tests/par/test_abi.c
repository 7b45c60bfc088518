/*
 * Goal: the number of the binary interface changes with the interface.
 * Method: the sizes of all structs that callers fill in or look into, folded
 * into one number, which is written down here for the current BROLGA_ABI. (In
 * this layer because it is the highest that every build has.)
 *
 * When this fails, callers that were compiled before do not fit any more: raise
 * BROLGA_ABI, and write the new number down.
 */
#include <criterion/criterion.h>

#include <brolga/brolga.h>

#include <inttypes.h>

#define FOR_ABI 1
#define SIZES   UINT64_C(156755795838099084)

#define STRUCTS(X)                                                             \
    X(brolga_stress)                                                           \
    X(brolga_view)                                                             \
    X(brolga_got_opts)                                                         \
    X(brolga_report)                                                           \
    X(brolga_got_stats)                                                        \
    X(brolga_unit_opts)                                                        \
    X(brolga_hooks)                                                            \
    X(brolga_opts)                                                             \
    X(brolga_event)                                                            \
    X(brolga_spawn_opts)                                                       \
    X(brolga_failure)                                                          \
    X(brolga_holder)                                                           \
    X(brolga_task_info)                                                        \
    X(brolga_worker_stats)                                                     \
    X(brolga_scope_opts)                                                       \
    X(brolga_model)                                                            \
    X(brolga_copy_opts)                                                        \
    X(brolga_copy_error)                                                       \
    X(brolga_type_error)                                                       \
    X(brolga_closure)                                                          \
    X(brolga_closure_info)                                                     \
    X(brolga_chan_opts)                                                        \
    X(brolga_chan_stats)                                                       \
    X(brolga_arm)                                                              \
    X(brolga_par_opts)                                                         \
    X(brolga_par_fn2)                                                          \
    X(brolga_code_opts)                                                        \
    X(brolga_code_block)                                                       \
    X(brolga_code_unit_opts)

Test(abi, changes_with_the_sizes_of_structs)
{
    uint64_t sizes = 0;

#define ADD(name) sizes = sizes * 1000003 + sizeof(struct name);
    STRUCTS(ADD)
#undef ADD
    cr_assert_eq(BROLGA_ABI, FOR_ABI);
    cr_assert_eq(sizes, SIZES, "%" PRIu64 ": see the head of this file", sizes);
}

Test(abi, is_that_of_the_headers_here)
{
    cr_assert_eq(brolga_abi(), BROLGA_ABI);
}
