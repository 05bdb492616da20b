/*
 *    0               1               2               3
 *   |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
 *   |                       My Discriminator                        |
 *   |                      Your Discriminator                       |
 *   |                    Desired Min TX Interval                    |
 *   |                   Required Min RX Interval                    |
 *   |                 Required Min Echo RX Interval                 |     RFC 5880 section 4.1
 */
#include "engine/bgp/bfd_packet.h"

#include "engine/bgp/bytes.h"

#define VERSION 1u

enum flag {
    FLAG_POLL = 0x20,
    FLAG_FINAL = 0x10,
    FLAG_CONTROL_PLANE_INDEPENDENT = 0x08,
    FLAG_AUTHENTICATION = 0x04,
    FLAG_DEMAND = 0x02,
    FLAG_MULTIPOINT = 0x01,
};

const char *bfd_state_text(enum bfd_state state)
{
    static const char *const texts[] = {
        [BFD_ADMIN_DOWN] = "AdminDown",
        [BFD_DOWN] = "Down",
        [BFD_INIT] = "Init",
        [BFD_UP] = "Up",
    };
    return texts[state];
}

const char *bfd_diagnostic_text(unsigned diagnostic)
{
    static const char *const texts[] = {
        [BFD_NO_DIAGNOSTIC] = "No Diagnostic",
        [BFD_DETECTION_TIME_EXPIRED] = "Control Detection Time Expired",
        [BFD_ECHO_FAILED] = "Echo Function Failed",
        [BFD_NEIGHBOR_SIGNALED_DOWN] = "Neighbor Signaled Session Down",
        [BFD_FORWARDING_PLANE_RESET] = "Forwarding Plane Reset",
        [BFD_PATH_DOWN] = "Path Down",
        [BFD_CONCATENATED_PATH_DOWN] = "Concatenated Path Down",
        [BFD_ADMINISTRATIVELY_DOWN] = "Administratively Down",
        [BFD_REVERSE_CONCATENATED_PATH_DOWN] = "Reverse Concatenated Path Down",
    };
    return diagnostic < sizeof(texts) / sizeof(texts[0]) ? texts[diagnostic] : "Reserved";
}

const char *bfd_discard_name(enum bfd_discard discard)
{
    static const char *const names[] = {
        [BFD_TAKEN] = "taken",
        [BFD_BAD_TTL] = "ttl",
        [BFD_BAD_VERSION] = "version",
        [BFD_BAD_LENGTH] = "length",
        [BFD_ZERO_MULTIPLIER] = "zero-multiplier",
        [BFD_MULTIPOINT] = "multipoint",
        [BFD_NO_MY_DISCRIMINATOR] = "no-my-discriminator",
        [BFD_NO_YOUR_DISCRIMINATOR] = "no-your-discriminator",
        [BFD_UNKNOWN_SESSION] = "unknown-session",
        [BFD_AUTHENTICATED] = "authenticated",
        [BFD_SESSION_IS_OFF] = "session-is-off",
    };
    return names[discard];
}

/* Section 6.8.6, in its order. With authentication the packet would have to hold two bytes more;
 * it is refused either way, and the length says which of the two was wrong. */
static enum bfd_discard check(const uint8_t *bytes, size_t n)
{
    if (n < BFD_PACKET_SIZE) {
        return BFD_BAD_LENGTH;
    }
    bool authenticated = bytes[1] & FLAG_AUTHENTICATION;
    size_t length = bytes[3], least = BFD_PACKET_SIZE + (authenticated ? 2 : 0);
    if (bytes[0] >> 5 != VERSION) {
        return BFD_BAD_VERSION;
    }
    if (length < least || length > n) {
        return BFD_BAD_LENGTH;
    }
    if (bytes[2] == 0) {
        return BFD_ZERO_MULTIPLIER;
    }
    if (bytes[1] & FLAG_MULTIPOINT) {
        return BFD_MULTIPOINT;
    }
    if (bytes_get32(bytes + 4) == 0) {
        return BFD_NO_MY_DISCRIMINATOR;
    }
    if (bytes_get32(bytes + 8) == 0 && bytes[1] >> 6 > BFD_DOWN) {
        return BFD_NO_YOUR_DISCRIMINATOR;
    }
    return authenticated ? BFD_AUTHENTICATED : BFD_TAKEN;
}

enum bfd_discard bfd_packet_decode(const uint8_t *bytes, size_t n, struct bfd_packet *packet)
{
    enum bfd_discard discard = check(bytes, n);
    if (discard != BFD_TAKEN) {
        return discard;
    }
    *packet = (struct bfd_packet){
        .state = (enum bfd_state)(bytes[1] >> 6),
        .diagnostic = bytes[0] & 0x1f,
        .poll = bytes[1] & FLAG_POLL,
        .final = bytes[1] & FLAG_FINAL,
        .demand = bytes[1] & FLAG_DEMAND,
        .control_plane_independent = bytes[1] & FLAG_CONTROL_PLANE_INDEPENDENT,
        .multiplier = bytes[2],
        .my_discriminator = bytes_get32(bytes + 4),
        .your_discriminator = bytes_get32(bytes + 8),
        .desired_min_tx_us = bytes_get32(bytes + 12),
        .required_min_rx_us = bytes_get32(bytes + 16),
        .required_min_echo_rx_us = bytes_get32(bytes + 20),
    };
    return BFD_TAKEN;
}

void bfd_packet_encode(const struct bfd_packet *packet, uint8_t bytes[BFD_PACKET_SIZE])
{
    bytes[0] = (uint8_t)(VERSION << 5 | packet->diagnostic);
    bytes[1] = (uint8_t)((unsigned)packet->state << 6 | (packet->poll ? FLAG_POLL : 0) |
                         (packet->final ? FLAG_FINAL : 0) |
                         (packet->control_plane_independent ? FLAG_CONTROL_PLANE_INDEPENDENT : 0) |
                         (packet->demand ? FLAG_DEMAND : 0));
    bytes[2] = packet->multiplier;
    bytes[3] = BFD_PACKET_SIZE;
    bytes_put32(bytes + 4, packet->my_discriminator);
    bytes_put32(bytes + 8, packet->your_discriminator);
    bytes_put32(bytes + 12, packet->desired_min_tx_us);
    bytes_put32(bytes + 16, packet->required_min_rx_us);
    bytes_put32(bytes + 20, packet->required_min_echo_rx_us);
}
