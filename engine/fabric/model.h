/*
 * The fabric as the user wrote it: VNets, subnets, peerings, route tables, NICs, route servers,
 * gateways, modelled routers. Plain data, made by fabric_load() and not changed afterwards.
 *
 *   fabric ─┬─ vnets[] ── subnets[] ──> route_table
 *           ├─ peerings[] ──> two vnets, options per side
 *           ├─ nics[] ──> vnet, subnet          (attachment: port, VLAN, underlay)
 *           ├─ route_servers[] ──> vnet; peers[] ──> router that answers in the twin
 *           ├─ gateways[], load_balancers[], policies[], tunnels[]
 *           └─ routers[] ──> nic; neighbors[]
 *
 * Everything is in arrays of the fabric and refers to others by index (FABRIC_NONE: none), so that
 * a fabric can be compared and copied. Indices follow the order of names, not the order in the
 * file: order in a file never matters. Strings belong to the fabric. Every object knows its file
 * and line.
 *
 * Behind the file's own come what gateways bring along: a NIC for each instance, "er1/0", and for a
 * VNet with gateways and no route server an implicit one, which chooses among what they learn.
 */
#ifndef ENGINE_FABRIC_MODEL_H
#define ENGINE_FABRIC_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/rib/speaker.h"
#include "lpm/lpm.h"

#define FABRIC_NONE UINT32_MAX

struct fabric_place {
    const char *file;
    unsigned line;
};

enum fabric_mode { FABRIC_NATIVE, FABRIC_AZURE };

/* nva_reflect: does the route server pass an NVA's route on to other NVAs? */
enum fabric_nva_reflect { FABRIC_REFLECT_ALWAYS, FABRIC_REFLECT_B2B, FABRIC_REFLECT_NEVER };

/* Single switches over the mode. All are off in native mode and on in azure mode unless the file
 * says otherwise. */
struct fabric_quirks {
    bool peer_limit, count_mode, damping, half_programming, own_route_to_originator, single_er_path,
        independent_hash, transparent_ttl, silent_drops, two_octet_asn, no_ipv6, no_md5, no_bfd,
        outer_hash;
    enum fabric_nva_reflect nva_reflect;
};

struct fabric_prefixes {
    struct lpm_prefix *items;
    uint32_t n;
};
struct fabric_addresses {
    struct lpm_address *items;
    uint32_t n;
};
struct fabric_strings {
    const char **items;
    uint32_t n;
};

struct fabric_subnet {
    const char *name;      /* within its VNet */
    const char *full_name; /* "vnet/subnet" */
    struct fabric_place place;
    uint32_t vnet;
    struct fabric_prefixes prefixes;
    uint32_t route_table;   /* or FABRIC_NONE */
    uint8_t gateway_mac[6]; /* from the file, or FABRIC_GATEWAY_MAC */
    struct fabric_strings service_endpoints;
    /* Import filter of BGP routes by source and community. */
    bool reject_express_route, reject_vpn, reject_nva;
    struct fabric_strings reject_communities; /* as written: "65001:666" */
    struct fabric_strings reject_prefixes;    /* as written: "10.0.0.0/8 ge 16" */
};

/* The gateway MAC of every subnet that names none: what Azure's hosts show to guests. */
#define FABRIC_GATEWAY_MAC                                                                         \
    {                                                                                              \
        0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc                                                         \
    }

struct fabric_vnet {
    const char *name;
    struct fabric_place place;
    const char *region;
    struct fabric_prefixes space;
    struct fabric_prefixes bgp_overrides; /* in which BGP comes before address space */
    uint32_t first_subnet, subnet_count;  /* in fabric.subnets */
    uint32_t route_server;                /* that stands in this VNet, or FABRIC_NONE */
};

/* Options of one side, the side of `vnets[i]`: what that VNet allows, or uses, of the other. */
struct fabric_peering_side {
    bool allow_virtual_network_access; /* default true */
    bool allow_forwarded_traffic; /* this VNet takes packets from the other with a foreign source */
    bool allow_gateway_transit;   /* the other may use this VNet's gateway or route server */
    bool use_remote_gateways;     /* this VNet uses the other's */
};
struct fabric_peering {
    struct fabric_place place;
    uint32_t vnets[2];
    struct fabric_peering_side sides[2];
    bool in_sync; /* false: no route over it until re-synced */
    bool global;  /* regions differ */
};

