/* co_stack.h - the memory that a coroutine runs on, and what has to be told to those who watch
 * stacks (AddressSanitizer, ThreadSanitizer, valgrind).
 *
 * The calls around a switch are inline, because ThreadSanitizer counts the calls and returns of
 * each fiber: between telling it and switching, no function may return. */
#ifndef CAIRN_CO_STACK_H
#define CAIRN_CO_STACK_H

#include <stdbool.h>
#include <stddef.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define CO_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define CO_TSAN
#include <sanitizer/tsan_interface.h>
#endif

struct co_stack {
    void *bottom; /* the lowest usable address; a guard page lies below */
    size_t size_bytes;
    unsigned valgrind_id;
    /* AddressSanitizer's: the fake stacks of both sides, and where the loop's stack is. */
    void *own_fake;
    void *loop_fake;
    const void *loop_bottom;
    size_t loop_size;
    /* ThreadSanitizer's. */
    void *own_fiber;
    void *loop_fiber;
};

/* False if the system refuses. */
bool co_stack_map(struct co_stack *stack);
void co_stack_unmap(struct co_stack *stack);
/* Before a pooled stack is used for another coroutine. */
void co_stack_reset(struct co_stack *stack);

#define CO_INLINE static inline __attribute__((always_inline))

/* Around each switch: _before_enter and _after_leave on the loop, _after_enter and _before_leave on
 * the coroutine. `last`: the coroutine will not run again. */
CO_INLINE void co_stack_before_enter(struct co_stack *stack) {
    (void)stack;
#ifdef CO_ASAN
    __sanitizer_start_switch_fiber(&stack->loop_fake, stack->bottom, stack->size_bytes);
#endif
#ifdef CO_TSAN
    stack->loop_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(stack->own_fiber, 0);
#endif
}

CO_INLINE void co_stack_after_enter(struct co_stack *stack) {
    (void)stack;
#ifdef CO_ASAN
    __sanitizer_finish_switch_fiber(stack->own_fake, &stack->loop_bottom, &stack->loop_size);
#endif
}

CO_INLINE void co_stack_before_leave(struct co_stack *stack, bool last) {
    (void)stack;
    (void)last;
#ifdef CO_ASAN
    __sanitizer_start_switch_fiber(last ? NULL : &stack->own_fake, stack->loop_bottom,
                                   stack->loop_size);
#endif
#ifdef CO_TSAN
    __tsan_switch_to_fiber(stack->loop_fiber, 0);
#endif
}

CO_INLINE void co_stack_after_leave(struct co_stack *stack) {
    (void)stack;
#ifdef CO_ASAN
    __sanitizer_finish_switch_fiber(stack->loop_fake, NULL, NULL);
#endif
}

#endif
