/*
 * Read-copy-update on liburcu's QSBR flavour: deferral in batches, with no wait in the writer.
 *
 *      lpm_rcu_defer() ---> gathering ---> waiting -----> over ---> reclaimed by poll or barrier
 *                           (open batch)   (one batch, its grace period under way)
 *
 * liburcu 0.13 cannot be asked "has a grace period passed?", only "wait for one" and "call me after
 * one", so a batch is closed by handing a single callback to call_rcu(); liburcu's own thread runs
 * it and does nothing but raise a flag. The objects themselves are reclaimed by the writer, which
 * alone owns the lists and every allocator behind them: no lock, and thousands of objects cost
 * one callback.
 *
 * While no reader is registered but perhaps the writer itself (the twin, the offline commands, most
 * tests) a grace period has nothing to wait for; poll then takes the direct way and no thread is ever
 * started. The count of readers is only a hint for that choice: synchronize_rcu() is right whatever
 * it says.
 *
 * Ordering. (1) What a reader read before its quiescent state happens before the end of any grace
 * period that waited for that state (liburcu). (2) The callback's release store of
 * grace_period_over happens after that end; the writer's acquire load orders reclaim after it.
 * ThreadSanitizer sees (2) by itself, but not (1), because liburcu is not instrumented: the
 * annotations below add (1) and nothing more.
 */
#include "lpm/rcu.h"

#include <stdbool.h>
#include <stddef.h>
#include <urcu-qsbr.h>

#if defined(__SANITIZE_THREAD__)
#define RCU_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_UNDER_TSAN 1
#endif
#endif

struct batch {
    struct lpm_rcu_head *first;
    struct lpm_rcu_head **end; /* where the next head goes; NULL while empty and never used */
};

/* liburcu's grace periods are a property of the process, hence so is this. All but readers and
 * grace_period_over belongs to the writer. */
static struct {
    struct batch gathering;
    struct batch waiting;
    struct batch over;            /* passed in a wait, not reclaimed yet */
    uint64_t number;              /* batches closed so far: the open one's number is one more */
    uint64_t closed;              /* number of the batch whose grace period is under way */
    uint64_t stamped;             /* the latest number given out: someone minds, deferred or not */
    bool wanted;                  /* something in gathering is not to wait for company */
    size_t bytes;                 /* that wait in gathering */
    uint64_t passed;              /* every batch up to this number has passed its grace period */
    struct rcu_head grace_period; /* lent to call_rcu() while under_way */
    bool under_way;
    _Atomic bool grace_period_over;
    _Atomic unsigned readers;
} rcu;

static _Thread_local bool is_reader;

/* Edge (1), the readers' side: everything this thread read so far... */
static void annotate_quiescent(void)
{
#ifdef RCU_UNDER_TSAN
    extern void __tsan_release(void *);
    __tsan_release(&rcu);
#endif
}

/* ... happens before what follows the grace period. */
static void annotate_grace_period(void)
{
#ifdef RCU_UNDER_TSAN
    extern void __tsan_acquire(void *);
    __tsan_acquire(&rcu);
#endif
}

void lpm_rcu_register_thread(void)
{
    atomic_fetch_add_explicit(&rcu.readers, 1, memory_order_relaxed);
    urcu_qsbr_register_thread();
    is_reader = true;
}

void lpm_rcu_unregister_thread(void)
{
    annotate_quiescent();
    is_reader = false;
    urcu_qsbr_unregister_thread();
    atomic_fetch_sub_explicit(&rcu.readers, 1, memory_order_relaxed);
}

void lpm_rcu_quiescent(void)
{
    annotate_quiescent();
    urcu_qsbr_quiescent_state();
}

void lpm_rcu_offline(void)
{
    annotate_quiescent();
    urcu_qsbr_thread_offline();
}

void lpm_rcu_online(void)
{
    urcu_qsbr_thread_online();
}

static void batch_append(struct batch *batch, struct lpm_rcu_head *head)
{
    if (!batch->first)
        batch->end = &batch->first;
    head->next = NULL;
    *batch->end = head;
    batch->end = &head->next;
}

/* Moves what is in from to the end of to. */
static void batch_move(struct batch *to, struct batch *from)
{
    if (!from->first)
        return;
    if (!to->first)
        to->end = &to->first;
    *to->end = from->first;
    to->end = from->end;
    from->first = NULL;
}

