#include "tests/sim/ways.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define PORT 20000
#define TTL  64

void ways_assert_rows(struct fixture *fixture, const struct ways_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[256];
        cr_expect_str_eq(fixture_next_hops(fixture, rows[i].nic, rows[i].prefix, text),
                         rows[i].next_hops, "%s at %s: %s, not %s", rows[i].nic, rows[i].prefix,
                         text, rows[i].next_hops);
    }
}

static int tell_hop(const struct fabric *fabric, const struct path_hop *hop, char *text,
                    size_t room)
{
    char prefix[LPM_PREFIX_TEXT] = "-";
    if (hop->row)
        lpm_prefix_format(&hop->row->prefix, prefix);
    else if (hop->prefix.family)
        lpm_prefix_format(&hop->prefix, prefix);
    return snprintf(text, room, "%s%s%s %s", hop->depth ? "(" : "",
                    place_object(fabric, hop->place), hop->depth ? ")" : "",
                    hop->tunnel == FABRIC_NONE ? prefix : fabric->tunnels[hop->tunnel].name);
}

const char *ways_told(const struct fabric *fabric, const struct path *path, char text[WAYS_TEXT])
{
    size_t n = 0;
    for (unsigned i = 0; i < path->hop_count && n < WAYS_TEXT / 2; i++) {
        n += (size_t)tell_hop(fabric, &path->hops[i], text + n, WAYS_TEXT - n);
        n += (size_t)snprintf(text + n, WAYS_TEXT - n, " > ");
    }
    if (path->verdict == PATH_DELIVERED)
        snprintf(text + n, WAYS_TEXT - n, "%s %u", place_object(fabric, path->end), path->ttl);
    else
        snprintf(text + n, WAYS_TEXT - n, "%s%s%s",
                 path->reason ? path->reason : path_verdict_text(path->verdict),
                 path->end == FABRIC_NONE ? "" : " at ",
                 path->end == FABRIC_NONE ? "" : place_object(fabric, path->end));
    return text;
}

/* The place's address, or the text is one itself. */
static struct lpm_address address_of(const struct fabric *fabric, const char *text)
{
    struct lpm_address address;
    const uint32_t place = place_find(fabric, text);
    if (place != FABRIC_NONE)
        return place_address(fabric, place, LPM_IPV4);
    cr_assert_eq(lpm_address_parse(text, &address), 0, "'%s'", text);
    return address;
}

static struct path_finder *finder_of(struct fixture *fixture)
{
    struct path_finder *finder =
        path_finder_create(fixture->fabric, fixture->sim, fixture->forwarding);
    cr_assert_not_null(finder);
    return finder;
}

static struct path_flow flow_of(struct fixture *fixture, const char *from, const char *to,
                                uint16_t port, uint8_t ttl)
{
    return (struct path_flow){.source = address_of(fixture->fabric, from),
                              .destination = address_of(fixture->fabric, to),
                              .protocol = IPPROTO_TCP,
                              .source_port = port,
                              .destination_port = 443,
                              .ttl = ttl};
}

void ways_walk(struct fixture *fixture, const char *from, const char *to, uint16_t port,
               uint8_t ttl, struct path_sessions *sessions, struct path *path)
{
    const struct path_flow flow = flow_of(fixture, from, to, port, ttl);
    struct path_finder *finder = finder_of(fixture);
    cr_assert_eq(path_walk(finder, place_find(fixture->fabric, from), &flow, NULL, sessions, path),
                 0);
    for (unsigned i = 0; i < path->hop_count; i++)
        path->hops[i].row = NULL; /* the finder's */
    path_finder_free(finder);
}

static void expect_way(struct fixture *fixture, struct path_finder *finder,
                       const struct ways_way *way)
{
    char text[WAYS_TEXT];
    struct path path;
    struct path_sessions sessions;
    struct path_flow flow = flow_of(fixture, way->from, way->to, PORT, TTL);
    cr_assert_eq(
        path_walk(finder, place_find(fixture->fabric, way->from), &flow, NULL, &sessions, &path),
        0);
    ways_told(fixture->fabric, &path, text);
    cr_expect_str_eq(text, way->out, "%s to %s: %s, not %s", way->from, way->to, text, way->out);
    if (!way->back || path.verdict != PATH_DELIVERED)
        return;
    flow = (struct path_flow){.source = sessions.destination,
                              .destination = sessions.source,
                              .protocol = IPPROTO_TCP,
                              .source_port = 443,
                              .destination_port = PORT,
                              .ttl = TTL};
    cr_assert_eq(path_walk(finder, path.end, &flow, &sessions, NULL, &path), 0);
    ways_told(fixture->fabric, &path, text);
    cr_expect_str_eq(text, way->back, "back from %s to %s: %s, not %s", way->to, way->from, text,
                     way->back);
}

void ways_assert(struct fixture *fixture, const struct ways_way *ways, size_t n)
{
    struct path_finder *finder = finder_of(fixture);
    for (size_t i = 0; i < n; i++)
        expect_way(fixture, finder, &ways[i]);
    path_finder_free(finder);
}
