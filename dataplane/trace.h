/*
 * Traces: which stages packets of running workers take, and what each of them decides. Part of the
 * programming interface; no DPDK type appears here. Control thread only.
 *
 *   worker ──walks a packet alone, its stages note what they do──> ring ──> dp_trace_take()
 *
 * A packet that is traced goes the way that it would have gone, express or long, by the same code: only
 * that it is a burst of its own, in its place among the others. While nothing is traced a worker asks one
 * pointer per burst whether anything is.
 */
#ifndef DATAPLANE_TRACE_H
#define DATAPLANE_TRACE_H

#include "dataplane/dataplane.h"

/* --- What is noted ---------------------------------------------------------------------------- */

/* In the order in which a packet may meet them; but what answers it, or tells its sender why it was
 * dropped, leaves by the last ones, too. X(symbol, "name", "help") */
#define DP_TRACE_STAGES(X)                                                                         \
    X(RECEIVED, "received", "a port's queue gave the frame")                                       \
    X(EXPRESS, "express", "the express way took it, or left it to the long one, or was not asked") \
    X(DECAPSULATED, "decapsulated", "it was in a VXLAN tunnel to this host")                       \
    X(CLASSIFIED, "classified", "the NIC that sent it")                                            \
    X(PARSED, "parsed", "its headers")                                                             \
    X(ADMITTED, "admitted", "addresses, source check, TTL: what needs no route")                   \
    X(ROUTE, "route", "longest prefix match in the NIC's FIB, and the next-hop group there")       \
    X(ADDRESS, "address", "who has the destination in its VNet")                                   \
    X(MEMBER, "member", "flow hash, bucket, and the group's member that has the bucket")           \
    X(BACKEND, "backend", "the same of the load balancer's backends")                              \
    X(RECEIVER, "receiver", "the NIC that it goes to, and whether that takes it")                  \
    X(DROPPED, "dropped", "it ends here, for one reason")                                          \
    X(ANSWERED, "answered", "the fabric itself answers it")                                        \
    X(ICMP_ERROR, "icmp-error", "its sender is told why it was dropped")                           \
    X(REWRITTEN, "rewritten", "TTL or hop limit")                                                  \
    X(FRAGMENTED, "fragmented", "it is cut into what fits the way out")                            \
    X(ENCAPSULATED, "encapsulated", "it goes into a VXLAN tunnel")                                 \
    X(TRANSMITTED, "transmitted", "a port's queue took it, or had no room")

enum dp_trace_stage {
#define DP_TRACE_STAGE_ENUM(symbol, name, help) DP_TRACE_##symbol,
    DP_TRACE_STAGES(DP_TRACE_STAGE_ENUM)
#undef DP_TRACE_STAGE_ENUM
        DP_TRACE_STAGE_COUNT
};
const char *dp_trace_stage_name(enum dp_trace_stage stage);

enum dp_trace_express {
    DP_TRACE_EXPRESS_TAKEN,
    DP_TRACE_EXPRESS_NOT_PLAIN, /* something about the frame stands out, or it is observed otherwise */
    DP_TRACE_EXPRESS_NO_EXIT,   /* something about where it goes does */
    DP_TRACE_EXPRESS_NOT_ASKED, /* by this port everything goes the long way */
};
enum dp_trace_source {
    DP_TRACE_SOURCE_OPEN,      /* it was not asked for: the packet ended before */
    DP_TRACE_SOURCE_OWN,       /* it is the NIC's own */
    DP_TRACE_SOURCE_FORWARDED, /* the NIC may send for others */
    DP_TRACE_SOURCE_FOREIGN,   /* source-check */
};
enum dp_trace_answer {
    DP_TRACE_ANSWER_ARP,
    DP_TRACE_ANSWER_ND,
    DP_TRACE_ANSWER_ECHO,
    DP_TRACE_ANSWER_UNDERLAY, /* to this host itself: its neighbours' discovery, or an echo request */
};

