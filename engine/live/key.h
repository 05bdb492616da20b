/*
 * Keys of TCP sessions: TCP MD5 signatures (RFC 2385) and, where the kernel has it, TCP-AO (RFC
 * 5925). A key is the one line of a file that its owner alone may read.
 *
 *   key_file ──live_key_read()──> struct live_key ──live_key_set()──> listening and open sockets
 *
 * The kernel signs and checks. A segment with a wrong signature, or without one, is dropped there:
 * this program never hears of it, and the peer's connection looks as if nobody answered.
 */
#ifndef ENGINE_LIVE_KEY_H
#define ENGINE_LIVE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/fabric/model.h"
#include "lpm/lpm.h"

#define LIVE_KEY_MAX 80 /* of the kernel, for both kinds */

struct live_key {
    uint8_t bytes[LIVE_KEY_MAX];
    uint8_t length; /* 0: no key */
    enum fabric_key_type type;
    uint8_t id;
};

/* Reads the key of a peer that has a key_file. Relative names start at the folder of the fabric
 * file. -errno: error says which file and what would be right; *key is untouched. */
int live_key_read(const struct fabric_bgp_peer *peer, struct live_key *key, char *error,
                  size_t error_size);
bool live_key_equal(const struct live_key *a, const struct live_key *b);
/* Overwrites the bytes. */
void live_key_forget(struct live_key *key);

/* Signs what this socket exchanges with peer by key, from the next segment on; a key that was set
 * for peer before is replaced. Works on listening, connecting and connected sockets. length 0:
 * nothing is done. -ENOPROTOOPT: the kernel has no such keys. interface: of a link-local peer,
 * else NULL. */
int live_key_set(int fd, const struct lpm_address *peer, const char *interface,
                 const struct live_key *key);
/* From the next connection on no segment of peer is signed by key. Content when there is none. */
void live_key_remove(int fd, const struct lpm_address *peer, const char *interface,
                     const struct live_key *key);
/* Both for every address of a range, on a listening socket; one that has a key of its own keeps
 * it. */
int live_key_set_range(int fd, const struct lpm_prefix *range, const char *interface,
                       const struct live_key *key);
void live_key_remove_range(int fd, const struct lpm_prefix *range, const char *interface,
                           const struct live_key *key);

#endif
