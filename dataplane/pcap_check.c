/*
 * Capture files are input from outside: read once in full by libpcap before DPDK's pcap device,
 * which stops at the first bad record as if the file ended there, sees them.
 *
 * The pcap device hands over the captured bytes only. The lengths that the frames had on their wire
 * are kept here, but only for files in which one frame at least was cut by a snap length: most
 * files cost nothing.
 */
#include "dataplane/pcap_check.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/eal.h"
#include "dataplane/error.h"

static int refuse_errno(const char *path, int code, char error[DP_ERROR_TEXT])
{
    return dp_fail(error, -code, "%s: %s; a capture file (pcap or pcapng) is expected", path,
                   strerror(code));
}

/* People keep captures packed; say so instead of "unknown file format". */
static const char *packed_with(int file)
{
    static const struct {
        const char *magic;
        size_t n;
        const char *tool;
    } packers[] = {{"\x1f\x8b", 2, "gunzip"},
                   {"\xfd"
                    "7zXZ",
                    5, "unxz"},
                   {"BZh", 3, "bunzip2"},
                   {"\x28\xb5\x2f\xfd", 4, "unzstd"}};
    char head[8] = {0};

    if (pread(file, head, sizeof(head), 0) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
        if (!memcmp(head, packers[i].magic, packers[i].n))
            return packers[i].tool;
    }
    return NULL;
}

/* libpcap takes the stream over, and closes it with the capture. */
static int open_stream(const char *path, int file, pcap_t **pcap, char error[DP_ERROR_TEXT])
{
    char reason[PCAP_ERRBUF_SIZE];
    int copy = fcntl(file, F_DUPFD_CLOEXEC, 0);
    FILE *stream = copy < 0 ? NULL : fdopen(copy, "rb");

    if (!stream) {
        int code = errno;

        if (copy >= 0)
            close(copy);
        return refuse_errno(path, code, error);
    }
    *pcap = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, reason);
    if (*pcap)
        return 0;
    fclose(stream);
    if (packed_with(file))
        return dp_fail(error, -EINVAL, "%s: packed; unpack it first (%s)", path, packed_with(file));
    return dp_fail(error, -EINVAL, "%s: not a capture file (%s); pcap or pcapng is expected", path,
                   reason);
}

/* Makes room for one frame more in a list of items of `size` bytes. */
static int grow(void **list, size_t size, uint64_t room)
{
    void *grown = realloc(*list, room * size);

    if (!grown)
        return -ENOMEM;
    *list = grown;
    return 0;
}

static int make_room(struct dp_capture_file *capture, bool with_times, uint64_t *room)
{
    void *lengths = capture->wire_lengths, *times = capture->times;
    int result;

    if (capture->frames < *room)
        return 0;
    *room = *room ? *room * 2 : 1024;
    result = grow(&lengths, sizeof(*capture->wire_lengths), *room);
    if (!result && with_times)
        result = grow(&times, sizeof(*capture->times), *room);
    capture->wire_lengths = lengths;
    capture->times = times;
    return result;
}

/* Only a later frame tells whether the lengths are needed at all, so the list grows from the first
 * frame on. Clocks are set back, and files are merged: a frame is never due before the one in front. */
static int note_frame(struct dp_capture_file *capture, bool with_times, uint64_t *room,
                      const struct pcap_pkthdr *header, uint32_t wire)
{
    const uint64_t frame = capture->frames;
    uint64_t time;

    if (make_room(capture, with_times, room))
        return -ENOMEM;
    capture->wire_lengths[frame] = wire;
    if (!with_times)
        return 0;
    time = (uint64_t)header->ts.tv_sec * 1000000000u + (uint64_t)header->ts.tv_usec;
    if (frame > 0 && time < capture->times[frame - 1])
        time = capture->times[frame - 1];
    capture->times[frame] = time;
    return 0;
}

static int check_record(const char *path, const struct pcap_pkthdr *header, uint64_t number,
                        char error[DP_ERROR_TEXT])
{
    if (header->caplen <= DP_FRAME_MAX)
        return 0;
    return dp_fail(error, -EINVAL,
                   "%s: packet %llu has %u captured bytes; at most %u are possible "
                   "(capture without segmentation offload, or cut with editcap -s)",
                   path, (unsigned long long)number, header->caplen, DP_FRAME_MAX);
}

static int read_records(const char *path, pcap_t *pcap, bool with_times,
                        struct dp_capture_file *capture, char error[DP_ERROR_TEXT])
{
    const u_char *bytes;
    struct pcap_pkthdr *header;
    uint64_t room = 0;
    bool cut = false;
    int more;

    while ((more = pcap_next_ex(pcap, &header, &bytes)) == 1) {
        /* A frame cannot have been shorter than what was captured of it. */
        uint32_t wire = header->len > header->caplen ? header->len : header->caplen;
        int result = check_record(path, header, capture->frames + 1, error);

        if (result)
            return result;
        if (note_frame(capture, with_times, &room, header, wire))
            return refuse_errno(path, ENOMEM, error);
        cut |= wire != header->caplen;
        if (header->caplen > capture->captured_max)
            capture->captured_max = header->caplen;
        capture->frames++;
    }
    if (!cut) {
        free(capture->wire_lengths);
        capture->wire_lengths = NULL;
    }
    if (more == PCAP_ERROR_BREAK)
        return 0;
    return dp_fail(error, -EINVAL, "%s: after packet %llu: %s; the file must be whole", path,
                   (unsigned long long)capture->frames, pcap_geterr(pcap));
}

static int check_link_type(const char *path, pcap_t *pcap, char error[DP_ERROR_TEXT])
{
    int type = pcap_datalink(pcap);
    const char *name = pcap_datalink_val_to_name(type);

    if (type == DLT_EN10MB)
        return 0;
    return dp_fail(error, -EINVAL, "%s: link type %s (%d); Ethernet (EN10MB) is expected", path,
                   name ? name : "unknown", type);
}

/* Read twice, by libpcap and by the pcap device, so a pipe will not do. */
static int open_regular(const char *path, int *file, char error[DP_ERROR_TEXT])
{
    struct stat status;

    *file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*file < 0)
        return refuse_errno(path, errno, error);
    if (fstat(*file, &status))
        return refuse_errno(path, errno, error);
    if (S_ISREG(status.st_mode))
        return 0;
    if (S_ISDIR(status.st_mode))
        return refuse_errno(path, EISDIR, error);
    return dp_fail(error, -EINVAL,
                   "%s: not a regular file; a capture file (pcap or pcapng) is "
                   "expected",
                   path);
}

int dp_capture_file_open(const char *path, bool with_times, struct dp_capture_file *capture,
                         char error[DP_ERROR_TEXT])
{
    pcap_t *pcap = NULL;
    int result;

    *capture = (struct dp_capture_file){.file = -1};
    result = open_regular(path, &capture->file, error);
    if (!result)
        result = open_stream(path, capture->file, &pcap, error);
    if (!result)
        result = check_link_type(path, pcap, error);
    if (!result)
        result = read_records(path, pcap, with_times, capture, error);
    if (pcap)
        pcap_close(pcap);
    if (result)
        dp_capture_file_close(capture);
    return result;
}

void dp_capture_file_close(struct dp_capture_file *capture)
{
    if (capture->file >= 0)
        close(capture->file);
    free(capture->wire_lengths);
    free(capture->times);
    *capture = (struct dp_capture_file){.file = -1};
}
