/* See support.h. */
#include "tests/bgp/support.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Random ---------------------------------------------------------------------------------- */

struct dice dice_new(const char *test)
{
    const char *text = getenv("BGP_TEST_SEED");
    struct dice dice = {text != NULL ? strtoull(text, NULL, 0) : UINT64_C(0x5eed0b9)};
    fprintf(stderr, "%s: BGP_TEST_SEED=%" PRIu64 "\n", test, dice.state);
    return dice;
}

uint64_t dice_roll(struct dice *dice)
{
    uint64_t value = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

unsigned dice_below(struct dice *dice, unsigned n)
{
    return (unsigned)(dice_roll(dice) % n);
}

/* --- Bytes --------------------------------------------------------------------------------------- */

size_t bytes_from_hex(const char *hex, uint8_t *bytes, size_t capacity)
{
    size_t n = 0;
    for (; *hex != '\0'; hex++) {
        unsigned value;
        if (*hex == ' ') {
            continue;
        }
        int read = sscanf(hex, "%2x", &value);
        assert(read == 1 && n < capacity);
        (void)read;
        bytes[n++] = (uint8_t)value;
        hex++;
    }
    return n;
}

size_t message_around(uint8_t type, const uint8_t *body, size_t n, uint8_t *bytes)
{
    memset(bytes, 0xff, 16);
    bytes[16] = (uint8_t)((n + BGP_HEADER_SIZE) >> 8);
    bytes[17] = (uint8_t)(n + BGP_HEADER_SIZE);
    bytes[18] = type;
    if (n > 0) {
        memcpy(bytes + BGP_HEADER_SIZE, body, n);
    }
    return n + BGP_HEADER_SIZE;
}

struct lpm_prefix prefix_of(const char *text)
{
    struct lpm_prefix prefix;
    int error = lpm_prefix_parse(text, &prefix);
    assert(error == 0);
    (void)error;
    return prefix;
}

struct lpm_address address_of(const char *text)
{
    struct lpm_address address;
    int error = lpm_address_parse(text, &address);
    assert(error == 0);
    (void)error;
    return address;
}

struct lpm_prefix random_prefix(struct dice *dice, enum bgp_family family)
{
    struct lpm_prefix prefix = {.family = bgp_family_info(family)->lpm_family};
    unsigned bits = bgp_family_info(family)->length_max;
    for (unsigned i = 0; i < bits / 8; i++) {
        prefix.bytes[i] = (uint8_t)dice_roll(dice);
    }
    prefix.length = (uint8_t)dice_below(dice, bits + 1);
    lpm_prefix_mask(&prefix);
    return prefix;
}

static uint32_t random_as(struct dice *dice, bool four_octet)
{
    uint32_t asn =
        four_octet && dice_below(dice, 2) ? (uint32_t)dice_roll(dice) : dice_below(dice, 65535) + 1;
    return asn == 0 || asn == BGP_AS_TRANS ? 1 : asn;
}

static void random_communities(struct dice *dice, struct bgp_attribute_builder *builder)
{
    unsigned n = dice_below(dice, 3) ? dice_below(dice, 6) : dice_below(dice, 90);
    for (unsigned i = 0; i < n; i++) {
        struct bgp_community community = {.kind = (enum bgp_community_kind)dice_below(dice, 3)};
        uint64_t value = dice_roll(dice);
        if (community.kind == BGP_LARGE_COMMUNITY) {
            community.large[0] = (uint32_t)value;
            community.large[1] = (uint32_t)(value >> 32);
            community.large[2] = dice_below(dice, 3);
        } else if (community.kind == BGP_EXTENDED_COMMUNITY) {
            community.extended = value;
        } else {
            community.standard = (uint32_t)value;
        }
        bgp_builder_add_community(builder, &community);
    }
}

void random_set(struct dice *dice, struct bgp_attribute_builder *builder, bool internal,
                bool four_octet, enum bgp_family family)
{
    uint32_t path[600];
    size_t n = dice_below(dice, 8) ? dice_below(dice, 7) : dice_below(dice, 600);
    for (size_t i = 0; i < n; i++) {
        path[i] = random_as(dice, four_octet);
    }
    struct lpm_address next_hop = {.family = bgp_family_info(family)->lpm_family};
    next_hop.bytes[0] = 32; /* unicast in both families */
    next_hop.bytes[3] = (uint8_t)dice_roll(dice);
    bgp_builder_originate(builder, (enum bgp_origin)dice_below(dice, 3));
    bgp_builder_set_as_path(builder, path, n);
    bgp_builder_set_next_hop(builder, &next_hop);
    if (internal && dice_below(dice, 2)) {
        bgp_builder_set_local_pref(builder, (uint32_t)dice_roll(dice));
    }
    if (dice_below(dice, 2)) {
        bgp_builder_set_med(builder, (uint32_t)dice_roll(dice));
    }
    random_communities(dice, builder);
}

/* --- A session alone --------------------------------------------------------------------------------- */

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
        .fill_updates = solo_fill,
        .connect = solo_connect,
        .close = solo_close_wanted,
        .output_ready = solo_output_ready,
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

/* --- Two sessions -------------------------------------------------------------------------------------- */

struct lpm_prefix pair_route(unsigned i)
{
    struct lpm_prefix prefix = prefix_of(i % 2 == 0 ? "10.0.0.0/24" : "2001:db8::/48");
    prefix.bytes[i % 2 == 0 ? 2 : 5] = (uint8_t)i;
    return prefix;
}

static void pair_state_changed(void *context, enum bgp_state state, const char *reason)
{
    struct pair_end *end = context;
    (void)reason;
    memset(end->received, 0, sizeof end->received);
    end->to_send = PAIR_ROUTES;
    end->end_sent = false;
    if (state == BGP_ESTABLISHED) {
        end->established++;
        end->end_of_ribs = 0;
        bgp_session_updates_pending(end->session);
    }
}

static void pair_routes(void *context, const struct bgp_routes *routes)
{
    struct pair_end *end = context;
    struct bgp_nlri announced = routes->announced;
    struct lpm_prefix prefix;
    while (bgp_nlri_next(&announced, &prefix)) {
        for (unsigned i = 0; i < PAIR_ROUTES; i++) {
            struct lpm_prefix route = pair_route(i);
            end->received[i] |= lpm_prefix_equal(&route, &prefix);
        }
    }
}

static void pair_end_of_rib(void *context, enum bgp_family family)
{
    (void)family;
    ((struct pair_end *)context)->end_of_ribs++;
}

static size_t pair_fill_routes(struct pair_end *end, const struct bgp_encoding *encoding,
                               uint8_t *bytes, size_t capacity)
{
    struct bgp_update_writer writer;
    struct lpm_prefix route = pair_route(end->to_send - 1);
    enum bgp_family family = bgp_family_of(&route);
    struct bgp_export export = {.prepend_asn = bgp_session_config(end->session)->local_asn,
                                .prepend_count = 1};
    const struct bgp_attributes *set = family == BGP_IPV4_UNICAST ? end->set4 : end->set6;
    if (!bgp_update_begin(&writer, encoding, family, set, &export, bytes, capacity)) {
        return 0;
    }
    bool added = bgp_update_add(&writer, &route);
    assert(added);
    (void)added;
    end->to_send--;
    return bgp_update_end(&writer);
}

static size_t pair_fill(void *context, uint8_t *bytes, size_t capacity)
{
    struct pair_end *end = context;
    const struct bgp_encoding *encoding = bgp_session_encoding(end->session);
    size_t n = 0;
    while (end->to_send > 0) {
        size_t got = pair_fill_routes(end, encoding, bytes + n, capacity - n);
        if (got == 0) {
            return n;
        }
        n += got;
    }
    if (!end->end_sent && capacity - n >= 64) {
        n += bgp_end_of_rib_encode(BGP_IPV4_UNICAST, bytes + n, capacity - n);
        n += bgp_end_of_rib_encode(BGP_IPV6_UNICAST, bytes + n, capacity - n);
        end->end_sent = true;
    }
    return n;
}

static void tcp_clear(struct pair_tcp *tcp)
{
    free(tcp->pipes[0].bytes);
    free(tcp->pipes[1].bytes);
    memset(tcp, 0, sizeof *tcp);
}

static void pair_connect(void *context)
{
    struct pair_end *end = context;
    struct pair_tcp *tcp = &end->pair->tcps[end->index];
    tcp_clear(tcp);
    tcp->state = TCP_OPENING;
}

static unsigned tcp_index(const struct pair_end *end, enum bgp_direction direction)
{
    return direction == BGP_OUTGOING ? end->index : 1 - end->index;
}

static void pair_close_wanted(void *context, enum bgp_direction direction)
{
    struct pair_end *end = context;
    struct pair_tcp *tcp = &end->pair->tcps[tcp_index(end, direction)];
    if (tcp->state == TCP_OPENING) {
        tcp_clear(tcp);
    } else {
        tcp->closing[end->index] = true;
    }
}

static void pair_nothing(void *context, enum bgp_direction direction)
{
    (void)context;
    (void)direction;
}

static const struct bgp_attributes *pair_set(struct pair_end *end, const char *next_hop)
{
    struct bgp_attribute_builder *builder = bgp_builder_create();
    struct lpm_address address = address_of(next_hop);
    const struct bgp_attributes *set = NULL;
    bgp_builder_originate(builder, BGP_ORIGIN_IGP);
    bgp_builder_set_next_hop(builder, &address);
    int error = bgp_builder_intern(builder, end->table, &set);
    assert(error == 0);
    (void)error;
    bgp_builder_destroy(builder);
    return set;
}

void pair_open(struct pair *pair, struct dice *dice, const struct bgp_session_config configs[2])
{
    memset(pair, 0, sizeof *pair);
    pair->dice = dice;
    pair->chunk_max = 64;
    for (unsigned i = 0; i < 2; i++) {
        struct pair_end *end = &pair->ends[i];
        struct bgp_session_handler handler = {
            .context = end,
            .state_changed = pair_state_changed,
            .routes = pair_routes,
            .end_of_rib = pair_end_of_rib,
            .fill_updates = pair_fill,
            .connect = pair_connect,
            .close = pair_close_wanted,
            .output_ready = pair_nothing,
        };
        struct bgp_session_config config = configs[i];
        end->pair = pair;
        end->index = i;
        config.attributes = end->table = bgp_attribute_table_create();
        end->set4 = pair_set(end, "192.0.2.1");
        end->set6 = pair_set(end, "2001:db8::1");
        int error = bgp_session_create(&config, &handler, &end->session);
        assert(error == 0);
        (void)error;
    }
}

void pair_close(struct pair *pair)
{
    for (unsigned i = 0; i < 2; i++) {
        struct pair_end *end = &pair->ends[i];
        bgp_session_destroy(end->session);
        bgp_attributes_release(end->table, end->set4);
        bgp_attributes_release(end->table, end->set6);
        assert(bgp_attribute_table_count(end->table) == 0);
        bgp_attribute_table_destroy(end->table);
        tcp_clear(&pair->tcps[i]);
    }
}

static enum bgp_direction direction_of(unsigned tcp, unsigned end)
{
    return tcp == end ? BGP_OUTGOING : BGP_INCOMING;
}

/* End end sends what it has; returns whether there was something. */
static bool tcp_send(struct pair *pair, unsigned tcp, unsigned end)
{
    struct pair_pipe *pipe = &pair->tcps[tcp].pipes[1 - end];
    uint8_t bytes[4096];
    if (pair->tcps[tcp].state != TCP_UP || pipe->finished) {
        return false;
    }
    size_t n = bgp_session_output(pair->ends[end].session, direction_of(tcp, end), bytes,
                                  1 + dice_below(pair->dice, sizeof bytes), pair->now_ms);
    if (n == 0) {
        pipe->finished = pair->tcps[tcp].closing[end];
        return pipe->finished;
    }
    if (pipe->size + n > pipe->capacity) {
        pipe->capacity = 2 * (pipe->size + n);
        pipe->bytes = realloc(pipe->bytes, pipe->capacity);
    }
    memcpy(pipe->bytes + pipe->size, bytes, n);
    pipe->size += n;
    return true;
}

/* End end receives a piece, or the end of the stream. */
static bool tcp_receive(struct pair *pair, unsigned tcp, unsigned end)
{
    struct pair_pipe *pipe = &pair->tcps[tcp].pipes[end];
    struct bgp_session *session = pair->ends[end].session;
    if (pair->tcps[tcp].state != TCP_UP) {
        return false;
    }
    if (pipe->size == 0) {
        if (!pipe->finished) {
            return false;
        }
        tcp_clear(&pair->tcps[tcp]);
        bgp_session_closed(session, direction_of(tcp, end), NULL, pair->now_ms);
        bgp_session_closed(pair->ends[1 - end].session, direction_of(tcp, 1 - end), NULL,
                           pair->now_ms);
        return true;
    }
    size_t n = 1 + dice_below(pair->dice, pair->chunk_max);
    n = n < pipe->size ? n : pipe->size;
    /* A copy of its own, so that a read beyond its end is seen by the sanitizer. */
    uint8_t *chunk = malloc(n);
    memcpy(chunk, pipe->bytes, n);
    memmove(pipe->bytes, pipe->bytes + n, pipe->size - n);
    pipe->size -= n;
    bgp_session_input(session, direction_of(tcp, end), chunk, n, pair->now_ms);
    free(chunk);
    return true;
}

static bool tcp_open(struct pair *pair, unsigned tcp, unsigned end)
{
    if (pair->tcps[tcp].state != TCP_OPENING) {
        return false;
    }
    pair->tcps[tcp].state = TCP_UP;
    bgp_session_connected(pair->ends[end].session, direction_of(tcp, end), pair->now_ms);
    bgp_session_connected(pair->ends[1 - end].session, direction_of(tcp, 1 - end), pair->now_ms);
    return true;
}

void pair_step(struct pair *pair)
{
    static bool (*const actions[])(struct pair *, unsigned, unsigned) = {tcp_send, tcp_receive,
                                                                         tcp_open};
    unsigned first = dice_below(pair->dice, 12);
    for (unsigned i = 0; i < 12; i++) {
        unsigned choice = (first + i * 5) % 12;
        if (actions[choice % 3](pair, choice / 3 % 2, choice / 6)) {
            return;
        }
    }
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t deadline = bgp_session_deadline(pair->ends[i].session);
        next = deadline < next ? deadline : next;
    }
    pair->now_ms = next > pair->now_ms ? next : pair->now_ms + 1;
    for (unsigned i = 0; i < 2; i++) {
        bgp_session_tick(pair->ends[i].session, pair->now_ms);
    }
}

static bool exchanged(const struct pair_end *end)
{
    for (unsigned i = 0; i < PAIR_ROUTES; i++) {
        if (!end->received[i]) {
            return false;
        }
    }
    return bgp_session_state(end->session) == BGP_ESTABLISHED && end->end_of_ribs == 2;
}

bool pair_converge(struct pair *pair, uint64_t until_ms)
{
    while (pair->now_ms <= until_ms) {
        if (exchanged(&pair->ends[0]) && exchanged(&pair->ends[1])) {
            return true;
        }
        pair_step(pair);
    }
    return false;
}
