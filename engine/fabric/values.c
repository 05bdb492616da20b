/*
 * Single values: text of the file into fields of the model.
 *
 * Each type has its words (what messages call it) and its parser. A parser only says yes or no;
 * the message is made in one place, so all of them read alike: "nics[vm1].addresses: '10.1.0.400'
 * is not an IPv4 or IPv6 address".
 */
#include "engine/fabric/schema.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#define NAME_LENGTH_MAX    80u
#define AS_PATH_LENGTH_MAX 256u

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
        [FABRIC_TYPE_COMMUNITY] = "a community like 65001:100",
        [FABRIC_TYPE_PREFIX_RANGE] = "a prefix with optional lengths, like 10.0.0.0/8 ge 16 le 24",
        [FABRIC_TYPE_AS_PATH] = "a regular expression of digits, spaces and ^$.*+?()|[]-",
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
static bool socket_is_good(const char *text)
{
    const char *colon = strrchr(text, ':');
    char address_text[LPM_ADDRESS_TEXT];
    struct lpm_address address;
    size_t length = colon ? (size_t)(colon - text) : 0;
    bool bracketed = text[0] == '[';
    uint64_t port;

    if (!colon || length >= sizeof(address_text) || (bracketed && (length < 2 || colon[-1] != ']')))
        return false;
    memcpy(address_text, text + bracketed, length - 2 * bracketed);
    address_text[length - 2 * bracketed] = '\0';
    colon++;
    return lpm_address_parse(address_text, &address) == 0 &&
           bracketed == (address.family == LPM_IPV6) && take_number(&colon, 65535, &port) &&
           *colon == '\0' && port > 0;
}

/* Two parts of 16 bits (RFC 1997), or three of 32 (RFC 8092). */
static bool community_is_good(const char *text)
{
    uint64_t parts[3] = {0};
    unsigned n = 0;

    while (n < 3 && take_number(&text, UINT32_MAX, &parts[n])) {
        n++;
        if (*text == '\0')
            break;
        if (*text++ != ':')
            return false;
    }
    if (n == 2)
        return *text == '\0' && text[-1] != ':' && parts[0] <= UINT16_MAX && parts[1] <= UINT16_MAX;
    return n == 3 && *text == '\0' && text[-1] != ':';
}

/* " ge 16" or " le 24" at *text: takes it. */
static bool take_length(const char **text, const char *word, uint64_t most, uint64_t *length)
{
    size_t n = strlen(word);

    if (strncmp(*text, word, n) != 0)
        return true;
    *text += n;
    return take_number(text, most, length);
}

/* "10.0.0.0/8", "… ge 16", "… le 24", "… ge 16 le 24". */
static bool prefix_range_is_good(const char *text)
{
    size_t length = strcspn(text, " ");
    char prefix_text[LPM_PREFIX_TEXT];
    struct lpm_prefix prefix;
    uint64_t ge, le;

    if (length >= sizeof(prefix_text))
        return false;
    memcpy(prefix_text, text, length);
    prefix_text[length] = '\0';
    text += length;
    if (lpm_prefix_parse(prefix_text, &prefix) != 0)
        return false;
    ge = prefix.length;
    le = prefix.family == LPM_IPV4 ? 32 : 128;
    return take_length(&text, " ge ", le, &ge) && take_length(&text, " le ", le, &le) &&
           *text == '\0' && prefix.length <= ge && ge <= le;
}

/* The alphabet keeps out repeat counts, with which a short expression can ask for endless
 * memory. */
static bool as_path_is_good(const char *text)
{
    regex_t compiled;

    if (strlen(text) > AS_PATH_LENGTH_MAX ||
        strspn(text, "0123456789 ^$.*+?()|[]-") != strlen(text) ||
        regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    regfree(&compiled);
    return true;
}

/* The types that stay text: they are checked here and understood by whoever acts upon them. */
static bool text_is_good(enum fabric_type type, const char *text)
{
    switch (type) {
    case FABRIC_TYPE_NAME:
        return name_is_good(text);
    case FABRIC_TYPE_SOCKET:
        return socket_is_good(text);
    case FABRIC_TYPE_COMMUNITY:
        return community_is_good(text);
    case FABRIC_TYPE_PREFIX_RANGE:
        return prefix_range_is_good(text);
    case FABRIC_TYPE_AS_PATH:
        return as_path_is_good(text);
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
    struct lpm_prefix prefix;

    fabric_path_format(path, path_text);
    if (key->type == FABRIC_TYPE_PREFIX && lpm_prefix_parse(node->text, &prefix) == -EDOM) {
        FABRIC_ERROR(loader, &node->place,
                     "%s: '%s' has bits set beyond its length; the prefix is %s", path_text,
                     node->text, FABRIC_PREFIX(&prefix));
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
