// A wall clock that is wrong by CLOCK_OFFSET seconds, preloaded into an agent by `cluster/start-agent --clock`.
//
// Debian's libfaketime can't be used with a Swift program: it sets variables before main, which moves the environment
// away from where Swift's runtime looks for the arguments, and it takes every absolute time given to timerfd_settime for
// one of the wall clock, so that Dispatch's timers, which are monotonic, never fire.
//
// Here the monotonic clock stays as it is, as on a host whose date is wrong. What waits for a moment of the wall clock waits
// for it by the wrong one: such a moment is told from a monotonic one by its size, for no machine has been up since 2000.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

enum { YEAR_2000 = 946684800 };

static time_t offset;

__attribute__((constructor)) static void read_offset(void) {
  const char *text = getenv("CLOCK_OFFSET");
  offset = text ? (time_t)strtoll(text, NULL, 10) : 0;
}

static struct timespec right(const struct timespec *wrong) {
  struct timespec moment = *wrong;
  if (moment.tv_sec > YEAR_2000) moment.tv_sec -= offset;
  return moment;
}

// What we stand in for; each is looked up once, and again at most by a thread that came at the same moment.
#define ORIGINAL(name)                                        \
  static __typeof__(name) *original;                          \
  if (!original) original = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

int clock_gettime(clockid_t clock, struct timespec *now) {
  ORIGINAL(clock_gettime);
  int code = original(clock, now);
  if (code == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset;
  return code;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  ORIGINAL(gettimeofday);
  int code = original(now, zone);
  if (code == 0) now->tv_sec += offset;
  return code;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
  return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left) {
  ORIGINAL(clock_nanosleep);
  struct timespec moment = flags & TIMER_ABSTIME ? right(wanted) : *wanted;
  return original(clock, flags, &moment, left);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *wanted, struct itimerspec *former) {
  ORIGINAL(timerfd_settime);
  struct itimerspec moment = *wanted;
  if (flags & TFD_TIMER_ABSTIME) moment.it_value = right(&wanted->it_value);
  return original(fd, flags, &moment, former);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
  ORIGINAL(sem_timedwait);
  struct timespec moment = right(until);
  return original(semaphore, &moment);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
  ORIGINAL(pthread_mutex_timedlock);
  struct timespec moment = right(until);
  return original(mutex, &moment);
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
  ORIGINAL(pthread_cond_timedwait);
  struct timespec moment = right(until);
  return original(condition, mutex, &moment);
}
