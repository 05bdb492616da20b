/*
 * Single values: text of the file into fields of the model.
 *
 * Each type has its words (what messages call it) and its parser. A parser only says yes or no;
 * the message is made in one place, so all of them read alike: "nics[vm1].addresses: '10.1.0.400'
 * is not an IPv4 or IPv6 address".
 */
#include "engine/fabric/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/rib/policy.h"

#define NAME_LENGTH_MAX 80u

const char *fabric_type_text(enum fabric_type type)
{
    static const char *const texts[] = {
        [FABRIC_TYPE_NAME] = "a name (letters, digits, '.', '_', '-'; at most 80)",
        [FABRIC_TYPE_STRING] = "a text",
        [FABRIC_TYPE_BOOLEAN] = "true or false",
        [FABRIC_TYPE_NUMBER] = "a whole number",
        [FABRIC_TYPE_WORD] = "a known word",
        [FABRIC_TYPE_ADDRESS] = "an IPv4 or IPv6 address",
        [FABRIC_TYPE_PREFIX] = "an IPv4 or IPv6 prefix like 10.0.0.0/8",
        [FABRIC_TYPE_MAC] = "a MAC address like \"02:00:00:00:00:01\"",
        [FABRIC_TYPE_SOCKET] = "an address and port like 127.0.0.1:9460 or [::1]:9460",
        [FABRIC_TYPE_COMMUNITY] = "a community like 65001:100, no-export or rt:65001:7",
        [FABRIC_TYPE_COMMUNITY_PATTERN] = "a community like 65001:100 or 65001:*",
        [FABRIC_TYPE_PREFIX_RANGE] = "a prefix with optional lengths, like 10.0.0.0/8 ge 16 le 24",
        [FABRIC_TYPE_NUMBER_RANGE] = "a range of numbers like 5 or ge 2 le 5",
        [FABRIC_TYPE_AS_PATH] = "an expression over an AS path",
        [FABRIC_TYPE_REFERENCE] = "a name",
        [FABRIC_TYPE_NAMED] = "a name",
        [FABRIC_TYPE_OBJECT] = "a mapping",
        [FABRIC_TYPE_OBJECTS] = "a list",
        [FABRIC_TYPE_HANDLED] = "",
    };

    return texts[type];
}

/* Digits only, no sign, no leading zero, at most `most`. Moves *text behind the number. */
static bool take_number(const char **text, uint64_t most, uint64_t *number)
{
    size_t digits = strspn(*text, "0123456789");
    uint64_t value = 0;

    if (digits == 0 || digits > 10 || (digits > 1 && (*text)[0] == '0'))
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (uint64_t)((*text)[i] - '0');
    if (value > most)
        return false;
    *text += digits;
    *number = value;
    return true;
}

/* Unsigned fields come in several widths; the tables' limits keep values within them. */
static void store_number(const struct fabric_key *key, void *slot, uint32_t value)
{
    switch (key->size) {
    case 1:
        *(uint8_t *)slot = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)slot = (uint16_t)value;
        break;
    default:
        *(uint32_t *)slot = value;
        break;
    }
}

/* Also for numbers that may be a word instead ("forever"). */
static bool parse_word(const struct fabric_key *key, const char *text, void *slot)
{
    for (const struct fabric_word *word = key->words; word && word->text; word++) {
        if (strcmp(word->text, text) != 0)
            continue;
        store_number(key, slot, word->value);
        return true;
    }
    return false;
}

static bool parse_number(const struct fabric_key *key, const char *text, void *slot)
{
    uint64_t value;

    if (parse_word(key, text, slot))
        return true;
    if (!take_number(&text, key->most, &value) || *text != '\0' || value < key->least)
        return false;
    store_number(key, slot, (uint32_t)value);
    return true;
}

/* Not yes, no, on or off: what YAML 1.1 takes for a boolean has surprised too many. */
static bool parse_boolean(const char *text, bool *value)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return false;
    *value = text[0] == 't';
    return true;
}

