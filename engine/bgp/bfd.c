/*
 * Variables bear the names of RFC 5880 section 6.8.1 (bfd.SessionState is `state`, and so on).
 *
 *   state machine (section 6.2), seen from this end; labels are the states that the peer sends:
 *
 *                 Down              Init, Up
 *        Down ──────────> Init ──────────────> Up
 *          │  Init                             ^
 *          └───────────────────────────────────┘
 *        Init, Up ──> Down: detection time over, peer AdminDown; Up ──> Down: peer Down
 *
 * Two things are due at times: our next packet (`send_us`) and the end of the detection time
 * (`detect_us`). A change of what we would say makes the next packet due at once (6.8.7), so that
 * sessions come up in a few round trips although both ends are slow while they are down.
 *
 * Intervals. Only Desired Min TX ever changes: a second or more while not Up, the configured
 * interval while Up (6.8.3). A change is told by a poll sequence; it is only lengthened outside of
 * Up, so that the rule that a longer interval waits for the end of the poll has nothing to rule.
 */
#include "engine/bgp/bfd.h"

#include <errno.h>
#include <stdlib.h>

#define NEVER UINT64_MAX
/* Section 6.8.3: not faster than this while the session is not Up. */
#define SLOW_US 1000000u

struct bfd_session {
    struct bfd_session_config config;
    enum bfd_state state, remote_state;
    uint8_t diagnostic, remote_diagnostic;
    uint32_t remote_discriminator;
    uint32_t desired_min_tx_us;
    uint32_t remote_desired_min_tx_us, remote_min_rx_us;
    uint8_t remote_multiplier;
    bool remote_demand;
    bool polling;   /* a poll sequence of ours is not answered yet */
    bool final_due; /* a poll of the peer's is not answered yet */
    uint64_t random;
    uint64_t sent_us; /* our last periodic packet; NEVER: none yet */
    uint64_t send_us, detect_us;
    uint64_t off_us;   /* AdminDown: when we fall silent */
    uint64_t start_us; /* AdminDown: when it is over; NEVER: no one has asked for that */
    bool renewed;      /* the packet at hand is of a new session of the peer's */
    uint64_t since_us;
    uint64_t packets_in, packets_out, went_up, went_down;
    enum bfd_diagnostic last_down, remote_at_down;
};

/* --- Intervals -------------------------------------------------------------------------------- */

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Section 6.8.7: no faster than we want to send, nor than the peer can receive. 0: not at all. */
static uint64_t transmit_us(const struct bfd_session *session)
{
    bool demanded = session->remote_demand && session->state == BFD_UP &&
                    session->remote_state == BFD_UP && !session->polling;
    if (session->remote_min_rx_us == 0 || demanded) {
        return 0;
    }
    return larger(session->desired_min_tx_us, session->remote_min_rx_us);
}

/* Section 6.8.4. 0 before the first packet. */
static uint64_t detection_us(const struct bfd_session *session)
{
    return (uint64_t)session->remote_multiplier *
           larger(session->config.interval_us, session->remote_desired_min_tx_us);
}

