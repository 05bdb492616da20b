/*
 * Captures of running workers: every frame once on its way in and once on its way out, with its fate;
 * files that are whole however they end; and what is not captured goes on as ever.
 *
 *      vm: a ring that the test fills       nva1, nva2: VLANs of a port that takes everything
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "dataplane/eal.h"
#include "dataplane/forwarding.h"
#include "tests/dataplane/lab.h"
#include "tests/dataplane/pcapng.h"

#define PATIENCE_MS 60000
#define ANNOUNCED   3u /* one gateway of IPv4, one of IPv6, and its link-local address */

static struct lab lab;
static struct frame frame;
static struct dp_engine *engine;
static struct rte_mempool *pool;
static struct rte_ring *wire; /* what vm sends */
static uint64_t sent;
static struct pcapng file;

/* --- The stage -------------------------------------------------------------------------------- */

static void start_engine(struct dp_port_config *vm, unsigned workers)
{
    unsigned core = lab_core(), cores[2] = {core, core};
    struct dp_port_config ports[2] = {*vm,
                                      {.name = "nvas", .device = "net_null", .options = "no-rx=1"}};
    struct dp_engine_config config = {
        .ports = ports, .port_count = 2, .cores = cores, .core_count = workers, .quiet = true};
    char error[DP_ERROR_TEXT];

    cr_assert_eq(dp_engine_start(&config, lab.forwarding, &engine, error), 0, "%s", error);
}

static struct rte_ring *find_wire(void)
{
    char device[RTE_ETH_NAME_MAX_LEN], name[RTE_RING_NAMESIZE];
    uint16_t port;

    RTE_ETH_FOREACH_DEV(port)
    {
        if (rte_eth_dev_get_name_by_port(port, device) || strncmp(device, "net_ring", 8) != 0)
            continue;
        snprintf(name, sizeof(name), "ETH_RXTX0_%.18s", device);
        return rte_ring_lookup(name);
    }
    return NULL;
}

static void open_lab(void)
{
    struct lab_options options = {.workers = 1};

    options.attachments[LAB_VM] = (struct dp_attachment){DP_ATTACHMENT_PORT, 0, 0};
    options.attachments[LAB_NVA1] = (struct dp_attachment){DP_ATTACHMENT_VLAN, 1, 101};
    options.attachments[LAB_NVA2] = (struct dp_attachment){DP_ATTACHMENT_VLAN, 1, 102};
    options.attachments[LAB_PEER] = (struct dp_attachment){DP_ATTACHMENT_VLAN, 1, 103};
    lab_open(&lab, &options);
    sent = 0;
}

static void pause_ms(unsigned ms)
{
    const struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&pause, NULL);
}

static void wait_until_all_have_an_end(void)
{
    struct dp_counters counters;

    for (unsigned ms = 0; ms < PATIENCE_MS; ms++) {
        dp_counters_total(lab.forwarding, &counters);
        if (counters.received >= sent && counters_add_up(&counters))
            return;
        pause_ms(1);
    }
    cr_assert_fail("%llu of %llu frames", (unsigned long long)counters.received,
                   (unsigned long long)sent);
}

/* What goes to vm comes back over its wire, and the engine begins by announcing vm's gateways. */
static void open_stage(void)
{
    struct dp_port_config vm = {.name = "vm", .device = "net_ring"};

    open_lab();
    start_engine(&vm, 1);
    wire = find_wire();
    pool = dp_pool_create(511, 2048);
    cr_assert(wire && pool);
    sent = ANNOUNCED;
    wait_until_all_have_an_end();
}

static void close_stage(void)
{
    dp_engine_stop(engine);
    lab_close(&lab);
}

TestSuite(capture, .init = open_stage, .fini = close_stage);
TestSuite(flood, .init = open_lab, .fini = close_stage);

static void send_frame(void)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

    memcpy(rte_pktmbuf_append(mbuf, (uint16_t)frame.captured), frame.bytes, frame.captured);
    cr_assert_eq(rte_ring_enqueue(wire, mbuf), 0);
    sent++;
}

/* --- Captures --------------------------------------------------------------------------------- */

static struct dp_capture_config into(const char *name)
{
    const int fd = open(lab_path(&lab, name), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    return (struct dp_capture_config){
        .nic = LAB_VM, .reason = DP_REASON_COUNT, .seconds_most = 60, .file = fd};
}

static struct dp_capture *begin(const struct dp_capture_config *config)
{
    struct dp_capture *capture = NULL;

    cr_assert_eq(dp_capture_start(engine, config, &capture), 0);
    return capture;
}

static struct dp_capture_status end_of(struct dp_capture *capture)
{
    struct dp_capture_status status;
    unsigned ms = 0;

