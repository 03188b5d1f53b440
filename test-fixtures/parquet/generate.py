"""Makes the Parquet files of this folder, which `shared/ingest/tests/agreement` loads.

    pip install pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.0 fastparquet==2026.9.0 pandas==3.1.1 cramjam==2.14.0
    python test-fixtures/parquet/generate.py

Run again, it makes the same values; versions of the writers and salts of the
encryption make other bytes. Every file that can be loaded has the row's number
in a column `n`, by which the readings are put in order.
"""

import datetime as dt
import decimal
import itertools
import json
import pathlib
import random
import struct
import uuid

import cramjam
import duckdb
import fastparquet
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

import raw_parquet as raw
from raw_parquet import Column, document, node

HERE = pathlib.Path(__file__).parent
D = decimal.Decimal
UTC = dt.timezone.utc


def write(name, columns, **options):
    """A file of pyarrow's; the columns are pairs of values and a type."""
    arrays = {key: pa.array(*column) if isinstance(column, tuple) else column for key, column in columns.items()}
    rows = len(next(iter(arrays.values())))
    table = pa.table({"n": pa.array(range(rows), pa.int32()), **arrays})
    pq.write_table(table, HERE / f"{name}.parquet", **options)


def every(rows, step, make):
    """Values with NULL in every so many rows."""
    return [None if row % step == step - 1 else make(row) for row in range(rows)]


def mixed(rows=300):
    """A column of each common kind."""
    return {
        "i": (every(rows, 7, lambda r: r * 1_000_003 - 77), pa.int64()),
        "f": (every(rows, 5, lambda r: r / 7), pa.float64()),
        "s": (every(rows, 4, lambda r: f"text {r % 13} ü"), pa.string()),
        "b": (every(rows, 6, lambda r: r % 3 == 0), pa.bool_()),
        "d": (every(rows, 9, lambda r: dt.date(1970, 1, 1) + dt.timedelta(days=r * 37)), pa.date32()),
        "t": (every(rows, 8, lambda r: r * 86_400_000_001 - 5), pa.timestamp("us", tz="UTC")),
        "m": (every(rows, 3, lambda r: D(r * 101 - 50) / 100), pa.decimal128(12, 2)),
        "a": ([[r, None, -r][: r % 4] for r in range(rows)], pa.list_(pa.int32())),
    }


def codecs():
    for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
        name = "lz4_raw" if codec == "lz4" else codec
        write(f"codec_{name}", mixed(), compression=codec)
    # No writer of today's makes the framing of Hadoop: blocks behind two big-endian lengths.
    values = [row * 3 for row in range(500)]
    def hadoop(body):
        half = len(body) // 2
        blocks = [bytes(cramjam.lz4.compress_block(part, store_size=False)) for part in (body[:half], body[half:])]
        return b"".join(struct.pack(">II", size, len(block)) + block
                        for size, block in zip((half, len(body) - half), blocks))
    columns = [Column(name, raw.INT32, values, codec=(raw.LZ4_HADOOP, hadoop)) for name in ("n", "v")]
    schema = [node(name, raw.REQUIRED, physical=raw.INT32) for name in ("n", "v")]
    put("codec_lz4_hadoop", document(schema, columns, 500))


