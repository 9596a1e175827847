/* The vectors of a Cortex-M, and what runs before C: the FPU is switched on, where there is one. */
    .syntax unified
    .thumb

    .section .vectors, "a"
    .word stack_top, reset, fault, fault, fault, fault, fault
    .space 36

    .text
    .global reset
    .thumb_func
reset:
#ifdef __ARM_FP
    ldr r0, =0xE000ED88     /* CPACR */
    ldr r1, [r0]
    ldr r2, =0xF << 20
    orrs r1, r2
    str r1, [r0]
    dsb
    isb
#endif
    bl _start

    .thumb_func
fault:                      /* ends QEMU with an error, by semihosting */
    movs r0, #0x18
    ldr r1, =0x20023
    bkpt 0xAB
    b fault