enum fabric_next_hop_type {
    FABRIC_VNET_LOCAL,
    FABRIC_VNET_PEERING,
    FABRIC_VNET_GLOBAL_PEERING,
    FABRIC_INTERNET,
    FABRIC_NULL, /* "None" */
    FABRIC_VIRTUAL_APPLIANCE,
    FABRIC_VIRTUAL_NETWORK_GATEWAY,
    FABRIC_SERVICE_ENDPOINT,
};
/* "VnetLocal", "VNetPeering", …, as the vendor writes them. */
const char *fabric_next_hop_type_text(enum fabric_next_hop_type type);

struct fabric_udr {
    struct fabric_place place;
    struct lpm_prefix prefix;
    enum fabric_next_hop_type type;
    struct lpm_address next_hop; /* FABRIC_VIRTUAL_APPLIANCE */
};
struct fabric_route_table {
    const char *name;
    struct fabric_place place;
    bool bgp_propagation;      /* default true */
    struct fabric_udr *routes; /* in prefix order */
    uint32_t route_count;
};

struct fabric_service_tag {
    const char *name;
    struct fabric_place place;
    struct fabric_prefixes prefixes;
};

struct fabric_nic {
    const char *name;
    struct fabric_place place;
    uint32_t vnet, subnet;
    struct fabric_addresses addresses;
    uint8_t mac[6]; /* from the file, or derived from the name, locally administered */
    bool ip_forwarding;
    uint32_t port;          /* or FABRIC_NONE */
    uint16_t vlan;          /* 0: untagged, the port is the NIC's alone or shared by source MAC */
    uint32_t underlay_port; /* or FABRIC_NONE */
    uint32_t vni;
    uint32_t host;    /* or FABRIC_NONE */
    uint32_t router;  /* that owns this NIC, or FABRIC_NONE */
    uint32_t gateway; /* of which it is an instance; see fabric_nic_gateway() */
};

struct fabric_port {
    const char *name;
    struct fabric_place place;
    const char *device;
    const char *options;         /* "key=value,key=value" or NULL */
    unsigned queues;             /* 0: default */
    uint16_t mtu;                /* 0: default */
    struct lpm_address address;  /* of an underlay port; family 0: none */
    struct lpm_address next_hop; /* router of the underlay; family 0: others are on the link */
    uint32_t host;               /* or FABRIC_NONE; see placement.h */
};
struct fabric_host {
    const char *name;
    struct fabric_place place;
    struct lpm_address vtep;
};

enum fabric_preference {
    FABRIC_PREFER_EXPRESS_ROUTE,
    FABRIC_PREFER_VPN_GATEWAY,
    FABRIC_PREFER_AS_PATH
};

enum fabric_limit_action { FABRIC_LIMIT_WARN, FABRIC_LIMIT_DROP_EXCESS, FABRIC_LIMIT_CLOSE };
struct fabric_max_prefixes {
    uint32_t limit;   /* 0: none */
    bool count_azure; /* held + NLRI of the incoming update; else unique */
    unsigned warn_percent;
    enum fabric_limit_action action;
    uint32_t idle_minutes; /* UINT32_MAX: forever */
};
struct fabric_bfd {
    bool enabled;
    unsigned interval_ms, multiplier;
    bool multihop; /* RFC 5883; else RFC 5881 */
};

enum fabric_connect { FABRIC_CONNECT_EITHER, FABRIC_CONNECT_ACTIVE, FABRIC_CONNECT_PASSIVE };
enum fabric_key_type { FABRIC_KEY_MD5, FABRIC_KEY_TCP_AO };

/* How the TCP connections of a session are made. */
struct fabric_transport {
    enum fabric_connect connect;
    unsigned ttl;               /* of what we send, 1..255 */
    unsigned ttl_security_hops; /* RFC 5082: how far away the peer may be; 0: not looked at */
    uint16_t port;              /* of the peer; 0: the port of the engine */
    struct lpm_address local_addresses[2]; /* one an instance, instead of the route server's */
    uint32_t local_address_count;          /* 0, or the number of instances */
    const char *interface;                 /* sockets are bound to this device, or NULL */
};

struct fabric_graceful_restart {
    bool enabled;
    uint16_t
        restart_seconds; /* that we ask the peer to keep our routes; 0: we only keep the peer's */
    uint32_t stale_seconds;      /* that stale routes wait for a returned peer's End-of-RIB */
    bool forwarding;             /* what we announced stays true while we restart */
    uint32_t long_lived_seconds; /* RFC 9494; 0: not offered */
};

