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

/* --- open_restart.c --------------------------------------------------------------------------- */

/* Write the capability when it is offered; return where it ends. At most 4 + 4 and 2 + 7 octets a
 * family. */
uint8_t *open_put_graceful(const struct bgp_graceful *graceful, uint8_t *at);
uint8_t *open_put_long_lived(const struct bgp_long_lived *long_lived, uint8_t *at);
/* length: 2 and rows of 4 octets; rows of 7. */
void open_take_graceful(struct bgp_graceful *graceful, const uint8_t *value, size_t length);
void open_take_long_lived(struct bgp_long_lived *long_lived, const uint8_t *value, size_t length);

#endif
