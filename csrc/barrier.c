/* A barrier for threads that wait a fraction of a microsecond, as most do: it spins, and gives the
 * processor away once that takes long. */
#include "fastbp.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <windows.h>
static int add_one(int *to) { return (int)InterlockedIncrement((volatile LONG *)to); }
static int read_now(int *from) { return (int)InterlockedOr((volatile LONG *)from, 0); }
static void write_now(int *to, int value) { InterlockedExchange((volatile LONG *)to, value); }
static void give_way(void) { SwitchToThread(); }
static void pause_briefly(void) { YieldProcessor(); }
#else
#include <sched.h>
static int add_one(int *to) { return __atomic_add_fetch(to, 1, __ATOMIC_ACQ_REL); }
static int read_now(int *from) { return __atomic_load_n(from, __ATOMIC_ACQUIRE); }
static void write_now(int *to, int value) { __atomic_store_n(to, value, __ATOMIC_RELEASE); }
static void give_way(void) { sched_yield(); }
#if defined(__x86_64__) || defined(__i386__)
static void pause_briefly(void) { __builtin_ia32_pause(); }
#else
static void pause_briefly(void) {}
#endif
#endif

enum { SPINS = 2000 };

void fbp_wait(fbp_barrier *barrier) {
    const int turn = read_now(&barrier->turn);
    if (add_one(&barrier->arrived) == barrier->n) {
        write_now(&barrier->arrived, 0);
        write_now(&barrier->turn, turn + 1);
        return;
    }
    for (int spins = 0; read_now(&barrier->turn) == turn; spins++) {
        if (spins < SPINS) pause_briefly();
        else give_way();
    }
}
