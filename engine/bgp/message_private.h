/* What the writers of messages share. Inside engine/bgp only. */
#ifndef ENGINE_BGP_MESSAGE_PRIVATE_H
#define ENGINE_BGP_MESSAGE_PRIVATE_H

#include "engine/bgp/bytes.h"
#include "engine/bgp/message.h"

static inline void message_header_put(uint8_t *bytes, size_t length, enum bgp_message_type type)
{
    memset(bytes, 0xff, 16);
    bytes_put16(bytes + 16, (uint32_t)length);
    bytes[18] = (uint8_t)type;
}

#endif
