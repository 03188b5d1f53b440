"""Makes the Arrow, CSV and JSON files of this folder, which `shared/ingest/tests/agreement` loads.

    pip install pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.0 pandas==3.1.1
    python test-fixtures/writers/generate.py

Run again, it makes the same values. Every file has the row's number in a column `n`,
by which the readings are put in order. Parquet has a folder of its own.
"""

import csv
import datetime as dt
import decimal
import json
import pathlib

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc

HERE = pathlib.Path(__file__).parent
ROWS = 60
D = decimal.Decimal
UTC = dt.timezone.utc
# What a reader trips over, in one cell each.
TEXTS = [
    "plain", "", "two words", "comma, inside", 'a "quote"', "line\nbreak", "crlf\r\ninside", "tab\tinside",
    "back\\slash", "ünïcödé", "日本語", "🙂", "null", "NaN", "\\N", "'single'", " spaces ", "#hash", "0", "a;b|c",
]


def every(step, make):
    """Values with NULL in every so many rows."""
    return [None if row % step == step - 1 else make(row) for row in range(ROWS)]


def text(row):
    return TEXTS[row % len(TEXTS)]


def day(row):
    return dt.date(2024, 1, 1) + dt.timedelta(days=row * 11)


def moment(row):
    return dt.datetime(2024, 1, 1, 12, 30, 15, 123456) + dt.timedelta(hours=row * 7)


# Arrow.


