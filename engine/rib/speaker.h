/*
 * A BGP speaker: sessions with peers, Adj-RIB-In, decision, Adj-RIB-Out. Sans-I/O: bytes and time
 * go in, bytes and changes come out. The route server, the gateways and every modelled router are
 * this same speaker with another configuration.
 *
 *   transport bytes --> session --> import --> Adj-RIB-In --> decision --> choice --> fabric (ECMP
 * set) (live or sim)   <-- session <-- export <-- Adj-RIB-Out <-- one best path
 *
 * A route server's two instances are one speaker (merged RIBs): each configured NVA has one session
 * per instance, told apart by speaker_peer_config.local_address. With unmerged instances (a quirk
 * of azure mode) each instance is a speaker of its own.
 *
 * Threads: one; no locks. Time is a monotonic uint64_t in milliseconds, given by the caller.
 * Reentrancy: handler functions are called from within speaker_* calls; they must not call
 * back into the same speaker, but for the const functions under "Questions".
 */
#ifndef ENGINE_RIB_SPEAKER_H
#define ENGINE_RIB_SPEAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/bgp/attributes.h"
#include "engine/bgp/session.h"
#include "engine/rib/policy.h"
#include "lpm/lpm.h"

struct speaker;
struct speaker_peer;

/* Where a path came from; hub routing preference compares classes of these. */
enum rib_source {
    RIB_SOURCE_LOCAL, /* originated by this speaker */
    RIB_SOURCE_NVA,
    RIB_SOURCE_EXPRESS_ROUTE,
    RIB_SOURCE_VPN,
};
#define RIB_SOURCES 4u

/* hubRoutingPreference; and what a gateway does: its own branches before whatever the route server
 * tells, or a packet for a branch would come back into the fabric. */
enum rib_preference {
    RIB_PREFER_EXPRESS_ROUTE,
    RIB_PREFER_VPN_GATEWAY,
    RIB_PREFER_AS_PATH,
    RIB_PREFER_BRANCHES,
};

/* One way to reach a prefix. Valid until the next change of the speaker. */
struct rib_path {
    const struct bgp_attributes *attributes; /* after import policy */
    const struct speaker_peer *peer;         /* NULL for RIB_SOURCE_LOCAL */
    enum rib_source source;
    struct lpm_address next_hop;
    uint32_t path_id; /* as the peer gave it (RFC 7911); 0 where it gives none */
    bool discard;    /* BLACKHOLE (RFC 7999) of a peer that may say so: packets are to be dropped */
    bool summary;    /* no peer said it: import policy made it of what `peer` said */
    float bandwidth; /* bytes a second by its link-bandwidth community, where the speaker heeds
                         those; 0: not said */
};

/* Why a candidate is, or is not, in the ECMP set. */
enum rib_verdict {
    RIB_CHOSEN,           /* member of the ECMP set */
    RIB_LOST_WEIGHT,      /* a lower weight (policy) */
    RIB_LOST_LOCAL_PREF,  /* a lower local preference (policy, or an iBGP neighbour) */
    RIB_LOST_PREFERENCE,  /* a higher class by hub routing preference */
    RIB_LOST_AS_PATH,     /* a shorter AS_PATH */
    RIB_FILTERED_AS_LOOP, /* own ASN in AS_PATH */
    RIB_FILTERED_POLICY,
    RIB_FILTERED_NEXT_HOP,  /* next hop is ourselves or no unicast address */
    RIB_DUPLICATE_NEXT_HOP, /* same next hop as a chosen path (the other instance's session, say) */
    RIB_FILTERED_MARTIAN,   /* a prefix that no unicast route may have (RFC 4271 6.3) */
    RIB_LOST_LIMIT,         /* equal to the chosen paths, but the ECMP set is full */
    RIB_LOST_SHUTDOWN,      /* drained (RFC 8326), and another path is not */
    RIB_LOST_ORIGIN,        /* a lower ORIGIN, where the speaker compares it */
    RIB_LOST_MED,           /* a lower MED, where the speaker compares it */
    RIB_FILTERED_AS_PATH_LENGTH,  /* longer than the peer's AS_PATH may be */
    RIB_FILTERED_FIRST_AS,        /* does not begin with the peer's AS */
    RIB_FILTERED_REFLECTION_LOOP, /* own ORIGINATOR_ID or cluster (RFC 4456) */
    RIB_FILTERED_ROUTE_LEAK,      /* Only to Customer (RFC 9234) */
    RIB_LOST_STALE,               /* the peer is long gone (RFC 9494) */
    RIB_FILTERED_COMMUNITIES,     /* has more communities than the peer's routes may */
    RIB_FILTERED_SUMMARISED,      /* accepted, and a summary stands for it (policy) */
};
const char *rib_verdict_text(enum rib_verdict verdict);
/* Not accepted at all, rather than accepted and not chosen. */
bool rib_verdict_filtered(enum rib_verdict verdict);

