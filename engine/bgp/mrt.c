/*
 * Records and their kinds: what tables (mrt_table.c) and updates (mrt_message.c) have in common.
 */
#include "engine/bgp/mrt.h"

#include <errno.h>
#include <stdio.h>

#include "engine/bgp/bytes.h"
#include "engine/bgp/mrt_private.h"

int mrt_record_decode(const uint8_t *bytes, size_t n, struct mrt_record *record, size_t *size)
{
    *size = MRT_HEADER_SIZE;
    if (n < MRT_HEADER_SIZE)
        return -EAGAIN;
    size_t length = bytes_get32(bytes + 8);
    if (length > MRT_RECORD_MAX)
        return -EFBIG;
    *size += length;
    if (n < *size)
        return -EAGAIN;
    *record = (struct mrt_record){
        .seconds = bytes_get32(bytes),
        .type = bytes_get16(bytes + 4),
        .subtype = bytes_get16(bytes + 6),
        .body = bytes + MRT_HEADER_SIZE,
        .length = length,
    };
    if (record->type == MRT_BGP4MP_ET) {
        if (length < 4)
            return -EBADMSG;
        record->microseconds = bytes_get32(record->body);
        record->body += 4;
        record->length -= 4;
    }
    return 0;
}

static const struct {
    uint16_t type, subtype;
    const char *text;
} kinds[] = {
    {MRT_TABLE_DUMP_V2, PEER_INDEX_TABLE, "TABLE_DUMP_V2/PEER_INDEX_TABLE"},
    {MRT_TABLE_DUMP_V2, RIB_IPV4_UNICAST, "TABLE_DUMP_V2/RIB_IPV4_UNICAST"},
    {MRT_TABLE_DUMP_V2, RIB_IPV4_MULTICAST, "TABLE_DUMP_V2/RIB_IPV4_MULTICAST"},
    {MRT_TABLE_DUMP_V2, RIB_IPV6_UNICAST, "TABLE_DUMP_V2/RIB_IPV6_UNICAST"},
    {MRT_TABLE_DUMP_V2, RIB_IPV6_MULTICAST, "TABLE_DUMP_V2/RIB_IPV6_MULTICAST"},
    {MRT_TABLE_DUMP_V2, RIB_GENERIC, "TABLE_DUMP_V2/RIB_GENERIC"},
    {MRT_TABLE_DUMP_V2, RIB_IPV4_UNICAST_ADDPATH, "TABLE_DUMP_V2/RIB_IPV4_UNICAST_ADDPATH"},
    {MRT_TABLE_DUMP_V2, RIB_IPV6_UNICAST_ADDPATH, "TABLE_DUMP_V2/RIB_IPV6_UNICAST_ADDPATH"},
    {MRT_BGP4MP, STATE_CHANGE, "BGP4MP/STATE_CHANGE"},
    {MRT_BGP4MP, MESSAGE, "BGP4MP/MESSAGE"},
    {MRT_BGP4MP, MESSAGE_AS4, "BGP4MP/MESSAGE_AS4"},
    {MRT_BGP4MP, STATE_CHANGE_AS4, "BGP4MP/STATE_CHANGE_AS4"},
    {MRT_BGP4MP, MESSAGE_LOCAL, "BGP4MP/MESSAGE_LOCAL"},
    {MRT_BGP4MP, MESSAGE_AS4_LOCAL, "BGP4MP/MESSAGE_AS4_LOCAL"},
    {MRT_BGP4MP, MESSAGE_ADDPATH, "BGP4MP/MESSAGE_ADDPATH"},
    {MRT_BGP4MP, MESSAGE_AS4_ADDPATH, "BGP4MP/MESSAGE_AS4_ADDPATH"},
    {MRT_BGP4MP, MESSAGE_LOCAL_ADDPATH, "BGP4MP/MESSAGE_LOCAL_ADDPATH"},
    {MRT_BGP4MP, MESSAGE_AS4_LOCAL_ADDPATH, "BGP4MP/MESSAGE_AS4_LOCAL_ADDPATH"},
};

char *mrt_record_kind(const struct mrt_record *record, char text[MRT_KIND_TEXT])
{
    uint16_t type = record->type == MRT_BGP4MP_ET ? MRT_BGP4MP : record->type;
    snprintf(text, MRT_KIND_TEXT, "type %u/%u", record->type, record->subtype);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (kinds[i].type == type && kinds[i].subtype == record->subtype)
            snprintf(text, MRT_KIND_TEXT, "%s", kinds[i].text);
    return text;
}

char *mrt_state_text(uint16_t state, char text[MRT_STATE_TEXT])
{
    static const char *const names[] = {"Idle",     "Connect",     "Active",
                                        "OpenSent", "OpenConfirm", "Established"};
    if (state >= 1 && state <= sizeof(names) / sizeof(*names))
        snprintf(text, MRT_STATE_TEXT, "%s", names[state - 1]);
    else
        snprintf(text, MRT_STATE_TEXT, "state %u", state);
    return text;
}

bool mrt_take_address(struct bytes_reader *reader, enum lpm_family family,
                      struct lpm_address *address)
{
    size_t width = family == LPM_IPV4 ? 4 : 16;
    const uint8_t *taken = bytes_take(reader, width);
    if (taken == NULL)
        return false;
    *address = (struct lpm_address){.family = (uint8_t)family};
    memcpy(address->bytes, taken, width);
    return true;
}

bool mrt_take_number(struct bytes_reader *reader, size_t octets, uint32_t *value)
{
    const uint8_t *taken = bytes_take(reader, octets);
    if (taken == NULL)
        return false;
    *value = octets == 2 ? bytes_get16(taken) : bytes_get32(taken);
    return true;
}
