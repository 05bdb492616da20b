#include "tests/sim/rows.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

const char *rows_source(struct fixture *fixture, const char *nic, const char *prefix)
{
    static const char *const sources[] = {[FABRIC_SOURCE_DEFAULT] = "sys",
                                          [FABRIC_SOURCE_USER] = "user",
                                          [FABRIC_SOURCE_BGP] = "bgp"};
    uint32_t index = fabric_find_nic(fixture->fabric, nic);
    cr_assert_neq(index, FABRIC_NONE, "no NIC %s", nic);
    struct fabric_scope scope = fabric_scope_of(fixture->fabric, index);
    struct fabric_row rows[3];
    struct lpm_prefix parsed;
    cr_assert_eq(lpm_prefix_parse(prefix, &parsed), 0);
    unsigned n = fabric_rows_at(fixture->fabric, controller_bgp(sim_controller(fixture->sim)),
                                &scope, &parsed, rows);
    return n > 0 && rows[0].active ? sources[rows[0].source] : "-";
}

struct looking {
    const struct speaker *speaker;
    struct lpm_prefix prefix;
    bool internal_only;
    size_t count; /* accepted paths to prefix */
    char *text;
};

static int take_route(void *context, const struct lpm_prefix *prefix, const struct rib_path *path,
                      enum rib_verdict verdict)
{
    struct looking *looking = context;
    char as_path[200];
    if (!lpm_prefix_equal(prefix, &looking->prefix) || rib_verdict_filtered(verdict))
        return 0;
    looking->count++;
    bgp_as_path_format(path->attributes, '-', as_path, sizeof(as_path));
    if (as_path[0] == '\0')
        strcpy(as_path, "own");
    /* Both instances say the same. */
    if (strstr(looking->text, as_path) == NULL)
        sprintf(looking->text + strlen(looking->text), "%s%s", looking->text[0] ? " " : "",
                as_path);
    return 0;
}

static int take_peer(void *context, struct speaker_peer *peer)
{
    struct looking *looking = context;
    if (looking->internal_only && !bgp_session_internal(speaker_peer_session(peer)))
        return 0;
    return speaker_each_learned(looking->speaker, peer, take_route, looking);
}

void rows_learned_from(const struct speaker *speaker, const struct speaker_peer *peer,
                       const char *prefix, char *text)
{
    struct looking looking = {.speaker = speaker, .text = text};
    cr_assert_eq(lpm_prefix_parse(prefix, &looking.prefix), 0);
    text[0] = '\0';
    speaker_each_learned(speaker, peer, take_route, &looking);
    if (text[0] == '\0')
        strcpy(text, "-");
}

static char *look(struct looking *looking, const char *prefix)
{
    cr_assert_eq(lpm_prefix_parse(prefix, &looking->prefix), 0);
    looking->text[0] = '\0';
    cr_assert_eq(speaker_each_peer(looking->speaker, take_peer, looking), 0);
    return looking->text[0] ? looking->text : strcpy(looking->text, "-");
}

size_t rows_learned_paths(struct fixture *fixture, const char *router, const char *prefix,
                          char *text)
{
    struct looking looking = {
        .speaker = sim_router_speaker(fixture->sim, fixture_router(fixture, router)),
        .text = text,
    };
    cr_assert_not_null(looking.speaker, "%s has no session", router);
    look(&looking, prefix);
    return looking.count;
}

char *rows_learned(struct fixture *fixture, const char *router, const char *prefix, char *text)
{
    rows_learned_paths(fixture, router, prefix, text);
    return text;
}

void rows_expect_learned(struct fixture *fixture, const char *router, const char *prefix,
                         const char *want)
{
    char text[ROWS_TEXT];
    cr_expect_str_eq(rows_learned(fixture, router, prefix, text), want, "%s at %s: %s, not %s",
                     router, prefix, text, want);
}

char *rows_learned_by_gateway(struct fixture *fixture, const char *gateway, const char *prefix,
                              char *text)
{
    uint32_t index = fabric_find_gateway(fixture->fabric, gateway);
    cr_assert_neq(index, FABRIC_NONE, "no gateway %s", gateway);
    struct looking looking = {
        .speaker = controller_gateway_speaker(sim_controller(fixture->sim), index),
        .internal_only = true,
        .text = text,
    };
    return look(&looking, prefix);
}

static int count_peer(void *context, struct speaker_peer *peer)
{
    struct looking *looking = context;
    struct speaker_peer_counters counters;
    speaker_peer_counters(peer, &counters);
    looking->count = counters.held > looking->count ? counters.held : looking->count;
    return 0;
}

size_t rows_learned_count(struct fixture *fixture, const char *router)
{
    struct looking looking = {
        .speaker = sim_router_speaker(fixture->sim, fixture_router(fixture, router))};
    speaker_each_peer(looking.speaker, count_peer, &looking);
    return looking.count;
}
