/* log_limit.h - keeps strangers from filling the log: so many lines a second, the rest counted. */
#ifndef CAIRN_LOG_LIMIT_H
#define CAIRN_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_PER_SECOND = 10 };

struct log_limit { /* zero-filled is ready */
    uint64_t second_started_ns;
    uint32_t written;
    uint64_t suppressed; /* since the last line that was written */
};

/* True if a line may be written now; *suppressed is how many were dropped before it. */
static inline bool log_limit_allow(struct log_limit *limit, uint64_t now_ns, uint64_t *suppressed) {
    if (limit->written == 0 || now_ns - limit->second_started_ns >= UINT64_C(1000000000)) {
        limit->second_started_ns = now_ns;
        limit->written = 0;
    }
    if (limit->written >= LOG_LIMIT_PER_SECOND) {
        limit->suppressed++;
        return false;
    }
    limit->written++;
    *suppressed = limit->suppressed;
    limit->suppressed = 0;
    return true;
}

#endif
