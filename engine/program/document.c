/* See document.h. */
#include "engine/program/document.h"

const char *program_row_state(const struct fabric_row *row)
{
    return row->active ? "Active" : "Invalid";
}

json_t *program_row_json(const struct fabric_row *row)
{
    char prefix[LPM_PREFIX_TEXT], address[LPM_ADDRESS_TEXT];
    json_t *hops = json_array();
    for (unsigned i = 0; i < row->next_hop_count; i++)
        json_array_append_new(hops, json_string(lpm_address_format(&row->next_hops[i], address)));
    json_t *weights = json_array();
    for (unsigned i = 0; i < row->next_hop_count && row->weights[0] > 0; i++)
        json_array_append_new(weights, json_integer(row->weights[i]));
    json_t *object =
        json_pack("{s:s, s:s, s:[s], s:s, s:o}", "source", fabric_source_text(row->source), "state",
                  program_row_state(row), "addressPrefix", lpm_prefix_format(&row->prefix, prefix),
                  "nextHopType", fabric_next_hop_type_text(row->type), "nextHopIpAddress", hops);
    if (json_array_size(weights) > 0)
        json_object_set(object, "nextHopWeight", weights);
    json_decref(weights);
    return object;
}

json_t *program_rows_json(const char *nic, const struct fabric_row *rows, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, program_row_json(&rows[i]));
    return json_pack("{s:s, s:o}", "nic", nic, "value", list);
}
