#!/usr/bin/env python3
"""Appends a second with SQLite (WAL, synchronous=FULL), for comparison: one writer who commits each
row of 500 bytes, and 64 rows to a commit. usage: bench_sqlite.py [SECONDS]"""
import os, sqlite3, sys, tempfile, time

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0


def rate(path, at_once):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode=wal")
    db.execute("pragma synchronous=full")
    db.execute("create table if not exists receipts (seq integer primary key, line text not null)")
    line, done, start = "x" * 500, 0, time.monotonic()
    while time.monotonic() - start < seconds:
        db.execute("begin immediate")
        for _ in range(at_once):
            db.execute("insert into receipts (line) values (?)", (line,))
        db.execute("commit")
        done += at_once
    took = time.monotonic() - start
    db.close()
    return done / took


with tempfile.TemporaryDirectory(prefix="warroom-bench.") as d:
    one, many = rate(os.path.join(d, "one.db"), 1), rate(os.path.join(d, "many.db"), 64)
print(f"append: SQLite {sqlite3.sqlite_version} (WAL, synchronous=FULL), beside: one row to a commit "
      f"{one:.0f}/s, 64 rows {many:.0f}/s")
