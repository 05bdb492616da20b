/*
 * The checks in their order, and what several of them share.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct lpm_prefix *fabric_prefixes_find(const struct fabric_prefixes *prefixes,
                                              const struct lpm_address *address)
{
    for (uint32_t i = 0; i < prefixes->n; i++)
        if (lpm_prefix_contains(&prefixes->items[i], address))
            return &prefixes->items[i];
    return NULL;
}

char *fabric_prefixes_text(const struct fabric_prefixes *prefixes, char text[FABRIC_PREFIXES_TEXT])
{
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < prefixes->n; i++) {
        if (used + LPM_PREFIX_TEXT + 8 > FABRIC_PREFIXES_TEXT) {
            snprintf(text + used, FABRIC_PREFIXES_TEXT - used, ", …");
            break;
        }
        used += (size_t)snprintf(text + used, FABRIC_PREFIXES_TEXT - used, "%s%s", i ? ", " : "",
                                 FABRIC_PREFIX(&prefixes->items[i]));
    }
    return text;
}

/* --- Ranges that carry nothing ---------------------------------------------------------------- */

/* By the registries of special-purpose addresses (RFC 6890): those that are not forwarded. The
 * longer ones first, so that ::1 is said to be the loopback. */
const struct fabric_unroutable *fabric_unroutable_find(const struct lpm_prefix *prefix)
{
    static const struct fabric_unroutable ranges[] = {
        {"168.63.129.16/32", "is the fabric's own (probes, DNS) and follows no route"},
        {"0.0.0.0/8", "means 'this network' and is no destination"},
        {"127.0.0.0/8", "is loopback and never leaves a machine"},
        {"169.254.0.0/16", "is link-local and is not forwarded"},
        {"224.0.0.0/4", "is multicast and no machine's own"},
        {"240.0.0.0/4", "is reserved and no machine's own"},
        {"::1/128", "is loopback and never leaves a machine"},
        {"::/96", "holds IPv4 addresses in a form that is used no more"},
        {"::ffff:0:0/96", "stands for IPv4 addresses and is never on the wire"},
        {"fe80::/10", "is link-local and is not forwarded"},
        {"ff00::/8", "is multicast and no machine's own"},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        struct lpm_prefix range;

        if (lpm_prefix_parse(ranges[i].prefix, &range) == 0 &&
            (lpm_prefix_covers(&range, prefix) || lpm_prefix_covers(prefix, &range)))
            return &ranges[i];
    }
    return NULL;
}

/* --- Addresses in subnets --------------------------------------------------------------------- */

/* The bits of address beyond the prefix, when they are all zero but for the last byte: that
 * byte; else 256. */
static unsigned low_host_part(const struct lpm_prefix *subnet, const struct lpm_address *address)
{
    unsigned bytes = address->family == LPM_IPV4 ? 4 : 16;

    for (unsigned i = 0; i + 1 < bytes; i++)
        if (address->bytes[i] != subnet->bytes[i])
            return 256;
    return (unsigned)(address->bytes[bytes - 1] - subnet->bytes[bytes - 1]);
}

/* IPv4 only: IPv6 has no broadcast address. */
static bool is_last(const struct lpm_prefix *subnet, const struct lpm_address *address)
{
    for (unsigned bit = subnet->length; bit < 32; bit++)
        if (!(address->bytes[bit / 8] >> (7 - bit % 8) & 1))
            return false;
    return true;
}

/* The data plane answers for the gateway's address itself, so a NIC there would never be heard. */
bool fabric_check_in_subnet(struct fabric_loader *loader, const struct fabric_place *place,
                            const char *what, const struct fabric_subnet *subnet,
                            const struct lpm_address *address)
{
    const struct lpm_prefix *prefix = fabric_prefixes_find(&subnet->prefixes, address);
    char text[FABRIC_PREFIXES_TEXT];
    struct lpm_address usable;

    if (!prefix) {
        FABRIC_ERROR(loader, place, "%s: %s is not in subnet '%s' (%s)", what,
                     FABRIC_ADDRESS(address), subnet->full_name,
                     fabric_prefixes_text(&subnet->prefixes, text));
        return false;
    }
    if (low_host_part(prefix, address) >= 4 &&
        (address->family == LPM_IPV6 || !is_last(prefix, address)))
        return true;
    usable = (struct lpm_address){.family = prefix->family};
    memcpy(usable.bytes, prefix->bytes, sizeof(usable.bytes));
    usable.bytes[usable.family == LPM_IPV4 ? 3 : 15] |= 4;
    FABRIC_ERROR(
        loader, place,
        "%s: %s is reserved (the first four addresses%s of %s are); the first usable one is %s",
        what, FABRIC_ADDRESS(address), prefix->family == LPM_IPV4 ? " and the last" : "",
        FABRIC_PREFIX(prefix), FABRIC_ADDRESS(&usable));
    return false;
}

bool fabric_check_routable(struct fabric_loader *loader, const struct fabric_place *place,
                           const char *what, const struct lpm_address *address)
{
    struct lpm_prefix host = {.family = address->family,
                              .length = address->family == LPM_IPV4 ? 32 : 128};
    const struct fabric_unroutable *range;

    memcpy(host.bytes, address->bytes, sizeof(host.bytes));
    range = fabric_unroutable_find(&host);
    if (range)
        FABRIC_ERROR(loader, place, "%s: %s lies in %s, which %s", what, FABRIC_ADDRESS(address),
                     range->prefix, range->why);
    return range == NULL;
}

