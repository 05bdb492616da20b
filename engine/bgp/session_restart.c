/*
 * Restarts, the peer's and our own, as far as a session knows of them: what is offered and agreed on
 * (RFC 4724, RFC 8538, RFC 9494), after which ends the peer's routes may stay, and how our own
 * restart looks. What becomes of the routes is for the speaker to see to.
 */
#include "engine/bgp/session_private.h"

/* Without a time of our own the capability names no family: we keep the peer's routes, and it need
 * not keep ours (RFC 4724 section 3). */
struct bgp_graceful session_graceful(const struct bgp_session *session)
{
    const struct bgp_restart_config *restart = &session->config.restart;
    uint32_t families = restart->time_s > 0 ? session->config.families : 0;
    if (!restart->offered) {
        return (struct bgp_graceful){0};
    }
    return (struct bgp_graceful){
        .offered = true,
        .restarting = session->restarting,
        .notification = true,
        .time_s = restart->time_s,
        .families = families,
        .forwarding = restart->forwarding ? families : 0,
    };
}

struct bgp_long_lived session_long_lived(const struct bgp_session *session)
{
    const struct bgp_restart_config *restart = &session->config.restart;
    struct bgp_long_lived offer = {0};
    if (!restart->offered || restart->long_lived_s == 0) {
        return offer;
    }
    offer.offered = true;
    offer.families = session->config.families;
    offer.forwarding = restart->forwarding ? offer.families : 0;
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        offer.stale_time_s[i] = restart->long_lived_s;
    }
    return offer;
}

/* RFC 9494 section 4.1: nothing of it counts without the capability of RFC 4724. A stale time of
 * the peer's beyond ours is cut. */
void session_agree_on_restart(struct bgp_session *session, const struct bgp_open *open)
{
    const struct bgp_restart_config *ours = &session->config.restart;
    struct bgp_negotiated *negotiated = &session->negotiated;
    if (!ours->offered || !open->graceful.offered) {
        return;
    }
    negotiated->graceful_restart = true;
    negotiated->restart_notification = open->graceful.notification;
    negotiated->peer_restarted = open->graceful.restarting;
    negotiated->restart_time_s = open->graceful.time_s;
    negotiated->restart_families = open->graceful.families & negotiated->families;
    negotiated->forwarding_families = open->graceful.forwarding & negotiated->families;
    if (ours->long_lived_s == 0 || !open->long_lived.offered) {
        return;
    }
    negotiated->long_lived_families = open->long_lived.families & negotiated->families;
    negotiated->long_lived_forwarding = open->long_lived.forwarding & negotiated->families;
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        uint32_t theirs = open->long_lived.stale_time_s[i];
        negotiated->stale_time_s[i] = theirs < ours->long_lived_s ? theirs : ours->long_lived_s;
    }
}

/* RFC 8538 section 4: a NOTIFICATION keeps the routes where both ends said so, unless it is a Hard
 * Reset; RFC 4724 section 4.2: without that only a loss does. */
void session_retain(struct bgp_session *session, const struct bgp_error *error)
{
    const struct bgp_negotiated *negotiated = &session->negotiated;
    bool hard =
        error != NULL && error->code == BGP_ERROR_CEASE && error->subcode == BGP_CEASE_HARD_RESET;
    session->retained = 0;
    if (session->state != BGP_ESTABLISHED || !negotiated->graceful_restart || hard ||
        session->base == BASE_STOPPED || (error != NULL && !negotiated->restart_notification)) {
        return;
    }
    session->retained = negotiated->restart_families | negotiated->long_lived_families;
}

/* No failure of the peer's: the pause does not count as one. */
void bgp_session_abandon(struct bgp_session *session, uint64_t pause_ms, uint64_t now_ms)
{
    session->now_ms = now_ms;
    if (session->base == BASE_STOPPED || session->base == BASE_PAUSING) {
        return;
    }
    session->base = BASE_PAUSING;
    session->failures = 0;
    session->established_ms = NEVER;
    session->restarting = true;
    session->idle_deadline = now_ms + pause_ms;
    session_stop_connecting(session);
    session_reason(session, "this end restarts");
    for (unsigned i = 0; i < 2; i++) {
        if (session->connections[i].state != BGP_IDLE) {
            session->retained =
                session->state == BGP_ESTABLISHED ? session->negotiated.families : 0;
            session->end = BGP_END_SILENT;
            connection_mute(&session->connections[i]);
            connection_end(session, (enum bgp_direction)i, true, FALL_EARLY);
        }
    }
    session_settle(session);
}

void bgp_session_set_restarting(struct bgp_session *session, bool restarting)
{
    session->restarting = restarting;
}
