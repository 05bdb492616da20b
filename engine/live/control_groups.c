/* See control_groups.h. */
#include "engine/live/control_groups.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "engine/live/log.h"
#include "engine/live/report.h"

/* An answer is made in one go, and no session is served meanwhile. */
#define MEMBERS_MOST 20000u
/* Of a packet that nobody sent: any that routers let pass. */
#define FLOW_TTL   64
#define FLOW_BYTES 60
enum { ICMP_ECHO_REQUEST = 8, ICMPV6_ECHO_REQUEST = 128 }; /* RFC 792, RFC 4443 */

static const char *text_of(const json_t *request, const char *key)
{
    return json_string_value(json_object_get(request, key));
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static const struct program *program_of(const struct live *live)
{
    return controller_program(live->plane.controller);
}

/* --- Groups ----------------------------------------------------------------------------------- */

static json_t *address_json(const struct lpm_address *address)
{
    char text[LPM_ADDRESS_TEXT];
    return json_string(lpm_address_format(address, text));
}

/* Why a member is out; who is in has no reason. */
static const char *reason_of(const struct program_group *group, const struct program_member *member)
{
    if (!member->up)
        return group->balancer != FABRIC_NONE ? "probe" : "session";
    if (member->cut)
        return "port";
    return member->said != PROGRAM_MEMBER_UP ? "set" : NULL;
}

static json_t *member_row(const struct fabric *fabric, const struct program_group *group,
                          const struct program_member *member)
{
    enum program_member_state state = member->said;
    const char *reason = reason_of(group, member);
    json_t *row = json_object();
    if (!member->up || member->cut)
        state = PROGRAM_MEMBER_DOWN;
    json_object_set_new(row, "next_hop", address_json(&member->next_hop));
    if (member->nic != FABRIC_NONE)
        json_object_set_new(row, "nic", json_string(fabric->nics[member->nic].name));
    if (member->balancer != FABRIC_NONE)
        json_object_set_new(row, "load_balancer",
                            json_string(fabric->load_balancers[member->balancer].name));
    json_object_set_new(row, "weight", number(member->weight));
    json_object_set_new(row, "state", json_string(program_member_state_text(state)));
    json_object_set_new(row, "reason", reason ? json_string(reason) : json_null());
    json_object_set_new(row, "buckets", number(member->buckets));
    json_object_set_new(row, "wanted", number(member->wanted));
    json_object_set_new(row, "packets", number(member->counters.packets));
    json_object_set_new(row, "bytes", number(member->counters.bytes));
    return row;
}

static const char *kind_text(const struct program_group *group)
{
    if (group->balancer != FABRIC_NONE)
        return "load-balancer";
    switch (group->kind) {
    case DP_GROUP_NULL:
        return "none";
    case DP_GROUP_VNET:
        return "vnet";
    case DP_GROUP_INTERNET:
        return "internet";
    case DP_GROUP_MEMBERS:
        break;
    }
    return group->learned ? "bgp" : "static";
}

/* Where packets to the internet leave to, and whether it has told its MAC. */
static void add_internet(json_t *row, const struct live *live)
{
    uint8_t mac[6];
    if (live->fabric->internet.next_hop.family == 0)
        return;
    json_object_set_new(row, "next_hop", address_json(&live->fabric->internet.next_hop));
    json_object_set_new(row, "mac",
                        dp_nic_next_hop_mac(live->plane.forwarding, DP_NIC_INTERNET, mac)
                            ? json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                                           mac[3], mac[4], mac[5])
                            : json_null());
}

static json_t *group_row(const struct live *live, uint32_t id, const struct program_group *group)
{
    const struct fabric *fabric = live->fabric;
    json_t *row = json_object();
    json_t *members = json_array();
    json_object_set_new(row, "group", number(id));
    json_object_set_new(row, "kind", json_string(kind_text(group)));
    if (group->balancer != FABRIC_NONE)
        json_object_set_new(row, "load_balancer",
                            json_string(fabric->load_balancers[group->balancer].name));
    if (group->vnet != FABRIC_NONE)
        json_object_set_new(row, "vnet", json_string(fabric->vnets[group->vnet].name));
    if (group->balancer == FABRIC_NONE && group->kind == DP_GROUP_INTERNET)
        add_internet(row, live);
    json_object_set_new(row, "references", number(group->references));
    json_object_set_new(row, "buckets", number(group->bucket_count));
    for (unsigned i = 0; i < group->member_count; i++)
        json_array_append_new(members, member_row(fabric, group, &group->members[i]));
    json_object_set_new(row, "members", members);
    return row;
}

