/*
 * What the decision notes in a trace: see trace_steps.h. Each is called when the step that it tells of is
 * done, with what that step has found and nothing that could have changed since; only which prefix
 * gave a leaf is looked up again, and believed if it gives the same one.
 */
#include "dataplane/trace_steps.h"

#include <assert.h>

#include "dataplane/decide.h"

const char *dp_trace_stage_name(enum dp_trace_stage stage)
{
    static const char *const names[DP_TRACE_STAGE_COUNT] = {
#define DP_TRACE_STAGE_TEXT(symbol, name, help) name,
        DP_TRACE_STAGES(DP_TRACE_STAGE_TEXT)
#undef DP_TRACE_STAGE_TEXT
    };
    assert(stage < DP_TRACE_STAGE_COUNT);
    return names[stage];
}

/* --- Steps ------------------------------------------------------------------------------------ */

/* false: leaf is from no prefix, or the FIB has changed since. */
static bool explain(const struct lpm_fib *fib, const uint8_t *bytes, uint8_t family, uint32_t leaf,
                    struct lpm_prefix *prefix)
{
    struct lpm_address address = {.family = family};
    struct lpm_route route;

    memcpy(address.bytes, bytes, family == LPM_IPV4 ? 4 : 16);
    if (leaf == LPM_NO_ROUTE || !lpm_explain(fib, &address, &route) || route.leaf != leaf)
        return false;
    *prefix = route.prefix;
    return true;
}

void dp_trace_route(struct dp_trace_record *record, const struct lpm_fib *fib,
                    const uint8_t *address, uint8_t family, uint32_t leaf)
{
    struct dp_trace_step *step = dp_trace_add(record, DP_TRACE_ROUTE);

    step->route.found = explain(fib, address, family, leaf, &step->route.prefix);
    step->route.group = leaf;
}

void dp_trace_group(struct dp_trace_record *record, const struct dp_group *group)
{
    struct dp_trace_step *step = dp_trace_last(record);

    if (!group || step->stage != DP_TRACE_ROUTE)
        return;
    step->route.member_count = group->member_count;
}

void dp_trace_address(struct dp_trace_record *record, const struct dp_forwarding *forwarding,
                      const struct lpm_fib *map, uint32_t vnet, const uint8_t *address,
                      uint8_t family, uint32_t leaf)
{
    const uint32_t nic_capacity = forwarding->config.nic_capacity;
    struct dp_trace_step *step = dp_trace_add(record, DP_TRACE_ADDRESS);

    step->address.found = explain(map, address, family, leaf, &step->address.prefix);
    step->address.vnet = vnet;
    if (leaf > nic_capacity)
        step->address.group = leaf - nic_capacity;
    else
        step->address.nic = leaf;
}

void dp_trace_choice(struct dp_trace_record *record, enum dp_trace_stage stage,
                     const struct dp_group *group, uint32_t hash, uint32_t bucket, uint32_t counter)
{
    struct dp_trace_choice *choice = &dp_trace_add(record, stage)->choice;

    *choice = (struct dp_trace_choice){.group = group->id,
                                       .hash = hash,
                                       .bucket = bucket,
                                       .bucket_count = group->bucket_mask + 1,
                                       .member_count = group->member_count};
    for (unsigned i = 0; i < group->member_count; i++) {
        const struct dp_group_member *member = &group->members[i];

        if (member->counter != counter)
            continue;
        choice->next_hop = member->next_hop;
        choice->nic = member->frontend ? 0 : member->nic;
        choice->frontend = member->frontend ? member->nic : 0;
    }
}

void dp_trace_receiver(struct dp_trace_record *record, const struct dp_nic *receiver,
                       uint8_t peering, bool self_loop)
{
    struct dp_trace_step *step = dp_trace_add(record, DP_TRACE_RECEIVER);

    step->receiver.nic = receiver ? receiver->id : 0;
    step->receiver.ip_forwarding = receiver && receiver->ip_forwarding;
    step->receiver.peering = peering & (DP_PEERING_NO_ACCESS | DP_PEERING_NO_FORWARDED);
    step->receiver.self_loop = self_loop;
    record->to = step->receiver.nic;
}

