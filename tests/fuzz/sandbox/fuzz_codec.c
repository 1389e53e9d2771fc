/* fuzz_codec.c - what a hostile program can put on its call channel, and the verdict pipe. */
#include <string.h>

#include "sandbox/record.h"
#include "sandbox/scan.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record r;
    char exception[104];
    (void)codec_scan(data, size);
    record_decode(data, size, &r);
    (void)record_begun(data, size, exception);
    size_t half = size / 2;
    (void)record_same_output((const char *)data, half, (const char *)data + half, size - half);
    return 0;
}

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    static const char value[] =
        "t\3\0\0\0l\1\0\0\0s\5\0\0\0@Boomm\1\0\0\0s\1\0\0\0kd\0\0\0\0\0\0\0\0i\1\0"
        "\0\0\7";
    static const char begun[] = "\x20\0\0\0M\0\0\0\0t\3\0\0\0l\1\0\0\0s\5\0\0\0@Boomzzzzzzzz";
    struct record r = {.class = RECORD_RUNTIME_ERROR, .exception = "KeyError", .detail = "'k'"};
    if (i == 0 || i == 1) {
        size_t n = i == 0 ? sizeof value - 1 : sizeof begun - 1;
        memcpy(out, i == 0 ? value : begun, n <= cap ? n : 0);
        return n <= cap ? n : 0;
    }
    if (i > 2)
        return 0;
    struct px_buf b;
    px_buf_init(&b, cap);
    px_buf_u8(&b, 'M');
    record_encode(&r, &b);
    size_t n = b.len;
    memcpy(out, b.data, n);
    px_buf_clear(&b);
    return n;
}
