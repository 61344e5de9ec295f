// What ThreadSanitizer has to know of this program, in builds with `--sanitize=thread` only.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)

const char *__tsan_default_suppressions(void);
const char *__tsan_default_options(void);

// Swift's Mutex is made of futex calls in the standard library, which is not instrumented: every pair of accesses
// under one lock looks like a race. `zYuYTXE` is the mangled type of the closure that `withLock` takes, and of no other of
// ours: (inout sending State) -> sending Result. What is touched outside of such closures is still watched.
const char *__tsan_default_suppressions(void) { return "race:zYuYTXE\n"; }

// The keeper is forked from a process with threads where a library starts one late; it uses none of theirs.
const char *__tsan_default_options(void) { return "die_after_fork=0"; }

#endif
#endif
