/*
 * The capabilities that speak of restarts: Graceful Restart (RFC 4724, with the N bit of RFC 8538)
 * and Long-Lived Graceful Restart (RFC 9494).
 *
 *     64  flags and time(2)  (AFI(2) SAFI(1) flags(1))*
 *     71                     (AFI(2) SAFI(1) flags(1) stale time(3))*
 */
#include "engine/bgp/message_private.h"

enum {
    CAPABILITY_GRACEFUL = 64,
    CAPABILITY_LONG_LIVED = 71,

    GRACEFUL_RESTARTING = 0x8000,
    GRACEFUL_NOTIFICATION = 0x4000,
    GRACEFUL_TIME = 0x0fff,
    FORWARDING = 0x80, /* flag of a family, in both of them */
    STALE_TIME_MAX = 0xffffff,
};

static uint8_t *put_family(uint8_t *at, enum bgp_family family, bool forwarding)
{
    bytes_put16(at, bgp_family_info(family)->afi);
    at[2] = bgp_family_info(family)->safi;
    at[3] = forwarding ? FORWARDING : 0;
    return at + 4;
}

uint8_t *open_put_graceful(const struct bgp_graceful *graceful, uint8_t *at)
{
    uint8_t *start = at;
    if (!graceful->offered) {
        return at;
    }
    start[0] = CAPABILITY_GRACEFUL;
    bytes_put16(at + 2, (graceful->restarting ? GRACEFUL_RESTARTING : 0u) |
                            (graceful->notification ? GRACEFUL_NOTIFICATION : 0u) |
                            (graceful->time_s & GRACEFUL_TIME));
    at += 4;
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        if (graceful->families & BGP_FAMILY_BIT(i)) {
            at = put_family(at, (enum bgp_family)i, graceful->forwarding & BGP_FAMILY_BIT(i));
        }
    }
    start[1] = (uint8_t)(at - start - 2);
    return at;
}

uint8_t *open_put_long_lived(const struct bgp_long_lived *long_lived, uint8_t *at)
{
    uint8_t *start = at;
    if (!long_lived->offered) {
        return at;
    }
    start[0] = CAPABILITY_LONG_LIVED;
    at += 2;
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        if (long_lived->families & BGP_FAMILY_BIT(i)) {
            uint32_t time_s = long_lived->stale_time_s[i];
            time_s = time_s < STALE_TIME_MAX ? time_s : STALE_TIME_MAX;
            at = put_family(at, (enum bgp_family)i, long_lived->forwarding & BGP_FAMILY_BIT(i));
            at[0] = (uint8_t)(time_s >> 16);
            bytes_put16(at + 1, time_s & UINT16_MAX);
            at += 3;
        }
    }
    start[1] = (uint8_t)(at - start - 2);
    return at;
}

/* Of several instances the last one counts, whole (RFC 4724 section 3). */
void open_take_graceful(struct bgp_graceful *graceful, const uint8_t *value, size_t length)
{
    uint16_t flags = bytes_get16(value);
    *graceful = (struct bgp_graceful){
        .offered = true,
        .restarting = flags & GRACEFUL_RESTARTING,
        .notification = flags & GRACEFUL_NOTIFICATION,
        .time_s = flags & GRACEFUL_TIME,
    };
    for (size_t at = 2; at < length; at += 4) {
        enum bgp_family family;
        if (bgp_family_find(bytes_get16(value + at), value[at + 2], &family)) {
            graceful->families |= BGP_FAMILY_BIT(family);
            graceful->forwarding |= value[at + 3] & FORWARDING ? BGP_FAMILY_BIT(family) : 0;
        }
    }
}

void open_take_long_lived(struct bgp_long_lived *long_lived, const uint8_t *value, size_t length)
{
    *long_lived = (struct bgp_long_lived){.offered = true};
    for (size_t at = 0; at < length; at += 7) {
        enum bgp_family family;
        if (bgp_family_find(bytes_get16(value + at), value[at + 2], &family)) {
            long_lived->families |= BGP_FAMILY_BIT(family);
            long_lived->forwarding |= value[at + 3] & FORWARDING ? BGP_FAMILY_BIT(family) : 0;
            long_lived->stale_time_s[family] =
                (uint32_t)value[at + 4] << 16 | bytes_get16(value + at + 5);
        }
    }
}
