/* See lab.h. */
#include "tests/program/lab.h"

#include <criterion/criterion.h>
#include <string.h>

#include "lpm/rcu.h"

void lab_open(struct lab *lab, struct world *world, uint32_t groups)
{
    char error[DP_ERROR_TEXT];
    struct dp_forwarding_config config = program_forwarding_config(&world->fabric, 1);
    if (groups > 0)
        config.group_capacity = groups;
    lab->world = world;
    lab->lpm = lpm_create();
    cr_assert_not_null(lab->lpm);
    lab->forwarding = dp_forwarding_create(&config, lab->lpm);
    cr_assert_not_null(lab->forwarding);
    lab->program = program_create(&world->fabric, &world->bgp, lab->forwarding, false, error);
    cr_assert_not_null(lab->program, "%s", error);
    cr_assert(program_validate(lab->program, error), "%s", error);
}

void lab_close(struct lab *lab)
{
    program_destroy(lab->program);
    dp_forwarding_destroy(lab->forwarding);
    lpm_destroy(lab->lpm);
}

int lab_flush(struct lab *lab)
{
    char error[DP_ERROR_TEXT];
    int changed = 0;
    do {
        int more = program_flush(lab->program);
        cr_assert_geq(more, 0, "flush: %s", strerror(-more));
        lpm_rcu_poll();
        changed += more;
    } while (program_flush_due(lab->program));
    cr_assert(program_validate(lab->program, error), "%s", error);
    return changed;
}

static void tell(struct lab *lab, uint32_t server, const char *prefix)
{
    struct lpm_prefix changed = world_prefix(prefix);
    cr_assert_eq(program_prefix_changed(lab->program, server, &changed), 0);
}

void lab_announce(struct lab *lab, uint32_t server, const char *neighbor, const char *prefix)
{
    world_announce(lab->world, server, neighbor, prefix);
    tell(lab, server, prefix);
}

void lab_withdraw(struct lab *lab, uint32_t server, const char *neighbor, const char *prefix)
{
    world_withdraw(lab->world, server, neighbor, prefix);
    tell(lab, server, prefix);
}

struct program_size lab_size(const struct lab *lab)
{
    struct program_size size;
    program_size(lab->program, &size);
    return size;
}

struct dp_packet lab_packet(const struct lpm_address *source, const struct lpm_address *destination,
                            uint16_t port)
{
    struct dp_packet packet = {
        .family = source->family,
        .protocol = 6,
        .ttl = 64,
        .has_ports = true,
        .source_port = port,
        .destination_port = 443,
        .header_length = source->family == LPM_IPV4 ? 20 : 40,
        .total_length = 100,
    };
    memcpy(packet.source, source->bytes, sizeof(packet.source));
    memcpy(packet.destination, destination->bytes, sizeof(packet.destination));
    return packet;
}

struct dp_verdict lab_send(const struct lab *lab, uint32_t nic, const char *source,
                           const char *destination, uint16_t port)
{
    struct lpm_address from = world_address(source), to = world_address(destination);
    struct dp_packet packet = lab_packet(&from, &to, port);
    struct dp_decide_options options = {.skip_source_check = true};
    struct dp_verdict verdict;
    uint32_t sender = program_nic_id(lab->program, nic);
    dp_decide(lab->forwarding, &sender, &packet, &verdict, 1, &options);
    return verdict;
}
