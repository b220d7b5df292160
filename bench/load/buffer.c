#define _GNU_SOURCE
#include "buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "expected memory, got none\n");
        exit(1);
    }
    return memory;
}

void *must_allocate(size_t count, size_t size)
{
    return must(calloc(count, size));
}

char *must_copy(const char *text)
{
    return must(strdup(text));
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
    if (buffer->length + length > buffer->room) {
        buffer->room = 2 * (buffer->length + length);
        buffer->bytes = must(realloc(buffer->bytes, buffer->room));
    }
    if (length > 0)
        memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

void buffer_take(struct buffer *buffer, size_t length)
{
    buffer->length -= length;
    if (buffer->length == 0)
        buffer_free(buffer); /* thousands of sockets are idle most of the time */
    else
        memmove(buffer->bytes, buffer->bytes + length, buffer->length);
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){0};
}
