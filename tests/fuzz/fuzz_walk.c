/*
 * Fuzzing the whole packet path: bursts of any frames through a worker, from its receive queues to its
 * transmit queues, over a fabric that has something of everything (tests/dataplane/testbed.h).
 *
 * Input: a byte that chooses the fabric and what fails around it, one that says where; then frames, each
 *
 *      | port, burst, lengths | memory, padding | n | n bytes |
 *
 * that are received again and again by two workers, of which one takes the express way where it may and the
 * other never does. What must hold after each burst:
 *
 *   - received = forwarded + answered + dropped for each NIC, and for the ports together
 *   - no buffer is lost
 *   - each frame that left is well-formed, and a received one but for what a router does to it; or a fragment of one, an
 *     answer, or an ICMP error about one
 *   - both ways the same frames left by the same ports, with the same accounts
 *
 * There is no corpus of files: mutations put in frames of the testbed, one of each kind.
 */
#include <stdint.h>
#include <string.h>

#include "tests/dataplane/testbed_pair.h"
#include "tests/must.h"

#define BEDS        4u
#define FRAMES_MOST 64u /* of an input */
#define PAD_BYTES   128u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Of the first byte. */
enum {
    CHOICE_BED = 3,
    CHOICE_FEW_ANSWERS = 4,
    CHOICE_NO_BUFFER = 8,
    CHOICE_CLOGGED = 16, /* the device takes few frames: which ones differs with the way */
    CHOICE_LINK_DOWN = 32,
    CHOICE_PARTIAL = 64, /* senders leave checksums to hardware */
};
/* Of a frame's first byte, and its second. */
enum { FRAME_PORT = 7, FRAME_BURST = 8, FRAME_SEAL = 16, FRAME_FIT = 32, FRAME_SEGMENTS = 6 };
enum { FRAME_EXACT = 1, FRAME_PAD = 1 };
#define FRAME_HEAD 3u

static struct testbed_pair pairs[BEDS];

/* --- Beds --------------------------------------------------------------------------------------- */

static void tear_down(void)
{
    for (unsigned i = 0; i < BEDS; i++)
        testbed_pair_close(&pairs[i]);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct testbed_options options[BEDS] = {
        {.hash_fields = 0}, {.hash_fields = 3}, {.azure = true}, {.azure = true, .hash_fields = 6}};

    (void)argc;
    (void)argv;
    for (unsigned i = 0; i < BEDS; i++)
        testbed_pair_open(&pairs[i], &options[i]);
    return atexit(tear_down);
}

static void prepare(struct testbed *bed, unsigned choice, unsigned where)
{
    const unsigned port = where % BED_PORTS;

    testbed_reset(bed);
    if (choice & CHOICE_FEW_ANSWERS)
        testbed_limit_answers(bed, 2);
    if (choice & CHOICE_LINK_DOWN)
        bed->ports[port].link_up = false;
    bed->ports[port].partial_checksums = choice & CHOICE_PARTIAL;
}

/* --- Frames ------------------------------------------------------------------------------------- */

struct fuzzed {
    bool new_burst;
    unsigned port;
    struct testbed_frame frame;
};

/* The IP header of an untagged frame says how long it really is. */
static void fit(uint8_t *bytes, uint32_t n)
{
    if (n >= 34 && bytes[12] == 0x08 && bytes[13] == 0)
        dp_store2(bytes + 16, n - 14 < UINT16_MAX ? n - 14 : UINT16_MAX);
    if (n >= 54 && bytes[12] == 0x86 && bytes[13] == 0xdd)
        dp_store2(bytes + 18, n - 54 < UINT16_MAX ? n - 54 : UINT16_MAX);
}

/* Of the packet at `ip`, if it looks like one. */
static void seal(uint8_t *bytes, uint32_t n, uint32_t ip)
{
    uint32_t header;

    if (n < ip + 20 || bytes[ip] >> 4 != 4)
        return;
    header = (bytes[ip] & 15u) * 4u;
    if (header < 20 || n < ip + header)
        return;
    dp_store2(bytes + ip + 10, 0);
    dp_store2(bytes + ip + 10, (uint16_t)~sum16(bytes + ip, header, 0));
}

/* Without it hardly any mutation would get past the checksum: of the packet, tagged or not, and of one in a tunnel. */
static void seal_all(uint8_t *bytes, uint32_t n)
{
    const uint32_t inner4 = 14 + 20 + 16 + 14, inner6 = 14 + 40 + 16 + 14;

    if (n > 24 && bytes[12] == 0x08)
        seal(bytes, n, 14);
    else if (n > 24 && bytes[12] == 0x81)
        seal(bytes, n, 18);
    if (n > inner4 && bytes[inner4 - 2] == 0x08)
        seal(bytes, n, inner4);
    if (n > inner6 && bytes[inner6 - 2] == 0x08)
        seal(bytes, n, inner6);
}