/* Whether paths that are equal so far are told apart by MED (RFC 4271 9.1.2.2 c). */
enum rib_med {
    RIB_MED_IGNORED,
    RIB_MED_SAME_AS, /* among those of one neighbouring AS */
    RIB_MED_ALWAYS,
};

/* What happens to private AS numbers (RFC 6996) in what an external peer is sent. */
enum rib_private_as { RIB_PRIVATE_AS_KEPT, RIB_PRIVATE_AS_REMOVED, RIB_PRIVATE_AS_REPLACED };

struct speaker_handler {
    void *context;
    /* The ECMP set or the best path of prefix changed, or a neighbour began or ceased to have a
     * usable path, or the choice among learned paths behind an own route did. Told once per change,
     * after the input that caused it has been taken in whole; read the new choice by
     * speaker_choice(). A change that is undone within the same input may be told all the same. It
     * is no change when a neighbour's path is now held by its session with the other instance. */
    void (*choice_changed)(void *context, const struct lpm_prefix *prefix);
    /* A session reached or left Established, or changed state otherwise; or the routes of a lost one
     * are no longer retained, the state being what it was. reason is a line for people (who did
     * what, with the codes), never NULL. */
    void (*peer_changed)(void *context, struct speaker_peer *peer, enum bgp_state state,
                         const char *reason);
    /* The session wants a TCP connection opened to peer (answer with speaker_connected() or
     * speaker_closed()). */
    void (*connect)(void *context, struct speaker_peer *peer);
    /* The session wants this connection closed, after what is queued for it has been sent. */
    void (*close)(void *context, struct speaker_peer *peer, enum bgp_direction direction);
    /* There are bytes to fetch by speaker_output(). Told on the edge from none to some. */
    void (*output_ready)(void *context, struct speaker_peer *peer, enum bgp_direction direction);
    /* Are there bytes of the connection that speaker_input() was not given yet? May be NULL: no. */
    bool (*input_waits)(void *context, struct speaker_peer *peer, enum bgp_direction direction);
    /* Something of this peer worth a line in a log that changes no state: a malformed attribute,
     * say. */
    void (*notice)(void *context, struct speaker_peer *peer, const char *line);
};

