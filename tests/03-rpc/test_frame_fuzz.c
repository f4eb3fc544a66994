/* test_frame_fuzz.c - frame_decode against bytes that somebody has tampered with: seeds and the
 * corpus, mutated by a seeded generator. CAIRN_FUZZ=1000000 does more than the default. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec.h"
#include "frame.h"
#include "fuzz_frame.h"
#include "harness.h"
#include "mem.h"
#include "prng.h"

enum { ROUNDS = 60000, SEEDS_MAX = 64, SEED_BYTES = 8192 };

struct seeds {
    struct buf items[SEEDS_MAX];
    size_t count;
};

static struct buf *seed_new(struct seeds *seeds) {
    assert_true(seeds->count < SEEDS_MAX);
    struct buf *seed = &seeds->items[seeds->count++];
    *seed = BUF_INIT;
    return seed;
}

static void add_frames(struct seeds *seeds) {
    static const char text[] = "a payload that is long enough to be cut, repeated and flipped";
    for (int kind = FRAME_HANDSHAKE; kind < FRAME_KIND_END; kind++) {
        struct buf *seed = seed_new(seeds);
        for (size_t i = 0; i < 3; i++)
            frame_append(seed, &(struct frame){.kind = (enum frame_kind)kind,
                                               .flags = (uint8_t)i,
                                               .method = 769,
                                               .timeout_ms = 1500,
                                               .request_id = i + 1,
                                               .clock = UINT64_C(0x0123456789abcdef),
                                               .payload = slice_of(text, i * 20)});
    }
}

static void add_corpus(struct seeds *seeds) {
    char dir[512];
    (void)snprintf(dir, sizeof dir, "%.*s/corpus/frame", (int)(strrchr(__FILE__, '/') - __FILE__),
                   __FILE__);
    DIR *entries = opendir(dir);
    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        char path[1024];
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        struct buf *seed = seed_new(seeds);
        seed->len = fread(buf_extend(seed, SEED_BYTES), 1, SEED_BYTES, file);
        (void)fclose(file);
    }
    (void)closedir(entries);
}

static void mutate(struct prng *prng, struct buf *bytes) {
    if (bytes->len == 0) return;
    size_t at = prng_below(prng, bytes->len);
    switch (prng_below(prng, 6)) {
    case 0:
        bytes->data[at] ^= (uint8_t)(1U << prng_below(prng, 8));
        break;
    case 1:
        bytes->data[at] = (uint8_t)prng_below(prng, 256);
        break;
    case 2:
        bytes->len = at;
        break;
    case 3:
        buf_consume(bytes, at);
        break;
    case 4:
        buf_append_zeros(bytes, at % 64);
        break;
    default: {
        static const uint32_t lengths[] = {0, 1, 4095, 4096, 4097, 0x7fffffff, 0xffffffff};
        if (bytes->len < FRAME_HEADER_BYTES) break;
        store_u32le(bytes->data, lengths[prng_below(prng, ARRAY_LEN(lengths))]);
        break;
    }
    }
}

TEST("1", 3, bytes_that_were_tampered_with_never_decode_to_something_else) {
    TEST_LIMIT(60000);
    const char *wanted = getenv("CAIRN_FUZZ");
    unsigned long rounds = wanted ? strtoul(wanted, NULL, 10) : ROUNDS;
    struct seeds seeds = {.count = 0};
    add_frames(&seeds);
    add_corpus(&seeds);
    struct prng prng;
    prng_seed(&prng, 20);
    for (size_t i = 0; i < seeds.count; i++)
        (void)LLVMFuzzerTestOneInput(seeds.items[i].data, seeds.items[i].len);
    struct buf bytes = BUF_INIT;
    for (unsigned long round = 0; round < rounds; round++) {
        const struct buf *seed = &seeds.items[prng_below(&prng, seeds.count)];
        buf_clear(&bytes);
        buf_append_slice(&bytes, buf_slice(seed));
        for (uint64_t n = prng_below(&prng, 4); n > 0; n--)
            mutate(&prng, &bytes);
        (void)LLVMFuzzerTestOneInput(bytes.data, bytes.len);
    }
    for (size_t i = 0; i < seeds.count; i++)
        buf_deinit(&seeds.items[i]);
    buf_deinit(&bytes);
}
