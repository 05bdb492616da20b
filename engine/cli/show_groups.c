/* See show.h. */
#include "engine/cli/show.h"

#include <stdio.h>

#include "engine/cli/table.h"

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static long long count_of(const json_t *row, const char *key)
{
    return (long long)json_integer_value(json_object_get(row, key));
}

/* --- Groups ----------------------------------------------------------------------------------- */

static void add_member(struct table *table, const json_t *group, const json_t *member)
{
    const char *nic = text_of(member, "nic"), *reason = text_of(member, "reason");
    table_row(table, "%lld|%s|%s|%s|%lld|%s%s%s|%lld|%lld|%lld", count_of(group, "group"),
              text_of(group, "kind"), text_of(member, "next_hop"),
              *nic ? nic : text_of(member, "load_balancer"), count_of(member, "weight"),
              text_of(member, "state"), *reason ? ", " : "", reason, count_of(member, "buckets"),
              count_of(member, "packets"), count_of(member, "bytes"));
}

static void add_group(struct table *table, const json_t *group)
{
    size_t i;
    json_t *member;
    const json_t *members = json_object_get(group, "members");
    if (json_array_size(members) == 0)
        table_row(table, "%lld|%s|%s|||||| ", count_of(group, "group"), text_of(group, "kind"),
                  text_of(group, "vnet"));
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
        table_row(&table, "%s|%s||%lld||%lld|||%lld|%lld", text_of(port, "port"),
                  json_is_true(json_object_get(port, "link_up")) ? "up" : "down",
                  count_of(port, "rx_packets"), count_of(port, "tx_packets"),
                  count_of(port, "rx_missed"),
                  count_of(port, "rx_errors") + count_of(port, "tx_errors"));
        json_array_foreach(json_object_get(port, "queues"), j, queue)
        {
            table_row(&table, "||%lld|%lld|%lld|%lld|%lld|%lld||", count_of(queue, "queue"),
                      count_of(queue, "rx_packets"), count_of(queue, "rx_bytes"),
                      count_of(queue, "tx_packets"), count_of(queue, "tx_bytes"),
                      count_of(queue, "tx_refused"));
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
        const char *name = text_of(row, "nic");
        table_row(&table, "%s|%lld|%lld|%lld||", *name ? name : "(none)", count_of(row, "received"),
                  count_of(row, "forwarded"), count_of(row, "answered"));
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
        table_row(&table, "%lld|%s|%lld|%lld", count_of(row, "group"), text_of(row, "next_hop"),
                  count_of(row, "packets"), count_of(row, "bytes"));
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
    printf(
        "\nreceived %lld = forwarded %lld + answered %lld + dropped:", count_of(answer, "received"),
        count_of(answer, "forwarded"), count_of(answer, "answered"));
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
    const char *reason = text_of(answer, "reason"), *to = text_of(answer, "to_nic");
    const char *backend = text_of(answer, "backend");
    struct table table;
    printf("%s -> %s, protocol %lld, ports %lld -> %lld, sent by %s\n", text_of(answer, "source"),
           text_of(answer, "destination"), count_of(answer, "protocol"),
           count_of(answer, "source_port"), count_of(answer, "destination_port"),
           text_of(answer, "nic"));
    printf("%s%s%s%s%s", text_of(answer, "verdict"), *reason ? ": " : "", reason,
           *to ? " to NIC " : "", to);
    printf("%s%s\n", *backend ? ", backend " : "", backend);
    if (!json_is_object(group))
        return;
    printf("route %s leads to group %lld", text_of(answer, "matched"), count_of(group, "group"));
    if (*text_of(answer, "next_hop"))
        printf(": hash 0x%08llx, bucket %lld of %lld, member %s",
               (unsigned long long)count_of(answer, "hash"), count_of(answer, "bucket"),
               count_of(group, "buckets"), text_of(answer, "next_hop"));
    putchar('\n');
    if (table_begin(&table, GROUP_COLUMNS))
        return;
    add_group(&table, group);
    table_end(&table, stdout, 0);
}