/* No slash: it stands between VNet and subnet. No blank or quote: names go into metrics and file
 * names. */
static bool name_is_good(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= NAME_LENGTH_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               length;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    uint8_t parsed[6];

    if (strlen(text) != 17)
        return false;
    for (unsigned i = 0; i < 6; i++) {
        int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);

        if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
            return false;
        parsed[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(mac, parsed, sizeof(parsed));
    return true;
}

/* "127.0.0.1:80" or "[::1]:80". */
bool fabric_socket_parse(const char *text, struct lpm_address *address, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    char address_text[LPM_ADDRESS_TEXT];
    size_t length = colon ? (size_t)(colon - text) : 0;
    bool bracketed = text[0] == '[';
    uint64_t number = 0;
    bool good;

    if (!colon || length >= sizeof(address_text) || (bracketed && (length < 2 || colon[-1] != ']')))
        return false;
    memcpy(address_text, text + bracketed, length - 2 * bracketed);
    address_text[length - 2 * bracketed] = '\0';
    colon++;
    good = lpm_address_parse(address_text, address) == 0 &&
           bracketed == (address->family == LPM_IPV6) && take_number(&colon, 65535, &number) &&
           *colon == '\0' && number > 0;
    *port = (uint16_t)number;
    return good;
}

/* The types that have a grammar of their own, with the reason why a text is none of it. */
static bool grammar_is_good(enum fabric_type type, const char *text, char reason[RIB_PATTERN_ERROR])
{
    struct rib_community_pattern community;
    struct rib_as_path_pattern *as_path;
    struct rib_prefix_range prefixes;
    struct rib_number_range numbers;

    reason[0] = '\0';
    switch (type) {
    case FABRIC_TYPE_COMMUNITY:
        return strchr(text, '*') == NULL &&
               rib_community_pattern_parse(text, &community, reason) == 0;
    case FABRIC_TYPE_COMMUNITY_PATTERN:
        return rib_community_pattern_parse(text, &community, reason) == 0;
    case FABRIC_TYPE_PREFIX_RANGE:
        return rib_prefix_range_parse(text, &prefixes, reason) == 0;
    case FABRIC_TYPE_NUMBER_RANGE:
        return rib_number_range_parse(text, &numbers, reason) == 0;
    default:
        if (rib_as_path_pattern_create(text, &as_path, reason) < 0)
            return false;
        rib_as_path_pattern_destroy(as_path);
        return true;
    }
}

/* The types that stay text: they are checked here and understood by whoever acts upon them. */
static bool text_is_good(enum fabric_type type, const char *text)
{
    char reason[RIB_PATTERN_ERROR];
    struct lpm_address address;
    uint16_t port;

    switch (type) {
    case FABRIC_TYPE_NAME:
        return name_is_good(text);
    case FABRIC_TYPE_SOCKET:
        return fabric_socket_parse(text, &address, &port);
    case FABRIC_TYPE_COMMUNITY:
    case FABRIC_TYPE_COMMUNITY_PATTERN:
    case FABRIC_TYPE_PREFIX_RANGE:
    case FABRIC_TYPE_NUMBER_RANGE:
    case FABRIC_TYPE_AS_PATH:
        return grammar_is_good(type, text, reason);
    default:
        return text[0] != '\0';
    }
}

/* Values that are kept as the text that they are. */
static bool keep_text(struct fabric_loader *loader, const struct fabric_key *key, const char *text,
                      const char **slot)
{
    if (!text_is_good(key->type, text))
        return false;
    *slot = fabric_loader_text(loader, text);
    return true;
}

/* Addresses and prefixes are parsed as everywhere else, by lpm. */
static bool parse_value(struct fabric_loader *loader, const struct fabric_key *key,
                        const char *text, void *slot)
{
    switch (key->type) {
    case FABRIC_TYPE_BOOLEAN:
        return parse_boolean(text, slot);
    case FABRIC_TYPE_NUMBER:
        return parse_number(key, text, slot);
    case FABRIC_TYPE_WORD:
        return parse_word(key, text, slot);
    case FABRIC_TYPE_ADDRESS:
        return lpm_address_parse(text, slot) == 0;
    case FABRIC_TYPE_PREFIX:
        return lpm_prefix_parse(text, slot) == 0;
    case FABRIC_TYPE_MAC:
        return parse_mac(text, slot);
    default:
        return keep_text(loader, key, text, slot);
    }
}

/* " (one of: a, b, c)" for words, " from 1 to 9" for numbers. */
static void limits_text(const struct fabric_key *key, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    if (key->type == FABRIC_TYPE_NUMBER)
        used = (size_t)snprintf(text, size, " from %u to %u", key->least, key->most);
    for (const struct fabric_word *word = key->words; word && word->text && used < size; word++)
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 word != key->words                ? ", "
                                 : key->type == FABRIC_TYPE_NUMBER ? ", or "
                                                                   : ": ",
                                 word->text);
}