const char *live_group_kind(const struct live *live, uint32_t id)
{
    struct program_group group;
    return program_group(program_of(live), id, &group) ? kind_text(&group) : NULL;
}

json_t *live_group_row(const struct live *live, uint32_t id)
{
    struct program_group group;
    return program_group(program_of(live), id, &group) ? group_row(live, id, &group) : NULL;
}

/* "12", or the name of a load balancer. 0: neither. */
static uint32_t find_group(const struct live *live, const json_t *wanted)
{
    const struct program *program = program_of(live);
    const char *text = json_string_value(wanted);
    struct program_group group;
    char *end;
    if (json_is_integer(wanted)) {
        json_int_t value = json_integer_value(wanted);
        return value > 0 && value < program_group_limit(program) ? (uint32_t)value : 0;
    }
    for (uint32_t id = 1; text && id < program_group_limit(program); id++)
        if (program_group(program, id, &group) && group.balancer != FABRIC_NONE &&
            strcmp(live->fabric->load_balancers[group.balancer].name, text) == 0)
            return id;
    unsigned long value = text && *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    return value > 0 && *end == '\0' && value < program_group_limit(program) ? (uint32_t)value : 0;
}

json_t *live_show_groups(struct live *live, const json_t *request, const char **error)
{
    const struct program *program = program_of(live);
    const json_t *wanted = json_object_get(request, "group");
    uint32_t only = wanted ? find_group(live, wanted) : 0;
    struct program_group group;
    size_t members = 0;
    json_t *rows = json_array();
    for (uint32_t id = 1; id < program_group_limit(program) && members <= MEMBERS_MOST; id++) {
        if ((wanted && id != only) || !program_group(program, id, &group))
            continue;
        json_array_append_new(rows, group_row(live, id, &group));
        members += group.member_count;
    }
    if (members > MEMBERS_MOST)
        *error = "groups have more than 20,000 members, too many to show at once: name one";
    else if (wanted && json_array_size(rows) == 0)
        *error = "'group' is the number of a group, or the name of a load balancer";
    else
        return json_pack("{s:o}", "groups", rows);
    json_decref(rows);
    return NULL;
}

/* --- Ports and counters ----------------------------------------------------------------------- */

json_t *live_show_ports(struct live *live, const json_t *request, const char **error)
{
    (void)request;
    (void)error;
    return json_pack("{s:o}", "ports", live_report_ports(live));
}

static json_t *member_counters(const struct program *program, size_t *n)
{
    json_t *rows = json_array();
    struct program_group group;
    for (uint32_t id = 1; id < program_group_limit(program) && *n <= MEMBERS_MOST; id++) {
        if (!program_group(program, id, &group))
            continue;
        for (unsigned i = 0; i < group.member_count; i++) {
            const struct program_member *member = &group.members[i];
            json_t *row = json_object();
            json_object_set_new(row, "group", number(id));
            json_object_set_new(row, "next_hop", address_json(&member->next_hop));
            json_object_set_new(row, "packets", number(member->counters.packets));
            json_object_set_new(row, "bytes", number(member->counters.bytes));
            json_array_append_new(rows, row);
            ++*n;
        }
    }
    return rows;
}

json_t *live_show_counters(struct live *live, const json_t *request, const char **error)
{
    (void)request;
    if (live->fabric->nics_count > MEMBERS_MOST) {
        *error = "the fabric has more than 20,000 NICs, too many to show at once";
        return NULL;
    }
    size_t n = 0;
    json_t *document = live_report_counters(live);
    json_t *members = member_counters(program_of(live), &n);
    if (n <= MEMBERS_MOST)
        json_object_set(document, "members", members);
    json_decref(members);
    json_object_set_new(document, "ports", live_report_ports(live));
    return document;
}

/* --- A flow ----------------------------------------------------------------------------------- */

static bool read_port(const json_t *request, const char *key, uint16_t *port)
{
    const json_t *value = json_object_get(request, key);
    json_int_t given = json_integer_value(value);
    *port = (uint16_t)given;
    return !value || (json_is_integer(value) && given >= 0 && given <= UINT16_MAX);
}

