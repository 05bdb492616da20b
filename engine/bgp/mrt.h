/*
 * MRT, the file format of routing tables and updates (RFC 6396, with RFC 8050's types for several
 * paths to a prefix). Pure: records to structures and back; whoever has a file gives its bytes.
 *
 *   file = record, record, ...
 *   table:    PEER_INDEX_TABLE, then one RIB record a prefix     mrt_peer_index, mrt_rib
 *               └ peers[i] <──────────── entry.peer
 *   updates:  BGP4MP records: a message, or a change of state    mrt_message
 *
 * Decoders look at nothing outside of the record and take time linear in its length. They return 0,
 * -EBADMSG for a record that is cut or contradicts itself, or -ENOTSUP for one of a kind, or of an
 * address family, that we do not have; the file can be read on after either.
 *
 * Threads: any, one at a time for each object.
 */
#ifndef ENGINE_BGP_MRT_H
#define ENGINE_BGP_MRT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/bgp/attributes.h"
#include "engine/bgp/family.h"
#include "engine/bgp/message.h"
#include "lpm/lpm.h"

#define MRT_HEADER_SIZE 12u
/* No sound record is longer: a prefix with 65,535 entries of middling size, and no BGP4MP record
 * comes near. Bounds what a reader of files has to hold. */
#define MRT_RECORD_MAX (32u << 20)

enum mrt_type {
    MRT_TABLE_DUMP_V2 = 13,
    MRT_BGP4MP = 16,
    MRT_BGP4MP_ET = 17, /* the same, with microseconds */
};

/* --- Records ---------------------------------------------------------------------------------- */

struct mrt_record {
    uint32_t seconds; /* since 1970 */
    uint32_t microseconds;
    uint16_t type, subtype;
    const uint8_t *body; /* in the bytes given */
    size_t length;       /* of body */
};

/* Takes the first record of n bytes. *size: of the whole record. -EAGAIN: there are fewer than
 * *size bytes, which is what is needed to get further. -EFBIG: it says to be longer than
 * MRT_RECORD_MAX; nothing after it can be found. -EBADMSG: no room for its own microseconds; *size
 * is set, the next record follows. */
int mrt_record_decode(const uint8_t *bytes, size_t n, struct mrt_record *record, size_t *size);
/* "TABLE_DUMP_V2/RIB_IPV4_UNICAST", "type 99/1". Returns text. */
#define MRT_KIND_TEXT 64
char *mrt_record_kind(const struct mrt_record *record, char text[MRT_KIND_TEXT]);

/* --- Tables: TABLE_DUMP_V2 -------------------------------------------------------------------- */

struct mrt_peer {
    uint32_t identifier; /* host order */
    struct lpm_address address;
    uint32_t asn;
};

#define MRT_VIEW_MAX 255u /* octets of a view's name that are kept */

/* Whose paths a table has. Entries name a peer by its place here. */
struct mrt_peer_index {
    uint32_t collector; /* BGP identifier of who wrote the table */
    char view[MRT_VIEW_MAX + 1];
    struct mrt_peer *peers;
    unsigned n; /* at most 65,535 */
};

bool mrt_is_peer_index(const struct mrt_record *record);
/* Fills *index, whose peers are freed by mrt_peer_index_free(); also -ENOMEM. */
int mrt_peer_index_decode(const struct mrt_record *record, struct mrt_peer_index *index);
void mrt_peer_index_free(struct mrt_peer_index *index);

/* The paths to one prefix. */
struct mrt_rib {
    uint32_t sequence;
    struct lpm_prefix prefix;
    enum bgp_family family;
    bool with_path_id;
    unsigned entries;        /* still to come */
    const uint8_t *at, *end; /* of these; known to be well-formed */
};
struct mrt_rib_entry {
    uint16_t peer; /* in the peer index; check it against mrt_peer_index.n */
    uint32_t originated_s;
    uint32_t path_id; /* 0 where the record has none */
    const uint8_t *attributes;
    uint16_t length; /* of attributes */
};

bool mrt_is_rib(const struct mrt_record *record);
int mrt_rib_decode(const struct mrt_record *record, struct mrt_rib *rib);
/* Takes the next entry; false at the end. */
bool mrt_rib_next(struct mrt_rib *rib, struct mrt_rib_entry *entry);

/* Reads the attributes of entries; scratch, reused. */
struct mrt_attribute_reader;
struct mrt_attribute_reader *mrt_attribute_reader_create(void); /* NULL with errno */
void mrt_attribute_reader_destroy(struct mrt_attribute_reader *reader);
/* The interned set of an entry of this family, with its next hop, as an UPDATE with these
 * attributes would give it; LOCAL_PREF and AS_SETs are kept, and a next hop that is unspecified or
 * missing, by which dumps tell of the router's own routes, is none (family 0). *attributes is a reference of the
 * caller's own. -EBADMSG: an UPDATE with them would count as a withdrawal (RFC 7606); also -ENOMEM,
 * -EMSGSIZE. */
int mrt_attributes_decode(struct mrt_attribute_reader *reader, enum bgp_family family,
                          const struct mrt_rib_entry *entry, struct bgp_attribute_table *table,
                          const struct bgp_attributes **attributes);

/* --- Updates: BGP4MP -------------------------------------------------------------------------- */

struct mrt_message {
    struct lpm_address peer, local;
    uint32_t peer_asn, local_asn;
    uint16_t interface;
    bool is_state_change;
    uint16_t old_state, new_state; /* RFC 6396 4.4.1: 1 Idle ... 6 Established */
    bool sent;                     /* by the collector itself (..._LOCAL) */
    bool four_octet_as;            /* how AS numbers stand in the message */
    bool with_path_id;             /* its NLRI has path identifiers (RFC 8050) */
    const uint8_t *bytes;          /* the BGP message, header and all */
    size_t length;
    uint8_t type; /* enum bgp_message_type */
};

bool mrt_is_message(const struct mrt_record *record);
int mrt_message_decode(const struct mrt_record *record, struct mrt_message *message);
/* "Idle" ... "Established", "state 9". Returns text. */
#define MRT_STATE_TEXT 24
char *mrt_state_text(uint16_t state, char text[MRT_STATE_TEXT]);

/* --- Writing ---------------------------------------------------------------------------------- */

/* Collects records in a buffer that grows. An error (no memory, more than 65,535 peers or entries)
 * is remembered and told by mrt_writer_take(). */
struct mrt_writer;
struct mrt_writer *mrt_writer_create(void); /* NULL with errno */
void mrt_writer_destroy(struct mrt_writer *writer);

void mrt_write_peer_index(struct mrt_writer *writer, uint32_t seconds,
                          const struct mrt_peer_index *index);
/* One RIB record: begin, add each path, end. A record without paths is taken back. with_path_id:
 * RFC 8050's subtype. */
void mrt_write_rib_begin(struct mrt_writer *writer, uint32_t seconds, uint32_t sequence,
                         const struct lpm_prefix *prefix, bool with_path_id);
/* self: next hop of a set that has none; family 0: the unspecified address. */
void mrt_write_rib_add(struct mrt_writer *writer, uint16_t peer, uint32_t originated_s,
                       uint32_t path_id, const struct bgp_attributes *attributes,
                       const struct lpm_address *self);
void mrt_write_rib_end(struct mrt_writer *writer);

/* What was written since the last take; valid until the next call. Returns 0, or the first error. */
int mrt_writer_take(struct mrt_writer *writer, const uint8_t **bytes, size_t *n);

#endif
