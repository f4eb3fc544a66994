/* sql_settings.c - SET and SHOW: the session's variables.
 *
 * Settings that change nothing here are accepted because drivers set them; a value that would
 * promise something we do not do is refused. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mem.h"
#include "sql_session_internal.h"

struct setting {
    const char *name;
    const char *initial;
    bool reported;    /* clients are told when it changes */
    bool fixed;       /* cannot be changed */
    const char *only; /* the one value that is accepted, NULL: any */
};

static const struct setting settings[] = {
    {"application_name", "", true, false, NULL},
    {"bytea_output", "hex", false, false, "hex"},
    {"client_encoding", "UTF8", true, false, "UTF8"},
    {"client_min_messages", "notice", false, false, NULL},
    {"DateStyle", "ISO, MDY", true, false, NULL},
    {"default_transaction_isolation", "serializable", false, false, NULL},
    {"default_transaction_read_only", "off", false, false, "off"},
    {"extra_float_digits", "1", false, false, NULL},
    {"idle_in_transaction_session_timeout", "0", false, false, NULL},
    {"integer_datetimes", "on", true, true, NULL},
    {"IntervalStyle", "postgres", true, false, NULL},
    {"is_superuser", "on", true, true, NULL},
    {"lock_timeout", "0", false, false, NULL},
    {"max_identifier_length", "63", false, true, NULL},
    {"search_path", "\"$user\", public", false, false, NULL},
    {"server_encoding", "UTF8", true, true, NULL},
    {"server_version", "15.0 (Cairn)", true, true, NULL},
    {"server_version_num", "150000", false, true, NULL},
    {"standard_conforming_strings", "on", true, false, "on"},
    {"statement_timeout", "0", false, false, NULL},
    {"TimeZone", "UTC", true, false, NULL},
    {"transaction_isolation", "serializable", false, false, NULL},
    {"transaction_read_only", "off", false, false, "off"},
};

_Static_assert(ARRAY_LEN(settings) <= SQL_SETTINGS_MAX, "room for every setting");

size_t sql_settings_count(void) { return ARRAY_LEN(settings); }

const char *sql_settings_name(size_t i) { return settings[i].name; }

static int find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        if (strcasecmp(settings[i].name, name) == 0) return (int)i;
    }
    return -1;
}

static struct sql_setting_value *find_custom(const struct sql_session *session, const char *name) {
    struct sql_setting_value *value = session->custom;
    while (value != NULL && strcasecmp(value->name, name) != 0)
        value = value->next;
    return value;
}

/* Milliseconds by default; also "10s", "5min", "1h". */
static bool parse_duration_ms(const char *text, uint64_t *out) {
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || *text == '-' || number > INT32_MAX) return false;
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(end, units[i].name) != 0) continue;
        *out = number * units[i].ms;
        return true;
    }
    return false;
}

uint64_t sql_settings_statement_timeout_ns(const struct sql_session *session) {
    uint64_t ms = 0;
    const char *value = sql_session_show(session, "statement_timeout");
    return parse_duration_ms(value, &ms) ? ms * NS_PER_MS : 0;
}

static bool same_encoding(const char *value) {
    return strcasecmp(value, "UTF8") == 0 || strcasecmp(value, "UTF-8") == 0 ||
           strcasecmp(value, "unicode") == 0;
}

static enum status check(const struct setting *setting, const char *value,
                         struct sql_error *error) {
    uint64_t ms;
    if (setting->fixed) {
        return sql_error_set(error, "55P02", "parameter \"%s\" cannot be changed", setting->name);
    }
    bool valid = setting->only == NULL || strcasecmp(setting->only, value) == 0;
    if (strcmp(setting->name, "client_encoding") == 0) valid = same_encoding(value);
    if (strstr(setting->name, "timeout") != NULL) valid = parse_duration_ms(value, &ms);
    if (valid) return STATUS_OK;
    return sql_error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "invalid value for parameter \"%s\": \"%s\"", setting->name, value);
}

static void report(struct sql_session *session, int i) {
    if (!settings[i].reported || session->sink->parameter == NULL) return;
    session->sink->parameter(session->sink_arg, settings[i].name,
                             sql_session_show(session, settings[i].name));
}

