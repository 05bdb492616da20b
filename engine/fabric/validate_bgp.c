/*
 * What is under `bgp:` of a session: keys that only make sense between, or within, autonomous systems.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>

void fabric_check_bgp_options(struct fabric_loader *loader,
                              const struct fabric_bgp_options *options, bool internal,
                              const struct fabric_place *place, const char *what)
{
    if (internal && options->reflection == FABRIC_REFLECTION_NONE)
        FABRIC_ERROR(
            loader, place,
            "%s.asn: is the route server's own; an internal session wants bgp: {reflection: "
            "client} or {reflection: non_client}",
            what);
    else if (!internal && options->reflection != FABRIC_REFLECTION_NONE)
        FABRIC_ERROR(loader, fabric_place_of(loader, &options->reflection, place),
                     "%s.bgp.reflection: is for internal sessions; this peer has another AS number",
                     what);
    else if (internal && options->role != BGP_ROLE_NONE)
        FABRIC_ERROR(loader, fabric_place_of(loader, &options->role, place),
                     "%s.bgp.role: roles are for external sessions (RFC 9234)", what);
    if (options->role == BGP_ROLE_NONE && options->role_strict)
        FABRIC_ERROR(loader, fabric_place_of(loader, &options->role_strict, place),
                     "%s.bgp.role_strict: wants a role", what);
}
