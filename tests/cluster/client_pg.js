// What node-postgres does with a cluster; run by test_clients.py with the ports of the nodes.
'use strict';
const assert = require('assert');
const { Client, Pool } = require('pg');

const ports = process.argv.slice(2).map(Number);
const config = (k) => ({ host: '127.0.0.1', port: ports[k], user: 'anna', database: 'stones', connectionTimeoutMillis: 10000 });

async function connect(k, more) {
  const client = new Client({ ...config(k), ...more });
  await client.connect();
  return client;
}

async function fails(sqlstate, promise) {
  await assert.rejects(promise, (error) => {
    assert.strictEqual(error.code, sqlstate, error.message);
    return true;
  });
}

async function main() {
  const a = await connect(0);
  const b = await connect(1);
  await a.query('DROP TABLE IF EXISTS things');
  await a.query('CREATE TABLE things (id int4 PRIMARY KEY, name text, big int8, weight float8, fine bool)');
  // Parameters travel as text, by an unnamed and by a named prepared statement.
  const insert = 'INSERT INTO things VALUES ($1, $2, $3, $4, $5)';
  assert.strictEqual((await a.query(insert, [1, "it's; a -- \\ stone", '9007199254740993', 2.5, true])).rowCount, 1);
  await a.query(insert, [2, null, null, -1e300, false]);
  for (let k = 3; k < 30; k++) await b.query({ name: 'add', text: insert, values: [k, 'ü☃' + k, k, k / 4, k % 2 === 0] });
  const { rows, fields } = await b.query('SELECT * FROM things WHERE id <= $1 ORDER BY id', [2]);
  assert.deepStrictEqual(rows, [
    { id: 1, name: "it's; a -- \\ stone", big: '9007199254740993', weight: 2.5, fine: true },
    { id: 2, name: null, big: null, weight: -1e300, fine: false },
  ]);
  assert.deepStrictEqual(fields.map((f) => f.name), ['id', 'name', 'big', 'weight', 'fine']);
  assert.strictEqual((await a.query({ text: 'SELECT name FROM things WHERE id = $1', values: [29], rowMode: 'array' })).rows[0][0], 'ü☃29');

  // Transactions and errors.
  await a.query('BEGIN');
  await a.query('DELETE FROM things WHERE id > $1', [5]);
  await a.query('ROLLBACK');
  assert.strictEqual((await b.query('SELECT count(*) AS n FROM things')).rows[0].n, '29');
  await a.query('BEGIN');
  await fails('23505', a.query(insert, [1, null, null, null, null]));
  await fails('25P02', a.query('SELECT 1'));
  await a.query('ROLLBACK');
  await fails('42601', a.query('SELEC 1'));
  await fails('42P01', a.query('SELECT * FROM nowhere WHERE id = $1', [1]));
  await fails('22P02', a.query('SELECT * FROM things WHERE id = $1', ['one']));
  await fails('22012', a.query('SELECT 1 / $1::int4', [0]));

  // A pool on the third node; then a statement that waits for a row is ended by its timeout.
  const pool = new Pool({ ...config(2), max: 4 });
  const answers = await Promise.all([...Array(20).keys()].map((k) => pool.query('SELECT $1::int4 + 1 AS n', [k])));
  assert.deepStrictEqual(answers.map((r) => r.rows[0].n), [...Array(20).keys()].map((k) => k + 1));
  await pool.end();
  const waiter = await connect(2, { statement_timeout: 200 });
  await a.query('BEGIN');
  await a.query('UPDATE things SET weight = 0 WHERE id = 1');
  await fails('57014', waiter.query('UPDATE things SET weight = 1 WHERE id = 1'));
  await a.query('COMMIT');
  assert.strictEqual((await waiter.query('UPDATE things SET weight = 1 WHERE id = $1', [1])).rowCount, 1);
  await a.query('DROP TABLE things');
  await Promise.all([a.end(), b.end(), waiter.end()]);
  console.log(`node-postgres ${require('pg/package.json').version} is content`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