/* splitmix64: equal seeds give equal packets, so the twin repeats itself. */
static uint64_t next_random(struct bfd_session *session)
{
    uint64_t value = session->random += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* Section 6.8.7: up to a quarter less, so that sessions do not march in step; and with a multiplier
 * of 1 at least a tenth less, as then one packet late is a failure. */
static uint64_t jittered(struct bfd_session *session, uint64_t interval)
{
    uint64_t most = session->config.multiplier == 1 ? interval - interval / 10 : interval;
    uint64_t least = interval - interval / 4;
    return least + next_random(session) % (most - least + 1);
}

/* Works out anew when the next packet is due, after something it depends on has changed. */
static void plan(struct bfd_session *session, uint64_t now_us)
{
    uint64_t interval = transmit_us(session);
    if (interval == 0 || (session->state == BFD_ADMIN_DOWN && now_us >= session->off_us)) {
        session->send_us = NEVER;
    } else if (session->sent_us == NEVER) {
        session->send_us = now_us;
    } else {
        session->send_us = session->sent_us + jittered(session, interval);
    }
}

/* What we say has changed: the peer hears of it at once. */
static void say_now(struct bfd_session *session, uint64_t now_us)
{
    plan(session, now_us);
    if (session->send_us != NEVER) {
        session->send_us = now_us;
    }
}

/* Sections 6.8.3 and 6.5. Nobody can answer a poll before we know the peer's discriminator; a peer
 * that comes later reads the interval from any packet. */
static void set_desired_min_tx(struct bfd_session *session, uint32_t interval_us)
{
    if (interval_us != session->desired_min_tx_us) {
        session->desired_min_tx_us = interval_us;
        session->polling = session->remote_discriminator != 0;
    }
}

/* --- State ------------------------------------------------------------------------------------ */

static void count(struct bfd_session *session, enum bfd_state to)
{
    if (to == BFD_UP) {
        session->went_up++;
    } else if (session->state == BFD_UP) {
        session->went_down++;
        session->last_down = (enum bfd_diagnostic)session->diagnostic;
        session->remote_at_down = (enum bfd_diagnostic)session->remote_diagnostic;
    }
}

/* diagnostic: why; on the way up the last one is kept until Up clears it, as the peer's operator
 * may want to know. */
static void enter(struct bfd_session *session, enum bfd_state to, enum bfd_diagnostic diagnostic,
                  uint64_t now_us)
{
    struct bfd_change change = {
        .from = session->state,
        .to = to,
        .diagnostic = diagnostic,
        .failed = session->state == BFD_UP && to == BFD_DOWN &&
                  session->remote_state != BFD_ADMIN_DOWN && !session->renewed,
    };
    if (to != BFD_INIT) {
        session->diagnostic = diagnostic;
    }
    count(session, to);
    session->state = to;
    session->since_us = now_us;
    set_desired_min_tx(session, to == BFD_UP ? session->config.interval_us
                                             : larger(session->config.interval_us, SLOW_US));
    say_now(session, now_us);
    if (session->config.changed != NULL) {
        session->config.changed(session->config.context, &change);
    }
}

/* Section 6.8.1: what was known of the peer is forgotten, its discriminator above all, so that it
 * may come back as another. A peer that had asked for silence could not come back otherwise. */
static void forget_peer(struct bfd_session *session)
{
    session->detect_us = NEVER;
    session->remote_discriminator = 0;
    session->remote_state = BFD_DOWN;
    session->remote_demand = false;
    session->remote_min_rx_us = 1;
    session->remote_desired_min_tx_us = 0;
    session->remote_multiplier = 0;
    session->polling = session->final_due = session->renewed = false;
}

/* Section 6.8.6, its last part. */
static void follow_peer(struct bfd_session *session, uint64_t now_us)
{
    enum bfd_state remote = session->remote_state;
    if (remote == BFD_ADMIN_DOWN) {
        if (session->state != BFD_DOWN) {
            enter(session, BFD_DOWN, BFD_NEIGHBOR_SIGNALED_DOWN, now_us);
        }
    } else if (session->state == BFD_DOWN) {
        if (remote == BFD_DOWN) {
            enter(session, BFD_INIT, BFD_NO_DIAGNOSTIC, now_us);
        } else if (remote == BFD_INIT) {
            enter(session, BFD_UP, BFD_NO_DIAGNOSTIC, now_us);
        }
    } else if (session->state == BFD_INIT) {
        if (remote != BFD_DOWN) {
            enter(session, BFD_UP, BFD_NO_DIAGNOSTIC, now_us);
        }
    } else if (remote == BFD_DOWN) {
        enter(session, BFD_DOWN, BFD_NEIGHBOR_SIGNALED_DOWN, now_us);
    }
}

/* --- Life ------------------------------------------------------------------------------------- */

int bfd_session_create(const struct bfd_session_config *config, struct bfd_session **session)
{
    if (config->discriminator == 0 || config->interval_us == 0 || config->multiplier == 0) {
        return -EINVAL;
    }
    struct bfd_session *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return -ENOMEM;
    }
    made->config = *config;
    made->state = BFD_ADMIN_DOWN;
    made->remote_state = BFD_DOWN;
    made->desired_min_tx_us = larger(config->interval_us, SLOW_US);
    made->remote_min_rx_us = 1; /* section 6.8.1 */
    made->random = config->seed;
    made->sent_us = made->send_us = made->detect_us = made->start_us = NEVER;
    *session = made;
    return 0;
}

void bfd_session_destroy(struct bfd_session *session)
{
    free(session);
}

static void begin(struct bfd_session *session, uint64_t now_us)
{
    session->start_us = NEVER;
    forget_peer(session);
    enter(session, BFD_DOWN, BFD_NO_DIAGNOSTIC, now_us);
}

void bfd_session_start(struct bfd_session *session, uint64_t now_us, uint64_t delay_us)
{
    if (session->state != BFD_ADMIN_DOWN) {
        return;
    }
    if (delay_us == 0) {
        begin(session, now_us);
    } else {
        session->start_us = now_us + delay_us;
    }
}

/* The interval is the slow one from here on, and nobody is listened to, so no poll is begun. */
void bfd_session_stop(struct bfd_session *session, uint64_t now_us)
{
    uint64_t slow_us =
        larger(SLOW_US, larger(session->config.interval_us, session->remote_min_rx_us));
    session->start_us = NEVER;
    if (session->state == BFD_ADMIN_DOWN) {
        return;
    }
    session->detect_us = NEVER;
    session->off_us = now_us + slow_us * session->config.multiplier;
    enter(session, BFD_ADMIN_DOWN, BFD_ADMINISTRATIVELY_DOWN, now_us);
    session->polling = session->final_due = false;
}

