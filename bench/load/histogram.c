#include "histogram.h"

#include <math.h>
#include <string.h>

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

/* Values below 256 have a bucket each; above, an octave has 256 of them. */
static unsigned bucket_of(uint64_t value)
{
    if (value >> HISTOGRAM_BITS == 0)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
    return (unsigned)(((uint64_t)(shift + 1) << HISTOGRAM_BITS)
                      + (value >> shift) - (1u << HISTOGRAM_BITS));
}

static uint64_t upper_end(unsigned bucket)
{
    if (bucket < 1u << HISTOGRAM_BITS)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_BITS) - 1;
    uint64_t top = (bucket & ((1u << HISTOGRAM_BITS) - 1)) + (1u << HISTOGRAM_BITS);
    return ((top + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, int64_t value_ns)
{
    uint64_t value = value_ns > 0 ? (uint64_t)value_ns : 0;
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    if (value > histogram->max)
        histogram->max = value;
}

double histogram_percentile_ms(const struct histogram *histogram, double percent)
{
    if (histogram->count == 0)
        return 0;
    uint64_t rank = (uint64_t)ceil((double)histogram->count * percent / 100), passed = 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        passed += histogram->buckets[bucket];
        if (passed >= rank && passed > 0) {
            uint64_t end = upper_end(bucket);
            return (double)(end < histogram->max ? end : histogram->max) / 1e6;
        }
    }
    return (double)histogram->max / 1e6;
}
