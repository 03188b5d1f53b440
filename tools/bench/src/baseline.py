"""Loads a file with pyarrow and clickhouse-connect, as a Lambda in Python usually does.

Arguments: format, table, url, user, columns as JSON, file. Prints its CPU
seconds and the number of rows.
"""

import json
import os
import resource
import sys
from urllib.parse import urlparse

import clickhouse_connect
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

format_name, table, url, user, columns, path = sys.argv[1:]
columns = json.loads(columns)
address = urlparse(url)
client = clickhouse_connect.get_client(
    host=address.hostname,
    port=address.port,
    username=user,
    password=os.environ["CLICKHOUSE_PASSWORD"],
    compress="lz4",
)


def arrow_type(kind):
    for prefix in ("LowCardinality(", "Nullable("):
        while kind.startswith(prefix):
            kind = kind[len(prefix) : -1]
    simple = {
        "UInt64": pa.uint64(), "UInt32": pa.uint32(), "UInt16": pa.uint16(), "UInt8": pa.uint8(),
        "Int32": pa.int32(), "Int16": pa.int16(), "Float64": pa.float64(), "Bool": pa.bool_(),
        "String": pa.string(), "Date": pa.date32(),
    }
    if kind.startswith("DateTime64"):
        return pa.timestamp("ms", tz="UTC")
    if kind.startswith("DateTime"):
        return pa.timestamp("s", tz="UTC")
    if kind.startswith("Decimal"):
        return pa.decimal128(18, 2)
    return simple[kind]


schema = pa.schema([(name, arrow_type(kind)) for name, kind in columns])
rows = 0


def insert(batch):
    global rows
    rows += batch.num_rows
    client.insert_arrow(table, pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch)


if format_name == "Parquet":
    for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=131072 * 4, columns=schema.names):
        insert(pa.Table.from_batches([batch]).cast(schema))
elif format_name == "CSVWithNames":
    plain = {name: (pa.timestamp("ms") if pa.types.is_timestamp(kind) else kind) for name, kind in zip(schema.names, schema.types)}
    options = pyarrow.csv.ConvertOptions(column_types=plain, strings_can_be_null=True)
    reader = pyarrow.csv.open_csv(path, convert_options=options, read_options=pyarrow.csv.ReadOptions(block_size=64 << 20))
    for batch in reader:
        insert(pa.Table.from_batches([batch]).cast(schema))
else:
    import gzip

    plain = pa.schema(
        [
            (name, pa.string() if pa.types.is_timestamp(kind) or pa.types.is_date(kind) else pa.float64() if pa.types.is_decimal(kind) else kind)
            for name, kind in zip(schema.names, schema.types)
        ]
    )
    whole = pyarrow.json.read_json(
        gzip.open(path),
        read_options=pyarrow.json.ReadOptions(block_size=16 << 20),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=plain),
    )
    made = []
    for name, kind in zip(schema.names, schema.types):
        column = whole.column(name)
        if pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("ms")).cast(kind)
        made.append(column.cast(kind, safe=False))
    table_of = pa.table(made, schema=schema)
    for start in range(0, table_of.num_rows, 524288):
        insert(table_of.slice(start, 524288))

used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "rows": rows}))
