#include "frame.h"

#include <string.h>

long frame_parse(char *bytes, size_t size, struct frame *frame)
{
    if (size < 2)
        return 0;
    const unsigned char *head = (const unsigned char *)bytes;
    size_t at = 2;
    uint64_t length = head[1] & 0x7f;
    unsigned more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (size < at + more)
        return 0;
    if (more > 0)
        length = 0;
    for (unsigned i = 0; i < more; i++)
        length = length << 8 | head[at++];
    if (length > MAX_PAYLOAD)
        return -1;
    const unsigned char *mask = head[1] & 0x80 ? head + at : NULL;
    if (mask != NULL)
        at += 4;
    if (size < at + length)
        return 0;
    frame->opcode = head[0] & 0x0f;
    frame->payload = bytes + at;
    frame->length = (size_t)length;
    if (mask != NULL && (mask[0] | mask[1] | mask[2] | mask[3]))
        for (size_t i = 0; i < length; i++)
            frame->payload[i] ^= (char)mask[i & 3];
    return (long)(at + length);
}

size_t frame_header(char *into, int opcode, size_t length, int masked)
{
    unsigned char *head = (unsigned char *)into;
    size_t at = 2;
    head[0] = (unsigned char)(0x80 | opcode);
    if (length < 126) {
        head[1] = (unsigned char)length;
    } else if (length < 65536) {
        head[1] = 126;
        head[at++] = (unsigned char)(length >> 8);
        head[at++] = (unsigned char)length;
    } else {
        head[1] = 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            head[at++] = (unsigned char)((uint64_t)length >> shift);
    }
    if (masked) {
        head[1] |= 0x80;
        memset(head + at, 0, 4);
        at += 4;
    }
    return at;
}
