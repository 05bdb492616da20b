/*
 * OPEN (RFC 4271 section 4.2) with capabilities (RFC 5492) and extended optional parameters (RFC
 * 9072).
 *
 *     version(1) my AS(2) hold time(2) identifier(4) length(1) parameter*
 *         parameter := type(1) length(1) value            type 2: capability*
 *     or, extended: ... 255(1) 255(1) length(2) parameter*  with two octets of length each
 *         capability := code(1) length(1) value
 *
 * Capabilities that we know are rows of a table; all others are passed over and counted.
 */
#include "engine/bgp/message_private.h"

enum {
    BGP_VERSION = 4,
    PARAMETER_CAPABILITIES = 2,
    PARAMETER_EXTENDED = 255,
    CAPABILITY_MULTIPROTOCOL = 1,     /* RFC 4760 */
    CAPABILITY_ROUTE_REFRESH = 2,     /* RFC 2918 */
    CAPABILITY_EXTENDED_NEXT_HOP = 5, /* RFC 8950 */
    CAPABILITY_EXTENDED_MESSAGE = 6,  /* RFC 8654 */
    CAPABILITY_ROLE = 9,              /* RFC 9234 */
    CAPABILITY_GRACEFUL = 64,         /* RFC 4724 */
    CAPABILITY_FOUR_OCTET_AS = 65,    /* RFC 6793 */
    CAPABILITY_ADD_PATH = 69,         /* RFC 7911 */
    CAPABILITY_ENHANCED_REFRESH = 70, /* RFC 7313 */
    CAPABILITY_LONG_LIVED = 71,       /* RFC 9494 */
};

/* --- Write ------------------------------------------------------------------------------------ */

static uint8_t *put_capability(uint8_t *at, uint8_t code, uint8_t length)
{
    at[0] = code;
    at[1] = length;
    return at + 2;
}

/* What each octet says of a family, receive and send being bits of it. */
enum { ADD_PATH_RECEIVE = 1, ADD_PATH_SEND = 2 };

static uint8_t *put_add_path(const struct bgp_open *open, uint8_t *at)
{
    uint8_t *length;
    if ((open->add_path.receive | open->add_path.send) == 0) {
        return at;
    }
    at = put_capability(at, CAPABILITY_ADD_PATH, 0);
    length = at - 1;
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        const struct bgp_family_info *family = bgp_family_info((enum bgp_family)i);
        uint8_t receive = open->add_path.receive & BGP_FAMILY_BIT(i) ? ADD_PATH_RECEIVE : 0;
        uint8_t send = open->add_path.send & BGP_FAMILY_BIT(i) ? ADD_PATH_SEND : 0;
        if (receive | send) {
            bytes_put16(at, family->afi);
            at[2] = family->safi;
            at[3] = receive | send;
            at += 4;
            *length = (uint8_t)(*length + 4);
        }
    }
    return at;
}

/* The one combination there is use for: IPv4 unicast with IPv6 next hops. */
static uint8_t *put_extended_next_hop(uint8_t *at)
{
    const struct bgp_family_info *family = bgp_family_info(BGP_IPV4_UNICAST);
    at = put_capability(at, CAPABILITY_EXTENDED_NEXT_HOP, 6);
    bytes_put16(at, family->afi);
    bytes_put16(at + 2, family->safi);
    bytes_put16(at + 4, bgp_family_info(BGP_IPV6_UNICAST)->afi);
    return at + 6;
}