static bool read_protocol(const json_t *value, uint8_t family, uint8_t *protocol)
{
    const struct {
        const char *name;
        uint8_t number;
    } known[] = {{"tcp", IPPROTO_TCP},
                 {"udp", IPPROTO_UDP},
                 {"sctp", IPPROTO_SCTP},
                 {"icmp", family == LPM_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6}};
    json_int_t given = json_integer_value(value);
    *protocol = (uint8_t)given;
    for (size_t i = 0; json_is_string(value) && i < sizeof(known) / sizeof(known[0]); i++) {
        *protocol = known[i].number;
        if (strcmp(known[i].name, json_string_value(value)) == 0)
            return true;
    }
    return json_is_integer(value) && given >= 0 && given <= UINT8_MAX;
}

/* An echo request has its identifier in both ports' place. */
static void set_ports(struct dp_packet *packet)
{
    const uint8_t protocol = packet->protocol;
    const bool echo = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
    packet->has_ports =
        protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP || echo;
    if (!echo)
        return;
    packet->icmp_type = packet->family == LPM_IPV4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST;
    packet->destination_port = packet->source_port;
}

/* own gives the source where the request does not: NULL, or a NIC. */
static const char *read_ends(const json_t *request, const struct fabric_nic *own,
                             struct lpm_address ends[2])
{
    const char *source = text_of(request, "source"), *destination = text_of(request, "destination");
    const struct lpm_address *given = NULL;
    if (!destination || lpm_address_parse(destination, &ends[1]) != 0)
        return "'destination' is an IP address";
    if (!source && own)
        given = fabric_nic_address(own, ends[1].family);
    if (source ? lpm_address_parse(source, &ends[0]) != 0 : !given)
        return own ? "'source' is an IP address; the NIC has none of the destination's family"
                   : "'source' is an IP address";
    if (given)
        ends[0] = *given;
    return ends[0].family == ends[1].family ? NULL : "'source' and 'destination' are of one family";
}

static const char *read_packet(const json_t *request, const struct fabric_nic *own,
                               struct lpm_address ends[2], struct dp_packet *packet)
{
    const char *error = read_ends(request, own, ends);
    uint8_t protocol;
    if (error)
        return error;
    if (!read_protocol(json_object_get(request, "protocol"), ends[0].family, &protocol))
        return "'protocol' is tcp, udp, sctp, icmp or a number up to 255";
    *packet = (struct dp_packet){.family = ends[0].family,
                                 .protocol = protocol,
                                 .ttl = FLOW_TTL,
                                 .total_length = FLOW_BYTES};
    if (!read_port(request, "source_port", &packet->source_port) ||
        !read_port(request, "destination_port", &packet->destination_port))
        return "'source_port' and 'destination_port' are numbers up to 65535";
    set_ports(packet);
    memcpy(packet->source, ends[0].bytes, sizeof(packet->source));
    memcpy(packet->destination, ends[1].bytes, sizeof(packet->destination));
    return NULL;
}

static const char *read_flow(const struct live *live, const json_t *request, uint32_t nic,
                             struct lpm_address ends[2], struct dp_packet *packet)
{
    const json_t *inside = json_object_get(request, "inner");
    const char *error = read_packet(request, &live->fabric->nics[nic], ends, packet);
    struct lpm_address inner_ends[2];
    struct dp_packet inner;
    if (error || !inside)
        return error;
    if (packet->protocol != IPPROTO_UDP || packet->destination_port != DP_VXLAN_PORT)
        return "'inner' is what VXLAN carries: protocol udp, destination_port 4789";
    error = json_is_object(inside) ? read_packet(inside, NULL, inner_ends, &inner)
                                   : "'inner' is an object";
    if (!error)
        dp_packet_carry(packet, &inner);
    return error;
}

json_t *live_next_hop_json(const struct live *live, uint32_t next_hop)
{
    struct lpm_address address;
    if (!dp_next_hop_address(live->plane.forwarding, next_hop, &address))
        return json_null();
    return address_json(&address);
}

json_t *live_nic_name(const struct live *live, uint32_t id)
{
    uint32_t nic = id > DP_NIC_INTERNET ? program_nic_of(program_of(live), id) : FABRIC_NONE;
    if (id == DP_NIC_INTERNET)
        return json_string("internet");
    if (id == program_underlay_id())
        return json_string("other hosts");
    return nic == FABRIC_NONE ? json_null() : json_string(live->fabric->nics[nic].name);
}

