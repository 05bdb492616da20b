/*
 * Messages (RFC 4271 section 4) to bytes and back. Pure: no state but what the caller passes.
 *
 * Decoding never reads outside what it was given and takes time linear in the length. What is
 * wrong is told as struct bgp_error, ready to be sent as a NOTIFICATION. UPDATE errors follow RFC
 * 7606: see enum bgp_update_outcome.
 */
#ifndef ENGINE_BGP_MESSAGE_H
#define ENGINE_BGP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/bgp/attributes.h"
#include "engine/bgp/family.h"
#include "lpm/lpm.h"

#define BGP_HEADER_SIZE          19u
#define BGP_MESSAGE_MAX          4096u
#define BGP_EXTENDED_MESSAGE_MAX 65535u /* RFC 8654 */
#define BGP_AS_TRANS             23456u /* RFC 6793 */

enum bgp_message_type {
    BGP_OPEN = 1,
    BGP_UPDATE,
    BGP_NOTIFICATION,
    BGP_KEEPALIVE,
    BGP_ROUTE_REFRESH,
    BGP_MESSAGE_TYPES /* one beyond the last */
};
/* "OPEN", ...; never NULL. */
const char *bgp_message_type_text(unsigned type);

/* --- Errors ----------------------------------------------------------------------------------- */

enum bgp_error_code {
    BGP_ERROR_HEADER = 1,
    BGP_ERROR_OPEN,
    BGP_ERROR_UPDATE,
    BGP_ERROR_HOLD_TIMER,
    BGP_ERROR_FSM,
    BGP_ERROR_CEASE,
    BGP_ERROR_ROUTE_REFRESH, /* RFC 7313 */
    BGP_ERROR_SEND_HOLD,     /* RFC 9687 */
};

enum {
    BGP_HEADER_NOT_SYNCHRONIZED = 1,
    BGP_HEADER_BAD_LENGTH,
    BGP_HEADER_BAD_TYPE,

    BGP_OPEN_UNSPECIFIC = 0,
    BGP_OPEN_BAD_VERSION = 1,
    BGP_OPEN_BAD_PEER_AS,
    BGP_OPEN_BAD_IDENTIFIER,
    BGP_OPEN_BAD_PARAMETER,
    BGP_OPEN_BAD_HOLD_TIME = 6,
    BGP_OPEN_BAD_CAPABILITY,
    BGP_OPEN_ROLE_MISMATCH = 11, /* RFC 9234 */

    BGP_UPDATE_BAD_LIST = 1,
    BGP_UPDATE_UNKNOWN_WELL_KNOWN,
    BGP_UPDATE_MISSING,
    BGP_UPDATE_BAD_FLAGS,
    BGP_UPDATE_BAD_LENGTH,
    BGP_UPDATE_BAD_ORIGIN,
    BGP_UPDATE_BAD_NEXT_HOP = 8,
    BGP_UPDATE_BAD_OPTIONAL,
    BGP_UPDATE_BAD_NETWORK,
    BGP_UPDATE_BAD_AS_PATH,

    BGP_FSM_IN_OPEN_SENT = 1, /* RFC 6608 */
    BGP_FSM_IN_OPEN_CONFIRM,
    BGP_FSM_IN_ESTABLISHED,

    BGP_CEASE_MAX_PREFIXES = 1, /* RFC 4486 */
    BGP_CEASE_SHUTDOWN,
    BGP_CEASE_DECONFIGURED,
    BGP_CEASE_RESET,
    BGP_CEASE_REJECTED,
    BGP_CEASE_CHANGED,
    BGP_CEASE_COLLISION,
    BGP_CEASE_RESOURCES,
    BGP_CEASE_HARD_RESET, /* RFC 8538 */
    BGP_CEASE_BFD_DOWN,   /* RFC 9384 */

    BGP_REFRESH_BAD_LENGTH = 1, /* RFC 7313 */
};

#define BGP_SHUTDOWN_TEXT_MAX 255u /* octets of a shutdown communication (RFC 9003) */
/* A shutdown communication with its length, within a Hard Reset. Longer data is cut. */
#define BGP_ERROR_DATA_MAX (2u + 1u + BGP_SHUTDOWN_TEXT_MAX)

struct bgp_error {
    uint8_t code, subcode; /* code 0: no error */
    uint16_t length;       /* of data */
    uint8_t data[BGP_ERROR_DATA_MAX];
};

/* Sets *error; data may be NULL when length is 0. */
void bgp_error_set(struct bgp_error *error, uint8_t code, uint8_t subcode, const void *data,
                   size_t length);
#define BGP_ERROR_TEXT 480
/* "Cease/Administrative Shutdown (6/2)", with the shutdown communication where there is one (made
 * printable); of a Hard Reset also the error that it carries. Returns text. */
char *bgp_error_format(const struct bgp_error *error, char text[BGP_ERROR_TEXT]);

/* Wraps *error into a Cease/Hard Reset (RFC 8538 section 3). */
void bgp_error_harden(struct bgp_error *error);

