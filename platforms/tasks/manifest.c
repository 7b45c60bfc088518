/*
 * The entry points: what a host looks up in the DLL.
 *
 * A host calls for each module that names the platform, so that everything is
 * made once; callbacks are copied each time. No thread is started here: a host
 * that does not like what it gets may unload the DLL at once. One whose Brolga
 * this DLL was not built for gets a manifest of version 0, which none accepts.
 */
#include "abi.h"

#include "elements.h"
#include "families.h"
#include "host.h"
#include "runtime.h"
#include "typefile.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define TEXT(number)  #number
#define NUMBER(macro) TEXT(macro)

static const char name[] = "tasks";
static const char version[] = NUMBER(BROLGA_VERSION_MAJOR) "." NUMBER(
    BROLGA_VERSION_MINOR) "." NUMBER(BROLGA_VERSION_PATCH);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_ready; /* lock */

/* Whether there is anything to be had. */
static bool prepare(void)
{
    int err = BROLGA_OK;

    if (is_ready)
        return true;
    if (!runtime_fits())
        return false;
    err = elements_init();
    if (err == BROLGA_OK) {
        typefile_read();
        err = families_init();
    }
    if (err != BROLGA_OK)
        host_refuse("cannot be loaded: %s", brolga_strerror(err));
    is_ready = true;
    return true;
}

/* No pointer may be NULL. */
static const struct cranelisp_fn no_functions;

static const struct cranelisp_fn *functions(bool any)
{
    return any ? families_list() : &no_functions;
}

struct cranelisp_manifest
cranelisp_platform_manifest(const struct cranelisp_host *host)
{
    bool good;

    (void)pthread_mutex_lock(&lock);
    host_meet(host);
    good = prepare();
    (void)pthread_mutex_unlock(&lock);
    return (struct cranelisp_manifest){.abi = good ? 1 : 0,
                                       .name = name,
                                       .name_bytes = sizeof name - 1,
                                       .version = version,
                                       .version_bytes = sizeof version - 1,
                                       .fns = functions(good),
                                       .fn_count = families_count()};
}

const struct cranelisp_manifest_v2 *
cranelisp_platform_manifest_v2(const struct cranelisp_host_v2 *host)
{
    static struct cranelisp_manifest_v2 manifest;
    bool good;

    (void)pthread_mutex_lock(&lock);
    host_meet_v2(host);
    good = prepare();
    manifest =
        (struct cranelisp_manifest_v2){.bytes = sizeof manifest,
                                       .abi = good ? 2 : 0,
                                       .name = name,
                                       .name_bytes = sizeof name - 1,
                                       .version = version,
                                       .version_bytes = sizeof version - 1,
                                       .fns = functions(good),
                                       .fn_bytes = sizeof(struct cranelisp_fn),
                                       .fn_count = families_count_all()};
    (void)pthread_mutex_unlock(&lock);
    return &manifest;
}
