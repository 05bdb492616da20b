#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/diff_parts.h"
#include "engine/cli/source.h"

/* --- What the files say ------------------------------------------------------------------------- */

int diff_objects(const struct fabric_outline *before, const struct fabric_outline *after,
                 json_t *list)
{
    struct fabric_changes changes;
    int error = fabric_outline_compare(before, after, &changes);

    if (error)
        return error;
    for (size_t i = 0; i < changes.n; i++) {
        const struct fabric_change *change = &changes.items[i];

        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:i}", "object", change->object,
                                              "change", fabric_change_kind_text(change->kind),
                                              "keys", change->keys, "file", change->place.file,
                                              "line", (int)change->place.line));
    }
    fabric_changes_free(&changes);
    return 0;
}

static const char *text_at(const json_t *item, const char *key)
{
    const char *text = json_string_value(json_object_get(item, key));

    return text ? text : "";
}

static void print_object(const json_t *item)
{
    const char *change = text_at(item, "change"), *keys = text_at(item, "keys");
    const char *sign = strcmp(change, "added") == 0     ? "+"
                       : strcmp(change, "removed") == 0 ? "-"
                                                        : "~";

    printf("  %s %s%s%s\n", sign, text_at(item, "object"), keys[0] ? ": " : "", keys);
}

/* --- What comes of it --------------------------------------------------------------------------- */

static void print_row(const char *sign, json_t *row)
{
    size_t i;
    json_t *hop;
    if (json_is_null(row))
        return;
    printf("    %s %s %s", sign, json_string_value(json_object_get(row, "source")),
           json_string_value(json_object_get(row, "nextHopType")));
    json_array_foreach(json_object_get(row, "nextHopIpAddress"), i, hop)
    {
        printf("%s %s", i ? "," : "", json_string_value(hop));
    }
    putchar('\n');
}

static void print_ways(const char *sign, json_t *ways)
{
    size_t i;
    json_t *way;
    json_array_foreach(ways, i, way)
    {
        printf("    %s %s\n", sign, json_string_value(way));
    }
}

static void print_findings(const char *sign, json_t *findings)
{
    size_t i;
    json_t *finding;
    json_array_foreach(findings, i, finding)
    {
        printf("  %s ", sign);
        source_say(stdout, json_string_value(json_object_get(finding, "file")),
                   (unsigned)json_integer_value(json_object_get(finding, "line")), "",
                   json_string_value(json_object_get(finding, "message")));
    }
}

/* The heading, and whether there is anything below it. */
static bool head(const char *heading, const json_t *list)
{
    if (json_array_size(list) == 0)
        return false;
    printf("%s\n", heading);
    return true;
}

static void print_pair(const json_t *item, const char *first, const char *second,
                       void (*print)(const char *sign, json_t *side))
{
    printf("  %s%s%s\n", text_at(item, first), second ? " " : "",
           second ? text_at(item, second) : "");
    print("-", json_object_get(item, "before"));
    print("+", json_object_get(item, "after"));
}

void diff_print(const json_t *document)
{
    const json_t *objects = json_object_get(document, "objects");
    const json_t *routes = json_object_get(document, "routes");
    const json_t *learned = json_object_get(document, "learned");
    const json_t *paths = json_object_get(document, "paths");
    json_t *added = json_object_get(document, "findings_added");
    json_t *removed = json_object_get(document, "findings_removed");
    size_t i;
    json_t *item;
    bool any = false;

    head("files", objects);
    json_array_foreach(objects, i, item)
    {
        print_object(item);
    }
    any |= head("routes", routes);
    json_array_foreach(routes, i, item)
    {
        print_pair(item, "nic", "prefix", print_row);
    }
    any |= head("learned by routers", learned);
    json_array_foreach(learned, i, item)
    {
        print_pair(item, "router", "prefix", print_ways);
    }
    any |= head("paths", paths);
    json_array_foreach(paths, i, item)
    {
        print_pair(item, "ends", NULL, print_ways);
    }
    if (json_array_size(added) + json_array_size(removed) > 0) {
        any = true;
        printf("findings\n");
    }
    print_findings("-", removed);
    print_findings("+", added);
    if (!any)
        printf("no route, path or finding changes\n");
}
