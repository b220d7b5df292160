/* Just enough of RFC 6455 framing: unfragmented frames, masked by clients and not by servers. */
#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>
#include <stdint.h>

enum { TEXT = 0x1, CLOSE = 0x8, PING = 0x9, PONG = 0xA };

#define MAX_PAYLOAD (1u << 20)
#define MAX_HEADER 14

struct frame {
    int opcode;
    char *payload; /* unmasked in place */
    size_t length;
};

/* The frame at the beginning of `size` bytes. Returns the bytes it takes, 0 when it is not whole
 * yet, -1 when it is longer than MAX_PAYLOAD. */
long frame_parse(char *bytes, size_t size, struct frame *frame);

/* Writes a frame's header; the payload follows it. Returns the header's bytes. A client's (masked)
 * frame uses the mask 0, which RFC 6455 allows a test: the payload then goes as it is. */
size_t frame_header(char *into, int opcode, size_t length, int masked);

#endif
