/*
 * The one door to read-copy-update: publish, dereference, quiescent state, reclaim.
 *
 * liburcu's QSBR flavour underneath (Desnoyers et al., "User-Level Implementations of
 * Read-Copy Update", IEEE TPDS 2012). Pointers are published with a C11 release store and read
 * with an acquire load. liburcu 0.13 is not instrumented for ThreadSanitizer, so a TSan build adds
 * acquire/release annotations to exactly the edges that QSBR promises: a reader's quiescent state
 * happens before the end of a grace period that waited for it, and that end happens before the
 * reclaim callback.
 *
 * Roles. One writer publishes and defers. A reader registers its thread, then alternates read work
 * with lpm_rcu_quiescent(); while it sleeps or waits it is offline. Whatever a reader dereferenced
 * stays valid until its next quiescent state and no longer.
 */
#ifndef LPM_RCU_H
#define LPM_RCU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads and writes a pointer that the writer publishes. Use on members declared `T *_Atomic`. */
#define lpm_rcu_publish(location, value)                                                           \
    atomic_store_explicit((location), (value), memory_order_release)
#define lpm_rcu_dereference(location) atomic_load_explicit((location), memory_order_acquire)

/* Embedded in an object that is reclaimed by lpm_rcu_defer(). */
struct lpm_rcu_head {
    struct lpm_rcu_head *next;
    void (*reclaim)(struct lpm_rcu_head *head);
};

/* Reader side. Each reader thread registers once; registering makes it online. */
void lpm_rcu_register_thread(void);
void lpm_rcu_unregister_thread(void);
void lpm_rcu_quiescent(void); /* once per burst; a few nanoseconds */
void lpm_rcu_offline(void);   /* before sleeping; holds no reference afterwards */
void lpm_rcu_online(void);

/* Writer side (one thread at a time). Calls reclaim(head) after a grace period, on the writer's own
 * thread, from within a later lpm_rcu_poll() or lpm_rcu_barrier(). Never blocks. */
void lpm_rcu_defer(struct lpm_rcu_head *head, void (*reclaim)(struct lpm_rcu_head *head));
/* Reclaims what has passed its grace period already, and starts one for what has not; cheap, never
 * waits. Call it from the loop.
 *
 * To start a grace period takes longer than to change a route. So what was deferred lazily waits for
 * company: poll starts one only for LPM_RCU_ENOUGH bytes of it, or when something else wants one
 * anyway. Thus at most LPM_RCU_ENOUGH bytes wait for nothing but that, beside what was replaced since
 * the grace period under way began. */
void lpm_rcu_poll(void);
/* The same without waiting for company: for a timer, or a loop about to sleep for long. */
void lpm_rcu_flush(void);

#define LPM_RCU_ENOUGH ((size_t)64 << 10)

/* As lpm_rcu_defer(), for small things, whose bytes are told by lpm_rcu_weigh(). */
void lpm_rcu_defer_lazily(struct lpm_rcu_head *head, void (*reclaim)(struct lpm_rcu_head *head));
/* So many bytes more wait for the grace period of the open batch. */
void lpm_rcu_weigh(size_t bytes);
/* For a reclaim callback that does its work in steps: calls it again in the next poll. */
void lpm_rcu_again(struct lpm_rcu_head *head, void (*reclaim)(struct lpm_rcu_head *head));

/* The grace period that covers all that was published up to now, by number; and whether it has
 * passed: whether every reader has since been quiescent. A number passes in some poll, barrier or
 * wait, not by itself. */
uint64_t lpm_rcu_stamp(void);
/* The same number, with no wish that it pass soon. */
uint64_t lpm_rcu_batch(void);
bool lpm_rcu_passed(uint64_t stamp);
/* Waits until stamp has passed. Reclaims nothing, so it may be called in the midst of an update. */
void lpm_rcu_wait(uint64_t stamp);

/* Waits until everything deferred so far is reclaimed. The writer may itself be a registered
 * reader (it counts as offline for the wait). */
void lpm_rcu_barrier(void);

#endif
