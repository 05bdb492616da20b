/* See trace_row.h. */
#include "engine/live/trace_row.h"

#include <string.h>

#include "engine/live/control_groups.h"
#include "engine/program/program.h"

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *mac_json(const uint8_t mac[6])
{
    return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                        mac[5]);
}

static json_t *address_json(const struct lpm_address *address)
{
    char text[LPM_ADDRESS_TEXT];
    return json_string(lpm_address_format(address, text));
}

static json_t *bytes_json(uint8_t family, const uint8_t *bytes)
{
    struct lpm_address address = {.family = family};
    memcpy(address.bytes, bytes, family == LPM_IPV4 ? 4 : 16);
    return address_json(&address);
}

static json_t *prefix_json(bool found, const struct lpm_prefix *prefix)
{
    char text[LPM_PREFIX_TEXT];
    return found ? json_string(lpm_prefix_format(prefix, text)) : json_null();
}

static json_t *port_json(const struct live *live, uint16_t port)
{
    struct dp_port_status status;
    if (dp_engine_port_status(live->plane.engine, port, &status) != 0)
        return json_null();
    return json_string(status.name);
}

static json_t *vlan_json(uint16_t vlan)
{
    return vlan ? number(vlan) : json_null();
}

/* --- Stages ----------------------------------------------------------------------------------- */

static void add_received(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    json_object_set_new(row, "port", port_json(live, step->received.port));
    json_object_set_new(row, "queue", number(step->received.queue));
    json_object_set_new(row, "bytes", number(step->received.bytes));
    json_object_set_new(row, "source_mac", mac_json(step->received.source));
    json_object_set_new(row, "destination_mac", mac_json(step->received.destination));
    json_object_set_new(row, "vlan", vlan_json(step->received.vlan));
    json_object_set_new(row, "ethertype", number(step->received.ethertype));
}

static void add_express(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    static const char *const texts[] = {
        [DP_TRACE_EXPRESS_TAKEN] = "taken",
        [DP_TRACE_EXPRESS_NOT_PLAIN] = "not-plain",
        [DP_TRACE_EXPRESS_NO_EXIT] = "no-exit",
        [DP_TRACE_EXPRESS_NOT_ASKED] = "not-asked",
    };
    (void)live;
    json_object_set_new(row, "outcome", json_string(texts[step->express]));
}

static void add_tunnel(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    (void)live;
    json_object_set_new(row, "vni", number(step->tunnel.vni));
    json_object_set_new(row, "remote", address_json(&step->tunnel.remote));
    if (step->stage == DP_TRACE_DECAPSULATED)
        json_object_set_new(row, "decided", json_boolean(step->tunnel.decided));
}

static void add_classified(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    static const char *const texts[] = {
        [DP_ATTACHMENT_NONE] = NULL, [DP_ATTACHMENT_PORT] = "port",   [DP_ATTACHMENT_VLAN] = "vlan",
        [DP_ATTACHMENT_MAC] = "mac", [DP_ATTACHMENT_VXLAN] = "vxlan",
    };
    const char *text = texts[step->classified.attachment];
    json_object_set_new(row, "nic", live_nic_name(live, step->classified.nic));
    json_object_set_new(row, "attachment", text ? json_string(text) : json_null());
}

static void add_source(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    static const char *const texts[] = {
        [DP_TRACE_SOURCE_OPEN] = "not-asked",
        [DP_TRACE_SOURCE_OWN] = "own",
        [DP_TRACE_SOURCE_FORWARDED] = "forwarded",
        [DP_TRACE_SOURCE_FOREIGN] = "foreign",
    };
    (void)live;
    json_object_set_new(row, "source", json_string(texts[step->source]));
}

static json_t *vnet_json(const struct live *live, uint32_t id)
{
    uint32_t vnet = program_vnet_of(controller_program(live->plane.controller), id);
    return vnet != FABRIC_NONE ? json_string(live->fabric->vnets[vnet].name) : json_null();
}

static void add_route(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    const char *kind = live_group_kind(live, step->route.group);
    json_object_set_new(row, "prefix", prefix_json(step->route.found, &step->route.prefix));
    json_object_set_new(row, "group", step->route.group ? number(step->route.group) : json_null());
    json_object_set_new(row, "kind", kind ? json_string(kind) : json_null());
    json_object_set_new(row, "members", number(step->route.member_count));
}

