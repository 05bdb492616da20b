/*
 * What two OPENs agree on beyond the basics: roles (RFC 9234), path identifiers (RFC 7911), and all
 * that was agreed in words for people.
 */
#include "engine/bgp/session_private.h"

#include <stdarg.h>
#include <stdio.h>

/* --- Roles ------------------------------------------------------------------------------------ */

const char *bgp_role_text(enum bgp_role role)
{
    static const char *const texts[] = {
        [BGP_ROLE_NONE] = "none",
        [BGP_ROLE_PROVIDER] = "provider",
        [BGP_ROLE_RS] = "rs",
        [BGP_ROLE_RS_CLIENT] = "rs-client",
        [BGP_ROLE_CUSTOMER] = "customer",
        [BGP_ROLE_PEER] = "peer",
        [BGP_ROLE_UNKNOWN] = "an unknown one",
    };
    return (unsigned)role < sizeof texts / sizeof texts[0] ? texts[role] : "an unknown one";
}

enum bgp_role session_role(const struct bgp_session *session)
{
    return bgp_session_internal(session) ? BGP_ROLE_NONE : session->config.role;
}

/* The role that an end must have where the other has this one (RFC 9234 section 4.2). */
static enum bgp_role counterpart(enum bgp_role role)
{
    static const uint8_t counterparts[] = {
        [BGP_ROLE_PROVIDER] = BGP_ROLE_CUSTOMER, [BGP_ROLE_CUSTOMER] = BGP_ROLE_PROVIDER,
        [BGP_ROLE_RS] = BGP_ROLE_RS_CLIENT,      [BGP_ROLE_RS_CLIENT] = BGP_ROLE_RS,
        [BGP_ROLE_PEER] = BGP_ROLE_PEER,
    };
    return (enum bgp_role)counterparts[role];
}

bool session_role_acceptable(const struct bgp_session *session, const struct bgp_open *open,
                             struct bgp_error *error, char *detail, size_t size)
{
    enum bgp_role ours = session_role(session);
    if (ours == BGP_ROLE_NONE || (open->role == BGP_ROLE_NONE && !session->config.role_strict) ||
        (open->role == counterpart(ours) && !open->roles_differ)) {
        return true;
    }
    snprintf(detail, size, "our role is %s, so the peer's must be %s; it says %s",
             bgp_role_text(ours), bgp_role_text(counterpart(ours)),
             open->roles_differ ? "several" : bgp_role_text(open->role));
    bgp_error_set(error, BGP_ERROR_OPEN, BGP_OPEN_ROLE_MISMATCH, NULL, 0);
    return false;
}

/* --- Path identifiers ------------------------------------------------------------------------- */

struct bgp_add_path session_agreed_add_path(const struct bgp_session *session,
                                            const struct bgp_open *open)
{
    uint32_t families = open->families & session->config.families;
    return (struct bgp_add_path){
        .receive = families & session->config.add_path.receive & open->add_path.send,
        .send = families & session->config.add_path.send & open->add_path.receive,
    };
}

/* --- In words --------------------------------------------------------------------------------- */

/* Counts what is there until the wanted one is. */
struct capability_search {
    unsigned wanted, seen;
    char *text;
    bool found;
};

__attribute__((format(printf, 3, 4))) static void offer(struct capability_search *search,
                                                        bool present, const char *format, ...)
{
    if (!present || search->seen++ != search->wanted) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(search->text, BGP_CAPABILITY_TEXT, format, arguments);
    va_end(arguments);
    search->found = true;
}

bool bgp_negotiated_capability(const struct bgp_negotiated *negotiated, unsigned index,
                               char text[BGP_CAPABILITY_TEXT])
{
    struct capability_search search = {.wanted = index, .text = text};
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        const char *name = bgp_family_info((enum bgp_family)i)->name;
        offer(&search, negotiated->families & BGP_FAMILY_BIT(i), "%s", name);
    }
    offer(&search, negotiated->four_octet_as, "four-octet-as");
    offer(&search, negotiated->route_refresh, "route-refresh");
    offer(&search, negotiated->enhanced_refresh, "enhanced-refresh");
    offer(&search, negotiated->graceful_restart, "graceful-restart %u s%s",
          negotiated->restart_time_s, negotiated->restart_notification ? " notification" : "");
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        offer(&search, negotiated->long_lived_families & BGP_FAMILY_BIT(i),
              "long-lived-graceful-restart %s %u s", bgp_family_info((enum bgp_family)i)->name,
              negotiated->stale_time_s[i]);
    }
    offer(&search, negotiated->extended_messages, "extended-message");
    offer(&search, negotiated->extended_next_hop, "extended-next-hop");
    offer(&search, negotiated->peer_role != BGP_ROLE_NONE, "role of the peer %s",
          bgp_role_text(negotiated->peer_role));
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        const char *name = bgp_family_info((enum bgp_family)i)->name;
        offer(&search, negotiated->add_path.receive & BGP_FAMILY_BIT(i), "add-path receive %s",
              name);
        offer(&search, negotiated->add_path.send & BGP_FAMILY_BIT(i), "add-path send %s", name);
    }
    return search.found;
}
