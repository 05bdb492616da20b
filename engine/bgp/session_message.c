/*
 * What each message does to a connection and its session (RFC 4271 section 8.2.2 from OpenSent
 * on), collision detection (6.8), and the way of an UPDATE to the handler.
 */
#include "engine/bgp/session_private.h"

#include <stdio.h>

struct bgp_open session_open(const struct bgp_session *session)
{
    return (struct bgp_open){
        .version = 4,
        .asn = session->config.local_asn,
        .hold_time_s = session->config.hold_time_s,
        .identifier = session->config.identifier,
        .multiprotocol = true,
        .families = session->config.families,
        .four_octet_as = !session->config.two_octet_as,
        .route_refresh = true,
        .enhanced_refresh = true,
        .extended_messages = session->config.extended_messages,
        .extended_next_hop = session->config.extended_next_hop,
        .add_path = session->config.add_path,
        .role = session_role(session),
        .graceful = session_graceful(session),
        .long_lived = session_long_lived(session),
    };
}

/* --- OPEN ------------------------------------------------------------------------------------- */

/* The multiprotocol capabilities that we wanted one of, sent back as RFC 5492 section 5 says. */
static void blame_families(const struct bgp_session *session, struct bgp_error *error)
{
    uint8_t data[6 * BGP_FAMILY_COUNT];
    size_t n = 0;
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        if (session->config.families & BGP_FAMILY_BIT(i)) {
            const struct bgp_family_info *family = bgp_family_info((enum bgp_family)i);
            uint8_t capability[6] = {1, 4, 0, (uint8_t)family->afi, 0, family->safi};
            memcpy(data + n, capability, sizeof capability);
            n += sizeof capability;
        }
    }
    bgp_error_set(error, BGP_ERROR_OPEN, BGP_OPEN_BAD_CAPABILITY, data, n);
}

/* The checks that need the configuration. False with *error and detail. */
static bool open_acceptable(const struct bgp_session *session, const struct bgp_open *open,
                            struct bgp_error *error, char *detail, size_t size)
{
    if (open->asn != session->config.peer_asn) {
        snprintf(detail, size, "the peer says AS %u, AS %u was expected", open->asn,
                 session->config.peer_asn);
        bgp_error_set(error, BGP_ERROR_OPEN, BGP_OPEN_BAD_PEER_AS, NULL, 0);
        return false;
    }
    if (bgp_session_internal(session) && open->identifier == session->config.identifier) {
        snprintf(detail, size, "the peer has our own BGP identifier");
        bgp_error_set(error, BGP_ERROR_OPEN, BGP_OPEN_BAD_IDENTIFIER, NULL, 0);
        return false;
    }
    if ((open->families & session->config.families) == 0) {
        snprintf(detail, size, "no address family in common");
        blame_families(session, error);
        return false;
    }
    return session_role_acceptable(session, open, error, detail, size);
}

/* Does the connection that we opened stay? The higher identifier decides (RFC 4271 6.8), then the
 * higher AS (RFC 6286 2.3). */
static bool outgoing_stays(const struct bgp_session *session, const struct bgp_open *open)
{
    if (session->config.identifier != open->identifier) {
        return session->config.identifier > open->identifier;
    }
    return session->config.local_asn > open->asn;
}

/* Returns true when the connection that the OPEN came on is to go on. Both ends see the same
 * OPENs, so a connection in OpenSent is compared too: waiting for its OPEN could only lead to the
 * same choice. */
static bool survives_collision(struct bgp_session *session, enum bgp_direction direction,
                               const struct bgp_open *open)
{
    struct connection *other = session_other(session, direction);
    struct bgp_error error;
    bgp_error_set(&error, BGP_ERROR_CEASE, BGP_CEASE_COLLISION, NULL, 0);
    if (other->state == BGP_IDLE) {
        return true;
    }
    if (other->state == BGP_ESTABLISHED ||
        outgoing_stays(session, open) != (direction == BGP_OUTGOING)) {
        connection_fail(session, direction, &error, "the other connection stays");
        return false;
    }
    connection_fail(session, direction == BGP_OUTGOING ? BGP_INCOMING : BGP_OUTGOING, &error,
                    "the other connection stays");
    return session->connections[direction].state != BGP_IDLE;
}

/* RFC 4271 section 4.2 for the hold time, 4.4 for a third of it. A keepalive interval from the
 * configuration can only make keepalives more frequent, never so rare that the peer gives up. */
