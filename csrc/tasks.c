/* Tasks that threads distribute among themselves. Waits last microseconds as a rule, so a waiting
 * thread spins; after a while it yields its processor. */
#include "fastbp.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
static void give_way(void) { SwitchToThread(); }
#else
#include <sched.h>
static void give_way(void) { sched_yield(); }
#endif

#if defined(_MSC_VER) && !defined(__clang__)
static int64_t read_now(int64_t *from) { return InterlockedOr64((volatile LONG64 *)from, 0); }
static void write_now(int64_t *to, int64_t value) { InterlockedExchange64((volatile LONG64 *)to, value); }
static void add_one(int64_t *to) { InterlockedIncrement64((volatile LONG64 *)to); }
static int replace(int64_t *at, int64_t old, int64_t by) {
    return InterlockedCompareExchange64((volatile LONG64 *)at, by, old) == old;
}
static void pause_briefly(void) { YieldProcessor(); }
#else
static int64_t read_now(int64_t *from) { return __atomic_load_n(from, __ATOMIC_ACQUIRE); }
static void write_now(int64_t *to, int64_t value) { __atomic_store_n(to, value, __ATOMIC_RELEASE); }
static void add_one(int64_t *to) { __atomic_add_fetch(to, 1, __ATOMIC_ACQ_REL); }
static int replace(int64_t *at, int64_t old, int64_t by) {
    return __atomic_compare_exchange_n(at, &old, by, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
#if defined(__x86_64__) || defined(__i386__)
static void pause_briefly(void) { __builtin_ia32_pause(); }
#else
static void pause_briefly(void) {}
#endif
#endif

enum { SPINS = 500 };

static void wait_a_little(int *spins) {
    if (++*spins < SPINS) pause_briefly();
    else give_way();
}

void fbp_begin_tasks(fbp_tasks *tasks) {
    write_now(&tasks->n_done, 0);
    write_now(&tasks->is_over, 0);
    write_now(&tasks->handed_out, 0);
}

void fbp_hand_out(fbp_tasks *tasks, int n) {
    write_now(&tasks->n_done, 0); /* no thread is at work: all of the last tasks are done */
    write_now(&tasks->handed_out, (int64_t)n << 32);
}

int fbp_take(fbp_tasks *tasks) {
    for (;;) {
        const int64_t seen = read_now(&tasks->handed_out);
        const int n = (int)(seen >> 32), next = (int)(seen & 0xffffffff);
        if (next == n) return -1;
        if (replace(&tasks->handed_out, seen, seen + 1)) return next;
    }
}

int fbp_wait_and_take(fbp_tasks *tasks) {
    for (int spins = 0; !read_now(&tasks->is_over); wait_a_little(&spins)) {
        const int task = fbp_take(tasks);
        if (task >= 0) return task;
    }
    return -1;
}

void fbp_done(fbp_tasks *tasks) { add_one(&tasks->n_done); }

void fbp_all_done(fbp_tasks *tasks) {
    const int64_t n = read_now(&tasks->handed_out) >> 32;
    for (int spins = 0; read_now(&tasks->n_done) != n;) wait_a_little(&spins);
}

void fbp_end_tasks(fbp_tasks *tasks) { write_now(&tasks->is_over, 1); }