/* --- Packets and time ------------------------------------------------------------------------- */

static void learn(struct bfd_session *session, const struct bfd_packet *packet)
{
    session->remote_discriminator = packet->my_discriminator;
    session->remote_state = packet->state;
    session->remote_diagnostic = packet->diagnostic;
    session->remote_demand = packet->demand;
    session->remote_min_rx_us = packet->required_min_rx_us;
    session->remote_desired_min_tx_us = packet->desired_min_tx_us;
    session->remote_multiplier = packet->multiplier;
}

enum bfd_discard bfd_session_input(struct bfd_session *session, const struct bfd_packet *packet,
                                   uint64_t now_us)
{
    uint64_t before_us = transmit_us(session);
    uint32_t peer_before = session->remote_discriminator;
    if (session->state == BFD_ADMIN_DOWN) {
        return BFD_SESSION_IS_OFF;
    }
    session->renewed = peer_before != 0 && peer_before != packet->my_discriminator;
    learn(session, packet);
    if (packet->final) {
        session->polling = false;
    }
    session->packets_in++;
    session->detect_us = now_us + detection_us(session);
    follow_peer(session, now_us);
    session->final_due |= packet->poll;
    if (peer_before != session->remote_discriminator) {
        say_now(session, now_us);
    } else if (before_us != transmit_us(session) && session->send_us != now_us) {
        plan(session, now_us);
    }
    return BFD_TAKEN;
}

void bfd_session_tick(struct bfd_session *session, uint64_t now_us)
{
    if (now_us >= session->start_us) {
        begin(session, now_us);
    }
    if (now_us < session->detect_us) {
        return;
    }
    bool was_alive = session->state == BFD_INIT || session->state == BFD_UP;
    forget_peer(session);
    if (was_alive) {
        enter(session, BFD_DOWN, BFD_DETECTION_TIME_EXPIRED, now_us);
    } else {
        plan(session, now_us);
    }
}

/* An answer to a poll is sent whatever the interval (6.8.7) and does not count as a periodic
 * packet; P and F never stand in one packet. */
bool bfd_session_output(struct bfd_session *session, uint64_t now_us, struct bfd_packet *packet)
{
    bool final = session->final_due;
    if (!final && now_us < session->send_us) {
        return false;
    }
    *packet = (struct bfd_packet){
        .state = session->state,
        .diagnostic = session->diagnostic,
        .poll = session->polling && !final,
        .final = final,
        .multiplier = session->config.multiplier,
        .my_discriminator = session->config.discriminator,
        .your_discriminator = session->remote_discriminator,
        .desired_min_tx_us = session->desired_min_tx_us,
        .required_min_rx_us = session->config.interval_us,
    };
    session->final_due = false;
    session->packets_out++;
    if (!final) {
        session->sent_us = now_us;
        plan(session, now_us);
    }
    return true;
}

uint64_t bfd_session_deadline(const struct bfd_session *session)
{
    if (session->final_due) {
        return 0;
    }
    uint64_t due_us = session->send_us < session->detect_us ? session->send_us : session->detect_us;
    return due_us < session->start_us ? due_us : session->start_us;
}

/* --- Questions -------------------------------------------------------------------------------- */

enum bfd_state bfd_session_state(const struct bfd_session *session)
{
    return session->state;
}

uint32_t bfd_session_discriminator(const struct bfd_session *session)
{
    return session->config.discriminator;
}

void bfd_session_info(const struct bfd_session *session, struct bfd_info *info)
{
    *info = (struct bfd_info){
        .state = session->state,
        .remote_state = session->remote_state,
        .diagnostic = session->diagnostic,
        .remote_diagnostic = session->remote_diagnostic,
        .discriminator = session->config.discriminator,
        .remote_discriminator = session->remote_discriminator,
        .multiplier = session->config.multiplier,
        .remote_multiplier = session->remote_multiplier,
        .desired_min_tx_us = session->desired_min_tx_us,
        .required_min_rx_us = session->config.interval_us,
        .remote_desired_min_tx_us = session->remote_desired_min_tx_us,
        .remote_required_min_rx_us = session->remote_min_rx_us,
        .transmit_us = transmit_us(session),
        .detection_us = detection_us(session),
        .polling = session->polling,
        .remote_demand = session->remote_demand,
        .since_us = session->since_us,
        .packets_in = session->packets_in,
        .packets_out = session->packets_out,
        .went_up = session->went_up,
        .went_down = session->went_down,
        .last_down = session->last_down,
        .remote_at_down = session->remote_at_down,
    };
}