    for (; !dp_capture_poll(capture, &status) && ms < PATIENCE_MS; ms++)
        pause_ms(1);
    cr_assert_lt(ms, PATIENCE_MS);
    dp_capture_poll(capture, &status);
    dp_capture_free(capture);
    return status;
}

static struct dp_capture_status stop(struct dp_capture *capture)
{
    wait_until_all_have_an_end();
    dp_capture_stop(capture);
    return end_of(capture);
}

static void read_file(const char *name)
{
    pcapng_read(&file, lab_path(&lab, name));
}

/* How many packets of the file have this comment? */
static unsigned commented(const char *comment)
{
    unsigned n = 0;

    for (unsigned i = 0; i < file.n; i++)
        n += strcmp(file.packets[i].comment, comment) == 0;
    return n;
}

/* One of each fate, to vm's neighbours and beyond. */
static void send_of_every_kind(void)
{
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 7, 10); /* to nva1 */
    send_frame();
    frame_udp4(&frame, "10.1.0.4", "198.51.100.9", 7, 100); /* None */
    send_frame();
    frame_udp4(&frame, "10.9.9.9", "203.0.113.9", 7, 10); /* not its own address */
    send_frame();
    frame_echo4(&frame, "10.1.0.4", "10.1.0.1", 8); /* the gateway's, answered to vm */
    send_frame();
    frame_udp6(&frame, "fd00:1::4", "fd00:1::5", 7, 10); /* to peer */
    send_frame();
}

/* --- Contents --------------------------------------------------------------------------------- */

Test(capture, has_each_frame_of_its_nic_as_it_was_sent_and_with_its_fate)
{
    struct dp_capture_config config = into("in");
    struct dp_capture_status status;
    struct dp_capture *capture;
    struct timespec now;

    config.direction = DP_CAPTURE_IN;
    capture = begin(&config);
    send_of_every_kind();
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 9, 1001);
    send_frame();
    wait_until_all_have_an_end();
    /* What is answered to vm comes back over the ring that is its wire: not sent to a gateway. */
    sent++;
    status = stop(capture);
    read_file("in");
    clock_gettime(CLOCK_REALTIME, &now);
    cr_assert_eq(status.end, DP_CAPTURE_STOPPED);
    cr_assert_eq(status.missed, 0);
    cr_assert_eq(status.packets, file.n);
    cr_assert_eq(commented("nic=vm direction=in verdict=forwarded to=nva1"), 2);
    cr_assert_eq(commented("nic=vm direction=in verdict=forwarded to=peer"), 1);
    cr_assert_eq(commented("nic=vm direction=in verdict=dropped reason=null-route"), 1);
    cr_assert_eq(commented("nic=vm direction=in verdict=dropped reason=source-check"), 1);
    cr_assert_eq(commented("nic=vm direction=in verdict=answered"), 1);
    for (unsigned i = 0; i < file.n; i++) {
        cr_assert_eq(file.packets[i].flags & 3, 1);
        cr_assert_lt(file.packets[i].nanoseconds / 1000000000, (uint64_t)now.tv_sec + 2);
        cr_assert_gt(file.packets[i].nanoseconds / 1000000000, (uint64_t)now.tv_sec - 300);
    }
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 7, 10);
    cr_assert_eq(file.packets[0].captured, frame.captured);
    cr_assert_arr_eq(file.packets[0].bytes, frame.bytes, frame.captured);
    cr_assert_eq(file.received, file.n);
    cr_assert_eq(file.missed, 0);
    pcapng_free(&file);
}

Test(capture, has_what_goes_to_its_nic_as_it_leaves)
{
    struct dp_capture_config config = into("out");
    struct dp_capture *capture;

    config.nic = LAB_NVA1;
    capture = begin(&config);
    send_of_every_kind();
    stop(capture);
    read_file("out");
    cr_assert_eq(file.n, 1);
    cr_assert_str_eq(file.packets[0].comment, "nic=nva1 direction=out verdict=sent from=vm");
    cr_assert_eq(file.packets[0].flags & 3, 2);
    cr_assert_arr_eq(file.packets[0].bytes + 12, "\x81\0\0\x65\x08\0", 6); /* VLAN 101 */
    cr_assert_eq(file.packets[0].bytes[18 + 8], 63);                       /* TTL */
    cr_assert_eq(sum16(file.packets[0].bytes + 18, 20, 0), 0xffff);
    pcapng_free(&file);
}

