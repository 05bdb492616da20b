/*
 * BGP4MP records (RFC 6396 4.4): who spoke to whom, then a BGP message or two states.
 *
 *   peer AS, local AS (2 or 4 octets each)  interface(2)  AFI(2)  peer address  local address
 *   message: the whole BGP message    state change: old(2) new(2)
 */
#include "engine/bgp/mrt.h"

#include <errno.h>

#include "engine/bgp/mrt_private.h"

bool mrt_is_message(const struct mrt_record *record)
{
    return record->type == MRT_BGP4MP || record->type == MRT_BGP4MP_ET;
}

/* What the subtype says of the rest; false: not one that we know. */
static bool read_subtype(uint16_t subtype, struct mrt_message *message)
{
    static const struct {
        uint16_t subtype;
        bool state_change, four_octet_as, sent, with_path_id;
    } subtypes[] = {
        {STATE_CHANGE, true, false, false, false},
        {STATE_CHANGE_AS4, true, true, false, false},
        {MESSAGE, false, false, false, false},
        {MESSAGE_AS4, false, true, false, false},
        {MESSAGE_LOCAL, false, false, true, false},
        {MESSAGE_AS4_LOCAL, false, true, true, false},
        {MESSAGE_ADDPATH, false, false, false, true},
        {MESSAGE_AS4_ADDPATH, false, true, false, true},
        {MESSAGE_LOCAL_ADDPATH, false, false, true, true},
        {MESSAGE_AS4_LOCAL_ADDPATH, false, true, true, true},
    };
    for (size_t i = 0; i < sizeof(subtypes) / sizeof(*subtypes); i++) {
        if (subtypes[i].subtype != subtype)
            continue;
        message->is_state_change = subtypes[i].state_change;
        message->four_octet_as = subtypes[i].four_octet_as;
        message->sent = subtypes[i].sent;
        message->with_path_id = subtypes[i].with_path_id;
        return true;
    }
    return false;
}

static int read_ends(struct bytes_reader *reader, struct mrt_message *message)
{
    size_t width = message->four_octet_as ? 4 : 2;
    uint16_t afi;
    if (!mrt_take_number(reader, width, &message->peer_asn) ||
        !mrt_take_number(reader, width, &message->local_asn) ||
        !bytes_take16(reader, &message->interface) || !bytes_take16(reader, &afi))
        return -EBADMSG;
    if (afi != 1 && afi != 2)
        return -ENOTSUP;
    enum lpm_family family = afi == 1 ? LPM_IPV4 : LPM_IPV6;
    bool whole = mrt_take_address(reader, family, &message->peer) &&
                 mrt_take_address(reader, family, &message->local);
    return whole ? 0 : -EBADMSG;
}

int mrt_message_decode(const struct mrt_record *record, struct mrt_message *message)
{
    struct bytes_reader reader = bytes_reader(record->body, record->length);
    *message = (struct mrt_message){0};
    if (!mrt_is_message(record) || !read_subtype(record->subtype, message))
        return -ENOTSUP;
    int error = read_ends(&reader, message);
    if (error)
        return error;
    if (message->is_state_change)
        return bytes_take16(&reader, &message->old_state) &&
                       bytes_take16(&reader, &message->new_state) && bytes_left(&reader) == 0
                   ? 0
                   : -EBADMSG;
    message->length = bytes_left(&reader);
    message->bytes = reader.at;
    struct bgp_header header;
    struct bgp_error wrong;
    if (message->length < BGP_HEADER_SIZE ||
        !bgp_header_decode(message->bytes, BGP_EXTENDED_MESSAGE_MAX, &header, &wrong) ||
        header.length != message->length)
        return -EBADMSG;
    message->type = header.type;
    return 0;
}
