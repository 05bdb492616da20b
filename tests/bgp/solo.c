/*
 * A session without a peer: the test makes the peer's bytes by hand, and the handler counts what
 * it is told. See support.h.
 */
#include "tests/bgp/support.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void solo_state_changed(void *context, enum bgp_state state, const char *reason)
{
    struct solo *solo = context;
    (void)state;
    solo->states++;
    snprintf(solo->reason, sizeof solo->reason, "%s", reason);
}

static void solo_routes(void *context, const struct bgp_routes *routes)
{
    struct solo *solo = context;
    struct bgp_nlri announced = routes->announced, withdrawn = routes->withdrawn;
    struct lpm_prefix prefix;
    while (bgp_nlri_next(&withdrawn, &prefix)) {
        solo->withdrawn++;
    }
    while (bgp_nlri_next(&announced, &prefix)) {
        solo->announced++;
        solo->last_prefix = prefix;
    }
    if (solo->reset_at > 0 && solo->announced >= solo->reset_at) {
        bgp_session_reset(solo->session, BGP_CEASE_MAX_PREFIXES, NULL, solo->now_ms);
    }
    if (routes->attributes != NULL) {
        bgp_attributes_release(solo->table, solo->last);
        solo->last = bgp_attributes_hold(routes->attributes);
    }
}

static void solo_end_of_rib(void *context, enum bgp_family family)
{
    (void)family;
    ((struct solo *)context)->end_of_ribs++;
}

static void solo_refresh(void *context, enum bgp_family family)
{
    (void)family;
    ((struct solo *)context)->refreshes++;
}

static void solo_marker(void *context, enum bgp_family family, bool begins)
{
    (void)family;
    ((struct solo *)context)->markers[begins]++;
}

static size_t solo_fill(void *context, uint8_t *bytes, size_t capacity)
{
    struct solo *solo = context;
    size_t n = solo->updates_size;
    if (n > capacity || n == 0) {
        return 0;
    }
    memcpy(bytes, solo->updates, n);
    solo->updates_size = 0;
    return n;
}

static void solo_connect(void *context)
{
    ((struct solo *)context)->connects++;
}

static void solo_close_wanted(void *context, enum bgp_direction direction)
{
    ((struct solo *)context)->closes[direction]++;
}

static void solo_output_ready(void *context, enum bgp_direction direction)
{
    ((struct solo *)context)->readies[direction]++;
}

static bool solo_input_waits(void *context, enum bgp_direction direction)
{
    (void)direction;
    return ((struct solo *)context)->input_waits;
}

static void solo_notice(void *context, const char *line)
{
    struct solo *solo = context;
    solo->notices++;
    snprintf(solo->notice, sizeof solo->notice, "%s", line);
}

struct bgp_session_config solo_config(void)
{
    return (struct bgp_session_config){
        .local_asn = 65515,
        .peer_asn = 65001,
        .identifier = 0x0a000001,
        .hold_time_s = 180,
        .connect_retry_s = 10,
        .seed = 1,
    };
}

void solo_open(struct solo *solo, const struct bgp_session_config *config)
{
    struct bgp_session_handler handler = {
        .context = solo,
        .state_changed = solo_state_changed,
        .routes = solo_routes,
        .end_of_rib = solo_end_of_rib,
        .refresh_requested = solo_refresh,
        .refresh_marker = solo_marker,
        .fill_updates = solo_fill,
        .connect = solo_connect,
        .close = solo_close_wanted,
        .output_ready = solo_output_ready,
        .input_waits = solo_input_waits,
        .notice = solo_notice,
    };
    memset(solo, 0, sizeof *solo);
    struct bgp_session_config with_table = *config;
    with_table.attributes = solo->table = bgp_attribute_table_create();
    solo->now_ms = 1000;
    int error = bgp_session_create(&with_table, &handler, &solo->session);
    assert(error == 0);
    (void)error;
}

void solo_close(struct solo *solo)
{
    bgp_session_destroy(solo->session);
    bgp_attributes_release(solo->table, solo->last);
    assert(bgp_attribute_table_count(solo->table) == 0);
    bgp_attribute_table_destroy(solo->table);
}

size_t solo_output(struct solo *solo, enum bgp_direction direction, uint8_t *bytes, size_t capacity)
{
    size_t n = 0, got;
    while ((got = bgp_session_output(solo->session, direction, bytes + n, capacity - n,
                                     solo->now_ms)) > 0) {
        n += got;
    }
    return n;
}

void solo_input(struct solo *solo, enum bgp_direction direction, const uint8_t *bytes, size_t n)
{
    bgp_session_input(solo->session, direction, bytes, n, solo->now_ms);
}

struct bgp_open peer_open(void)
{
    return (struct bgp_open){
        .version = 4,
        .asn = 65001,
        .hold_time_s = 90,
        .identifier = 0x0a000002,
        .multiprotocol = true,
        .families = BGP_FAMILIES_ALL,
        .four_octet_as = true,
        .route_refresh = true,
    };
}

void solo_input_open(struct solo *solo, enum bgp_direction direction, const struct bgp_open *open)
{
    uint8_t bytes[128];
    solo_input(solo, direction, bytes, bgp_open_encode(open, bytes, sizeof bytes));
}

void solo_input_keepalive(struct solo *solo, enum bgp_direction direction)
{
    uint8_t bytes[32];
    solo_input(solo, direction, bytes, bgp_keepalive_encode(bytes, sizeof bytes));
}

void solo_establish(struct solo *solo, const struct bgp_open *open)
{
    uint8_t bytes[8192];
    bgp_session_start(solo->session, solo->now_ms);
    bgp_session_connected(solo->session, BGP_OUTGOING, solo->now_ms);
    solo_input_open(solo, BGP_OUTGOING, open);
    solo_input_keepalive(solo, BGP_OUTGOING);
    solo_output(solo, BGP_OUTGOING, bytes, sizeof bytes);
}

struct bgp_error solo_notification(struct solo *solo, enum bgp_direction direction)
{
    static uint8_t bytes[1 << 17];
    struct bgp_error error = {0};
    size_t n = solo_output(solo, direction, bytes, sizeof bytes);
    for (size_t at = 0; at < n; at += (size_t)(bytes[at + 16] << 8 | bytes[at + 17])) {
        if (bytes[at + 18] == BGP_NOTIFICATION) {
            bgp_notification_decode(bytes + at, (size_t)(bytes[at + 16] << 8 | bytes[at + 17]),
                                    &error);
        }
    }
    return error;
}

enum bgp_state state_of(const struct solo *solo)
{
    return bgp_session_state(solo->session);
}

void pass_time(struct solo *solo, uint64_t at_ms)
{
    while (bgp_session_deadline(solo->session) <= at_ms) {
        solo->now_ms = bgp_session_deadline(solo->session);
        bgp_session_tick(solo->session, solo->now_ms);
    }
    solo->now_ms = at_ms;
    bgp_session_tick(solo->session, solo->now_ms);
}
