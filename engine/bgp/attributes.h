/*
 * Path attributes (RFC 4271 section 5), interned: equal sets are one immutable object, so that a
 * route costs a pointer and two routes of one set are seen to be alike by comparing pointers.
 *
 *      struct bgp_attribute_table                    one per speaker or engine
 *        bucket -> struct bgp_attributes             one per distinct set, reference counted
 *                    decoded fields                  read by decision and policy
 *                    bytes: canonical attributes     copied to the wire at encode
 *
 * Canonical bytes are attributes in the order of their types, with 4-octet AS numbers, communities
 * sorted and each once. Left out is what depends on the session: NEXT_HOP, MP_REACH_NLRI and
 * MP_UNREACH_NLRI; AS4_PATH and AS4_AGGREGATOR were merged at decode (RFC 6793). The next hop is a
 * field beside the bytes and is part of what makes two sets differ. Own-AS prepend, as-override
 * and next-hop-self are patched in at encode (struct bgp_export), so a route server that prepends
 * holds no second set.
 *
 * Threads: one; counts are not atomic. A set lives while someone holds a reference: functions that
 * give out a set say whether the reference becomes the caller's.
 */
#ifndef ENGINE_BGP_ATTRIBUTES_H
#define ENGINE_BGP_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lpm/lpm.h"

enum bgp_origin { BGP_ORIGIN_IGP, BGP_ORIGIN_EGP, BGP_ORIGIN_INCOMPLETE };
/* "IGP", "EGP", "Incomplete". */
const char *bgp_origin_text(enum bgp_origin origin);

enum bgp_segment { BGP_AS_SET = 1, BGP_AS_SEQUENCE, BGP_AS_CONFED_SEQUENCE, BGP_AS_CONFED_SET };

/* Presence of optional fields in struct bgp_attributes. */
#define BGP_HAS_MED              0x01u
#define BGP_HAS_LOCAL_PREF       0x02u
#define BGP_HAS_ATOMIC_AGGREGATE 0x04u
#define BGP_HAS_LINK_LOCAL       0x08u
#define BGP_HAS_AS_SET           0x10u
#define BGP_HAS_RECEIVED         0x20u /* import policy made this set of another one */

#define BGP_DEFAULT_LOCAL_PREF 100u

/* How far well-known communities let the routes go (RFC 1997), seen once for each set because it is
 * asked for each route and peer. */
#define BGP_REACH_NO_ADVERTISE   0x01u
#define BGP_REACH_STALE          0x04u /* LLGR_STALE */
#define BGP_REACH_NOT_LONG_LIVED 0x08u /* NO_LLGR */
#define BGP_REACH_NO_EXPORT      0x02u /* also for NO_EXPORT_SUBCONFED: there are no confederations */

/* Where a value stands in bytes. */
struct bgp_span {
    uint16_t offset, length;
};

/* Fields may be read by all and written by none. */
struct bgp_attributes {
    struct bgp_attributes *next; /* the table's chain */
    uint32_t references;
    uint32_t hash;
    uint32_t med;            /* 0 without BGP_HAS_MED: the value that RFC 4271 9.1.2.2 c compares */
    uint32_t local_pref;     /* BGP_DEFAULT_LOCAL_PREF without BGP_HAS_LOCAL_PREF */
    uint16_t as_path_length; /* RFC 4271 9.1.2.2 a: a set counts as one */
    uint8_t origin;          /* enum bgp_origin */
    uint8_t flags;           /* BGP_HAS_... */
    struct lpm_address next_hop; /* family 0: none (an own route: "self") */
    uint8_t reach;               /* BGP_REACH_...: what its well-known communities forbid */
    uint16_t size;               /* canonical bytes */
    struct bgp_span as_path, communities, extended_communities, large_communities;
    /* size bytes; then the link-local next hop (16) with BGP_HAS_LINK_LOCAL; then, with
     * BGP_HAS_RECEIVED, what bgp_attributes_received(), _weight() and _mark() read */
    uint8_t bytes[];
};