static void agree_on_timers(struct bgp_session *session, struct connection *connection)
{
    uint16_t ours = session->config.hold_time_s, theirs = connection->peer.hold_time_s;
    connection->hold_ms = (ours < theirs ? ours : theirs) * 1000u;
    connection->keepalive_ms = connection->hold_ms / 3;
    uint32_t wanted = session->config.keepalive_s * 1000u;
    if (wanted > 0 && wanted < connection->keepalive_ms) {
        connection->keepalive_ms = wanted;
    }
}

/* The collision is settled before the OPEN has any effect on this connection. */
static void take_open(struct bgp_session *session, enum bgp_direction direction,
                      const uint8_t *bytes, const struct bgp_header *header)
{
    struct connection *connection = &session->connections[direction];
    struct bgp_open open;
    struct bgp_error error;
    char detail[96] = "the peer's OPEN cannot be accepted";
    if (!bgp_open_decode(bytes, header->length, &open, &error) ||
        !open_acceptable(session, &open, &error, detail, sizeof detail)) {
        connection_fail(session, direction, &error, detail);
        return;
    }
    if (!survives_collision(session, direction, &open)) {
        return;
    }
    connection->peer = open;
    bytes_buffer_append(&connection->opens[false], bytes, header->length);
    agree_on_timers(session, connection);
    connection->state = BGP_OPEN_CONFIRM;
    connection_restart_hold(session, connection);
    connection_queue_keepalive(session, direction);
    session_reason(session, "OPEN received on the %s connection", bgp_direction_text(direction));
    session_settle(session);
}

/* --- KEEPALIVE -------------------------------------------------------------------------------- */

/* Only here is anything written that outlives the connection: two connections may both be in
 * OpenConfirm, and what they negotiated may differ. */
static void establish(struct bgp_session *session, enum bgp_direction direction)
{
    struct connection *connection = &session->connections[direction];
    const struct bgp_open *open = &connection->peer;
    bool extended = session->config.extended_messages && open->extended_messages;
    session->negotiated = (struct bgp_negotiated){
        .peer_identifier = open->identifier,
        .hold_time_s = (uint16_t)(connection->hold_ms / 1000),
        .keepalive_ms = connection->keepalive_ms,
        .families = open->families & session->config.families,
        .four_octet_as = open->four_octet_as && !session->config.two_octet_as,
        .route_refresh = open->route_refresh,
        .enhanced_refresh = open->enhanced_refresh && open->route_refresh,
        .extended_messages = extended,
        .extended_next_hop = session->config.extended_next_hop && open->extended_next_hop,
        .add_path = session_agreed_add_path(session, open),
        .peer_role = session_role(session) != BGP_ROLE_NONE ? open->role : BGP_ROLE_NONE,
        .direction = direction,
    };
    session_agree_on_restart(session, open);
    session->retained = 0;
    session->encoding = (struct bgp_encoding){
        .four_octet_as = session->negotiated.four_octet_as,
        .message_max = extended ? BGP_EXTENDED_MESSAGE_MAX : BGP_MESSAGE_MAX,
        .add_path = session->negotiated.add_path.send,
    };
    connection->state = BGP_ESTABLISHED;
    session->established_ms = session->now_ms;
    session->counters.established++;
    session_stop_connecting(session);
    session_reason(session, "established on the %s connection, hold time %u s",
                   bgp_direction_text(direction), session->negotiated.hold_time_s);
    session_settle(session);
}

/* --- UPDATE ----------------------------------------------------------------------------------- */

static bool nlri_empty(const struct bgp_nlri *nlri)
{
    return nlri->at == nlri->end;
}

static void tell_routes(struct bgp_session *session, enum bgp_family family,
                        const struct bgp_nlri *withdrawn, const struct bgp_nlri *announced,
                        const struct bgp_attributes *attributes)
{
    const struct bgp_nlri none = {.family = family};
    struct bgp_routes routes = {
        .family = family,
        .withdrawn = withdrawn != NULL ? *withdrawn : none,
        .announced = announced != NULL ? *announced : none,
        .attributes = attributes,
    };
    bool empty = nlri_empty(&routes.withdrawn) && nlri_empty(&routes.announced);
    /* An earlier part of the same UPDATE may have led the handler to end the session. */
    if (!empty && session->state == BGP_ESTABLISHED && session->handler.routes != NULL) {
        session->handler.routes(session->handler.context, &routes);
    }
}