/* A prefix with bits beyond its length is worth a sentence of its own: it says the right one. */
static void tell_bad_value(struct fabric_loader *loader, const struct fabric_key *key,
                           const struct fabric_node *node, const struct fabric_path *path)
{
    char path_text[FABRIC_PATH_TEXT], found[FABRIC_FOUND_TEXT], limits[256];
    char reason[RIB_PATTERN_ERROR];
    struct lpm_prefix prefix;

    fabric_path_format(path, path_text);
    if (key->type == FABRIC_TYPE_PREFIX && lpm_prefix_parse(node->text, &prefix) == -EDOM) {
        FABRIC_ERROR(loader, &node->place,
                     "%s: '%s' has bits set beyond its length; the prefix is %s", path_text,
                     node->text, FABRIC_PREFIX(&prefix));
        return;
    }
    if ((key->type == FABRIC_TYPE_AS_PATH || key->type == FABRIC_TYPE_PREFIX_RANGE ||
         key->type == FABRIC_TYPE_COMMUNITY_PATTERN) &&
        !grammar_is_good(key->type, node->text, reason)) {
        FABRIC_ERROR(loader, &node->place, "%s: %s is not %s: %s", path_text,
                     fabric_node_found(node, found), fabric_type_text(key->type), reason);
        return;
    }
    limits_text(key, limits, sizeof(limits));
    FABRIC_ERROR(loader, &node->place, "%s: %s is not %s%s", path_text,
                 fabric_node_found(node, found),
                 key->type == FABRIC_TYPE_WORD ? "one of" : fabric_type_text(key->type), limits);
}

/* By index, or by name where the model keeps names. */
static bool read_reference(struct fabric_loader *loader, const struct fabric_key *key,
                           const struct fabric_node *node, void *slot,
                           const struct fabric_path *path)
{
    uint32_t found = fabric_refer(loader, key->section, node, path);

    if (found == FABRIC_NONE)
        return false;
    if (key->type == FABRIC_TYPE_REFERENCE)
        *(uint32_t *)slot = found;
    else
        *(const char **)slot = fabric_loader_text(loader, node->text);
    fabric_note(loader, slot, &node->place);
    return true;
}

bool fabric_read_scalar(struct fabric_loader *loader, const struct fabric_key *key,
                        const struct fabric_node *node, void *slot, const struct fabric_path *path)
{
    if (node->kind != FABRIC_NODE_SCALAR || fabric_node_is_empty(node))
        return fabric_expected(loader, node, path, fabric_type_text(key->type));
    if (key->type == FABRIC_TYPE_REFERENCE || key->type == FABRIC_TYPE_NAMED)
        return read_reference(loader, key, node, slot, path);
    if (!parse_value(loader, key, node->text, slot)) {
        tell_bad_value(loader, key, node, path);
        return false;
    }
    fabric_note(loader, slot, &node->place);
    return true;
}

bool fabric_read_default(struct fabric_loader *loader, const struct fabric_key *key, void *slot)
{
    return parse_value(loader, key, key->fallback, slot);
}