enum fabric_reflection {
    FABRIC_REFLECTION_NONE, /* an external session */
    FABRIC_REFLECTION_CLIENT,
    FABRIC_REFLECTION_NON_CLIENT,
};
#define FABRIC_ADD_PATH_RECEIVE 1u
#define FABRIC_ADD_PATH_SEND    2u

/* `bgp:` of a session; struct speaker_peer_config says what each does. */
struct fabric_bgp_options {
    unsigned add_path; /* FABRIC_ADD_PATH_* */
    unsigned send_max;
    bool extended_next_hop;
    enum bgp_role role;
    bool role_strict;
    enum fabric_reflection reflection;
    bool transparent, graceful_shutdown, accept_blackhole, check_first_as, as_override;
    unsigned allow_own_as, max_as_path, max_communities, prepend;
    enum rib_private_as private_as;
    uint32_t *remove_as;
    uint32_t remove_as_count;
};

struct fabric_bgp_peer {
    const char *name;
    struct fabric_place place;
    struct lpm_address address;
    uint32_t asn;
    uint32_t nic;         /* that has `address`, or FABRIC_NONE */
    uint32_t router;      /* that answers in the twin, or FABRIC_NONE */
    const char *key_file; /* as written: relative to the file of `place` */
    enum fabric_key_type key_type;
    unsigned key_id; /* SendID and RecvID (RFC 5925) */
    struct fabric_transport transport;
    bool extended_messages;
    uint16_t hold_time_s, keepalive_s; /* defaults 180, 60 */
    uint16_t send_hold_time_s;         /* RFC 9687; 0: the default of the RFC */
    struct fabric_bfd bfd;
    struct fabric_max_prefixes max_prefixes;
    struct fabric_graceful_restart graceful_restart;
    struct fabric_bgp_options bgp;
    const char *import_policy, *export_policy;
};

struct fabric_dynamic_peers {
    struct fabric_place place;
    struct lpm_prefix prefix;
    uint32_t *asn_first, *asn_last; /* ranges */
    uint32_t range_count;
    const char *template_peer;
};

struct fabric_route_server {
    const char *name;
    struct fabric_place place;
    uint32_t vnet;
    uint32_t asn; /* default 65515 */
    struct lpm_address addresses[2];
    uint32_t instance_count;      /* addresses given: 1 or 2 */
    uint32_t port;                /* or FABRIC_NONE */
    const char *listen_interface; /* management link, or NULL */
    uint16_t listen_port;         /* TCP; 0: the engine's own choice */
    bool branch_to_branch;
    bool require_policy; /* RFC 8212 */
    enum fabric_preference preference;
    enum rib_med med;
    bool compare_origin;
    struct lpm_address cluster_id; /* IPv4; family 0: the identifier of each instance */
    uint32_t peer_limit, prefix_limit;
    struct fabric_prefixes summaries; /* told instead of the address space inside them */
    uint32_t failback_hold_down_s;    /* UINT32_MAX: NICs never go back by themselves */
    struct fabric_bgp_peer *peers;
    uint32_t peer_count;
    struct fabric_dynamic_peers *dynamic_peers;
    uint32_t dynamic_peer_count;
    bool implicit; /* the file has none: no peers, no address that anybody could reach */
};

struct fabric_neighbor {
    struct fabric_place place;
    /* One of them, or all FABRIC_NONE when address is given. */
    uint32_t route_server, router, gateway;
    struct lpm_address address;
    const char *name; /* of a gateway's neighbor that is an address: that address */
    uint32_t asn;
    uint32_t tunnel;     /* or FABRIC_NONE */
    unsigned *instances; /* of the route server; none given: all */
    uint32_t instance_count;
    bool as_override;
    unsigned prepend;
    const char *key_file;  /* as of a route server's peer; the twin compares the two names */
    struct fabric_bfd bfd; /* with another router; both ends have to say so */
    struct fabric_bgp_options bgp;
    const char *import_policy, *export_policy;
};

#define FABRIC_GATEWAY_INSTANCES_MAX 4u
struct fabric_static_branch {
    const char *name;
    struct fabric_prefixes prefixes;
};
/* What each neighbor of a gateway is told at most. */
struct fabric_max_advertised {
    uint32_t limit; /* prefixes; 0: any number */
    bool send;      /* what is too much all the same; else it is kept back */
    unsigned warn_percent;
};

