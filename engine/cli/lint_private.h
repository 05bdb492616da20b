/*
 * What the rules of lint.h have in common. Only lint*.c includes this.
 */
#ifndef ENGINE_CLI_LINT_PRIVATE_H
#define ENGINE_CLI_LINT_PRIVATE_H

#include "engine/cli/lint.h"

#define LINT_OBJECT_TEXT 256

struct lint {
    const struct fabric *fabric;
    struct controller *controller;
    fabric_lint_take *take;
    void *context;
};

#define LINT_TELL(lint, ...) fabric_lint_tell((lint)->take, (lint)->context, __VA_ARGS__)

/* What the file says of a peer of a route server, and what findings call it. */
const struct fabric_bgp_peer *lint_peer_model(const struct lint *lint,
                                              const struct controller_peer *peer);
const char *lint_peer_object(const struct lint *lint, const struct controller_peer *peer,
                             char object[LINT_OBJECT_TEXT]);

/* L9 and L10 of what this route server has chosen. Returns 0 or -ENOMEM. */
int lint_choices(const struct lint *lint, uint32_t route_server);

#endif
