/* See replay_output.h. */
#include "dataplane/replay_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dataplane/error.h"
#include "dataplane/plain.h"

#define FILE_HEADER    24u /* of a pcap file; each record has 16 bytes more than its frame */
#define RECORD_HEADER  16u
#define LENGTHS_AT     8u /* in the record: captured, then on the wire, in this machine's order */
#define ETHERNET_BYTES 14u
#define TAG_BYTES      4u
#define HEAD_BYTES     (ETHERNET_BYTES + TAG_BYTES + 6u) /* up to IPv6's payload length */
#define NULL_DEVICE    makedev(1, 3)                     /* /dev/null */

/* --- Opening ---------------------------------------------------------------------------------- */

static int refuse(const struct dp_output *output, int code, char error[DP_ERROR_TEXT])
{
    return dp_fail(error, -code, "%s: %s; a file that can be written is expected", output->path,
                   strerror(code));
}

/* Where writing cannot fail for want of room, or can be checked afterwards by its size. */
static bool can_be_trusted(const struct stat *status)
{
    return S_ISREG(status->st_mode) || (S_ISCHR(status->st_mode) && status->st_rdev == NULL_DEVICE);
}

/* The device truncates the file when it opens it: too late to notice that it is the input. */
static int check_other_file(const struct dp_output *output, int input, char error[DP_ERROR_TEXT])
{
    struct stat in, out;

    if (fstat(input, &in) || fstat(output->file, &out))
        return refuse(output, errno, error);
    if (!can_be_trusted(&out))
        return dp_fail(error, -EINVAL, "%s: not a regular file; a file is expected", output->path);
    if (in.st_dev != out.st_dev || in.st_ino != out.st_ino)
        return 0;
    return dp_fail(error, -EINVAL, "%s: is the input; another file is expected", output->path);
}

int dp_output_open(struct dp_output *output, const char *path, int in, char error[DP_ERROR_TEXT])
{
    *output = (struct dp_output){.path = path, .file = -1};
    if (!path)
        return 0;
    output->file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NONBLOCK, 0666);
    output->is_new = output->file >= 0;
    if (output->file < 0 && errno == EEXIST)
        output->file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (output->file < 0)
        return refuse(output, errno, error);
    return check_other_file(output, in, error);
}

void dp_output_close(struct dp_output *output, bool failed)
{
    if (output->file >= 0)
        close(output->file);
    if (failed && output->is_new)
        unlink(output->path);
    *output = (struct dp_output){.file = -1};
}

/* --- Afterwards ------------------------------------------------------------------------------- */

int dp_output_check(const struct dp_output *output, uint64_t packets, uint64_t bytes,
                    uint64_t unwritten, char error[DP_ERROR_TEXT])
{
    const uint64_t wanted = FILE_HEADER + packets * RECORD_HEADER + bytes;
    struct stat status;

    if (output->file < 0)
        return 0;
    if (unwritten)
        return dp_fail(error, -EIO, "%s: %llu packets could not be written", output->path,
                       (unsigned long long)unwritten);
    if (fstat(output->file, &status) || !S_ISREG(status.st_mode) ||
        (uint64_t)status.st_size == wanted)
        return 0;
    return dp_fail(error, -ENOSPC, "%s: only %llu of %llu bytes were written; disk full?",
                   output->path, (unsigned long long)status.st_size, (unsigned long long)wanted);
}

/* Of a frame that the packet path made: one tag at most, and a packet as long as its header says. */
static uint32_t wire_length(const uint8_t *frame, uint32_t captured)
{
    uint32_t at = ETHERNET_BYTES, length;
    uint16_t ethertype;

    if (captured < HEAD_BYTES)
        return captured;
    ethertype = dp_load2(frame + 12);
    if (dp_ethertype_is_tag(ethertype)) {
        ethertype = dp_load2(frame + 16);
        at += TAG_BYTES;
    }
    length = at + (ethertype == DP_ETHERTYPE_IPV4 ? dp_load2(frame + at + 2)
                                                  : 40u + dp_load2(frame + at + 4));
    return length > captured ? length : captured;
}

int dp_output_restore_lengths(const struct dp_output *output, char error[DP_ERROR_TEXT])
{
    uint8_t record[RECORD_HEADER + HEAD_BYTES] = {0};
    uint32_t captured, wire;
    off_t at = FILE_HEADER;
    ssize_t n;

    while (output->file >= 0 && (n = pread(output->file, record, sizeof(record), at)) > 0) {
        if (n < (ssize_t)RECORD_HEADER)
            return refuse(output, EIO, error);
        memcpy(&captured, record + LENGTHS_AT, sizeof(captured));
        wire = wire_length(record + RECORD_HEADER, captured);
        if (wire != captured && pwrite(output->file, &wire, sizeof(wire),
                                       at + (off_t)(LENGTHS_AT + sizeof(captured))) != sizeof(wire))
            return refuse(output, errno ? errno : EIO, error);
        at += (off_t)(RECORD_HEADER + captured);
    }
    return 0;
}
