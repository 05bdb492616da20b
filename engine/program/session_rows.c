/* See document.h: the rows of one BGP session. */
#include <stdio.h>

#include "engine/program/document.h"
#include "engine/program/policy_text.h"

#define WEIGHT_LEARNED 32768 /* what the vendor's tables show */
#define AS_PATH_BYTES  512

/* One session, at the end that is asked. */
struct asking {
    bool all;
    const struct speaker *speaker;
    const struct speaker_peer *peer;
    json_t *rows;
};

static json_t *communities_json(const struct bgp_attributes *attributes)
{
    static const enum bgp_community_kind kinds[] = {BGP_COMMUNITY, BGP_EXTENDED_COMMUNITY,
                                                    BGP_LARGE_COMMUNITY};
    json_t *list = json_array();
    for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (unsigned i = 0; i < bgp_community_count(attributes, kinds[k]); i++) {
            struct bgp_community community = bgp_community_at(attributes, kinds[k], i);
            char text[BGP_COMMUNITY_TEXT];
            json_array_append_new(list, json_string(bgp_community_format(&community, text)));
        }
    return list;
}

/* What few routes have: left out where it is not there. */
static void add_attributes(json_t *row, const struct bgp_attributes *attributes, uint32_t path_id)
{
    uint32_t only_to_customer = bgp_attributes_otc(attributes);
    if (only_to_customer)
        json_object_set_new(row, "onlyToCustomer", json_integer(only_to_customer));
    if (path_id)
        json_object_set_new(row, "pathId", json_integer(path_id));
}

static json_t *row_json(const struct lpm_prefix *prefix, const struct lpm_address *next_hop,
                        const struct bgp_attributes *attributes)
{
    char network[LPM_PREFIX_TEXT], address[LPM_ADDRESS_TEXT], path[AS_PATH_BYTES];
    bgp_as_path_format(attributes, '-', path, sizeof(path));
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I}", "network",
                     lpm_prefix_format(prefix, network), "nextHop",
                     lpm_address_format(next_hop, address), "asPath", path, "communities",
                     communities_json(attributes), "med", (json_int_t)attributes->med,
                     "localPreference", (json_int_t)attributes->local_pref);
}

static void add_ends(json_t *row, const struct speaker_peer *peer)
{
    const struct speaker_peer_config *config = speaker_peer_config(peer);
    char address[LPM_ADDRESS_TEXT];
    json_object_set_new(row, "localAddress",
                        json_string(lpm_address_format(&config->local_address, address)));
    json_object_set_new(row, "sourcePeer",
                        json_string(lpm_address_format(&config->peer_address, address)));
}

/* Who is told: a gateway has several sessions with one instance. */
static void add_receiver(json_t *row, const struct speaker_peer *peer)
{
    const struct speaker_peer_config *config = speaker_peer_config(peer);
    char address[LPM_ADDRESS_TEXT];
    json_object_set_new(row, "localAddress",
                        json_string(lpm_address_format(&config->local_address, address)));
    json_object_set_new(row, "peerAddress",
                        json_string(lpm_address_format(&config->peer_address, address)));
}

/* The verdict in one text: the policy's, where that is what it comes from, with its place. */
static void add_verdict(json_t *row, const char *verdict, bool by_policy,
                        const struct rib_policy_verdict *policy)
{
    char place[PROGRAM_POLICY_TEXT], text[PROGRAM_POLICY_TEXT + 64];
    program_policy_text(policy, place);
    snprintf(text, sizeof(text), "%s%s%s", verdict, by_policy && place[0] ? " " : "",
             by_policy ? place : "");
    json_object_set_new(row, "verdict", json_string(text));
    json_object_set_new(row, "policy", program_policy_json(policy));
}

