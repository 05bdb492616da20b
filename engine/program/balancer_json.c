#include "engine/program/balancer_json.h"

json_t *program_balancer_json(const struct program *program, const struct fabric *fabric,
                              uint32_t balancer)
{
    const struct fabric_load_balancer *model = &fabric->load_balancers[balancer];
    char frontend[LPM_ADDRESS_TEXT];
    json_t *backends = json_array();
    for (uint32_t i = 0; i < model->backend_count; i++)
        json_array_append_new(
            backends, json_pack("{s:s, s:s}", "nic", fabric->nics[model->backends[i]].name, "state",
                                program_backend_is_up(program, balancer, i) ? "up" : "down"));
    return json_pack("{s:s, s:s, s:o}", "name", model->name, "frontend",
                     lpm_address_format(&model->frontend, frontend), "backends", backends);
}
