/*
 * A program step over a hand-made world and a real data plane, with no port open.
 */
#ifndef TESTS_PROGRAM_LAB_H
#define TESTS_PROGRAM_LAB_H

#include "engine/program/program.h"
#include "tests/fabric/world.h"

struct lab {
    struct world *world; /* the caller's */
    struct lpm *lpm;
    struct dp_forwarding *forwarding;
    struct program *program;
};

/* groups 0: the capacity that program_forwarding_config() gives. */
void lab_open(struct lab *lab, struct world *world, uint32_t groups);
void lab_close(struct lab *lab);

/* Flushes, and checks the state against one made from scratch. Returns how many entries changed. */
int lab_flush(struct lab *lab);
/* Announces and withdraws as world_announce() does, and tells the program. */
void lab_announce(struct lab *lab, uint32_t server, const char *neighbor, const char *prefix);
void lab_withdraw(struct lab *lab, uint32_t server, const char *neighbor, const char *prefix);

struct program_size lab_size(const struct lab *lab);

/* Sends one TCP packet from NIC `nic` (index of the fabric) and says what is decided. */
struct dp_verdict lab_send(const struct lab *lab, uint32_t nic, const char *source,
                           const char *destination, uint16_t port);
struct dp_packet lab_packet(const struct lpm_address *source, const struct lpm_address *destination,
                            uint16_t port);

#endif