static json_t *verdict_json(const struct live *live, const struct dp_verdict *verdict)
{
    static const char *const actions[] = {
        [DP_FORWARD] = "forwarded", [DP_ANSWER] = "answered", [DP_DROP] = "dropped"};
    json_t *document = json_object();
    struct program_group group;
    json_object_set_new(document, "verdict", json_string(actions[verdict->action]));
    json_object_set_new(document, "reason",
                        verdict->action == DP_DROP
                            ? json_string(dp_reason_name((enum dp_reason)verdict->reason))
                            : json_null());
    json_object_set_new(document, "hash", number(verdict->hash));
    json_object_set_new(document, "bucket", number(verdict->bucket));
    json_object_set_new(document, "next_hop",
                        verdict->nic == DP_NIC_INTERNET && live->fabric->internet.next_hop.family
                            ? address_json(&live->fabric->internet.next_hop)
                            : live_next_hop_json(live, verdict->next_hop));
    json_object_set_new(document, "backend", live_next_hop_json(live, verdict->backend));
    json_object_set_new(document, "to_nic", live_nic_name(live, verdict->nic));
    json_object_set_new(document, "self_loop", json_boolean(verdict->self_loop));
    if (program_group(program_of(live), verdict->group, &group))
        json_object_set_new(document, "group", group_row(live, verdict->group, &group));
    else
        json_object_set_new(document, "group", json_null());
    return document;
}

json_t *live_show_flow(struct live *live, const json_t *request, const char **error)
{
    const char *name = text_of(request, "nic");
    uint32_t nic = name ? fabric_find_nic(live->fabric, name) : FABRIC_NONE;
    struct lpm_address ends[2];
    struct dp_packet packet;
    struct dp_verdict verdict;
    struct lpm_route route;
    if (nic == FABRIC_NONE) {
        *error = "'nic' is the name of a NIC";
        return NULL;
    }
    *error = read_flow(live, request, nic, ends, &packet);
    if (*error)
        return NULL;
    uint32_t id = program_nic_id(program_of(live), nic);
    dp_decide(live->plane.forwarding, &id, &packet, &verdict, 1, NULL);
    json_t *document = verdict_json(live, &verdict);
    char text[LPM_PREFIX_TEXT];
    bool matched = dp_nic_explain(live->plane.forwarding, id, &ends[1], &route);
    json_object_set_new(document, "nic", json_string(name));
    json_object_set_new(document, "source", address_json(&ends[0]));
    json_object_set_new(document, "destination", address_json(&ends[1]));
    json_object_set_new(document, "protocol", number(packet.protocol));
    json_object_set_new(document, "source_port", number(packet.source_port));
    json_object_set_new(document, "destination_port", number(packet.destination_port));
    if (packet.inner.family != 0)
        json_object_set(document, "inner", json_object_get(request, "inner"));
    json_object_set_new(document, "matched",
                        matched ? json_string(lpm_prefix_format(&route.prefix, text))
                                : json_null());
    return document;
}

/* --- Setting ---------------------------------------------------------------------------------- */

static bool read_state(const char *text, enum program_member_state *state)
{
    for (unsigned i = 0; text && i < PROGRAM_MEMBER_STATES; i++)
        if (strcmp(text, program_member_state_text((enum program_member_state)i)) == 0) {
            *state = (enum program_member_state)i;
            return true;
        }
    return false;
}

static const char *set_error(int code)
{
    switch (code) {
    case -ENOENT:
        return "'group' is the number of a group, the name of a load balancer, or 'all'";
    case -ESRCH:
        return "the group has no such member";
    case -ENOSPC:
        return "too many members are set already: let some in again";
    default:
        return "not enough memory";
    }
}

json_t *live_set_member(struct live *live, const json_t *request, const char **error)
{
    const json_t *wanted = json_object_get(request, "group");
    const char *group_text = json_string_value(wanted),
               *next_hop_text = text_of(request, "next_hop");
    bool all = group_text && strcmp(group_text, "all") == 0;
    struct lpm_address next_hop;
    enum program_member_state state;
    if (!next_hop_text || lpm_address_parse(next_hop_text, &next_hop) != 0) {
        *error = "'next_hop' is the IP address of a member";
        return NULL;
    }
    if (!read_state(text_of(request, "state"), &state)) {
        *error = "'state' is one of: up, down, drain";
        return NULL;
    }
    uint32_t group = all ? 0 : find_group(live, wanted);
    int swapped = !all && group == 0 ? -ENOENT
                                     : controller_set_member(live->plane.controller, group,
                                                             &next_hop, state, live_now());
    if (swapped < 0) {
        *error = set_error(swapped);
        return NULL;
    }
    live_log("control: member %s of %s set %s, %d groups", next_hop_text,
             all ? "all groups" : "a group", program_member_state_text(state), swapped);
    return json_pack("{s:i}", "groups", swapped);
}
