/*
 * The flow hash for callers outside the packet path: the same code, see hash.h.
 */
#include "dataplane/hash.h"

uint32_t dp_flow_hash(const struct dp_packet *packet, unsigned hash_fields, uint32_t salt)
{
    return dp_flow_hash_inline(packet, hash_fields, salt);
}