Test(capture, of_drops_has_those_of_the_reason_alone_as_they_came)
{
    struct dp_capture_config config = into("any"), one = into("one");
    struct dp_capture *captures[2];

    config.direction = one.direction = DP_CAPTURE_DROP;
    one.reason = DP_REASON_NULL_ROUTE;
    captures[0] = begin(&config);
    captures[1] = begin(&one);
    send_of_every_kind();
    stop(captures[0]);
    stop(captures[1]);
    read_file("one");
    cr_assert_eq(file.n, 1);
    frame_udp4(&frame, "10.1.0.4", "198.51.100.9", 7, 100);
    cr_assert_eq(file.packets[0].captured, frame.captured);
    cr_assert_arr_eq(file.packets[0].bytes, frame.bytes, frame.captured);
    pcapng_free(&file);
    read_file("any");
    cr_assert_geq(file.n, 2);
    cr_assert_eq(commented("nic=vm direction=in verdict=dropped reason=null-route"), 1);
    cr_assert_eq(commented("nic=vm direction=in verdict=dropped reason=source-check"), 1);
    pcapng_free(&file);
}

/* A frame of nobody, a tag that hangs on no NIC: only a capture of all has it. */
Test(capture, of_all_nics_has_frames_of_none)
{
    struct dp_capture_config all = into("all"), vm = into("vm");
    struct dp_capture *captures[2];

    all.nic = DP_NIC_ANY;
    all.direction = vm.direction = DP_CAPTURE_DROP;
    cr_assert_eq(dp_nic_remove(lab.forwarding, LAB_VM), 0);
    captures[0] = begin(&all);
    captures[1] = begin(&vm);
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 7, 10);
    send_frame();
    stop(captures[0]);
    stop(captures[1]);
    read_file("all");
    cr_assert_eq(file.n, 1);
    cr_assert_str_eq(file.packets[0].comment,
                     "nic=none direction=in verdict=dropped reason=unknown-attachment");
    pcapng_free(&file);
    read_file("vm");
    cr_assert_eq(file.n, 0);
    pcapng_free(&file);
    lab_set_nic(&lab, LAB_VM);
}

Test(capture, cuts_frames_to_the_length_asked_for_and_keeps_their_own)
{
    struct dp_capture_config config = into("short");
    struct dp_capture *capture;

    config.snap_bytes = 60;
    config.direction = DP_CAPTURE_IN;
    capture = begin(&config);
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 7, 1003);
    send_frame();
    stop(capture);
    read_file("short");
    cr_assert_eq(file.n, 1);
    cr_assert_eq(file.packets[0].captured, 60);
    cr_assert_eq(file.packets[0].wire, frame.captured);
    cr_assert_arr_eq(file.packets[0].bytes, frame.bytes, 60);
    pcapng_free(&file);
}

/* --- Ends ------------------------------------------------------------------------------------- */

Test(capture, ends_at_the_packet_that_was_asked_for)
{
    struct dp_capture_config config = into("three");
    struct dp_capture_status status;
    struct dp_capture *capture;

    config.packets_most = 3;
    capture = begin(&config);
    for (unsigned i = 0; i < 3; i++)
        send_of_every_kind();
    status = end_of(capture);
    read_file("three");
    cr_assert_eq(status.end, DP_CAPTURE_PACKETS);
    cr_assert_eq(status.packets, 3);
    cr_assert_eq(file.n, 3);
    pcapng_free(&file);
}

Test(capture, ends_when_its_time_is_over)
{
    struct dp_capture_config config = into("second");

    config.seconds_most = 1;
    cr_assert_eq(end_of(begin(&config)).end, DP_CAPTURE_SECONDS);
    read_file("second");
    cr_assert_eq(file.n, 0);
    cr_assert_eq(file.interfaces, 2);
    pcapng_free(&file);
}

/* A file system that is full, or a limit on the length of files: the same to the one who writes. */
Test(capture, whose_file_takes_no_more_says_so_and_leaves_whole_blocks)
{
    const struct rlimit limit = {4000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    struct dp_capture_config config = into("full");
    struct dp_capture_status status;
    struct dp_capture *capture;

    capture = begin(&config);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 7, 900);
    for (unsigned i = 0; i < 20; i++)
        send_frame();
    status = end_of(capture);
    setrlimit(RLIMIT_FSIZE, &none);
    cr_assert_eq(status.end, DP_CAPTURE_FAILED);
    cr_assert_neq(status.error, 0);
    read_file("full");
    cr_assert_eq(status.packets, file.n);
    pcapng_free(&file);
}

static uint64_t sent_to_nvas(void)
{
    struct dp_port_status status;

    cr_assert_eq(dp_engine_port_status(engine, 1, &status), 0);
    return status.tx_packets;
}

