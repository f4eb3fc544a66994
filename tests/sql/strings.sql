-- Strings, patterns.
SELECT 'a' || 'b', 'a' || 1, 1 || 'b', 'x' || NULL, 'a' || 1.5 || true;
SELECT length('hello'), length(''), length('ümläut'), char_length('abc'), octet_length('ü');
SELECT upper('abcÜ'), lower('ABC'), initcap('hello world');
SELECT substring('hello' from 2 for 3), substring('hello', 2), substr('hello', -1, 3), substring('hello' from 10);
SELECT substring('hello', 2, -1);
SELECT left('hello', 2), right('hello', 2), left('hello', -2), right('hello', -2), left('hi', 10);
SELECT trim('  x  '), ltrim('  x '), rtrim(' x  '), trim(both 'x' from 'xxaxx'), trim(leading from '  a '), btrim('xyxtrimyyx', 'xyz');
SELECT replace('banana', 'an', 'xy'), position('na' in 'banana'), strpos('banana', 'x'), repeat('ab', 3), repeat('x', -1);
SELECT reverse('abc'), lpad('7', 3, '0'), rpad('7', 3, '.'), lpad('hello', 2), concat('a', 1, NULL, true), concat_ws('-', 'a', NULL, 'b');
SELECT split_part('a,b,c', ',', 2), split_part('a,b,c', ',', 5), starts_with('hello', 'he'), ascii('A'), chr(66);
SELECT 'abc' LIKE 'a%', 'abc' LIKE '_b_', 'abc' LIKE 'b', 'abc' NOT LIKE '%c', 'a%c' LIKE 'a\%c', 'abc' LIKE NULL;
SELECT 'ABC' ILIKE 'a%', 'abc' NOT ILIKE 'A_C', '' LIKE '%', '' LIKE '_', 'aXb' LIKE 'a%b%';
SELECT 'a_c' LIKE 'a#_c' ESCAPE '#', 'abc' LIKE 'a#_c' ESCAPE '#';
SELECT 'abc' LIKE 'ab\';
SELECT 'abc' < 'abd', 'B' < 'a', 'a' < 'ab', '' < 'a', 'abc' = 'abc ';
SELECT 'it''s', E'tab\there', E'\x41\u00e4', $$dollar 'quoted'$$, $tag$a$$b$tag$;
SELECT 'a' 'b';
SELECT 'con'
  'cat';
SELECT 'abc'::varchar(2) || 'd', cast('abcdef' as varchar(3));
SELECT upper(5);
SELECT length(5);
SELECT nosuchfunction(1);
SELECT lower('a', 'b');
SELECT 'abc' AS "Quoted Name", 'def' AS alias, 1 AS "select";
