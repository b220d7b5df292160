/* The limit of the kernel: the least that a server can do to broadcast over WebSocket.
 *
 *   blast PORT [JOINED]
 *
 * Whoever upgrades at /N is in room N. A text frame is answered by the same text to everybody in
 * its sender's room, unless the sender came by /N/writer: that one is not in the room. The frame is
 * built once and each socket costs one send(2) per message, which is what a broadcast costs at least
 * where nothing is joined. With JOINED above 1 it waits for so many messages of a room and writes
 * them with one send(2) per socket. A socket that takes no more is waited for: nothing is queued. */
#define _GNU_SOURCE
#include "buffer.h"
#include "frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS 65536
#define MAX_ROOMS 4096

static const char ACCEPTED[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\n"
                               /* Of the one key that the generator sends. */
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static struct client {
    int open, upgraded, writes_only;
    unsigned room;
    struct buffer in;
} clients[MAX_FDS];

static struct room {
    int *fds;
    unsigned count, size;
    struct buffer waiting;
    unsigned messages;
} rooms[MAX_ROOMS];

static unsigned joined = 1;

static void join(int fd, unsigned number)
{
    struct room *room = &rooms[number];
    if (room->count == room->size) {
        room->size = room->size == 0 ? 16 : 2 * room->size;
        room->fds = realloc(room->fds, room->size * sizeof *room->fds);
        if (room->fds == NULL)
            exit(1);
    }
    room->fds[room->count++] = fd;
}

static void leave(int fd)
{
    struct client *client = &clients[fd];
    struct room *room = &rooms[client->room];
    for (unsigned i = 0; client->upgraded && !client->writes_only && i < room->count; i++)
        if (room->fds[i] == fd) {
            room->fds[i] = room->fds[--room->count];
            break;
        }
    buffer_free(&client->in);
    *client = (struct client){0};
    close(fd);
}

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (sent < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            poll(&writable, 1, 1000);
        } else {
            return; /* the reading side says that it is gone */
        }
    }
}

static void broadcast(struct room *room, const struct frame *frame)
{
    char header[MAX_HEADER];
    buffer_add(&room->waiting, header, frame_header(header, TEXT, frame->length, 0));
    buffer_add(&room->waiting, frame->payload, frame->length);
    if (++room->messages < joined)
        return;
    for (unsigned i = 0; i < room->count; i++)
        send_all(room->fds[i], room->waiting.bytes, room->waiting.length);
    room->waiting.length = 0;
    room->messages = 0;
}

/* Returns the bytes of the upgrade, 0 when it is not whole, -1 when it names no room. */
static long upgrade(int fd, struct client *client)
{
    const char *end = memmem(client->in.bytes, client->in.length, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    char *rest;
    if (memcmp(client->in.bytes, "GET /", 5) != 0)
        return -1;
    client->room = (unsigned)strtoul(client->in.bytes + 5, &rest, 10);
    if (client->room >= MAX_ROOMS)
        return -1;
    client->writes_only = memcmp(rest, "/writer", 7) == 0;
    client->upgraded = 1;
    if (!client->writes_only)
        join(fd, client->room);
    send_all(fd, ACCEPTED, sizeof ACCEPTED - 1);
    return end + 4 - client->in.bytes;
}

/* Returns 0 when the client has to go. */
static int take(int fd, struct client *client)
{
    if (!client->upgraded) {
        long taken = upgrade(fd, client);
        if (taken <= 0)
            return taken == 0;
        buffer_take(&client->in, (size_t)taken);
    }
    struct frame frame;
    long taken;
    size_t at = 0;
    while ((taken = frame_parse(client->in.bytes + at, client->in.length - at, &frame)) > 0) {
        if (frame.opcode == CLOSE)
            return 0;
        if (frame.opcode == TEXT)
            broadcast(&rooms[client->room], &frame);
        at += (size_t)taken;
    }
    if (at > 0)
        buffer_take(&client->in, at);
    return taken == 0;
}

static int listener(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&place, sizeof place) < 0 || listen(fd, 4096) < 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static void accept_all(int epoll, int listening)
{
    int one = 1, fd;
    while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= MAX_FDS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        clients[fd].open = 1;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

int main(int count, char **arguments)
{
    if (count < 2) {
        fprintf(stderr, "usage: blast PORT [JOINED]\n");
        return 2;
    }
    if (count > 2)
        joined = (unsigned)strtoul(arguments[2], NULL, 10);
    int listening = listener(atoi(arguments[1])), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listening}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event);
    static char chunk[1 << 16];
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listening) {
                accept_all(epoll, listening);
                continue;
            }
            struct client *client = &clients[fd];
            if (!client->open)
                continue;
            ssize_t got = recv(fd, chunk, sizeof chunk, 0);
            if (got > 0)
                buffer_add(&client->in, chunk, (size_t)got);
            if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)
                || (got > 0 && !take(fd, client)))
                leave(fd);
        }
    }
}