/* An announcement, which no burst comes before: what the last burst found observed is freed memory by then. */
Test(capture, that_has_ended_is_not_asked_any_more)
{
    struct dp_capture_config config = into("ended");
    struct dp_capture *capture = begin(&config);
    uint64_t before;

    send_of_every_kind();
    stop(capture);
    lpm_rcu_barrier();
    before = sent_to_nvas();
    cr_assert_eq(dp_nic_remove(lab.forwarding, LAB_NVA1), 0);
    lab_set_nic(&lab, LAB_NVA1);
    for (unsigned ms = 0; ms < PATIENCE_MS && sent_to_nvas() == before; ms++)
        pause_ms(1);
    cr_assert_gt(sent_to_nvas(), before);
}

Test(capture, can_be_freed_while_it_runs)
{
    struct dp_capture_config config = into("freed");
    struct dp_capture *capture = begin(&config);

    send_of_every_kind();
    wait_until_all_have_an_end();
    dp_capture_free(capture);
    read_file("freed");
    cr_assert_geq(file.n, 5);
    pcapng_free(&file);
    cr_assert_null(atomic_load(&lab.forwarding->watch));
}

Test(capture, is_refused_a_file_that_is_none_and_more_than_there_may_be)
{
    struct dp_capture_config config = into("some"), bad = config;
    struct dp_capture *captures[DP_CAPTURES_MOST], *capture = NULL;
    int ends[2];

    bad.file = open(lab.directory, O_RDONLY | O_DIRECTORY);
    cr_assert_eq(dp_capture_start(engine, &bad, &capture), -EINVAL);
    close(bad.file);
    cr_assert_eq(pipe(ends), 0);
    bad.file = ends[1];
    cr_assert_eq(dp_capture_start(engine, &bad, &capture), -EINVAL);
    bad.file = open(lab_path(&lab, "some"), O_RDONLY);
    cr_assert_eq(dp_capture_start(engine, &bad, &capture), -EINVAL);
    bad.file = -1;
    cr_assert_eq(dp_capture_start(engine, &bad, &capture), -EINVAL);
    bad = config;
    bad.nic = 1000;
    cr_assert_eq(dp_capture_start(engine, &bad, &capture), -EINVAL);
    for (unsigned i = 0; i < DP_CAPTURES_MOST; i++) {
        char name[16];

        snprintf(name, sizeof(name), "some%u", i);
        config = into(name);
        captures[i] = begin(&config);
    }
    bad = into("more");
    cr_assert_eq(dp_capture_start(engine, &bad, &capture), -EBUSY);
    for (unsigned i = 0; i < DP_CAPTURES_MOST; i++)
        dp_capture_free(captures[i]);
    capture = begin(&bad);
    dp_capture_free(capture);
}

/* --- Under load ------------------------------------------------------------------------------- */

/* More comes than any file takes: what found no room is told, and nothing of it changes what becomes of
 * the frames. */
Test(flood, is_captured_as_far_as_there_is_room_and_told_what_was_missed)
{
    struct trace *trace = trace_create(lab_path(&lab, "flows.pcap"), 1);
    char options[200];
    struct dp_port_config vm = {.name = "vm", .device = "net_pcap", .options = options};
    struct dp_capture_config config;
    struct dp_capture_status status;
    struct dp_counters counters;
    struct dp_capture *capture;

    for (unsigned i = 0; i < 64; i++) {
        frame_udp4(&frame, "10.1.0.4", i % 2 ? "203.0.113.9" : "198.51.100.9", (uint16_t)i, 18);
        trace_add(trace, &frame);
    }
    trace_close(trace);
    snprintf(options, sizeof(options), "rx_pcap=%s,infinite_rx=1", lab_path(&lab, "flows.pcap"));
    start_engine(&vm, 1);
    config = into("flood");
    config.direction = DP_CAPTURE_IN;
    config.bytes_most = 1 << 20;
    capture = begin(&config);
    status = end_of(capture);
    read_file("flood");
    dp_counters_total(lab.forwarding, &counters);
    cr_assert_eq(status.end, DP_CAPTURE_BYTES);
    cr_assert_leq(status.bytes, 1 << 20);
    cr_assert_gt(status.missed, 0);
    cr_assert_gt(status.packets, 1000);
    cr_assert_leq(status.packets + status.missed, counters.received);
    cr_assert_eq(status.packets, file.n);
    cr_assert_eq(file.received, file.n + file.missed);
    cr_assert_eq(commented("nic=vm direction=in verdict=forwarded to=nva1") +
                     commented("nic=vm direction=in verdict=dropped reason=null-route"),
                 file.n);
    dp_engine_stop(engine);
    engine = NULL;
    dp_counters_total(lab.forwarding, &counters);
    cr_assert(counters_add_up(&counters));
    cr_assert_eq(counters_dropped(&counters), counters.dropped[DP_REASON_NULL_ROUTE]);
    pcapng_free(&file);
}