struct fabric_gateway {
    const char *name;
    struct fabric_place place;
    bool vpn; /* else ExpressRoute */
    uint32_t vnet;
    uint32_t asn;
    struct fabric_addresses addresses;
    struct fabric_neighbor *neighbors;
    uint32_t neighbor_count;
    struct fabric_static_branch *static_branches;
    uint32_t static_branch_count;
    struct fabric_prefixes point_to_site;
    struct fabric_max_advertised max_advertised;
    bool default_route, point_to_site_transit; /* VPN: told its branches; told ExpressRoute ones */
    uint32_t port;
    uint32_t kernel_table; /* 0: fabric_gateway_kernel_table() makes one */
    const char *import_policy,
        *export_policy; /* what the VNet's route server takes from it, tells it */
    uint32_t first_nic; /* of instance 0; the others follow */
};

struct fabric_load_balancer {
    const char *name;
    struct fabric_place place;
    uint32_t vnet, subnet;
    struct lpm_address frontend;
    uint32_t *backends; /* NICs */
    uint32_t backend_count;
    /* struct probe_order says what is sent. */
    bool probe_tcp; /* else ICMP */
    uint16_t probe_port;
    unsigned probe_interval_s, probe_timeout_ms;
    unsigned probe_failures, probe_successes; /* in a row, until it is down, or up again */
};

/* A number that may be left out. */
struct fabric_given {
    bool given;
    uint32_t value;
};
struct fabric_numbers {
    uint32_t *items;
    uint32_t n;
};
struct fabric_as_replacement {
    uint32_t from, to;
};
/* Texts stand as written, and are checked: fabric_policies_create() understands them. */
struct fabric_policy_rule {
    struct fabric_place place;
    struct fabric_strings match_prefixes, match_communities, match_all_communities;
    const char *match_as_path;                                             /* NULL: any */
    const char *match_as_path_length, *match_med, *match_local_preference; /* NULL: any */
    struct fabric_prefixes match_next_hops;
    struct fabric_numbers match_sources; /* enum rib_source */
    struct fabric_numbers match_origins; /* enum bgp_origin */
    struct fabric_given local_preference, med, weight, origin;
    struct lpm_address set_next_hop; /* family 0: untouched */
    bool replaces_as_path, replaces_communities;
    struct fabric_numbers as_path, remove_as, prepend;
    struct fabric_as_replacement *replace_as;
    uint32_t replace_as_count;
    struct fabric_strings communities, add_communities, remove_communities;
    struct lpm_prefix summarise; /* family 0: no */
    bool keep_contributors;
    enum { FABRIC_RULE_ACCEPT, FABRIC_RULE_REJECT, FABRIC_RULE_CONTINUE } then;
};
struct fabric_policy {
    const char *name;
    struct fabric_place place;
    struct fabric_policy_rule *rules;
    uint32_t rule_count;
};

struct fabric_router_static {
    struct fabric_place place;
    struct lpm_prefix prefix;
    bool via_subnet_gateway;
    struct lpm_address via;
};
/* What comes for `address` is sent on to `to`. */
struct fabric_router_destination_nat {
    struct fabric_place place;
    struct lpm_address address, to;
};
struct fabric_router_host {
    const char *name;
    struct lpm_address address;
};
struct fabric_router_health {
    const char *name;
    struct fabric_prefixes withdraw; /* while the check is down */
};
/* The paths that a router announces out of MRT files. */
struct fabric_router_table {
    bool present;
    const char *mrt, *updates; /* files; updates may be NULL */
    struct lpm_address peer;   /* whose paths; family 0: peer_place */
    uint32_t peer_place;       /* in the table's list, plus 1; 0: the first path of each prefix */
    bool full_speed;           /* of updates; else as recorded */
    uint32_t updates_after_s;
};
/* The first `count` prefixes of one length within another one. */
struct fabric_prefix_block {
    struct fabric_place place;
    struct lpm_prefix within;
    unsigned length;
    uint32_t count;
};