/* --- Table ------------------------------------------------------------------------------------ */

struct bgp_attribute_table;

struct bgp_attribute_table *bgp_attribute_table_create(void); /* NULL with errno */
/* Frees the table and what is still in it; nobody may hold a set any more. */
void bgp_attribute_table_destroy(struct bgp_attribute_table *table);
size_t bgp_attribute_table_count(const struct bgp_attribute_table *table); /* distinct sets */
size_t
bgp_attribute_table_bytes(const struct bgp_attribute_table *table); /* memory, table included */
/* Checks chains, hashes and counts; slow, for tests and debug builds. */
bool bgp_attribute_table_validate(const struct bgp_attribute_table *table);

/* Takes a reference; returns attributes. */
const struct bgp_attributes *bgp_attributes_hold(const struct bgp_attributes *attributes);
/* Drops one; the last frees the set. NULL is allowed. */
void bgp_attributes_release(struct bgp_attribute_table *table,
                            const struct bgp_attributes *attributes);

/* The link-local next hop beside a global one (RFC 2545); false without. */
bool bgp_attributes_link_local(const struct bgp_attributes *attributes, uint8_t address[16]);

/* The set as it came from the peer, when import policy made this one of it (held as long as this
 * one); else the set itself. */
const struct bgp_attributes *bgp_attributes_received(const struct bgp_attributes *attributes);
/* What policy says of the route in this speaker alone: the higher wins before all else. 0: nothing. */
uint32_t bgp_attributes_weight(const struct bgp_attributes *attributes);
/* What import policy noted beside the set for its own use. 0: nothing. */
uint64_t bgp_attributes_mark(const struct bgp_attributes *attributes);

/* --- AS_PATH ---------------------------------------------------------------------------------- */

/* Walks an AS_PATH from the neighbour's end, AS by AS. */
struct bgp_as_path_cursor {
    const uint8_t *at, *end;
    uint8_t left;    /* AS numbers of this segment still to come */
    uint8_t segment; /* enum bgp_segment that the last AS stood in */
    bool starts;     /* the last AS was the first of its segment */
};
struct bgp_as_path_cursor bgp_as_path_begin(const struct bgp_attributes *attributes);
bool bgp_as_path_next(struct bgp_as_path_cursor *cursor, uint32_t *asn);

/* Is the AS number set aside for private use (RFC 6996)? */
bool bgp_as_is_private(uint32_t asn);
/* How often asn stands in the path. */
unsigned bgp_as_path_count(const struct bgp_attributes *attributes, uint32_t asn);
/* The neighbour's AS: leftmost of a leading AS_SEQUENCE; 0 when there is none. */
uint32_t bgp_as_path_first(const struct bgp_attributes *attributes);
/* Writes "65515-65001" with separator '-', "65515 65001" with ' '; sets as "{1,2}", confederation
 * parts as "(1 2)" and "[1,2]". Like snprintf: returns the whole length, cuts to capacity. */
size_t bgp_as_path_format(const struct bgp_attributes *attributes, char separator, char *text,
                          size_t capacity);
/* Reads AS numbers separated by '-' or blanks (asdot not). Returns how many, or -EINVAL, or
 * -ENOSPC when there are more than capacity. */
int bgp_as_path_parse(const char *text, uint32_t *asns, size_t capacity);

/* --- Attributes that few ask for -------------------------------------------------------------- */