void dp_trace_admit(struct dp_trace_record *record, const struct dp_nic *sender, bool asked)
{
    struct dp_trace_step *step = dp_trace_add(record, DP_TRACE_ADMITTED);

    if (asked)
        step->source = sender->ip_forwarding ? DP_TRACE_SOURCE_FORWARDED : DP_TRACE_SOURCE_OWN;
}

/* --- The decision ----------------------------------------------------------------------------- */

/* What waits for a leaf, has no TTL left or asks a gateway of IPv4 has been asked for its source. */
static bool was_asked(const struct dp_decision *decision)
{
    const struct dp_verdict *verdict = &decision->verdicts[0];

    if (!decision->check_source)
        return false;
    if (decision->four.n + decision->six.n > 0)
        return true;
    return verdict->action == DP_ANSWER ? decision->packets[0].family == LPM_IPV4
                                        : verdict->reason == DP_REASON_TTL_EXPIRED;
}

void dp_trace_admitted(const struct dp_decision *decision)
{
    const struct dp_verdict *verdict = &decision->verdicts[0];

    if (verdict->action == DP_DROP && verdict->reason == DP_REASON_UNKNOWN_ATTACHMENT &&
        decision->senders[0]->id == 0)
        return;
    dp_trace_admit(decision->trace, decision->senders[0], was_asked(decision));
    if (verdict->action == DP_DROP && verdict->reason == DP_REASON_SOURCE_CHECK)
        dp_trace_last(decision->trace)->source = DP_TRACE_SOURCE_FOREIGN;
}

void dp_trace_looked_up(const struct dp_decision *decision)
{
    const struct dp_packet *packet = &decision->packets[0];
    const struct dp_lookups *lookups = decision->four.n > 0 ? &decision->four : &decision->six;

    if (lookups->n > 0)
        dp_trace_route(decision->trace, lookups->fibs[0], packet->destination, packet->family,
                       lookups->leaves[0]);
}

void dp_trace_followed(const struct dp_decision *decision)
{
    const struct dp_verdict *verdict = &decision->verdicts[0];

    if (dp_trace_last(decision->trace)->stage != DP_TRACE_ROUTE)
        return;
    dp_trace_group(decision->trace, decision->groups[0]);
    if (verdict->next_hop != 0)
        dp_trace_choice(decision->trace, DP_TRACE_MEMBER, decision->groups[0], verdict->hash,
                        verdict->bucket, verdict->member_counter);
}

void dp_trace_waited(const struct dp_decision *decision)
{
    const struct dp_packet *packet = &decision->packets[0];
    const struct dp_lookups *lookups = decision->four.n > 0 ? &decision->four : &decision->six;

    if (lookups->n > 0)
        dp_trace_address(decision->trace, decision->forwarding, lookups->fibs[0],
                         decision->groups[0]->vnet, packet->destination, packet->family,
                         lookups->leaves[0]);
}

void dp_trace_decided(const struct dp_decision *decision)
{
    const struct dp_verdict *verdict = &decision->verdicts[0];
    const struct dp_delivery *delivery = &decision->deliveries[0];

    if (verdict->backend != 0)
        dp_trace_choice(decision->trace, DP_TRACE_BACKEND, decision->backends,
                        decision->backend_hash, decision->backend_bucket, verdict->backend_counter);
    if (decision->delivery_count > 0)
        dp_trace_receiver(decision->trace, delivery->receiver, delivery->allowance,
                          verdict->self_loop);
    decision->trace->action = verdict->action;
    if (verdict->action == DP_DROP)
        dp_trace_drop(decision->trace, (enum dp_reason)verdict->reason);
}
