/* What a member's bytes mean. */
#ifndef RECEIVING_H
#define RECEIVING_H

#include "crowd.h"

/* Read once and take what is whole. Returns NULL, or why the member has to leave. */
const char *receive(struct crowd *crowd, struct member *member);

#endif