/* At most 21 octets for each family and 33 for the rest: far from the 253 of one parameter. */
static uint8_t *put_capabilities(const struct bgp_open *open, uint8_t *at)
{
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        if (open->multiprotocol && open->families & BGP_FAMILY_BIT(i)) {
            const struct bgp_family_info *family = bgp_family_info((enum bgp_family)i);
            at = put_capability(at, CAPABILITY_MULTIPROTOCOL, 4);
            bytes_put16(at, family->afi);
            at[2] = 0;
            at[3] = family->safi;
            at += 4;
        }
    }
    if (open->route_refresh) {
        at = put_capability(at, CAPABILITY_ROUTE_REFRESH, 0);
    }
    if (open->enhanced_refresh) {
        at = put_capability(at, CAPABILITY_ENHANCED_REFRESH, 0);
    }
    if (open->extended_messages) {
        at = put_capability(at, CAPABILITY_EXTENDED_MESSAGE, 0);
    }
    if (open->four_octet_as) {
        at = put_capability(at, CAPABILITY_FOUR_OCTET_AS, 4);
        bytes_put32(at, open->asn);
        at += 4;
    }
    if (open->extended_next_hop) {
        at = put_extended_next_hop(at);
    }
    if (open->role != BGP_ROLE_NONE) {
        at = put_capability(at, CAPABILITY_ROLE, 1);
        *at++ = (uint8_t)(open->role - 1);
    }
    at = put_add_path(open, at);
    at = open_put_graceful(&open->graceful, at);
    return open_put_long_lived(&open->long_lived, at);
}

/* One parameter holds all capabilities: what RFC 5492 section 4 recommends and every living
 * implementation reads. The long form of RFC 9072 is never needed for what we say. */
size_t bgp_open_encode(const struct bgp_open *open, uint8_t *bytes, size_t capacity)
{
    uint8_t capabilities[21 * BGP_FAMILY_COUNT + 33];
    size_t n = (size_t)(put_capabilities(open, capabilities) - capabilities);
    size_t parameters = n > 0 ? n + 2 : 0, length = 29 + parameters;
    if (capacity < length) {
        return 0;
    }
    message_header_put(bytes, length, BGP_OPEN);
    bytes[19] = open->version;
    bytes_put16(bytes + 20, open->asn > UINT16_MAX ? BGP_AS_TRANS : open->asn);
    bytes_put16(bytes + 22, open->hold_time_s);
    bytes_put32(bytes + 24, open->identifier);
    bytes[28] = (uint8_t)parameters;
    if (n > 0) {
        bytes[29] = PARAMETER_CAPABILITIES;
        bytes[30] = (uint8_t)n;
        memcpy(bytes + 31, capabilities, n);
    }
    return length;
}

/* --- Read ------------------------------------------------------------------------------------- */

struct open_reader {
    struct bgp_open *open;
    uint32_t four_octet_asn;
};

/* The first of them ends the silence that stood for IPv4 unicast; from here on only what is
 * listed counts. Families that we do not know are passed over, a peer may offer anything. */
static void take_multiprotocol(struct open_reader *reader, const uint8_t *value, size_t length)
{
    enum bgp_family family;
    (void)length;
    if (!reader->open->multiprotocol) {
        reader->open->multiprotocol = true;
        reader->open->families = 0;
    }
    if (bgp_family_find(bytes_get16(value), value[3], &family)) {
        reader->open->families |= BGP_FAMILY_BIT(family);
    }
}

static void take_route_refresh(struct open_reader *reader, const uint8_t *value, size_t length)
{
    (void)value;
    (void)length;
    reader->open->route_refresh = true;
}

static void take_enhanced_refresh(struct open_reader *reader, const uint8_t *value, size_t length)
{
    (void)value;
    (void)length;
    reader->open->enhanced_refresh = true;
}

static void take_extended_message(struct open_reader *reader, const uint8_t *value, size_t length)
{
    (void)value;
    (void)length;
    reader->open->extended_messages = true;
}

/* Combinations that we do not know are passed over (RFC 8950 section 4). */
static void take_extended_next_hop(struct open_reader *reader, const uint8_t *value, size_t length)
{
    enum bgp_family family;
    for (const uint8_t *end = value + length; value < end; value += 6) {
        uint16_t safi = bytes_get16(value + 2);
        if (safi <= UINT8_MAX && bgp_family_find(bytes_get16(value), (uint8_t)safi, &family) &&
            family == BGP_IPV4_UNICAST &&
            bytes_get16(value + 4) == bgp_family_info(BGP_IPV6_UNICAST)->afi) {
            reader->open->extended_next_hop = true;
        }
    }
}