/* Announces one field of the message; false when memory is short. withdrawn comes with it. */
static bool tell_announced(struct bgp_session *session, bool multiprotocol,
                           const struct bgp_nlri *withdrawn, const struct bgp_nlri *announced)
{
    const struct bgp_attributes *attributes = NULL;
    if (nlri_empty(announced)) {
        if (withdrawn != NULL) {
            tell_routes(session, withdrawn->family, withdrawn, NULL, NULL);
        }
        return true;
    }
    int error = bgp_update_attributes(session->reader, multiprotocol, session->config.attributes,
                                      &attributes);
    if (error == -EMSGSIZE) {
        session->counters.treated_as_withdraw++;
        session_notice(session, "attributes are larger than any message could carry: treated as "
                                "withdraw");
        if (withdrawn != NULL) {
            tell_routes(session, withdrawn->family, withdrawn, NULL, NULL);
        }
        tell_routes(session, announced->family, announced, NULL, NULL);
        return true;
    }
    if (error != 0) {
        return false;
    }
    tell_routes(session, announced->family, withdrawn, announced, attributes);
    bgp_attributes_release(session->config.attributes, attributes);
    return true;
}

/* RFC 7606 section 2: the routes go, whatever else was wrong with them; those that were to be
 * withdrawn go anyway. */
static void tell_as_withdrawn(struct bgp_session *session, const struct bgp_update *update)
{
    const struct bgp_nlri *fields[] = {&update->withdrawn, &update->mp_withdrawn,
                                       &update->announced, &update->mp_announced};
    session->counters.treated_as_withdraw++;
    for (unsigned i = 0; i < 4; i++) {
        tell_routes(session, fields[i]->family, fields[i], NULL, NULL);
    }
}

/* Counts what was malformed, and shows the beginning of the offending bytes. */
static void note_malformed(struct bgp_session *session, const struct bgp_update *update,
                           enum bgp_update_outcome outcome)
{
    static const char *const texts[] = {
        [BGP_UPDATE_FINE] = "discarded",
        [BGP_UPDATE_WITHDRAW] = "treated as withdraw",
        [BGP_UPDATE_RESET] = "session reset",
    };
    if (update->malformed == 0) {
        return;
    }
    session->counters.malformed[update->malformed_type]++;
    session->counters.attributes_discarded += update->discarded;
    char text[BGP_ERROR_TEXT], hexadecimal[2 * 32 + 1] = "";
    for (unsigned i = 0; i < update->error.length && i < 32; i++) {
        snprintf(hexadecimal + (size_t)i * 2, 3, "%02x", update->error.data[i]);
    }
    session_notice(session, "malformed attribute %u, %s: %s, bytes %s%s", update->malformed_type,
                   texts[outcome], bgp_error_format(&update->error, text),
                   hexadecimal[0] != 0 ? hexadecimal : "none",
                   update->error.length > 32 ? "..." : "");
}

/* Withdrawals before announcements: a prefix that is in both fields is reachable (RFC 4271
 * section 4.3). */
static void take_update(struct bgp_session *session, enum bgp_direction direction,
                        const uint8_t *bytes, const struct bgp_header *header)
{
    struct bgp_update_context context = {
        .four_octet_as = session->negotiated.four_octet_as,
        .internal = bgp_session_internal(session),
        .accept_as_set = session->config.accept_as_set,
        .extended_next_hop = session->negotiated.extended_next_hop,
        .families = session->negotiated.families,
        .add_path = session->negotiated.add_path.receive,
    };
    struct bgp_update update;
    enum bgp_update_outcome outcome =
        bgp_update_decode(session->reader, &context, bytes, header->length, &update);
    note_malformed(session, &update, outcome);
    if (outcome == BGP_UPDATE_RESET) {
        connection_fail(session, direction, &update.error, "malformed UPDATE");
        return;
    }
    if (outcome == BGP_UPDATE_WITHDRAW) {
        tell_as_withdrawn(session, &update);
        return;
    }
    if (update.end_of_rib) {
        if (session->handler.end_of_rib != NULL) {
            session->handler.end_of_rib(session->handler.context, update.end_of_rib_family);
        }
        return;
    }
    tell_routes(session, update.mp_withdrawn.family, &update.mp_withdrawn, NULL, NULL);
    if (!tell_announced(session, false, &update.withdrawn, &update.announced) ||
        !tell_announced(session, true, NULL, &update.mp_announced)) {
        struct bgp_error error;
        bgp_error_set(&error, BGP_ERROR_CEASE, BGP_CEASE_RESOURCES, NULL, 0);
        connection_fail(session, direction, &error, "no memory for attributes");
    }
}

/* --- The others ------------------------------------------------------------------------------- */

/* Does the peer merely go, by the will of its people or its machine? Then nothing keeps it from coming back; whatever
 * else it complains of would be there still. Of a Hard Reset what it carries counts (RFC 8538 section 3.1). */
