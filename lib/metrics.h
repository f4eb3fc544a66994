/* metrics.h - a node's registry of counters, gauges and latency histograms.
 *
 * Owned by one node, touched by its loop only. A metric is registered once, by name, and lives as
 * long as the registry; recording is a few instructions. Histograms have logarithmic buckets with
 * 8 steps per doubling (error of a quantile: at most 9 percent). */
#ifndef CAIRN_METRICS_H
#define CAIRN_METRICS_H

#include "buf.h"
#include "status.h"

struct metrics;
struct histogram;

struct counter {
    uint64_t value; /* counters only grow; gauges are set */
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* Names as Prometheus has them: cairn_wal_syncs_total. Registering a name twice gives the same
 * metric; with another kind it is an assert. `help` is a sentence; both strings must be static. */
struct counter *metrics_counter(struct metrics *metrics, const char *name, const char *help);
struct counter *metrics_gauge(struct metrics *metrics, const char *name, const char *help);
struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help);

static inline void counter_add(struct counter *counter, uint64_t n) { counter->value += n; }

void histogram_record(struct histogram *histogram, uint64_t value);
uint64_t histogram_count(const struct histogram *histogram);
/* The value below which the fraction q (0 to 1) of the records lies; 0 without records. */
uint64_t histogram_quantile(const struct histogram *histogram, double q);
void histogram_reset(struct histogram *histogram);
/* A histogram outside any registry, for benchmarks. */
struct histogram *histogram_new(void);
void histogram_free(struct histogram *histogram);

/* Appends all metrics in the Prometheus text format, in order of name. */
void metrics_render(const struct metrics *metrics, struct buf *out);

#endif
