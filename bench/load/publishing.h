/* A schedule of messages: so many at once, at a steady pace that does not wait for anybody. */
#ifndef PUBLISHING_H
#define PUBLISHING_H

#include "crowd.h"

struct schedule {
    unsigned count;       /* messages in all */
    unsigned burst;       /* of them at the same moment */
    uint64_t interval_ns; /* between two bursts */
    unsigned size;        /* bytes of a body */
    uint64_t base;        /* number of a room's first message */

    unsigned done;
    uint64_t begin_ns, end_ns, late_ns; /* the worst delay of a burst */
    uint64_t *numbers;                  /* the next one, by room */
    unsigned rooms;
};

void schedule_begin(struct schedule *schedule, const struct crowd *crowd);
/* When the next burst is due. */
uint64_t schedule_due(const struct schedule *schedule);
/* Publish one burst; the members that have a message take turns. */
void schedule_burst(struct schedule *schedule, struct crowd *crowd);

#endif
