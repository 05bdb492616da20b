/*
 * Health probes of load balancers' backends: when to send one, and what follows from its answer or
 * the lack of one. Time in, orders and changes out; who sends and hears is the shell (sockets live,
 * modelled routers in the twin).
 *
 *          interval           interval       timeout before the next interval ends
 *   sent ──────────> sent ──────────────> sent ─ ─ ─ ─ ─ ─ ─>
 *     answered         no answer            no answer: down (failures: 2)
 *
 * A backend is taken to be up until `failures` probes in a row are not answered within the timeout,
 * or are refused; it is up again after `successes` answers in a row. After a failure the next probe
 * leaves a timeout early: a backend that dies is out within interval x failures of its last answer,
 * where failures is 2 or more.
 *
 * Control thread only; pure.
 */
#ifndef ENGINE_PROGRAM_PROBES_H
#define ENGINE_PROGRAM_PROBES_H

#include "engine/fabric/model.h"

struct probes;

/* backend is an index in the load balancer's backends. Returns 0, or -errno: then the state stays
 * as it was, and is tried again with the next answer that says so. */
typedef int probes_change(void *context, uint32_t balancer, uint32_t backend, bool up,
                          uint64_t now_ms);

/* A probe that is to be sent now. */
struct probe_order {
    uint32_t target;   /* which backend of which load balancer: for probes_result() */
    uint32_t sequence; /* no two are the same for a long time */
    uint32_t balancer, backend;
    struct lpm_address address; /* of the backend */
    bool tcp;                   /* a connection to port; else an ICMP echo */
    uint16_t port;
    uint32_t timeout_ms;
};

/* The first probe of each backend is due at once. fabric is borrowed. NULL with errno. */
struct probes *probes_create(const struct fabric *fabric, probes_change *changed, void *context);
void probes_destroy(struct probes *probes); /* NULL is allowed */
/* Another reading of the fabric. Backends that it has, too, by the names of the load balancer and the NIC, are up or down
 * as they were until they are judged anew; what is under way to them is asked again, and targets have other numbers.
 * prepare() makes what take() puts in force, or drop() forgets; both free it. The reading before is borrowed until
 * take(). NULL: no memory. */
struct probes_coming;
struct probes_coming *probes_prepare(const struct fabric *with);
void probes_take(struct probes *probes, struct probes_coming *coming);
void probes_drop(struct probes_coming *coming); /* NULL is allowed */

/* When probes_tick() has something to do; UINT64_MAX: never. */
uint64_t probes_deadline(const struct probes *probes);
/* Judges probes that were not answered in time. May call changed(). */
void probes_tick(struct probes *probes, uint64_t now_ms);
/* The next probe that is due, marked as sent; false: none is. After probes_tick(). */
bool probes_next(struct probes *probes, uint64_t now_ms, struct probe_order *order);
/* The probe was answered, or refused. One that was judged already is too late and changes nothing.
 * May call changed(). */
void probes_result(struct probes *probes, uint32_t target, uint32_t sequence, bool answered,
                   uint64_t now_ms);
/* The probe could not be sent for a reason that says nothing of the backend, as no descriptor being
 * free: it counts neither way, and the next one leaves an interval after it. */
void probes_skip(struct probes *probes, uint32_t target, uint32_t sequence);

#endif