def arrow_types():
    """A column of each type of Arrow's that a table can hold."""
    zoned = [None if row % 9 == 8 else moment(row).replace(tzinfo=UTC) for row in range(ROWS)]
    floats = [0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan"), 5e-324, 1.7976931348623157e308]
    wide = D(10) ** 70 + D("0.25")
    columns = {
        "n": (range(ROWS), pa.int32()),
        "i8": (every(7, lambda r: r - 30), pa.int8()),
        "i16": (every(7, lambda r: r * 1000 - 30000), pa.int16()),
        "i64": (every(7, lambda r: [2**63 - 1, -(2**63), 0][r % 3]), pa.int64()),
        "u8": (every(7, lambda r: r * 4), pa.uint8()),
        "u16": (every(7, lambda r: r * 1000), pa.uint16()),
        "u32": (every(7, lambda r: r * 70_000_000), pa.uint32()),
        "u64": (every(7, lambda r: 2**64 - 1 - r), pa.uint64()),
        "f32": (every(5, lambda r: r / 3), pa.float32()),
        "f64": (every(11, lambda r: floats[r % len(floats)]), pa.float64()),
        "b": (every(6, lambda r: r % 3 == 0), pa.bool_()),
        "s": (every(7, text), pa.string()),
        "ls": (every(7, text), pa.large_string()),
        "x": (every(6, lambda r: bytes([r, 255 - r])), pa.binary()),
        "lx": (every(6, lambda r: bytes([r, 255 - r])), pa.large_binary()),
        "fx": (every(6, lambda r: bytes([r, 1, 2])), pa.binary(3)),
        "d": (every(8, day), pa.date32()),
        "d64": (every(8, day), pa.date64()),
        "ts": (every(9, moment), pa.timestamp("s")),
        "tm": (every(9, moment), pa.timestamp("ms")),
        "tu": (every(9, moment), pa.timestamp("us")),
        "tn": (every(9, moment), pa.timestamp("ns")),
        "tz": (zoned, pa.timestamp("us", tz="Europe/Berlin")),
        "m38": (every(4, lambda r: D(r * 101 - 50) / 100), pa.decimal128(38, 10)),
        "m76": (every(4, lambda r: wide + r), pa.decimal256(76, 4)),
        "dict": (pa.array(every(5, lambda r: f"word {r % 4}")).dictionary_encode(), None),
        "l": ([[r, None, -r][: r % 4] for r in range(ROWS)], pa.list_(pa.int32())),
        "ll": ([[["a"], []][: r % 3] for r in range(ROWS)], pa.large_list(pa.list_(pa.string()))),
        "fl": ([[r, r + 1] for r in range(ROWS)], pa.list_(pa.float64(), 2)),
        "st": ([{"x": r, "y": None if r % 2 else text(r)} for r in range(ROWS)],
               pa.struct([("x", pa.int32()), ("y", pa.string())])),
        "mp": ([[("a", r), ("b", None)][: r % 3] for r in range(ROWS)], pa.map_(pa.string(), pa.int64())),
    }
    arrays = [values if kind is None else pa.array(list(values), kind) for values, kind in columns.values()]
    # An offset in front and three batches: buffers that do not begin where they begin.
    table = pa.table(arrays, names=list(columns))
    return pa.concat_tables([table.slice(0, 13), table.slice(13, 40), table.slice(53)])


def times_and_narrow_decimals():
    rows = range(ROWS)
    return pa.table({
        "n": pa.array(rows, pa.int32()),
        "ks": pa.array(every(5, lambda r: dt.time(r % 24, 59, r)), pa.time32("s")),
        "km": pa.array(every(5, lambda r: dt.time(r % 24, 59, r, 123_000)), pa.time32("ms")),
        "ku": pa.array(every(5, lambda r: dt.time(r % 24, 59, r, 123_456)), pa.time64("us")),
        "h": pa.array(every(5, lambda r: r / 2), pa.float16()),
        "m9": pa.array(every(4, lambda r: D(r) / 100), pa.decimal32(9, 2)),
        "m18": pa.array(every(4, lambda r: D(r) / 1000), pa.decimal64(18, 3)),
    })


def views():
    rows = range(ROWS)
    return pa.table({
        "n": pa.array(rows, pa.int32()),
        "s": pa.array(every(7, lambda r: text(r) * (r % 3 + 1)), pa.string_view()),
        "x": pa.array(every(7, lambda r: bytes([r]) * (r % 20)), pa.binary_view()),
    })


def write_ipc(name, table, stream=False, **options):
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    options = pa.ipc.IpcWriteOptions(**options)
    with make(HERE / f"{name}.arrow", table.schema, options=options) as writer:
        writer.write_table(table)


def arrow():
    table = arrow_types()
    write_ipc("pyarrow", table)
    write_ipc("pyarrow_stream", table, stream=True)
    for codec in ["lz4", "zstd"]:
        write_ipc(f"pyarrow_{codec}", table, compression=codec)
        write_ipc(f"pyarrow_stream_{codec}", table, stream=True, compression=codec)
    write_ipc("pyarrow_v4", table, metadata_version=pa.ipc.MetadataVersion.V4)
    write_ipc("pyarrow_no_rows", table.slice(0, 0))
    write_ipc("pyarrow_no_batches", pa.Table.from_batches([], table.schema), stream=True)
    write_ipc("pyarrow_times", times_and_narrow_decimals())
    write_ipc("pyarrow_views", views())
    # A dictionary that grows, and one that is replaced, between the batches of a stream.
    word = pa.dictionary(pa.int8(), pa.string())
    grows = [["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]]
    other = [["a", "b"], ["x", "y", "z"], ["p"]]
    for name, dictionaries, deltas in [("grows", grows, True), ("replaced", other, False)]:
        schema = pa.schema([("n", pa.int32()), ("c", word)])
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
        with pa.ipc.new_stream(HERE / f"pyarrow_dictionary_{name}.arrow", schema, options=options) as writer:
            for number, words in enumerate(dictionaries):
                indices = pa.array([row % len(words) if row % 4 else None for row in range(20)], pa.int8())
                column = pa.DictionaryArray.from_arrays(indices, pa.array(words))
                numbers = pa.array(range(number * 20, number * 20 + 20), pa.int32())
                writer.write_batch(pa.record_batch([numbers, column], schema=schema))
    frame = polars_frame()
    frame.write_ipc(HERE / "polars.arrow")
    frame.write_ipc(HERE / "polars_zstd.arrow", compression="zstd")
    frame.write_ipc(HERE / "polars_oldest.arrow", compression="lz4", compat_level=pl.CompatLevel.oldest())
    frame.write_ipc_stream(HERE / "polars_stream.arrow", compression="lz4")
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    write_ipc("duckdb", duck.execute(DUCK).to_arrow_table())
    pa.feather.write_feather(pandas_frame(), str(HERE / "pandas.arrow"))


def polars_frame():
    return pl.DataFrame({
        "n": pl.Series(range(ROWS), dtype=pl.Int32),
        "s": every(7, text),
        "c": pl.Series(every(6, lambda r: f"cat {r % 3}"), dtype=pl.Categorical),
        "e": pl.Series([["x", "y"][r % 2] for r in range(ROWS)], dtype=pl.Enum(["x", "y"])),
        "f": every(4, lambda r: r / 3),
        "t": pl.Series(every(7, moment), dtype=pl.Datetime("us")),
        "d": every(8, day),
        "k": every(9, lambda r: dt.time(r % 24, 30, r % 60, 123_456)),
        "m": pl.Series(every(3, lambda r: D(r) / 8), dtype=pl.Decimal(18, 3)),
        "l": [[r, None][: r % 3] for r in range(ROWS)],
        "p": [{"x": r, "y": None if r % 2 else f"y{r}"} for r in range(ROWS)],
        "u": pl.Series(range(ROWS), dtype=pl.UInt64),
        "b": every(10, lambda r: r % 2 == 0),
        "x": every(11, lambda r: bytes([r, 255 - r])),
    })


def pandas_frame():
    return pd.DataFrame({
        "n": pd.Series(range(ROWS), dtype="int32"),
        "s": every(7, text),
        "i": pd.array(every(5, lambda r: r * 1_000_003), dtype="Int64"),
        "f": [None if r % 6 == 5 else r / 3 for r in range(ROWS)],
        "t": pd.Series(every(7, moment), dtype="datetime64[us]"),
        "b": [r % 2 == 0 for r in range(ROWS)],
        "c": pd.Categorical([f"cat {r % 3}" for r in range(ROWS)]),
    })


DUCK = f"""
    SELECT r::INTEGER AS n, if(r % 5 = 0, NULL, 'duck, "' || r % 7 || '"') AS s, (r % 250)::UTINYINT AS u8, r::UBIGINT AS u64,
        r / 7 AS f, (r / 3)::FLOAT AS f32, DATE '2024-01-01' + r::INTEGER AS d,
        TIMESTAMP '2024-01-01 00:00:00.123456' + to_hours(r) AS t, TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_hours(r) AS tz,
        ('00000000-0000-0000-0000-' || lpad(r::VARCHAR, 12, '0'))::UUID::VARCHAR AS id, [r, NULL, r + 1] AS l,
        {{'x': r::INTEGER, 'y': 'y' || r}} AS p, (r * 1.25)::DECIMAL(18, 4) AS m, r % 2 = 0 AS b
    FROM range({ROWS}) AS g(r)
"""
# Texts as a table has them; lists and structs are JSON's alone.
DUCK_FLAT = f"SELECT * EXCLUDE (l, p) FROM ({DUCK})"


# CSV.


def csv_files():
    frame = pandas_frame()
    frame.to_csv(HERE / "pandas.csv", index=False)
    frame.to_csv(HERE / "pandas_quoted.csv", index=False, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    frame.to_csv(HERE / "pandas_escaped.csv", index=False, quoting=csv.QUOTE_NONNUMERIC, doublequote=False,
                 escapechar="\\", na_rep="NULL!", sep=";")
    frame.to_csv(HERE / "pandas_utf16.csv", index=False, encoding="utf-16")
    frame.to_csv(HERE / "pandas_bom.csv", index=False, encoding="utf-8-sig")
    flat = arrow_types().select(["n", "i8", "i64", "u64", "f32", "b", "s", "d", "ts", "tu", "m38"])
    pa.csv.write_csv(flat, HERE / "pyarrow.csv")
    polars = polars_frame().select("n", "s", "c", "f", "t", "d", "k", "m", "u", "b")
    polars.write_csv(HERE / "polars.csv")
    polars.write_csv(HERE / "polars_always.csv", quote_style="always", separator="\t", null_value="(null)")
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute(f"COPY ({DUCK_FLAT}) TO '{HERE}/duckdb.csv' (HEADER)")
    duck.execute(f"COPY ({DUCK_FLAT}) TO '{HERE}/duckdb_bars.csv' (HEADER, DELIMITER '|', QUOTE '''', NULL 'none')")
    with open(HERE / "python_excel.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["n", "s", "d"])
        writer.writerows([row, text(row), day(row).isoformat()] for row in range(ROWS))


# JSON.


def json_files():
    frame = pandas_frame()
    frame.to_json(HERE / "pandas.jsonl", orient="records", lines=True, date_format="iso", date_unit="us")
    frame.to_json(HERE / "pandas.json", orient="records", date_format="iso", date_unit="us", indent=1)
    polars = polars_frame().select("n", "s", "c", "f", "t", "d", "k", "m", "l", "p", "u", "b")
    polars.write_ndjson(HERE / "polars.jsonl")
    polars.write_json(HERE / "polars.json")
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute(f"COPY ({DUCK}) TO '{HERE}/duckdb.jsonl' (FORMAT json)")
    duck.execute(f"COPY ({DUCK}) TO '{HERE}/duckdb.json' (FORMAT json, ARRAY true)")
    rows = [{"n": row, "s": text(row), "nested": {"l": [row, None], "t": text(row)}} for row in range(ROWS)]
    (HERE / "python.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, options in [("ascii", {}), ("utf8", {"ensure_ascii": False}), ("indented", {"indent": 2})]:
        body = json.dumps({"meta": {"rows": ROWS}, "data": rows}, **options)
        (HERE / f"python_{name}.json").write_text(body)


arrow()
csv_files()
json_files()
