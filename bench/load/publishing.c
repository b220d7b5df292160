#define _GNU_SOURCE
#include "publishing.h"

#include "frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY "@BODY@"
#define REF "@REF@"

void schedule_begin(struct schedule *schedule, const struct crowd *crowd)
{
    schedule->rooms = 0;
    for (unsigned i = 0; i < crowd->count; i++)
        if (crowd->members[i].room >= schedule->rooms)
            schedule->rooms = crowd->members[i].room + 1;
    free(schedule->numbers);
    schedule->numbers = must_allocate(schedule->rooms + 1, sizeof *schedule->numbers);
    for (unsigned room = 0; room < schedule->rooms; room++)
        schedule->numbers[room] = schedule->base;
    schedule->done = 0;
    schedule->late_ns = 0;
    schedule->begin_ns = now_ns();
}

uint64_t schedule_due(const struct schedule *schedule)
{
    return schedule->begin_ns + schedule->done / schedule->burst * schedule->interval_ns;
}

static void publish(struct schedule *schedule, struct crowd *crowd, struct member *member)
{
    struct buffer text = {0};
    char marker[64];
    for (const char *at = member->message; *at != 0;) {
        if (strncmp(at, BODY, strlen(BODY)) == 0) {
            int length = snprintf(marker, sizeof marker, "~pm~%019" PRIu64 "~%09" PRIu64 "~",
                                  now_ns(), schedule->numbers[member->room]++);
            buffer_add(&text, marker, (size_t)length);
            for (unsigned i = (unsigned)length; i < schedule->size; i++)
                buffer_add(&text, "x", 1);
            at += strlen(BODY);
        } else if (strncmp(at, REF, strlen(REF)) == 0) {
            /* Unique over runs on one database: the time, and the place in the schedule. */
            int length = snprintf(marker, sizeof marker, "%" PRIx64 "-%x", schedule->begin_ns,
                                  schedule->done);
            buffer_add(&text, marker, (size_t)length);
            at += strlen(REF);
        } else {
            buffer_add(&text, at++, 1);
        }
    }
    crowd_send(crowd, member, TEXT, text.bytes, text.length);
    buffer_free(&text);
}

void schedule_burst(struct schedule *schedule, struct crowd *crowd)
{
    static unsigned turn;
    uint64_t due = schedule_due(schedule), now = now_ns();
    if (now > due && now - due > schedule->late_ns)
        schedule->late_ns = now - due;
    for (unsigned i = 0; i < schedule->burst && schedule->done < schedule->count; i++) {
        struct member *member = NULL;
        for (unsigned tried = 0; tried < crowd->count && member == NULL; tried++) {
            struct member *next = &crowd->members[turn++ % crowd->count];
            if (next->message != NULL && next->state == JOINED)
                member = next;
        }
        if (member != NULL)
            publish(schedule, crowd, member);
        schedule->done++;
    }
    schedule->end_ns = now_ns();
}
