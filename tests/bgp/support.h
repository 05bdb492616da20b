/*
 * What the tests of this room share: random numbers with a printed seed, bytes from hexadecimal
 * text, a session alone (bytes are made by hand), and two sessions wired back to back in virtual
 * time.
 */
#ifndef TESTS_BGP_SUPPORT_H
#define TESTS_BGP_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/bgp/session.h"

/* --- Random ----------------------------------------------------------------------------------- */

struct dice {
    uint64_t state;
};
/* From BGP_TEST_SEED or fixed; printed, so that a failure can be repeated. */
struct dice dice_new(const char *test);
uint64_t dice_roll(struct dice *dice);
/* 0 .. n - 1 */
unsigned dice_below(struct dice *dice, unsigned n);

/* --- Bytes ------------------------------------------------------------------------------------ */

/* Reads hexadecimal digits, blanks ignored; returns how many bytes. */
size_t bytes_from_hex(const char *hex, uint8_t *bytes, size_t capacity);
/* A message of this type around a body; returns its length. */
size_t message_around(uint8_t type, const uint8_t *body, size_t n, uint8_t *bytes);
struct lpm_prefix prefix_of(const char *text);
struct lpm_address address_of(const char *text);
struct lpm_prefix random_prefix(struct dice *dice, enum bgp_family family);

/* A random set; internal: may have what only iBGP carries. four_octet: AS numbers beyond 65,535
 * too. */
void random_set(struct dice *dice, struct bgp_attribute_builder *builder, bool internal,
                bool four_octet, enum bgp_family family);

/* --- A session alone -------------------------------------------------------------------------- */

struct solo {
    struct bgp_session *session;
    struct bgp_attribute_table *table;
    uint64_t now_ms;
    unsigned connects, closes[2], readies[2], states, notices;
    unsigned announced, withdrawn, refreshes, end_of_ribs;
    unsigned markers[2]; /* of an enhanced refresh: ends, begins */
    struct bgp_attributes const *last; /* attributes of the last announcement, held */
    struct lpm_prefix last_prefix;
    char reason[512], notice[512];
    bool input_waits;       /* what the handler says */
    unsigned reset_at;      /* the handler resets the session at this announcement; 0: never */
    const uint8_t *updates; /* what fill_updates gives, once */
    size_t updates_size;
};

struct bgp_session_config solo_config(void); /* AS 65515, 10.0.0.1, towards AS 65001; hold 180 */
void solo_open(struct solo *solo, const struct bgp_session_config *config);
void solo_close(struct solo *solo);
/* Everything there is to send. */
size_t solo_output(struct solo *solo, enum bgp_direction direction, uint8_t *bytes,
                   size_t capacity);
void solo_input(struct solo *solo, enum bgp_direction direction, const uint8_t *bytes, size_t n);
/* The other end's OPEN: AS 65001, 10.0.0.2, hold 90, both families, 4-octet AS, route refresh. */
struct bgp_open peer_open(void);
void solo_input_open(struct solo *solo, enum bgp_direction direction, const struct bgp_open *open);
void solo_input_keepalive(struct solo *solo, enum bgp_direction direction);
/* Start, connect, OPEN and KEEPALIVE: Established on the outgoing connection; output drained. */
void solo_establish(struct solo *solo, const struct bgp_open *open);
/* Drains the output and reads the NOTIFICATION at its end; code 0 when there is none. */
struct bgp_error solo_notification(struct solo *solo, enum bgp_direction direction);

enum bgp_state state_of(const struct solo *solo);
/* Moves time from deadline to deadline until it is at_ms. */
void pass_time(struct solo *solo, uint64_t at_ms);

/* Criterion's header must be there. */
#define assert_error(error, wanted_code, wanted_subcode)                                           \
    do {                                                                                           \
        struct bgp_error found_ = (error);                                                         \
        cr_assert_eq(found_.code, wanted_code, "code %u", found_.code);                            \
        cr_assert_eq(found_.subcode, wanted_subcode, "subcode %u", found_.subcode);                \
    } while (0)

/* --- Two sessions ----------------------------------------------------------------------------- */

#define PAIR_ROUTES 64

struct pair_end {
    struct pair *pair;
    unsigned index;
    struct bgp_session *session;
    struct bgp_attribute_table *table;
    const struct bgp_attributes *set4, *set6; /* announced with */
    unsigned to_send;                         /* routes not sent yet, of PAIR_ROUTES */
    bool end_sent;
    bool received[PAIR_ROUTES];
    unsigned end_of_ribs, established;
};

struct pair_pipe {
    uint8_t *bytes;
    size_t size, capacity;
    bool finished; /* nothing comes after bytes */
};

/* A TCP connection, opened by the end of its index; pipes towards end 0 and end 1. */
struct pair_tcp {
    /* Up at the end that opened it, not yet accepted by the other: TCP_HALF. */
    enum { TCP_NONE, TCP_OPENING, TCP_HALF, TCP_UP } state;
    struct pair_pipe pipes[2];
    bool closing[2]; /* by which end */
};

struct pair {
    struct pair_end ends[2];
    struct pair_tcp tcps[2];
    struct dice *dice;
    uint64_t now_ms;
    unsigned chunk_max; /* bytes delivered at once, at most */
};

void pair_open(struct pair *pair, struct dice *dice, const struct bgp_session_config configs[2]);
void pair_close(struct pair *pair);
/* One random thing that can happen now, or else time passes to the next deadline. */
void pair_step(struct pair *pair);
/* Steps until both are Established with every route exchanged, or until_ms has passed. */
bool pair_converge(struct pair *pair, uint64_t until_ms);
/* Route number i: IPv4 for even numbers, IPv6 for odd ones. */
struct lpm_prefix pair_route(unsigned i);

#endif
