/* See pcapng.h. */
#include "tests/dataplane/pcapng.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/must.h"

#define BLOCK_SECTION    0x0a0d0d0au
#define BLOCK_INTERFACE  1u
#define BLOCK_STATISTICS 5u
#define BLOCK_PACKET     6u

static uint16_t get2(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t get4(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t get8(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

/* The next option of a list that ends at `end`; NULL: there is none. */
static const uint8_t *next_option(const uint8_t **at, const uint8_t *end, uint16_t *code,
                                  uint16_t *n)
{
    const uint8_t *value = *at + 4;

    if (*at == end)
        return NULL;
    MUST(end - *at >= 4);
    *code = get2(*at);
    *n = get2(*at + 2);
    *at = value + (*n + 3u) / 4 * 4;
    MUST(*at <= end);
    if (*code == 0)
        MUST(*at == end);
    return *code == 0 ? NULL : value;
}

static void read_packet(struct pcapng *file, const uint8_t *block, uint32_t length)
{
    struct pcapng_packet *packet;
    const uint8_t *at = block + 28, *value;
    uint16_t code, n;

    if ((file->n & (file->n - 1)) == 0) /* 0, 1, 2, 4, ...: twice the room */
        file->packets =
            realloc(file->packets, (file->n > 0 ? 2 * file->n : 1) * sizeof(*file->packets));
    MUST(file->packets && length >= 32);
    packet = &file->packets[file->n++];
    *packet = (struct pcapng_packet){
        .interface = get4(block + 8), .captured = get4(block + 20), .wire = get4(block + 24)};
    packet->nanoseconds = (uint64_t)get4(block + 12) << 32 | get4(block + 16);
    MUST(packet->interface < file->interfaces);
    MUST(packet->captured <= sizeof(packet->bytes) && 32 + packet->captured <= length);
    memcpy(packet->bytes, at, packet->captured);
    at += (packet->captured + 3) / 4 * 4;
    while ((value = next_option(&at, block + length - 4, &code, &n))) {
        if (code == 1) {
            MUST(n < sizeof(packet->comment));
            memcpy(packet->comment, value, n);
        } else if (code == 2) {
            packet->flags = get4(value);
        }
    }
}

static void read_statistics(struct pcapng *file, const uint8_t *block, uint32_t length)
{
    const uint8_t *at = block + 20, *value;
    uint16_t code, n;

    while ((value = next_option(&at, block + length - 4, &code, &n))) {
        if (code == 4)
            file->received = get8(value);
        else if (code == 5)
            file->missed = get8(value);
    }
}

static uint8_t *read_all(const char *path, size_t *size)
{
    FILE *stream = fopen(path, "rb");
    uint8_t *bytes;

    MUST(stream && fseek(stream, 0, SEEK_END) == 0);
    *size = (size_t)ftell(stream);
    rewind(stream);
    bytes = malloc(*size + 1);
    MUST(bytes && fread(bytes, 1, *size, stream) == *size);
    fclose(stream);
    return bytes;
}

void pcapng_read(struct pcapng *file, const char *path)
{
    size_t size;
    uint8_t *bytes = read_all(path, &size);

    *file = (struct pcapng){.received = UINT64_MAX, .missed = UINT64_MAX};
    MUST(size >= 28 && get4(bytes) == BLOCK_SECTION && get4(bytes + 8) == 0x1a2b3c4d);
    for (size_t at = 0; at < size;) {
        const uint8_t *block = bytes + at;
        uint32_t length;

        MUST(size - at >= 12);
        length = get4(block + 4);
        MUST(length % 4 == 0 && length >= 12 && length <= size - at);
        MUST(get4(block + length - 4) == length);
        if (get4(block) == BLOCK_INTERFACE)
            file->interfaces++;
        else if (get4(block) == BLOCK_PACKET)
            read_packet(file, block, length);
        else if (get4(block) == BLOCK_STATISTICS)
            read_statistics(file, block, length);
        at += length;
    }
    free(bytes);
}

void pcapng_free(struct pcapng *file)
{
    free(file->packets);
}