static void add_address(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    json_object_set_new(row, "vnet", vnet_json(live, step->address.vnet));
    json_object_set_new(row, "prefix", prefix_json(step->address.found, &step->address.prefix));
    json_object_set_new(row, "nic", live_nic_name(live, step->address.nic));
    if (step->address.group != 0)
        json_object_set_new(row, "backends", number(step->address.group));
}

static void add_choice(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    const struct dp_trace_choice *choice = &step->choice;
    json_object_set_new(row, "group", number(choice->group));
    json_object_set_new(row, "hash", number(choice->hash));
    json_object_set_new(row, "bucket", number(choice->bucket));
    json_object_set_new(row, "buckets", number(choice->bucket_count));
    json_object_set_new(row, "members", number(choice->member_count));
    json_object_set_new(row, "next_hop", live_next_hop_json(live, choice->next_hop));
    json_object_set_new(row, "nic", live_nic_name(live, choice->nic));
    if (choice->frontend != 0)
        json_object_set_new(row, "backends", number(choice->frontend));
}

static void add_receiver(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    json_object_set_new(row, "nic", live_nic_name(live, step->receiver.nic));
    json_object_set_new(row, "ip_forwarding", json_boolean(step->receiver.ip_forwarding));
    json_object_set_new(row, "self_loop", json_boolean(step->receiver.self_loop));
    json_object_set_new(row, "access_allowed",
                        json_boolean(!(step->receiver.peering & DP_PEERING_NO_ACCESS)));
    json_object_set_new(row, "forwarded_allowed",
                        json_boolean(!(step->receiver.peering & DP_PEERING_NO_FORWARDED)));
}

static void add_reason(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    (void)live;
    json_object_set_new(row, "reason", json_string(dp_reason_name((enum dp_reason)step->reason)));
}

static void add_answer(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    static const char *const texts[] = {
        [DP_TRACE_ANSWER_ARP] = "arp",
        [DP_TRACE_ANSWER_ND] = "nd",
        [DP_TRACE_ANSWER_ECHO] = "echo",
        [DP_TRACE_ANSWER_UNDERLAY] = "underlay",
    };
    (void)live;
    json_object_set_new(row, "kind", json_string(texts[step->answer]));
}

static void add_icmp(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    (void)live;
    json_object_set_new(row, "type", number(step->icmp.type));
    json_object_set_new(row, "code", number(step->icmp.code));
    json_object_set_new(row, "mtu", step->icmp.mtu ? number(step->icmp.mtu) : json_null());
}

static void add_rewritten(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    (void)live;
    json_object_set_new(row, "ttl_before", number(step->rewritten.ttl_before));
    json_object_set_new(row, "ttl", number(step->rewritten.ttl));
}

static void add_fragmented(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    (void)live;
    json_object_set_new(row, "mtu", number(step->fragmented.mtu));
    json_object_set_new(row, "pieces", number(step->fragmented.pieces));
}

static void add_transmitted(const struct live *live, const struct dp_trace_step *step, json_t *row)
{
    json_object_set_new(row, "port", port_json(live, step->transmitted.port));
    json_object_set_new(row, "queue", number(step->transmitted.queue));
    json_object_set_new(row, "bytes", number(step->transmitted.bytes));
    json_object_set_new(row, "destination_mac", mac_json(step->transmitted.destination));
    json_object_set_new(row, "vlan", vlan_json(step->transmitted.vlan));
    json_object_set_new(row, "frames", number(step->transmitted.frames));
    json_object_set_new(row, "refused", number(step->transmitted.refused));
    json_object_set_new(row, "handed_over", json_boolean(step->transmitted.handed_over));
}

/* --- The packet ------------------------------------------------------------------------------- */

static json_t *flow_json(const struct dp_flow *flow)
{
    json_t *row = json_object();
    json_object_set_new(row, "source", bytes_json(flow->family, flow->source));
    json_object_set_new(row, "destination", bytes_json(flow->family, flow->destination));
    json_object_set_new(row, "protocol", number(flow->protocol));
    json_object_set_new(row, "source_port", number(flow->source_port));
    json_object_set_new(row, "destination_port", number(flow->destination_port));
    return row;
}

