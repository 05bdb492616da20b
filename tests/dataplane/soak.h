/*
 * The soak: packets through a running worker while the control side turns over all that they meet, and each
 * of them held against what was right while it was under way.
 *
 *   main thread: soak_state    changes routes of bases and derived FIBs, which base a FIB is derived from, which FIB a
 *                              NIC has, and the members of groups
 *   pump thread: soak.c        sends each flow again and again over a memif port, and takes what comes out
 *   worker:                    the engine under test
 *
 * The oracle. A packet asks three tables in turn: which FIB its NIC has, which group that FIB's route has, which member
 * that group's bucket has. Each entry that the packets meet has notes: from which change on it says what. A note is
 * written before its change is made; when the change has been made, `done` is its number. A packet remembers `done` as
 * it was when it was sent. What may become of it is what the first table said at some instant from then on, the second
 * at that instant or a later one, the third likewise. Nothing promises that all three are of one instant: a worker
 * that was kept off its core between two of them may find a FIB changed since its NIC has left it.
 *
 * Which member a bucket has is asked of a second struct dp_forwarding, which has the same groups and is read by nobody
 * else. Where buckets depend on the past (sticky groups, draining members) every member is right.
 */
#ifndef TESTS_DATAPLANE_SOAK_H
#define TESTS_DATAPLANE_SOAK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dataplane.h"
#include "tests/dataplane/random.h"
#include "tests/must.h"

#define SOAK_SENDERS    4u
#define SOAK_APPLIANCES 16u
#define SOAK_PLACES     64u /* destinations; even ones IPv4, odd ones IPv6 */
#define SOAK_PORTS      4u  /* flows of one sender to one place */
#define SOAK_FLOWS      (SOAK_SENDERS * SOAK_PLACES * SOAK_PORTS)

/* One more flow, of a sender of its own, to which nothing is ever done: appliance 0 gets it. */
#define SOAK_STEADY SOAK_FLOWS

#define SOAK_VLAN_SENDER    1u /* of sender 0 */
#define SOAK_VLAN_APPLIANCE 101u

/* What may become of a packet: bit i: appliance i gets it. */
#define SOAK_DROPPED (1u << SOAK_APPLIANCES)

struct soak_state;

/* number: of changes. kinds[]: by soak_change_names. */
#define SOAK_CHANGES 10u
extern const char *const soak_change_names[SOAK_CHANGES];
struct soak_tally {
    uint64_t changes, notes;
    uint64_t kinds[SOAK_CHANGES];
};

struct soak_state *soak_state_create(struct lpm *lpm);
void soak_state_destroy(struct soak_state *state);
struct dp_forwarding *soak_forwarding(const struct soak_state *state);
/* Makes one change. Waits while that would overwrite a note that the pump still needs. */
void soak_change(struct soak_state *state, struct test_random *random);
const struct soak_tally *soak_tally(const struct soak_state *state);

/* --- The pump's side (any one thread) --- */

/* The number of the last change that is made. */
uint64_t soak_done(const struct soak_state *state);
/* No packet under way was sent before this number was done. Only grows. */
void soak_release(struct soak_state *state, uint64_t number);
/* What change `number` was, of the last SOAK_LOG. */
#define SOAK_LOG 4096u
const char *soak_change_name(const struct soak_state *state, uint64_t number);
/* What may become of a packet of this flow that was sent when change `number` was done. */
uint32_t soak_allowed(const struct soak_state *state, unsigned flow, uint64_t number);

static inline bool soak_is_ipv6(unsigned place)
{
    return place % 2 == 1;
}

/* As the sender sends it, tagged. Its last SOAK_PAYLOAD bytes are the pump's. */
#define SOAK_PAYLOAD 16u
struct frame;
void soak_frame(unsigned flow, struct frame *frame);
void soak_appliance_mac(unsigned appliance, uint8_t mac[6]);

#endif
