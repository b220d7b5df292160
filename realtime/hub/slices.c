/* One slice of a fan-out: the same bytes to many sockets, without the interpreter between two.

   It keeps nothing and decides nothing. What a socket did not take is said, and left to whoever
   called. The descriptors are of open sockets: the caller's thread is the only one that closes
   them, and it is here. */

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS has none; Python ignores SIGPIPE anyway */
#endif

/* Writes `data` to `count` sockets without waiting for any. Returns how many took less than all of
   it; `taken` then has for those, in order, the index and the bytes taken: 0 where the socket is
   full or gone. It has room for 2 * count. */
int write_slice(const int *descriptors, int count, const char *data, size_t size, long *taken)
{
    int short_of = 0;
    for (int index = 0; index < count; index++) {
        ssize_t sent = send(descriptors[index], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent != (ssize_t)size) {
            taken[2 * short_of] = index;
            taken[2 * short_of + 1] = sent < 0 ? 0 : (long)sent;
            short_of++;
        }
    }
    return short_of;
}
