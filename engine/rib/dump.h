/*
 * A speaker's table as MRT (RFC 6396, TABLE_DUMP_V2), in pieces, so that a large table can be
 * written while the speaker works on.
 *
 *   PEER_INDEX_TABLE   peer 0: the speaker itself (own routes), then its peers
 *   RIB_IPV4_UNICAST, RIB_IPV6_UNICAST   a record a prefix, every path that was not filtered
 *
 * Prefixes come in no order, and each as it is when it is reached: what changes between two pieces
 * may be dumped as before or as after, as with every dump of a running router. When a path was
 * heard is not kept for each; the time in the dump is that at which its session came up.
 */
#ifndef ENGINE_RIB_DUMP_H
#define ENGINE_RIB_DUMP_H

#include "engine/rib/speaker.h"

struct rib_dump;

/* view: what the table is called in the dump. seconds: since 1970, now; now_ms: the same moment in
 * the speaker's time. speaker is borrowed. NULL with errno. */
struct rib_dump *rib_dump_create(const struct speaker *speaker, const char *view, uint32_t seconds,
                                 uint64_t now_ms);
void rib_dump_destroy(struct rib_dump *dump); /* NULL is allowed */
/* The next piece: up to this many prefixes. *n 0: that was all. bytes are valid until the next
 * call. -ENOMEM, -EMSGSIZE. */
int rib_dump_next(struct rib_dump *dump, unsigned prefixes, const uint8_t **bytes, size_t *n);

#endif
