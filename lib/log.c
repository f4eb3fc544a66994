/* log.c - one line per event, for people first and for machines second (logfmt).
 *
 * A line is built in a fixed buffer and written at once, so that lines of several processes on one
 * terminal do not mix. Which clock and where to write belong to the log's owner. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "buf.h"

enum { LOG_LINE_MAX = 1024 };

static const struct {
    const char *name;
    const char *padded;
    const char *colour;
} levels[] = {
    [LOG_DEBUG] = {"debug", "debug", "\033[2m"},
    [LOG_INFO] = {"info", "info ", "\033[32m"},
    [LOG_WARN] = {"warn", "warn ", "\033[33m"},
    [LOG_ERROR] = {"error", "error", "\033[31m"},
};

static void write_stderr(void *arg, struct slice line) {
    (void)arg;
    while (line.len > 0) {
        ssize_t written = write(STDERR_FILENO, line.data, line.len);
        if (written <= 0) return; /* there is nobody left to tell */
        line = slice_from(line, (size_t)written);
    }
}

void log_init_stderr(struct log *log, enum log_level level) {
    const char *no_colour = getenv("NO_COLOR");
    bool colour = isatty(STDERR_FILENO) && (no_colour == NULL || no_colour[0] == '\0');
    *log = (struct log){.level = level, .colour = colour, .write = write_stderr};
}

void log_init_null(struct log *log) { *log = (struct log){.level = LOG_ERROR}; }

/* Days since 1970 to a civil date (Hinnant, "chrono-Compatible Low-Level Date Algorithms"): gmtime
 * would do, but not the same way on every system. */
static void civil_from_days(uint64_t days, unsigned *year, unsigned *month, unsigned *day) {
    uint64_t z = days + 719468;
    uint64_t era = z / 146097;
    uint64_t day_of_era = z % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t shifted_month = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (unsigned)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (unsigned)(year_of_era + era * 400 + (*month <= 2 ? 1 : 0));
}

static void append_time(struct buf *line, uint64_t wall_ns) {
    uint64_t ms = wall_ns / 1000000;
    uint64_t seconds = ms / 1000;
    unsigned year, month, day;
    civil_from_days(seconds / 86400, &year, &month, &day);
    unsigned of_day = (unsigned)(seconds % 86400);
    buf_printf(line, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ ", year, month, day, of_day / 3600,
               of_day / 60 % 60, of_day % 60, (unsigned)(ms % 1000));
}

/* Where the key=value pairs begin: at the blank before the first word with a '=' in it, or at the
 * end. */
static size_t find_pairs(const char *text) {
    size_t blank = 0;
    size_t i = 0;
    for (; text[i] != '\0'; i++) {
        if (text[i] == ' ') blank = i;
        if (text[i] == '=') return blank;
    }
    return i;
}

/* A message may carry bytes from outside: they must not forge lines or move the cursor. */
static void defuse(char *text) {
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f) *text = ' ';
    }
}

void log_write(struct log *log, enum log_level level, const char *module, const char *format, ...) {
    if (log == NULL || log->write == NULL || level < log->level) return;
    char message[LOG_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    defuse(message);

    struct buf line = BUF_INIT;
    if (log->wall_ns != NULL) append_time(&line, log->wall_ns(log->wall_arg));
    if (log->colour) buf_append_string(&line, levels[level].colour);
    buf_append_string(&line, levels[level].padded);
    if (log->colour) buf_append_string(&line, "\033[0m");
    buf_printf(&line, " %s: ", module);
    size_t pairs = find_pairs(message);
    buf_append(&line, message, pairs);
    if (log->node_id != 0) {
        buf_printf(&line, "%snode=%llu", pairs > 0 ? " " : "", (unsigned long long)log->node_id);
        if (pairs == 0 && message[0] != '\0') buf_append_byte(&line, ' ');
    }
    buf_append_string(&line, message + pairs);
    buf_append_byte(&line, '\n');
    log->write(log->write_arg, buf_slice(&line));
    buf_deinit(&line);
}

bool log_level_parse(const char *text, enum log_level *out) {
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(text, levels[i].name) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}