static int take_learned(void *context, const struct lpm_prefix *prefix, const struct rib_path *path,
                        enum rib_verdict verdict)
{
    struct asking *asking = context;
    if (rib_verdict_filtered(verdict) && !asking->all)
        return 0;
    json_t *row = row_json(prefix, &path->next_hop, path->attributes);
    add_ends(row, path->peer);
    add_attributes(row, path->attributes, path->path_id);
    json_object_set_new(
        row, "origin",
        json_string(bgp_session_internal(speaker_peer_session(path->peer)) ? "IBgp" : "EBgp"));
    uint32_t weight = bgp_attributes_weight(path->attributes);
    json_object_set_new(row, "weight", json_integer(weight ? weight : WEIGHT_LEARNED));
    struct rib_policy_verdict policy;
    speaker_explain_import(prefix, path, &policy);
    add_verdict(row, rib_verdict_text(verdict),
                verdict == RIB_FILTERED_POLICY || verdict == RIB_FILTERED_SUMMARISED, &policy);
    return json_array_append_new(asking->rows, row);
}

/* The last path that the policy was asked about. */
struct export_answer {
    const struct rib_path *path;
    struct rib_path shown;
    struct rib_policy_verdict verdict;
};

static int take_answer(void *context, const struct rib_path *path,
                       const struct rib_policy_verdict *verdict)
{
    struct export_answer *answer = context;
    /* Of the paths that are all refused, the best one is shown. */
    if (answer->path && !verdict->accepted)
        return 0;
    answer->shown = *path;
    answer->path = &answer->shown;
    answer->verdict = *verdict;
    return 0;
}

static int take_advertised(void *context, const struct lpm_prefix *prefix,
                           const struct bgp_attributes *attributes,
                           const struct lpm_address *next_hop, uint32_t path_id)
{
    struct asking *asking = context;
    json_t *row = row_json(prefix, next_hop, attributes);
    add_receiver(row, asking->peer);
    add_attributes(row, attributes, path_id);
    json_object_set_new(row, "origin", json_string(bgp_origin_text(attributes->origin)));
    json_object_set_new(row, "weight", json_integer(0));
    struct export_answer answer = {.verdict = {.accepted = true}};
    speaker_explain_export(asking->speaker, asking->peer, prefix, take_answer, &answer);
    char place[PROGRAM_POLICY_TEXT];
    json_object_set_new(row, "verdict", json_string(program_policy_text(&answer.verdict, place)));
    json_object_set_new(row, "policy", program_policy_json(&answer.verdict));
    return json_array_append_new(asking->rows, row);
}

/* What policy keeps from the neighbour: as it would be without it, and why not. */
static int take_withheld(void *context, const struct lpm_prefix *prefix)
{
    struct asking *asking = context;
    struct export_answer answer = {.path = NULL};
    speaker_explain_export(asking->speaker, asking->peer, prefix, take_answer, &answer);
    if (!answer.path)
        return 0;
    json_t *row = row_json(prefix, &answer.shown.next_hop, answer.shown.attributes);
    add_receiver(row, asking->peer);
    add_attributes(row, answer.shown.attributes, 0);
    json_object_set_new(row, "origin",
                        json_string(bgp_origin_text(answer.shown.attributes->origin)));
    json_object_set_new(row, "weight", json_integer(0));
    add_verdict(
        row,
        rib_verdict_text(answer.verdict.summarised ? RIB_FILTERED_SUMMARISED : RIB_FILTERED_POLICY),
        true, &answer.verdict);
    return json_array_append_new(asking->rows, row);
}

void program_session_rows(const struct program_question *question, const struct speaker *speaker,
                          const struct speaker_peer *peer, json_t *rows)
{
    struct asking asking = {question->all, speaker, peer, rows};
    if (!question->advertised) {
        speaker_each_learned(speaker, peer, take_learned, &asking);
        return;
    }
    speaker_each_advertised(speaker, peer, take_advertised, &asking);
    if (question->all)
        speaker_each_withheld(speaker, peer, take_withheld, &asking);
}

void program_session_rows_at(const struct program_question *question, const struct speaker *speaker,
                             const struct speaker_peer *peer, const struct lpm_prefix *prefix,
                             json_t *rows)
{
    struct asking asking = {question->all, speaker, peer, rows};
    if (question->advertised)
        speaker_advertised_at(speaker, peer, prefix, take_advertised, &asking);
    else
        speaker_learned_at(speaker, peer, prefix, take_learned, &asking);
}
