/* The generator's sockets: their upgrade, their scripts, what they received and when.
 *
 * A delivery is a marker in a text frame: `~pm~`, 19 digits (nanoseconds since 1970 at which it was
 * sent), `~`, 9 digits (its number), `~`. Its receipt is when the kernel had the bytes. */
#ifndef CROWD_H
#define CROWD_H

#include "buffer.h"
#include "histogram.h"

#include <stdint.h>

enum state { DESCRIBED, CONNECTING, UPGRADING, JOINING, JOINED, GONE };

struct step {
    char *expected; /* empty: do not wait */
    char *text;     /* empty: send nothing */
};

struct member {
    int fd;
    enum state state;
    unsigned room;
    char *request;  /* the upgrade, whole */
    char *message;  /* what it publishes, NULL: it does not */
    struct step *steps;
    unsigned step_count, step;
    unsigned wanted;   /* deliveries until it counts as resumed, 0: as soon as it joined */
    unsigned received; /* since it was described */
    int resumed;
    uint64_t begun_ns, joined_ns;
    uint64_t *seen; /* a bit for each number of the window */
    unsigned seen_bits;
    struct buffer in, out;
};

struct crowd {
    int epoll;
    struct member *members;
    unsigned count, room;
    char *address; /* of the server */
    int port;
    struct step *answers; /* text frames to be answered */
    unsigned answer_count;
    char *refusal;
    unsigned sources; /* how many addresses of 127.0.0.0/8 connects come from in turn */

    unsigned begun, in_flight, joined, failed, closed, resumed, refused;
    char first_failure[200];
    uint64_t begun_ns, done_ns; /* first connect begun, last one resolved */
    struct histogram connecting, resuming, since_begin;

    /* The window */
    uint64_t base, deliveries, repeated, stale, unknown, frames, bytes;
    uint64_t first_ns, last_ns;
    struct histogram latency;
};

uint64_t now_ns(void);
void crowd_open(struct crowd *crowd);
/* A new member; the pointer holds until the next one. */
struct member *crowd_add(struct crowd *crowd);
/* Begin to connect the next described member. */
void crowd_begin_next(struct crowd *crowd);
/* Whatever is ready to be read or written, waiting for it until then at most. */
void crowd_poll(struct crowd *crowd, uint64_t until_ns);
void crowd_send(struct crowd *crowd, struct member *member, int opcode, const char *text,
                size_t length);
/* Forget what was delivered; deliveries with numbers below `base` are not counted any more. */
void crowd_new_window(struct crowd *crowd, uint64_t base);
/* Close and forget all. */
void crowd_drop(struct crowd *crowd);

#endif