/* --- Header ----------------------------------------------------------------------------------- */

struct bgp_header {
    uint16_t length; /* of the whole message */
    uint8_t type;    /* enum bgp_message_type */
};
/* Checks marker, length (per type, at most maximum) and type of the BGP_HEADER_SIZE bytes. False
 * with *error. */
bool bgp_header_decode(const uint8_t *bytes, size_t maximum, struct bgp_header *header,
                       struct bgp_error *error);

/* --- OPEN, NOTIFICATION, KEEPALIVE, ROUTE-REFRESH --------------------------------------------- */

/* What one end of an eBGP session is to the other (RFC 9234); on the wire one less. */
enum bgp_role {
    BGP_ROLE_NONE, /* not said */
    BGP_ROLE_PROVIDER,
    BGP_ROLE_RS,
    BGP_ROLE_RS_CLIENT,
    BGP_ROLE_CUSTOMER,
    BGP_ROLE_PEER,
    BGP_ROLE_UNKNOWN, /* a value that the RFC does not have */
};
/* "provider", "rs", "rs-client", ...; never NULL. */
const char *bgp_role_text(enum bgp_role role);

/* Families for which who says it can take, or send, several paths to a prefix (RFC 7911). */
struct bgp_add_path {
    uint32_t receive, send;
};

/* Graceful Restart Capability (RFC 4724 section 3, RFC 8538 section 2). */
struct bgp_graceful {
    bool offered;
    bool restarting;     /* R: its process has restarted */
    bool notification;   /* N: graceful after a NOTIFICATION too */
    uint16_t time_s;     /* how long its routes are to be kept; 0 .. 4,095 */
    uint32_t families;   /* whose routes are to be kept */
    uint32_t forwarding; /* F: of these, forwarding goes on */
};
/* Long-Lived Graceful Restart Capability (RFC 9494 section 3). */
struct bgp_long_lived {
    bool offered;
    uint32_t families, forwarding;
    uint32_t stale_time_s[BGP_FAMILY_COUNT]; /* 24 bits */
};

/* What an OPEN says; also what we say in ours. Capabilities that we do not know are only counted.
 */
struct bgp_open {
    uint8_t version;
    uint32_t asn; /* 4-octet where the capability is there */
    uint16_t hold_time_s;
    uint32_t identifier; /* host order */
    bool multiprotocol;  /* had at least one RFC 4760 capability */
    uint32_t families;   /* BGP_FAMILY_BIT()s; IPv4 unicast without any such capability */
    bool four_octet_as;
    bool route_refresh;
    bool enhanced_refresh; /* RFC 7313 */
    bool extended_messages;
    bool extended_next_hop; /* IPv4 unicast routes may have an IPv6 next hop (RFC 8950) */
    bool roles_differ;      /* had several roles that are not one */
    enum bgp_role role;
    struct bgp_add_path add_path;
    struct bgp_graceful graceful;
    struct bgp_long_lived long_lived;
    unsigned unknown_capabilities;
};

/* All encoders write one whole message of at most capacity bytes and return its length, or 0 when
 * it does not fit. All decoders take a whole message whose header was checked by
 * bgp_header_decode(). */
size_t bgp_open_encode(const struct bgp_open *open, uint8_t *bytes, size_t capacity);
/* Checks syntax and what needs no configuration: version, AS 0, identifier 0, hold time 1 and 2. */
bool bgp_open_decode(const uint8_t *bytes, size_t length, struct bgp_open *open,
                     struct bgp_error *error);

size_t bgp_keepalive_encode(uint8_t *bytes, size_t capacity);

size_t bgp_notification_encode(const struct bgp_error *error, uint8_t *bytes, size_t capacity);
/* Never fails: data is cut to what struct bgp_error holds. */
void bgp_notification_decode(const uint8_t *bytes, size_t length, struct bgp_error *error);
/* A Cease with a shutdown communication for people (RFC 9003), cut to 255 octets between two
 * characters. message may be NULL. */
void bgp_error_set_shutdown(struct bgp_error *error, uint8_t subcode, const char *message);

enum bgp_refresh_subtype {
    BGP_REFRESH_REQUEST, /* RFC 2918 */
    BGP_REFRESH_BEGIN,   /* BoRR, RFC 7313 */
    BGP_REFRESH_END,     /* EoRR */
};
struct bgp_refresh {
    uint16_t afi;
    uint8_t subtype, safi;
};
size_t bgp_refresh_encode(const struct bgp_refresh *refresh, uint8_t *bytes, size_t capacity);
bool bgp_refresh_decode(const uint8_t *bytes, size_t length, struct bgp_refresh *refresh,
                        struct bgp_error *error);

/* --- UPDATE, read ----------------------------------------------------------------------------- */

