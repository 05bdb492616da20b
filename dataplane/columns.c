/*
 * See columns.h. With AVX2; other processors do without.
 *
 *      ip + 0                       + 16
 *      | first  | second | hop    | source | destination | ports |     eight packets: six columns
 *        version, id,      TTL,
 *        length   flags    protocol, checksum
 *
 * Numbers in columns are as in memory, little endian: the first byte of a header's word is its lowest.
 */
#include "dataplane/columns.h"

#include "dataplane/express_admit.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define EIGHT       8u
#define BYTES_LEAST (DP_ETHERNET_BYTES + 32u) /* that are read of each frame */
#define STAGE       __attribute__((target("avx2"), always_inline)) static inline

struct packets {
    __m256i first, second, hop, source, destination;
};
/* What is asked of the senders. */
struct from {
    __m256i own, broadcast, must_own;
};

/* The same 16 bytes of two headers. */
STAGE __m256i pair(const uint8_t *one, const uint8_t *other)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)one)),
                                   _mm_loadu_si128((const void *)other), 1);
}

/* Columns are in the order of ips: four headers in the low halves and four in the high ones, each half
 * turned from rows to columns by itself. */
STAGE void load_columns(uint8_t *const *ips, struct packets *packets)
{
    const __m256i a = pair(ips[0], ips[4]), b = pair(ips[1], ips[5]);
    const __m256i c = pair(ips[2], ips[6]), d = pair(ips[3], ips[7]);
    const __m256i e = pair(ips[0] + 16, ips[4] + 16), f = pair(ips[1] + 16, ips[5] + 16);
    const __m256i g = pair(ips[2] + 16, ips[6] + 16), h = pair(ips[3] + 16, ips[7] + 16);
    const __m256i low[2] = {_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d)};
    const __m256i high[2] = {_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d)};

    packets->first = _mm256_unpacklo_epi64(low[0], low[1]);
    packets->second = _mm256_unpackhi_epi64(low[0], low[1]);
    packets->hop = _mm256_unpacklo_epi64(high[0], high[1]);
    packets->source = _mm256_unpackhi_epi64(high[0], high[1]);
    packets->destination =
        _mm256_unpacklo_epi64(_mm256_unpacklo_epi32(e, f), _mm256_unpacklo_epi32(g, h));
}

STAGE __m256i all(uint32_t value)
{
    return _mm256_set1_epi32((int)value);
}

/* To host byte order. */
STAGE __m256i turned(__m256i words)
{
    const __m256i order = _mm256_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3, 12,
                                          13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);

    return _mm256_shuffle_epi8(words, order);
}

/* dp_special4[] of the first byte. */
STAGE __m256i special(__m256i address)
{
    const __m256i byte = _mm256_and_si256(address, all(0xff));
    const __m256i loopback =
        _mm256_or_si256(_mm256_cmpeq_epi32(byte, all(0)), _mm256_cmpeq_epi32(byte, all(127)));
    const __m256i platform = _mm256_cmpeq_epi32(_mm256_and_si256(byte, all(0xfe)), all(168));

    return _mm256_or_si256(_mm256_or_si256(loopback, platform), _mm256_cmpgt_epi32(byte, all(223)));
}

STAGE __m256i halves(__m256i words)
{
    return _mm256_add_epi32(_mm256_and_si256(words, all(0xffff)), _mm256_srli_epi32(words, 16));
}

/* RFC 1071, as dp_ipv4_checksum_right(): the ten words of a good header sum up to a multiple of 0xffff,
 * which is 0xffff when folded once. */
STAGE __m256i checksum_wrong(const struct packets *packets)
{
    const __m256i sum = _mm256_add_epi32(
        _mm256_add_epi32(_mm256_add_epi32(halves(packets->first), halves(packets->second)),
                         _mm256_add_epi32(halves(packets->hop), halves(packets->source))),
        halves(packets->destination));

    return _mm256_xor_si256(_mm256_cmpeq_epi32(halves(sum), all(0xffff)), all(UINT32_MAX));
}

/* Lengths in bytes, as the headers say. */
STAGE __m256i totals_of(const struct packets *packets)
{
    return _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(packets->first, 8), all(0xff00)),
                           _mm256_srli_epi32(packets->first, 24));
}

/* dp_stands_out4(), but for what is asked of the sender alone. */
STAGE __m256i stands_out(const struct packets *packets, const struct from *from, uint8_t ttl_least)
{
    const __m256i ttl = _mm256_and_si256(packets->hop, all(0xff));
    const __m256i protocol = _mm256_and_si256(packets->hop, all(0xff00));
    const __m256i own = _mm256_cmpeq_epi32(turned(packets->source), from->own);
    __m256i out = _mm256_or_si256(special(packets->source), special(packets->destination));

    out = _mm256_or_si256(out, _mm256_cmpeq_epi32(protocol, all(DP_PROTOCOL_ICMP << 8)));
    out = _mm256_or_si256(out, _mm256_cmpgt_epi32(all(ttl_least), ttl));
    out = _mm256_or_si256(out, _mm256_andnot_si256(own, from->must_own));
    return _mm256_or_si256(out, _mm256_cmpeq_epi32(turned(packets->destination), from->broadcast));
}

