#include "engine/cli/check_gateways.h"

#include <stdio.h>
#include <string.h>

#include "engine/fabric/gateway.h"

#define LIMIT_PERCENT 80u

struct checking_gateways {
    struct twin *twin;
    void (*take)(void *context, const struct fabric_problem *problem);
    void *context;
};

static void tell(const struct checking_gateways *checking, uint32_t gateway, const char *rule,
                 char *message, const char *remedy)
{
    const struct fabric_gateway *model = &checking->twin->fabric->gateways[gateway];
    char object[160];
    snprintf(object, sizeof(object), "gateways[%s]", model->name);
    const struct fabric_problem problem = {
        .file = model->place.file,
        .line = model->place.line,
        .rule = rule,
        .object = object,
        .message = message,
        .remedy = remedy,
    };
    checking->take(checking->context, &problem);
}

/* Instances of one gateway fare alike: the first that is down speaks for all. */
static bool is_told_already(struct controller *controller, size_t i)
{
    const struct controller_peer *peer = controller_gateway_peer(controller, i);
    for (size_t j = 0; j < i; j++) {
        const struct controller_peer *before = controller_gateway_peer(controller, j);
        if (before->gateway == peer->gateway && before->index == peer->index &&
            !before->established)
            return true;
    }
    return false;
}

static void check_session(const struct checking_gateways *checking, size_t i)
{
    struct controller *controller = sim_controller(checking->twin->sim);
    const struct controller_peer *peer = controller_gateway_peer(controller, i);
    char message[400];
    if (peer->established || !peer->shell || is_told_already(controller, i))
        return;
    snprintf(message, sizeof(message),
             "gateways[%s]: the session with router '%s' does not come up: %.200s",
             checking->twin->fabric->gateways[peer->gateway].name,
             speaker_peer_config(peer->peer)->name,
             bgp_session_last_reason(speaker_peer_session(peer->peer)));
    tell(checking, peer->gateway, "session", message,
         "make the two agree on AS numbers, and announce no more prefixes than they take");
}

static void check_limit(const struct checking_gateways *checking,
                        const struct controller_peer *peer, size_t count, unsigned limit,
                        unsigned percent, const char *does, const char *remedy)
{
    char message[300];
    if (!peer->established || peer->instance != 0 || limit == 0 ||
        count * 100 < (size_t)limit * percent)
        return;
    snprintf(message, sizeof(message), "gateways[%s]: %s %s %zu of at most %u prefixes",
             checking->twin->fabric->gateways[peer->gateway].name,
             speaker_peer_config(peer->peer)->name, does, count, limit);
    tell(checking, peer->gateway, "limit", message, remedy);
}

static void check_limits(const struct checking_gateways *checking,
                         const struct controller_peer *peer)
{
#define AGGREGATE "announce aggregates, or keep routes from the gateway by policy or NO_ADVERTISE: "
    static const char closes[] = AGGREGATE "one more than the limit ends the session",
                      keeps[] = AGGREGATE "what is beyond the limit is not told";
#undef AGGREGATE
    const struct fabric_max_advertised *most =
        &checking->twin->fabric->gateways[peer->gateway].max_advertised;
    struct speaker_peer_counters counters;
    speaker_peer_counters(peer->peer, &counters);
    check_limit(checking, peer, counters.held, FABRIC_GATEWAY_PREFIXES, LIMIT_PERCENT, "announces",
                closes);
    check_limit(checking, peer, counters.advertised + counters.kept_back, most->limit,
                most->warn_percent, "is to be told", most->send ? closes : keeps);
}

/* Of what the route server tells a VPN gateway. */
static void check_default(const struct checking_gateways *checking, uint32_t gateway)
{
    struct controller *controller = sim_controller(checking->twin->sim);
    const struct lpm_prefix any = {.family = LPM_IPV4};
    struct rib_choice choice;
    if (!checking->twin->fabric->gateways[gateway].vpn ||
        checking->twin->fabric->gateways[gateway].default_route ||
        !speaker_learned_choice(controller_gateway_speaker(controller, gateway), &any, &choice) ||
        choice.paths[0].source != RIB_SOURCE_NVA)
        return;
    char message[200];
    snprintf(message, sizeof(message), "gateways[%s]: 0.0.0.0/0 is not told to VPN branches",
             checking->twin->fabric->gateways[gateway].name);
    tell(checking, gateway, "L12", message, "announce 0.0.0.0/1 and 128.0.0.0/1 instead");
}

void check_gateways(struct twin *twin,
                    void (*take)(void *context, const struct fabric_problem *problem),
                    void *context)
{
    const struct checking_gateways checking = {twin, take, context};
    struct controller *controller = sim_controller(twin->sim);
    for (size_t i = 0; i < controller_gateway_peer_count(controller); i++) {
        check_session(&checking, i);
        check_limits(&checking, controller_gateway_peer(controller, i));
    }
    for (uint32_t i = 0; i < twin->fabric->gateways_count; i++)
        check_default(&checking, i);
}
