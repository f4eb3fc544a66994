/* test_metrics.c - counters, quantiles, and the text that Prometheus reads. */
#include <stdio.h>

#include "harness.h"
#include "metrics.h"
#include "prng.h"

TEST("1", 0, a_name_registered_twice_is_one_metric) {
    struct metrics *metrics = metrics_new();
    struct counter *a = metrics_counter(metrics, "cairn_a_total", "A.");
    for (int i = 0; i < 3; i++) {
        counter_add(metrics_counter(metrics, "cairn_a_total", "A."), 2);
    }
    assert_int_equal(6, a->value);
    metrics_free(metrics);
}

TEST("1", 0, metrics_stay_where_they_are_when_others_are_registered) {
    static char names[200][16];
    struct metrics *metrics = metrics_new();
    struct counter *counters[200];
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof(names[i]), "m%03d", i * 77 % 200);
        counters[i] = metrics_gauge(metrics, names[i], "");
        counters[i]->value = (uint64_t)i;
    }
    for (int i = 0; i < 200; i++) {
        assert_ptr_equal(counters[i], metrics_gauge(metrics, names[i], ""));
        assert_int_equal(i, counters[i]->value);
    }
    metrics_free(metrics);
}

TEST("2", 0, quantiles_are_within_nine_percent) {
    struct histogram *histogram = histogram_new();
    for (uint64_t i = 1; i <= 100000; i++) {
        histogram_record(histogram, i * 1000);
    }
    static const double quantiles[] = {0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        double exact = quantiles[i] * 100000 * 1000;
        double got = (double)histogram_quantile(histogram, quantiles[i]);
        assert_true(got >= exact * 0.91 && got <= exact * 1.09);
    }
    assert_int_equal(1000, histogram_quantile(histogram, 0));
    assert_int_equal(100000000, histogram_quantile(histogram, 1));
    assert_int_equal(100000, histogram_count(histogram));
    histogram_free(histogram);
}

TEST("2", 0, one_record_is_every_quantile) {
    struct prng prng;
    prng_seed(&prng, 1);
    struct histogram *histogram = histogram_new();
    for (int i = 0; i < 1000; i++) {
        uint64_t value = prng_u64(&prng) >> prng_below(&prng, 64);
        histogram_reset(histogram);
        histogram_record(histogram, value);
        assert_int_equal(value, histogram_quantile(histogram, 0.01));
        assert_int_equal(value, histogram_quantile(histogram, 0.5));
        assert_int_equal(value, histogram_quantile(histogram, 0.99));
    }
    histogram_free(histogram);
}

TEST("2", 0, small_values_are_exact) {
    struct histogram *histogram = histogram_new();
    assert_int_equal(0, histogram_quantile(histogram, 0.5));
    for (uint64_t value = 0; value < 10; value++) {
        histogram_record(histogram, value);
    }
    for (uint64_t value = 0; value < 10; value++) {
        assert_int_equal(value, histogram_quantile(histogram, ((double)value + 0.5) / 10));
    }
    histogram_free(histogram);
}

TEST("3", 0, rendering_is_prometheus_text_in_order_of_name) {
    struct metrics *metrics = metrics_new();
    struct histogram *histogram = metrics_histogram(metrics, "cairn_b_ns", "How long.");
    metrics_gauge(metrics, "cairn_c", "How much.")->value = 5;
    counter_add(metrics_counter(metrics, "cairn_a_total", "How many."), 3);
    histogram_record(histogram, 3);
    histogram_record(histogram, 9);
    struct buf out = BUF_INIT;
    metrics_render(metrics, &out);
    assert_slice_equal(SLICE_LITERAL("# HELP cairn_a_total How many.\n"
                                     "# TYPE cairn_a_total counter\n"
                                     "cairn_a_total 3\n"
                                     "# HELP cairn_b_ns How long.\n"
                                     "# TYPE cairn_b_ns histogram\n"
                                     "cairn_b_ns_bucket{le=\"7\"} 1\n"
                                     "cairn_b_ns_bucket{le=\"15\"} 2\n"
                                     "cairn_b_ns_bucket{le=\"+Inf\"} 2\n"
                                     "cairn_b_ns_sum 12\n"
                                     "cairn_b_ns_count 2\n"
                                     "# HELP cairn_c How much.\n"
                                     "# TYPE cairn_c gauge\n"
                                     "cairn_c 5\n"),
                       buf_slice(&out));
    buf_deinit(&out);
    metrics_free(metrics);
}

TEST("3", 0, the_largest_value_has_a_bucket) {
    struct metrics *metrics = metrics_new();
    struct histogram *histogram = metrics_histogram(metrics, "h", "");
    histogram_record(histogram, UINT64_MAX);
    assert_int_equal(UINT64_MAX, histogram_quantile(histogram, 0.5));
    struct buf out = BUF_INIT;
    metrics_render(metrics, &out);
    buf_append_byte(&out, 0);
    assert_non_null(strstr((char *)out.data, "h_bucket{le=\"+Inf\"} 1\n"));
    buf_deinit(&out);
    metrics_free(metrics);
}
