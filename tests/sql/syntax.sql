-- Errors of syntax, with positions; small things of the grammar.
SELEC 1;
SELECT 1 +;
SELECT FROM WHERE;
SELECT (1 +);
SELECT ()
SELECT 1 2;
SELECT 'over two
lines' nosuch syntax;
CREATE TABLE;
CREATE TABLE t (a);
INSERT INTO;
INSERT INTO t VALUE (1);
UPDATE t SET;
DELETE t;
SELECT * FROM;
SELECT * FROM t WHERE;
SELECT * FROM t ORDER;
SELECT a b c;
SELECT 1 AS;
SELECT "";
SELECT 1 FROM 5;
SELECT 10 AS end;
SELECT $1;
SELECT @ 5;
SELECT 1;;
;
SELECT /* comment /* nested */ */ 1 -- end
;
SELECT 1 /* a comment
over lines */;
select 1 as "UPPER", 2 As Lower;
SELECT 1_000;
SELECT 0x1F;
SELECT 1.e3, .5, 5., 1e-2;
SELECT 1e;
SELECT 'ä' + 1;
SELECT 'äöü', nosuch;
SHOW nosuch;
SET nosuch = 1;
SET application_name = 'test';
SHOW application_name;
RESET application_name;
SHOW standard_conforming_strings;
SHOW server_encoding;
SET client_encoding = 'UTF8';
DROP TABLE a.b.c.d;
SELECT 1 WHERE false;
SELECT;
SELECT current_schema();
EXPLAIN (nosuch) SELECT 1;