/* Only to Customer (RFC 9234): the AS that set it; 0: there is none. */
uint32_t bgp_attributes_otc(const struct bgp_attributes *attributes);
/* ORIGINATOR_ID (RFC 4456), host order; 0: there is none. */
uint32_t bgp_attributes_originator_id(const struct bgp_attributes *attributes);
/* Does CLUSTER_LIST (RFC 4456) have this one? */
bool bgp_attributes_has_cluster(const struct bgp_attributes *attributes, uint32_t cluster_id);
/* How many there are in CLUSTER_LIST. */
unsigned bgp_attributes_clusters(const struct bgp_attributes *attributes);
/* How many communities of all kinds there are. */
unsigned bgp_attributes_communities(const struct bgp_attributes *attributes);
/* Is there an extended community that must not leave the AS (RFC 4360 section 6)? */
bool bgp_attributes_has_non_transitive(const struct bgp_attributes *attributes);
/* The link-bandwidth extended community (draft-ietf-idr-link-bandwidth): bytes a second, 0: none. */
float bgp_attributes_link_bandwidth(const struct bgp_attributes *attributes);

/* --- Communities ------------------------------------------------------------------------------ */

enum bgp_community_kind { BGP_COMMUNITY, BGP_EXTENDED_COMMUNITY, BGP_LARGE_COMMUNITY };

struct bgp_community {
    enum bgp_community_kind kind;
    union {
        uint32_t standard;
        uint64_t extended;
        uint32_t large[3];
    };
};

#define BGP_GRACEFUL_SHUTDOWN   0xffff0000u /* RFC 8326 */
#define BGP_LLGR_STALE          0xffff0006u /* RFC 9494, as the next one */
#define BGP_NO_LLGR             0xffff0007u
#define BGP_BLACKHOLE           0xffff029au /* RFC 7999 */
#define BGP_NO_EXPORT           0xffffff01u /* RFC 1997, as the next two */
#define BGP_NO_ADVERTISE        0xffffff02u
#define BGP_NO_EXPORT_SUBCONFED 0xffffff03u

unsigned bgp_community_count(const struct bgp_attributes *attributes, enum bgp_community_kind kind);
/* The one at index (below the count), in ascending order. */
struct bgp_community bgp_community_at(const struct bgp_attributes *attributes,
                                      enum bgp_community_kind kind, unsigned index);
bool bgp_attributes_has_community(const struct bgp_attributes *attributes,
                                  const struct bgp_community *community);
/* The same for a standard one. */
bool bgp_attributes_has_standard(const struct bgp_attributes *attributes, uint32_t community);

#define BGP_COMMUNITY_TEXT 48
/* "65001:100", "no-export" and the other names above; "rt:65001:100", "ro:..." (read as "soo:..." too),
 * "lb:65001:125000" (link bandwidth in bytes a second),
 * "0x0123456789abcdef" (extended); "65001:1:2" (large). Both return text or 0; parse returns
 * -EINVAL. */
char *bgp_community_format(const struct bgp_community *community, char text[BGP_COMMUNITY_TEXT]);
int bgp_community_parse(const char *text, struct bgp_community *community);

/* --- Export ----------------------------------------------------------------------------------- */

/* What changes between a set as held and the set as sent to one kind of peer. All zero: sent as it
 * is. One value serves every peer of an update group. */
struct bgp_export {
    bool internal; /* iBGP: LOCAL_PREF is sent, ORIGINATOR_ID and CLUSTER_LIST too; else none of
                      them */
    bool keep_med; /* towards eBGP, MED is sent only with this (transparent, or an own route's) */
    uint32_t replace_from; /* as-override: where not 0, this AS in the path ... */
    uint32_t replace_to;   /* ... becomes this one, before the prepend */
    uint32_t prepend_asn;
    unsigned prepend_count;
    struct lpm_address next_hop; /* family 0: the set's own */
};

/* <0, 0, >0: an order by fields. 0: both send every set in the same words. */
int bgp_export_compare(const struct bgp_export *a, const struct bgp_export *b);

/* --- Builder ---------------------------------------------------------------------------------- */

/*
 * Makes sets. One builder is reused for any number of them: begin with originate() or load(),
 * change, intern(). An error in between (no memory, a value too long) is remembered and told by
 * intern().
 */
struct bgp_attribute_builder;

struct bgp_attribute_builder *bgp_builder_create(void); /* NULL with errno */
void bgp_builder_destroy(struct bgp_attribute_builder *builder);

