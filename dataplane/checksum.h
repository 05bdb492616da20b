/*
 * Checksums over whole packet buffers.
 */
#ifndef DATAPLANE_CHECKSUM_H
#define DATAPLANE_CHECKSUM_H

#include <stdbool.h>

#include "dataplane/stages.h"

/* Is the checksum of the ICMP or ICMPv6 message behind packet's headers right? True also for a
 * message that a capture has cut, which nobody can tell. mbuf begins with the IP header. */
bool dp_icmp_checksum_good(const struct rte_mbuf *mbuf, const struct dp_packet *packet);

/* Completes the TCP or UDP checksum of a packet that its sender left to hardware which is not
 * there: the field then holds the sum of the pseudo-header alone. Any other packet stays as it is.
 */
void dp_complete_checksum(struct rte_mbuf *mbuf, const struct dp_packet *packet);

/* Is the UDP checksum right? The IP header begins at `at`. */
bool dp_udp_checksum_good(const struct rte_mbuf *mbuf, uint32_t at, const struct dp_packet *packet);
/* Writes that of the n bytes of UDP behind the plain IPv6 header at `at`. */
void dp_write_udp6_checksum(struct rte_mbuf *mbuf, uint32_t at, uint32_t n);

/* Leaves that to the device: the field holds what it begins with, the sum of the pseudo-header. */
void dp_leave_udp6_checksum(struct rte_mbuf *mbuf, uint32_t at, uint32_t n);

/* Internet checksum, ready to store in network order, of n bytes. */
uint16_t dp_checksum(const uint8_t *bytes, uint32_t n);
/* The same of an ICMPv6 message in one piece, its pseudo-header included (RFC 8200 8.1). */
uint16_t dp_checksum_icmpv6(const uint8_t source[16], const uint8_t destination[16],
                            const uint8_t *message, uint16_t n);

#endif
