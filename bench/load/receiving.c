#define _GNU_SOURCE
#include "receiving.h"

#include "frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define READ_BYTES (512u * 1024)
#define MARKER "~pm~"
#define MARKER_LENGTH 4
#define STAMP_DIGITS 19
#define NUMBER_DIGITS 9
#define MARKER_BYTES (MARKER_LENGTH + STAMP_DIGITS + 1 + NUMBER_DIGITS + 1)
#define MAX_NUMBERS (1u << 20) /* of one window */

/* Shared: only what is not whole is kept with the member. */
static char bytes[MAX_PAYLOAD + MAX_HEADER + READ_BYTES];

static uint64_t digits(const char *text, unsigned count)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    return value;
}

/* Whether the number is new to the member. */
static int is_new(struct member *member, uint64_t number)
{
    if (number >= member->seen_bits) {
        unsigned bits = 256;
        while (bits <= number)
            bits *= 2;
        uint64_t *more = must_allocate(bits / 64, sizeof *more);
        if (member->seen != NULL)
            memcpy(more, member->seen, member->seen_bits / 8);
        free(member->seen);
        member->seen = more;
        member->seen_bits = bits;
    }
    uint64_t bit = 1ull << (number & 63), *word = &member->seen[number >> 6];
    int was_new = (*word & bit) == 0;
    *word |= bit;
    return was_new;
}

static void delivered(struct crowd *crowd, struct member *member, const char *marker,
                      uint64_t receipt_ns)
{
    uint64_t sent_ns = digits(marker + MARKER_LENGTH, STAMP_DIGITS);
    uint64_t number = digits(marker + MARKER_LENGTH + STAMP_DIGITS + 1, NUMBER_DIGITS);
    if (number < crowd->base) {
        crowd->stale++;
        return;
    }
    if (number - crowd->base >= MAX_NUMBERS) {
        crowd->unknown++;
        return;
    }
    if (!is_new(member, number - crowd->base)) {
        crowd->repeated++;
        return;
    }
    member->received++;
    crowd->deliveries++;
    if (crowd->first_ns == 0)
        crowd->first_ns = receipt_ns;
    if (receipt_ns > crowd->last_ns)
        crowd->last_ns = receipt_ns;
    histogram_add(&crowd->latency, (int64_t)(receipt_ns - sent_ns));
}

static void take_markers(struct crowd *crowd, struct member *member, const struct frame *frame,
                         uint64_t receipt_ns)
{
    const char *at = frame->payload, *end = frame->payload + frame->length;
    while (end - at >= MARKER_BYTES && (at = memchr(at, '~', (size_t)(end - at))) != NULL) {
        if (end - at >= MARKER_BYTES && memcmp(at, MARKER, MARKER_LENGTH) == 0
            && at[MARKER_BYTES - 1] == '~') {
            delivered(crowd, member, at, receipt_ns);
            at += MARKER_BYTES;
        } else {
            at++;
        }
    }
}

static int contains(const struct frame *frame, const char *text)
{
    return memmem(frame->payload, frame->length, text, strlen(text)) != NULL;
}

/* Send what need not wait any longer; at the end of its script the member has joined. */
static void advance(struct crowd *crowd, struct member *member)
{
    while (member->fd >= 0 && member->step < member->step_count) {
        struct step *step = &member->steps[member->step];
        if (step->expected[0] != 0)
            return;
        member->step++;
        if (step->text[0] != 0)
            crowd_send(crowd, member, TEXT, step->text, strlen(step->text));
    }
    if (member->fd < 0)
        return;
    member->state = JOINED;
    member->joined_ns = now_ns();
    crowd->done_ns = member->joined_ns;
    crowd->joined++;
    crowd->in_flight--;
    histogram_add(&crowd->connecting, (int64_t)(member->joined_ns - member->begun_ns));
}

static void expected_came(struct crowd *crowd, struct member *member)
{
    struct step *step = &member->steps[member->step];
    step->expected[0] = 0;
    advance(crowd, member);
}