/* Saying the same several times is fine; saying different things is not (RFC 9234 section 4.2). */
static void take_role(struct open_reader *reader, const uint8_t *value, size_t length)
{
    struct bgp_open *open = reader->open;
    enum bgp_role role =
        value[0] + 1u < BGP_ROLE_UNKNOWN ? (enum bgp_role)(value[0] + 1u) : BGP_ROLE_UNKNOWN;
    (void)length;
    open->roles_differ |= open->role != BGP_ROLE_NONE && open->role != role;
    open->role = role;
}

/* Of entries for one family the last counts; values but 1 to 3 are to be ignored (RFC 7911
 * section 4). */
static void take_add_path(struct open_reader *reader, const uint8_t *value, size_t length)
{
    struct bgp_add_path *add_path = &reader->open->add_path;
    enum bgp_family family;
    for (const uint8_t *end = value + length; value < end; value += 4) {
        if (!bgp_family_find(bytes_get16(value), value[2], &family) || value[3] == 0 ||
            value[3] > (ADD_PATH_RECEIVE | ADD_PATH_SEND)) {
            continue;
        }
        add_path->receive &= ~BGP_FAMILY_BIT(family);
        add_path->send &= ~BGP_FAMILY_BIT(family);
        add_path->receive |= value[3] & ADD_PATH_RECEIVE ? BGP_FAMILY_BIT(family) : 0;
        add_path->send |= value[3] & ADD_PATH_SEND ? BGP_FAMILY_BIT(family) : 0;
    }
}

static void take_four_octet_as(struct open_reader *reader, const uint8_t *value, size_t length)
{
    (void)length;
    reader->open->four_octet_as = true;
    reader->four_octet_asn = bytes_get32(value);
}

static void take_graceful(struct open_reader *reader, const uint8_t *value, size_t length)
{
    open_take_graceful(&reader->open->graceful, value, length);
}

static void take_long_lived(struct open_reader *reader, const uint8_t *value, size_t length)
{
    open_take_long_lived(&reader->open->long_lived, value, length);
}

/* length: of the value, or of its fixed part where rows of `row` octets follow. */
static const struct {
    uint8_t code, length, row;
    void (*take)(struct open_reader *reader, const uint8_t *value, size_t length);
} capabilities[] = {
    {CAPABILITY_MULTIPROTOCOL, 4, 0, take_multiprotocol},
    {CAPABILITY_ROUTE_REFRESH, 0, 0, take_route_refresh},
    {CAPABILITY_EXTENDED_NEXT_HOP, 0, 6, take_extended_next_hop},
    {CAPABILITY_EXTENDED_MESSAGE, 0, 0, take_extended_message},
    {CAPABILITY_ROLE, 1, 0, take_role},
    {CAPABILITY_GRACEFUL, 2, 4, take_graceful},
    {CAPABILITY_FOUR_OCTET_AS, 4, 0, take_four_octet_as},
    {CAPABILITY_ADD_PATH, 0, 4, take_add_path},
    {CAPABILITY_ENHANCED_REFRESH, 0, 0, take_enhanced_refresh},
    {CAPABILITY_LONG_LIVED, 0, 7, take_long_lived},
};

static bool length_fits(size_t length, uint8_t fixed, uint8_t row)
{
    return length == fixed || (row > 0 && length > fixed && (length - fixed) % row == 0);
}

/* False: a capability that we know has another length. */
static bool take_capability(struct open_reader *reader, uint8_t code, const uint8_t *value,
                            size_t length)
{
    for (unsigned i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++) {
        if (capabilities[i].code == code) {
            if (!length_fits(length, capabilities[i].length, capabilities[i].row)) {
                return false;
            }
            capabilities[i].take(reader, value, length);
            return true;
        }
    }
    reader->open->unknown_capabilities++;
    return true;
}

