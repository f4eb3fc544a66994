/* co_stack.c - see co_stack.h. Stacks are mapped, not allocated: pages come when they are touched,
 * and the page below is not there, so that an overflow stops the process instead of corrupting
 * whatever lies next to it. */
#include "co_stack.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef CO_ASAN
#include <sanitizer/asan_interface.h>
#endif
#ifdef __has_include
#if __has_include(<valgrind/valgrind.h>)
#define CO_VALGRIND
#include <valgrind/valgrind.h>
#endif
#endif

#if defined(CO_ASAN) || defined(CO_TSAN)
enum { STACK_BYTES = 1024 * 1024 }; /* the frames of instrumented code are larger */
#else
enum { STACK_BYTES = 256 * 1024 };
#endif

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

bool co_stack_map(struct co_stack *stack) {
    size_t guard = page_bytes();
    void *memory = mmap(NULL, guard + STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return false;
    if (mprotect(memory, guard, PROT_NONE) != 0) {
        munmap(memory, guard + STACK_BYTES);
        return false;
    }
    *stack = (struct co_stack){.bottom = (uint8_t *)memory + guard, .size_bytes = STACK_BYTES};
#ifdef CO_VALGRIND
    stack->valgrind_id =
        (unsigned)VALGRIND_STACK_REGISTER(stack->bottom, (uint8_t *)stack->bottom + STACK_BYTES);
#endif
    co_stack_reset(stack);
    return true;
}

void co_stack_unmap(struct co_stack *stack) {
#ifdef CO_VALGRIND
    VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#endif
#ifdef CO_TSAN
    __tsan_destroy_fiber(stack->own_fiber);
#endif
#ifdef CO_ASAN
    __asan_unpoison_memory_region(stack->bottom, stack->size_bytes);
#endif
    munmap((uint8_t *)stack->bottom - page_bytes(), page_bytes() + stack->size_bytes);
}

void co_stack_reset(struct co_stack *stack) {
    stack->own_fake = NULL;
#ifdef CO_ASAN
    /* The frames that were left for good are still marked. */
    __asan_unpoison_memory_region(stack->bottom, stack->size_bytes);
#endif
#ifdef CO_TSAN
    if (stack->own_fiber != NULL) __tsan_destroy_fiber(stack->own_fiber);
    stack->own_fiber = __tsan_create_fiber(0);
#endif
}
