/* Counts of times in nanoseconds in fixed buckets, each at most 1/256 (0.4 %) wide of its value. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS 8
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS)

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);
/* A negative time (clocks are one clock here, but a sender may stamp late) counts as 0. */
void histogram_add(struct histogram *histogram, int64_t value_ns);
/* The nearest-rank percentile, as the upper end of its bucket; 0 when empty. */
double histogram_percentile_ms(const struct histogram *histogram, double percent);

#endif
