/* fuzz_frame.h - what must hold of frame_decode for any bytes at all: the target of the fuzzers.
 *
 * libFuzzer calls it (tests/03-rpc/fuzz), and so does a loop of mutations that needs no compiler of
 * its own (test_frame_fuzz.c). */
#ifndef CAIRN_FUZZ_FRAME_H
#define CAIRN_FUZZ_FRAME_H

#include <stddef.h>
#include <stdint.h>

/* 0. Ends the process if something does not hold. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
