/*
 * Error codes and NOTIFICATION: codes to names (RFC 4271, 4486, 6608, 7313, 8538, 9384, 9687), the
 * message to bytes and back, and the shutdown communication of RFC 9003.
 */
#include "engine/bgp/message_private.h"

#include <stdio.h>

#define NAMES(...)                                                                                 \
    ((const char *const[]){__VA_ARGS__}),                                                          \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

/* Subcodes from 0 on; NULL where none is assigned. */
static const struct {
    const char *name;
    const char *const *subcodes;
    size_t n;
} codes[] = {
    [0] = {"Error 0", NULL, 0},
    [BGP_ERROR_HEADER] = {"Message Header Error", NAMES(NULL, "Connection Not Synchronized",
                                                        "Bad Message Length", "Bad Message Type")},
    [BGP_ERROR_OPEN] = {"OPEN Message Error",
                        NAMES(NULL, "Unsupported Version Number", "Bad Peer AS",
                              "Bad BGP Identifier", "Unsupported Optional Parameter", NULL,
                              "Unacceptable Hold Time", "Unsupported Capability", NULL, NULL, NULL,
                              "Role Mismatch")},
    [BGP_ERROR_UPDATE] = {"UPDATE Message Error",
                          NAMES(NULL, "Malformed Attribute List",
                                "Unrecognized Well-known Attribute", "Missing Well-known Attribute",
                                "Attribute Flags Error", "Attribute Length Error",
                                "Invalid ORIGIN Attribute", NULL, "Invalid NEXT_HOP Attribute",
                                "Optional Attribute Error", "Invalid Network Field",
                                "Malformed AS_PATH")},
    [BGP_ERROR_HOLD_TIMER] = {"Hold Timer Expired", NULL, 0},
    [BGP_ERROR_FSM] = {"Finite State Machine Error", NAMES(NULL, "Unexpected Message in OpenSent",
                                                           "Unexpected Message in OpenConfirm",
                                                           "Unexpected Message in Established")},
    [BGP_ERROR_CEASE] = {"Cease",
                         NAMES(NULL, "Maximum Number of Prefixes Reached",
                               "Administrative Shutdown", "Peer De-configured",
                               "Administrative Reset", "Connection Rejected",
                               "Other Configuration Change", "Connection Collision Resolution",
                               "Out of Resources", "Hard Reset", "BFD Down")},
    [BGP_ERROR_ROUTE_REFRESH] = {"ROUTE-REFRESH Message Error",
                                 NAMES(NULL, "Invalid Message Length")},
    [BGP_ERROR_SEND_HOLD] = {"Send Hold Timer Expired", NULL, 0},
};

/* Data beyond what any reader cares for is cut: an attribute in error may be 64 KiB long. */
void bgp_error_set(struct bgp_error *error, uint8_t code, uint8_t subcode, const void *data,
                   size_t length)
{
    error->code = code;
    error->subcode = subcode;
    error->length = (uint16_t)(length < sizeof error->data ? length : sizeof error->data);
    if (error->length > 0) {
        memcpy(error->data, data, error->length);
    }
}

/* --- Shutdown communication ------------------------------------------------------------------- */

/* The length octet is the peer's claim, and is believed only as far as there are bytes. */
static bool carries_shutdown(const struct bgp_error *error)
{
    return error->code == BGP_ERROR_CEASE && error->length > 0 &&
           (error->subcode == BGP_CEASE_SHUTDOWN || error->subcode == BGP_CEASE_RESET) &&
           error->data[0] > 0 && error->data[0] < error->length;
}

/* Other subcodes have other data, or none: a text there would be misread. */
void bgp_error_set_shutdown(struct bgp_error *error, uint8_t subcode, const char *message)
{
    bgp_error_set(error, BGP_ERROR_CEASE, subcode, NULL, 0);
    if (message == NULL || (subcode != BGP_CEASE_SHUTDOWN && subcode != BGP_CEASE_RESET)) {
        return;
    }
    size_t length = strlen(message);
    if (length > BGP_SHUTDOWN_TEXT_MAX) {
        length = BGP_SHUTDOWN_TEXT_MAX;
        /* Do not cut a UTF-8 character in two: step back over its continuation octets. */
        while (length > 0 && ((uint8_t)message[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    error->data[0] = (uint8_t)length;
    memcpy(error->data + 1, message, length);
    error->length = (uint16_t)(length + 1);
}

/* Copies what a peer wrote for people, with control characters made harmless. */
static size_t put_printable(char *to, size_t room, const uint8_t *from, size_t length)
{
    size_t n = length < room ? length : room;
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i] < 0x20 || from[i] == 0x7f || from[i] == '"' ? '.' : (char)from[i];
    }
    return n;
}

/* Writes one error without what a Hard Reset carries; returns the length. */
static size_t put_error(const struct bgp_error *error, char *text, size_t size)
{
    const char *name = "Unknown Error", *subname = NULL;
    if (error->code < sizeof codes / sizeof codes[0]) {
        name = codes[error->code].name;
        if (error->subcode < codes[error->code].n) {
            subname = codes[error->code].subcodes[error->subcode];
        }
    }
    size_t length = (size_t)snprintf(text, size, "%s%s%s (%u/%u)", name, subname != NULL ? "/" : "",
                                     subname != NULL ? subname : "", error->code, error->subcode);
    if (carries_shutdown(error)) {
        memcpy(text + length, ": \"", 3);
        length += 3;
        length += put_printable(text + length, size - length - 2, error->data + 1, error->data[0]);
        text[length++] = '"';
        text[length] = '\0';
    }
    return length;
}

/* Goes to logs and terminals, hence no control character from the peer gets through. A Hard Reset
 * within a Hard Reset is not opened: what it carries is for the peer to explain. */
char *bgp_error_format(const struct bgp_error *error, char text[BGP_ERROR_TEXT])
{
    size_t length = put_error(error, text, BGP_ERROR_TEXT);
    if (error->code == BGP_ERROR_CEASE && error->subcode == BGP_CEASE_HARD_RESET &&
        error->length >= 2) {
        struct bgp_error carried;
        bgp_error_set(&carried, error->data[0], error->data[1], error->data + 2,
                      error->length - 2u);
        memcpy(text + length, ": ", 3);
        put_error(&carried, text + length + 2, BGP_ERROR_TEXT - length - 2);
    }
    return text;
}

void bgp_error_harden(struct bgp_error *error)
{
    uint8_t data[BGP_ERROR_DATA_MAX] = {error->code, error->subcode};
    size_t room = sizeof data - 2, n = error->length < room ? error->length : room;
    memcpy(data + 2, error->data, n);
    bgp_error_set(error, BGP_ERROR_CEASE, BGP_CEASE_HARD_RESET, data, n + 2);
}

/* --- NOTIFICATION ----------------------------------------------------------------------------- */

size_t bgp_notification_encode(const struct bgp_error *error, uint8_t *bytes, size_t capacity)
{
    size_t length = BGP_HEADER_SIZE + 2 + (size_t)error->length;
    if (capacity < length) {
        return 0;
    }
    message_header_put(bytes, length, BGP_NOTIFICATION);
    bytes[19] = error->code;
    bytes[20] = error->subcode;
    memcpy(bytes + 21, error->data, error->length);
    return length;
}

void bgp_notification_decode(const uint8_t *bytes, size_t length, struct bgp_error *error)
{
    bgp_error_set(error, bytes[19], bytes[20], bytes + 21, length - 21);
}
