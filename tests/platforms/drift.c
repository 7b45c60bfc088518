/*
 * A host whose Brolga says that it is another one: the platform is told so by
 * the program's own brolga_abi(), which comes before the library's.
 *
 *   drift DLL
 */
#include "mock.h"

#include <brolga/brolga.h>

#include <dlfcn.h>

uint32_t brolga_abi(void)
{
    return BROLGA_ABI + 1;
}

int main(int argc, char **argv)
{
    struct cranelisp_host host = {mock_alloc};
    struct cranelisp_host_v2 host_v2 = {
        .bytes = sizeof host_v2, .version = 2, .alloc = mock_alloc};
    struct cranelisp_manifest (*v1)(const struct cranelisp_host *);
    const struct cranelisp_manifest_v2 *(*v2)(const struct cranelisp_host_v2 *);
    struct cranelisp_manifest manifest;
    void *library;

    CHECK(argc > 1);
    /* The library is needed, so that all its functions are there. */
    CHECK(brolga_strerror(BROLGA_OK) != NULL);
    library = dlopen(argv[1], RTLD_LAZY | RTLD_LOCAL);
    CHECK(library != NULL);
    *(void **)&v1 = dlsym(library, "cranelisp_platform_manifest");
    *(void **)&v2 = dlsym(library, "cranelisp_platform_manifest_v2");
    manifest = v1(&host);
    CHECK(manifest.abi == 0 && manifest.fn_count == 0 && manifest.fns != NULL);
    CHECK(v2(&host_v2)->abi == 0 && v2(&host_v2)->fn_count == 0);
    return 0;
}