static bool is_farewell(const struct bgp_error *error)
{
    static const uint8_t subcodes[] = {BGP_CEASE_SHUTDOWN,  BGP_CEASE_DECONFIGURED,
                                       BGP_CEASE_RESET,     BGP_CEASE_CHANGED,
                                       BGP_CEASE_COLLISION, BGP_CEASE_BFD_DOWN};
    uint8_t code = error->code, subcode = error->subcode;
    if (code == BGP_ERROR_CEASE && subcode == BGP_CEASE_HARD_RESET && error->length >= 2) {
        code = error->data[0];
        subcode = error->data[1];
    }
    return code == BGP_ERROR_CEASE && memchr(subcodes, subcode, sizeof subcodes) != NULL;
}

/* There is no answer to a NOTIFICATION, not even when it is malformed itself (RFC 4271 section
 * 6.4). */
static void take_notification(struct bgp_session *session, enum bgp_direction direction,
                              const uint8_t *bytes, const struct bgp_header *header)
{
    char text[BGP_ERROR_TEXT];
    bgp_notification_decode(bytes, header->length, &session->last_received);
    session_reason(session, "received NOTIFICATION %s",
                   bgp_error_format(&session->last_received, text));
    if (session->connections[direction].state == BGP_ESTABLISHED) {
        session_retain(session, &session->last_received);
        session->end = BGP_END_RECEIVED;
    }
    connection_end(session, direction, true,
                   is_farewell(&session->last_received) ? FALL_LEFT : FALL_FAULT);
}

static void tell_refresh(struct bgp_session *session, uint8_t subtype, enum bgp_family family)
{
    const struct bgp_session_handler *handler = &session->handler;
    bool marker = subtype == BGP_REFRESH_BEGIN || subtype == BGP_REFRESH_END;
    if (subtype == BGP_REFRESH_REQUEST && handler->refresh_requested != NULL) {
        handler->refresh_requested(handler->context, family);
    } else if (marker && session->negotiated.enhanced_refresh && handler->refresh_marker != NULL) {
        handler->refresh_marker(handler->context, family, subtype == BGP_REFRESH_BEGIN);
    }
}

static void take_refresh(struct bgp_session *session, enum bgp_direction direction,
                         const uint8_t *bytes, const struct bgp_header *header)
{
    struct bgp_refresh refresh;
    struct bgp_error error;
    enum bgp_family family;
    if (!bgp_refresh_decode(bytes, header->length, &refresh, &error)) {
        connection_fail(session, direction, &error, "malformed ROUTE-REFRESH");
        return;
    }
    /* Families that were not agreed on, and other subtypes, are to be ignored (RFC 2918 section 4,
     * RFC 7313 section 5). */
    if (bgp_family_find(refresh.afi, refresh.safi, &family) &&
        session->negotiated.families & BGP_FAMILY_BIT(family)) {
        tell_refresh(session, refresh.subtype, family);
    }
}

/* A message that the state does not expect (RFC 6608). */
static void take_unexpected(struct bgp_session *session, enum bgp_direction direction, uint8_t type)
{
    static const uint8_t subcodes[] = {
        [BGP_OPEN_SENT] = BGP_FSM_IN_OPEN_SENT,
        [BGP_OPEN_CONFIRM] = BGP_FSM_IN_OPEN_CONFIRM,
        [BGP_ESTABLISHED] = BGP_FSM_IN_ESTABLISHED,
    };
    struct bgp_error error;
    enum bgp_state state = session->connections[direction].state;
    bgp_error_set(&error, BGP_ERROR_FSM, subcodes[state], &type, 1);
    connection_fail(session, direction, &error, bgp_message_type_text(type));
}

/* The hold timer is restarted by every message that is welcome, before what it says is looked at:
 * a long UPDATE must not cost the peer its session. */
void session_take_message(struct bgp_session *session, enum bgp_direction direction,
                          const uint8_t *bytes, const struct bgp_header *header)
{
    struct connection *connection = &session->connections[direction];
    session->counters.messages_in[header->type]++;
    if (header->type == BGP_NOTIFICATION) {
        take_notification(session, direction, bytes, header);
        return;
    }
    if (connection->state == BGP_OPEN_SENT && header->type == BGP_OPEN) {
        take_open(session, direction, bytes, header);
        return;
    }
    if (connection->state == BGP_OPEN_CONFIRM && header->type == BGP_KEEPALIVE) {
        connection_restart_hold(session, connection);
        establish(session, direction);
        return;
    }
    if (connection->state != BGP_ESTABLISHED || header->type == BGP_OPEN) {
        take_unexpected(session, direction, header->type);
        return;
    }
    connection_restart_hold(session, connection);
    if (header->type == BGP_UPDATE) {
        take_update(session, direction, bytes, header);
    } else if (header->type == BGP_ROUTE_REFRESH) {
        take_refresh(session, direction, bytes, header);
    }
}