/* dp_decrement_ttl(): ~m + m' is 0xfffe in this byte order. */
STAGE __m256i next_hops(__m256i hop)
{
    const __m256i checksum = _mm256_xor_si256(_mm256_srli_epi32(hop, 16), all(0xffff));
    const __m256i sum = halves(_mm256_add_epi32(checksum, all(0xfffe)));
    const __m256i low = _mm256_and_si256(_mm256_sub_epi32(hop, all(1)), all(0xffff));

    return _mm256_or_si256(_mm256_slli_epi32(_mm256_xor_si256(sum, all(0xffff)), 16), low);
}

STAGE void ask_one(const struct dp_gate *gate, const struct dp_nic *nic, struct from *from)
{
    from->own = all(nic->own4);
    from->broadcast = all(nic->subnet4.broadcast);
    from->must_own = all(gate->check_source && !nic->ip_forwarding ? UINT32_MAX : 0);
}

STAGE __m256i gathered(const uint32_t words[EIGHT])
{
    return _mm256_set_epi32((int)words[7], (int)words[6], (int)words[5], (int)words[4],
                            (int)words[3], (int)words[2], (int)words[1], (int)words[0]);
}

STAGE void ask_each(const struct dp_gate *gate, const struct dp_nic *const *senders,
                    struct from *from)
{
    uint32_t own[EIGHT], broadcast[EIGHT], must_own[EIGHT];

    for (unsigned i = 0; i < EIGHT; i++) {
        own[i] = senders[i]->own4;
        broadcast[i] = senders[i]->subnet4.broadcast;
        must_own[i] = -(uint32_t)(gate->check_source & !senders[i]->ip_forwarding);
    }
    from->own = gathered(own);
    from->broadcast = gathered(broadcast);
    from->must_own = gathered(must_own);
}

/* What the frames of an eight are asked for besides their IP header: 0 where it is right. */
struct outside {
    uint64_t mac;  /* the first six bytes count */
    uint32_t kind; /* EtherType, version and header length: the first three bytes */
    uint32_t segments, many_subnets;
};

STAGE void look(const struct rte_mbuf *mbuf, const uint8_t *frame, const struct dp_nic *nic,
                struct outside *outside)
{
    uint32_t kind;

    memcpy(&kind, frame + 12, sizeof(kind));
    outside->mac |= dp_load8(frame) ^ dp_load8(nic->gateway_mac);
    outside->kind |= kind ^ 0x450008u;
    outside->segments |= mbuf->nb_segs ^ 1u;
    outside->many_subnets |= nic->many_subnets4;
}

STAGE bool is_right(const struct outside *outside)
{
    return ((outside->mac << 16) | (outside->kind & 0xffffff) | outside->segments |
            outside->many_subnets) == 0;
}

/* A bit for each frame that is from its NIC to its gateway, and IPv4 without options. */
__attribute__((target("avx2"))) static unsigned
sort_out(const struct dp_express *express, const struct dp_nic *const *senders, unsigned first)
{
    unsigned fit = 0;

    for (unsigned i = 0; i < EIGHT; i++) {
        struct outside outside = {0};
        look(express->mbufs[first + i], express->frames[first + i], senders[first + i], &outside);
        fit |= (unsigned)is_right(&outside) << i;
    }
    return fit;
}

/* Bits as of sort_out(), and the frames' lengths. -1: one has no sender, or not the bytes that are
 * read here. */
STAGE int look_outside(const struct dp_express *express, const struct dp_nic *const *senders,
                       unsigned first, bool one, uint32_t lengths[EIGHT])
{
    const struct dp_nic *nic = senders[first];
    struct outside outside = {0};

    for (unsigned i = first; i < first + EIGHT; i++) {
        const struct rte_mbuf *mbuf = express->mbufs[i];
        if (!one)
            nic = senders[i];
        if ((!one && !nic) || rte_pktmbuf_data_len(mbuf) < BYTES_LEAST)
            return -1;
        lengths[i - first] = rte_pktmbuf_data_len(mbuf);
        look(mbuf, express->frames[i], nic, &outside);
    }
    return is_right(&outside) ? 0xff : (int)sort_out(express, senders, first);
}

/* Fills the lane's places from its end on, but for what is read of headers. */
STAGE void line_up(struct dp_express *express, const struct dp_nic *const *senders, unsigned first,
                   bool one)
{
    struct dp_express_lane *lane = &express->four;
    const unsigned end = lane->n;
    const uint64_t places = UINT64_C(0x0706050403020100) + first * UINT64_C(0x0101010101010101);
    const struct lpm_fib *fib = lpm_rcu_dereference(&senders[first]->fib4);

    memcpy(lane->places + end, &places, sizeof(places));
    memcpy(lane->mbufs + end, express->mbufs + first, EIGHT * sizeof(lane->mbufs[0]));
    memcpy(lane->senders + end, senders + first, EIGHT * sizeof(lane->senders[0]));
    for (unsigned i = 0; i < EIGHT; i++) {
        lane->ips[end + i] = express->frames[first + i] + DP_ETHERNET_BYTES;
        lane->fibs[end + i] = one ? fib : lpm_rcu_dereference(&senders[first + i]->fib4);
    }
}