/* Any function of the handler may be NULL. */
struct speaker_config {
    const char *name; /* for messages */
    uint32_t asn;
    enum rib_preference preference;
    /* true: prepend own ASN and set next hop to self towards eBGP peers, as the route server
     * of azure mode does; false: attributes pass untouched (RFC 7947). */
    bool prepend_own_asn;
    bool reflect; /* re-advertise a peer's best route to other peers (nva_reflect) */
    /* Of a path of that source: bits 1 << enum rib_source of the peers that are not sent it. */
    uint8_t withheld[RIB_SOURCES];
    /* Attach community 65517:65517 to an NVA's route that is reflected to another NVA, as the route
     * server of azure mode does. */
    bool mark_reflected;
    bool single_express_route_path; /* no ECMP over ExpressRoute paths (quirk single_er_path) */
    unsigned ecmp_max;   /* next hops of a choice; 0 and above RIB_ECMP_MAX: RIB_ECMP_MAX */
    bool require_policy; /* RFC 8212: an eBGP peer without a policy gives, or gets, no route */
    enum rib_med med;
    bool compare_origin;          /* IGP before EGP before Incomplete, at equal AS_PATH length */
    bool link_bandwidth;          /* heed link-bandwidth communities */
    uint32_t cluster_id;          /* as a route reflector (RFC 4456); 0: the session's identifier */
    unsigned prefix_limit;        /* different prefixes, own ones too; more are dropped; 0: none */
    unsigned prefix_warn_percent; /* a notice at this share of it; 0: none */
    struct speaker_handler handler;
};

/* What happens when a peer announces too much. */
enum speaker_limit_action { SPEAKER_LIMIT_CLOSE, SPEAKER_LIMIT_DROP_EXCESS, SPEAKER_LIMIT_WARN };
struct speaker_prefix_limit {
    unsigned limit;        /* prefixes of all families; 0: none */
    bool count_azure;      /* held + all that is said in one go; else unique prefixes held */
    unsigned warn_percent; /* a notice at this share of the limit; 0: none */
    enum speaker_limit_action action;
    uint32_t idle_minutes; /* of a session closed for it; UINT32_MAX: until it is started; 0: as
                              after any failure */
};

/* What a peer is told at most, of all families. Not of peers with a selection of their own (add_path_send,
 * transparent). */
struct speaker_ceiling {
    unsigned limit; /* prefixes; 0: any number */
    unsigned warn_percent;
    bool truncate; /* keep back what is too much; else it is told all the same, and may mind */
};

/* Names and addresses are copied. */
struct speaker_peer_config {
    const char *name;                  /* of the neighbour, as the fabric file calls it */
    unsigned instance;                 /* of the route server or gateway, at either end */
    enum rib_source source;            /* class of what it announces */
    struct lpm_address local_address;  /* this end; also the next hop of what is advertised */
    struct lpm_address local_address6; /* next hop for IPv6 NLRI; family 0: derived from
                                          local_address when that is IPv6 */
    struct lpm_address peer_address;   /* the other end */
    uint32_t horizon;                  /* what a session says goes to none of the same address, nor
                                          of the same horizon (split horizon); 0: of its own */
    uint32_t identifier;               /* this end's BGP identifier, host order, not 0 */
    uint32_t asn;                      /* the peer's */
    bool passive;                      /* never connect, only accept */
    bool extended_messages;            /* offered: messages of up to 65,535 octets (RFC 8654) */
    uint16_t hold_time_s;              /* 0 or >= 3; default 180 is the caller's to give */
    uint16_t keepalive_s;              /* 0: a third of the negotiated hold time */
    uint16_t send_hold_time_s;         /* 0: as bgp_session_config says */
    uint16_t connect_retry_s;
    struct speaker_prefix_limit limit;
    struct speaker_ceiling ceiling;
    struct bgp_restart_config restart;
    uint32_t
        stale_time_s; /* how long stale routes wait for the peer's End-of-RIB once it is back; 0:
                              360 */
    bool as_override; /* towards this peer: replace its ASN in AS_PATH by our own */
    unsigned prepend; /* towards this peer: own ASN this many times more */
    unsigned allow_own_as; /* how often our own ASN may stand in a received AS_PATH */
    unsigned max_as_path;  /* a received AS_PATH of more ASes is filtered; 0: any length */
    unsigned
        max_communities; /* a received route of more, of all kinds, is filtered; 0: any number */
    bool check_first_as; /* a received AS_PATH must begin with the peer's ASN */
    /* Towards this peer, an external one: private AS numbers, and these, leave the AS_PATH. */
    enum rib_private_as private_as;
    const uint32_t *remove_as; /* copied */
    unsigned remove_as_count;
    bool transparent;    /* towards this peer: nothing is prepended, next hop and MED stay, and the
                           best of what it may have is sent where it may not have the best (RFC
                           7947) */
    bool reflect_client; /* an internal peer that routes of others are reflected to, and from which
                            they are (RFC 4456) */
    bool next_hop_self;  /* towards this peer, an internal one: our own address stands in for the
                            next hop of what external peers said */
    enum bgp_role role;  /* ours (RFC 9234) */
    bool role_strict;
    bool add_path_receive, add_path_send; /* offered (RFC 7911), in every family */
    unsigned add_path_max;                /* paths to a prefix that are sent; 0: 1 */
    bool extended_next_hop;               /* offered: IPv4 routes with IPv6 next hops (RFC 8950) */
    bool accept_blackhole;                /* BLACKHOLE (RFC 7999) of this peer is heeded */
    bool
        graceful_shutdown; /* drained (RFC 8326): its paths come last, and it is told to do the same
                               with ours */
    void *user;            /* speaker_peer_user() gives it back */
};

