/* sql_keywords.h - the words that the grammar knows, with PostgreSQL 15's classes (appendix C).
 *
 * All words that are not free as names are here; of the unreserved ones only those that the grammar
 * uses, since the others are plain identifiers. Sorted: the lexer searches by halving.
 *
 *   RESERVED          never a name, except after AS
 *   TYPE_OR_FUNCTION  may name a function or a type, not a column or a table
 *   COLUMN_NAME       may name a column or a table, not a function or a type
 *   UNRESERVED        may name anything
 *   BARE, AS          whether it may label a column without the word AS
 */
#ifndef CAIRN_SQL_KEYWORDS_H
#define CAIRN_SQL_KEYWORDS_H

enum sql_keyword_class {
    SQL_KEYWORD_RESERVED,
    SQL_KEYWORD_TYPE_OR_FUNCTION,
    SQL_KEYWORD_COLUMN_NAME,
    SQL_KEYWORD_UNRESERVED
};

/*    name, spelling, class, label */
/* clang-format off */
#define SQL_KEYWORD_LIST(X) \
    X(ABORT, "abort", UNRESERVED, BARE) \
    X(ACCESS, "access", UNRESERVED, BARE) \
    X(ACTION, "action", UNRESERVED, BARE) \
    X(ALL, "all", RESERVED, BARE) \
    X(ALTER, "alter", UNRESERVED, BARE) \
    X(ANALYSE, "analyse", RESERVED, BARE) \
    X(ANALYZE, "analyze", RESERVED, BARE) \
    X(AND, "and", RESERVED, BARE) \
    X(ANY, "any", RESERVED, BARE) \
    X(ARRAY, "array", RESERVED, AS) \
    X(AS, "as", RESERVED, AS) \
    X(ASC, "asc", RESERVED, BARE) \
    X(ASYMMETRIC, "asymmetric", RESERVED, BARE) \
    X(AT, "at", UNRESERVED, BARE) \
    X(AUTHORIZATION, "authorization", TYPE_OR_FUNCTION, BARE) \
    X(BEGIN, "begin", UNRESERVED, BARE) \
    X(BETWEEN, "between", COLUMN_NAME, BARE) \
    X(BIGINT, "bigint", COLUMN_NAME, BARE) \
    X(BINARY, "binary", TYPE_OR_FUNCTION, BARE) \
    X(BIT, "bit", COLUMN_NAME, BARE) \
    X(BOOLEAN, "boolean", COLUMN_NAME, BARE) \
    X(BOTH, "both", RESERVED, BARE) \
    X(BY, "by", UNRESERVED, BARE) \
    X(CALL, "call", UNRESERVED, BARE) \
    X(CASCADE, "cascade", UNRESERVED, BARE) \
    X(CASE, "case", RESERVED, BARE) \
    X(CAST, "cast", RESERVED, BARE) \
    X(CHAIN, "chain", UNRESERVED, BARE) \
    X(CHAR, "char", COLUMN_NAME, AS) \
    X(CHARACTER, "character", COLUMN_NAME, AS) \
    X(CHARACTERISTICS, "characteristics", UNRESERVED, BARE) \
    X(CHECK, "check", RESERVED, BARE) \
    X(CHECKPOINT, "checkpoint", UNRESERVED, BARE) \
    X(CLOSE, "close", UNRESERVED, BARE) \
    X(CLUSTER, "cluster", UNRESERVED, BARE) \
    X(COALESCE, "coalesce", COLUMN_NAME, BARE) \
    X(COLLATE, "collate", RESERVED, BARE) \
    X(COLLATION, "collation", TYPE_OR_FUNCTION, BARE) \
    X(COLUMN, "column", RESERVED, BARE) \
    X(COMMENT, "comment", UNRESERVED, BARE) \
    X(COMMIT, "commit", UNRESERVED, BARE) \
    X(COMMITTED, "committed", UNRESERVED, BARE) \
    X(CONCURRENTLY, "concurrently", TYPE_OR_FUNCTION, BARE) \
    X(CONFLICT, "conflict", UNRESERVED, BARE) \
    X(CONSTRAINT, "constraint", RESERVED, BARE) \
    X(CONSTRAINTS, "constraints", UNRESERVED, BARE) \
    X(COPY, "copy", UNRESERVED, BARE) \
    X(CREATE, "create", RESERVED, AS) \
    X(CROSS, "cross", TYPE_OR_FUNCTION, BARE) \
    X(CUBE, "cube", UNRESERVED, BARE) \
    X(CURRENT, "current", UNRESERVED, BARE) \
    X(CURRENT_CATALOG, "current_catalog", RESERVED, BARE) \
    X(CURRENT_DATE, "current_date", RESERVED, BARE) \
    X(CURRENT_ROLE, "current_role", RESERVED, BARE) \
    X(CURRENT_SCHEMA, "current_schema", TYPE_OR_FUNCTION, BARE) \
    X(CURRENT_TIME, "current_time", RESERVED, BARE) \
    X(CURRENT_TIMESTAMP, "current_timestamp", RESERVED, BARE) \
    X(CURRENT_USER, "current_user", RESERVED, BARE) \
    X(DAY, "day", UNRESERVED, AS) \
    X(DEALLOCATE, "deallocate", UNRESERVED, BARE) \
    X(DEC, "dec", COLUMN_NAME, BARE) \
    X(DECIMAL, "decimal", COLUMN_NAME, BARE) \
    X(DECLARE, "declare", UNRESERVED, BARE) \
    X(DEFAULT, "default", RESERVED, BARE) \
    X(DEFERRABLE, "deferrable", RESERVED, BARE) \
    X(DELETE, "delete", UNRESERVED, BARE) \
    X(DESC, "desc", RESERVED, BARE) \
    X(DISCARD, "discard", UNRESERVED, BARE) \
    X(DISTINCT, "distinct", RESERVED, BARE) \
    X(DO, "do", RESERVED, BARE) \
    X(DOUBLE, "double", UNRESERVED, BARE) \
    X(DROP, "drop", UNRESERVED, BARE) \
    X(ELSE, "else", RESERVED, BARE) \
    X(END, "end", RESERVED, BARE) \
    X(ESCAPE, "escape", UNRESERVED, BARE) \
    X(EXCEPT, "except", RESERVED, AS) \
    X(EXCLUDE, "exclude", UNRESERVED, BARE) \
    X(EXECUTE, "execute", UNRESERVED, BARE) \
    X(EXISTS, "exists", COLUMN_NAME, BARE) \
    X(EXPLAIN, "explain", UNRESERVED, BARE) \
    X(EXTRACT, "extract", COLUMN_NAME, BARE) \
    X(FALSE, "false", RESERVED, BARE) \
    X(FETCH, "fetch", RESERVED, AS) \
    X(FILTER, "filter", UNRESERVED, AS) \
    X(FIRST, "first", UNRESERVED, BARE) \
    X(FLOAT, "float", COLUMN_NAME, BARE) \
    X(FOLLOWING, "following", UNRESERVED, BARE) \
    X(FOR, "for", RESERVED, AS) \
    X(FOREIGN, "foreign", RESERVED, BARE) \
    X(FREEZE, "freeze", TYPE_OR_FUNCTION, BARE) \
    X(FROM, "from", RESERVED, AS) \
    X(FULL, "full", TYPE_OR_FUNCTION, BARE) \
    X(GENERATED, "generated", UNRESERVED, BARE) \
    X(GLOBAL, "global", UNRESERVED, BARE) \
    X(GRANT, "grant", RESERVED, AS) \
    X(GREATEST, "greatest", COLUMN_NAME, BARE) \
    X(GROUP, "group", RESERVED, AS) \
    X(GROUPING, "grouping", COLUMN_NAME, BARE) \
    X(GROUPS, "groups", UNRESERVED, BARE) \
    X(HAVING, "having", RESERVED, AS) \
    X(HOUR, "hour", UNRESERVED, AS) \
    X(IDENTITY, "identity", UNRESERVED, BARE) \
    X(IF, "if", UNRESERVED, BARE) \
    X(ILIKE, "ilike", TYPE_OR_FUNCTION, BARE) \
    X(IMPORT, "import", UNRESERVED, BARE) \
    X(IN, "in", RESERVED, BARE) \
    X(INDEX, "index", UNRESERVED, BARE) \
    X(INITIALLY, "initially", RESERVED, BARE) \
    X(INNER, "inner", TYPE_OR_FUNCTION, BARE) \
    X(INOUT, "inout", COLUMN_NAME, BARE) \
    X(INSERT, "insert", UNRESERVED, BARE) \
    X(INT, "int", COLUMN_NAME, BARE) \
    X(INTEGER, "integer", COLUMN_NAME, BARE) \
    X(INTERSECT, "intersect", RESERVED, AS) \
    X(INTERVAL, "interval", COLUMN_NAME, BARE) \
    X(INTO, "into", RESERVED, AS) \
    X(IS, "is", TYPE_OR_FUNCTION, BARE) \
    X(ISNULL, "isnull", TYPE_OR_FUNCTION, AS) \
    X(ISOLATION, "isolation", UNRESERVED, BARE) \
    X(JOIN, "join", TYPE_OR_FUNCTION, BARE) \
    X(KEY, "key", UNRESERVED, BARE) \
    X(LAST, "last", UNRESERVED, BARE) \
    X(LATERAL, "lateral", RESERVED, BARE) \
    X(LEADING, "leading", RESERVED, BARE) \
    X(LEAST, "least", COLUMN_NAME, BARE) \
    X(LEFT, "left", TYPE_OR_FUNCTION, BARE) \
    X(LEVEL, "level", UNRESERVED, BARE) \
    X(LIKE, "like", TYPE_OR_FUNCTION, BARE) \
    X(LIMIT, "limit", RESERVED, AS) \
    X(LISTEN, "listen", UNRESERVED, BARE) \
    X(LOAD, "load", UNRESERVED, BARE) \
    X(LOCAL, "local", UNRESERVED, BARE) \
    X(LOCALTIME, "localtime", RESERVED, BARE) \
    X(LOCALTIMESTAMP, "localtimestamp", RESERVED, BARE) \
    X(LOCK, "lock", UNRESERVED, BARE) \
    X(LOCKED, "locked", UNRESERVED, BARE) \
    X(MATERIALIZED, "materialized", UNRESERVED, BARE) \
    X(MINUTE, "minute", UNRESERVED, AS) \
    X(MONTH, "month", UNRESERVED, AS) \
    X(MOVE, "move", UNRESERVED, BARE) \
    X(NAME, "name", UNRESERVED, BARE) \
    X(NAMES, "names", UNRESERVED, BARE) \
    X(NATIONAL, "national", COLUMN_NAME, BARE) \
    X(NATURAL, "natural", TYPE_OR_FUNCTION, BARE) \
    X(NCHAR, "nchar", COLUMN_NAME, BARE) \
    X(NEXT, "next", UNRESERVED, BARE) \
    X(NO, "no", UNRESERVED, BARE) \
    X(NONE, "none", COLUMN_NAME, BARE) \
    X(NORMALIZE, "normalize", COLUMN_NAME, BARE) \
    X(NOT, "not", RESERVED, BARE) \
    X(NOTHING, "nothing", UNRESERVED, BARE) \
    X(NOTIFY, "notify", UNRESERVED, BARE) \
    X(NOTNULL, "notnull", TYPE_OR_FUNCTION, AS) \
    X(NOWAIT, "nowait", UNRESERVED, BARE) \
    X(NULL, "null", RESERVED, BARE) \
    X(NULLIF, "nullif", COLUMN_NAME, BARE) \
    X(NULLS, "nulls", UNRESERVED, BARE) \
    X(NUMERIC, "numeric", COLUMN_NAME, BARE) \
    X(OF, "of", UNRESERVED, BARE) \
    X(OFFSET, "offset", RESERVED, AS) \
    X(ON, "on", RESERVED, AS) \
    X(ONLY, "only", RESERVED, BARE) \
    X(OR, "or", RESERVED, BARE) \
    X(ORDER, "order", RESERVED, AS) \
    X(ORDINALITY, "ordinality", UNRESERVED, BARE) \
    X(OUT, "out", COLUMN_NAME, BARE) \
    X(OUTER, "outer", TYPE_OR_FUNCTION, BARE) \
    X(OVER, "over", UNRESERVED, AS) \
    X(OVERLAPS, "overlaps", TYPE_OR_FUNCTION, AS) \
    X(OVERLAY, "overlay", COLUMN_NAME, BARE) \
    X(OVERRIDING, "overriding", UNRESERVED, BARE) \
    X(PARTITION, "partition", UNRESERVED, BARE) \
    X(PASSING, "passing", UNRESERVED, BARE) \
    X(PLACING, "placing", RESERVED, BARE) \
    X(PLANS, "plans", UNRESERVED, BARE) \
    X(POSITION, "position", COLUMN_NAME, BARE) \
    X(PRECEDING, "preceding", UNRESERVED, BARE) \
    X(PRECISION, "precision", COLUMN_NAME, AS) \
    X(PREPARE, "prepare", UNRESERVED, BARE) \
    X(PREPARED, "prepared", UNRESERVED, BARE) \
    X(PRIMARY, "primary", RESERVED, BARE) \
    X(RANGE, "range", UNRESERVED, BARE) \
    X(READ, "read", UNRESERVED, BARE) \
    X(REAL, "real", COLUMN_NAME, BARE) \
    X(REASSIGN, "reassign", UNRESERVED, BARE) \
    X(RECURSIVE, "recursive", UNRESERVED, BARE) \
    X(REFERENCES, "references", RESERVED, BARE) \
    X(REFRESH, "refresh", UNRESERVED, BARE) \
    X(REINDEX, "reindex", UNRESERVED, BARE) \
    X(RELEASE, "release", UNRESERVED, BARE) \
    X(REPEATABLE, "repeatable", UNRESERVED, BARE) \
    X(RESET, "reset", UNRESERVED, BARE) \
    X(RESTRICT, "restrict", UNRESERVED, BARE) \
    X(RETURNING, "returning", RESERVED, AS) \
    X(REVOKE, "revoke", UNRESERVED, BARE) \
    X(RIGHT, "right", TYPE_OR_FUNCTION, BARE) \
    X(ROLLBACK, "rollback", UNRESERVED, BARE) \
    X(ROLLUP, "rollup", UNRESERVED, BARE) \
    X(ROW, "row", COLUMN_NAME, BARE) \
    X(ROWS, "rows", UNRESERVED, BARE) \
    X(SAVEPOINT, "savepoint", UNRESERVED, BARE) \
    X(SCHEMA, "schema", UNRESERVED, BARE) \
    X(SECOND, "second", UNRESERVED, AS) \
    X(SECURITY, "security", UNRESERVED, BARE) \
    X(SELECT, "select", RESERVED, BARE) \
    X(SEQUENCES, "sequences", UNRESERVED, BARE) \
    X(SERIALIZABLE, "serializable", UNRESERVED, BARE) \
    X(SESSION, "session", UNRESERVED, BARE) \
    X(SESSION_USER, "session_user", RESERVED, BARE) \
    X(SET, "set", UNRESERVED, BARE) \
    X(SETOF, "setof", COLUMN_NAME, BARE) \
    X(SETS, "sets", UNRESERVED, BARE) \
    X(SHARE, "share", UNRESERVED, BARE) \
    X(SHOW, "show", UNRESERVED, BARE) \
    X(SIMILAR, "similar", TYPE_OR_FUNCTION, BARE) \
    X(SKIP, "skip", UNRESERVED, BARE) \
    X(SMALLINT, "smallint", COLUMN_NAME, BARE) \
    X(SNAPSHOT, "snapshot", UNRESERVED, BARE) \
    X(SOME, "some", RESERVED, BARE) \
    X(START, "start", UNRESERVED, BARE) \
    X(SUBSTRING, "substring", COLUMN_NAME, BARE) \
    X(SYMMETRIC, "symmetric", RESERVED, BARE) \
    X(SYSTEM, "system", UNRESERVED, BARE) \
    X(TABLE, "table", RESERVED, BARE) \
    X(TABLESAMPLE, "tablesample", TYPE_OR_FUNCTION, BARE) \
    X(TEMP, "temp", UNRESERVED, BARE) \
    X(TEMPORARY, "temporary", UNRESERVED, BARE) \
    X(TEXT, "text", UNRESERVED, BARE) \
    X(THEN, "then", RESERVED, BARE) \
    X(TIES, "ties", UNRESERVED, BARE) \
    X(TIME, "time", COLUMN_NAME, BARE) \
    X(TIMESTAMP, "timestamp", COLUMN_NAME, BARE) \
    X(TO, "to", RESERVED, AS) \
    X(TRAILING, "trailing", RESERVED, BARE) \
    X(TRANSACTION, "transaction", UNRESERVED, BARE) \
    X(TREAT, "treat", COLUMN_NAME, BARE) \
    X(TRIM, "trim", COLUMN_NAME, BARE) \
    X(TRUE, "true", RESERVED, BARE) \
    X(TRUNCATE, "truncate", UNRESERVED, BARE) \
    X(UNBOUNDED, "unbounded", UNRESERVED, BARE) \
    X(UNCOMMITTED, "uncommitted", UNRESERVED, BARE) \
    X(UNION, "union", RESERVED, AS) \
    X(UNIQUE, "unique", RESERVED, BARE) \
    X(UNKNOWN, "unknown", UNRESERVED, BARE) \
    X(UNLISTEN, "unlisten", UNRESERVED, BARE) \
    X(UNLOGGED, "unlogged", UNRESERVED, BARE) \
    X(UPDATE, "update", UNRESERVED, BARE) \
    X(USER, "user", RESERVED, BARE) \
    X(USING, "using", RESERVED, BARE) \
    X(VACUUM, "vacuum", UNRESERVED, BARE) \
    X(VALUE, "value", UNRESERVED, BARE) \
    X(VALUES, "values", COLUMN_NAME, BARE) \
    X(VARCHAR, "varchar", COLUMN_NAME, BARE) \
    X(VARIADIC, "variadic", RESERVED, BARE) \
    X(VARYING, "varying", UNRESERVED, AS) \
    X(VERBOSE, "verbose", TYPE_OR_FUNCTION, BARE) \
    X(VIEW, "view", UNRESERVED, BARE) \
    X(WHEN, "when", RESERVED, BARE) \
    X(WHERE, "where", RESERVED, AS) \
    X(WINDOW, "window", RESERVED, AS) \
    X(WITH, "with", RESERVED, AS) \
    X(WITHIN, "within", UNRESERVED, AS) \
    X(WITHOUT, "without", UNRESERVED, AS) \
    X(WORK, "work", UNRESERVED, BARE) \
    X(WRITE, "write", UNRESERVED, BARE) \
    X(XMLATTRIBUTES, "xmlattributes", COLUMN_NAME, BARE) \
    X(XMLCONCAT, "xmlconcat", COLUMN_NAME, BARE) \
    X(XMLELEMENT, "xmlelement", COLUMN_NAME, BARE) \
    X(XMLEXISTS, "xmlexists", COLUMN_NAME, BARE) \
    X(XMLFOREST, "xmlforest", COLUMN_NAME, BARE) \
    X(XMLNAMESPACES, "xmlnamespaces", COLUMN_NAME, BARE) \
    X(XMLPARSE, "xmlparse", COLUMN_NAME, BARE) \
    X(XMLPI, "xmlpi", COLUMN_NAME, BARE) \
    X(XMLROOT, "xmlroot", COLUMN_NAME, BARE) \
    X(XMLSERIALIZE, "xmlserialize", COLUMN_NAME, BARE) \
    X(XMLTABLE, "xmltable", COLUMN_NAME, BARE) \
    X(YEAR, "year", UNRESERVED, AS) \
    X(ZONE, "zone", UNRESERVED, BARE)
/* clang-format on */

enum sql_keyword {
    KW_NO_KEYWORD,
#define SQL_KEYWORD_ENUM(name, spelling, class, label) KW_##name,
    SQL_KEYWORD_LIST(SQL_KEYWORD_ENUM)
#undef SQL_KEYWORD_ENUM
        KW_COUNT
};

#endif
