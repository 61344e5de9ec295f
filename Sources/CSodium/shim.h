#pragma once
#include <sodium.h>
#include <sys/prctl.h>

// prctl(2) is variadic, which Swift does not import.
static inline int eventor_set_dumpable(int dumpable) { return prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0); }
static inline int eventor_get_dumpable(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); }