/* --- Life ------------------------------------------------------------------------------------- */

struct speaker *speaker_create(const struct speaker_config *config); /* NULL with errno */
/* Drops everything at once, without a word to peers. NULL is allowed. */
void speaker_destroy(struct speaker *speaker);

int speaker_peer_add(struct speaker *speaker, const struct speaker_peer_config *config,
                     struct speaker_peer **peer);
/* Makes an idle peer (speaker_peer_idle()) another neighbour: as if it were removed and one with
 * this config added, but for its policies, which stay. Idle until started. -EBUSY when it is not
 * idle, -EINVAL for other local addresses than before, -ENOMEM: it is who it was. */
int speaker_peer_replace(struct speaker *speaker, struct speaker_peer *peer,
                         const struct speaker_peer_config *config);
/* Starts a session (Idle -> Connect or Active). now_ms is remembered as the present. */
void speaker_peer_start(struct speaker *speaker, struct speaker_peer *peer, uint64_t now_ms);
/* Administrative stop: Cease with this subcode (RFC 4486), routes withdrawn, no reconnect until
 * speaker_peer_start(). */
void speaker_peer_stop(struct speaker *speaker, struct speaker_peer *peer, uint8_t cease_subcode,
                       uint64_t now_ms);

/* The policies of a peer from now on; NULL: none. References of the speaker's own are taken. What the
 * peer announced is judged anew from what it said (nothing is asked of it again), and it is told only
 * what the new export policy makes different. The session stays. */
void speaker_peer_set_policies(struct speaker *speaker, struct speaker_peer *peer,
                               struct rib_policy *import, struct rib_policy *export,
                               uint64_t now_ms);

/* The same, with the policies that another peer of this speaker has now. */
void speaker_peer_share_policies(struct speaker *speaker, struct speaker_peer *peer,
                                 const struct speaker_peer *with, uint64_t now_ms);

/* Ends the session with this Cease subcode (RFC 4486, RFC 9384), routes withdrawn; it starts again by
 * itself after a pause. No effect on a session that has no connection. */
void speaker_peer_reset(struct speaker *speaker, struct speaker_peer *peer, uint8_t cease_subcode,
                        uint64_t now_ms);
/* The same with a shutdown communication for the peer's people (RFC 9003). message may be NULL. */
void speaker_peer_shut_down(struct speaker *speaker, struct speaker_peer *peer,
                            uint8_t cease_subcode, const char *message, uint64_t now_ms);
/* Asks the peer for everything again (RFC 2918). 0 when it was asked; -ENOTCONN, -EOPNOTSUPP,
 * -EAGAIN as bgp_session_request_refresh(). */
int speaker_peer_request_refresh(struct speaker *speaker, struct speaker_peer *peer,
                                 uint64_t now_ms);
/* This end of the session goes down without a word, as a process that dies does, and is back after
 * pause_ms with the R bit of RFC 4724. What the peer announced stays, stale, until it has said it
 * again: for the restart of one instance whose speaker lives on. */
