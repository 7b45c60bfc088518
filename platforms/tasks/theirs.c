/*
 * The Brolga of a host that has one: this file is linked without the library,
 * and finds the functions in the program that loads it. So tasks run where the
 * host's transactions know of them, its options hold for them, and it is the
 * host that ends the runtime.
 *
 * A program that has none of the functions cannot load the file. One that has
 * them from another version is found out when it asks for the manifest.
 */
#include "runtime.h"

#include "host.h"

#include <stdio.h>

bool runtime_fits(void)
{
    uint32_t abi = brolga_abi();

    if (abi != BROLGA_ABI)
        fprintf(stderr,
                "tasks: the host's Brolga has the binary interface %u, and "
                "this platform was built for %d: build both from one version\n",
                abi, BROLGA_ABI);
    return abi == BROLGA_ABI;
}

/* Whoever comes first, on a thread that the host has attached or in one of its
 * tasks, tells which one it is. */
brolga *runtime_get(void)
{
    brolga *rt = brolga_runtime();

    if (rt == NULL)
        host_refuse("the thread that calls is no task of the host's Brolga: "
                    "the host is to attach it (brolga_attach_thread()), or to "
                    "load the platform that has a Brolga in it");
    return rt;
}
