/*
 * What 'fingerpost show' prints of next-hop groups, ports, counters and flows, from the engine's
 * documents (engine/live/control_groups.h).
 */
#ifndef ENGINE_CLI_SHOW_H
#define ENGINE_CLI_SHOW_H

#include <jansson.h>

void show_print_groups(const json_t *answer);
void show_print_ports(const json_t *answer);
void show_print_counters(const json_t *answer);
void show_print_flow(const json_t *answer);

#endif