struct fabric_router {
    const char *name;
    struct fabric_place place;
    uint32_t *nics; /* owned NICs, in the file's order: `nic:` takes a name or a list */
    uint32_t nic_count;
    const char *role; /* "msee" or NULL */
    uint32_t number;  /* its place in the file; over the stages of a drill the first that it had */
    uint32_t asn;
    struct lpm_address address; /* of a box on-premises: where it speaks BGP; family 0: not given */
    struct fabric_prefixes originate; /* those of the blocks, too */
    struct fabric_prefix_block *blocks;
    uint32_t block_count;
    struct fabric_neighbor *neighbors;
    uint32_t neighbor_count;
    struct fabric_router_static *statics;
    uint32_t static_count;
    bool stateful, source_nat;
    struct fabric_router_destination_nat *destination_nat;
    uint32_t destination_nat_count;
    uint16_t restart_seconds; /* graceful restart time that its daemon offers; 0: none */
    struct fabric_router_health *health;
    uint32_t health_count;
    struct fabric_router_host *hosts;
    uint32_t host_count;
    struct fabric_router_table table;
};

struct fabric_tunnel {
    const char *name;
    struct fabric_place place;
    bool ipsec; /* else VXLAN */
    uint32_t vni;
    uint32_t ends[2]; /* routers */
    struct lpm_address addresses[2];
    struct lpm_address underlay[2]; /* of the outer packets, in the order of the ends */
    uint32_t underlay_count;        /* 0 or 2 */
};

struct fabric_internet {
    bool present;
    struct fabric_place place;
    uint32_t port;                           /* or FABRIC_NONE */
    struct lpm_address next_hop, source_nat; /* family 0: none */
    uint8_t mac[6];                          /* all zero: not given */
};

/* The event log and the thresholds of its alerts. */
struct fabric_events {
    bool present;
    const char *file; /* JSON lines; NULL: none */
    uint32_t ring;
    uint32_t route_count_jump, route_count_jump_percent, withdraw_storm;
};
/* Dumps of the running engine's BGP tables. */
struct fabric_mrt {
    bool present;
    const char *file; /* %Y, %m, %d, %H, %M, %S: the time in UTC */
    uint32_t interval_s;
};
/* A collector that the running engine tells of its sessions and tables (BMP). */
enum {
    FABRIC_BMP_PRE_POLICY = 0x1,
    FABRIC_BMP_POST_POLICY = 0x2,
    FABRIC_BMP_ADJ_RIB_OUT = 0x4,
    FABRIC_BMP_LOC_RIB = 0x8,
};
struct fabric_bmp {
    struct fabric_place place;
    const char *collector;          /* address:port, see fabric_socket_parse() */
    uint32_t routes;                /* FABRIC_BMP_... */
    uint32_t statistics_interval_s; /* 0: no reports */
};
struct fabric_engine {
    unsigned *cores;
    unsigned core_count;        /* 0: default */
    const char *control_socket; /* or NULL */
    const char *metrics_listen; /* address:port, see fabric_socket_parse(); or NULL */
    struct fabric_place metrics_place;
    struct fabric_bmp *bmp;
    uint32_t bmp_count;
    struct fabric_events events;
    struct fabric_mrt mrt;
    bool verify; /* after each change, compare what is programmed with what would be made anew */
};

struct fabric_ecmp {
    bool strict;          /* balance: strict; else hrw */
    unsigned hash_fields; /* 5, 3 or 2 */
    bool sticky;
    uint32_t sticky_idle_ms, sticky_forced_ms;
};

#define FABRIC_ARRAY(type, name)                                                                   \
    struct type *name;                                                                             \
    uint32_t name##_count

/* Indices that the loader adds, so that questions cost a search and no scan. */
struct fabric_link { /* one side of a peering, sorted by (vnet, other) */
    uint32_t vnet, other;
    uint32_t peering;
    unsigned side; /* of vnet */
};
struct fabric_owner { /* an address of a NIC, sorted by (vnet, address) */
    uint32_t vnet, nic;
    struct lpm_address address;
};