/* The member of a group that has a bucket. */
struct dp_trace_choice {
    uint32_t group, hash, bucket, bucket_count; /* hash 0: there is one bucket */
    uint16_t member_count;
    uint32_t next_hop; /* dp_next_hop_address() */
    uint32_t nic;      /* 0: it is a frontend, or no NIC has the address */
    uint32_t frontend; /* group of its backends; 0: it is none */
};
struct dp_trace_step {
    uint8_t stage; /* enum dp_trace_stage */
    union {
        struct {
            uint16_t port, queue, vlan, ethertype; /* ethertype behind the tags */
            uint8_t source[6], destination[6];
            uint32_t bytes;
        } received;
        uint8_t express; /* enum dp_trace_express */
        struct {
            uint32_t vni;
            struct lpm_address remote;
            bool decided; /* coming in: the other host did, here it is only delivered */
        } tunnel;         /* DECAPSULATED, ENCAPSULATED */
        struct {
            uint32_t nic;       /* 0: none */
            uint8_t attachment; /* enum dp_attachment_kind */
        } classified;
        uint8_t source; /* ADMITTED: enum dp_trace_source */
        struct {
            bool
                found; /* prefix is the one that decided; else it changed meanwhile, or there is none */
            struct lpm_prefix prefix;
            uint32_t group; /* 0: no route */
            uint16_t member_count;
        } route;
        struct {
            bool found; /* as above */
            struct lpm_prefix prefix;
            uint32_t vnet, nic;
            uint32_t group; /* a load balancer's frontend has the address: its backends' */
        } address;
        struct dp_trace_choice choice; /* MEMBER, BACKEND */
        struct {
            uint32_t nic;
            bool ip_forwarding, self_loop;
            uint8_t peering; /* DP_PEERING_* bits of the way there */
        } receiver;
        uint8_t reason; /* DROPPED: enum dp_reason */
        uint8_t answer; /* enum dp_trace_answer */
        struct {
            uint8_t type, code;
            uint16_t mtu; /* of what would have fitted; 0: it was not too long */
        } icmp;
        struct {
            uint8_t ttl_before, ttl;
        } rewritten;
        struct {
            uint16_t mtu;
            uint16_t pieces;
        } fragmented;
        struct {
            uint16_t port, queue, vlan;
            uint8_t destination[6];
            uint16_t frames, refused; /* refused: there was no room */
            bool handed_over;         /* to the worker whose queue it is, who sends it */
            uint32_t bytes;
        } transmitted;
    };
};

/* One slot more than the longest way takes. */
#define DP_TRACE_STEPS 20u
struct dp_trace_record {
    uint64_t nanoseconds; /* since 1970 */
    uint16_t worker;
    bool express;    /* the express way took it */
    bool parsed;     /* packet holds: of a tunnel's end, the inner one */
    bool sent_on;    /* by another host for the receiver: nobody here sent it */
    uint8_t action;  /* enum dp_action */
    uint8_t reason;  /* enum dp_reason, of DP_DROP */
    uint8_t dropped; /* enum dp_trace_stage in which it was; of DP_DROP */
    uint32_t nic;    /* that sent it; 0: none */
    uint32_t to;     /* that it goes to, or would have */
    struct dp_packet packet;
    unsigned step_count;
    struct dp_trace_step steps[DP_TRACE_STEPS];
};

/* --- A trace ---------------------------------------------------------------------------------- */

#define DP_TRACES_MOST 4u  /* at a time */
#define DP_TRACE_RING  64u /* records of each worker that nobody has taken yet */
/* How many a worker looks at for a trace, beyond which packets are missed: walking them alone costs. */
#define DP_TRACE_PER_SECOND 20000u
#define DP_TRACE_AT_ONCE    1000u
#define DP_TRACE_ANY        UINT32_MAX

struct dp_trace_config {
    uint32_t nic; /* that sends the packet, or gets it from another host; DP_NIC_ANY */
    struct lpm_prefix source, destination;            /* family 0: any */
    uint32_t protocol, source_port, destination_port; /* DP_TRACE_ANY; ports: of what has some */
    bool drops;                                       /* only what is dropped */
    unsigned reason;       /* of drops: an enum dp_reason; DP_REASON_COUNT: any */
    uint64_t packets_most; /* of each worker; 0: no such limit */
};
struct dp_trace;

/* Begins at once. -EBUSY: DP_TRACES_MOST run. -EINVAL, -ENOMEM. */
int dp_trace_start(struct dp_engine *engine, const struct dp_trace_config *config,
                   struct dp_trace **trace);
/* The oldest that was not taken yet. false: there is none. */
bool dp_trace_take(struct dp_trace *trace, struct dp_trace_record *record);
/* Packets, as far as could be told before their walk, that would have been traced but came faster than is
 * allowed, or than records were taken. */
uint64_t dp_trace_missed(const struct dp_trace *trace);
/* Ends it; what was not taken is gone. Never waits. Before dp_engine_stop(). NULL is allowed. */
void dp_trace_free(struct dp_trace *trace);

#endif
