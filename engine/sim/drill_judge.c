/*
 * Does what was expected hold?
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/sim/drill_private.h"

/* --- Routes ----------------------------------------------------------------------------------- */

static int compare_addresses(const void *a, const void *b)
{
    return lpm_address_compare(a, b);
}

static bool has_next_hops(const struct fabric_row *row, const struct fabric_addresses *wanted)
{
    if (row->next_hop_count != wanted->n)
        return false;
    for (uint32_t i = 0; i < wanted->n; i++)
        if (!bsearch(&wanted->items[i], row->next_hops, row->next_hop_count,
                     sizeof(*row->next_hops), compare_addresses))
            return false;
    return true;
}

static void describe_row(const struct fabric_row *row, char *text, size_t capacity)
{
    char address[LPM_ADDRESS_TEXT];
    int used = snprintf(text, capacity, "%s", fabric_next_hop_type_text(row->type));
    for (unsigned i = 0; i < row->next_hop_count && used > 0 && (size_t)used < capacity; i++)
        used += snprintf(text + used, capacity - (size_t)used, "%s%s", i ? ", " : " via ",
                         lpm_address_format(&row->next_hops[i], address));
}

static void judge_route(struct drill_run *run, struct drill_expectation *expectation)
{
    const struct fabric_drill_expect *expect = expectation->model;
    const struct fabric_row none = {0};
    struct fabric_row rows[3];
    uint32_t nic = fabric_find_nic(run->fabric, expect->nic);
    unsigned n = 0;
    if (nic != FABRIC_NONE) {
        struct fabric_scope scope = fabric_scope_of(run->fabric, nic);
        n = fabric_rows_at(run->fabric, controller_bgp(sim_controller(run->sim)), &scope,
                           &expect->prefix, rows);
    }
    const struct fabric_row *row = n > 0 && rows[0].active ? &rows[0] : &none;
    expectation->held = true;
    if (expect->has_next_hops)
        expectation->held &= has_next_hops(row, &expect->next_hops);
    if (expect->next_hop_type)
        expectation->held &= row != &none && strcmp(fabric_next_hop_type_text(row->type),
                                                    expect->next_hop_type) == 0;
    if (expectation->held)
        return;
    if (row == &none)
        snprintf(expectation->found, sizeof(expectation->found), "%s",
                 nic == FABRIC_NONE ? "no such NIC" : "no route");
    else
        describe_row(row, expectation->found, sizeof(expectation->found));
}

/* --- Probes ----------------------------------------------------------------------------------- */

static bool within(const struct fabric_given *most, uint64_t value)
{
    return !most->given || value <= most->value;
}

static void judge_fate(struct drill_run *run, struct drill_expectation *expectation)
{
    const struct fabric_drill_expect *expect = expectation->model;
    uint32_t probe = 0;
    while (strcmp(run->drill->probes[probe].name, expect->probe) != 0)
        probe++;
    const struct traffic_fate *fate = traffic_fate(run->traffic, probe);
    expectation->held = within(&expect->lost_ms_max, fate->lost_ms) &&
                        within(&expect->lost_max, fate->lost) &&
                        within(&expect->moved_max, fate->moved) &&
                        within(&expect->moved_needlessly, fate->moved_needlessly);
    if (!expectation->held)
        snprintf(expectation->found, sizeof(expectation->found),
                 "lost %llu packets in %llu ms, %llu flows moved, %llu needlessly",
                 (unsigned long long)fate->lost, (unsigned long long)fate->lost_ms,
                 (unsigned long long)fate->moved, (unsigned long long)fate->moved_needlessly);
}

/* --- Alerts ----------------------------------------------------------------------------------- */

/* Is at_ms within the time that the alert has, after what was named or after any event? */
static bool in_time(const struct drill_run *run, const struct fabric_drill_expect *expect,
                    uint64_t at_ms)
{
    if (expect->has_after)
        return at_ms >= expect->after_ms && at_ms - expect->after_ms <= expect->within_ms;
    for (uint32_t i = 0; i < run->drill->event_count; i++) {
        const uint32_t event_ms = run->drill->events[i].at_ms;
        if (at_ms >= event_ms && at_ms - event_ms <= expect->within_ms)
            return true;
    }
    return false;
}

static void judge_alert(struct drill_run *run, struct drill_expectation *expectation)
{
    const struct fabric_drill_expect *expect = expectation->model;
    size_t others = 0, i;
    json_t *row;
    json_array_foreach(run->report.alerts, i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "event")), expect->alert) != 0)
            continue;
        others++;
        if (in_time(run, expect, (uint64_t)json_integer_value(json_object_get(row, "at_ms"))))
            expectation->held = true;
    }
    if (!expectation->held)
        snprintf(expectation->found, sizeof(expectation->found),
                 others ? "only at other times" : "never raised");
}

void drill_judge(struct drill_run *run, struct drill_expectation *expectation)
{
    if (expectation->model->nic)
        judge_route(run, expectation);
    else if (expectation->model->probe)
        judge_fate(run, expectation);
    else
        judge_alert(run, expectation);
}
