/* co_switch.c - see co_switch.h. No policy here, and the only assembly in Cairn.
 *
 * What a function call must preserve is what has to be saved: System V ABI for x86_64, section
 * 3.2.1 (and 3.2.3 on MXCSR and the x87 control word); Procedure Call Standard for aarch64,
 * section 6. */
#ifdef __APPLE__
#define _XOPEN_SOURCE 700 /* ucontext */
#endif
#include "co_switch.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#ifdef CO_UCONTEXT

void co_context_init(struct co_context *context, void *bottom, size_t size_bytes,
                     void (*entry)(void)) {
    int result = getcontext(&context->context);
    assert(result == 0);
    (void)result;
    context->context.uc_stack.ss_sp = bottom;
    context->context.uc_stack.ss_size = size_bytes;
    context->context.uc_link = NULL;
    makecontext(&context->context, entry, 0);
}

void co_context_switch(struct co_context *from, struct co_context *to) {
    swapcontext(&from->context, &to->context);
}

#else

#ifdef __APPLE__
#define SYMBOL(name) "_" #name
#else
#define SYMBOL(name) #name
#endif

/* Pushes what must survive, stores the stack pointer in *save, takes `load` as the new one, and
 * pops what was pushed there. */
void co_switch_stacks(void **save, void *load);

#ifdef __x86_64__

__asm__(".text\n"
        ".p2align 4\n"
        ".globl " SYMBOL(co_switch_stacks) "\n" SYMBOL(co_switch_stacks) ":\n"
                                                                         "    pushq %rbp\n"
                                                                         "    pushq %rbx\n"
                                                                         "    pushq %r12\n"
                                                                         "    pushq %r13\n"
                                                                         "    pushq %r14\n"
                                                                         "    pushq %r15\n"
                                                                         "    subq $8, %rsp\n"
                                                                         "    stmxcsr (%rsp)\n"
                                                                         "    fnstcw 4(%rsp)\n"
                                                                         "    movq %rsp, (%rdi)\n"
                                                                         "    movq %rsi, %rsp\n"
                                                                         "    fldcw 4(%rsp)\n"
                                                                         "    ldmxcsr (%rsp)\n"
                                                                         "    addq $8, %rsp\n"
                                                                         "    popq %r15\n"
                                                                         "    popq %r14\n"
                                                                         "    popq %r13\n"
                                                                         "    popq %r12\n"
                                                                         "    popq %rbx\n"
                                                                         "    popq %rbp\n"
                                                                         "    ret\n");

enum {
    FRAME_WORDS = 8, /* control words, r15, r14, r13, r12, rbx, rbp, return address */
    FRAME_CONTROL = 0,
    FRAME_RETURN = 7,
    FRAME_GAP_WORDS = 1 /* at the entry of a function the stack is 8 off a multiple of 16 */
};

static uint64_t current_control_words(void) {
    uint32_t mxcsr;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return (uint64_t)x87 << 32 | mxcsr;
}

#else /* aarch64 */

__asm__(".text\n"
        ".p2align 4\n"
        ".globl " SYMBOL(co_switch_stacks) "\n" SYMBOL(
            co_switch_stacks) ":\n"
                              "    sub sp, sp, #176\n"
                              "    stp x19, x20, [sp, #0]\n"
                              "    stp x21, x22, [sp, #16]\n"
                              "    stp x23, x24, [sp, #32]\n"
                              "    stp x25, x26, [sp, #48]\n"
                              "    stp x27, x28, [sp, #64]\n"
                              "    stp x29, x30, [sp, #80]\n"
                              "    stp d8, d9, [sp, #96]\n"
                              "    stp d10, d11, [sp, #112]\n"
                              "    stp d12, d13, [sp, #128]\n"
                              "    stp d14, d15, [sp, #144]\n"
                              "    mrs x9, fpcr\n"
                              "    str x9, [sp, #160]\n"
                              "    mov x9, sp\n"
                              "    str x9, [x0]\n"
                              "    mov sp, x1\n"
                              "    ldr x9, [sp, #160]\n"
                              "    msr fpcr, x9\n"
                              "    ldp x19, x20, [sp, #0]\n"
                              "    ldp x21, x22, [sp, #16]\n"
                              "    ldp x23, x24, [sp, #32]\n"
                              "    ldp x25, x26, [sp, #48]\n"
                              "    ldp x27, x28, [sp, #64]\n"
                              "    ldp x29, x30, [sp, #80]\n"
                              "    ldp d8, d9, [sp, #96]\n"
                              "    ldp d10, d11, [sp, #112]\n"
                              "    ldp d12, d13, [sp, #128]\n"
                              "    ldp d14, d15, [sp, #144]\n"
                              "    add sp, sp, #176\n"
                              "    ret\n");

enum {
    FRAME_WORDS = 22,
    FRAME_CONTROL = 20, /* fpcr */
    FRAME_RETURN = 11,  /* x30, the link register */
    FRAME_GAP_WORDS = 0
};

static uint64_t current_control_words(void) {
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}

#endif

/* Lays out the frame that co_switch_stacks would have left, had `entry` called it at its start. The
 * frame pointer in it is 0, which ends a backtrace. */
void co_context_init(struct co_context *context, void *bottom, size_t size_bytes,
                     void (*entry)(void)) {
    uint64_t *top = (uint64_t *)(void *)((char *)bottom + size_bytes);
    assert((uintptr_t)top % 16 == 0);
    uint64_t *frame = top - FRAME_WORDS - FRAME_GAP_WORDS;
    memset(frame, 0, (size_t)((char *)top - (char *)frame));
    frame[FRAME_CONTROL] = current_control_words();
    frame[FRAME_RETURN] = (uint64_t)(uintptr_t)entry;
    context->stack_pointer = frame;
}

void co_context_switch(struct co_context *from, struct co_context *to) {
    co_switch_stacks(&from->stack_pointer, to->stack_pointer);
}

#endif