static void take_text(struct crowd *crowd, struct member *member, const struct frame *frame,
                      uint64_t receipt_ns)
{
    take_markers(crowd, member, frame, receipt_ns);
    for (unsigned i = 0; i < crowd->answer_count; i++) {
        const struct step *answer = &crowd->answers[i];
        if (strlen(answer->expected) == frame->length
            && memcmp(answer->expected, frame->payload, frame->length) == 0)
            crowd_send(crowd, member, TEXT, answer->text, strlen(answer->text));
    }
    if (member->state == JOINING && contains(frame, member->steps[member->step].expected))
        expected_came(crowd, member);
    else if (crowd->refusal[0] != 0 && member->message != NULL && contains(frame, crowd->refusal))
        crowd->refused++;
    if (member->state == JOINED && !member->resumed && member->received >= member->wanted) {
        member->resumed = 1;
        crowd->resumed++;
        /* Replayed events may come in the same read as the reply. */
        uint64_t at = member->wanted > 0 ? receipt_ns : member->joined_ns;
        histogram_add(&crowd->resuming, (int64_t)(at - member->begun_ns));
        histogram_add(&crowd->since_begin, (int64_t)(at - crowd->begun_ns));
    }
}

/* Returns the bytes of the answer to the upgrade, 0 when it is not whole, -1 when it is refused. */
static long upgraded(struct crowd *crowd, struct member *member, const char *from, size_t length)
{
    const char *end = memmem(from, length, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    /* Whether the accept key is right is for conformance tests, not for a measurement. */
    if (length < 12 || memcmp(from, "HTTP/1.1 101", 12) != 0)
        return -1;
    member->state = JOINING;
    advance(crowd, member);
    return end + 4 - from;
}

static const char *take_frame(struct crowd *crowd, struct member *member,
                              const struct frame *frame, uint64_t receipt_ns)
{
    static char why[160];
    crowd->frames++;
    if (frame->opcode == PING) {
        crowd_send(crowd, member, PONG, frame->payload, frame->length);
    } else if (frame->opcode == CLOSE) {
        unsigned code = 0;
        if (frame->length >= 2)
            code = (unsigned)(unsigned char)frame->payload[0] << 8
                   | (unsigned char)frame->payload[1];
        snprintf(why, sizeof why, "closed by the server with %u %.*s", code,
                 frame->length > 2 ? (int)frame->length - 2 : 0, frame->payload + 2);
        return why;
    } else if (frame->opcode != PONG) {
        take_text(crowd, member, frame, receipt_ns);
    }
    return NULL;
}

/* When the kernel had the last of the bytes read: later frames of a read never look too early. */
static uint64_t stamp_of(struct msghdr *message)
{
    for (struct cmsghdr *one = CMSG_FIRSTHDR(message); one != NULL; one = CMSG_NXTHDR(message, one))
        if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec at;
            memcpy(&at, CMSG_DATA(one), sizeof at);
            return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
        }
    return now_ns();
}

const char *receive(struct crowd *crowd, struct member *member)
{
    static char why[160];
    size_t kept = member->in.length;
    memcpy(bytes, member->in.bytes == NULL ? "" : member->in.bytes, kept);
    char control[64];
    struct iovec into = {.iov_base = bytes + kept, .iov_len = READ_BYTES};
    struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    ssize_t got = recvmsg(member->fd, &message, 0);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? NULL : strerror(errno);
    if (got == 0)
        return "the server ended the connection";
    uint64_t receipt_ns = stamp_of(&message);
    crowd->bytes += (uint64_t)got;

    size_t length = kept + (size_t)got, at = 0;
    if (member->state == UPGRADING) {
        long taken = upgraded(crowd, member, bytes, length);
        if (taken < 0) {
            snprintf(why, sizeof why, "expected 101, got %.*s",
                     (int)strcspn(bytes, "\r\n") > 100 ? 100 : (int)strcspn(bytes, "\r\n"), bytes);
            return why;
        }
        at = (size_t)taken;
    }
    while (member->state != UPGRADING && member->fd >= 0) {
        struct frame frame;
        long taken = frame_parse(bytes + at, length - at, &frame);
        if (taken < 0)
            return "expected a frame of at most 1 MiB";
        if (taken == 0)
            break;
        at += (size_t)taken;
        const char *reason = take_frame(crowd, member, &frame, receipt_ns);
        if (reason != NULL)
            return reason;
    }
    if (member->fd < 0)
        return NULL;
    if (length == at) {
        buffer_free(&member->in);
    } else if (at > 0 || kept == 0) {
        buffer_free(&member->in);
        buffer_add(&member->in, bytes + at, length - at);
    } else {
        buffer_add(&member->in, bytes + kept, (size_t)got);
    }
    return NULL;
}
