/*
 * TABLE_DUMP_V2 records (RFC 6396 4.3), read.
 *
 *   PEER_INDEX_TABLE   collector(4) length(2) view  count(2) { type(1) identifier(4) address AS }
 *   RIB_...            sequence(4) length(1) prefix count(2) { peer(2) time(4) length(2) attributes }
 *   RIB_GENERIC        sequence(4) AFI(2) SAFI(1) length(1) prefix  count(2) {as above}
 *   ..._ADDPATH        the path identifier (4) stands behind the time (RFC 8050 4)
 */
#include "engine/bgp/mrt.h"

#include <errno.h>

#include "engine/bgp/mrt_private.h"

/* --- Peer index ------------------------------------------------------------------------------- */

bool mrt_is_peer_index(const struct mrt_record *record)
{
    return record->type == MRT_TABLE_DUMP_V2 && record->subtype == PEER_INDEX_TABLE;
}

static bool read_peer(struct bytes_reader *reader, struct mrt_peer *peer)
{
    uint8_t type;
    return bytes_take8(reader, &type) && mrt_take_number(reader, 4, &peer->identifier) &&
           mrt_take_address(reader, type & PEER_IPV6 ? LPM_IPV6 : LPM_IPV4, &peer->address) &&
           mrt_take_number(reader, type & PEER_AS4 ? 4 : 2, &peer->asn);
}

static bool read_view(struct bytes_reader *reader, struct mrt_peer_index *index)
{
    uint16_t length;
    const uint8_t *name;
    if (!mrt_take_number(reader, 4, &index->collector) || !bytes_take16(reader, &length) ||
        (name = bytes_take(reader, length)) == NULL)
        return false;
    size_t kept = length < MRT_VIEW_MAX ? length : MRT_VIEW_MAX;
    memcpy(index->view, name, kept);
    index->view[kept] = '\0';
    return true;
}

int mrt_peer_index_decode(const struct mrt_record *record, struct mrt_peer_index *index)
{
    struct bytes_reader reader = bytes_reader(record->body, record->length);
    uint16_t n;
    *index = (struct mrt_peer_index){0};
    if (!mrt_is_peer_index(record))
        return -ENOTSUP;
    if (!read_view(&reader, index) || !bytes_take16(&reader, &n))
        return -EBADMSG;
    index->peers = calloc(n + 1u, sizeof(*index->peers));
    if (index->peers == NULL)
        return -ENOMEM;
    while (index->n < n && read_peer(&reader, &index->peers[index->n]))
        index->n++;
    if (index->n == n && bytes_left(&reader) == 0)
        return 0;
    mrt_peer_index_free(index);
    return -EBADMSG;
}

void mrt_peer_index_free(struct mrt_peer_index *index)
{
    free(index->peers);
    index->peers = NULL;
    index->n = 0;
}

/* --- RIB -------------------------------------------------------------------------------------- */

bool mrt_is_rib(const struct mrt_record *record)
{
    return record->type == MRT_TABLE_DUMP_V2 && record->subtype != PEER_INDEX_TABLE;
}

/* Which family the record is of. For RIB_GENERIC that stands in the body. */
static int read_family(struct bytes_reader *reader, uint16_t subtype, struct mrt_rib *rib)
{
    uint16_t afi;
    uint8_t safi;
    rib->with_path_id = subtype == RIB_IPV4_UNICAST_ADDPATH || subtype == RIB_IPV6_UNICAST_ADDPATH;
    switch (subtype) {
    case RIB_IPV4_UNICAST:
    case RIB_IPV4_UNICAST_ADDPATH:
        rib->family = BGP_IPV4_UNICAST;
        return 0;
    case RIB_IPV6_UNICAST:
    case RIB_IPV6_UNICAST_ADDPATH:
        rib->family = BGP_IPV6_UNICAST;
        return 0;
    case RIB_GENERIC:
        if (!bytes_take16(reader, &afi) || !bytes_take8(reader, &safi))
            return -EBADMSG;
        return bgp_family_find(afi, safi, &rib->family) ? 0 : -ENOTSUP;
    default:
        return -ENOTSUP;
    }
}

static bool read_prefix(struct bytes_reader *reader, struct mrt_rib *rib)
{
    const struct bgp_family_info *info = bgp_family_info(rib->family);
    uint8_t length;
    const uint8_t *at = reader->at;
    if (!bytes_take8(reader, &length) || length > info->length_max ||
        bytes_take(reader, (length + 7u) / 8u) == NULL)
        return false;
    struct bgp_nlri nlri = {.family = rib->family, .at = at, .end = reader->at};
    return bgp_nlri_next(&nlri, &rib->prefix);
}

bool mrt_rib_next(struct mrt_rib *rib, struct mrt_rib_entry *entry)
{
    const uint8_t *at = rib->at;
    if (rib->entries == 0)
        return false;
    *entry = (struct mrt_rib_entry){.peer = bytes_get16(at), .originated_s = bytes_get32(at + 2)};
    at += 6;
    if (rib->with_path_id) {
        entry->path_id = bytes_get32(at);
        at += 4;
    }
    entry->length = bytes_get16(at);
    entry->attributes = at + 2;
    rib->at = entry->attributes + entry->length;
    rib->entries--;
    return true;
}

/* Walks all entries once, so that mrt_rib_next() need not look. */
static bool entries_are_whole(const struct mrt_rib *rib)
{
    struct bytes_reader reader = {rib->at, rib->end};
    uint16_t length;
    for (unsigned i = 0; i < rib->entries; i++)
        if (bytes_take(&reader, rib->with_path_id ? 10 : 6) == NULL ||
            !bytes_take16(&reader, &length) || bytes_take(&reader, length) == NULL)
            return false;
    return bytes_left(&reader) == 0;
}

int mrt_rib_decode(const struct mrt_record *record, struct mrt_rib *rib)
{
    struct bytes_reader reader = bytes_reader(record->body, record->length);
    uint16_t n;
    *rib = (struct mrt_rib){0};
    if (!mrt_is_rib(record))
        return -ENOTSUP;
    if (!mrt_take_number(&reader, 4, &rib->sequence))
        return -EBADMSG;
    int error = read_family(&reader, record->subtype, rib);
    if (error)
        return error;
    if (!read_prefix(&reader, rib) || !bytes_take16(&reader, &n))
        return -EBADMSG;
    rib->entries = n;
    rib->at = reader.at;
    rib->end = reader.end;
    return entries_are_whole(rib) ? 0 : -EBADMSG;
}
