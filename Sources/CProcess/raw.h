// System calls that touch nothing but registers. A minder runs beside the keeper in the same memory, thread-local
// variables too, so it must not use anything that sets errno. Results are those of the kernel: -errno for an error.
#pragma once

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

// Always part of its caller: a child that has its parent's stack must not return from a frame of which the parent will
// return too.
#define RAW static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define MINDERS_SHARE_MEMORY 1

RAW long raw6(long number, long a, long b, long c, long d, long e, long f) {
  register long fourth __asm__("r10") = d;
  register long fifth __asm__("r8") = e;
  register long sixth __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
#define MINDERS_SHARE_MEMORY 1

RAW long raw6(long number, long a, long b, long c, long d, long e, long f) {
  register long call __asm__("x8") = number;
  register long first __asm__("x0") = a;
  register long second __asm__("x1") = b;
  register long third __asm__("x2") = c;
  register long fourth __asm__("x3") = d;
  register long fifth __asm__("x4") = e;
  register long sixth __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(first)
                   : "r"(call), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                   : "memory");
  return first;
}
#else
// Elsewhere a minder has a copy of the memory, which costs more.
#define MINDERS_SHARE_MEMORY 0

RAW long raw6(long number, long a, long b, long c, long d, long e, long f) {
  long result = syscall(number, a, b, c, d, e, f);
  return result < 0 ? -errno : result;
}
#endif

#define RAW_ARGUMENTS(a, b, c, d, e, f, ...) (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)
// The number of the call, then up to six arguments.
#define raw(number, ...) raw6(number, RAW_ARGUMENTS(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0))
