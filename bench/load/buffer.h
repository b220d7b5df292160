/* Bytes that grow at the end and are taken from the front. Out of memory ends the program. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>

struct buffer {
    char *bytes;
    size_t length;
    size_t room;
};

void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_take(struct buffer *buffer, size_t length); /* forgets the first ones */
void buffer_free(struct buffer *buffer);

/* As malloc and strdup, but ending the program instead of returning NULL. */
void *must_allocate(size_t count, size_t size);
char *must_copy(const char *text);

#endif