/* The same capability may come several times, in one parameter or in many (RFC 5492 section 4). */
static bool take_capabilities(struct open_reader *reader, const uint8_t *bytes, size_t n)
{
    struct bytes_reader left = bytes_reader(bytes, n);
    uint8_t code, length;
    while (bytes_take8(&left, &code)) {
        const uint8_t *value = NULL;
        if (!bytes_take8(&left, &length) || (value = bytes_take(&left, length)) == NULL ||
            !take_capability(reader, code, value, length)) {
            return false;
        }
    }
    return true;
}

/* wide: lengths of two octets. Returns the OPEN subcode, or -1 when all is well. */
static int take_parameters(struct open_reader *reader, struct bytes_reader *left, bool wide)
{
    uint8_t type, narrow;
    while (bytes_take8(left, &type)) {
        uint16_t length = 0;
        if (wide ? !bytes_take16(left, &length) : !bytes_take8(left, &narrow)) {
            return BGP_OPEN_UNSPECIFIC;
        }
        length = wide ? length : narrow;
        const uint8_t *value = bytes_take(left, length);
        if (value == NULL) {
            return BGP_OPEN_UNSPECIFIC;
        }
        if (type != PARAMETER_CAPABILITIES) {
            return BGP_OPEN_BAD_PARAMETER;
        }
        if (!take_capabilities(reader, value, length)) {
            return BGP_OPEN_UNSPECIFIC;
        }
    }
    return -1;
}

/* Finds out which of the two forms it is, and that the lengths agree. */
static int take_all_parameters(struct open_reader *reader, const uint8_t *bytes, size_t length)
{
    struct bytes_reader left = bytes_reader(bytes + 29, length - 29);
    if (bytes[28] != 0 && length > 29 && bytes[29] == PARAMETER_EXTENDED) {
        uint16_t size;
        bytes_take(&left, 1);
        if (!bytes_take16(&left, &size) || size != bytes_left(&left)) {
            return BGP_OPEN_UNSPECIFIC;
        }
        return take_parameters(reader, &left, true);
    }
    return bytes[28] != bytes_left(&left) ? BGP_OPEN_UNSPECIFIC
                                          : take_parameters(reader, &left, false);
}

/* The checks that need no configuration, in the order of RFC 4271 section 6.2. Returns as above. */
static int check_fields(const struct bgp_open *open)
{
    if (open->asn == 0) {
        return BGP_OPEN_BAD_PEER_AS; /* RFC 7607 */
    }
    if (open->identifier == 0) {
        return BGP_OPEN_BAD_IDENTIFIER;
    }
    if (open->hold_time_s == 1 || open->hold_time_s == 2) {
        return BGP_OPEN_BAD_HOLD_TIME;
    }
    return -1;
}

/* Checks go from the outside in, so that the subcode names the first thing that is wrong: another
 * version may lay out all that follows in another way. */
bool bgp_open_decode(const uint8_t *bytes, size_t length, struct bgp_open *open,
                     struct bgp_error *error)
{
    struct open_reader reader = {.open = open};
    *open = (struct bgp_open){
        .version = bytes[19],
        .asn = bytes_get16(bytes + 20),
        .hold_time_s = bytes_get16(bytes + 22),
        .identifier = bytes_get32(bytes + 24),
        .families = BGP_FAMILY_BIT(BGP_IPV4_UNICAST),
    };
    if (open->version != BGP_VERSION) {
        uint8_t ours[2] = {0, BGP_VERSION};
        bgp_error_set(error, BGP_ERROR_OPEN, BGP_OPEN_BAD_VERSION, ours, sizeof ours);
        return false;
    }
    int subcode = take_all_parameters(&reader, bytes, length);
    if (subcode < 0 && open->four_octet_as) {
        /* The old field says the same or AS_TRANS, which some send for a small AS too. */
        bool agree = open->asn == reader.four_octet_asn || open->asn == BGP_AS_TRANS;
        subcode = agree ? -1 : BGP_OPEN_BAD_PEER_AS;
        open->asn = reader.four_octet_asn;
    }
    if (subcode < 0) {
        subcode = check_fields(open);
    }
    if (subcode >= 0) {
        bgp_error_set(error, BGP_ERROR_OPEN, (uint8_t)subcode, NULL, 0);
        return false;
    }
    return true;
}