static void set_custom(struct sql_session *session, const char *name, const char *value) {
    struct sql_setting_value *custom = find_custom(session, name);
    if (custom == NULL) {
        custom = MEM_NEW(struct sql_setting_value);
        custom->name = mem_strdup(name);
        custom->next = session->custom;
        session->custom = custom;
    }
    mem_free(custom->value);
    custom->value = mem_strdup(value);
}

enum status sql_session_set(struct sql_session *session, const char *name, const char *value,
                            struct sql_error *error) {
    int i = find(name);
    if (i < 0 && strchr(name, '.') != NULL) {
        set_custom(session, name, value);
        return STATUS_OK;
    }
    if (i < 0) {
        return sql_error_set(error, SQLSTATE_UNDEFINED_OBJECT,
                             "unrecognized configuration parameter \"%s\"", name);
    }
    TRY(check(&settings[i], value, error));
    bool encoding = strcmp(settings[i].name, "client_encoding") == 0;
    mem_free(session->settings[i]);
    session->settings[i] = mem_strdup(encoding ? "UTF8" : value);
    report(session, i);
    return STATUS_OK;
}

const char *sql_session_show(const struct sql_session *session, const char *name) {
    int i = find(name);
    if (i >= 0) return session->settings[i] != NULL ? session->settings[i] : settings[i].initial;
    const struct sql_setting_value *custom = find_custom(session, name);
    return custom == NULL ? NULL : custom->value;
}

enum status sql_settings_reset(struct sql_session *session, const char *name,
                               struct sql_error *error) {
    int i = find(name);
    if (i < 0 && find_custom(session, name) != NULL) {
        set_custom(session, name, "");
        return STATUS_OK;
    }
    if (i < 0) {
        return sql_error_set(error, SQLSTATE_UNDEFINED_OBJECT,
                             "unrecognized configuration parameter \"%s\"", name);
    }
    mem_free(session->settings[i]);
    session->settings[i] = NULL;
    report(session, i);
    return STATUS_OK;
}

void sql_settings_reset_all(struct sql_session *session) {
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        if (session->settings[i] == NULL) continue;
        mem_free(session->settings[i]);
        session->settings[i] = NULL;
        report(session, (int)i);
    }
}

/* ---- transactions --------------------------------------------------------------------------- */

struct sql_setting_undo {
    struct sql_setting_undo *next;
    char *name;
    char *value; /* NULL: the default */
    bool local;
};

static void remember_one(struct sql_session *session, const char *name, const char *value,
                         bool local) {
    struct sql_setting_undo *undo = MEM_NEW(struct sql_setting_undo);
    *undo = (struct sql_setting_undo){.next = session->setting_undo,
                                      .name = mem_strdup(name),
                                      .value = value == NULL ? NULL : mem_strdup(value),
                                      .local = local};
    session->setting_undo = undo;
}

void sql_settings_remember(struct sql_session *session, const char *name, bool local) {
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        if (name != NULL && strcasecmp(settings[i].name, name) != 0) continue;
        if (name == NULL && session->settings[i] == NULL) continue; /* RESET ALL changes nothing */
        remember_one(session, settings[i].name, session->settings[i], local);
    }
    if (name == NULL || find(name) >= 0 || strchr(name, '.') == NULL) return;
    const struct sql_setting_value *custom = find_custom(session, name);
    remember_one(session, name, custom == NULL ? "" : custom->value, local);
}

static void restore(struct sql_session *session, const struct sql_setting_undo *undo) {
    int i = find(undo->name);
    if (i < 0) {
        set_custom(session, undo->name, undo->value);
        return;
    }
    mem_free(session->settings[i]);
    session->settings[i] = undo->value == NULL ? NULL : mem_strdup(undo->value);
    report(session, i);
}

static void pop_undo(struct sql_session *session) {
    struct sql_setting_undo *undo = session->setting_undo;
    session->setting_undo = undo->next;
    mem_free(undo->name);
    mem_free(undo->value);
    mem_free(undo);
}

void sql_settings_end_transaction(struct sql_session *session, bool committed) {
    while (session->setting_undo != NULL) {
        if (!committed || session->setting_undo->local) restore(session, session->setting_undo);
        pop_undo(session);
    }
}

void sql_settings_deinit(struct sql_session *session) {
    while (session->setting_undo != NULL)
        pop_undo(session);
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        mem_free(session->settings[i]);
    while (session->custom != NULL) {
        struct sql_setting_value *value = session->custom;
        session->custom = value->next;
        mem_free(value->name);
        mem_free(value->value);
        mem_free(value);
    }
}
