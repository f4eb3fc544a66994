/* metrics.c - the registry and its text form (Prometheus exposition format 0.0.4), and histograms.
 *
 * A histogram is log-linear, as HdrHistogram is: values below 8 have a bucket each, every doubling
 * above is cut into 8 equal steps. A quantile is the middle of its bucket, so that it is off by at
 * most one sixteenth. */
#include "metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "mem.h"

enum { STEP_BITS = 3, STEPS = 1 << STEP_BITS, BUCKETS = STEPS * (64 - STEP_BITS + 1) };

struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t min;
    uint64_t max;
    uint64_t buckets[BUCKETS];
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
    const char *name;
    const char *help;
    enum metric_kind kind;
    struct counter counter;
    struct histogram *histogram;
};

struct metrics {
    struct metric **list; /* in order of name */
    size_t count;
    size_t capacity;
};

/* ---- histograms ----------------------------------------------------------------------------- */

static unsigned bucket_of(uint64_t value) {
    if (value < STEPS) return (unsigned)value;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(value);
    unsigned shift = exponent - STEP_BITS;
    unsigned step = (unsigned)(value >> shift) & (STEPS - 1);
    return (shift + 1) * STEPS + step;
}

static uint64_t bucket_low(unsigned bucket) {
    if (bucket < STEPS) return bucket;
    unsigned shift = bucket / STEPS - 1;
    return (uint64_t)(STEPS + bucket % STEPS) << shift;
}

static uint64_t bucket_middle(unsigned bucket) {
    if (bucket < 2 * STEPS) return bucket_low(bucket); /* one value wide */
    return bucket_low(bucket) + (UINT64_C(1) << (bucket / STEPS - 2));
}

struct histogram *histogram_new(void) {
    struct histogram *histogram = MEM_NEW(struct histogram);
    histogram_reset(histogram);
    return histogram;
}

void histogram_free(struct histogram *histogram) { mem_free(histogram); }

void histogram_reset(struct histogram *histogram) {
    memset(histogram, 0, sizeof(*histogram));
    histogram->min = UINT64_MAX;
}

void histogram_record(struct histogram *histogram, uint64_t value) {
    histogram->count++;
    histogram->sum += value;
    if (value < histogram->min) histogram->min = value;
    if (value > histogram->max) histogram->max = value;
    histogram->buckets[bucket_of(value)]++;
}

uint64_t histogram_count(const struct histogram *histogram) { return histogram->count; }

uint64_t histogram_quantile(const struct histogram *histogram, double q) {
    if (histogram->count == 0) return 0;
    if (q <= 0.0) return histogram->min;
    if (q >= 1.0) return histogram->max;
    /* The record with this many before it or with it. */
    uint64_t rank = (uint64_t)(q * (double)histogram->count);
    if ((double)rank < q * (double)histogram->count) rank++;
    uint64_t seen = 0;
    unsigned bucket = 0;
    while (bucket < BUCKETS - 1 && (seen += histogram->buckets[bucket]) < rank) {
        bucket++;
    }
    uint64_t value = bucket_middle(bucket);
    if (value < histogram->min) return histogram->min;
    return value > histogram->max ? histogram->max : value;
}

/* ---- registry ------------------------------------------------------------------------------- */

struct metrics *metrics_new(void) {
    return MEM_NEW(struct metrics);
}

void metrics_free(struct metrics *metrics) {
    if (metrics == NULL) return;
    for (size_t i = 0; i < metrics->count; i++) {
        histogram_free(metrics->list[i]->histogram);
        mem_free(metrics->list[i]);
    }
    mem_free(metrics->list);
    mem_free(metrics);
}

static struct metric *metric_register(struct metrics *metrics, const char *name, const char *help,
                                      enum metric_kind kind) {
    size_t at = 0;
    while (at < metrics->count && strcmp(metrics->list[at]->name, name) < 0) {
        at++;
    }
    if (at < metrics->count && strcmp(metrics->list[at]->name, name) == 0) {
        assert(metrics->list[at]->kind == kind);
        return metrics->list[at];
    }
    if (metrics->count == metrics->capacity) {
        metrics->capacity = metrics->capacity > 0 ? metrics->capacity * 2 : 16;
        metrics->list = mem_realloc(metrics->list, metrics->capacity * sizeof(struct metric *));
    }
    memmove(metrics->list + at + 1, metrics->list + at,
            (metrics->count - at) * sizeof(struct metric *));
    metrics->count++;
    struct metric *metric = MEM_NEW(struct metric);
    *metric = (struct metric){.name = name, .help = help, .kind = kind};
    if (kind == METRIC_HISTOGRAM) metric->histogram = histogram_new();
    metrics->list[at] = metric;
    return metric;
}

struct counter *metrics_counter(struct metrics *metrics, const char *name, const char *help) {
    return &metric_register(metrics, name, help, METRIC_COUNTER)->counter;
}

struct counter *metrics_gauge(struct metrics *metrics, const char *name, const char *help) {
    return &metric_register(metrics, name, help, METRIC_GAUGE)->counter;
}

struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help) {
    return metric_register(metrics, name, help, METRIC_HISTOGRAM)->histogram;
}

/* ---- text ----------------------------------------------------------------------------------- */

/* One line per doubling up to the largest record: the set of lines never shrinks, which is what
 * whoever computes rates over them needs. */
static void render_histogram(const char *name, const struct histogram *histogram, struct buf *out) {
    uint64_t total = 0;
    for (unsigned low = 0; low < BUCKETS - STEPS && total < histogram->count; low += STEPS) {
        for (unsigned step = 0; step < STEPS; step++) {
            total += histogram->buckets[low + step];
        }
        buf_printf(out, "%s_bucket{le=\"%" PRIu64 "\"} %" PRIu64 "\n", name,
                   bucket_low(low + STEPS) - 1, total);
    }
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, histogram->count);
    buf_printf(out, "%s_sum %" PRIu64 "\n", name, histogram->sum);
    buf_printf(out, "%s_count %" PRIu64 "\n", name, histogram->count);
}

void metrics_render(const struct metrics *metrics, struct buf *out) {
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    for (size_t i = 0; i < metrics->count; i++) {
        const struct metric *metric = metrics->list[i];
        buf_printf(out, "# HELP %s %s\n", metric->name, metric->help);
        buf_printf(out, "# TYPE %s %s\n", metric->name, kinds[metric->kind]);
        if (metric->kind == METRIC_HISTOGRAM) {
            render_histogram(metric->name, metric->histogram, out);
        } else {
            buf_printf(out, "%s %" PRIu64 "\n", metric->name, metric->counter.value);
        }
    }
}