/* Fills the rest of the same places. A bit for each whose packet is plain. */
STAGE unsigned judge(const struct dp_gate *gate, struct dp_express *express,
                     const struct from *from, const uint32_t lengths[EIGHT])
{
    const unsigned end = express->four.n;
    const __m256i cut = all(0xff3f0000); /* more fragments, offset */
    struct packets packets;
    __m256i totals, bytes, bad;

    load_columns(express->four.ips + end, &packets);
    totals = totals_of(&packets);
    bad = _mm256_cmpgt_epi32(all(DP_EXPRESS_IPV4_BYTES), totals);
    bad = _mm256_or_si256(
        bad,
        _mm256_cmpgt_epi32(_mm256_srli_epi32(_mm256_and_si256(packets.second, cut), 16), all(0)));
    bad = _mm256_or_si256(bad, checksum_wrong(&packets));
    bad = _mm256_or_si256(bad, stands_out(&packets, from, gate->ttl_least));
    _mm256_storeu_si256((void *)(express->four.totals + end), totals);
    _mm256_storeu_si256((void *)(express->addresses4 + end), turned(packets.destination));
    _mm256_storeu_si256((void *)(express->hops4 + end),
                        gate->decrement_ttl ? next_hops(packets.hop) : packets.hop);
    /* Last: what was stored word by word has to reach the cache before it is read at once. */
    bytes = _mm256_sub_epi32(_mm256_loadu_si256((const void *)lengths), all(DP_ETHERNET_BYTES));
    bad = _mm256_or_si256(bad, _mm256_cmpgt_epi32(totals, bytes));
    return ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(bad)) & 0xff;
}

/* Of the eight places from the lane's end on, those of plain packets close up. Others may be IPv6. */
static void sift(const struct dp_gate *gate, struct dp_express *express,
                 const struct dp_nic *const *senders, unsigned first, unsigned plain)
{
    struct dp_express_lane *lane = &express->four;
    unsigned from = lane->n;

    for (unsigned i = 0; i < EIGHT; i++, from++) {
        const unsigned to = lane->n;

        if (!(plain >> i & 1))
            continue;
        lane->places[to] = lane->places[from];
        lane->mbufs[to] = lane->mbufs[from];
        lane->ips[to] = lane->ips[from];
        lane->senders[to] = lane->senders[from];
        lane->fibs[to] = lane->fibs[from];
        lane->totals[to] = lane->totals[from];
        express->addresses4[to] = express->addresses4[from];
        memmove(express->hops4[to], express->hops4[from], sizeof(express->hops4[to]));
        lane->n++;
    }
    for (unsigned i = 0; i < EIGHT; i++) {
        if (!(plain >> i & 1))
            dp_express_admit_one(gate, express, first + i, senders[first + i]);
    }
}

/* A burst of IPv6 is known by its first frame. */
static bool is_ipv4(const struct dp_express *express, unsigned place)
{
    return dp_express_is_whole(express->mbufs[place]) &&
           dp_load2(express->frames[place] + 12) == DP_ETHERTYPE_IPV4;
}

static void admit_singly(const struct dp_gate *gate, struct dp_express *express,
                         const struct dp_nic *const *senders, unsigned first)
{
    for (unsigned i = first; i < first + EIGHT; i++)
        dp_express_admit_one(gate, express, i, senders[i]);
}

STAGE void admit_eights(const struct dp_gate *gate, struct dp_express *express,
                        const struct dp_nic *const *senders, bool one, unsigned n)
{
    uint32_t lengths[EIGHT];
    struct from from;

    if (one)
        ask_one(gate, senders[0], &from);
    for (unsigned first = 0; first < n; first += EIGHT) {
        int fit = -1;
        if (is_ipv4(express, first))
            fit = look_outside(express, senders, first, one, lengths);
        if (fit < 0) {
            admit_singly(gate, express, senders, first);
            continue;
        }
        if (!one)
            ask_each(gate, senders + first, &from);
        line_up(express, senders, first, one);
        fit &= (int)judge(gate, express, &from, lengths);
        if (fit == 0xff)
            express->four.n += EIGHT;
        else
            sift(gate, express, senders, first, (unsigned)fit);
    }
}

__attribute__((target("avx2"))) static unsigned admit(const struct dp_gate *gate,
                                                      struct dp_express *express,
                                                      const struct dp_nic *const *senders, bool one)
{
    const unsigned n = express->n / EIGHT * EIGHT;

    if (!one)
        admit_eights(gate, express, senders, false, n);
    else if (senders[0])
        admit_eights(gate, express, senders, true, n);
    else
        return 0;
    return n;
}

const struct dp_columns *dp_columns_best(void)
{
    static const struct dp_columns avx2 = {.name = "avx2", .admit = admit};

    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? &avx2 : NULL;
}

#else

const struct dp_columns *dp_columns_best(void)
{
    return NULL;
}

#endif
