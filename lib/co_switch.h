/* co_switch.h - one processor context for another: the few instructions under co.c.
 *
 * x86_64 and aarch64 switch by hand (callee-saved registers, the floating-point control words, the
 * stack pointer: some 20 instructions); elsewhere ucontext does, which makes system calls. Signal
 * masks are not switched. -DCO_UCONTEXT forces the latter. */
#ifndef CAIRN_CO_SWITCH_H
#define CAIRN_CO_SWITCH_H

#include <stddef.h>

#if !defined(__x86_64__) && !defined(__aarch64__) && !defined(CO_UCONTEXT)
#define CO_UCONTEXT
#endif

#ifdef CO_UCONTEXT
#include <ucontext.h>
#endif

struct co_context {
#ifdef CO_UCONTEXT
    ucontext_t context;
#else
    void *stack_pointer;
#endif
};

/* `entry` will run on the stack [bottom, bottom + size_bytes) at the first switch there. It must
 * not return. bottom and size are multiples of 16. */
void co_context_init(struct co_context *context, void *bottom, size_t size_bytes,
                     void (*entry)(void));
/* Saves the current context in `from` and goes on in `to`; returns when somebody switches back. */
void co_context_switch(struct co_context *from, struct co_context *to);

#endif
