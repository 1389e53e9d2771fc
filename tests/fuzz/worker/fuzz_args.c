/* fuzz_args.c - any text as a layer reuse description or a list of token ids. */
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "tests/fuzz/fuzz.h"
#include "worker/engine/reuse.h"
#include "worker/stage/engine_args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = px_xstrndup((const char *)data, size);
    struct reuse_spec spec = {0};
    uint32_t *ids = NULL;
    size_t n = 0;
    /* What is accepted passes the engine's own check. */
    if (reuse_parse(text, 8, &spec, NULL) == 0 && reuse_check(&spec, 8, NULL) != 0)
        abort();
    if (parse_ids(text, &ids, &n, NULL) == 0 && n == 0)
        abort();
    free(spec.layers);
    free(ids);
    free(text);
    return 0;
}

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    static const char *const seeds[] = {"k=3,subset=middle,size=4,mode=delta,kv=project",
                                        "k=2,subset=1+2+7,mode=skip,kv=copy", "1,2,4294967295"};
    if (i >= sizeof seeds / sizeof *seeds || strlen(seeds[i]) > cap)
        return 0;
    memcpy(out, seeds[i], strlen(seeds[i]));
    return strlen(seeds[i]);
}
