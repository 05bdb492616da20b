/*
 * The same lists, written twice more.
 */
#include "engine/cli/annotate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/report.h"

#define SARIF_SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

static const char *text_of(json_t *item, const char *key)
{
    const char *text = json_string_value(json_object_get(item, key));
    return text ? text : "";
}

/* Line 0 is the file as a whole; code hosts count from 1. */
static json_int_t line_of(json_t *item)
{
    json_int_t line = json_integer_value(json_object_get(item, "line"));
    return line > 0 ? line : 1;
}

/* "rule", of an error "error". */
static const char *rule_of(json_t *item)
{
    const char *rule = text_of(item, "rule");
    return *rule ? rule : "error";
}

/* --- GitHub ------------------------------------------------------------------------------------- */

/* What would end a value is written as its code; in properties that goes for ':' and ',' too. */
static void print_escaped(const char *text, bool property)
{
    for (; *text; text++) {
        if (*text == '%' || *text == '\n' || *text == '\r' ||
            (property && (*text == ':' || *text == ',')))
            printf("%%%02X", (unsigned char)*text);
        else
            putchar(*text);
    }
}

static void print_github(const char *command, json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *remedy = text_of(item, "remedy");
        printf("::%s file=", command);
        print_escaped(text_of(item, "file"), true);
        printf(",line=%lld,title=", (long long)line_of(item));
        print_escaped(rule_of(item), true);
        printf("::");
        print_escaped(text_of(item, "message"), false);
        printf(*remedy ? ". " : "");
        print_escaped(remedy, false);
        putchar('\n');
    }
}

void annotate_github(const struct checking *checking)
{
    print_github("error", checking->errors);
    print_github("warning", checking->findings);
}

/* --- SARIF -------------------------------------------------------------------------------------- */

static void add_rule(json_t *rules, const char *name)
{
    size_t i;
    json_t *rule;
    json_array_foreach(rules, i, rule)
    {
        if (strcmp(text_of(rule, "id"), name) == 0)
            return;
    }
    json_array_append_new(rules, json_pack("{s:s}", "id", name));
}

/* A path as a URI reference (RFC 3986): what may not stand there is escaped, and so is a colon, which would
 * end a scheme. */
static json_t *uri_json(const char *path)
{
    static const char digits[] = "0123456789ABCDEF";
    char *uri = malloc(3 * strlen(path) + 1), *at = uri;

    if (!uri)
        return json_string(path);
    for (const char *c = path; *c; c++) {
        const unsigned char byte = (unsigned char)*c;

        if (isalnum(byte) || strchr("/-._~!$&'()*+,;=@", byte)) {
            *at++ = *c;
            continue;
        }
        *at++ = '%';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    *at = '\0';
    json_t *text = json_string(uri);
    free(uri);
    return text;
}

static void add_results(json_t *results, json_t *rules, const char *level, json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        add_rule(rules, rule_of(item));
        json_array_append_new(results,
                              json_pack("{s:s, s:s, s:{s:s}, s:[{s:{s:{s:o}, s:{s:I}}}]}", "ruleId",
                                        rule_of(item), "level", level, "message", "text",
                                        text_of(item, "message"), "locations", "physicalLocation",
                                        "artifactLocation", "uri", uri_json(text_of(item, "file")),
                                        "region", "startLine", line_of(item)));
    }
}

void annotate_sarif(const struct checking *checking)
{
    json_t *results = json_array(), *rules = json_array();
    add_results(results, rules, "error", checking->errors);
    add_results(results, rules, "warning", checking->findings);
    report_json(json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:o}}, s:o}]}", "$schema", SARIF_SCHEMA,
                          "version", "2.1.0", "runs", "tool", "driver", "name", "fingerpost",
                          "rules", rules, "results", results));
}