bool fabric_check_not_a_nic(struct fabric_loader *loader, const struct fabric_place *place,
                            const char *what, uint32_t vnet, const struct lpm_address *address)
{
    uint32_t nic = fabric_address_owner(loader->fabric, vnet, address);
    const struct fabric_nic *owner;

    if (nic == FABRIC_NONE)
        return true;
    owner = &loader->fabric->nics[nic];
    FABRIC_ERROR(loader, place, "%s: %s is taken by NIC '%s' (%s:%u)", what,
                 FABRIC_ADDRESS(address), owner->name, owner->place.file, owner->place.line);
    return false;
}

bool fabric_check_mac(struct fabric_loader *loader, const struct fabric_place *place,
                      const char *what, const uint8_t mac[6])
{
    static const uint8_t zero[6];

    if (!(mac[0] & 1) && memcmp(mac, zero, sizeof(zero)) != 0)
        return true;
    FABRIC_ERROR(loader, place, "%s: %02x:%02x:%02x:%02x:%02x:%02x is %s", what, mac[0], mac[1],
                 mac[2], mac[3], mac[4], mac[5],
                 mac[0] & 1 ? "a multicast address; its first byte must be even"
                            : "no machine's address; not all bytes may be zero");
    return false;
}

/* --- Reach ------------------------------------------------------------------------------------ */

struct reach_search {
    const struct fabric *fabric;
    const struct lpm_address *address;
    bool inside;
};

static void try_peer_space(void *context, const struct fabric_peering *peering, unsigned side)
{
    struct reach_search *search = context;
    const struct fabric_vnet *other = &search->fabric->vnets[peering->vnets[1 - side]];

    search->inside |= fabric_prefixes_find(&other->space, search->address) != NULL;
}

/* Frontends of all VNets: whether the right one can reach it was decided by its prefix before. */
static bool is_frontend(const struct fabric *fabric, const struct lpm_address *address)
{
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++)
        if (lpm_address_equal(&fabric->load_balancers[i].frontend, address))
            return true;
    return false;
}

/* Asked once a peer and once a route, not once a packet; the scan of peerings is bearable. */
enum fabric_reach fabric_reach(const struct fabric *fabric, uint32_t vnet,
                               const struct lpm_address *address)
{
    struct reach_search search = {.fabric = fabric, .address = address};

    if (fabric_resolve_address(fabric, vnet, address) != FABRIC_NONE)
        return FABRIC_REACH_TAKEN;
    search.inside = fabric_prefixes_find(&fabric->vnets[vnet].space, address) != NULL;
    fabric_each_peering(fabric, vnet, try_peer_space, &search);
    if (!search.inside)
        return FABRIC_REACH_OUTSIDE;
    return is_frontend(fabric, address) ? FABRIC_REACH_TAKEN : FABRIC_REACH_VACANT;
}

/* --- Overlaps --------------------------------------------------------------------------------- */

static int claim_compare(const void *a, const void *b)
{
    const struct fabric_claim *left = a, *right = b;
    int by_prefix = lpm_prefix_compare(&left->prefix, &right->prefix);

    if (by_prefix != 0)
        return by_prefix;
    return left->owner < right->owner ? -1 : left->owner > right->owner;
}

void fabric_sort_claims(struct fabric_claim *claims, size_t n)
{
    if (n > 0)
        qsort(claims, n, sizeof(*claims), claim_compare);
}

/* Two prefixes are disjoint or one covers the other; in prefix order a covering one comes before
 * all that it covers, so it is enough to remember the outermost one of the moment. */
void fabric_each_overlap(struct fabric_claim *claims, size_t n,
                         void (*visit)(void *context, const struct fabric_claim *outer,
                                       const struct fabric_claim *inner),
                         void *context)
{
    const struct fabric_claim *outer = NULL;

    fabric_sort_claims(claims, n);
    for (size_t i = 0; i < n; i++) {
        if (outer && lpm_prefix_covers(&outer->prefix, &claims[i].prefix))
            visit(context, outer, &claims[i]);
        else
            outer = &claims[i];
    }
}

/* --- Sorting ---------------------------------------------------------------------------------- */

struct sorting {
    int (*compare)(const void *a, const void *b);
};

/* qsort() keeps no order among equals; places in the array are what the file's names say, so
 * they break ties. */
static int sorting_compare(const void *a, const void *b, void *context)
{
    const void *const *left = a, *const *right = b;
    const struct sorting *sorting = context;
    int order = sorting->compare(*left, *right);

    return order ? order : *left < *right ? -1 : *left > *right;
}

const void **fabric_sorted(struct fabric_loader *loader, const void *array, size_t n, size_t size,
                           int (*compare)(const void *a, const void *b))
{
    const void **pointers = fabric_arena_array(&loader->tree, n, sizeof(*pointers));
    struct sorting sorting = {.compare = compare};

    if (!pointers) {
        loader->out_of_memory = true;
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        pointers[i] = (const char *)array + i * size;
    if (n > 0)
        qsort_r(pointers, n, sizeof(*pointers), sorting_compare, &sorting);
    return pointers;
}

/* --- The order -------------------------------------------------------------------------------- */

/* VNets before all that lies in them. Each check tells all that it finds: people mend a file in
 * one go when they see everything. */
void fabric_validate(struct fabric_loader *loader)
{
    fabric_validate_vnets(loader);
    fabric_validate_peerings(loader);
    fabric_validate_tables(loader);
    fabric_validate_nics(loader);
    fabric_validate_ports(loader);
    fabric_validate_hosts(loader);
    fabric_validate_engine(loader);
    fabric_validate_servers(loader);
    fabric_validate_gateways(loader);
    fabric_validate_routers(loader);
    fabric_validate_tunnels(loader);
    fabric_validate_policies(loader);
    if (loader->problems->errors > 0)
        return;
    fabric_validate_sessions(loader);
    fabric_validate_policy_use(loader);
}