/* Starts with an empty AS_PATH, this origin, no next hop. */
void bgp_builder_originate(struct bgp_attribute_builder *builder, enum bgp_origin origin);
/* Starts with a copy. */
void bgp_builder_load(struct bgp_attribute_builder *builder,
                      const struct bgp_attributes *attributes);

void bgp_builder_set_origin(struct bgp_attribute_builder *builder, enum bgp_origin origin);
void bgp_builder_set_next_hop(
    struct bgp_attribute_builder *builder,
    const struct lpm_address *next_hop); /* drops a link-local one; NULL: none */
void bgp_builder_set_med(struct bgp_attribute_builder *builder, uint32_t med);
void bgp_builder_clear_med(struct bgp_attribute_builder *builder);
void bgp_builder_set_local_pref(struct bgp_attribute_builder *builder, uint32_t local_pref);
/* One AS_SEQUENCE (more, when n is above 255) of these, the neighbour's first. */
void bgp_builder_set_as_path(struct bgp_attribute_builder *builder, const uint32_t *asns, size_t n);
/* asn n times in front of what is there. */
void bgp_builder_prepend(struct bgp_attribute_builder *builder, uint32_t asn, unsigned n);
/* Every from becomes to. */
void bgp_builder_replace_as(struct bgp_attribute_builder *builder, uint32_t from, uint32_t to);
/* Every asn leaves the path. */
void bgp_builder_remove_as(struct bgp_attribute_builder *builder, uint32_t asn);
/* Every AS number of RFC 6996 leaves the path, or becomes asn. */
void bgp_builder_remove_private_as(struct bgp_attribute_builder *builder);
void bgp_builder_replace_private_as(struct bgp_attribute_builder *builder, uint32_t asn);
/* Sets Only to Customer (RFC 9234). */
void bgp_builder_set_otc(struct bgp_attribute_builder *builder, uint32_t asn);
/* What a speaker adds to a route that it made of several (RFC 4271 section 9.2.2.2): who it is, and with
 * atomic, that the path does not name every AS of theirs. */
void bgp_builder_set_aggregator(struct bgp_attribute_builder *builder, uint32_t asn,
                                uint32_t identifier, bool atomic);
/* What a route reflector adds (RFC 4456 section 8): the originator, unless there is one already, and
 * its own cluster in front of the list. */
void bgp_builder_reflect(struct bgp_attribute_builder *builder, uint32_t originator_id,
                         uint32_t cluster_id);
void bgp_builder_add_community(struct bgp_attribute_builder *builder,
                               const struct bgp_community *community);
/* Those of a kind for which drop() is true. */
void bgp_builder_drop_communities(
    struct bgp_attribute_builder *builder, enum bgp_community_kind kind,
    bool (*drop)(const void *context, const struct bgp_community *community), const void *context);
void bgp_builder_clear_communities(struct bgp_attribute_builder *builder,
                                   enum bgp_community_kind kind);
/* Says that the set is made of `received` (of the table that it will be interned in, and itself as it
 * was received) and has this weight and mark. bgp_builder_load() copies none of it; received NULL:
 * none of it. */
void bgp_builder_set_received(struct bgp_attribute_builder *builder,
                              const struct bgp_attributes *received, uint32_t weight,
                              uint64_t mark);
/* Removes extended communities that must not leave the AS (RFC 4360 section 6). */
void bgp_builder_clear_non_transitive(struct bgp_attribute_builder *builder);
/* What encoding with this export would put on the wire, as a set. */
void bgp_builder_export(struct bgp_attribute_builder *builder, const struct bgp_export *export);

/* Finds or makes the set in table. *attributes is a reference of the caller's own. -ENOMEM, or
 * -EMSGSIZE when the set would not fit in any message. The builder may go on from where it is. */
int bgp_builder_intern(struct bgp_attribute_builder *builder, struct bgp_attribute_table *table,
                       const struct bgp_attributes **attributes);

#endif
