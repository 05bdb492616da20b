/*
 * Ports that go down: whoever is behind one leaves every group, and is back with the link.
 */
#include <errno.h>

#include "engine/fabric/placement.h"
#include "engine/program/internal.h"

struct behind {
    const struct program *program;
    struct fabric_placement placement;
    uint32_t port;
};

/* The port by which this process reaches the NIC. */
static bool is_behind(const struct behind *behind, uint32_t nic)
{
    const struct fabric *fabric = behind->program->fabric;
    uint32_t attached = fabric_nic_attached(fabric, nic);
    uint32_t port = fabric_placement_has_nic(&behind->placement, attached)
                        ? fabric->nics[attached].port
                        : fabric_placement_way(&behind->placement, attached);
    return port == behind->port;
}

static bool is_cut_off(const void *context, uint32_t id)
{
    const struct behind *behind = context;
    uint32_t nic = id ? program_nic_of(behind->program, id) : FABRIC_NONE;
    return nic != FABRIC_NONE && is_behind(behind, nic);
}

static int note_nics(struct program *program, const struct behind *behind, bool up)
{
    int error = 0;
    for (uint32_t i = 0; i < program->fabric->nics_count && !error; i++)
        if (is_behind(behind, i))
            error = program_said_cut(program->said, program_nic_id(program, i), !up);
    return error;
}

int program_port_state(struct program *program, uint32_t port, bool up)
{
    struct behind behind = {.program = program, .port = port};
    if (port >= program->fabric->ports_count)
        return -EINVAL;
    int error = fabric_placement_open(&behind.placement, program->fabric);
    if (error)
        return error;
    int of_groups = 0, of_balancers = 0;
    error = note_nics(program, &behind, up);
    if (!error)
        of_groups = program_groups_cut(program->groups, is_cut_off, &behind);
    if (!error && of_groups >= 0)
        of_balancers = program_balancers_cut(program->balancers, is_cut_off, &behind);
    fabric_placement_close(&behind.placement);
    if (error || of_groups < 0)
        return error ? error : of_groups;
    return of_balancers < 0 ? of_balancers : of_groups + of_balancers;
}
