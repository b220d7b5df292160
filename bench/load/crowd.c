#define _GNU_SOURCE
#include "crowd.h"

#include "frame.h"
#include "receiving.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH 512

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now); /* the clock of the kernel's stamps */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void crowd_open(struct crowd *crowd)
{
    *crowd = (struct crowd){.epoll = epoll_create1(EPOLL_CLOEXEC), .sources = 1, .port = 0};
    crowd->address = must_copy("127.0.0.1");
    crowd->refusal = must_copy("");
}

struct member *crowd_add(struct crowd *crowd)
{
    if (crowd->count == crowd->room) {
        unsigned room = crowd->room == 0 ? 1024 : 2 * crowd->room;
        struct member *more = must_allocate(room, sizeof *more);
        if (crowd->count > 0)
            memcpy(more, crowd->members, crowd->count * sizeof *more);
        free(crowd->members);
        crowd->members = more;
        crowd->room = room;
    }
    struct member *member = &crowd->members[crowd->count++];
    *member = (struct member){.fd = -1};
    return member;
}

static void watch(struct crowd *crowd, struct member *member, int operation, uint32_t events)
{
    /* By number: members move when the crowd grows. */
    struct epoll_event event = {.events = events,
                                .data.u32 = (uint32_t)(member - crowd->members)};
    epoll_ctl(crowd->epoll, operation, member->fd, &event);
}

static void leave(struct crowd *crowd, struct member *member, const char *why)
{
    if (crowd->first_failure[0] == 0)
        snprintf(crowd->first_failure, sizeof crowd->first_failure, "%s", why);
    if (member->state != JOINED) {
        crowd->failed++;
        crowd->in_flight--;
        crowd->done_ns = now_ns();
    } else {
        crowd->closed++;
    }
    close(member->fd);
    member->fd = -1;
    member->state = GONE;
    buffer_free(&member->in);
    buffer_free(&member->out);
}

/* Ports of one source address end at 28,000; each connect takes the next of `sources`. */
static int connect_from(struct crowd *crowd, int fd, unsigned number)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
    struct sockaddr_in place = {.sin_family = AF_INET};
    if (crowd->sources > 1) {
        /* The port is chosen at connect(), by the whole pair of addresses. */
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        place.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number % crowd->sources);
        if (bind(fd, (struct sockaddr *)&place, sizeof place) < 0)
            return -1;
    }
    place.sin_port = htons((uint16_t)crowd->port);
    inet_pton(AF_INET, crowd->address, &place.sin_addr);
    return connect(fd, (struct sockaddr *)&place, sizeof place);
}

void crowd_begin_next(struct crowd *crowd)
{
    unsigned number = crowd->begun++;
    struct member *member = &crowd->members[number];
    member->begun_ns = now_ns();
    if (crowd->begun_ns == 0)
        crowd->begun_ns = member->begun_ns;
    crowd->in_flight++;
    member->state = CONNECTING;
    member->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (member->fd < 0 || (connect_from(crowd, member->fd, number) < 0 && errno != EINPROGRESS)) {
        leave(crowd, member, strerror(errno));
        return;
    }
    watch(crowd, member, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void flush(struct crowd *crowd, struct member *member)
{
    ssize_t sent = send(member->fd, member->out.bytes, member->out.length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        leave(crowd, member, strerror(errno));
        return;
    }
    if (sent > 0)
        buffer_take(&member->out, (size_t)sent);
    watch(crowd, member, EPOLL_CTL_MOD, member->out.length > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void crowd_send(struct crowd *crowd, struct member *member, int opcode, const char *text,
                size_t length)
{
    char header[MAX_HEADER];
    int was_empty = member->out.length == 0;
    buffer_add(&member->out, header, frame_header(header, opcode, length, 1));
    buffer_add(&member->out, text, length);
    if (was_empty)
        flush(crowd, member);
}

static void connected(struct crowd *crowd, struct member *member)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(member->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        leave(crowd, member, strerror(error));
        return;
    }
    member->state = UPGRADING;
    buffer_add(&member->out, member->request, strlen(member->request));
    flush(crowd, member);
}

void crowd_poll(struct crowd *crowd, uint64_t until_ns)
{
    struct epoll_event events[BATCH];
    uint64_t now = now_ns(), wait_ns = until_ns > now ? until_ns - now : 0;
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000u),
                            .tv_nsec = (long)(wait_ns % 1000000000u)};
    /* epoll_wait() cannot wait for less than a millisecond, which a publisher needs. */
    long count = syscall(SYS_epoll_pwait2, crowd->epoll, events, BATCH, &wait, NULL, 0);
    for (long i = 0; i < count; i++) {
        struct member *member = &crowd->members[events[i].data.u32];
        if (member->fd < 0)
            continue;
        if (member->state == CONNECTING) {
            connected(crowd, member);
            continue;
        }
        if (events[i].events & EPOLLOUT)
            flush(crowd, member);
        if (member->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            const char *why = receive(crowd, member);
            if (why != NULL)
                leave(crowd, member, why);
        }
    }
}

void crowd_new_window(struct crowd *crowd, uint64_t base)
{
    crowd->base = base;
    crowd->deliveries = crowd->repeated = crowd->stale = crowd->unknown = 0;
    crowd->frames = crowd->bytes = crowd->first_ns = crowd->last_ns = 0;
    histogram_clear(&crowd->latency);
    for (unsigned i = 0; i < crowd->count; i++) {
        struct member *member = &crowd->members[i];
        if (member->seen != NULL)
            memset(member->seen, 0, member->seen_bits / 8);
    }
}

void crowd_drop(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->count; i++) {
        struct member *member = &crowd->members[i];
        if (member->fd >= 0)
            close(member->fd);
        for (unsigned step = 0; step < member->step_count; step++) {
            free(member->steps[step].expected);
            free(member->steps[step].text);
        }
        free(member->steps);
        free(member->request);
        free(member->message);
        free(member->seen);
        buffer_free(&member->in);
        buffer_free(&member->out);
    }
    crowd->count = crowd->begun = crowd->in_flight = crowd->joined = crowd->failed = 0;
    crowd->closed = crowd->resumed = crowd->refused = 0;
    crowd->begun_ns = crowd->done_ns = 0;
    crowd->first_failure[0] = 0;
    histogram_clear(&crowd->connecting);
    histogram_clear(&crowd->resuming);
    histogram_clear(&crowd->since_begin);
    crowd_new_window(crowd, crowd->base);
}