struct fabric {
    const char *name;
    enum fabric_mode mode;
    struct fabric_quirks quirks;
    struct fabric_engine engine;
    struct fabric_ecmp ecmp;
    struct fabric_internet internet;
    struct fabric_prefixes reserved; /* the documented four and the file's own: None rows */
    FABRIC_ARRAY(fabric_vnet, vnets);
    FABRIC_ARRAY(fabric_subnet, subnets);
    FABRIC_ARRAY(fabric_peering, peerings);
    FABRIC_ARRAY(fabric_route_table, route_tables);
    FABRIC_ARRAY(fabric_service_tag, service_tags);
    FABRIC_ARRAY(fabric_host, hosts);
    FABRIC_ARRAY(fabric_nic, nics);
    FABRIC_ARRAY(fabric_port, ports);
    FABRIC_ARRAY(fabric_route_server, route_servers);
    FABRIC_ARRAY(fabric_gateway, gateways);
    FABRIC_ARRAY(fabric_load_balancer, load_balancers);
    FABRIC_ARRAY(fabric_policy, policies);
    FABRIC_ARRAY(fabric_router, routers);
    FABRIC_ARRAY(fabric_tunnel, tunnels);
    /* Not of the file: hosts[here - 1] is the one that this process is; 0: all are in one. See
     * fabric_stand_on(). */
    uint32_t here;
    uint32_t brought_nic_count, implicit_server_count; /* the last of nics and route_servers */
    /* NULL in a fabric that was put together by hand: then peerings and NICs are scanned. */
    struct fabric_link *links;
    uint32_t link_count;
    struct fabric_owner *owners;
    uint32_t owner_count;
};

/* Index by name, or FABRIC_NONE. */
uint32_t fabric_find_vnet(const struct fabric *fabric, const char *name);
uint32_t fabric_find_subnet(const struct fabric *fabric, uint32_t vnet, const char *name);
uint32_t fabric_find_nic(const struct fabric *fabric, const char *name);
uint32_t fabric_find_route_server(const struct fabric *fabric, const char *name);
uint32_t fabric_find_router(const struct fabric *fabric, const char *name);
uint32_t fabric_find_gateway(const struct fabric *fabric, const char *name);
/* The NIC's first address of that family; NULL: it has none. */
const struct lpm_address *fabric_nic_address(const struct fabric_nic *nic, uint8_t family);
bool fabric_nic_has(const struct fabric_nic *nic, const struct lpm_address *address);
/* The gateway of which nic is an instance, or FABRIC_NONE. */
uint32_t fabric_nic_gateway(const struct fabric *fabric, uint32_t nic);
/* The NIC whose attachment has nic's frames: its own, or that of instance 0 where the instances of a gateway share a
 * port, as they are one machine behind it. */
uint32_t fabric_nic_attached(const struct fabric *fabric, uint32_t nic);

/* The peering of two VNets and which side `vnet` is, or false. */
bool fabric_peering_between(const struct fabric *fabric, uint32_t vnet, uint32_t other,
                            const struct fabric_peering **peering, unsigned *side);
/* Peerings of one VNet: calls visit(context, peering, side of vnet) for each. */
void fabric_each_peering(const struct fabric *fabric, uint32_t vnet,
                         void (*visit)(void *context, const struct fabric_peering *peering,
                                       unsigned side),
                         void *context);
/* Connected, in sync and with access allowed on both sides: its routes appear. */
bool fabric_peering_routes(const struct fabric_peering *peering);
/* The route server whose routes the NICs of vnet take: its own, or that of the VNet it uses as
 * remote gateway (use_remote_gateways here, allow_gateway_transit there). Where there are only
 * gateways it is an implicit one. FABRIC_NONE: none. */
uint32_t fabric_route_server_for(const struct fabric *fabric, uint32_t vnet);
/* The NIC of this very VNet that has address, or FABRIC_NONE. */
uint32_t fabric_address_owner(const struct fabric *fabric, uint32_t vnet,
                              const struct lpm_address *address);
/* Order of fabric.owners: <0, 0, >0. */
int fabric_owner_compare(const struct fabric_owner *owner, uint32_t vnet,
                         const struct lpm_address *address);
/* The NIC that has address, in vnet or a VNet directly peered with it; FABRIC_NONE: unreachable. */
uint32_t fabric_resolve_address(const struct fabric *fabric, uint32_t vnet,
                                const struct lpm_address *address);
/* The load balancer whose frontend is address, in vnet or a VNet directly peered with it;
 * FABRIC_NONE: none. */
uint32_t fabric_resolve_frontend(const struct fabric *fabric, uint32_t vnet,
                                 const struct lpm_address *address);
/* Is NIC a backend of load balancer? */
bool fabric_is_backend(const struct fabric_load_balancer *balancer, uint32_t nic);

/* "127.0.0.1:9460" or "[::1]:9460", as FABRIC_TYPE_SOCKET has it; port is never 0. */
bool fabric_socket_parse(const char *text, struct lpm_address *address, uint16_t *port);

#endif