def encodings():
    rows = 300
    extremes = [0, 1, -1, 2**31 - 1, -(2**31), 2**31 - 1, 7]
    wide = [0, 2**63 - 1, -(2**63), 2**63 - 1, -1, 5]
    texts = [f"prefix {r // 10} and {'x' * (r % 50)} {r}" for r in range(rows)]
    blobs = [r.to_bytes(4, "big") for r in range(rows)]
    floats = [r / 3 - 20 for r in range(rows - 4)] + [float("nan"), float("inf"), -0.0, 5e-324]
    of = {
        "i32": (every(rows, 11, lambda r: extremes[r % 7]), pa.int32()),
        "i64": (every(rows, 11, lambda r: wide[r % 6]), pa.int64()),
        "s": (every(rows, 6, lambda r: texts[r]), pa.string()),
        "x": (every(rows, 7, lambda r: blobs[r]), pa.binary(4)),
        "f32": (every(rows, 5, lambda r: floats[r]), pa.float32()),
        "f64": (every(rows, 5, lambda r: floats[r]), pa.float64()),
        "b": (every(rows, 4, lambda r: r % 17 < 9), pa.bool_()),
    }
    def encoded(name, encoding, **options):
        columns = {key: of[key] for key in encoding}
        write(f"encoding_{name}", columns, use_dictionary=False, column_encoding=encoding, **options)
    encoded("plain", {key: "PLAIN" for key in of})
    encoded("rle_booleans", {"b": "RLE"})
    encoded("delta_binary_packed", {"i32": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED"})
    encoded("delta_length_byte_array", {"s": "DELTA_LENGTH_BYTE_ARRAY"})
    encoded("delta_byte_array", {"s": "DELTA_BYTE_ARRAY", "x": "DELTA_BYTE_ARRAY"})
    encoded("byte_stream_split", {key: "BYTE_STREAM_SPLIT" for key in ["f32", "f64", "i32", "i64", "x"]})
    random.seed(1)
    many = ["".join(random.choices("abcdef", k=random.randrange(30))) for _ in range(2_000)]
    write("encoding_dictionary", {"s": ([f"word {r % 5}" for r in range(2_000)], pa.string())})
    write("encoding_dictionary_fallback", {"s": (many, pa.string()), "i": ([len(m) * r for r, m in enumerate(many)], pa.int64())},
          dictionary_pagesize_limit=2_048, data_page_size=2_048, write_batch_size=64)


def pages_and_groups():
    for version in ["1.0", "2.0"]:
        write(f"pages_v{version[0]}", mixed(), data_page_version=version, data_page_size=512, write_batch_size=32)
    write("row_groups", mixed(), row_group_size=37)
    write("no_rows", {key: ([], column[1]) for key, column in mixed().items()})
    pq.ParquetWriter(HERE / "no_row_groups.parquet", pa.schema([("n", pa.int32()), ("s", pa.string())])).close()
    write("no_statistics", mixed(), write_statistics=False, store_schema=False)
    for version in ["1.0", "2.0"]:
        write(f"checksums_v{version[0]}", {"v": (list(range(1_000, 1_300)), pa.int64())}, write_page_checksum=True,
              compression="none", use_dictionary=False, data_page_version=version)
        good = (HERE / f"checksums_v{version[0]}.parquet").read_bytes()
        at = good.index(struct.pack("<q", 1_200))
        put(f"refused_checksum_v{version[0]}", good[:at] + b"\x01" + good[at + 1:])


def decimals():
    small = [D("0.00"), D("-0.01"), D("9999999.99"), None, D("-9999999.99")]
    middle = [D("0"), D("-0.000001"), D("999999999999.999999"), None, D("-999999999999.999999")]
    large = [D("0"), D("-1E-10"), D("9" * 28 + "." + "9" * 10), None, D("-" + "9" * 28 + "." + "9" * 10)]
    huge = [D("0"), D("-1E-20"), D("9" * 56 + "." + "9" * 20), None, D("-" + "9" * 56 + "." + "9" * 20)]
    with decimal.localcontext(decimal.Context(prec=100)):
        columns = {
            "d9": (small, pa.decimal128(9, 2)),
            "d18": (middle, pa.decimal128(18, 6)),
            "d38": (large, pa.decimal128(38, 10)),
            "d76": (huge, pa.decimal256(76, 20)),
        }
        write("decimals_fixed", columns)
        write("decimals_integers", columns, store_decimal_as_integer=True)
    def shortest(number):
        return number.to_bytes((number.bit_length() + 8) // 8, "big", signed=True)
    numbers = [[0, -1, 127, 128, -129, 10**9 - 1], [0, -1, 10**18 - 1, 1 - 10**18, 5, 255],
               [0, -1, 10**38 - 1, 1 - 10**38, 5, 256], [0, -1, 10**76 - 1, 1 - 10**76, 5, 65536]]
    schema = [node("n", raw.REQUIRED, physical=raw.INT32)]
    columns = [Column("n", raw.INT32, range(6))]
    for (precision, scale), values in zip([(9, 2), (18, 6), (38, 10), (76, 20)], numbers):
        schema.append(node(f"d{precision}", raw.REQUIRED, physical=raw.BYTE_ARRAY, converted=raw.DECIMAL,
                           precision=precision, scale=scale))
        columns.append(Column(f"d{precision}", raw.BYTE_ARRAY, [shortest(value) for value in values]))
    put("decimals_byte_array", document(schema, columns, 6))


def times():
    moments = [0, -1, 1_700_000_000_123_456_789, None, 4_000_000_000_000_000_001, -2_208_988_800_000_000_000]
    def ticks(per):
        return [None if moment is None else moment // per for moment in moments]
    units = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
    write("timestamps", {
        f"{unit}_{'utc' if zone else 'local'}": (ticks(units[unit]), pa.timestamp(unit, tz=zone))
        for unit in ["ms", "us", "ns"] for zone in [None, "UTC"]
    })
    write("timestamps_zone", {"b": (ticks(1_000), pa.timestamp("us", tz="Europe/Berlin"))})
    write("timestamps_int96", {"t": (ticks(1), pa.timestamp("ns"))}, use_deprecated_int96_timestamps=True)
    write("timestamps_int96_spark", {"t": (ticks(1_000), pa.timestamp("us", tz="UTC"))}, flavor="spark")
    nested = [[0, 1_700_000_000_123_456_789, None], [], [-1]]
    write("timestamps_int96_nested", {
        "l": (nested, pa.list_(pa.timestamp("ns"))),
        "s": ([{"t": 1, "x": 7}, {"t": None, "x": 8}, {"t": 4_000_000_000_000_000_001, "x": 9}],
              pa.struct([("t", pa.timestamp("ns")), ("x", pa.int32())])),
        "m": ([[("a", 999_999_999)], [("b", None), ("c", 2)], []], pa.map_(pa.string(), pa.timestamp("ns"))),
    }, use_deprecated_int96_timestamps=True)
    # What 64 bits of nanoseconds do not hold: the years 1 and 9999. Nanoseconds of the day, then the Julian day.
    old = [struct.pack("<qi", *moment) for moment in
           [(123_456_789, 2_440_588), (43_200_000_000_001, 5_373_484), (0, 1_721_426), (1_000, 2_440_589)]]
    schema = [node("n", raw.REQUIRED, physical=raw.INT32), node("t", raw.REQUIRED, physical=raw.INT96),
              node("l", raw.REPEATED, physical=raw.INT96)]
    put("timestamps_int96_far", document(schema, [
        Column("n", raw.INT32, range(4)), Column("t", raw.INT96, old),
        Column("l", raw.INT96, old, [1, 1, 0, 1, 1], [0, 1, 0, 0, 0])], 4))
    clock = [0, 1, 86_399_999_999_999, None, 45_296_789_012_345]
    write("times_of_day", {
        "ms": ([None if c is None else c // 10**6 for c in clock], pa.time32("ms")),
        "us": ([None if c is None else c // 10**3 for c in clock], pa.time64("us")),
        "ns": (clock, pa.time64("ns")),
    })
    write("dates", {"d": ([dt.date(1970, 1, 1), dt.date(2149, 6, 6), None, dt.date(2024, 2, 29)], pa.date32()),
                    "d32": ([dt.date(1900, 1, 1), dt.date(2299, 12, 31), None, dt.date(1969, 12, 31)], pa.date32()),
                    "d64": ([dt.date(1970, 1, 1), dt.date(2023, 5, 1), None, dt.date(2024, 2, 29)], pa.date64())})


def annotations():
    ids = [uuid.UUID("01234567-89ab-cdef-fedc-ba9876543210").bytes, uuid.UUID(int=0).bytes, None]
    write("uuids", {"u": pa.ExtensionArray.from_storage(pa.uuid(), pa.array(ids, pa.binary(16)))})
    write("float16", {"h": ([np.float16(v) if v is not None else None for v in [0.1, -65504, float("inf"), 6e-8, None]], pa.float16())})
    write("unsigned", {f"u{bits}": ([0, 2**bits - 1, None, 2 ** (bits - 1)], getattr(pa, f"uint{bits}")()) for bits in [8, 16, 32, 64]}
          | {f"i{bits}": ([0, 2 ** (bits - 1) - 1, None, -(2 ** (bits - 1))], getattr(pa, f"int{bits}")()) for bits in [8, 16, 32, 64]})
    write("json_extension", {"j": pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}', '{"b":[true,null]}', None]))})
    write("binary", {"x": ([b"\xff\x00", b"", None], pa.binary()), "f": ([b"abc", b"\0\0\0", None], pa.binary(3)),
                     "l": (["long", "", None], pa.large_string()), "v": (["view of more than twelve bytes", "", None], pa.string_view())})
    texts = {"enum": (raw.ENUM, [b"red", b"green", b"red"]), "json": (raw.JSON, [b'{"a":1}', b'{"a":{"b":[1,2]}}', b"{}"]),
             "bson": (raw.BSON, [b"\x05\0\0\0\0"] * 3), "bare": (None, [b"no annotation", b"", b"x"])}
    schema = [node("n", raw.REQUIRED, physical=raw.INT32)] + [
        node(name, raw.REQUIRED, physical=raw.BYTE_ARRAY, converted=kind) for name, (kind, _) in texts.items()]
    put("annotations", document(schema, [Column("n", raw.INT32, range(3))] + [
        Column(name, raw.BYTE_ARRAY, values) for name, (_, values) in texts.items()], 3))


def old_writers():
    """What parquet-mr 1.8 says of dictionary pages: 0 where there is none, and the place of one as that of the data.
    Integers that are said to be narrower than they lie, and intervals."""
    def numbered(**columns):
        schema = [node("n", raw.REQUIRED, physical=raw.INT32)] + [element for element, _ in columns.values()]
        return document(schema, [Column("n", raw.INT32, range(3))] + [column for _, column in columns.values()], 3)

    class Nowhere(Column):
        def pages(self, at):
            out, metadata = super().pages(at)
            metadata[11] = raw.I64(0)
            return out, metadata

    class AtTheData(Column):
        def pages(self, at):
            out, metadata = super().pages(at)
            metadata[9], metadata[11] = raw.I64(int(metadata[11])), raw.I64(0)
            return out, metadata

    put("dictionary_offset_0", numbered(
        v=(node("v", raw.REQUIRED, physical=raw.INT32), Nowhere("v", raw.INT32, [1, 2, 3])),
        s=(node("s", raw.REQUIRED, physical=raw.BYTE_ARRAY, converted=raw.UTF8),
           AtTheData("s", raw.BYTE_ARRAY, [b""] * 3, page=bytes([1]) + raw.varint(1 << 1 | 1) + bytes([0b0110]),
                     dictionary=[b"aa", b"bb"], encoding=raw.RLE_DICTIONARY))))
    narrow = {"i8": raw.INT_8, "i16": raw.INT_16, "u8": raw.UINT_8, "u16": raw.UINT_16}
    put("narrow_integers", numbered(**{
        name: (node(name, raw.REQUIRED, physical=raw.INT32, converted=kind), Column(name, raw.INT32, [1, 300, 70_000]))
        for name, kind in narrow.items()}))
    intervals = [(1, 2, 3_000), (14, 0, 0), (0, 0, 50)]
    put("intervals", numbered(v=(
        node("v", raw.REQUIRED, physical=raw.FIXED, length=12, converted=raw.INTERVAL),
        Column("v", raw.FIXED, [struct.pack("<III", *parts) for parts in intervals]))))


def not_utf8():
    """Texts by their annotation that are none: s of three rows, and the list [1, 2], [], [3] of them."""
    values = [b"a", b"\xff\xfe", "\u00fc".encode()]
    schema = [node("n", raw.REQUIRED, physical=raw.INT32), node("s", raw.REQUIRED, physical=raw.BYTE_ARRAY, converted=raw.UTF8),
              node("j", raw.REQUIRED, physical=raw.BYTE_ARRAY, converted=raw.JSON),
              node("l", raw.REPEATED, physical=raw.BYTE_ARRAY, converted=raw.UTF8)]
    put("not_utf8", document(schema, [
        Column("n", raw.INT32, range(3)), Column("s", raw.BYTE_ARRAY, values),
        Column("j", raw.BYTE_ARRAY, [b'{"a":1}', b'{"a":"\xff"}', b"{}"]),
        Column("l", raw.BYTE_ARRAY, values, [1, 1, 0, 1], [0, 1, 0, 0])], 3))
    words = [b"\xff", b"good"]
    schema = [node("n", raw.REQUIRED, physical=raw.INT32), node("s", raw.REQUIRED, physical=raw.BYTE_ARRAY, converted=raw.UTF8)]
    put("not_utf8_dictionary", document(schema, [
        Column("n", raw.INT32, range(4)),
        Column("s", raw.BYTE_ARRAY, [b""] * 4, page=bytes([1]) + raw.varint(1 << 1 | 1) + bytes([0b0110]),
               dictionary=words, encoding=raw.RLE_DICTIONARY)], 4))


def nested():
    point = pa.struct([("x", pa.int32()), ("y", pa.string())])
    write("nested_full", {
        "ll": ([[[1, 2], []], [], [[3]]], pa.list_(pa.list_(pa.int64()))),
        "ls": ([[{"x": 1, "y": "a"}], [], [{"x": 2, "y": "b"}, {"x": 3, "y": ""}]], pa.list_(point)),
        "sl": ([{"v": [1.5]}, {"v": []}, {"v": [2.5, -1.0]}], pa.struct([("v", pa.list_(pa.float64()))])),
        "m": ([[("a", 1), ("b", 2)], [], [("c", 3)]], pa.map_(pa.string(), pa.int64())),
        "ml": ([[("a", [1, 2])], [("b", []), ("c", [3])], []], pa.map_(pa.string(), pa.list_(pa.int32()))),
        "im": ([[(1, "x")], [(2, "y"), (3, "z")], []], pa.map_(pa.int32(), pa.string())),
        "fl": ([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int32(), 2)),
        "big": ([["a"], [], ["b", "c"]], pa.large_list(pa.string())),
    })
    write("nested_null_values", {
        "l": ([[1, None], [], [None]], pa.list_(pa.int64())),
        "ll": ([[["a", None], []], [[None]], []], pa.list_(pa.list_(pa.string()))),
        "ls": ([[{"x": None, "y": "a"}], [{"x": 1, "y": None}], []], pa.list_(point)),
        "s": ([{"x": None, "y": None}, {"x": 1, "y": None}, {"x": None, "y": "b"}], point),
        "m": ([[("a", None)], [("b", 1), ("c", None)], []], pa.map_(pa.string(), pa.int64())),
    })
    for name, column in {
        "list": ([[1], None, []], pa.list_(pa.int64())),
        "inner_list": ([[[1]], [None, [2]], []], pa.list_(pa.list_(pa.int64()))),
        "struct": ([{"x": 1, "y": "a"}, None, {"x": 2, "y": "b"}], point),
        "struct_in_list": ([[{"x": 1, "y": "a"}, None], [], []], pa.list_(point)),
        "map": ([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    }.items():
        write(f"nested_null_{name}", {"v": column})
    required = pa.list_(pa.field("element", pa.int64(), nullable=False))
    table = pa.table([pa.array(range(3), pa.int32()), pa.array([[1], [], [2, 3]], required)],
                     pa.schema([("n", pa.int32()), pa.field("l", required, nullable=False)]))
    pq.write_table(table, HERE / "nested_required.parquet")
    deep = pa.int32()
    value = 7
    for _ in range(20):
        deep, value = pa.list_(deep), [value]
    write("nested_deep", {"v": ([value, value], deep)})


def legacy():
    """Lists and maps from before there were rules: [1, 2], [], [3] in every one."""
    defs, reps = [1, 1, 0, 1], [0, 1, 0, 0]
    numbers = ("n", raw.INT32, range(3))
    def column(path, values=(1, 2, 3), lift=0, physical=raw.INT32):
        return Column(path, physical, values, [level + lift if level else lift for level in defs], reps)
    def texts(path, lift=0):
        return column(path, [b"a", b"b", b"c"], lift, raw.BYTE_ARRAY)
    def put_lists(name, schema, *columns):
        head = [node("n", raw.REQUIRED, physical=raw.INT32)]
        put(f"legacy_{name}", document(head + schema, [Column(*numbers), *columns], 3))
    int32 = lambda name, repetition=raw.REQUIRED: node(name, repetition, physical=raw.INT32)
    text = lambda name: node(name, raw.REQUIRED, physical=raw.BYTE_ARRAY, converted=raw.UTF8)
    group = lambda name, repetition, children, converted=None: node(name, repetition, children, converted=converted)
    put_lists("repeated_primitive", [int32("v", raw.REPEATED)], column("v"))
    put_lists("repeated_group", [group("v", raw.REPEATED, 2), int32("x"), text("y")], column("v.x"), texts("v.y"))
    put_lists("two_level", [group("v", raw.OPTIONAL, 1, raw.LIST), int32("element", raw.REPEATED)], column("v.element", lift=1))
    put_lists("two_level_required", [group("v", raw.REQUIRED, 1, raw.LIST), int32("item", raw.REPEATED)], column("v.item"))
    put_lists("array", [group("v", raw.OPTIONAL, 1, raw.LIST), group("array", raw.REPEATED, 1), int32("x")],
              column("v.array.x", lift=1))
    put_lists("array_of_two", [group("v", raw.OPTIONAL, 1, raw.LIST), group("element", raw.REPEATED, 2), int32("x"), text("y")],
              column("v.element.x", lift=1), texts("v.element.y", lift=1))
    put_lists("tuple", [group("v", raw.OPTIONAL, 1, raw.LIST), group("v_tuple", raw.REPEATED, 1), int32("x")],
              column("v.v_tuple.x", lift=1))
    put_lists("hive", [group("v", raw.OPTIONAL, 1, raw.LIST), group("bag", raw.REPEATED, 1), int32("array_element")],
              column("v.bag.array_element", lift=1))
    put_lists("map_key_value", [group("v", raw.OPTIONAL, 1, raw.MAP_KEY_VALUE), group("map", raw.REPEATED, 2), text("key"), int32("value")],
              texts("v.map.key", lift=1), column("v.map.value", lift=1))
    put_lists("map_without_values", [group("v", raw.OPTIONAL, 1, raw.MAP), group("key_value", raw.REPEATED, 1), text("key")],
              texts("v.key_value.key", lift=1))
    optional = [node("n", raw.REQUIRED, physical=raw.INT32), group("v", raw.OPTIONAL, 1, raw.MAP),
                group("key_value", raw.REPEATED, 2), node("key", raw.OPTIONAL, physical=raw.BYTE_ARRAY, converted=raw.UTF8), int32("value")]
    put("legacy_map_optional_key", document(optional, [
        Column(*numbers), Column("v.key_value.key", raw.BYTE_ARRAY, [b"a", b"b", b"c"], [3, 3, 1, 3], reps),
        column("v.key_value.value", lift=1)], 3))


def other_writers():
    rows = 50
    frame = pl.DataFrame({
        "n": pl.Series(range(rows), dtype=pl.Int32),
        "s": every(rows, 5, lambda r: f"polars {r % 7}"),
        "c": pl.Series(every(rows, 6, lambda r: f"cat {r % 3}"), dtype=pl.Categorical),
        "f": every(rows, 4, lambda r: r / 3),
        "t": pl.Series(every(rows, 7, lambda r: dt.datetime(2024, 1, 1) + dt.timedelta(hours=r)), dtype=pl.Datetime("us")),
        "d": every(rows, 8, lambda r: dt.date(2024, 1, 1) + dt.timedelta(days=r)),
        "k": every(rows, 9, lambda r: dt.time(r % 24, 30, r % 60, 123_456)),
        "m": pl.Series(every(rows, 3, lambda r: D(r) / 8), dtype=pl.Decimal(18, 3)),
        "l": [[r, None][: r % 3] for r in range(rows)],
        "p": [{"x": r, "y": None if r % 2 else f"y{r}"} for r in range(rows)],
        "u": pl.Series(range(rows), dtype=pl.UInt64),
        "i128": pl.Series([r - 25 for r in range(rows)], dtype=pl.Int64),
        "b": every(rows, 10, lambda r: r % 2 == 0),
        "x": every(rows, 11, lambda r: bytes([r, 255 - r])),
    })
    frame.write_parquet(HERE / "polars.parquet")
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute(f"""COPY (SELECT r::INTEGER AS n, if(r % 5 = 0, NULL, 'duck ' || r % 7) AS s, r * 1.5 AS m,
        (r * 12345678901)::HUGEINT AS h, (r % 250)::UTINYINT AS u8, r::UBIGINT AS u64, r / 7 AS f, (r / 3)::FLOAT AS f32,
        DATE '2024-01-01' + r::INTEGER AS d, TIMESTAMP '2024-01-01 00:00:00.123456' + to_hours(r) AS t,
        TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_hours(r) AS tz, TIMESTAMP_NS '2024-01-01 00:00:00.123456789' AS ns,
        TIME '12:34:56.789' AS k, ('00000000-0000-0000-0000-' || lpad(r::VARCHAR, 12, '0'))::UUID AS id,
        [r, NULL, r + 1] AS l, {{'x': r::INTEGER, 'y': 'y' || r}} AS p, MAP {{'a': r, 'b': r * 2}} AS mp,
        (r * 1.25)::DECIMAL(38, 10) AS d38, 'b' || r::VARCHAR AS bs, r % 2 = 0 AS b, (['x','y','z'])[1 + r % 3]::ENUM('x', 'y', 'z') AS e
        FROM range({rows}) AS g(r)) TO '{HERE}/duckdb.parquet' (FORMAT parquet)""")
    for version in ["V1", "V2"]:
        duck.execute(f"""COPY (SELECT r::INTEGER AS n, 'common prefix ' || r * 7919 AS s, r * 1000003 AS i, r / 7 AS f
            FROM range(3000) AS g(r)) TO '{HERE}/duckdb_{version.lower()}.parquet'
            (FORMAT parquet, PARQUET_VERSION {version}, COMPRESSION zstd, ROW_GROUP_SIZE 2048)""")
    old = pd.DataFrame({
        "n": np.arange(rows, dtype="int32"),
        "s": np.array(every(rows, 5, lambda r: f"old {r % 7}"), dtype=object),
        "f": np.arange(rows) / 3,
        "t": pd.to_datetime(np.arange(rows) * 3_600, unit="s"),
        "b": np.arange(rows) % 2 == 0,
        "c": pd.Categorical([f"cat {r % 3}" for r in range(rows)]),
    })
    fastparquet.write(str(HERE / "fastparquet.parquet"), old, compression="GZIP", object_encoding={"s": "utf8"})
    fastparquet.write(str(HERE / "fastparquet_int96.parquet"), old[["n", "t", "s"]], times="int96", object_encoding={"s": "utf8"},
                      row_group_offsets=[0, 20, 40])
    pandas = old.assign(s=[f"p{r}" for r in range(rows)])[["n", "s", "t"]].set_index("s")
    pandas.to_parquet(HERE / "pandas_index.parquet", engine="pyarrow")


class Keys(pe.KmsClient):
    """Keys that are no secret."""

    def __init__(self, _configuration):
        super().__init__()

    def wrap_key(self, key, _master):
        return bytes(key).hex().encode()

    def unwrap_key(self, key, _master):
        return bytes.fromhex(bytes(key).decode())


def refused():
    factory = pe.CryptoFactory(Keys)
    table = pa.table({"n": pa.array(range(5), pa.int32()), "secret": pa.array(list("abcde"))})
    for name, plain in [("footer", False), ("columns", True)]:
        configuration = pe.EncryptionConfiguration(footer_key="f", column_keys={"c": ["secret"]}, plaintext_footer=plain,
                                                   encryption_algorithm="AES_GCM_V1")
        properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), configuration)
        with pq.ParquetWriter(HERE / f"refused_encrypted_{name}.parquet", table.schema, encryption_properties=properties) as writer:
            writer.write_table(table)

    numbers = [node("v", raw.REQUIRED, physical=raw.INT32)]
    texts = [node("v", raw.REQUIRED, physical=raw.BYTE_ARRAY, converted=raw.UTF8)]
    def lie(name, schema=numbers, physical=raw.INT32, values=(1, 2, 3), rows=3, footer={}, **more):
        put(f"refused_{name}", document(schema, [Column("v", physical, list(values), **more)], rows, **footer))
    # Width of 3 bits, then a run of three times the index 7.
    beyond = bytes([3]) + raw.varint(3 << 1) + b"\x07"
    words = dict(schema=texts, physical=raw.BYTE_ARRAY, values=[b""] * 3, encoding=raw.RLE_DICTIONARY)
    lie("index_beyond_dictionary", page=beyond, dictionary=[b"a", b"b"], **words)
    lie("dictionary_missing", page=bytes([1]) + raw.varint(3 << 1) + b"\0", **words)
    lie("dictionary_count_huge", page=bytes([1]) + raw.varint(3 << 1) + b"\0", dictionary=[b"a"], dictionary_count=2**31 - 1, **words)
    lie("dictionary_count_short", page=bytes([2]) + raw.varint(3 << 1) + b"\2", dictionary=[b"a"], dictionary_count=3, **words)
    lie("dictionary_count_negative", page=bytes([1]) + raw.varint(3 << 1) + b"\0", dictionary=[b"a"], dictionary_count=-1, **words)
    lie("index_width", page=bytes([99]) + raw.varint(3 << 1) + b"\0", dictionary=[b"a"], **words)
    snappy = (raw.SNAPPY, lambda body: bytes(cramjam.snappy.compress_raw(body)))
    zstd = (raw.ZSTD, lambda body: bytes(cramjam.zstd.compress(body, 19)))
    lie("page_of_gigabytes", codec=snappy, uncompressed=2**31 - 1)
    lie("page_larger_than_said", codec=zstd, uncompressed=4)
    # Nobody but the header says how long these are: a thousand bytes of Brotli are 600 MB.
    lie("bomb_brotli", codec=(raw.BROTLI, lambda body: pa.Codec("brotli").compress(bytes(600 * 2**20), asbytes=True)), uncompressed=12)
    lie("page_gzip_larger_than_said", codec=(raw.GZIP, lambda body: pa.Codec("gzip").compress(bytes(2**16), asbytes=True)), uncompressed=12)
    lie("page_lz4_larger_than_said", codec=(raw.LZ4_HADOOP, lambda body: pa.Codec("lz4").compress(bytes(2**16), asbytes=True)), uncompressed=12)
    lie("page_smaller_than_said", codec=zstd, uncompressed=200 * 2**20)
    lie("page_compressed_negative", compressed=-5)
    lie("page_uncompressed_negative", uncompressed=-5)
    lie("page_beyond_chunk", compressed=10_000_000)
    lie("page_values_negative", page_values=-3)
    lie("page_values_huge", page_values=2**31 - 1)
    lie("page_values_short", page_values=1)
    lie("chunk_values_negative", chunk_values=-3)
    lie("chunk_size_negative", chunk_compressed=-1)
    lie("chunk_offset_negative", offset=-1)
    lie("chunk_offset_beyond", offset=2**40)
    lie("rows_negative", footer={"group_rows": -1, "file_rows": -1})
    lie("rows_huge", footer={"group_rows": 2**62, "file_rows": 2**62})
    lie("rows_too_many", footer={"group_rows": 4, "file_rows": 4})
    lie("encoding_unknown", encoding=77)
    lie("text_length_beyond_page", texts, raw.BYTE_ARRAY, page=struct.pack("<I", 2**31 - 1) + b"abc", values=[b""] * 3)
    lie("delta_count_huge", encoding=5, page=raw.varint(128) + raw.varint(4) + raw.varint(2**40) + raw.zigzag(1))
    lie("delta_blocks_huge", encoding=5, page=raw.varint(2**40) + raw.varint(4) + raw.varint(3) + raw.zigzag(1))
    bomb = b"\0" * (240 * 2**20)
    lie("bomb_in_page", texts, raw.BYTE_ARRAY, page=bomb, values=[b""] * (60 * 2**20), rows=60 * 2**20, codec=zstd)
    booleans = [node("v", raw.OPTIONAL, physical=raw.BOOLEAN)]
    nothing = Column("v", raw.BOOLEAN, [], [], page=b"", page_values=2**31 - 1, chunk_values=2**31 - 1)
    nulls = raw.varint((2**31 - 1) << 1) + b"\0"
    nothing.body = struct.pack("<I", len(nulls)) + nulls
    put("refused_billions_of_nulls", document(booleans, [nothing], 2**31 - 1))

    leaf = [node("x", raw.REQUIRED, physical=raw.INT32)]
    for depth in [100, 5_000, 30_000]:
        deep = [node("v", raw.OPTIONAL, 1)] + [node("g", raw.OPTIONAL, 1)] * depth + leaf
        path = ".".join(["v"] + ["g"] * depth + ["x"]) if depth < 10_000 else "v"
        put(f"refused_nesting_{depth}", document(deep, [Column(path, raw.INT32, [], [0])], 1))
    put("refused_children_negative", document([node("v", raw.OPTIONAL, -1), *leaf], [Column("v.x", raw.INT32, [1])], 1))
    put("refused_children_huge", document([node("v", raw.OPTIONAL, 2**31 - 1), *leaf], [Column("v.x", raw.INT32, [1])], 1))
    put("refused_group_without_children", document([node("v", raw.OPTIONAL, 0)], [], 1))
    good = (HERE / "codec_snappy.parquet").read_bytes()
    put("refused_truncated", good[:len(good) // 2])
    put("refused_magic", good[:-1] + b"2")


def put(name, content):
    (HERE / f"{name}.parquet").write_bytes(content)


for old in HERE.glob("*.parquet"):
    old.unlink()
for make in [codecs, encodings, pages_and_groups, decimals, times, annotations, old_writers, not_utf8, nested, legacy, other_writers, refused]:
    make()
print(sum(file.stat().st_size for file in HERE.glob("*.parquet")), "bytes")
