#!/usr/bin/env python3
"""Prints what load.sql reads from: 10,000 orders of 500 customers, in statements of 1,000 rows."""

print("CREATE TABLE customer (id int PRIMARY KEY, name varchar(20) NOT NULL, city text, credit numeric(10,2));")
print("CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, amount bigint, weight float8, open bool, note text);")
rows = ["(%d, 'customer %d', %s, %d.%02d)" % (i, i, "NULL" if i % 17 == 0 else "'city %d'" % (i % 23), i * 7 % 1000, i % 100)
        for i in range(1, 501)]
print("INSERT INTO customer VALUES\n%s;" % ",\n".join(rows))
state = 1
for batch in range(10):
    rows = []
    for i in range(batch * 1000 + 1, batch * 1000 + 1001):
        state = (state * 1103515245 + 12345) % 2**31
        customer = state // 65536 % 520 + 1  # a few have no customer
        amount = "NULL" if state % 31 == 0 else str(state % 100000)
        note = "NULL" if i % 5 == 0 else "'note %d of %d'" % (state % 97, i)
        rows.append("(%d, %d, %s, %s, %s, %s)" % (i, customer, amount, state % 4096 / 8, str(state % 3 == 0).lower(), note))
    print("INSERT INTO orders VALUES\n%s;" % ",\n".join(rows))