/* A run of prefixes as they stand in the message, already known to be well-formed. */
struct bgp_nlri {
    enum bgp_family family;
    bool with_path_id; /* each prefix has a path identifier before it (RFC 7911) */
    uint32_t path_id;  /* of the prefix that was taken last; else 0 */
    const uint8_t *at, *end;
};
/* Takes the next prefix; false at the end. Bits beyond the length are cleared. */
bool bgp_nlri_next(struct bgp_nlri *nlri, struct lpm_prefix *prefix);

enum bgp_update_outcome {
    BGP_UPDATE_FINE,     /* perhaps with attributes discarded, see malformed */
    BGP_UPDATE_WITHDRAW, /* treat as withdraw: what is announced counts as withdrawn */
    BGP_UPDATE_RESET,    /* the session has to go, see error */
};

/* What bears on decoding an UPDATE. */
struct bgp_update_context {
    bool four_octet_as;     /* negotiated */
    bool internal;          /* iBGP */
    bool accept_as_set;     /* else RFC 9774: treat as withdraw */
    bool extended_next_hop; /* negotiated, RFC 8950 */
    uint32_t families;      /* negotiated; NLRI of others is passed over */
    uint32_t add_path;      /* families whose NLRI comes with path identifiers */
};

struct bgp_update {
    struct bgp_nlri withdrawn, announced;       /* the fields of RFC 4271, IPv4 */
    struct bgp_nlri mp_withdrawn, mp_announced; /* of a negotiated family; else empty */
    bool end_of_rib;
    enum bgp_family end_of_rib_family;
    /* The first malformed attribute: its type, and the error in RFC 4271's terms. */
    uint8_t malformed_type;
    unsigned malformed; /* attributes that were found wrong */
    unsigned discarded; /* of these, discarded */
    struct bgp_error error;
};

/* Reads a whole UPDATE. Spans point into bytes. The attributes stay in the reader until the next
 * call, see bgp_update_attributes(). */
struct bgp_update_reader;                                 /* scratch, reused */
struct bgp_update_reader *bgp_update_reader_create(void); /* NULL with errno */
void bgp_update_reader_destroy(struct bgp_update_reader *reader);
enum bgp_update_outcome bgp_update_decode(struct bgp_update_reader *reader,
                                          const struct bgp_update_context *context,
                                          const uint8_t *bytes, size_t length,
                                          struct bgp_update *update);
/* After BGP_UPDATE_FINE: the interned set of what is announced in the RFC 4271 fields, or
 * (multiprotocol) in MP_REACH_NLRI. *attributes is a reference of the caller's own. -ENOMEM,
 * -EMSGSIZE. */
int bgp_update_attributes(struct bgp_update_reader *reader, bool multiprotocol,
                          struct bgp_attribute_table *table,
                          const struct bgp_attributes **attributes);

/* --- UPDATE, written -------------------------------------------------------------------------- */

/* How a peer wants it. */
struct bgp_encoding {
    bool four_octet_as;
    size_t message_max; /* BGP_MESSAGE_MAX or BGP_EXTENDED_MESSAGE_MAX */
    uint32_t add_path;  /* families whose NLRI goes with path identifiers */
};

/*
 * Writes one UPDATE: begin, add prefixes of one family until add says no, end. IPv4 prefixes with
 * an IPv4 next hop go into the fields of RFC 4271, all else into MP_REACH_NLRI, which is put first
 * (RFC 7606 section 5.1).
 */
struct bgp_update_writer {
    uint8_t *bytes;
    size_t limit;      /* prefixes end here at the latest */
    size_t at;         /* the next byte */
    size_t start;      /* of the prefixes */
    size_t attributes; /* size of what follows MP_REACH_NLRI, kept at limit until the end */
    enum bgp_family family;
    bool with_path_id;
    uint8_t kind; /* which of the four layouts; update_write.c */
};

/* Starts an UPDATE that announces. False: the attributes and one prefix do not fit in capacity
 * (or in the peer's message_max; then they never will). Once begun, at least one prefix fits.
 * attributes must have a next hop, or export give one. export may be NULL. */
bool bgp_update_begin(struct bgp_update_writer *writer, const struct bgp_encoding *encoding,
                      enum bgp_family family, const struct bgp_attributes *attributes,
                      const struct bgp_export *export, uint8_t *bytes, size_t capacity);
/* Starts one that withdraws. */
bool bgp_withdraw_begin(struct bgp_update_writer *writer, const struct bgp_encoding *encoding,
                        enum bgp_family family, uint8_t *bytes, size_t capacity);
/* False: full, nothing was added. Where the family has path identifiers, this one is 0. */
bool bgp_update_add(struct bgp_update_writer *writer, const struct lpm_prefix *prefix);
/* The same with a path identifier, which counts only where the family has them. */
bool bgp_update_add_path(struct bgp_update_writer *writer, const struct lpm_prefix *prefix,
                         uint32_t path_id);
/* Completes the message; returns its length, 0 when no prefix was added. */
size_t bgp_update_end(struct bgp_update_writer *writer);

size_t bgp_end_of_rib_encode(enum bgp_family family, uint8_t *bytes, size_t capacity);

#endif