void speaker_peer_abandon(struct speaker *speaker, struct speaker_peer *peer, uint64_t pause_ms,
                          uint64_t now_ms);
/* This speaker is new in place of one that died (RFC 4724 section 4.1): OPENs have the R bit, and
 * reflected routes and End-of-RIB wait until every peer has said its End-of-RIB, at most until then.
 * Before sessions are started. */
void speaker_begin_restart(struct speaker *speaker, uint64_t until_ms);

/* Where this speaker's attribute sets are interned; a good place for those to be originated. */
struct bgp_attribute_table *speaker_attribute_table(struct speaker *speaker);
/* Originates (or replaces) a route. attributes is taken as is (AS_PATH empty for an own route); it
 * is copied into the speaker's own table, so it may be of any table. No next hop (family 0) stands
 * for "self", the local address of each session; one that is set is announced untouched. -EINVAL
 * for a prefix with bits beyond its length, -ENOMEM. */
int speaker_originate(struct speaker *speaker, const struct lpm_prefix *prefix,
                      const struct bgp_attributes *attributes);
/* -ENOENT when it is not originated. */
int speaker_withdraw(struct speaker *speaker, const struct lpm_prefix *prefix);

/* --- Transport side --------------------------------------------------------------------------- */

/* A TCP connection to (BGP_OUTGOING) or from (BGP_INCOMING) peer is there. */
void speaker_connected(struct speaker *speaker, struct speaker_peer *peer,
                       enum bgp_direction direction, uint64_t now_ms);
/* It is gone, or could not be opened (reason for people, may be NULL). */
void speaker_closed(struct speaker *speaker, struct speaker_peer *peer,
                    enum bgp_direction direction, const char *reason, uint64_t now_ms);
/* Bytes arrived, split anywhere. */
void speaker_input(struct speaker *speaker, struct speaker_peer *peer, enum bgp_direction direction,
                   const uint8_t *bytes, size_t n, uint64_t now_ms);
/* Copies up to capacity bytes to send; returns how many. UPDATEs are made from the Adj-RIB-Out as
 * there is room: a slow peer costs one pending mark per prefix, never a queue of messages. */
size_t speaker_output(struct speaker *speaker, struct speaker_peer *peer,
                      enum bgp_direction direction, uint8_t *bytes, size_t capacity,
                      uint64_t now_ms);
/* Runs timers, and a slice of what is left to do of a large change (a peer with many routes died); until
 * that is done, speaker_deadline() is in the past. Call when now_ms >= speaker_deadline(). */
void speaker_tick(struct speaker *speaker, uint64_t now_ms);
/* When speaker_tick() is wanted next; UINT64_MAX: never. */
uint64_t speaker_deadline(const struct speaker *speaker);

/* --- Questions -------------------------------------------------------------------------------- */

#define RIB_ECMP_MAX 64

/* The decision for one prefix. paths[0] is the one best path, that which is advertised. */
struct rib_choice {
    unsigned n; /* paths in the ECMP set, distinct next hops; 0: no route */
    struct rib_path paths[RIB_ECMP_MAX];
};
/* Fills *choice; returns true when there is at least one path. */
bool speaker_choice(const struct speaker *speaker, const struct lpm_prefix *prefix,
                    struct rib_choice *choice);
/* Every prefix that has a choice, in the order of lpm_prefix_compare(). Stops on non-zero. */
int speaker_each_choice(const struct speaker *speaker,
                        int (*visit)(void *context, const struct lpm_prefix *prefix,
                                     const struct rib_choice *choice),
                        void *context);
/* Every candidate for prefix, filtered ones included, with its verdict. */
int speaker_each_candidate(const struct speaker *speaker, const struct lpm_prefix *prefix,
                           int (*visit)(void *context, const struct rib_path *path,
                                        enum rib_verdict verdict),
                           void *context);