/* Oldest first. The batch is emptied before the first callback, which may defer more objects. */
static void batch_reclaim(struct batch *batch)
{
    struct lpm_rcu_head *head = batch->first;

    batch->first = NULL;
    while (head) {
        struct lpm_rcu_head *next = head->next;

        head->reclaim(head);
        head = next;
    }
}

void lpm_rcu_defer(struct lpm_rcu_head *head, void (*reclaim)(struct lpm_rcu_head *head))
{
    rcu.wanted = true;
    lpm_rcu_defer_lazily(head, reclaim);
}

void lpm_rcu_defer_lazily(struct lpm_rcu_head *head, void (*reclaim)(struct lpm_rcu_head *head))
{
    head->reclaim = reclaim;
    batch_append(&rcu.gathering, head);
}

void lpm_rcu_again(struct lpm_rcu_head *head, void (*reclaim)(struct lpm_rcu_head *head))
{
    head->reclaim = reclaim;
    batch_append(&rcu.over, head);
}

void lpm_rcu_weigh(size_t bytes)
{
    rcu.bytes += bytes;
}

/* Runs on liburcu's thread. */
static void grace_period_ended(struct rcu_head *head)
{
    (void)head;
    annotate_grace_period();
    atomic_store_explicit(&rcu.grace_period_over, true, memory_order_release);
}

/* call_rcu() wants a registered caller that is online, which the writer need not be. The visit is
 * short: nothing is read in it. */
static void start_grace_period(void)
{
    atomic_store_explicit(&rcu.grace_period_over, false, memory_order_relaxed);
    rcu.under_way = true;
    if (is_reader) {
        urcu_qsbr_call_rcu(&rcu.grace_period, grace_period_ended);
        return;
    }
    urcu_qsbr_register_thread();
    urcu_qsbr_call_rcu(&rcu.grace_period, grace_period_ended);
    urcu_qsbr_unregister_thread();
}

uint64_t lpm_rcu_batch(void)
{
    return rcu.number + 1;
}

uint64_t lpm_rcu_stamp(void)
{
    rcu.stamped = lpm_rcu_batch();
    return rcu.stamped;
}

bool lpm_rcu_passed(uint64_t stamp)
{
    return stamp <= rcu.passed;
}

/* Its number. */
static uint64_t close_batch(void)
{
    rcu.wanted = false;
    rcu.bytes = 0;
    return ++rcu.number;
}

/* Waits on its own account rather than for the callback under way, which liburcu's thread may put
 * off by milliseconds; that callback then finds an empty batch. */
void lpm_rcu_wait(uint64_t stamp)
{
    if (lpm_rcu_passed(stamp))
        return;
    urcu_qsbr_synchronize_rcu();
    annotate_grace_period();
    rcu.passed = close_batch();
    batch_move(&rcu.over, &rcu.waiting);
    batch_move(&rcu.over, &rcu.gathering);
}

/* True when no grace period is under way any more. */
static bool collect_grace_period(void)
{
    if (!rcu.under_way)
        return true;
    if (!atomic_load_explicit(&rcu.grace_period_over, memory_order_acquire))
        return false;
    rcu.under_way = false;
    if (rcu.passed < rcu.closed)
        rcu.passed = rcu.closed;
    batch_move(&rcu.over, &rcu.waiting);
    return true;
}

/* Is there no reader but the writer itself, which is offline while it waits? */
static bool alone(void)
{
    return atomic_load_explicit(&rcu.readers, memory_order_relaxed) == (is_reader ? 1 : 0);
}

static void start_for(bool waiting)
{
    if (!waiting)
        return;
    if (alone()) {
        lpm_rcu_barrier();
        return;
    }
    batch_move(&rcu.waiting, &rcu.gathering);
    rcu.closed = close_batch();
    start_grace_period();
}

static void poll(bool all)
{
    bool idle = collect_grace_period();

    if (rcu.over.first)
        batch_reclaim(&rcu.over);
    if (idle)
        start_for(rcu.wanted || rcu.stamped > rcu.number || rcu.bytes >= LPM_RCU_ENOUGH ||
                  (all && rcu.gathering.first));
}

void lpm_rcu_poll(void)
{
    poll(false);
}

void lpm_rcu_flush(void)
{
    poll(true);
}

void lpm_rcu_barrier(void)
{
    do {
        if (rcu.waiting.first || rcu.gathering.first || rcu.stamped > rcu.passed)
            lpm_rcu_wait(rcu.number + 1);
        batch_reclaim(&rcu.over);
    } while (rcu.over.first || rcu.waiting.first || rcu.gathering.first);
}