/* Takes one frame off the input; false: there is none. */
static bool read_frame(const uint8_t **data, size_t *size, struct fuzzed *fuzzed)
{
    const uint8_t *head = *data;
    uint32_t own, n;
    uint8_t *bytes;

    if (*size < FRAME_HEAD)
        return false;
    own = head[2] <= *size - FRAME_HEAD ? head[2] : (uint32_t)(*size - FRAME_HEAD);
    n = own + (uint32_t)(head[1] >> FRAME_PAD) * PAD_BYTES;
    bytes = malloc(n + 1);
    MUST(bytes);
    memcpy(bytes, head + FRAME_HEAD, own);
    memset(bytes + own, 0x5a, n - own);
    if (head[0] & FRAME_FIT)
        fit(bytes, n);
    if (head[0] & FRAME_SEAL)
        seal_all(bytes, n);
    *fuzzed = (struct fuzzed){.port = (head[0] & FRAME_PORT) % BED_PORTS,
                              .new_burst = head[0] & FRAME_BURST,
                              .frame = {.bytes = bytes,
                                        .n = n,
                                        .segments = 1u + (head[0] >> FRAME_SEGMENTS),
                                        .exact = head[1] & FRAME_EXACT}};
    *data += FRAME_HEAD + own;
    *size -= FRAME_HEAD + own;
    return true;
}

/* --- The input ---------------------------------------------------------------------------------- */

static void run_burst(struct testbed_pair *pair, const struct fuzzed *fuzzed, unsigned n,
                      unsigned choice, unsigned where)
{
    struct testbed_frame frames[DP_BURST];

    for (unsigned i = 0; i < n; i++)
        frames[i] = fuzzed[i].frame;
    for (unsigned way = 0; way < BED_WAYS && choice & CHOICE_NO_BUFFER; way++)
        testbed_take_buffers(&pair->beds[way]);
    if (choice & CHOICE_CLOGGED)
        testbed_pair_try_clogged(pair, fuzzed[0].port, frames, n, where >> 4);
    else
        testbed_pair_try(pair, fuzzed[0].port, frames, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzzed fuzzed[FRAMES_MOST];
    unsigned n = 0, choice, where;
    struct testbed_pair *pair;

    if (size < 2)
        return 0;
    choice = data[0];
    where = data[1];
    pair = &pairs[choice & CHOICE_BED];
    data += 2;
    size -= 2;
    while (n < FRAMES_MOST && read_frame(&data, &size, &fuzzed[n]))
        n++;
    for (unsigned way = 0; way < BED_WAYS; way++)
        prepare(&pair->beds[way], choice, where);
    for (unsigned from = 0, to; from < n; from = to) {
        to = from + 1;
        while (to < n && to - from < DP_BURST && !fuzzed[to].new_burst)
            to++;
        run_burst(pair, fuzzed + from, to - from, choice, where);
    }
    for (unsigned i = 0; i < n; i++)
        free((void *)(uintptr_t)fuzzed[i].frame.bytes);
    return 0;
}

/* --- Mutations ---------------------------------------------------------------------------------- */

/* One of the testbed's frames as the input has it, at the end of data; the new size, or the old one where there is no
 * room. Long ones have their end made of padding. */
static size_t append_frame(uint8_t *data, size_t size, size_t max_size, unsigned chance)
{
    static struct frame frame;
    const unsigned port = testbed_frame_make(chance % testbed_frame_kinds(), &frame);
    const uint32_t own = frame.captured < UINT8_MAX ? frame.captured : UINT8_MAX;
    const uint32_t pad = (frame.captured - own + PAD_BYTES - 1) / PAD_BYTES;
    uint8_t *head = data + size;

    chance /= testbed_frame_kinds();
    if (max_size < size + FRAME_HEAD + own)
        return size;
    head[0] = (uint8_t)(port | FRAME_SEAL | (pad > 0 ? FRAME_FIT : 0));
    head[0] |= (uint8_t)((chance % 8 == 0 ? FRAME_BURST : 0) | (chance / 8 % 4) << FRAME_SEGMENTS);
    head[1] = (uint8_t)(pad << FRAME_PAD | (chance / 32 % 2 ? FRAME_EXACT : 0));
    head[2] = (uint8_t)own;
    memcpy(head + FRAME_HEAD, frame.bytes, own);
    return size + FRAME_HEAD + own;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    const unsigned what = seed % 8, chance = seed / 8;

    if (size < 2 && max_size >= 2) {
        data[0] = (uint8_t)chance;
        data[1] = (uint8_t)(chance >> 8);
        size = 2;
    }
    if (what < 3)
        return append_frame(data, size, max_size, chance);
    return LLVMFuzzerMutate(data, size, max_size);
}