/* An echo's identifier stands for both ports; of what has none, they are null. */
static json_t *packet_json(const struct dp_packet *packet)
{
    const bool ports = packet->has_ports && !packet->icmp_error;
    json_t *row = json_object();
    json_object_set_new(row, "source", bytes_json(packet->family, packet->source));
    json_object_set_new(row, "destination", bytes_json(packet->family, packet->destination));
    json_object_set_new(row, "protocol", number(packet->protocol));
    json_object_set_new(row, "source_port", ports ? number(packet->source_port) : json_null());
    json_object_set_new(row, "destination_port",
                        ports ? number(packet->destination_port) : json_null());
    json_object_set_new(row, "ttl", number(packet->ttl));
    json_object_set_new(row, "length", number(packet->total_length));
    json_object_set_new(row, "header_length", number(packet->header_length));
    json_object_set_new(row, "fragment", json_boolean(packet->fragment));
    json_object_set_new(row, "icmp_error", json_boolean(packet->icmp_error));
    if (packet->inner.family != 0)
        json_object_set_new(row, "inner", flow_json(&packet->inner));
    return row;
}

static json_t *stage_json(const struct live *live, const struct dp_trace_step *step)
{
    static void (*const add[DP_TRACE_STAGE_COUNT])(
        const struct live *live, const struct dp_trace_step *step, json_t *row) = {
        [DP_TRACE_RECEIVED] = add_received,       [DP_TRACE_EXPRESS] = add_express,
        [DP_TRACE_DECAPSULATED] = add_tunnel,     [DP_TRACE_CLASSIFIED] = add_classified,
        [DP_TRACE_ADMITTED] = add_source,         [DP_TRACE_ROUTE] = add_route,
        [DP_TRACE_ADDRESS] = add_address,         [DP_TRACE_MEMBER] = add_choice,
        [DP_TRACE_BACKEND] = add_choice,          [DP_TRACE_RECEIVER] = add_receiver,
        [DP_TRACE_DROPPED] = add_reason,          [DP_TRACE_ANSWERED] = add_answer,
        [DP_TRACE_ICMP_ERROR] = add_icmp,         [DP_TRACE_REWRITTEN] = add_rewritten,
        [DP_TRACE_FRAGMENTED] = add_fragmented,   [DP_TRACE_ENCAPSULATED] = add_tunnel,
        [DP_TRACE_TRANSMITTED] = add_transmitted,
    };
    json_t *row =
        json_pack("{s:s}", "stage", dp_trace_stage_name((enum dp_trace_stage)step->stage));
    if (add[step->stage])
        add[step->stage](live, step, row);
    return row;
}

json_t *live_trace_row(const struct live *live, const struct dp_trace_record *record)
{
    static const char *const actions[] = {
        [DP_FORWARD] = "forwarded", [DP_ANSWER] = "answered", [DP_DROP] = "dropped"};
    const bool dropped = record->action == DP_DROP;
    json_t *row = json_object(), *stages = json_array();
    json_object_set_new(row, "time", json_real((double)(record->nanoseconds / 1000000) / 1e3));
    json_object_set_new(row, "worker", number(record->worker));
    json_object_set_new(row, "nic", live_nic_name(live, record->nic));
    json_object_set_new(row, "to_nic", live_nic_name(live, record->to));
    json_object_set_new(row, "verdict", json_string(actions[record->action]));
    json_object_set_new(row, "reason",
                        dropped ? json_string(dp_reason_name((enum dp_reason)record->reason))
                                : json_null());
    json_object_set_new(row, "dropped_at",
                        dropped
                            ? json_string(dp_trace_stage_name((enum dp_trace_stage)record->dropped))
                            : json_null());
    json_object_set_new(row, "way", json_string(record->express ? "express" : "long"));
    json_object_set_new(row, "packet", record->parsed ? packet_json(&record->packet) : json_null());
    for (unsigned i = 0; i < record->step_count; i++)
        json_array_append_new(stages, stage_json(live, &record->steps[i]));
    json_object_set_new(row, "stages", stages);
    return row;
}
