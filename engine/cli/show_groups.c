/* See show.h. */
#include "engine/cli/show.h"

#include <stdio.h>

#include "engine/cli/ask.h"
#include "engine/cli/table.h"

/* --- Groups ----------------------------------------------------------------------------------- */

static void add_member(struct table *table, const json_t *group, const json_t *member)
{
    const char *nic = ask_text(member, "nic"), *reason = ask_text(member, "reason");
    table_row(table, "%lld|%s|%s|%s|%lld|%s%s%s|%lld|%lld|%lld", ask_count(group, "group"),
              ask_text(group, "kind"), ask_text(member, "next_hop"),
              *nic ? nic : ask_text(member, "load_balancer"), ask_count(member, "weight"),
              ask_text(member, "state"), *reason ? ", " : "", reason, ask_count(member, "buckets"),
              ask_count(member, "packets"), ask_count(member, "bytes"));
}

/* Of the internet: its next hop, and in place of a NIC the MAC that this has told. */
static void add_without_members(struct table *table, const json_t *group)
{
    const json_t *next_hop = json_object_get(group, "next_hop");
    table_row(table, "%lld|%s|%s|%s||||| ", ask_count(group, "group"), ask_text(group, "kind"),
              next_hop ? ask_text(group, "next_hop") : ask_text(group, "vnet"),
              next_hop && json_is_null(json_object_get(group, "mac")) ? "(MAC not known)"
                                                                      : ask_text(group, "mac"));
}

static void add_group(struct table *table, const json_t *group)
{
    size_t i;
    json_t *member;
    const json_t *members = json_object_get(group, "members");
    if (json_array_size(members) == 0)
        add_without_members(table, group);
    json_array_foreach(members, i, member)
    {
        add_member(table, group, member);
    }
}

#define GROUP_COLUMNS ">Group|Kind|Next hop|NIC|>Weight|State|>Buckets|>Packets|>Bytes"

void show_print_groups(const json_t *answer)
{
    struct table table;
    size_t i;
    json_t *group;
    if (table_begin(&table, GROUP_COLUMNS))
        return;
    json_array_foreach(json_object_get(answer, "groups"), i, group)
    {
        add_group(&table, group);
    }
    table_end(&table, stdout, 0);
}

/* --- Ports and counters ----------------------------------------------------------------------- */

void show_print_ports(const json_t *answer)
{
    struct table table;
    size_t i, j;
    json_t *port, *queue;
    if (table_begin(&table,
                    "Port|Link|>Queue|>Received|>Bytes|>Sent|>Bytes|>Refused|>Missed|>Errors"))
        return;
    json_array_foreach(json_object_get(answer, "ports"), i, port)
    {
        table_row(&table, "%s|%s||%lld||%lld|||%lld|%lld", ask_text(port, "port"),
                  json_is_true(json_object_get(port, "link_up")) ? "up" : "down",
                  ask_count(port, "rx_packets"), ask_count(port, "tx_packets"),
                  ask_count(port, "rx_missed"),
                  ask_count(port, "rx_errors") + ask_count(port, "tx_errors"));
        json_array_foreach(json_object_get(port, "queues"), j, queue)
        {
            table_row(&table, "||%lld|%lld|%lld|%lld|%lld|%lld||", ask_count(queue, "queue"),
                      ask_count(queue, "rx_packets"), ask_count(queue, "rx_bytes"),
                      ask_count(queue, "tx_packets"), ask_count(queue, "tx_bytes"),
                      ask_count(queue, "tx_refused"));
        }
    }
    table_end(&table, stdout, 0);
}

static void print_nics(const json_t *rows)
{
    struct table table;
    size_t i;
    json_t *row, *n;
    const char *reason;
    if (table_begin(&table, "NIC|>Received|>Forwarded|>Answered|Dropped|>Packets"))
        return;
    json_array_foreach(rows, i, row)
    {
        const char *name = ask_text(row, "nic");
        table_row(&table, "%s|%lld|%lld|%lld||", *name ? name : "(none)",
                  ask_count(row, "received"), ask_count(row, "forwarded"),
                  ask_count(row, "answered"));
        json_object_foreach(json_object_get(row, "dropped"), reason, n)
        {
            table_row(&table, "||||%s|%lld", reason, (long long)json_integer_value(n));
        }
    }
    table_end(&table, stdout, 0);
}

static void print_members(const json_t *rows)
{
    struct table table;
    size_t i;
    json_t *row;
    if (json_array_size(rows) == 0 || table_begin(&table, ">Group|Next hop|>Packets|>Bytes"))
        return;
    putchar('\n');
    json_array_foreach(rows, i, row)
    {
        table_row(&table, "%lld|%s|%lld|%lld", ask_count(row, "group"), ask_text(row, "next_hop"),
                  ask_count(row, "packets"), ask_count(row, "bytes"));
    }
    table_end(&table, stdout, 0);
}

void show_print_counters(const json_t *answer)
{
    const char *reason;
    json_t *n;
    print_nics(json_object_get(answer, "nics"));
    print_members(json_object_get(answer, "members"));
    if (json_array_size(json_object_get(answer, "ports")) > 0) {
        putchar('\n');
        show_print_ports(answer);
    }
    printf("\nreceived %lld = forwarded %lld + answered %lld + dropped:",
           ask_count(answer, "received"), ask_count(answer, "forwarded"),
           ask_count(answer, "answered"));
    json_object_foreach(json_object_get(answer, "dropped"), reason, n)
    {
        printf(" %s %lld", reason, (long long)json_integer_value(n));
    }
    putchar('\n');
}

/* --- A flow ----------------------------------------------------------------------------------- */

void show_print_flow(const json_t *answer)
{
    const json_t *group = json_object_get(answer, "group");
    const char *reason = ask_text(answer, "reason"), *to = ask_text(answer, "to_nic");
    const char *backend = ask_text(answer, "backend");
    struct table table;
    printf("%s -> %s, protocol %lld, ports %lld -> %lld, sent by %s\n", ask_text(answer, "source"),
           ask_text(answer, "destination"), ask_count(answer, "protocol"),
           ask_count(answer, "source_port"), ask_count(answer, "destination_port"),
           ask_text(answer, "nic"));
    printf("%s%s%s%s%s", ask_text(answer, "verdict"), *reason ? ": " : "", reason,
           *to ? " to NIC " : "", to);
    printf("%s%s\n", *backend ? ", backend " : "", backend);
    if (!json_is_object(group))
        return;
    printf("route %s leads to group %lld", ask_text(answer, "matched"), ask_count(group, "group"));
    if (*ask_text(answer, "next_hop"))
        printf(": hash 0x%08llx, bucket %lld of %lld, member %s",
               (unsigned long long)ask_count(answer, "hash"), ask_count(answer, "bucket"),
               ask_count(group, "buckets"), ask_text(answer, "next_hop"));
    putchar('\n');
    if (table_begin(&table, GROUP_COLUMNS))
        return;
    add_group(&table, group);
    table_end(&table, stdout, 0);
}