/* The same three as NICs see it: this speaker's own routes step aside, since the fabric has system
 * routes for what the route server originates, and not every NIC has each of them. */
bool speaker_learned_choice(const struct speaker *speaker, const struct lpm_prefix *prefix,
                            struct rib_choice *choice);
int speaker_each_learned_choice(const struct speaker *speaker,
                                int (*visit)(void *context, const struct lpm_prefix *prefix,
                                             const struct rib_choice *choice),
                                void *context);
int speaker_each_learned_candidate(const struct speaker *speaker, const struct lpm_prefix *prefix,
                                   int (*visit)(void *context, const struct rib_path *path,
                                                enum rib_verdict verdict),
                                   void *context);
/* Does this speaker originate prefix itself? */
bool speaker_originates(const struct speaker *speaker, const struct lpm_prefix *prefix);

/* Adj-RIB-In of a peer, and what is advertised to it (attributes as sent), in prefix order. A
 * prefix whose change still waits for a slow peer shows what will be sent next; one that waits to
 * be withdrawn is left out. path_id: as sent (RFC 7911), 0 where the peer takes none. Both return
 * -ENOMEM when there is no memory to sort. */
int speaker_each_learned(const struct speaker *speaker, const struct speaker_peer *peer,
                         int (*visit)(void *context, const struct lpm_prefix *prefix,
                                      const struct rib_path *path, enum rib_verdict verdict),
                         void *context);
int speaker_each_advertised(const struct speaker *speaker, const struct speaker_peer *peer,
                            int (*visit)(void *context, const struct lpm_prefix *prefix,
                                         const struct bgp_attributes *attributes,
                                         const struct lpm_address *next_hop, uint32_t path_id),
                            void *context);

/* The same in pieces, for tables too long for one go. The prefixes of a set in no order: fills up to n and returns how
 * many; 0 at the end. *cursor begins as all zero; what comes or goes between two calls may be left out. peer is
 * NULL for SPEAKER_HELD. */
enum speaker_set {
    SPEAKER_HELD, /* all that the speaker knows anything about */
    SPEAKER_LEARNED,
    SPEAKER_ADVERTISED,
};
struct speaker_cursor {
    unsigned family;
    uint32_t id;
};
size_t speaker_prefixes(const struct speaker *speaker, const struct speaker_peer *peer,
                        enum speaker_set set, struct speaker_cursor *cursor,
                        struct lpm_prefix *prefixes, size_t n);
/* speaker_each_learned() and speaker_each_advertised() at one prefix. */
int speaker_learned_at(const struct speaker *speaker, const struct speaker_peer *peer,
                       const struct lpm_prefix *prefix,
                       int (*visit)(void *context, const struct lpm_prefix *prefix,
                                    const struct rib_path *path, enum rib_verdict verdict),
                       void *context);
int speaker_advertised_at(const struct speaker *speaker, const struct speaker_peer *peer,
                          const struct lpm_prefix *prefix,
                          int (*visit)(void *context, const struct lpm_prefix *prefix,
                                       const struct bgp_attributes *attributes,
                                       const struct lpm_address *next_hop, uint32_t path_id),
                          void *context);

/* What policy said of a route. */
struct rib_policy_verdict {
    bool accepted;
    bool missing;    /* there is none, and RFC 8212 wants one */
    bool changed;    /* the route is not as it was */
    bool summarised; /* accepted, but only as part of a summary, which is sent in its place */
    struct rib_policy_place place; /* where that is written; policy NULL: there is no policy */
};
/* Of a path in the Adj-RIB-In of its peer (not an own route): the import policy. */
void speaker_explain_import(const struct lpm_prefix *prefix, const struct rib_path *path,
                            struct rib_policy_verdict *verdict);
/* Of the paths to prefix, best first, that peer might be sent: the export policy's verdict on each,
 * until one is accepted. */
