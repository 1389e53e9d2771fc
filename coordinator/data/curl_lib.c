/* curl_lib.c - see curl_lib.h. */
#include "coordinator/data/curl_lib.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

/* Puts a symbol's address into a function pointer; false when there is none. */
static int find(void *lib, const char *name, void *slot)
{
    void *at = dlsym(lib, name);
    memcpy(slot, &at, sizeof at);
    return at != NULL;
}

const struct curl_lib *curl_lib_get(struct px_err *err)
{
    static struct curl_lib l;
    static int ready;
    __typeof__(&curl_global_init) global_init;
    if (ready)
        return &l;
    void *lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        px_fail(err, PX_EMISSING, "libcurl cannot be loaded (%s): install libcurl4", dlerror());
        return NULL;
    }
    if (!find(lib, "curl_global_init", &global_init) || !find(lib, "curl_easy_init", &l.init) ||
        !find(lib, "curl_easy_reset", &l.reset) || !find(lib, "curl_easy_setopt", &l.setopt) ||
        !find(lib, "curl_easy_getinfo", &l.getinfo) ||
        !find(lib, "curl_easy_perform", &l.perform) ||
        !find(lib, "curl_easy_strerror", &l.strerror) ||
        !find(lib, "curl_easy_cleanup", &l.cleanup) ||
        global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        px_fail(err, PX_EUNSUPPORTED, "libcurl.so.4 is not a libcurl that can be used");
        return NULL;
    }
    ready = 1;
    return &l;
}