int speaker_explain_export(const struct speaker *speaker, const struct speaker_peer *peer,
                           const struct lpm_prefix *prefix,
                           int (*visit)(void *context, const struct rib_path *path,
                                        const struct rib_policy_verdict *verdict),
                           void *context);
/* The prefixes that an Established peer is not sent because its export policy accepts no path to them.
 * In prefix order; -ENOMEM. */
int speaker_each_withheld(const struct speaker *speaker, const struct speaker_peer *peer,
                          int (*visit)(void *context, const struct lpm_prefix *prefix),
                          void *context);

int speaker_each_peer(const struct speaker *speaker,
                      int (*visit)(void *context, struct speaker_peer *peer), void *context);
const struct speaker_peer_config *speaker_peer_config(const struct speaker_peer *peer);
void *speaker_peer_user(const struct speaker_peer *peer);
const struct bgp_session *speaker_peer_session(const struct speaker_peer *peer);

/* Why routes of a peer are stale: learned, and not confirmed. */
enum speaker_retention_kind {
    SPEAKER_RETAIN_NONE,       /* none are */
    SPEAKER_RETAIN_SWEEP,      /* they are being removed */
    SPEAKER_RETAIN_RESTART,    /* the session was lost gracefully (RFC 4724) */
    SPEAKER_RETAIN_LONG_LIVED, /* long ago: they are the last choice (RFC 9494) */
    SPEAKER_RETAIN_REFRESH,    /* the peer says everything again (RFC 7313) */
};
const char *speaker_retention_text(enum speaker_retention_kind kind);
struct speaker_retention {
    enum speaker_retention_kind kind;
    size_t stale;             /* prefixes */
    uint64_t ends_ms;         /* UINT64_MAX: not by time */
    bool end_of_rib_received; /* since the session came up */
};
struct speaker_retention speaker_peer_retention(const struct speaker_peer *peer,
                                                enum bgp_family family);
/* Are routes of a lost session in force still? Then its neighbour counts as reachable. */
bool speaker_peer_retained(const struct speaker_peer *peer);

/* No connection is there or under way, and no route of it, or for it, is held. */
bool speaker_peer_idle(const struct speaker_peer *peer);

struct speaker_peer_counters {
    size_t held;        /* prefixes in Adj-RIB-In */
    size_t stale;       /* of these, not confirmed */
    size_t counted;     /* as the prefix limit counts */
    uint64_t refused;   /* dropped as too much for a limit, ever */
    bool limit_near;    /* the warning of the prefix limit was given */
    size_t as_loop;     /* of these, dropped because of the own ASN in AS_PATH */
    size_t advertised;  /* prefixes that the peer has been sent */
    size_t kept_back;   /* prefixes that it would be sent, were it not for its ceiling */
    bool ceiling_near;  /* the warning of the ceiling was given */
    uint64_t withdrawn; /* usable paths that the peer withdrew, ever */
    uint64_t updates_in, updates_out;
};
void speaker_peer_counters(const struct speaker_peer *peer, struct speaker_peer_counters *counters);
/* Do both have usable paths to the same prefixes? What was filtered does not count, nor what the speaker
 * originates: that comes back by way of others, of which a peer hears from one instance only. Peers of
 * one speaker or of two. O(n). */
bool speaker_same_learned(const struct speaker_peer *a, const struct speaker_peer *b);
/* For the handler's functions: the time of the input that is being taken, the peer whose path changed
 * last (NULL: an own route did), and whether that path went or came. */
uint64_t speaker_now(const struct speaker *speaker);
const struct speaker_peer *speaker_cause(const struct speaker *speaker);
bool speaker_cause_is_withdrawal(const struct speaker *speaker);
/* True when nothing waits to be sent to any Established peer: no change, and no byte (that is,
 * since the last output_ready speaker_output() has returned 0). */
bool speaker_settled(const struct speaker *speaker);
/* Checks every invariant of the tables; true when all hold. Slow; for tests and debug builds. */
bool speaker_validate(const struct speaker *speaker);

#endif
